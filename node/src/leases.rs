//! The keys that owners lend to this node: in memory only, and only for a while.
//!
//! A lease is a duration on a clock that does not jump, counted from when its renewal was asked for. When
//! it runs out, or is dropped, the key is wiped, and what is sealed under it is unreadable until the owner
//! lends it again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use interdocket_sync::id::ShareId;

use crate::keyring::Key;
use crate::seal::Seal;
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// The leases that this node holds.
#[derive(Default)]
pub struct Leases(Mutex<BTreeMap<ShareId, Lease>>);

struct Lease {
    key: Key,
    asked: Duration,
    until: Duration,
}

impl Leases {
    /// Keeps a key that was asked for at `asked`, for this long from then on. Times are those of
    /// [`Clock::elapsed`](crate::clock::Clock::elapsed).
    pub fn lend(&self, share: ShareId, key: Key, asked: Duration, length: Duration) {
        let until = asked.saturating_add(length.min(LONGEST));
        let lease = Lease { key, asked, until };
        let mut leases = self.lock();
        // An answer that was slow does not shorten what a later one gave.
        if leases.get(&share).is_none_or(|held| held.until <= until) {
            leases.insert(share, lease);
        }
    }

    /// What seals a share now; none where its lease ran out.
    pub fn seal(&self, share: ShareId, now: Duration) -> Option<Seal> {
        Some(Seal::new(share.uuid(), self.key(share, now)?))
    }

    /// The key of a share; none where its lease ran out.
    pub fn key(&self, share: ShareId, now: Duration) -> Option<Key> {
        let mut leases = self.lock();
        #[cfg(test)]
        let now = if planted(Bug::LeaseEndless) {
            Duration::ZERO
        } else {
            now
        };
        leases.retain(|_, lease| now < lease.until);
        Some(leases.get(&share)?.key.clone())
    }

    /// The shares of which more than half of the lease is over.
    pub fn due(&self, now: Duration) -> Vec<ShareId> {
        let half = |lease: &Lease| lease.asked + (lease.until - lease.asked) / 2;
        let leases = self.lock();
        let due = leases.iter().filter(|(_, lease)| half(lease) <= now);
        due.map(|(share, _)| *share).collect()
    }

    /// In what time the next renewal is due; none where nothing is held.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        let half = |lease: &Lease| lease.asked + (lease.until - lease.asked) / 2;
        let next = self.lock().values().map(half).min()?;
        Some(next.saturating_sub(now).max(Duration::from_secs(1)))
    }

    /// Wipes the key of a share.
    pub fn drop(&self, share: ShareId) {
        self.lock().remove(&share);
    }

    /// Wipes every key whose time is over.
    pub fn tidy(&self, now: Duration) {
        #[cfg(test)]
        let now = if planted(Bug::LeaseEndless) {
            Duration::ZERO
        } else {
            now
        };
        self.lock().retain(|_, lease| now < lease.until);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShareId, Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No owner lends for longer: an hour.
const LONGEST: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn share(number: u128) -> ShareId {
        ShareId::new(Uuid::from_u128(number))
    }

    fn key() -> Key {
        Key::new([7; 32])
    }

    const fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    #[test]
    fn a_lease_runs_out_on_the_clock_that_does_not_jump() {
        let leases = Leases::default();
        leases.lend(share(1), key(), minutes(10), minutes(15));
        assert!(leases.seal(share(1), minutes(24)).is_some());
        assert!(leases.seal(share(1), minutes(25)).is_none());
        // It does not come back by itself, whatever the clock says then.
        assert!(leases.seal(share(1), minutes(11)).is_none());
        assert!(leases.seal(share(2), minutes(11)).is_none());
    }

    #[test]
    fn a_renewal_counts_from_when_it_was_asked_for() {
        let leases = Leases::default();
        leases.lend(share(1), key(), minutes(20), minutes(15));
        leases.lend(share(1), key(), minutes(10), minutes(15));
        assert!(leases.seal(share(1), minutes(34)).is_some());
        leases.lend(share(1), key(), minutes(30), minutes(600));
        assert!(leases.seal(share(1), minutes(90)).is_none());
    }

    #[test]
    fn renewal_is_due_when_half_of_the_time_is_over() {
        let leases = Leases::default();
        leases.lend(share(1), key(), minutes(10), minutes(20));
        assert!(leases.due(minutes(19)).is_empty());
        assert_eq!(leases.due(minutes(20)), [share(1)]);
    }

    #[test]
    fn a_dropped_lease_is_gone() {
        let leases = Leases::default();
        leases.lend(share(1), key(), minutes(10), minutes(20));
        leases.drop(share(1));
        assert!(leases.seal(share(1), minutes(10)).is_none());
    }
}
