//! Waiting for what comes about by itself.

use std::time::{Duration, Instant};

/// As long as anything here may take on a busy machine.
pub const LONG: Duration = Duration::from_secs(180);

/// Looks until there is something to see; panics with `what` where that takes too long.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(POLL);
    }
}

/// Looks until it succeeds.
///
/// # Errors
/// What was seen last where that takes longer than `limit`.
pub fn within<T, E>(limit: Duration, mut look: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let deadline = Instant::now() + limit;
    loop {
        match look() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(POLL),
            ended => return ended,
        }
    }
}

/// Between two looks.
const POLL: Duration = Duration::from_millis(30);
