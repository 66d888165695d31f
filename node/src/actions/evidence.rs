//! Evidence: taking files in, listing, showing and reading them.

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::{CaseId, EvidenceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::case::Origin;

/// Adds one file that lies on the node's machine to a case, as one item of evidence. Only over the
/// local socket; elsewhere a file is sent as the body of the request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The case's id or number.
    pub case: String,
    /// The file.
    pub path: std::path::PathBuf,
    /// The name it gets; the file's own where left out.
    #[serde(default)]
    pub name: Option<String>,
    /// The folder inside the case, parts separated by `/`; empty for the top.
    #[serde(default)]
    pub folder: String,
    /// What it is, on one line; the file's name where left out.
    #[serde(default)]
    pub title: Option<String>,
}

/// Adds the body of a request to a case, as one item of evidence with one file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Upload {
    /// The case's id or number.
    pub case: String,
    /// The file's name.
    pub name: String,
    /// The folder inside the case, parts separated by `/`; empty for the top.
    #[serde(default)]
    pub folder: String,
    /// What it is, on one line; the file's name where left out.
    #[serde(default)]
    pub title: Option<String>,
}

/// Lists the evidence of a case, in the order in which it was added.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// The case's id or number.
    pub case: String,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows one item of evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
}

/// Opens one file of evidence for reading; its bytes follow. Each opening is recorded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Get {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// Which of its files, from 0.
    #[serde(default)]
    pub file: u32,
}

/// One item of evidence as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Its id on this node.
    #[schemars(with = "uuid::Uuid")]
    pub id: EvidenceId,
    /// The case that it belongs to.
    #[schemars(with = "uuid::Uuid")]
    pub case: CaseId,
    /// What it is, on one line.
    pub title: String,
    /// The folder inside the case; empty for the top.
    pub folder: String,
    /// When this node took it in.
    pub added_at: DateTime<Utc>,
    /// Who added it; for what was received, as the sender's organisation says.
    pub added_by: String,
    /// Its files.
    pub files: Vec<File>,
    /// From whom it was received, where it was.
    pub origin: Option<Origin>,
}

/// One file of an item of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3, by which the file is named everywhere.
    #[schemars(with = "String")]
    pub blake3: Digest,
    /// SHA-256, from the pass that first took the file in.
    #[schemars(with = "String")]
    pub sha256: Sha256,
    /// How it stands with the bytes.
    pub state: FileState,
}

/// How it stands with the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Both digests were computed or compared on this node.
    Verified,
    /// BLAKE3 was verified; SHA-256 is about to be compared.
    Stored,
    /// The bytes on disk do not match; they are never served.
    Damaged,
}

/// A page of evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The evidence.
    pub evidence: Vec<Evidence>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}
