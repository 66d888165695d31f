//! The log of a run: what happened when at which node, a hash over all of it, and what does not hold.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

/// What happened, in order.
#[derive(Default)]
pub(super) struct Log {
    now: Cell<Duration>,
    hasher: RefCell<blake3::Hasher>,
    lines: RefCell<Vec<String>>,
    failure: RefCell<Option<String>>,
}

impl Log {
    /// The simulated time, by the step.
    pub(super) fn now(&self) -> Duration {
        self.now.get()
    }

    pub(super) fn set(&self, now: Duration) {
        self.now.set(now);
    }

    pub(super) fn note(&self, host: &str, what: fmt::Arguments<'_>) {
        let line = format!("{:>9.3} {host:<8} {what}", self.now.get().as_secs_f64());
        let mut hasher = self.hasher.borrow_mut();
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
        self.lines.borrow_mut().push(line);
    }

    /// Notes what does not hold; the run ends with it.
    pub(super) fn fail(&self, what: String) {
        // It may name organisations, which differ from process to process: it is not part of the hash.
        self.lines.borrow_mut().push(format!("FAILED {what}"));
        self.failure.borrow_mut().get_or_insert(what);
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    pub(super) fn hash(&self) -> String {
        self.hasher.borrow().finalize().to_hex()[..16].to_owned()
    }

    pub(super) fn text(&self) -> String {
        self.lines.borrow().join("\n")
    }
}
