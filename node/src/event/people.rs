//! What records say of people: users, roles, groups, tokens.

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
    /// The name of the role.
    pub role: String,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The number on the badge; empty where there is none.
    pub badge: String,
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
