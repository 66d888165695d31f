//! Repeated refusals become one record with a count.
//!
//! The first of its kind is recorded at once; those that follow within a minute are counted and
//! recorded together.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::actions::link::LinkId;
use crate::event::Refused;

/// Counts refusals that repeat.
#[derive(Default)]
pub struct Refusals(Mutex<BTreeMap<Key, Seen>>);

type Key = (
    Option<[u8; 32]>,
    String,
    Option<[u8; 16]>,
    Option<LinkId>,
    String,
);

struct Seen {
    since: DateTime<Utc>,
    repeated: u64,
    sample: Refused,
}

impl Refusals {
    /// Takes a refusal; gives back what is to be recorded now, if anything.
    pub fn take(&self, mut refused: Refused, now: DateTime<Utc>) -> Option<Refused> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = refused.partner.map(|partner| *partner.as_bytes());
        let kinds = seen.keys().filter(|key| key.0 == of && key.2.is_some());
        // Callers choose the ids that they ask for: more than a few are counted without them.
        let known = seen.contains_key(&key(&refused));
        if !known && kinds.count() >= SHARES {
            refused.share = None;
        }
        if let Some(before) = seen.get_mut(&key(&refused)) {
            before.repeated += 1;
            return None;
        }
        seen.insert(
            key(&refused),
            Seen {
                since: now,
                repeated: 0,
                sample: refused.clone(),
            },
        );
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
                due.push(Refused {
                    count: seen.repeated,
                    ..seen.sample.clone()
                });
            }
            false
        });
        due
    }
}

/// Shares that a partner's refusals are told apart by, in one minute.
const SHARES: usize = 16;

fn key(refused: &Refused) -> Key {
    (
        refused.partner.map(|partner| *partner.as_bytes()),
        refused.action.clone(),
        refused.share.map(|share| *share.as_bytes()),
        refused.link.map(|(link, _)| link),
        refused.reason.clone(),
    )
}

#[cfg(test)]
mod tests {
    use interdocket_sync::id::ShareId;
    use interdocket_sync::identity::OrganisationId;

    use super::*;

    /// fault C5
    #[test]
    fn a_partner_that_guesses_ids_gets_few_records() {
        let refusals = Refusals::default();
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let guess = |id: u128| Refused {
            partner: Some(OrganisationId::from_bytes([1; 32])),
            share: Some(ShareId::new(uuid::Uuid::from_u128(id))),
            ..refused("not shared")
        };
        let recorded = (0..1000).filter_map(|id| refusals.take(guess(id), start));
        assert_eq!(recorded.count(), SHARES + 1);
        let due = refusals.due(start + TimeDelta::minutes(1));
        assert_eq!(due.iter().map(|refused| refused.count).sum::<u64>(), 983);
    }

    fn refused(reason: &str) -> Refused {
        Refused {
            partner: None,
            action: "share.copy".into(),
            share: None,
            link: None,
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
        assert_eq!(
            due.iter().map(|refused| refused.count).collect::<Vec<_>>(),
            [5]
        );
        assert!(refusals.take(refused("forbidden"), start).is_some());
    }
}
