//! Whole federations in one thread: 3 to 6 nodes with real decisions, journals and tables on disks and
//! databases in memory, over a network and a clock that follow from one seed.
//!
//! A run has two phases. First people work while faults happen, and what must hold at every moment is
//! checked all along; then faults stop, and everything has to settle. One seed is one run: the log is
//! equal, line by line.
//!
//! The tasks around the decisions (`drive`, `fetch`, `follow`, `serve`, `recover`) are thin copies of those
//! in `federation`; real connections are not here.

mod back;
pub(crate) mod bug;
mod check;
mod chores;
mod delay;
mod double;
mod drive;
mod fault;
mod fetch;
mod follow;
mod ledger;
mod lies;
mod net;
mod onward;
mod oracle;
mod plan;
mod quiet;
mod read;
mod recover;
mod seeds;
mod serve;
mod session;
mod sign;
mod site;
mod standing;
mod start;
mod tap;
mod trace;
mod twin;
mod vault;
mod work;
mod world;

use std::fmt;
use std::rc::Rc;

use self::bug::Bug;
use self::plan::{Odd, Plan};
use self::site::Site;
use self::world::{SECOND, World};
use crate::actions::partner::OrganisationRole;
use crate::chance::seeded;
use crate::disk::Dice;

/// What came of a run.
struct Run {
    /// A hash over the log.
    hash: [u8; 32],
    /// What does not hold; none where everything does.
    failure: Option<String>,
    /// The last lines of the log.
    log: String,
    /// What the seed stands for.
    plan: String,
    figures: Figures,
}

/// How much happened.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    steps: u64,
    crashes: u64,
    cuts: u64,
    returns: u64,
    lies: u64,
    messages: u64,
    commands: u64,
}

impl Figures {
    const fn and(mut self, other: &Self) -> Self {
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.cuts += other.cuts;
        self.returns += other.returns;
        self.lies += other.lies;
        self.messages += other.messages;
        self.commands += other.commands;
        self
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} steps, {} crashes, {} partitions, {} returns, {} lies, {} messages, \
             {} commands",
            self.steps,
            self.crashes,
            self.cuts,
            self.returns,
            self.lies,
            self.messages,
            self.commands
        )
    }
}

/// Runs one seed, with a planted bug where one is given.
fn run(seed: u64, bug: Option<Bug>) -> Run {
    seeded::set(Some(seed ^ 0x5EED));
    bug::plant(bug);
    let mut dice = Dice::new(seed);
    let plan = Plan::new(&mut dice, Odd::of(seed));
    let role = |number: usize| match number % 3 == 2 && seed.is_multiple_of(2) {
        true => OrganisationRole::Justice,
        false => OrganisationRole::Investigation,
    };
    let mut sites: Vec<Site> = (0..plan.nodes)
        .map(|number| Site::new(number, role(number)))
        .collect();
    if plan.odd == Odd::Doubled {
        sites.push(Site::double(plan.nodes, &sites[0]));
    }
    let world = World::new(plan, dice, sites);
    busy(&world);
    settle(&world);
    world.end();
    bug::plant(None);
    seeded::set(None);
    let trace = world.trace.borrow();
    Run {
        hash: trace.hash(),
        failure: world.failure(),
        log: trace.tail(),
        plan: format!("{:?}", world.plan),
        figures: trace.figures,
    }
}

/// People work, and faults happen.
fn busy(world: &Rc<World>) {
    fault::clocks(world);
    start::federation(world);
    watch(world);
    fault::begin(world);
    match world.plan.odd {
        Odd::None => {}
        Odd::Lies => lies::begin(world),
        Odd::Restored | Odd::SetBack => back::begin(world),
        Odd::Doubled => double::begin(world),
    }
    world.run(world.now() + world.plan.busy * SECOND);
}

/// Checks what must hold at every moment, every few seconds.
fn watch(world: &World) {
    let wait = world.between(3 * SECOND, 20 * SECOND);
    world.after_do(wait, |world| {
        check::always(world);
        watch(world);
    });
}

/// Faults stop, and everything has to settle.
fn settle(world: &Rc<World>) {
    fault::calm(world);
    let until = world.now() + fault::PATIENCE;
    world.run(world.now() + 60 * SECOND);
    while world.failure().is_none() {
        let waits = check::waits(world);
        if waits.is_empty() {
            return check::settled(world);
        }
        if world.now() > until {
            return world.fail(format!("settled: something waits for ever: {waits:?}"));
        }
        world.run(world.now() + 20 * SECOND);
    }
}
