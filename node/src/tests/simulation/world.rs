//! The scheduler: simulated time, tasks that run one at a time, and one order of everything for one seed.
//!
//! Invariant: nothing here or above asks a real clock, a thread or the operating system; two runs of one
//! seed have the same trace.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::ledger::Ledger;
use super::net::{Message, Net};
use super::oracle::Oracle;
use super::plan::Plan;
use super::site::Site;
use super::standing::Standing;
use super::trace::Trace;
use crate::disk::Dice;

/// A moment, or a length of time, in microseconds.
pub(super) type Micros = u64;
pub(super) const SECOND: Micros = 1_000_000;

/// A whole federation.
pub(super) struct World {
    now: Cell<Micros>,
    next: Cell<u64>,
    due: RefCell<BTreeMap<(Micros, u64), Due>>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    running: Cell<u64>,
    dice: RefCell<Dice>,
    pub(super) plan: Plan,
    pub(super) sites: Vec<Site>,
    pub(super) net: Net,
    pub(super) oracle: RefCell<Oracle>,
    pub(super) trace: RefCell<Trace>,
    /// What broke first.
    failed: RefCell<Option<String>>,
    /// How far each node's journal was looked through.
    pub(super) scanned: RefCell<super::check::Scanned>,
    /// The incarnation of each node, as it was seen last.
    pub(super) lives: RefCell<super::check::Lives>,
    /// Whether whatever could take longer or shorter takes the same time, and nothing is left to chance.
    pub(super) even: Cell<bool>,
    /// Who is listened to, and what was heard.
    pub(super) ear: RefCell<Option<super::twin::Ear>>,
    /// Who lies, and how it answers.
    pub(super) lying: super::lies::Lying,
    /// What every node's journal says.
    pub(super) ledgers: RefCell<Vec<Ledger>>,
    /// What people stopped.
    pub(super) standing: RefCell<Standing>,
    /// Machines that sleep, and until when.
    sleeping: RefCell<BTreeMap<usize, Micros>>,
    /// Whether faults have stopped and everything is to settle.
    pub(super) calm: Cell<bool>,
}

/// What happens at some moment.
pub(super) enum Due {
    /// A task may go on.
    Poll(u64),
    /// A message arrives.
    Arrive(Message),
    /// Something else.
    Do(Deed),
}

/// Something that is done once.
type Deed = Box<dyn FnOnce(&Rc<World>)>;

struct Task {
    site: usize,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

impl World {
    pub(super) fn new(plan: Plan, dice: Dice, sites: Vec<Site>) -> Rc<Self> {
        Rc::new(Self {
            now: Cell::new(0),
            next: Cell::new(1),
            due: RefCell::default(),
            tasks: RefCell::default(),
            running: Cell::new(0),
            dice: RefCell::new(dice),
            plan,
            ledgers: RefCell::new(sites.iter().map(|_| Ledger::default()).collect()),
            standing: RefCell::default(),
            sleeping: RefCell::default(),
            sites,
            net: Net::default(),
            oracle: RefCell::default(),
            trace: RefCell::default(),
            failed: RefCell::default(),
            scanned: RefCell::default(),
            lives: RefCell::default(),
            even: Cell::new(false),
            ear: RefCell::default(),
            lying: super::lies::Lying::default(),
            calm: Cell::new(false),
        })
    }

    pub(super) fn now(&self) -> Micros {
        self.now.get()
    }

    /// A number that was not given before.
    pub(super) fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// A number from 0 to `end` - 1.
    pub(super) fn below(&self, end: u64) -> u64 {
        if self.even.get() {
            return 0;
        }
        let end = usize::try_from(end.max(1)).expect("it is a small number");
        self.dice.borrow_mut().below(end) as u64
    }

    /// Whether something happens that does so many times in a thousand.
    pub(super) fn chance(&self, permille: u64) -> bool {
        !self.even.get() && self.below(1000) < permille
    }

    /// A time between the two.
    pub(super) fn between(&self, least: Micros, most: Micros) -> Micros {
        least + self.below(most.saturating_sub(least))
    }

    /// Notes what happens, for the log.
    pub(super) fn note(&self, what: fmt::Arguments<'_>) {
        self.trace.borrow_mut().note(self.now.get(), what);
    }

    /// Ends the run: something does not hold.
    pub(super) fn fail(&self, what: String) {
        self.note(format_args!("FAILED: {what}"));
        self.failed.borrow_mut().get_or_insert(what);
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failed.borrow().clone()
    }

    /// Has something happen after a time.
    pub(super) fn after(&self, wait: Micros, due: Due) {
        let at = (self.now.get() + wait, self.number());
        self.due.borrow_mut().insert(at, due);
    }

    pub(super) fn after_do(&self, wait: Micros, what: impl FnOnce(&Rc<Self>) + 'static) {
        self.after(wait, Due::Do(Box::new(what)));
    }

