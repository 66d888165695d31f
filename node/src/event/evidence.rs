//! What is said of evidence, by people and by those who look at it.

use std::collections::BTreeMap;

use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::copy::Field;
use interdocket_sync::evidence::{File, FileKind};
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use serde::{Deserialize, Serialize};

use super::Matter;
use crate::actions::evidence::{MarkerKind, Purpose};

/// Evidence was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceAdded {
    /// Its id.
    pub id: EvidenceId,
    /// The case that it is in first.
    pub case: CaseId,
    /// What it is.
    pub title: String,
    /// The folder inside that case.
    pub folder: String,
    /// Its file.
    pub file: AddedFile,
}

/// Evidence is in a case from now on, or lies in another folder of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceIncluded {
    /// The evidence.
    pub evidence: EvidenceId,
    /// The case.
    pub case: CaseId,
    /// The folder inside the case.
    pub folder: String,
}

/// Evidence is not in a case any more; it is in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceExcluded {
    /// The evidence.
    pub evidence: EvidenceId,
    /// The case.
    pub case: CaseId,
    /// Whether that is because the case is being deleted.
    pub deleted: bool,
}

/// Evidence was described anew: the values from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceEdited {
    /// Its id.
    pub id: EvidenceId,
    /// What it is.
    pub title: String,
    /// Fields that have another value, or none any more.
    #[serde(default)]
    pub fields: BTreeMap<Field, Option<String>>,
}

/// What evidence or a case is labelled with was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsChanged {
    /// The case or the evidence.
    pub what: Matter,
    /// Tags, categories or custom metadata.
    pub kind: Field,
    /// What it has from now on.
    pub added: Vec<String>,
    /// What it has not any more.
    pub removed: Vec<String>,
}

/// A file was added to evidence that was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAttached {
    /// The evidence.
    pub evidence: EvidenceId,
    /// The file.
    pub file: AddedFile,
}

/// A file that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedFile {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Names it everywhere.
    pub blake3: Digest,
    /// From the same pass.
    pub sha256: Sha256,
    /// What it is to its evidence.
    #[serde(default)]
    pub kind: FileKind,
    /// Its media type; empty where its name does not say.
    #[serde(default)]
    pub format: String,
}

impl AddedFile {
    /// As it is told to others.
    pub fn told(self) -> File {
        File {
            name: self.name,
            size: self.size,
            blake3: self.blake3,
            sha256: self.sha256,
            kind: self.kind,
            format: self.format,
        }
    }
}

/// A file of evidence was opened for reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceOpened {
    /// The evidence.
    pub evidence: EvidenceId,
    /// Which of its files.
    pub file: u32,
    /// The file's digest.
    pub blake3: Digest,
    /// What for.
    #[serde(default)]
    pub purpose: Purpose,
    /// Whether only who may see confidential activity is shown it.
    #[serde(default)]
    pub confidential: bool,
}

/// Somebody looked at what is said of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceViewed {
    /// The evidence.
    pub evidence: EvidenceId,
    /// Whether only who may see confidential activity is shown it.
    pub confidential: bool,
}

/// Something was noted of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteAdded {
    /// The evidence.
    pub evidence: EvidenceId,
    /// What.
    pub text: String,
}

/// A place in evidence was marked, or is not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkerSet {
    /// The evidence.
    pub evidence: EvidenceId,
    /// How far into the recording it is, in milliseconds.
    pub position: u64,
    /// What is there; no two markers of a place say the same.
    pub title: String,
    /// Who or what marked it.
    pub kind: MarkerKind,
}

/// What goes along with items of a share beside their own files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentsMade {
    /// The share.
    pub share: ShareId,
    /// The evidence, and the files that were made of what is said of it.
    pub items: Vec<(EvidenceId, Vec<AddedFile>)>,
}

/// The watermark of a file that was received was drawn into a rendition, or can't be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenditionMade {
    /// The evidence.
    pub evidence: EvidenceId,
    /// Which of its files.
    pub file: u32,
    /// What the watermark says.
    pub text: String,
    /// What became of it.
    pub watermark: Watermark,
}

/// What became of a watermark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watermark {
    /// It is in the picture of this file.
    Drawn(AddedFile),
    /// There is no program that draws.
    Unavailable,
    /// The program could not draw it into this file.
    Failed,
}
