//! Where time comes from: handed in everywhere, so that tests and simulations have their own.

use chrono::{DateTime, SubsecRound as _, Utc};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Clock for System {
    /// Microseconds are what the journal keeps: a time that is decided with is the one that is read again.
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
