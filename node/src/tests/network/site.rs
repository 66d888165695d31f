//! A simulated host: the disks that outlive its node, and the node while it runs, as `run` starts it.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::identity::OrganisationId;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::World;
use crate::actions::Way;
use crate::actions::partner::OrganisationRole;
use crate::blobs::{Blobs, Reserve};
use crate::clock::{Clock, Steady};
use crate::config::Config;
use crate::disk::Memory as Disk;
use crate::event::{Entry, Event, NodeMade};
use crate::features;
use crate::federation::net::Listener;
use crate::journal::Journal;
use crate::keyring::Keyring;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::run::{self, Init, Opened};
use crate::store::memory::Memory;
use crate::store::view::Store;
use crate::tests::bench::{copied, noon};
use crate::writer::Writer;
use crate::{chance, jobs};

/// The hosts, in the order of their organisations' ids.
const NAMES: [&str; 6] = ["north", "south", "harbour", "east", "west", "border"];
/// Where partners come in.
const FEDERATION: u16 = 7440;
/// Where strangers come in.
const PAIRING: u16 = 7441;

/// One host.
pub(super) struct Site {
    pub(super) number: usize,
    pub(super) name: &'static str,
    pub(super) id: OrganisationId,
    advertised: bool,
    dir: TempDir,
    disks: RefCell<Disks>,
    pub(super) watch: Arc<Watch>,
    up: RefCell<Option<Node>>,
    /// How often it was started.
    pub(super) boots: Cell<u32>,
    /// Records that are in the log of the run.
    pub(super) noted: Cell<u64>,
}

/// What is on the disks of a host, but for the blobs.
#[derive(Clone, Default)]
struct Disks {
    journal: Arc<Disk>,
    keyring: Arc<Disk>,
    engine: Arc<Memory>,
}

/// A host's clock: simulated time, and how far it is off.
#[derive(Default)]
pub(super) struct Watch {
    off: AtomicI64,
    /// A moment of the running node, and how long the simulation had run by then.
    began: Mutex<Option<(Instant, Duration)>>,
}

impl Watch {
    /// Sets it by so many seconds.
    pub(super) fn set(&self, seconds: i64) {
        self.off.fetch_add(seconds, Ordering::Relaxed);
    }

    /// How far it is off, in seconds.
    pub(super) fn off(&self) -> i64 {
        self.off.load(Ordering::Relaxed)
    }

    fn begin(&self) {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        *began = Some((Instant::now(), elapsed));
    }
}

impl Clock for Watch {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.elapsed()).unwrap();
        noon() + elapsed + TimeDelta::seconds(self.off.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        let began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        began.map_or(Duration::ZERO, |(moment, elapsed)| {
            elapsed + moment.elapsed()
        })
    }
}

/// Keys of organisations, made once for all runs, in the order of their ids: so that what is ordered by
/// them is ordered by names.
pub(super) fn identities() -> &'static [(OrganisationId, TempDir)] {
    static MADE: OnceLock<Vec<(OrganisationId, TempDir)>> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut made: Vec<_> = NAMES
            .iter()
            .map(|name| {
                let dir = tempfile::tempdir().unwrap();
                let keys = Keys::create(&dir.path().join("keys"), name, noon()).unwrap();
                (keys.organisation(), dir)
            })
            .collect();
        made.sort_by_key(|(organisation, _)| *organisation);
        made
    })
}

/// In memory where the system has that: a run makes thousands of files durable.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

impl Site {
    pub(super) fn new(number: usize, advertised: bool, skew: i64) -> Self {
        let (id, identity) = &identities()[number];
        let dir = scratch();
        copied(identity.path(), dir.path());
        let watch = Watch::default();
        watch.set(skew);
        let site = Self {
            number,
            name: NAMES[number],
            id: *id,
            advertised,
            dir,
            disks: RefCell::default(),
            watch: Arc::new(watch),
            up: RefCell::default(),
            boots: Cell::default(),
            noted: Cell::new(2),
        };
        site.make();
        site
    }

    fn role(&self) -> OrganisationRole {
        match self.number % 3 {
            2 => OrganisationRole::Justice,
            _ => OrganisationRole::Investigation,
        }
    }

    fn make(&self) {
        let made = Event::NodeMade(NodeMade {
            organisation: self.id,
            name: self.name.into(),
            role: self.role(),
        });
        let begun = [made, Event::FeaturesSet(features::all())].map(|event| Entry {
            actor: None,
            way: Way::Socket,
            event,
        });
        let (mut journal, _) = self.journal(&self.disks.borrow(), &self.keys());
        let drafts = begun.map(|entry| entry.draft());
        journal.append(noon(), &drafts).unwrap();
    }