    /// Loses what is under way from and to a site: its connections end with its machine.
    pub(super) fn lose(&self, site: usize) {
        let ours = |due: &Due| match due {
            Due::Arrive(message) => message.from == site || message.to == site,
            _ => false,
        };
        self.due.borrow_mut().retain(|_, due| !ours(due));
    }

    /// Starts a task of a site; it dies with the site's process.
    pub(super) fn spawn(&self, site: usize, future: impl Future<Output = ()> + 'static) -> u64 {
        let id = self.number();
        let future = Box::pin(future);
        self.tasks.borrow_mut().insert(id, Task { site, future });
        self.after(0, Due::Poll(id));
        id
    }

    pub(super) fn kill(&self, task: u64) {
        let gone = self.tasks.borrow_mut().remove(&task);
        drop(gone);
    }

    /// Ends every task of a site.
    pub(super) fn kill_all(&self, site: usize) {
        let gone: Vec<Task> = {
            let mut tasks = self.tasks.borrow_mut();
            let ids: Vec<u64> = tasks
                .iter()
                .filter(|(_, task)| task.site == site)
                .map(|(id, _)| *id)
                .collect();
            ids.iter().filter_map(|id| tasks.remove(id)).collect()
        };
        drop(gone);
    }

    /// The task that is running.
    pub(super) fn running(&self) -> u64 {
        self.running.get()
    }

    /// Lets time pass for the running task.
    pub(super) async fn sleep(&self, wait: Micros) {
        let until = self.now.get() + wait;
        self.after(wait, Due::Poll(self.running.get()));
        self.until(|| self.now.get() >= until).await;
    }

    /// Lets a little time pass, as between any two steps of a task; now and then a lot.
    pub(super) async fn rest(&self, most: Micros) {
        let most = match self.chance(50) {
            true => 3 * SECOND,
            false => most,
        };
        let wait = self.between(0, most);
        self.sleep(wait).await;
    }

    /// Waits until something holds; whoever makes it hold polls the task.
    pub(super) async fn until(&self, holds: impl Fn() -> bool) {
        poll_fn(|_| match holds() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Has a machine sleep for a while: nothing on it runs, and what arrives waits.
    pub(super) fn lull(&self, site: usize, wait: Micros) {
        self.sleeping.borrow_mut().insert(site, self.now() + wait);
    }

    /// For how long a machine still sleeps.
    pub(super) fn asleep(&self, site: usize) -> Micros {
        let until = self.sleeping.borrow().get(&site).copied();
        until.map_or(0, |until| until.saturating_sub(self.now()))
    }

    /// Runs until a moment, or until there is nothing to do or something is broken.
    pub(super) fn run(self: &Rc<Self>, until: Micros) {
        while self.failed.borrow().is_none() {
            let first = {
                let mut due = self.due.borrow_mut();
                match due.first_key_value() {
                    Some(((at, _), _)) if *at <= until => due.pop_first(),
                    _ => None,
                }
            };
            let Some(((at, _), due)) = first else {
                break;
            };
            self.now.set(at);
            for site in &self.sites {
                site.watch.set(at);
            }
            self.trace.borrow_mut().figures.steps += 1;
            match due {
                Due::Poll(task) => self.poll(task),
                Due::Arrive(message) => match self.asleep(message.to) {
                    0 => super::net::arrive(self, message),
                    wait => self.after(wait, Due::Arrive(message)),
                },
                Due::Do(what) => what(self),
            }
        }
        self.now.set(self.now.get().max(until));
    }

    fn poll(&self, id: u64) {
        let task = self.tasks.borrow_mut().remove(&id);
        let Some(mut task) = task else {
            return;
        };
        let wait = self.asleep(task.site);
        if wait > 0 {
            self.tasks.borrow_mut().insert(id, task);
            return self.after(wait, Due::Poll(id));
        }
        self.running.set(id);
        let mut context = Context::from_waker(Waker::noop());
        if task.future.as_mut().poll(&mut context).is_pending() {
            self.tasks.borrow_mut().insert(id, task);
        }
    }

    /// Ends all that runs: tasks hold the world, and the world them.
    pub(super) fn end(&self) {
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(tasks);
        let due = std::mem::take(&mut *self.due.borrow_mut());
        drop(due);
        for site in &self.sites {
            site.process.take();
        }
    }
}

impl World {
    /// Every node, once.
    pub(super) fn nodes(&self) -> &[Site] {
        &self.sites[..self.plan.nodes]
    }

    /// Where a call to an organisation arrives: where it runs twice, at either.
    pub(super) fn route(&self, id: interdocket_sync::identity::OrganisationId) -> usize {
        let site = self.site(id).number;
        let double = self.sites.get(self.plan.nodes);
        match double.filter(|double| double.origin == site && !double.gone.get()) {
            Some(double) if self.chance(500) => double.number,
            _ => site,
        }
    }

    /// The site of an organisation.
    pub(super) fn site(&self, id: interdocket_sync::identity::OrganisationId) -> &Site {
        let site = self.sites.iter().find(|site| site.id == id);
        site.expect("every partner is a site")
    }
}
