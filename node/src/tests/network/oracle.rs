//! What people were told: the shares they made, and what they did to end them.

use std::collections::BTreeMap;
use std::time::Duration;

use interdocket_sync::id::{EvidenceId, ShareId};

use crate::actions::partner::Kind;

/// All that was acknowledged.
#[derive(Default)]
pub(super) struct Oracle {
    /// Cases, by the site that made them.
    pub(super) cases: Vec<(usize, String)>,
    /// Evidence, by the site that took it in.
    pub(super) evidence: Vec<(usize, EvidenceId)>,
    pub(super) deals: BTreeMap<ShareId, Deal>,
    pub(super) figures: Figures,
}

/// A share that somebody made.
pub(super) struct Deal {
    pub(super) owner: usize,
    pub(super) partner: usize,
    pub(super) kind: Kind,
    /// Whether files are read at its owner only.
    pub(super) live: bool,
    /// When its owner was told that it is revoked.
    pub(super) revoked: Option<Duration>,
}

/// How much happened.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Figures {
    pub(super) commands: u64,
    pub(super) reads: u64,
    pub(super) faults: u64,
    pub(super) crashes: u64,
    pub(super) pairings: u64,
    pub(super) records: u64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.commands += other.commands;
        self.reads += other.reads;
        self.faults += other.faults;
        self.crashes += other.crashes;
        self.pairings += other.pairings;
        self.records += other.records;
    }
}
