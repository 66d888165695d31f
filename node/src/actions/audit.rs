//! The audit: the journal as people read it, and its verification.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shows records of the journal, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// Only those about this case, by number, partner or user, by name, or anything by its id.
    #[serde(default)]
    pub about: Option<String>,
    /// Continue after this record.
    #[serde(default)]
    pub after: Option<u64>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Verifies the whole journal: every chain, every seal, every body.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Verify {}

/// A record of the journal as people read it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Its number, from 1, without gaps.
    pub number: u64,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// Who decided.
    pub actor: Option<super::Actor>,
    /// By which way the request came.
    pub way: Option<super::Way>,
    /// What happened: the event's name.
    pub event: String,
    /// The event with the values of that moment; none where it was erased, is damaged or withheld.
    pub details: Option<serde_json::Value>,
    /// Whether the body is whole, erased, damaged or withheld.
    pub body: BodyState,
}

/// How it stands with a record's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyState {
    /// It can be read and matches its commitment.
    Whole,
    /// Its key was destroyed.
    Erased,
    /// It does not match its commitment.
    Damaged,
    /// It is confidential activity, which this caller may not see.
    Confidential,
}

/// A page of records.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// Continue after this record; none after the last.
    pub next: Option<u64>,
}

/// What verifying the journal found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// How many records there are.
    pub records: u64,
    /// SHA-256 of the chain, in hexadecimal digits.
    pub head: String,
    /// How many bodies were erased by destroying their keys.
    pub erased: u64,
    /// What is damaged, one line each; empty where nothing is.
    pub damaged: Vec<String>,
}
