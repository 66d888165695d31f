//! What the tables hold: the present state, as far as it follows from the journal.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::copy::Field;
use interdocket_sync::evidence::{self, FileKind};
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::metadata::Value;
use interdocket_sync::share::Policy;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::{GUEST, Permissions};
use crate::actions::Actor;
use crate::actions::case::Origin;
use crate::actions::group::Kind as GroupKind;
use crate::actions::partner::{Inbound, Kind, OrganisationRole, State};
use crate::actions::settings::Settings;
use crate::blobs::Place;
use crate::event::{Bytes, Matter, Watermark, Why};
use crate::features::Features;

mod disclosure;
mod link;
mod share;

pub use self::disclosure::{Disclosed, Disclosure};
pub use self::link::{Download, Link};
pub use self::share::{
    Answered, Import, Pending, Recalled, Reshare, Revocation, Sealed, Session, Set, Share, Update,
};

/// The node itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The organisation's id.
    pub organisation: OrganisationId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: OrganisationRole,
    /// Counts up with each restore; from 1.
    pub incarnation: u64,
    /// Since when its clock is not to be trusted; nothing where it is.
    pub suspect: Option<DateTime<Utc>>,
    /// What counts for everybody of the organisation.
    pub settings: Settings,
    /// What it takes part in.
    pub features: Features,
    /// The retention policy of cases to come; none: they are kept until they are deleted by hand.
    pub retention: Option<Uuid>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// The name of the role.
    pub role: String,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The number on the badge; empty where there is none.
    pub badge: String,
    /// When the user was added.
    pub added_at: DateTime<Utc>,
    /// When they last called, as far as it is on record, or were added or enabled.
    pub seen_at: DateTime<Utc>,
    /// Since when they may do nothing; nothing where they may do what their role allows.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when they can't sign in, after too many wrong tries.
    pub locked_at: Option<DateTime<Utc>>,
}

impl User {
    /// Whether they are no part of this organisation, and read in the portal only.
    pub fn guest(&self) -> bool {
        self.role == GUEST
    }
}

/// How a user signs in: where the records are that can tell whether they do. Nothing here is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The record with what is kept of the password.
    pub password: u64,
    /// The record with the authenticator's key and the recovery codes.
    pub authenticator: u64,
    /// The time step of the last code that counted: no code of it or of one before counts again.
    pub step: u64,
    /// The recovery codes that were used, a bit for each place.
    pub used: u16,
}

/// A role of this organisation's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its id.
    pub id: Uuid,
    /// The name as it is written.
    pub name: String,
    /// What it holds.
    pub permissions: Permissions,
    /// How many users have it.
    pub holders: u64,
}

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: GroupKind,
    /// How many users are in it.
    pub members: u64,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

/// Whom a case is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The name.
    pub name: String,
    /// What is known of it.
    pub description: String,
    /// When it was added here.
    pub added_at: DateTime<Utc>,
    /// The share by which it came; none where it was added here.
    pub share: Option<ShareId>,
}

/// Who is called by a name, an e-mail address or the number on a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// A user.
    User(Uuid),
    /// A group.
    Group(Uuid),
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its holder.
    pub user: Uuid,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}

/// A partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// The name it has here.
    pub name: String,
    /// What it does.
    pub role: OrganisationRole,
    /// How far trust goes.
    pub state: State,
    /// Its first root's certificate, DER.
    pub root: Bytes,
    /// The newest root that it handed over to, DER.
    pub later: Option<Bytes>,
    /// Where it can be dialled.
    pub address: Option<String>,
    /// The words to compare, until they are confirmed.
    pub words: Vec<String>,
    /// What may be sent to it.
    pub send: BTreeSet<Kind>,
    /// What may come from it.
    pub receive: BTreeSet<Kind>,
    /// What advanced shares with it allow; none can be made without.
    pub policy: Option<Policy>,
    /// The features that it last said it has; nothing where it has not said so yet.
    pub features: Option<Features>,
    /// What becomes of what it offers.
    #[serde(default)]
    pub inbound: Inbound,
    /// Whether it may know shares that this node, which came back from its past, does not know any more.
    pub recover: bool,
    /// The latest head that it signed.
    pub witness: Option<Witness>,
    /// The record of the latest revocation that it countersigned.
    pub countersigned: Option<u64>,
    /// The record of the latest revocation that it signed.
    pub revoked: Option<u64>,
}

