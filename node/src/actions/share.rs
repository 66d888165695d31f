//! Shares: sending copies to partners, adding to them, ending and cancelling them.

use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::partner::Kind;

/// Shares a copy of a case, or of part of it, with a partner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Copy {
    /// The case's id or number.
    pub case: String,
    /// The partner's name or id.
    pub partner: String,
    /// Only these items of evidence; the entire case where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// Only what lies in these folders or below; the entire case where empty.
    #[serde(default)]
    pub folders: Vec<String>,
    /// The people there who should have it, as the partner knows them.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// A message to them.
    #[serde(default)]
    pub message: String,
}

/// Lists shares, newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Only those of this case, by id or number.
    #[serde(default)]
    pub case: Option<String>,
    /// Only those with this partner, by name or id.
    #[serde(default)]
    pub partner: Option<String>,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows a share, with its receipts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// Updates a copy with evidence that was added since: only additions, never changes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Only these items; everything that the case has and the share has not where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
}

/// Ends a copy: no updates any more. What the partner has stays the partner's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// Cancels a copy that is under way: nothing more is sent. What the partner already held whole when
/// the cancellation reached it stays the partner's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// A share as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// Its id, the same at both nodes.
    #[schemars(with = "uuid::Uuid")]
    pub id: ShareId,
    /// What kind it is.
    pub kind: Kind,
    /// Whether this node owns what is shared.
    pub direction: Direction,
    /// The other organisation.
    #[schemars(with = "String")]
    pub partner: OrganisationId,
    /// The name it has here.
    pub partner_name: String,
    /// The case here: the shared one, or the one that it became.
    #[schemars(with = "uuid::Uuid")]
    pub case: CaseId,
    /// The case's number here.
    pub case_number: String,
    /// How it stands.
    pub status: Status,
    /// When it was offered.
    pub offered_at: DateTime<Utc>,
    /// The people who should have it.
    pub recipients: Vec<String>,
    /// The message to them.
    pub message: String,
    /// What was disclosed so far.
    pub listed: Totals,
    /// What the partner holds, by its own signed statement.
    pub stored: Totals,
    /// How many changes wait to reach the other side.
    pub behind: u64,
    /// Since when the oldest of them waits.
    pub behind_since: Option<DateTime<Utc>>,
    /// The newest receipts: only in `share.show`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
}

/// Whether this node owns what is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// This node shares.
    Sent,
    /// The partner shares.
    Received,
}

/// How a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Something is still to be delivered.
    Processing,
    /// The partner has stated that it holds everything.
    Complete,
    /// Cancelled by the owner while under way.
    Cancelled,
    /// No updates any more.
    Ended,
    /// Refused by the partner.
    Declined,
    /// Two histories for one place were shown: nothing moves until people have looked at it.
    Frozen,
    /// The partner is newer: waits for an upgrade of this node.
    Paused,
}

/// How much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Items of evidence.
    pub evidence: u64,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A countersigned head: proof that the reader of a log holds it, durable, up to there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Whose log: `owner` or `partner`.
    pub log: String,
    /// Up to which entry.
    pub count: u64,
    /// SHA-256 of the chain there, in hexadecimal digits.
    pub hash: String,
    /// When the writer signed it.
    pub signed_at: DateTime<Utc>,
    /// When the reader countersigned it.
    pub countersigned_at: DateTime<Utc>,
    /// The receipt itself with its certificates, for checking elsewhere: base64.
    pub receipt: String,
}

/// A page of shares.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The shares.
    pub shares: Vec<Share>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}
