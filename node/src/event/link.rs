//! Download links, and what was downloaded with them. By ids, digests and addresses alone: who was given what outlives
//! what it was.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::{CaseId, EvidenceId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::AddedFile;
use crate::actions::link::LinkId;
use crate::actions::share::Attachment;

/// A download link was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkMade {
    /// Its id, which opens nothing.
    pub link: LinkId,
    /// The case.
    pub case: CaseId,
    /// The case's number at that moment.
    pub number: String,
    /// SHA-256 of its token: nobody has the token of this.
    pub hash: Sha256,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
    /// How often it may be used; as often as one likes where none.
    pub downloads: Option<u32>,
    /// What goes along with the evidence.
    pub attachments: BTreeSet<Attachment>,
    /// How many files its package has.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// Files were put into the package of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFilled {
    /// The link.
    pub link: LinkId,
    /// The case.
    pub case: CaseId,
    /// Which files: each under a number of its own, which is where it stands among all.
    pub files: Vec<(u32, LinkedFile)>,
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedFile {
    /// The evidence that it belongs to.
    pub evidence: EvidenceId,
    /// What it is.
    pub what: Linked,
}

/// What a file of a package is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Linked {
    /// One of the evidence's own: its place there, and its bytes.
    Own(u32, Digest),
    /// The rendition of one of these, with its watermark.
    Drawn(u32, Digest),
    /// What was made of what is said of the evidence.
    Made(AddedFile),
}

/// A download link was revoked: it opens nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRevoked {
    /// The link.
    pub link: LinkId,
    /// The case.
    pub case: CaseId,
}

/// Somebody begins to download the package of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadBegun {
    /// Names it on record.
    pub download: Uuid,
    /// The link.
    pub link: LinkId,
    /// The case.
    pub case: CaseId,
    /// From which address, where it came over a network.
    pub from: Option<IpAddr>,
    /// From which byte of the package on.
    pub start: u64,
}

/// A download is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadEnded {
    /// Which.
    pub download: Uuid,
    /// The link.
    pub link: LinkId,
    /// The case.
    pub case: CaseId,
    /// Bytes that were handed to the transport; none where the node was stopped before it could say.
    pub bytes: Option<u64>,
    /// Why.
    pub reason: DownloadEnd,
}

/// Why a download is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadEnd {
    /// All that was asked for was handed over.
    Complete,
    /// Whoever downloaded it went away, or did not read.
    Gone,
    /// It was not allowed any more: the link was revoked, its time was over, or a file was deleted.
    Stopped,
    /// A file is damaged, or can't be read.
    Damaged,
    /// The node was stopped.
    Interrupted,
}
