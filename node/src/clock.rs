//! Where time comes from: handed in everywhere, so that tests and simulations have their own.

use std::time::Instant;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock; between starts it never runs backwards.
#[derive(Debug)]
pub struct System {
    start: DateTime<Utc>,
    since: Instant,
}

impl System {
    /// The clock of this machine.
    pub fn new() -> Self {
        Self {
            start: Utc::now(),
            since: Instant::now(),
        }
    }

    /// How far the machine's clock has been moved since the start, against one that can't be.
    pub fn moved(&self) -> TimeDelta {
        Utc::now() - self.steady()
    }

    fn steady(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.since.elapsed()).unwrap_or(TimeDelta::MAX);
        self.start
            .checked_add_signed(elapsed)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for System {
    /// Follows small corrections of the machine's clock, never backwards by more than them.
    ///
    /// Microseconds are what the journal keeps: a time that is decided with is the one that is read again.
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
