//! Evidence as one organisation describes it to another.
//!
//! Where its bytes are, and what a node knows of it beyond that, is not here.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::blob::{Digest, MAX_SIZE, Sha256};
use crate::id::EvidenceId;
use crate::limits;
use crate::metadata::{Metadata, Value};
use crate::refusal::Refusal;
use crate::wire;

/// One item of evidence with its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its id at its owner.
    pub evidence: EvidenceId,
    /// What it is, on one line.
    pub title: String,
    /// The folder inside the case, parts separated by `/`; empty for the top.
    pub folder: String,
    /// When its owner took it in.
    pub added_at: DateTime<Utc>,
    /// Who added it, as the owner says.
    pub added_by: Value,
    /// What else is said of it.
    pub metadata: Metadata,
    /// Its files, at least one.
    pub files: Vec<File>,
}

/// One file of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name; data, never a path.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Names it everywhere.
    pub blake3: Digest,
    /// From the pass that first took it in.
    pub sha256: Sha256,
    /// What it is to its item.
    pub kind: FileKind,
    /// Its media type, as its name has it; empty where that says nothing.
    pub format: String,
}

/// What a file is to its item of evidence.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// The evidence itself.
    #[default]
    Original,
    /// Where the device was while it recorded.
    GpsTrack,
    /// What is said in it.
    Transcript,
    /// What was done with it at its source.
    AuditTrail,
    /// What people noted at its source.
    Notes,
    /// Places in it that were marked at its source.
    Markers,
}

impl Item {
    /// Holds an item to the bounds.
    ///
    /// # Errors
    /// [`Refusal::Limit`] over a bound; [`Refusal::Malformed`] without a file, with an empty name, or at a
    /// time that the wire cannot carry.
    pub fn check(&self) -> Result<(), Refusal> {
        let texts = [
            (self.title.len(), limits::TITLE_MAX),
            (self.folder.len(), limits::FOLDER_MAX),
            (self.added_by.text.len(), limits::ADDED_BY_MAX),
        ];
        if texts.iter().any(|(len, max)| len > max) {
            return Err(Refusal::Limit);
        }
        if self.files.iter().any(|file| file.name.is_empty()) {
            return Err(Refusal::Malformed);
        }
        if wire::time(self.added_at.timestamp_micros()).is_err() {
            return Err(Refusal::Malformed);
        }
        let over = |file: &File| {
            file.name.len() > limits::NAME_MAX || file.format.len() > limits::FORMAT_MAX
        };
        if self.files.iter().any(over) {
            return Err(Refusal::Limit);
        }
        self.check_files()?;
        self.metadata.check()
    }

    /// Holds an item to the bounds of what is said without its texts.
    ///
    /// # Errors
    /// [`Refusal::Limit`] over a bound; [`Refusal::Malformed`] without a file.
    pub fn check_files(&self) -> Result<(), Refusal> {
        if self.files.is_empty() {
            return Err(Refusal::Malformed);
        }
        let large = self.files.iter().any(|file| file.size > MAX_SIZE);
        if large || self.files.len() > limits::ITEM_FILES_MAX {
            return Err(Refusal::Limit);
        }
        Ok(())
    }

    /// An item of which nothing is told but its files.
    pub fn outline(evidence: EvidenceId, files: Vec<File>) -> Self {
        Self {
            evidence,
            title: String::new(),
            folder: String::new(),
            added_at: DateTime::UNIX_EPOCH,
            added_by: Value::default(),
            metadata: Metadata::default(),
            files,
        }
    }

    /// Without title, folder, names, times and metadata.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let file = |file: &File| File {
            name: String::new(),
            format: String::new(),
            ..file.clone()
        };
        Self::outline(self.evidence, self.files.iter().map(file).collect())
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        let add = |sum: u64, file: &File| sum.saturating_add(file.size);
        self.files.iter().fold(0, add)
    }
}
