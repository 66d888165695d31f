//! Where time comes from: handed in everywhere, so that tests and simulations have their own.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use rustix::time::{ClockId, clock_gettime};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present time; it may jump.
    fn now(&self) -> DateTime<Utc>;

    /// Time since some moment that stays the same while the process runs; it never jumps, and goes on while
    /// the machine sleeps.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Clock for System {
    /// Microseconds are what the journal keeps: a time that is decided with is the one that is read again.
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }

    fn elapsed(&self) -> Duration {
        Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
    }
}
