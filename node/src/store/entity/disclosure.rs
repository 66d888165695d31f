//! What was disclosed to guests. What is said of it lies in the journal only, where it can be erased.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::id::CaseId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::Actor;
use crate::actions::share::{Attachment, Scope};

/// A disclosure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosure {
    /// The case.
    pub case: CaseId,
    /// Who made it, with the values of that moment.
    pub by: Option<Actor>,
    /// When.
    pub made_at: DateTime<Utc>,
    /// The guests.
    pub guests: Vec<Uuid>,
    /// What was chosen of the case.
    pub scope: Scope,
    /// What goes along with its evidence.
    pub attachments: BTreeSet<Attachment>,
    /// Until when it can be read.
    pub until: Option<DateTime<Utc>>,
    /// When it was ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The record with what it says of the case; none once the case was deleted.
    pub said: Option<u64>,
    /// How many items were disclosed.
    pub evidence: u64,
    /// How many of them were deleted since.
    pub deleted: u64,
}

impl Disclosure {
    /// Whether its time is up.
    pub fn expired(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// An item of a disclosure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosed {
    /// The record with what is said of it, and its files; none once it was deleted.
    pub record: Option<u64>,
    /// Those of its files that were made to go along with it.
    pub made: Vec<Digest>,
}
