//! A simulated node: what outlives its process, the process itself, and the one way in which it decides.
//!
//! Journal, keyring, tables and writer are the node's own; threads, sockets and tasks are not.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;

use super::bug::{Bug, planted};
use super::sign::{Pinned, Sign};
use super::vault::Vault;
use super::world::{Due, Micros, World};
use crate::actions::decide::{Context, Decided, Effect};
use crate::actions::partner::{OrganisationRole, State};
use crate::actions::{Actor, Error, Way};
use crate::chance;
use crate::clock::{Clock, Steady};
use crate::disk::Memory as Disk;
use crate::event::Event;
use crate::journal::{self, Journal, Reader};
use crate::keyring::{KeyId, Keyring};
use crate::leases::Leases;
use crate::metrics::Metrics;
use crate::node::{Knocks, turn};
use crate::refusals::Refusals;
use crate::seal::Seal;
use crate::sessions::Sessions;
use crate::store::memory::Memory as Engine;
use crate::store::table;
use crate::store::view::{Store, View};
use crate::writer::{Done, Job, Stopped, Turn, Writer, catch_up};

/// A node's clock: the simulation's time, off by some.
#[derive(Debug, Default)]
pub(super) struct Watch {
    elapsed: AtomicU64,
    skew: AtomicI64,
}

impl Watch {
    pub(super) fn set(&self, now: Micros) {
        self.elapsed.store(now, Ordering::Relaxed);
    }

    /// Makes it be off by so many microseconds.
    pub(super) fn skew(&self, by: i64) {
        self.skew.store(by, Ordering::Relaxed);
    }
}

impl Clock for Watch {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = self.elapsed.load(Ordering::Relaxed).cast_signed();
        noon() + TimeDelta::microseconds(elapsed + self.skew.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed.load(Ordering::Relaxed))
    }
}

pub(super) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// What outlives the process.
#[derive(Clone)]
pub(super) struct Disks {
    pub(super) journal: Arc<Disk>,
    pub(super) keyring: Arc<Disk>,
    pub(super) engine: Arc<Engine>,
    pub(super) vault: Rc<Vault>,
}

impl Disks {
    fn new() -> Self {
        Self {
            journal: Arc::default(),
            keyring: Arc::default(),
            engine: Arc::default(),
            vault: Rc::default(),
        }
    }

    /// A copy of all that they hold now, as a backup or a machine's image has it. The tables are built again.
    pub(super) fn image(&self) -> Self {
        let (journal, keyring) = (self.journal.copy(), self.keyring.copy());
        journal.limit(None);
        keyring.limit(None);
        let vault = Vault::clone(&self.vault);
        vault.limit(false);
        Self {
            journal: Arc::new(journal),
            keyring: Arc::new(keyring),
            engine: Arc::default(),
            vault: Rc::new(vault),
        }
    }

    /// As it is found when the process was ended; `power` says whether power was lost, and the seed how the
    /// dice fell.
    pub(super) fn found(&self, seed: u64, power: bool) -> Self {
        let (journal, keyring) = (self.journal.copy(), self.keyring.copy());
        let mut engine = Arc::clone(&self.engine);
        if power {
            journal.power_cut(seed);
            keyring.power_cut(seed);
        }
        match power && seed.is_multiple_of(4) {
            true => engine = Arc::default(),
            // What the database had not synced may be lost with the process already.
            false => engine.power_cut(seed),
        }
        Self {
            journal: Arc::new(journal),
            keyring: Arc::new(keyring),
            engine,
            vault: Rc::clone(&self.vault),
        }
    }
}

/// A node.
pub(super) struct Site {
    pub(super) number: usize,
    /// The site whose organisation it is: its own number, but for a double.
    pub(super) origin: usize,
    pub(super) name: &'static str,
    pub(super) id: OrganisationId,
    pub(super) role: OrganisationRole,
    pub(super) watch: Arc<Watch>,
    pub(super) disks: RefCell<Disks>,
    pub(super) process: RefCell<Option<Rc<Process>>>,
    /// Whether power is to be lost in a write.
    pub(super) torn: Cell<bool>,
    /// Whether its disks may still fail.
    pub(super) faulty: Cell<bool>,
    /// Whether there is no such machine: not yet, or not any more.
    pub(super) gone: Cell<bool>,
}