    fn keys(&self) -> Keys {
        Keys::open(&self.dir.path().join(run::KEYS), self.watch.now()).unwrap()
    }

    fn journal(&self, disks: &Disks, keys: &Keys) -> (Journal, Arc<Keyring>) {
        let keyring = disks.keyring.clone();
        let keyring = Keyring::open(keyring, keys.master(), chance::fill).unwrap();
        let keyring = Arc::new(keyring);
        let journal = Journal::open(disks.journal.clone(), Arc::clone(&keyring)).unwrap();
        (journal, keyring)
    }

    /// The node, while it runs.
    pub(super) fn up(&self) -> Option<Node> {
        self.up.borrow().clone()
    }

    pub(super) fn engine(&self) -> Arc<Memory> {
        Arc::clone(&self.disks.borrow().engine)
    }

    /// What the tables would hold if they were built again.
    pub(super) fn rebuilt(&self) -> Arc<Memory> {
        let disks = self.disks.borrow();
        let disks = Disks {
            journal: Arc::new(disks.journal.copy()),
            keyring: Arc::new(disks.keyring.copy()),
            engine: Arc::default(),
        };
        let (journal, _) = self.journal(&disks, &self.keys());
        let store = Store::new(disks.engine.clone());
        crate::writer::catch_up(&journal, &store, &mut |_, _| {}).unwrap();
        disks.engine
    }

    /// Takes the disks as they are found after a crash; where power was lost, with what was not synced lost or
    /// torn. Whatever is left of the process can't reach them any more.
    pub(super) fn crashed(&self, lost: Option<u64>) {
        let mut disks = self.disks.borrow_mut();
        let (journal, keyring) = (disks.journal.copy(), disks.keyring.copy());
        if let Some(seed) = lost {
            journal.power_cut(seed);
            keyring.power_cut(seed);
            disks.engine.power_cut(seed);
        }
        disks.journal = Arc::new(journal);
        disks.keyring = Arc::new(keyring);
    }

    /// Says that the process is about to end.
    pub(super) fn down(&self) {
        self.up.replace(None);
    }

    fn config(&self) -> Config {
        let any = |port| (std::net::Ipv4Addr::UNSPECIFIED, port).into();
        Config::new(&Init {
            data: self.dir.path().to_owned(),
            name: self.name.into(),
            role: self.role(),
            federation: any(FEDERATION),
            pairing: any(PAIRING),
            api: any(0),
            metrics: None,
            advertise: self
                .advertised
                .then(|| format!("{}:{FEDERATION}", self.name)),
            allow_private: true,
        })
    }

    /// Opens what is stored; gives the node and its writer.
    fn open(&self) -> (Node, impl Future<Output = ()> + use<>) {
        let (keys, disks) = (self.keys(), self.disks.borrow());
        let (journal, keyring) = self.journal(&disks, &keys);
        let (reader, metrics) = (journal.reader(), Metrics::new());
        let store = Store::new(disks.engine.clone());
        let tolerance = self.config().clock.tolerance_seconds.get();
        let clock: Arc<dyn Clock> = Arc::new(Steady::new(self.watch.clone(), tolerance));
        let writer = Writer {
            journal,
            keyring: Arc::clone(&keyring),
            store: store.clone(),
            clock: Arc::clone(&clock),
            metrics: metrics.clone(),
        };
        let (queue, writing) = writer.task().unwrap();
        let reserve = Reserve {
            bytes: 0,
            percent: 0,
        };
        let (blobs, _) = Blobs::open(&self.dir.path().join(run::BLOBS), reserve).unwrap();
        let opened = Opened {
            store,
            queue,
            journal: reader,
            keyring,
            blobs,
            metrics,
        };
        let node = opened.node(self.dir.path(), self.config(), keys, clock);
        (node.unwrap(), writing)
    }
}

/// The life of a node, until its process ends.
pub(super) async fn live(world: Rc<World>, number: usize) -> turmoil::Result {
    let site = &world.sites[number];
    site.watch.begin();
    site.boots.set(site.boots.get() + 1);
    let (node, writing) = site.open();
    tokio::spawn(writing);
    if let Some(suspected) = run::behind(&node)? {
        jobs::suspect(&node, suspected).await?;
    }
    let config = &node.parts().config;
    let federation = Listener::bind(config.federation.listen).await?;
    let pairing = Listener::bind(config.pairing.listen).await?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    run::work(&node, federation, pairing, &tasks, &stop);
    let count = node.parts().journal.head().count;
    world
        .log
        .note(site.name, format_args!("runs, {count} records"));
    site.up.replace(Some(node.clone()));
    tokio::task::spawn_local(super::people::work(Rc::clone(&world), number, node.clone()));
    run::supervise(&node, &tasks, &stop).await?;
    Ok(())
}
