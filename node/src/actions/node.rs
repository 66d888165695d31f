//! The node itself: how it stands, whether its blobs are whole, and its keys.

use chrono::{DateTime, Utc};
use interdocket_sync::identity::OrganisationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{Context, Decided, Effect};
use super::partner::OrganisationRole;
use super::{Change, Error};
use crate::event::Event;
use crate::features::Features;

/// Shows how the node stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Status {}

/// Checks everything that is stored: journal, database and every blob.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Check {}

/// Confirms that the machine's clock is right now, after it jumped: what depends on time goes on.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmClock {}

/// The time that an administrator confirmed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// What the clock said.
    pub at: DateTime<Utc>,
}

impl Change for ConfirmClock {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Confirmed>, Error> {
        let at = context.now;
        if context.node()?.suspect.is_none() {
            return Ok(Decided::new(Vec::new(), move |_| Ok(Confirmed { at })));
        }
        let events = vec![Event::ClockConfirmed(at)];
        // What waited for the clock goes on, at both sides.
        Decided::new(events, move |_| Ok(Confirmed { at }))
            .then(Effect::Recheck)
            .greeting(&context.view)
    }
}

/// Backs the node up into a folder on its machine, beside what is there already.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// The folder, as an absolute path; it is made where it does not exist.
    pub folder: std::path::PathBuf,
    /// Whether to compare what is there already with its digests as well, and to write anew what is damaged.
    #[serde(default)]
    pub verify: bool,
}

/// A backup that was made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BackedUp {
    /// How many records of the journal it holds.
    pub records: u64,
    /// SHA-256 of the journal's chain up to there, in hexadecimal digits.
    pub head: String,
    /// How many files of the node it holds.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many bytes were not there from the backup before.
    pub copied: u64,
    /// What could not be read or is damaged, one line each; empty where the backup is whole.
    pub problems: Vec<String>,
}

/// How a node stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// The organisation's id.
    #[schemars(with = "String")]
    pub organisation: OrganisationId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: OrganisationRole,
    /// What it takes part in.
    pub features: Features,
    /// The program's version.
    pub version: String,
    /// What the clock should have said when it was last found to be wrong; nothing where it is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_suspect: Option<DateTime<Utc>>,
    /// The disk that evidence is stored on.
    pub storage: Storage,
    /// How many records the journal has.
    pub records: u64,
    /// SHA-256 of the journal's chain, in hexadecimal digits.
    pub head: String,
    /// Where partners dial.
    pub federation: String,
    /// Where pairing happens.
    pub pairing: String,
    /// Where the API is served.
    pub api: String,
    /// When its operational certificate stops being valid.
    pub operational_expires_at: DateTime<Utc>,
    /// When its TLS certificate stops being valid; it is renewed before.
    pub tls_expires_at: DateTime<Utc>,
}

/// How full the disk is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Storage {
    /// What is free, in bytes.
    pub free_bytes: u64,
    /// What is left free, in bytes: intake is paused below it.
    pub reserve_bytes: u64,
    /// The most that was to be taken in and still finds no room, in bytes; 0 where nothing waits for space.
    #[serde(default)]
    pub refused_bytes: u64,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// Records of the journal that were read.
    pub records: u64,
    /// Blobs whose bytes were read and hashed.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What lies on the disk and no record names.
    #[serde(default)]
    pub unrecorded: Unrecorded,
    /// What is wrong, one line each; empty where nothing is.
    pub problems: Vec<String>,
}

/// What lies on the disk and no record names: left by a crash, harmless, and never served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unrecorded {
    /// How many blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}
