//! Where attacks take place: a node, a partner of its that lies, and one that is honest.

use std::time::{Duration, Instant};

use chrono::Utc;
use interdocket_tests::files::{noise, write};
use interdocket_tests::world::{case, contact, copy, delivered, enable, pair};
use interdocket_tests::{Node, Reach, World};

use crate::gauge::{Gauge, forget, gauge};
use crate::liar::Liar;

/// North is attacked, by whoever has the keys of south; harbour is honest.
pub(crate) struct Field {
    pub(crate) world: World,
    pub(crate) north: Node,
    pub(crate) south: Node,
    pub(crate) harbour: Node,
    cases: u64,
}

/// What an attack did to a node.
pub(crate) struct Figures {
    before: Gauge,
    during: Gauge,
    after: Gauge,
    /// Bytes of log lines.
    log: usize,
    /// How long the honest work took.
    took: Duration,
    /// What became of the attackers.
    fate: String,
}

impl Field {
    /// Makes the nodes and pairs them; south does not run any more.
    pub(crate) fn new() -> Self {
        let world = World::new();
        let north = world.node("north", Reach::Dialable);
        let mut south = world.node("south", Reach::Hidden);
        let harbour = world.node("harbour", Reach::Hidden);
        for partner in [&south, &harbour] {
            pair(&north, partner);
            enable(&north, partner);
        }
        south.stop();
        Self {
            world,
            north,
            south,
            harbour,
            cases: 0,
        }
    }

    /// South's keys in the hands of an attacker.
    pub(crate) fn liar(&self) -> Liar {
        Liar::of(&self.south, &self.north, Utc::now())
    }

    /// Has harbour deliver a case to north and north one to harbour, and says how long both took.
    pub(crate) fn deliver(&mut self) -> Duration {
        self.cases += 1;
        let number = format!("2026-{}", self.cases);
        let film = self.world.path(&format!("film-{number}"));
        noise(&film, 2, self.cases);
        let small = self.world.path(&format!("small-{number}"));
        for file in 0..16 {
            write(
                &small.join(format!("{file}.txt")),
                format!("{number} {file}\n"),
            );
        }
        let parties = [(&self.harbour, &self.north), (&self.north, &self.harbour)];
        for (owner, _) in parties {
            case(owner, &format!("{number}-{}", owner.name), &[&film, &small]);
        }
        let begun = Instant::now();
        let shares = parties.map(|(owner, partner)| {
            let number = format!("{number}-{}", owner.name);
            (owner, partner, copy(owner, &number, partner))
        });
        for (owner, partner, id) in &shares {
            delivered(*owner, *partner, id);
        }
        begun.elapsed()
    }

    /// Measures what an attack does while the honest partner works, and that both have contact after it. The
    /// attack says how long the honest work took, and what became of the attackers.
    pub(crate) fn measure(
        &mut self,
        attack: impl FnOnce(&mut Self) -> (Duration, String),
    ) -> Figures {
        let process = self.north.process();
        forget(process);
        let (before, log) = (gauge(process), self.north.log().len());
        let (took, fate) = attack(self);
        let during = gauge(process);
        contact(&self.north, &self.harbour);
        Figures {
            before,
            during,
            after: gauge(process),
            log: self.north.log().len() - log,
            took,
            fate,
        }
    }
}

impl Figures {
    /// What the columns are; memory in MiB, handles and threads right after the attack, log lines in KiB.
    pub(crate) const HEAD: &str = "attack                      before   peak  after  handles  threads  log  honest  attackers";

    /// Prints one line of the table.
    pub(crate) fn show(&self, name: &str) {
        println!(
            "{name:<27} {:>6} {:>6} {:>6} {:>8} {:>8} {:>4} {:>5.1} s  {}",
            self.before.memory / 1024,
            self.during.peak / 1024,
            self.after.memory / 1024,
            self.during.handles,
            self.during.threads,
            self.log / 1024,
            self.took.as_secs_f64(),
            self.fate,
        );
    }

    /// Panics where the node took too much.
    pub(crate) fn bounded(&self, name: &str) {
        let grown = self.during.peak.saturating_sub(self.before.memory);
        assert!(grown < GROWTH, "{name}: {grown} KiB more at the peak");
        let handles = self.after.handles.saturating_sub(self.before.handles);
        assert!(handles < HANDLES, "{name}: {handles} handles stay open");
        let threads = self.after.threads.saturating_sub(self.before.threads);
        assert!(threads < THREADS, "{name}: {threads} threads stay");
        assert!(self.log < LOG, "{name}: {} bytes of log lines", self.log);
        assert!(self.took < SOON, "{name}: it took {:?}", self.took);
    }
}

/// How much memory an attack, and the honest work beside it, may take, in KiB: eight connections of a partner with
/// 4 MiB under way on each, eight calls that arrive, eight that are answered, and what the allocator keeps.
const GROWTH: u64 = 128 * 1024;
/// Within what time what is honest has to be through, on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// Handles that what is going to end may have still.
const HANDLES: usize = 128;
/// Threads that reading and writing files may have taken meanwhile.
const THREADS: u64 = 64;
/// Bytes of log lines, those of the honest work among them.
const LOG: usize = 64 * 1024;
