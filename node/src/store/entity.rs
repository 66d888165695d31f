//! What the tables hold: the present state, as far as it follows from the journal.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::CaseId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::share::Header;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::case::Origin;
use crate::actions::partner::{Kind, OrganisationRole, State};
use crate::actions::user::Role;
use crate::blobs::Place;
use crate::event::Bytes;

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
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// When the user was added.
    pub added_at: DateTime<Utc>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its holder.
    pub user: Uuid,
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
    /// Its root's certificate, DER.
    pub root: Bytes,
    /// Where it can be dialled.
    pub address: Option<String>,
    /// The words to compare, until they are confirmed.
    pub words: Vec<String>,
    /// What may be sent to it.
    pub send: BTreeSet<Kind>,
    /// What may come from it.
    pub receive: BTreeSet<Kind>,
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
    /// Items of evidence.
    pub evidence: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// From whom it was received.
    pub origin: Option<Origin>,
}

/// An item of evidence, but for its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The case.
    pub case: CaseId,
    /// What it is.
    pub title: String,
    /// The folder inside the case.
    pub folder: String,
    /// When this node took it in.
    pub added_at: DateTime<Utc>,
    /// Who added it.
    pub added_by: String,
    /// How many files it has.
    pub files: u32,
    /// From whom it was received.
    pub origin: Option<Origin>,
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

/// A share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// What both logs say.
    pub header: Header,
    /// The case here.
    pub case: CaseId,
    /// The people who should have it.
    pub recipients: Vec<String>,
    /// The message to them.
    pub message: String,
    /// When it was offered.
    pub offered_at: DateTime<Utc>,
    /// The record with the signed terms.
    pub made: u64,
    /// Items that wait to be disclosed.
    pub waiting: u64,
    /// Since when the oldest change waits.
    pub behind_since: Option<DateTime<Utc>>,
    /// Items that this node, the partner, still wants.
    pub wanted: u64,
}
