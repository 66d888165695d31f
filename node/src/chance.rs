//! Where randomness comes from: the operating system, through the cryptographic library.

use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Fills a buffer.
pub fn fill(bytes: &mut [u8]) {
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