impl Site {
    pub(super) fn new(number: usize, role: OrganisationRole) -> Self {
        let byte = u8::try_from(number + 1).expect("there are few nodes");
        Self {
            number,
            origin: number,
            name: NAMES[number],
            id: OrganisationId::from_bytes([byte; 32]),
            role,
            watch: Arc::default(),
            disks: RefCell::new(Disks::new()),
            process: RefCell::default(),
            torn: Cell::new(false),
            faulty: Cell::new(false),
            gone: Cell::new(false),
        }
    }

    /// Room for a second machine of a node, which is not there yet.
    pub(super) fn double(number: usize, of: &Self) -> Self {
        Self {
            origin: of.number,
            name: DOUBLE,
            id: of.id,
            gone: Cell::new(true),
            ..Self::new(number, of.role)
        }
    }

    /// The running process; none while the node is down.
    pub(super) fn up(&self) -> Option<Rc<Process>> {
        self.process.borrow().clone()
    }

    pub(super) fn master(&self) -> [u8; 32] {
        *self.id.as_bytes()
    }

    /// Opens what is on the disks, as a start of the node does; an error where it does not start.
    pub(super) fn open(&self) -> Result<Process, String> {
        let disks = self.disks.borrow().clone();
        let text = |error: &dyn std::error::Error| crate::run::failed("start", error).message;
        let keyring = Keyring::open(disks.keyring.clone(), &self.master(), chance::fill);
        let keyring = Arc::new(keyring.map_err(|error| text(&error))?);
        let journal = Journal::open(disks.journal.clone(), Arc::clone(&keyring));
        let journal = journal.map_err(|error| text(&error))?;
        let store = Store::new(disks.engine.clone());
        catch_up(&journal, &store, &mut |_, _| {}).map_err(|error| text(&error))?;
        let reader = journal.reader();
        let tolerance = u32::try_from(super::start::TOLERANCE).expect("it is small");
        let clock = Arc::new(Steady::new(self.watch.clone(), tolerance));
        let writer = Writer {
            journal,
            keyring: Arc::clone(&keyring),
            store: store.clone(),
            clock: clock.clone(),
            metrics: Metrics::new(),
        };
        Ok(Process {
            site: self.number,
            id: self.id,
            sign: Sign::of(self.id),
            clock,
            looking: Cell::default(),
            writer: RefCell::new(writer),
            jobs: RefCell::default(),
            writing: Cell::new(false),
            syncing: Cell::new(false),
            effects: Arc::default(),
            waiters: RefCell::default(),
            failed: Cell::new(false),
            broke: Arc::default(),
            disk: disks.journal,
            store,
            journal: reader,
            keyring,
            vault: disks.vault,
            leases: Leases::default(),
            lent: RefCell::default(),
            sessions: Sessions::default(),
            refusals: Refusals::default(),
            mute: Cell::new(false),
            serving: Serving::default(),
            pins: RefCell::default(),
            judged: Cell::new(0),
            doors: RefCell::default(),
            driving: Cell::new(false),
            driven: RefCell::default(),
            doubts: RefCell::default(),
        })
    }
}

