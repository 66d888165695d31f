//! Federations over a simulated network: 3 to 6 whole nodes, their tasks, and all of gRPC, HTTP/2 and TLS as
//! they are, on turmoil's network and time. One seed is one run.
//!
//! First nodes are paired and people work while faults happen, and what must hold at every moment is checked
//! all along; then faults stop, and everything has to settle within 60 simulated seconds. Disks are in memory,
//! but for files of evidence. Lies, damage and failing disks are in `simulation`.

mod check;
mod fault;
mod links;
mod log;
mod oracle;
pub(crate) mod panics;
mod people;
mod plan;
mod scenes;
mod seeds;
mod site;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use turmoil::{Builder, Sim};

use self::fault::Faults;
use self::links::Links;
use self::log::Log;
use self::oracle::{Figures, Oracle};
use self::people::People;
use self::plan::Plan;
use self::site::Site;
use crate::chance::seeded;
use crate::disk::Dice;

/// A whole federation.
struct World {
    plan: Plan,
    sites: Vec<Site>,
    dice: RefCell<Dice>,
    log: Log,
    oracle: RefCell<Oracle>,
    links: RefCell<Links>,
    /// Since when two nodes trust each other.
    trusted: RefCell<BTreeMap<(usize, usize), Duration>>,
    /// Since when two nodes are without contact.
    lost: RefCell<BTreeMap<(usize, usize), Duration>>,
    /// Pairs between which somebody guessed invitations.
    guessed: RefCell<BTreeSet<(usize, usize)>>,
    /// What people do instead of what is drawn.
    scene: Option<Scene>,
    /// Whether faults have stopped and everything is to settle.
    calm: Cell<bool>,
}

impl World {
    fn new(plan: Plan, dice: Dice, scene: Option<Scene>) -> Rc<Self> {
        let site = |number| Site::new(number, plan.hidden != Some(number), plan.skews[number]);
        Rc::new(Self {
            sites: (0..plan.nodes).map(site).collect(),
            plan,
            dice: RefCell::new(dice),
            log: Log::default(),
            oracle: RefCell::default(),
            links: RefCell::default(),
            trusted: RefCell::default(),
            lost: RefCell::default(),
            guessed: RefCell::default(),
            scene,
            calm: Cell::default(),
        })
    }

    /// A number from 0 to `end` - 1.
    fn below(&self, end: usize) -> usize {
        self.dice.borrow_mut().below(end)
    }

    /// A time between the two.
    fn time(&self, least: Duration, most: Duration) -> Duration {
        let span = (most - least).as_millis() as usize;
        least + Duration::from_millis(self.below(span.max(1)) as u64)
    }

    /// Which of two nodes accepts the other's invitation: who makes one must be reached.
    fn accepter(&self, one: usize, other: usize) -> Option<usize> {
        let (low, high) = (one.min(other), one.max(other));
        let accepts = if self.plan.hidden == Some(low) {
            low
        } else {
            high
        };
        (low != high).then_some(accepts)
    }
}

/// What came of a run.
struct Run {
    hash: String,
    failure: Option<String>,
    log: String,
    plan: String,
    figures: Figures,
}

/// What people at every node do once all are paired.
type Scene = fn(People) -> LocalBoxFuture<'static, ()>;

/// Runs one seed.
fn run(seed: u64) -> Run {
    let mut dice = Dice::new(seed);
    let plan = Plan::new(&mut dice);
    play(seed, plan, dice, None)
}

/// Runs a plan.
fn play(seed: u64, plan: Plan, dice: Dice, scene: Option<Scene>) -> Run {
    site::identities();
    seeded::set(Some(seed ^ 0x5EED));
    panics::begin();
    let world = World::new(plan, dice, scene);
    let mut sim = Builder::new()
        .rng_seed(seed)
        .tick_duration(STEP)
        .simulation_duration(Duration::from_secs(3600))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(world.plan.latency)
        .enable_random_order()
        .build();
    for site in &world.sites {
        let (of, number) = (Rc::clone(&world), site.number);
        sim.host(site.name, move || site::live(Rc::clone(&of), number));
    }
    let mut faults = Faults::new(&world);
    steps(&world, &mut sim, &mut faults, world.plan.busy);
    faults.calm(&mut sim);
    world.calm.set(true);
    if world.scene.is_none() {
        settle(&world, &mut sim, &mut faults);
    }
    for site in &world.sites {
        site.down();
        sim.crash(site.name);
    }
    drop(sim);
    if let Some(panicked) = panics::end() {
        world.log.fail(format!("S20: a task panicked: {panicked}"));
    }
    seeded::set(None);
    Run {
        hash: world.log.hash(),
        failure: world.log.failure(),
        log: world.log.text(),
        plan: format!("{:?}", world.plan),
        figures: world.oracle.borrow().figures,
    }
}

/// Everything has to settle, by itself.
fn settle(world: &Rc<World>, sim: &mut Sim<'_>, faults: &mut Faults) {
    let begun = world.log.now();
    loop {
        steps(world, sim, faults, Duration::from_secs(2));
        if world.log.failure().is_some() {
            return;
        }
        let waits = check::waits(world);
        if waits.is_empty() {
            world.log.note("", format_args!("settled"));
            return check::settled(world);
        }
        if world.log.now() > begun + SETTLES {
            return world.log.fail(format!("something waits: {waits:#?}"));
        }
    }
}

/// Lets so much time pass, unless something does not hold.
fn steps(world: &Rc<World>, sim: &mut Sim<'_>, faults: &mut Faults, time: Duration) {
    let until = world.log.now() + time;
    while world.log.now() < until && world.log.failure().is_none() {
        faults.step(sim);
        if let Err(error) = sim.step() {
            world.log.fail(format!("a node ended: {error}"));
        }
        world.log.set(sim.elapsed());
        if world.log.now().subsec_millis() == 0 {
            check::always(world);
        }
    }
}

/// How finely simulated time is cut: the least that a message takes.
const STEP: Duration = Duration::from_millis(5);
/// How long what is owed may take to arrive once faults have stopped.
const SETTLES: Duration = Duration::from_secs(60);
