//! What events say of how long things are kept, and of what was deleted. All of it lies under the node's own key
//! and names what it is about by ids: it is what is left when that is gone.

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::Actor;
use crate::actions::case::Origin;

/// A retention policy was added, or is another from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionSet {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// For how many days evidence is kept.
    pub days: u32,
}

/// A case got a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseNumbered {
    /// The case.
    pub case: CaseId,
    /// The number that it had before, if it had one.
    pub before: Option<String>,
    /// The number by which people know it from now on.
    pub number: String,
}

/// A case got another retention policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRetained {
    /// The case.
    pub case: CaseId,
    /// The policy; none where it is kept until it is deleted by hand.
    pub policy: Option<Uuid>,
}

/// A case, or one item of evidence: what is put on hold, deleted or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// A case.
    Case(CaseId),
    /// Evidence, in whatever cases it is.
    Evidence(EvidenceId),
}

/// Something was put on legal hold, released from it, or taken back from being deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoned {
    /// What.
    pub what: Matter,
    /// Why, as somebody wrote.
    pub reason: String,
}

/// Something was queued for deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionQueued {
    /// What.
    pub what: Matter,
    /// From when on it is deleted.
    pub on: DateTime<Utc>,
    /// Why.
    pub why: Why,
}

/// Why something is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The retention policies of all its cases say so.
    Retention,
    /// Somebody wants it deleted.
    Asked {
        /// Who.
        by: Option<Actor>,
        /// Why, as they wrote.
        reason: String,
    },
}

/// An item of evidence is gone; its key and its bytes are destroyed next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceErased {
    /// Its id.
    pub evidence: EvidenceId,
    /// The cases that it was in, also those that it had been taken out of.
    pub cases: Vec<CaseId>,
    /// From whom it was received.
    pub origin: Option<Origin>,
    /// All shares that brought it.
    pub brought: Vec<ShareId>,
    /// Its files.
    pub files: Vec<ErasedFile>,
    /// Why.
    pub why: Why,
}

/// A file of evidence that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedFile {
    /// Names its bytes.
    pub blake3: Digest,
    /// Whether nothing else here has the same bytes: they are deleted.
    pub last: bool,
}

/// Items that a share listed and that are no evidence here, or not any more, are to be forgotten with their case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemsErased {
    /// The share.
    pub share: ShareId,
    /// The items, by their ids at the owner.
    pub items: Vec<EvidenceId>,
}

/// A case is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseErased {
    /// Its id.
    pub case: CaseId,
    /// The number by which people knew it.
    pub number: String,
    /// The advanced share that it was imported by.
    pub import: Option<ShareId>,
    /// Why.
    pub why: Why,
}

/// Keys and bytes of what was erased are destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureDone {
    /// Of what the keys were.
    pub keys: Vec<Uuid>,
    /// The bytes.
    pub blobs: Vec<Digest>,
}
