//! How much of what a partner sends this node keeps in its journal.
//!
//! Invariant: however many offers, entries, revocations and changes of features a partner makes, they are no more than so many bytes in
//! an hour; those that are too many are told to come later. Evidence has bounds of its own.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use interdocket_sync::identity::OrganisationId;

/// What is kept of each partner.
#[derive(Debug, Default)]
pub(crate) struct Allowances(Mutex<BTreeMap<OrganisationId, Allowance>>);

#[derive(Debug, Clone, Copy)]
struct Allowance {
    /// What was kept and is not forgiven by time yet, in bytes.
    used: u64,
    /// When that was so, on the clock that does not jump.
    at: Duration,
}

impl Allowances {
    /// Whether the partner has anything left.
    pub(crate) fn open(&self, partner: OrganisationId, now: Duration) -> bool {
        self.with(partner, now, |allowance| allowance.used < HOURLY)
    }

    /// Takes the bytes of one message that was kept, and what keeping it takes beside.
    pub(crate) fn charge(&self, partner: OrganisationId, now: Duration, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.with(partner, now, |allowance| {
            let bytes = bytes.saturating_add(EACH);
            allowance.used = allowance.used.saturating_add(bytes);
        });
    }

    fn with<R>(
        &self,
        partner: OrganisationId,
        now: Duration,
        judge: impl FnOnce(&mut Allowance) -> R,
    ) -> R {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = Allowance { used: 0, at: now };
        let allowance = all.entry(partner).or_insert(unused);
        allowance.forgive(now);
        judge(allowance)
    }
}

impl Allowance {
    /// Forgives what has passed since, in whole seconds.
    fn forgive(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs();
        self.at += Duration::from_secs(passed);
        let less = passed.saturating_mul(HOURLY / 3600);
        self.used = self.used.saturating_sub(less);
    }
}

/// Bytes that a partner may make this node keep in an hour: some ten thousand shares of cases as they are.
const HOURLY: u64 = 256 << 20;

/// What a record takes beside the message that it keeps, in bytes: its signatures, its hashes, its rows.
const EACH: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const LIAR: OrganisationId = OrganisationId::from_bytes([1; 32]);
    const HONEST: OrganisationId = OrganisationId::from_bytes([2; 32]);

    /// fault C5
    #[test]
    fn partner_that_sends_without_end_is_kept_so_much_of_in_an_hour_and_disturbs_no_other() {
        let allowances = Allowances::default();
        let mut kept = 0;
        for millis in 0..7_200_000 / 20 {
            let now = Duration::from_millis(millis * 20);
            if allowances.open(LIAR, now) {
                allowances.charge(LIAR, now, 60_000);
                kept += 60_000 + EACH;
            }
        }
        assert!(
            (2 * HOURLY..3 * HOURLY + 64 * 1024).contains(&kept),
            "{kept}"
        );
        let end = Duration::from_secs(7200);
        assert!(allowances.open(HONEST, end));
        assert!(allowances.open(LIAR, end + Duration::from_secs(1)));
    }

    #[test]
    fn what_was_not_used_is_not_saved_up() {
        let allowances = Allowances::default();
        assert!(allowances.open(LIAR, Duration::ZERO));
        let later = Duration::from_secs(36_000);
        allowances.charge(LIAR, later, 256 << 20);
        assert!(!allowances.open(LIAR, later));
        assert!(!allowances.open(LIAR, later + Duration::from_millis(999)));
        assert!(allowances.open(LIAR, later + Duration::from_secs(1)));
    }
}
