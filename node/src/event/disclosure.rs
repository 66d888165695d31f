//! What is said of what was disclosed to guests: which items to whom is known by ids, and outlives them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::Item;
use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::log::entry::CaseInfo;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::disclosure::DisclosureId;
use crate::actions::evidence::Purpose;
use crate::actions::share::{Attachment, Scope};

/// Something of a case is for guests from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisclosureMade {
    /// Its id.
    pub disclosure: DisclosureId,
    /// The case.
    pub case: CaseId,
    /// The guests.
    pub guests: Vec<Uuid>,
    /// What was chosen of the case.
    pub scope: Scope,
    /// What goes along with its evidence.
    pub attachments: BTreeSet<Attachment>,
    /// Until when it can be read.
    pub until: Option<DateTime<Utc>>,
}

/// What a disclosure says of its case, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseDisclosed {
    /// The disclosure.
    pub disclosure: DisclosureId,
    /// The case.
    pub case: CaseId,
    /// What is said of it.
    pub info: CaseInfo,
    /// A message to the guests.
    pub message: String,
}

/// Evidence is in a disclosure from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisclosureWidened {
    /// The disclosure.
    pub disclosure: DisclosureId,
    /// The case.
    pub case: CaseId,
    /// The items.
    pub evidence: Vec<EvidenceId>,
}

/// What a disclosure says of an item of evidence, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceDisclosed {
    /// The disclosure.
    pub disclosure: DisclosureId,
    /// The case.
    pub case: CaseId,
    /// The item, with the files that guests read.
    pub item: Item,
    /// What is shown beside files whose watermark was not drawn.
    pub watermarks: BTreeMap<u32, String>,
    /// Those of its files, all at the end, that were made to go along with it.
    pub made: Vec<Digest>,
}

/// A guest looked at what was disclosed to them, or the disclosure is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosed {
    /// The disclosure.
    pub disclosure: DisclosureId,
    /// The case.
    pub case: CaseId,
}

/// A guest opened a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisclosureOpened {
    /// The disclosure.
    pub disclosure: DisclosureId,
    /// The case.
    pub case: CaseId,
    /// The evidence.
    pub evidence: EvidenceId,
    /// Which of the files that were disclosed of it.
    pub file: u32,
    /// The file's digest.
    pub blake3: Digest,
    /// What for.
    pub purpose: Purpose,
}
