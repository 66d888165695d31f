//! The log of a run: a hash over every line, the last of them, and figures.

use std::collections::VecDeque;
use std::fmt;

use super::Figures;
use super::world::Micros;

/// What happened, in order.
#[derive(Default)]
pub(super) struct Trace {
    hasher: blake3::Hasher,
    last: VecDeque<String>,
    /// How much happened so far.
    pub(super) figures: Figures,
}

impl Trace {
    pub(super) fn note(&mut self, now: Micros, what: fmt::Arguments<'_>) {
        let line = format!("{:>11.3} {what}", now as f64 / 1000.0);
        self.hasher.update(line.as_bytes());
        self.hasher.update(b"\n");
        if self.last.len() == LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// A hash over all lines.
    pub(super) fn hash(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }

    /// The last lines.
    pub(super) fn tail(&self) -> String {
        self.last.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

/// How many lines are kept to be shown.
const LINES: usize = 20_000;
