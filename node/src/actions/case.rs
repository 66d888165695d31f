//! Cases: making, listing, showing, editing and closing them.

use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::OrganisationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes a case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Create {
    /// The number by which people know it, unique on this node.
    pub number: String,
    /// What it is about, on one line.
    #[serde(default)]
    pub title: String,
    /// What it is about, at length.
    #[serde(default)]
    pub description: String,
}

/// Lists cases, newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows a case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// Its id or number.
    pub case: String,
}

/// Changes number, title or description of a case; what is left out stays.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// Its id or number.
    pub case: String,
    /// The new number.
    #[serde(default)]
    pub number: Option<String>,
    /// The new title.
    #[serde(default)]
    pub title: Option<String>,
    /// The new description.
    #[serde(default)]
    pub description: Option<String>,
}

/// Closes a case: nothing is added to it any more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Close {
    /// Its id or number.
    pub case: String,
}

/// A case as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// Its id on this node.
    #[schemars(with = "uuid::Uuid")]
    pub id: CaseId,
    /// The number by which people know it.
    pub number: String,
    /// What it is about, on one line.
    pub title: String,
    /// What it is about, at length.
    pub description: String,
    /// Whether it is open or closed.
    pub state: State,
    /// When it was made on this node.
    pub created_at: DateTime<Utc>,
    /// How many items of evidence it has.
    pub evidence: u64,
    /// How many bytes their files have.
    pub bytes: u64,
    /// From whom it was received, where it was.
    pub origin: Option<Origin>,
}

/// Whether a case takes evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Evidence can be added.
    Open,
    /// Nothing is added any more.
    Closed,
}

/// From whom a case or evidence was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The organisation that shared it.
    #[schemars(with = "String")]
    pub organisation: OrganisationId,
    /// The share by which it came.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Its id there.
    pub id: uuid::Uuid,
}

/// A page of cases.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The cases.
    pub cases: Vec<Case>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}
