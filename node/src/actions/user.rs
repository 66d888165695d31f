//! Users: who may ask this node for something, and the tokens that prove it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Adds a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The name, unique on this node.
    pub name: String,
    /// What the user may do.
    pub role: Role,
}

/// Lists users.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// Makes a token for a user. It is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// The user's name.
    pub user: String,
    /// After how many days it stops being valid, 1 to 365; 90 where left out.
    #[serde(default)]
    pub days: Option<u32>,
}

/// What a user may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Cases, evidence and shares.
    Investigator,
    /// Reading, and the audit.
    Auditor,
}

/// A user as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Stays the same for as long as the user exists.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// When the user was added.
    pub added_at: DateTime<Utc>,
}

/// All users.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Users {
    /// By name.
    pub users: Vec<User>,
}

/// A token, shown once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Issued {
    /// What the caller sends as `Authorization: Bearer ...`.
    pub token: String,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}