/// The latest head that a partner signed: the last one of its latest incarnation, by its own journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Witness {
    /// The incarnation.
    pub incarnation: u64,
    /// How many records its journal had.
    pub count: u64,
    /// The record with the head.
    pub record: u64,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Whether evidence can be added.
    pub open: bool,
    /// When it was made here.
    pub created_at: DateTime<Utc>,
    /// Who made it, with the values of that moment; nobody where it was received.
    pub creator: Option<Actor>,
    /// Who it is assigned to, the first one first.
    pub assignees: Vec<Uuid>,
    /// Items of evidence.
    pub evidence: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// From whom it was received.
    pub origin: Option<Origin>,
    /// Its retention policy; none where it is kept until it is deleted by hand.
    pub retention: Option<Uuid>,
}

impl Case {
    /// Whether this user made it.
    pub fn made_by(&self, user: Uuid) -> bool {
        self.creator
            .as_ref()
            .is_some_and(|creator| creator.id == user)
    }
}

/// An item of evidence, but for its files and the cases that it is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is.
    pub title: String,
    /// When this node took it in.
    pub added_at: DateTime<Utc>,
    /// When the node that took it in first did.
    pub uploaded_at: DateTime<Utc>,
    /// From when on it counts how long it is kept.
    pub dated_at: DateTime<Utc>,
    /// Who added it there.
    pub added_by: Value,
    /// How many files it has.
    pub files: u32,
    /// From whom it was received.
    pub origin: Option<Origin>,
}

/// What is said of evidence in one of its cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InCase {
    /// The folder inside the case.
    pub folder: String,
}

/// A note of evidence, by the record that it was made in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: Value,
    /// What.
    pub text: String,
}

/// How often evidence was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Views {
    /// What is said of it.
    pub pages: u64,
    /// Files, to be kept.
    pub downloads: u64,
    /// Files, to be played.
    pub playbacks: u64,
    /// When last.
    pub last: Option<DateTime<Utc>>,
}

/// A retention policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Its name.
    pub name: String,
    /// For how many days evidence is kept.
    pub days: u32,
}

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it was placed.
    pub at: DateTime<Utc>,
    /// By whom, with the values of that moment.
    pub by: Option<Actor>,
    /// Why, as they wrote.
    pub reason: String,
}

/// A case or an item of evidence that is queued for deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// What.
    pub what: Matter,
    /// From when on it is deleted.
    pub on: DateTime<Utc>,
    /// Why.
    pub why: Why,
}

/// What is left of a case or an item of evidence that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// When.
    pub at: DateTime<Utc>,
    /// The record that says so, with who wanted it and why.
    pub record: u64,
}

/// Bytes that nothing names any more and that are still to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    /// Bytes.
    pub size: u64,
    /// Where they lie.
    pub place: Place,
}

/// What evidence or a case is labelled with, beside its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// What it was where it comes from.
    pub from: Field,
}

/// A file of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Names it everywhere.
    pub blake3: Digest,
    /// As its source signed it, or as this node computed it.
    pub sha256: Sha256,
    /// What it is to its evidence.
    pub kind: FileKind,
    /// Its media type; empty where its name does not say.
    pub format: String,
}

/// A file of evidence with its watermark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// What the watermark says.
    pub text: String,
    /// What became of it.
    pub watermark: Watermark,
}

impl File {
    /// As it is told to a partner.
    pub fn told(self) -> evidence::File {
        evidence::File {
            name: self.name,
            size: self.size,
            blake3: self.blake3,
            sha256: self.sha256,
            kind: self.kind,
            format: self.format,
        }
    }

    /// As a partner told it.
    pub fn received(file: &evidence::File) -> Self {
        Self {
            name: file.name.clone(),
            size: file.size,
            blake3: file.blake3,
            sha256: file.sha256,
            kind: file.kind,
            format: file.format.clone(),
        }
    }
}

/// A blob that this node holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Bytes.
    pub size: u64,
    /// Where it lies.
    pub place: Place,
    /// As its source says, or as computed here.
    pub sha256: Sha256,
    /// How it stands.
    pub state: BlobState,
    /// How many files are it.
    pub uses: u64,
}

/// How it stands with a blob's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobState {
    /// BLAKE3 was verified.
    Stored,
    /// SHA-256 was computed or compared, too.
    Compared,
    /// The bytes do not match.
    Damaged,
}
