//! Repeated refusals become one record with a count.
//!
//! The first of its kind is recorded at once; those that follow within a minute are counted and
//! recorded together.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::event::Refused;

/// Counts refusals that repeat.
#[derive(Default)]
pub struct Refusals(Mutex<BTreeMap<Key, Seen>>);

type Key = (Option<[u8; 32]>, String, Option<[u8; 16]>, String);

struct Seen {
    since: DateTime<Utc>,
    repeated: u64,
    sample: Refused,
}

impl Refusals {
    /// Takes a refusal; gives back what is to be recorded now, if anything.
    pub fn take(&self, refused: Refused, now: DateTime<Utc>) -> Option<Refused> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = seen.get_mut(&key(&refused)) {
            before.repeated += 1;
            return None;
        }
        // Strangers can't make this grow: only callers who are known by name get here.
        seen.insert(key(&refused), Seen { since: now, repeated: 0, sample: refused.clone() });
        Some(refused)
    }

    /// What was repeated and is a minute old: one record each.
    pub fn due(&self, now: DateTime<Utc>) -> Vec<Refused> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        seen.retain(|_, seen| {
            if now - seen.since < TimeDelta::minutes(1) {
                return true;
            }
            if seen.repeated > 0 {
                due.push(Refused { count: seen.repeated, ..seen.sample.clone() });
            }
            false
        });
        due
    }
}

fn key(refused: &Refused) -> Key {
    (
        refused.partner.map(|partner| *partner.as_bytes()),
        refused.action.clone(),
        refused.share.map(|share| *share.as_bytes()),
        refused.reason.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: &str) -> Refused {
        Refused {
            partner: None,
            action: "share.copy".into(),
            share: None,
            reason: reason.into(),
            count: 1,
        }
    }

    #[test]
    fn repeated_refusals_are_one_record_with_a_count() {
        let refusals = Refusals::default();
        let start = DateTime::<Utc>::UNIX_EPOCH;
        assert!(refusals.take(refused("forbidden"), start).is_some());
        for _ in 0..5 {
            assert!(refusals.take(refused("forbidden"), start).is_none());
        }
        assert!(refusals.take(refused("other"), start).is_some());
        assert!(refusals.due(start + TimeDelta::seconds(59)).is_empty());
        let due = refusals.due(start + TimeDelta::minutes(1));
        assert_eq!(due.iter().map(|refused| refused.count).collect::<Vec<_>>(), [5]);
        assert!(refusals.take(refused("forbidden"), start).is_some());
    }
}
