//! Faults, drawn from the seed: the network is cut, flaps or holds everything back, nodes crash and come
//! back, and clocks are set.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use turmoil::Sim;

use super::World;
use super::links::State;
use super::plan::Fault;

/// What is still to come.
pub(super) struct Faults {
    world: Rc<World>,
    due: BTreeMap<(Duration, u64), Deed>,
    count: u64,
}

enum Deed {
    /// Another fault.
    Next,
    Heal(usize, usize),
    Release(usize, usize),
    /// Cuts or heals, so often still.
    Flap(usize, usize, usize),
    Bounce(usize),
}

impl Faults {
    pub(super) fn new(world: &Rc<World>) -> Self {
        let mut faults = Self {
            world: Rc::clone(world),
            due: BTreeMap::new(),
            count: 0,
        };
        if !world.plan.faults.is_empty() {
            faults.next();
        }
        faults
    }

    fn after(&mut self, wait: Duration, deed: Deed) {
        self.count += 1;
        let at = self.world.log.now() + wait;
        self.due.insert((at, self.count), deed);
    }

    fn next(&mut self) {
        let pause = self.world.plan.pause;
        let wait = self.world.time(Duration::from_millis(200), pause);
        self.after(wait, Deed::Next);
    }

    /// Does what is due.
    pub(super) fn step(&mut self, sim: &mut Sim<'_>) {
        while let Some(first) = self.due.first_entry() {
            if first.key().0 > self.world.log.now() {
                return;
            }
            match first.remove() {
                Deed::Next => {
                    self.begin(sim);
                    self.next();
                }
                Deed::Heal(one, other) => self.heal(sim, one, other),
                Deed::Release(one, other) => self.release(sim, one, other),
                Deed::Flap(one, other, left) => self.flap(sim, one, other, left),
                Deed::Bounce(number) => self.bounce(sim, number),
            }
        }
    }

    /// Ends all of it.
    pub(super) fn calm(&mut self, sim: &mut Sim<'_>) {
        self.due.clear();
        let nodes = self.world.sites.len();
        for one in 0..nodes {
            for other in one + 1..nodes {
                let state = self.world.links.borrow().state(one, other);
                match state {
                    State::Clean => {}
                    State::Held => self.release(sim, one, other),
                    State::Cut | State::OneWay(_) => self.heal(sim, one, other),
                }
            }
        }
        for number in 0..nodes {
            let site = &self.world.sites[number];
            let off = site.watch.off() - self.world.plan.skews[number];
            if off != 0 {
                site.watch.set(-off);
                let what = format_args!("clock set right");
                self.world.log.note(site.name, what);
            }
            if !self.world.links.borrow().up(number) {
                self.bounce(sim, number);
            }
        }
    }

    fn begin(&mut self, sim: &mut Sim<'_>) {
        let world = Rc::clone(&self.world);
        let nodes = world.sites.len();
        let fault = world.plan.faults[world.below(world.plan.faults.len())];
        let (one, other) = (world.below(nodes), world.below(nodes - 1));
        let other = if other < one { other } else { other + 1 };
        world.oracle.borrow_mut().figures.faults += 1;
        let busy = world.links.borrow().state(one, other) != State::Clean;
        let long = world.time(Duration::from_millis(500), Duration::from_secs(40));
        match fault {
            Fault::Clean | Fault::OneWay | Fault::Flapping | Fault::Hold if busy => {}
            Fault::Clean => {
                self.is(sim, one, other, State::Cut);
                self.after(long, Deed::Heal(one, other));
            }
            Fault::OneWay => {
                self.is(sim, one, other, State::OneWay(one));
                self.after(long, Deed::Heal(one, other));
            }
            Fault::Flapping => {
                let times = 2 * (world.below(5) + 1);
                self.flap(sim, one, other, times);
            }
            Fault::Hold => {
                self.is(sim, one, other, State::Held);
                let short = world.time(Duration::from_millis(200), Duration::from_secs(15));
                self.after(short, Deed::Release(one, other));
            }
            Fault::Kill | Fault::Power => {
                if world.links.borrow().up(one) {
                    let lost = (fault == Fault::Power).then(|| world.below(1 << 30) as u64);
                    self.crash(sim, one, lost);
                    let wait = world.time(Duration::ZERO, Duration::from_secs(12));
                    self.after(wait, Deed::Bounce(one));
                }
            }
            Fault::Clock => {
                let most = [30, 280, 100_000][world.below(3)];
                let seconds = world.below(2 * most + 1) as i64 - most as i64;
                world.sites[one].watch.set(seconds);
                let name = world.sites[one].name;
                world
                    .log
                    .note(name, format_args!("clock set by {seconds} s"));
            }
        }
    }

    /// Brings a link into a state.
    fn is(&self, sim: &Sim<'_>, one: usize, other: usize, state: State) {
        let world = &self.world;
        let now = world.log.now();
        world.links.borrow_mut().set(one, other, state, now);
        let [a, b] = [one, other].map(|number| world.sites[number].name);
        world.log.note(a, format_args!("link to {b} is {state:?}"));
        self.apply(sim, one, other, state);
    }

    fn apply(&self, sim: &Sim<'_>, one: usize, other: usize, state: State) {
        let [a, b] = [one, other].map(|number| self.world.sites[number].name);
        match state {
            State::Clean => sim.repair(a, b),
            State::Cut => sim.partition(a, b),
            State::OneWay(from) if from == one => sim.partition_oneway(a, b),
            State::OneWay(_) => sim.partition_oneway(b, a),
            State::Held => sim.hold(a, b),
        }
    }

    fn heal(&self, sim: &Sim<'_>, one: usize, other: usize) {
        self.is(sim, one, other, State::Clean);
    }

    fn release(&self, sim: &Sim<'_>, one: usize, other: usize) {
        let [a, b] = [one, other].map(|number| self.world.sites[number].name);
        sim.release(a, b);
        self.is(sim, one, other, State::Clean);
    }

    fn flap(&mut self, sim: &Sim<'_>, one: usize, other: usize, left: usize) {
        match left % 2 {
            0 => self.is(sim, one, other, State::Cut),
            _ => self.heal(sim, one, other),
        }
        if left > 1 {
            let wait = self
                .world
                .time(Duration::from_millis(50), Duration::from_secs(4));
            self.after(wait, Deed::Flap(one, other, left - 1));
        }
    }

    fn crash(&self, sim: &mut Sim<'_>, number: usize, lost: Option<u64>) {
        let (world, site) = (&self.world, &self.world.sites[number]);
        super::check::records(world, number);
        world.oracle.borrow_mut().figures.crashes += 1;
        let how = if lost.is_some() {
            "loses power"
        } else {
            "is killed"
        };
        world.log.note(site.name, format_args!("{how}"));
        world
            .links
            .borrow_mut()
            .host(number, false, world.log.now());
        site.down();
        // In which order the runtime drops what it runs depends on what ran before in this process: what that
        // sends must not matter. Its partners find out when they send.
        let others = || (0..world.sites.len()).filter(|other| *other != number);
        for other in others() {
            self.apply(sim, number, other, State::Cut);
        }
        sim.crash(site.name);
        for other in others() {
            let state = world.links.borrow().state(number, other);
            self.apply(sim, number, other, State::Clean);
            self.apply(sim, number, other, state);
        }
        site.crashed(lost);
    }

    fn bounce(&self, sim: &mut Sim<'_>, number: usize) {
        let (world, site) = (&self.world, &self.world.sites[number]);
        world.links.borrow_mut().host(number, true, world.log.now());
        sim.bounce(site.name);
    }
}
