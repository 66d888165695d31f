//! What the tables hold of download links.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Sha256;
use interdocket_sync::id::CaseId;
use serde::{Deserialize, Serialize};

use crate::actions::Actor;
use crate::actions::link::LinkId;
use crate::actions::share::Attachment;

/// A download link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The case.
    pub case: CaseId,
    /// The case's number when it was made.
    pub number: String,
    /// SHA-256 of its token.
    pub hash: Sha256,
    /// Who made it, with the values of that moment.
    pub made_by: Option<Actor>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
    /// When it was revoked; nothing where it was not.
    pub revoked_at: Option<DateTime<Utc>>,
    /// How often it may be used; as often as one likes where none.
    pub most: Option<u32>,
    /// How many downloads were begun.
    pub downloads: u32,
    /// What goes along with the evidence.
    pub attachments: BTreeSet<Attachment>,
    /// How many files its package had when it was made.
    pub files: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

/// A download that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// The link.
    pub link: LinkId,
    /// The case.
    pub case: CaseId,
}
