//! What records say of people: users, roles, groups, tokens.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Sha256;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Permissions;
use crate::actions::group::Kind as GroupKind;

/// A user was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAdded {
    /// The user's id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The name of the role.
    pub role: String,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The number on the badge; empty where there is none.
    pub badge: String,
}

/// What is said of a user was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEdited {
    /// The user's id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The name of the role.
    pub role: String,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The number on the badge; empty where there is none.
    pub badge: String,
}

/// A user was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDisabled {
    /// The user.
    pub user: Uuid,
    /// Whether the node did it by itself, as nothing was heard of them for so long.
    pub idle: bool,
}

/// What shows who somebody is: it stands in the journal only, sealed under the user's key, and is shown to nobody.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(#[serde(with = "serde_bytes")] pub Vec<u8>);

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str("(secret)");
        }
        serializer.serialize_bytes(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// A user set a password and an authenticator, in place of those before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEnrolled {
    /// The user.
    pub user: Uuid,
    /// What is kept of the password: Argon2id, as a PHC string.
    pub verifier: Secret,
    /// What the authenticator makes its codes of.
    pub key: Secret,
    /// SHA-256 of codes that count once each in place of the authenticator's.
    pub recovery: Vec<Secret>,
    /// The time step of the code that showed that the authenticator works: it counts no more.
    pub step: u64,
}

/// A user set another password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordSet {
    /// The user.
    pub user: Uuid,
    /// What is kept of it.
    pub verifier: Secret,
}

/// A user signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// The user.
    pub user: Uuid,
    /// Names the session.
    pub session: Uuid,
    /// What they showed beside the password.
    pub by: Proof,
    /// From where, as far as that is known.
    pub from: Option<IpAddr>,
}

/// What somebody shows beside the password, or in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A code of the authenticator, of this time step.
    Code(u64),
    /// The recovery code in this place.
    Recovery(u8),
    /// The code with which they enrol.
    Enrolment,
}

/// A user is signed in no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOut {
    /// The user.
    pub user: Uuid,
    /// Names the session.
    pub session: Uuid,
    /// Why.
    pub reason: SignedOutFor,
}

/// Why somebody is signed in no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedOutFor {
    /// They signed out.
    Asked,
    /// They did not call for so long.
    Idle,
    /// They have to show again who they are.
    Age,
    /// They signed in on one device more than they may.
    Replaced,
    /// They were disabled, or have another password.
    Stopped,
}

/// A user was locked after too many wrong tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLocked {
    /// The user.
    pub user: Uuid,
    /// From where the last try came, as far as that is known.
    pub from: Option<IpAddr>,
}

/// A role: what it holds from now on, or held to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSet {
    /// The role's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub permissions: Permissions,
}

/// A group was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMade {
    /// The group's id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: GroupKind,
}

/// Who is in a group was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChanged {
    /// The group.
    pub group: Uuid,
    /// Users who are in it from now on.
    pub added: Vec<Uuid>,
    /// Users who are not any more.
    pub removed: Vec<Uuid>,
}

/// A token was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenMade {
    /// The token's id.
    pub id: Uuid,
    /// The token's holder.
    pub user: Uuid,
    /// SHA-256 of the token.
    pub hash: Sha256,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}

/// A token was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// The token's id.
    pub id: Uuid,
    /// The token's holder.
    pub user: Uuid,
    /// SHA-256 of the token.
    pub hash: Sha256,
}
