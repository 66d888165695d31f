//! The clock of a node on a bench: it only moves when it is asked.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::{Clock, Jump};

/// A clock that moves a second each time it is asked.
pub(crate) struct Ticks(pub(super) AtomicI64, pub(super) Mutex<Option<Jump>>);

impl Default for Ticks {
    fn default() -> Self {
        Self(1.into(), Mutex::default())
    }
}

impl Clock for Ticks {
    fn now(&self) -> DateTime<Utc> {
        noon() + TimeDelta::seconds(self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst).unsigned_abs())
    }

    fn jump(&self) -> Option<Jump> {
        *self.1.lock().unwrap()
    }

    fn set(&self) {
        *self.1.lock().unwrap() = None;
    }
}

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}
