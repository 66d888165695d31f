//! How often a guest looks: each look is a record.
//!
//! Invariant: however often a guest asks, they make this node keep no more than so many records in an hour.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

/// What guests looked at in the last hour.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<BTreeMap<Uuid, Hour>>);

/// One hour of a guest.
#[derive(Debug, Clone, Copy)]
struct Hour {
    /// When it began, on the clock that does not jump.
    since: Duration,
    looks: u32,
}

impl Looks {
    /// Counts a look of a guest; false where there were too many.
    pub(crate) fn admits(&self, guest: Uuid, now: Duration) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Hour {
            since: now,
            looks: 0,
        };
        let hour = held.entry(guest).or_insert(new);
        if now.saturating_sub(hour.since) >= HOUR {
            *hour = new;
        }
        hour.looks = hour.looks.saturating_add(1);
        hour.looks <= LOOKS_MAX
    }
}

const HOUR: Duration = Duration::from_secs(3600);
/// Looks of one guest in an hour: one a second. Who downloads more small files than that notices, and goes on in the
/// next hour.
const LOOKS_MAX: u32 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    /// fault C5
    #[test]
    fn a_guest_who_looks_without_end_is_recorded_so_many_times_an_hour_and_disturbs_nobody() {
        let looks = Looks::default();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let admitted = (0..2 * LOOKS_MAX).filter(|_| looks.admits(one, HOUR));
        assert_eq!(admitted.count(), LOOKS_MAX as usize);
        assert!(looks.admits(other, HOUR));
        assert!(!looks.admits(one, HOUR * 2 - Duration::from_secs(1)));
        assert!(looks.admits(one, HOUR * 2));
    }
}
