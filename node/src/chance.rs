//! Where randomness comes from: the operating system, through the cryptographic library.

use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Fills a buffer.
pub fn fill(bytes: &mut [u8]) {
    #[cfg(test)]
    if seeded::fill(bytes) {
        return;
    }
    rand::fill(bytes).expect("the operating system gives randomness");
}

/// So many random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// An id that sorts by time (version 7).
pub fn id(now: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes()).into_uuid()
}

/// Numbers that follow from a seed, for one thread at a time: what tests need whose runs are to be equal.
#[cfg(test)]
pub(crate) mod seeded {
    use std::cell::RefCell;

    use crate::disk::Dice;

    thread_local! {
        static DICE: RefCell<Option<Dice>> = const { RefCell::new(None) };
    }

    /// Has this thread's randomness follow from a seed; from the operating system again where none is given.
    pub(crate) fn set(seed: Option<u64>) {
        DICE.set(seed.map(Dice::new));
    }

    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        DICE.with_borrow_mut(|dice| {
            let Some(dice) = dice else {
                return false;
            };
            bytes.fill_with(|| dice.below(256).to_le_bytes()[0]);
            true
        })
    }
}