/// A node's process.
pub(super) struct Process {
    pub(super) site: usize,
    pub(super) id: OrganisationId,
    sign: Sign,
    pub(super) clock: Arc<Steady>,
    /// Whether somebody looks at the clock.
    pub(super) looking: Cell<bool>,
    writer: RefCell<Writer>,
    jobs: RefCell<VecDeque<Job>>,
    writing: Cell<bool>,
    syncing: Cell<bool>,
    effects: Arc<Mutex<Vec<Effect>>>,
    waiters: RefCell<BTreeSet<u64>>,
    pub(super) failed: Cell<bool>,
    /// Whether anybody was answered after the journal's disk had failed.
    pub(super) broke: Arc<AtomicBool>,
    disk: Arc<Disk>,
    pub(super) store: Store,
    pub(super) journal: Reader,
    pub(super) keyring: Arc<Keyring>,
    pub(super) vault: Rc<Vault>,
    pub(super) leases: Leases,
    /// Until when leases were lent.
    pub(super) lent: RefCell<BTreeMap<ShareId, Duration>>,
    pub(super) sessions: Sessions,
    pub(super) refusals: Refusals,
    /// Whether a refusal could not be recorded.
    pub(super) mute: Cell<bool>,
    /// The calls of partners that are being answered.
    pub(super) serving: Serving,
    pub(super) pins: RefCell<BTreeSet<OrganisationId>>,
    judged: Cell<u64>,
    doors: RefCell<BTreeMap<OrganisationId, Door>>,
    /// Whether a partner is being driven.
    pub(super) driving: Cell<bool>,
    /// The tasks that drive each partner.
    pub(super) driven: RefCell<BTreeMap<OrganisationId, Vec<u64>>>,
    pub(super) doubts: RefCell<BTreeSet<(ShareId, Digest)>>,
}

#[derive(Default)]
struct Door {
    knocks: Knocks,
    tasks: BTreeSet<u64>,
}

/// How many calls are being answered, by who called.
#[derive(Clone, Default)]
pub(super) struct Serving(Rc<RefCell<BTreeMap<OrganisationId, usize>>>);

/// A call that is being answered.
pub(super) struct Served(Serving, OrganisationId);

impl Serving {
    pub(super) fn begin(&self, caller: OrganisationId) -> Served {
        *self.0.borrow_mut().entry(caller).or_default() += 1;
        Served(self.clone(), caller)
    }

    /// The most that one partner has.
    pub(super) fn most(&self) -> usize {
        self.0.borrow().values().copied().max().unwrap_or_default()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(count) = self.0.0.borrow_mut().get_mut(&self.1) {
            *count -= 1;
        }
    }
}

/// An answer that a job leaves for whoever handed it in.
type Slot<R> = Arc<Mutex<Option<Result<R, Error>>>>;

impl Process {
    /// Reads the tables as they are durable.
    pub(super) fn read<R>(&self, read: impl FnOnce(&View<'_>) -> R) -> R {
        read(&self.store.read().view())
    }

    /// The organisations whose signatures count.
    pub(super) fn pinned(&self) -> Pinned {
        Pinned(self.pins.borrow().clone())
    }

    pub(super) fn judged(&self) -> u64 {
        self.judged.get()
    }

    /// What seals a received share now.
    pub(super) fn seal(&self, share: ShareId) -> Option<Seal> {
        self.leases.seal(share, self.clock.elapsed())
    }

    /// Takes a decision in its turn; answers when it is durable and its effects have begun.
    pub(super) async fn decide<R: Send + 'static>(
        self: &Rc<Self>,
        world: &Rc<World>,
        actor: Option<Actor>,
        way: Way,
        decide: impl FnOnce(&mut Context<'_>) -> Result<Decided<R>, Error> + Send + 'static,
    ) -> Result<R, Error> {
        if self.failed.get() {
            return Err(Stopped::Failed.into());
        }
        let slot: Slot<R> = Arc::default();
        let (told, effects, sign) = (slot.clone(), self.effects.clone(), self.sign.clone());
        let (broke, disk) = (Arc::clone(&self.broke), Arc::clone(&self.disk));
        let job: Job = Box::new(move |of: &mut Turn<'_>| {
            let decided = turn(of, &sign, actor, way, decide);
            let done: Done = Box::new(move |outcome| {
                if outcome.is_ok() && disk.failed() {
                    broke.store(true, Ordering::Relaxed);
                }
                let answer = match (decided, outcome) {
                    (Err(error), _) => Err(error),
                    (Ok(_), Err(stopped)) => Err(stopped.into()),
                    (Ok((reply, follow)), Ok(())) => {
                        effects.lock().unwrap().extend(follow);
                        reply
                    }
                };
                *told.lock().unwrap() = Some(answer);
            });
            done
        });
        self.jobs.borrow_mut().push_back(job);
        self.schedule(world);
        let task = world.running();
        let answered = || {
            // Each group wakes all who wait; whose turn it was not waits on.
            self.waiters.borrow_mut().insert(task);
            slot.lock().unwrap().is_some()
        };
        world.until(answered).await;
        let answer = slot.lock().unwrap().take();
        // The caller goes on a little later: a crash can come between what is durable and what follows.
        let wait = world.between(0, 300);
        world.sleep(wait).await;
        answer.expect("it was seen to be there")
    }

