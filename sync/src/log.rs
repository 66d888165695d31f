//! The two logs of a share: append-only, one writer each, chained by hash, each entry with the other
//! log's place as its writer last saw it.
//!
//! What entries mean for a share is in [`crate::share`]; here they are only chained, signed and read.

pub mod entry;
pub mod head;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// Which of a share's two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Says what the owner discloses.
    Owner,
    /// Says what became of it.
    Partner,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Owner => Self::Partner,
            Self::Partner => Self::Owner,
        }
    }
}

/// A place in a log: how many entries, and the hash of the last of them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// How many entries.
    pub count: u64,
    /// The hash of the last of them; zeroes before the first.
    #[serde(with = "crate::hex")]
    pub hash: [u8; 32],
}

impl std::fmt::Debug for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.count)?;
        crate::hex::write(&self.hash[..4], f)
    }
}
