//! Where time comes from: handed in everywhere, so that tests and simulations have their own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use rustix::time::{ClockId, clock_gettime};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present time; it may jump.
    fn now(&self) -> DateTime<Utc>;

    /// Time since some moment that stays the same while the process runs; it never jumps, and goes on while
    /// the machine sleeps.
    fn elapsed(&self) -> Duration;

    /// How far it jumped and what it tells does not; none where it did not, or what it tells jumps as well.
    fn jump(&self) -> Option<Jump> {
        None
    }

    /// Tells from now on what it jumped to.
    fn set(&self) {}
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

/// A clock that goes on evenly where the one that it is set by jumps: nothing is decided by a time that is not
/// known to be right, or on record as suspected.
pub struct Steady {
    clock: Arc<dyn Clock>,
    tolerance: TimeDelta,
    /// A moment at which the clock was right.
    base: Mutex<(DateTime<Utc>, Duration)>,
}

/// How far a clock is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// What the clock says.
    pub says: DateTime<Utc>,
    /// What it should say, by the time that passed.
    pub expected: DateTime<Utc>,
}

impl Steady {
    /// Begins with what a clock says now; what it is off by later, up to so many seconds, is no jump.
    pub fn new(clock: Arc<dyn Clock>, tolerance: u32) -> Self {
        let base = Mutex::new((clock.now(), clock.elapsed()));
        Self {
            clock,
            tolerance: TimeDelta::seconds(tolerance.into()),
            base,
        }
    }

    fn look(&self) -> Result<DateTime<Utc>, Jump> {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        let (says, elapsed) = (self.clock.now(), self.clock.elapsed());
        let passed = elapsed.saturating_sub(base.1);
        let expected = base.0 + TimeDelta::from_std(passed).unwrap_or_default();
        if (says - expected).abs() > self.tolerance {
            return Err(Jump { says, expected });
        }
        // A clock that is steered drifts; only what it does in an hour counts.
        if passed > BASELINE {
            *base = (says, elapsed);
        }
        Ok(says)
    }
}

impl Clock for Steady {
    fn now(&self) -> DateTime<Utc> {
        self.look().unwrap_or_else(|jump| jump.expected)
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    fn jump(&self) -> Option<Jump> {
        self.look().err()
    }

    fn set(&self) {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        *base = (self.clock.now(), self.clock.elapsed());
    }
}

/// How far back a jump is looked for.
const BASELINE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    struct Set(Mutex<(i64, u64)>);

    impl Clock for Set {
        fn now(&self) -> DateTime<Utc> {
            noon() + TimeDelta::seconds(self.0.lock().unwrap().0)
        }

        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.0.lock().unwrap().1)
        }
    }

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn steady() -> (Arc<Set>, Steady) {
        let clock = Arc::new(Set(Mutex::new((0, 100))));
        let steady = Steady::new(clock.clone(), 300);
        (clock, steady)
    }

    /// fault B10, fault E15
    #[test]
    fn a_jump_either_way_is_found_and_time_that_passes_is_none() {
        let later = |wall: i64, elapsed: u64| {
            let (clock, steady) = steady();
            *clock.0.lock().unwrap() = (wall, 100 + elapsed);
            steady.jump()
        };
        assert_eq!(later(1, 1), None);
        assert_eq!(later(86_400, 86_400), None, "the machine slept");
        assert_eq!(later(300, 0), None);
        assert!(later(301, 0).is_some());
        assert!(later(-301, 0).is_some());
        let back = later(-86_400, 10).unwrap();
        assert_eq!(back.expected, noon() + TimeDelta::seconds(10));
    }

    /// fault B10
    #[test]
    fn time_goes_on_evenly_until_a_jump_is_accepted() {
        let (clock, steady) = steady();
        *clock.0.lock().unwrap() = (-86_400, 110);
        assert_eq!(steady.now(), noon() + TimeDelta::seconds(10));
        steady.set();
        assert_eq!(steady.now(), noon() - TimeDelta::days(1));
        *clock.0.lock().unwrap() = (-86_400 + 200, 120);
        assert_eq!(steady.now(), clock.now(), "it is steered");
    }
}