    /// Records one thing by itself; false where that can't be.
    pub(super) async fn record(self: &Rc<Self>, world: &Rc<World>, event: Event) -> bool {
        let recorded = self.decide(world, None, Way::Timer, |_| {
            Ok(Decided::new(vec![event], |_| Ok(())))
        });
        recorded.await.is_ok()
    }

    /// Whether the journal would survive a power cut as it is.
    pub(super) fn settled(&self) -> bool {
        self.disk.settled()
    }

    /// How many decisions wait.
    pub(super) fn queued(&self) -> usize {
        self.jobs.borrow().len()
    }

    fn schedule(self: &Rc<Self>, world: &Rc<World>) {
        if self.failed.get() || self.writing.replace(true) {
            return;
        }
        let process = Rc::downgrade(self);
        let wait = world.between(50, 4000).max(world.asleep(self.site));
        world.after_do(wait, move |world| {
            let Some(process) = process.upgrade() else {
                return;
            };
            if world.sites[process.site].lives(&process) {
                process.write(world);
            }
        });
    }

    /// Writes one group of what waits.
    fn write(self: &Rc<Self>, world: &Rc<World>) {
        self.writing.set(false);
        let first = self.jobs.borrow_mut().pop_front();
        let Some(first) = first else {
            return;
        };
        let alone = world.chance(300);
        let mut more = || match alone {
            true => None,
            false => self.jobs.borrow_mut().pop_front(),
        };
        let mut writer = self.writer.borrow_mut();
        let goes_on = writer.group(first, &mut more);
        let head = writer.journal.head();
        drop(writer);
        let hash = u16::from_be_bytes([head.hash[0], head.hash[1]]);
        world.note(format_args!(
            "{} wrote up to record {} ({hash:04x})",
            world.sites[self.site].name, head.count
        ));
        let effects = std::mem::take(&mut *self.effects.lock().unwrap());
        for effect in effects {
            self.follow(world, effect);
        }
        for task in std::mem::take(&mut *self.waiters.borrow_mut()) {
            world.after(0, Due::Poll(task));
        }
        if !goes_on {
            self.stop(world);
        }
        if !self.jobs.borrow().is_empty() {
            self.schedule(world);
        }
        self.sync(world);
    }

    /// Storage failed: nothing is decided any more, and the process ends soon.
    fn stop(self: &Rc<Self>, world: &Rc<World>) {
        if self.failed.replace(true) {
            return;
        }
        let (site, wait) = (self.site, world.between(1000, 1_000_000));
        if !world.sites[site].faulty.get() {
            let name = world.sites[site].name;
            world.fail(format!(
                "stopped: {name} stopped, and nothing of it had failed"
            ));
        }
        world.note(format_args!(
            "{} can't write any more",
            world.sites[site].name
        ));
        let process = Rc::downgrade(self);
        world.after_do(wait, move |world| {
            let ours = process.upgrade();
            if ours.is_some_and(|process| world.sites[site].lives(&process)) {
                super::fault::crash(world, site, false);
            }
        });
    }

    fn sync(self: &Rc<Self>, world: &Rc<World>) {
        if self.syncing.replace(true) {
            return;
        }
        let process = Rc::downgrade(self);
        world.after_do(500_000, move |world| {
            let Some(process) = process.upgrade() else {
                return;
            };
            process.syncing.set(false);
            if world.sites[process.site].lives(&process) && process.store.engine().sync().is_err() {
                process.stop(world);
            }
        });
    }

