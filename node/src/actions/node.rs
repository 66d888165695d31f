//! The node itself: how it stands, whether its blobs are whole, and its keys.

use chrono::{DateTime, Utc};
use interdocket_sync::identity::OrganisationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::partner::OrganisationRole;

/// Shows how the node stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Status {}

/// Checks everything that is stored: journal, database and every blob.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Check {}

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
    /// The program's version.
    pub version: String,
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
