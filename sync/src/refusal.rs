//! Why a node does not do what its partner asked: a closed set, with whose fault it is and what
//! follows.
//!
//! No refusal carries text, a name or an id. What the asked node knows beyond that stays in its own
//! journal and logs.

use serde::{Deserialize, Serialize};

/// Why a node does not do what its partner asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not now: full, starting or stopping.
    #[error("the partner's node cannot take it now")]
    Busy,
    /// The bytes are damaged at the asked node, or missing.
    #[error("the bytes are damaged at the partner")]
    Damaged,
    /// Two histories for one place.
    #[error("two histories of the share exist: it is frozen")]
    Fork,
    /// No format is known to both nodes.
    #[error("no format is known to both nodes")]
    Format,
    /// The share is frozen.
    #[error("the share is frozen at the partner")]
    Frozen,
    /// The entries do not continue the log as it is held there.
    #[error("the entries do not continue the log: entry {expected} is expected next")]
    Gap {
        /// The number of the entry that is expected next.
        expected: u64,
    },
    /// The log goes on under a later incarnation, or is to be recovered first.
    #[error("the log goes on under a later incarnation of the node")]
    Incarnation,
    /// Larger or more than a limit allows.
    #[error("it is over a limit")]
    Limit,
    /// It cannot be read, or contradicts itself.
    #[error("it cannot be read or contradicts itself")]
    Malformed,
    /// A critical entry of an unknown type.
    #[error("the partner's node does not know this type of entry yet")]
    Newer,
    /// This kind of share is not enabled in this direction, or a feature that it needs is not.
    #[error("the partner has not enabled this kind of share")]
    NotEnabled,
    /// Nothing by that name is shared with the one who asks.
    #[error("nothing by that name is shared")]
    NotShared,
    /// The signature or the certificates behind it do not hold.
    #[error("a signature does not hold")]
    Signature,
    /// The entry does not fit the state of the share.
    #[error("it does not fit the state of the share")]
    State,
    /// The one who asks is suspended.
    #[error("the partner has suspended this organisation")]
    Suspended,
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody's: what was asked is not allowed, or not now.
    Nobody,
    /// The asked node's.
    Asked,
    /// The asking node's: an honest one never does that.
    Asking,
}

/// What follows from a refusal at the node that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// Go on from the entry that is expected.
    Continue,
    /// Try again later by itself.
    Retry,
    /// Wait until a person changes something at either side.
    Wait,
}

impl Refusal {
    /// Every refusal, for exhaustive checks; the expected number is 1.
    pub const ALL: [Self; 15] = [
        Self::Busy,
        Self::Damaged,
        Self::Fork,
        Self::Format,
        Self::Frozen,
        Self::Gap { expected: 1 },
        Self::Incarnation,
        Self::Limit,
        Self::Malformed,
        Self::Newer,
        Self::NotEnabled,
        Self::NotShared,
        Self::Signature,
        Self::State,
        Self::Suspended,
    ];

    /// Whose fault it is.
    pub const fn fault(self) -> Fault {
        match self {
            Self::Damaged => Fault::Asked,
            Self::Fork | Self::Limit | Self::Malformed | Self::Signature | Self::State => {
                Fault::Asking
            }
            Self::Busy
            | Self::Format
            | Self::Frozen
            | Self::Gap { .. }
            | Self::Incarnation
            | Self::Newer
            | Self::NotEnabled
            | Self::NotShared
            | Self::Suspended => Fault::Nobody,
        }
    }

    /// What follows at the node that was refused.
    pub const fn consequence(self) -> Consequence {
        match self {
            Self::Gap { .. } => Consequence::Continue,
            Self::Busy | Self::Damaged => Consequence::Retry,
            Self::Fork
            | Self::Format
            | Self::Frozen
            | Self::Incarnation
            | Self::Limit
            | Self::Malformed
            | Self::Newer
            | Self::NotEnabled
            | Self::NotShared
            | Self::Signature
            | Self::State
            | Self::Suspended => Consequence::Wait,
        }
    }

    /// A short name, for metrics and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Damaged => "damaged",
            Self::Fork => "fork",
            Self::Format => "format",
            Self::Frozen => "frozen",
            Self::Gap { .. } => "gap",
            Self::Incarnation => "incarnation",
            Self::Limit => "limit",
            Self::Malformed => "malformed",
            Self::Newer => "newer",
            Self::NotEnabled => "not_enabled",
            Self::NotShared => "not_shared",
            Self::Signature => "signature",
            Self::State => "state",
            Self::Suspended => "suspended",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_refusal_says_whose_fault_it_is_and_what_follows() {
        for refusal in Refusal::ALL {
            let (fault, consequence) = (refusal.fault(), refusal.consequence());
            // What an honest node never does is not done again by itself.
            if fault == Fault::Asking {
                assert_eq!(consequence, Consequence::Wait, "{refusal:?}");
            }
            if fault == Fault::Asked {
                assert_eq!(consequence, Consequence::Retry, "{refusal:?}");
            }
        }
    }

    #[test]
    fn every_refusal_has_a_name_and_a_phrase_of_its_own() {
        let names = Refusal::ALL.map(Refusal::name);
        assert_eq!(BTreeSet::from(names).len(), names.len());
        let phrases = Refusal::ALL.map(|refusal| refusal.to_string());
        for phrase in &phrases {
            assert!(phrase.starts_with(char::is_lowercase) && !phrase.ends_with('.'));
        }
        assert_eq!(phrases.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