    fn follow(self: &Rc<Self>, world: &Rc<World>, effect: Effect) {
        match effect {
            Effect::Nudge(_) if planted(Bug::NotWoken) => {}
            Effect::Nudge(partner) => self.wake(world, partner),
            Effect::Greet(partner) => self.knock(world, partner, |knocks| knocks.news += 1),
            Effect::Pin(partner, ..) => {
                self.pins.borrow_mut().insert(partner);
                super::drive::begin(world, self, partner);
                super::net::contact(world, self.site, partner);
            }
            Effect::Cut(partner) => {
                self.pins.borrow_mut().remove(&partner);
                let tasks = self.driven.borrow_mut().remove(&partner);
                tasks
                    .into_iter()
                    .flatten()
                    .for_each(|task| world.kill(task));
                super::net::cut(world, self.site, partner);
            }
            Effect::Unlend(share) => self.unlend(share),
            Effect::Recheck => self.judged.set(self.judged.get() + 1),
        }
    }

    pub(super) fn unlend(&self, share: ShareId) {
        if planted(Bug::KeyKept) {
            return;
        }
        // Where the disk fails, the writer finds out.
        let _ = self.keyring.erase(KeyId::lease(share));
    }

    /// Says that there may be something to do with a partner.
    pub(super) fn wake(&self, world: &World, partner: OrganisationId) {
        self.knock(world, partner, |knocks| knocks.wakes += 1);
    }

    pub(super) fn greeted(&self, world: &World, partner: OrganisationId) {
        self.knock(world, partner, |knocks| knocks.greetings += 1);
    }

    fn knock(&self, world: &World, partner: OrganisationId, knock: impl FnOnce(&mut Knocks)) {
        let mut doors = self.doors.borrow_mut();
        let door = doors.entry(partner).or_default();
        knock(&mut door.knocks);
        for task in &door.tasks {
            world.after(0, Due::Poll(*task));
        }
    }

    /// How often the door of a partner was knocked at; the running task is woken by the next one.
    pub(super) fn knocks(&self, world: &World, partner: OrganisationId) -> Knocks {
        let mut doors = self.doors.borrow_mut();
        let door = doors.entry(partner).or_default();
        door.tasks.insert(world.running());
        door.knocks
    }

    /// Waits until the door of a partner was knocked at since, or until a moment.
    pub(super) async fn knocked(
        &self,
        world: &World,
        partner: OrganisationId,
        since: Knocks,
        until: Option<Micros>,
    ) {
        if let Some(until) = until {
            let wait = until.saturating_sub(world.now());
            world.after(wait, Due::Poll(world.running()));
        }
        let due = || until.is_some_and(|until| until <= world.now());
        world
            .until(|| due() || self.knocks(world, partner) != since)
            .await;
    }

    /// The partners that are trusted now.
    pub(super) fn partners(&self) -> Vec<OrganisationId> {
        let rows = self.read(|view| view.page(&table::PARTNER, &(), None, 99));
        let rows = rows.unwrap_or_default().into_iter();
        rows.filter(|(_, partner)| partner.state == State::Active)
            .map(|(id, _)| id)
            .collect()
    }

    /// Whether its clock can be trusted.
    pub(super) fn timely(&self) -> Result<(), Error> {
        self.read(crate::node::timely)
    }

    /// Whether the clock is suspected.
    pub(super) fn suspects(&self) -> bool {
        let node = self.read(|view| view.get(&table::NODE, &()));
        node.ok()
            .flatten()
            .is_some_and(|node| node.suspect.is_some())
    }

    /// The journal's end.
    pub(super) fn head(&self) -> journal::Head {
        self.journal.head()
    }
}

impl Site {
    /// Whether this is the process that runs now.
    pub(super) fn lives(&self, process: &Rc<Process>) -> bool {
        let up = self.process.borrow();
        up.as_ref().is_some_and(|up| Rc::ptr_eq(up, process))
    }
}

const DOUBLE: &str = "double";
const NAMES: [&str; 7] = [
    "north", "south", "harbour", "island", "valley", "summit", DOUBLE,
];
