//! The life of a node in its data directory: made once, run often, rebuilt when need be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::pairing;
use serde::Serialize;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actions::decide::Context;
use crate::actions::partner::{OrganisationRole, State};
use crate::actions::{self, Error, ErrorKind, Progress, Way};
use crate::blobs::{Blobs, Reserve};
use crate::clock::{self, Clock, Steady};
use crate::config::{self, Config};
use crate::disk::{self, Disk};
use crate::event::{Bytes, ClockSuspected, Entry, Event, NodeMade};
use crate::federation::{self, Contact, Later, net};
use crate::journal::{Journal, Position, Reader};
use crate::keyring::Keyring;
use crate::keys::{self, Keys, Leaf, Pins};
use crate::metrics::Metrics;
use crate::node::{Moment, Node, Parts};
use crate::store::engine::OpenError;
use crate::store::project::SHAPE;
use crate::store::sled;
use crate::store::view::Store;
use crate::store::{entity, table};
use crate::web::{self, Probes};
use crate::writer::{Queue, Writer, catch_up};
use crate::{chance, erase, jobs, links, log, process, restore, scrub};

/// What a new node is to be.
#[derive(Debug, Clone)]
pub struct Init {
    /// The directory for everything that the node keeps; it must be empty or not exist.
    pub data: PathBuf,
    /// The organisation's name.
    pub name: String,
    /// What the organisation does.
    pub role: OrganisationRole,
    /// Where partners' connections are accepted.
    pub federation: SocketAddr,
    /// Where pairing happens.
    pub pairing: SocketAddr,
    /// Where the API is served over HTTPS.
    pub api: SocketAddr,
    /// Where metrics are served; nowhere if none.
    pub metrics: Option<SocketAddr>,
    /// The `host:port` that partners dial; this node dials them if none.
    pub advertise: Option<String>,
    /// Whether partners may have private and loopback addresses.
    pub allow_private: bool,
}

/// A node that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Initialised {
    /// The organisation's id.
    pub organisation: OrganisationId,
    /// The configuration file.
    pub configuration: PathBuf,
}

/// A database that was built again.
#[derive(Debug, Clone, Serialize)]
pub struct Rebuilt {
    /// How many records of the journal it follows from.
    pub records: u64,
}

/// Makes directories, keys and configuration.
///
/// # Errors
/// `Conflict` where a node is there already, `Unavailable` where something cannot be written.
pub fn init(init: &Init) -> Result<Initialised, Error> {
    let name = init.name.trim();
    if name.is_empty() || name.len() > pairing::NAME || name.chars().any(char::is_control) {
        let message = format!(
            "an organisation's name has 1 to {} bytes on one line",
            pairing::NAME
        );
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let data = &init.data;
    empty(data)?;
    disk::directory(data).map_err(|error| failed("make the data directory", &error))?;
    let clock = clock::System;
    let keys = Keys::create(&data.join(KEYS), name, clock.now())
        .map_err(|error| failed("make the node's keys", &error))?;
    let organisation = keys.organisation();
    let (mut journal, _) = journal(hold(data)?, &keys)?;
    let made = Event::NodeMade(NodeMade {
        organisation,
        name: name.to_owned(),
        role: init.role,
    });
    let record = Entry {
        actor: None,
        way: Way::Socket,
        event: made,
    };
    journal
        .append(clock.now(), &[record.draft()])
        .map_err(|error| failed("begin the journal", &error))?;
    // Last of all: where there is a configuration, there is a whole node.
    let configuration = data.join(config::FILE);
    let text = Config::new(&Init {
        name: name.to_owned(),
        ..init.clone()
    })
    .render();
    let placed = disk::Real::open(data)
        .and_then(|disk| Ok(disk::place(&disk, config::FILE, text.as_bytes())?));
    placed.map_err(|error| failed("write the configuration", &error))?;
    Ok(Initialised {
        organisation,
        configuration,
    })
}

/// Refuses a directory that has anything in it.
pub(crate) fn empty(data: &Path) -> Result<(), Error> {
    match std::fs::read_dir(data).map(Iterator::count) {
        Ok(0) => Ok(()),
        Ok(_) => {
            let message = format!("{} is not empty", data.display());
            Err(Error::new(ErrorKind::Conflict, message)
                .hint("give a directory that is empty or does not exist"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("read the data directory", &error)),
    }
}

/// Builds the database again from the journal, while the node does not run. The old one goes, and those that were
/// moved aside: no text of what was deleted is left in any.
///
/// # Errors
/// `Conflict` while the node runs, `Unavailable` where the journal cannot be read.
pub fn rebuild(data: &Path, progress: &Progress) -> Result<Rebuilt, Error> {
    let (config, keys, _) = identity(data)?;
    let (journal, _) = journal(hold(data)?, &keys)?;
    let (fresh, old) = (data.join("database.new"), data.join(DATABASE));
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh)
            .map_err(|error| failed("remove a half-built database", &error))?;
    }
    {
        let engine = sled::Sled::open(&fresh, config.store.cache_bytes.get(), SHAPE)
            .map_err(|error| failed("make a new database", &error))?;
        let store = Store::new(Arc::new(engine));
        catch_up(&journal, &store, &mut |done, total| {
            progress.report(done, total)
        })
        .map_err(|error| failed("build the database", &error))?;
    }
    // Beside the old one until it is whole.
    sled::promote(&fresh, &old).map_err(|error| failed("put the new database in place", &error))?;
    sled::forget(&old).map_err(|error| failed("remove the old database", &error))?;
    Ok(Rebuilt {
        records: journal.head().count,
    })
}

/// A root that was handed over to.
#[derive(Debug, Clone, Serialize)]
pub struct Handed {
    /// Where the new root's key is.
    pub key: PathBuf,
    /// Until when it counts.
    pub expires_at: DateTime<Utc>,
}

/// Hands over from one root's key to a new one, which is written to `to`. Partners, who pinned the first
/// root, take what stands under the new one; nothing is asked of them.
///
/// # Errors
/// `Conflict` while the node runs, or where `from` is not the key of the root or `to` exists.
pub fn hand_over(data: &Path, from: &Path, to: &Path) -> Result<Handed, Error> {
    let (_, keys, clock) = identity(data)?;
    let (mut journal, _) = journal(hold(data)?, &keys)?;
    let now = clock.now();
    let refused = |error: keys::Error| {
        let kind = match error {
            keys::Error::OtherRoot(_) | keys::Error::There(_) | keys::Error::Spent(_) => {
                ErrorKind::Conflict
            }
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, error.to_string())
    };
    let successor = keys.successor(from, to, now).map_err(refused)?;
    let record = Entry {
        actor: None,
        way: Way::Socket,
        event: Event::RootHandedOver(Bytes(successor.der().to_vec())),
    };
    journal
        .append(now, &[record.draft()])
        .map_err(|error| failed("record the hand-over", &error))?;
    keys.hand_over(&successor, now).map_err(refused)?;
    Ok(Handed {
        key: to.to_owned(),
        expires_at: keys.expiries().root,
    })
}

/// Runs the node until `stop`, then stops in order.
///
/// # Errors
/// What keeps the node from starting or running, with what to do.
pub async fn run(data: &Path, stop: CancellationToken) -> Result<(), Error> {
    let (config, keys, clock) = identity(data)?;
    log::start(config.log.format, &config.log.level)
        .map_err(|error| failed("set up the log", &error))?;
    process::confine();
    // Before anything that a node which runs already could notice.
    let held = hold(data)?;
    let sockets = Sockets::bind(data, &config).await?;
    let place = data.to_owned();
    let opened = tokio::task::spawn_blocking(move || open(&place, held, config, keys, clock)).await;
    let (node, writer) =
        opened.map_err(|_| Error::new(ErrorKind::Unavailable, "starting failed"))??;
    if let Some(suspected) = behind(&node)? {
        jobs::suspect(&node, suspected).await?;
    }
    let tasks = TaskTracker::new();
    serve(&node, sockets, &tasks, &stop)?;
    tracing::info!(
        organisation = %node.parts().keys.organisation(),
        records = node.parts().journal.head().count,
        "the node is ready"
    );
    let ended = supervise(&node, &tasks, &stop).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    drop(node);
    let joined = tokio::task::spawn_blocking(move || writer.join()).await;
    tracing::info!("the node has stopped");
    match (ended, joined) {
        (Ok(()), Ok(Ok(()))) => Ok(()),
        (Err(error), _) => Err(error),
        _ => Err(Error::new(
            ErrorKind::Unavailable,
            "the writer broke; see the log",
        )),
    }
}

/// Opens a node as [`run`] does, without serving anything; its writer ends when the node is gone.
///
/// # Errors
/// What keeps the node from starting, with what to do.
pub fn unserved(data: &Path) -> Result<(Node, std::thread::JoinHandle<()>), Error> {
    let (config, keys, clock) = identity(data)?;
    open(data, hold(data)?, config, keys, clock)
}

/// Configuration, keys and clock: what is needed before anything is opened.
fn identity(data: &Path) -> Result<(Config, Keys, Arc<dyn Clock>), Error> {
    if restore::under_way(data) {
        return Err(restore::unfinished(data));
    }
    let config = Config::load(data).map_err(|error| {
        if let config::Error::Missing(_) = error {
            return Error::new(ErrorKind::NotFound, error.to_string());
        }
        Error::new(ErrorKind::Invalid, reasons(&error))
            .hint("correct it, or bring it back from a backup")
    })?;
    let clock: Arc<dyn Clock> = Arc::new(Steady::new(
        Arc::new(clock::System),
        config.clock.tolerance_seconds.get(),
    ));
    let keys = Keys::open(&data.join(KEYS), clock.now())
        .map_err(|error| failed("open the node's keys", &error))?;
    Ok((config, keys, clock))
}

/// The directories of the journal and its keyring, taken for this process alone.
pub(crate) struct Held {
    journal: Arc<dyn Disk>,
    keyring: Arc<dyn Disk>,
}

impl Held {
    /// The directory of the journal.
    pub(crate) fn journal(&self) -> &dyn Disk {
        &*self.journal
    }
}

/// Takes a data directory for this process alone.
pub(crate) fn hold(data: &Path) -> Result<Held, Error> {
    let disk = |folder: &str| {
        let path = data.join(folder);
        disk::directory(&path).map_err(|error| failed("make a directory", &error))?;
        let opened = disk::Real::open(&path);
        opened
            .map(|disk| Arc::new(disk) as Arc<dyn Disk>)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::WouldBlock => running(data),
                _ => failed("open a directory of the node", &error),
            })
    };
    Ok(Held {
        journal: disk(JOURNAL)?,
        keyring: disk(KEYRING)?,
    })
}

/// The journal with its keyring.
pub(crate) fn journal(held: Held, keys: &Keys) -> Result<(Journal, Arc<Keyring>), Error> {
    let keyring = Keyring::open(held.keyring, keys.master(), chance::fill)
        .map_err(|error| failed("open the keyring", &error))?;
    let keyring = Arc::new(keyring);
    let journal = Journal::open(held.journal, Arc::clone(&keyring))
        .map_err(|error| failed("open the journal", &error))?;
    Ok((journal, keyring))
}

fn running(data: &Path) -> Error {
    let message = format!("a node is running on {} already", data.display());
    Error::new(ErrorKind::Conflict, message)
        .hint("stop it first; two on one directory would ruin it")
}

/// Opens what is stored, brings the database up to the journal, and starts the writer.
fn open(
    data: &Path,
    held: Held,
    config: Config,
    keys: Keys,
    clock: Arc<dyn Clock>,
) -> Result<(Node, std::thread::JoinHandle<()>), Error> {
    let (journal, keyring) = journal(held, &keys)?;
    let reader = journal.reader();
    let store = Store::new(Arc::new(database(data, &config)?));
    let metrics = Metrics::new();
    let writer = Writer {
        journal,
        keyring: Arc::clone(&keyring),
        store: store.clone(),
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
    };
    let (queue, thread) = writer
        .start()
        .map_err(|error| failed("open the database", &error))?;
    let reserve = Reserve {
        bytes: config.store.reserve_bytes,
        percent: 0,
    };
    let (blobs, _) = Blobs::open(&data.join(BLOBS), reserve)
        .map_err(|error| failed("open the blobs", &error))?;
    let opened = Opened {
        store,
        queue,
        journal: reader,
        keyring,
        blobs,
        metrics,
    };
    Ok((opened.node(data, config, keys, clock)?, thread))
}

/// What a node has stored, opened.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) journal: Reader,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) blobs: Blobs,
    pub(crate) metrics: Metrics,
}

impl Opened {
    /// The node that it is; nothing is served yet.
    pub(crate) fn node(
        self,
        data: &Path,
        config: Config,
        keys: Keys,
        clock: Arc<dyn Clock>,
    ) -> Result<Node, Error> {
        let keys = Arc::new(keys);
        let pins = Pins::default();
        for (organisation, partner) in partners(&self.store)? {
            if partner.state == State::Active {
                let later = partner.later.as_ref();
                pins.set(organisation, &partner.root.0)
                    .and_then(|()| {
                        later.map_or(Ok(()), |later| pins.follow(organisation, &later.0))
                    })
                    .map_err(|error| failed("pin a partner's root", &error))?;
            }
        }
        let transport = federation::serve::transport(&keys, &pins, &clock, &self.store, &config)?;
        let https = federation::serve::certificate(&keys, &config, clock.as_ref())?;
        Ok(Node::new(Parts {
            store: self.store,
            queue: self.queue,
            journal: self.journal,
            keyring: self.keyring,
            blobs: self.blobs,
            keys,
            https: Arc::new(Leaf::new(https)),
            pins,
            transport,
            clock,
            metrics: self.metrics,
            config,
            data: data.to_owned(),
            moment: Moment::default(),
        }))
    }
}

/// The database; one that can't be used is moved aside, as it follows from the journal.
fn database(data: &Path, config: &Config) -> Result<sled::Sled, Error> {
    let dir = data.join(DATABASE);
    let cache = config.store.cache_bytes.get();
    match sled::Sled::open(&dir, cache, SHAPE) {
        Ok(engine) => Ok(engine),
        Err(OpenError::Locked) => Err(running(data)),
        Err(error @ OpenError::Io(_)) => Err(failed("open the database", &error)),
        Err(error) => {
            let aside =
                sled::aside(&dir).map_err(|error| failed("move the database aside", &error))?;
            eprintln!("{error}; it is kept as {}", aside.display());
            sled::Sled::open(&dir, cache, SHAPE)
                .map_err(|error| failed("make a new database", &error))
        }
    }
}

/// Finds a clock that is behind what the journal has seen.
pub(crate) fn behind(node: &Node) -> Result<Option<ClockSuspected>, Error> {
    let parts = node.parts();
    let seq = parts.journal.head().count;
    let offset = parts.store.read().view().get(&table::POSITION, &seq)?;
    let Some(offset) = offset else {
        return Ok(None);
    };
    let last = parts
        .journal
        .read(Position { seq, offset })
        .map_err(|error| failed("read the journal's last record", &error))?
        .at;
    let says = parts.clock.now();
    let tolerance = i64::from(parts.config.clock.tolerance_seconds.get());
    let behind = last - says > chrono::TimeDelta::seconds(tolerance);
    Ok(behind.then_some(ClockSuspected {
        says,
        expected: last,
    }))
}

fn partners(store: &Store) -> Result<Vec<(OrganisationId, entity::Partner)>, Error> {
    Ok(store
        .read()
        .view()
        .page(&table::PARTNER, &(), None, usize::MAX)?)
}

/// Everything that listens, bound before anything is read: so a port that is taken is said at once.
struct Sockets {
    federation: net::Listener,
    pairing: net::Listener,
    api: TcpListener,
    metrics: Option<TcpListener>,
    local: UnixListener,
}

impl Sockets {
    async fn bind(data: &Path, config: &Config) -> Result<Self, Error> {
        let metrics = match &config.metrics {
            Some(metrics) => Some(bind("metrics", metrics.listen).await?),
            None => None,
        };
        Ok(Self {
            federation: reach("federation", config.federation.listen).await?,
            pairing: reach("pairing", config.pairing.listen).await?,
            api: bind("api", config.api.listen).await?,
            metrics,
            local: web::bind(data).map_err(|error| failed("open the local socket", &error))?,
        })
    }
}

async fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| taken(what, address, &error))
}

/// Binds a port that partners reach.
async fn reach(what: &str, address: SocketAddr) -> Result<net::Listener, Error> {
    let bound = net::Listener::bind(address).await;
    bound.map_err(|error| taken(what, address, &error))
}

fn taken(what: &str, address: SocketAddr, error: &std::io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("cannot listen on {address}: {error}"),
    )
    .hint(format!(
        "stop what uses it, or change {what}.listen in {}",
        config::FILE
    ))
}

/// Starts all that serves and works by itself.
fn serve(
    node: &Node,
    sockets: Sockets,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let parts = node.parts();
    let tls = federation::serve::https(Arc::clone(&parts.https))?;
    let ready = node.clone();
    let live = node.clone();
    let probes = Probes {
        ready: Arc::new(move || !ready.parts().queue.failed()),
        live: Arc::new(move || !live.parts().queue.failed()),
    };
    tasks.spawn(web::serve_socket(
        sockets.local,
        node.clone(),
        probes.clone(),
        stop.clone(),
    ));
    tasks.spawn(web::serve_https(
        sockets.api,
        tls,
        node.clone(),
        probes,
        stop.clone(),
    ));
    if let Some(listener) = sockets.metrics {
        tasks.spawn(web::serve_metrics(
            listener,
            parts.metrics.clone(),
            stop.clone(),
        ));
    }
    work(node, sockets.federation, sockets.pairing, tasks, stop);
    Ok(())
}

/// Starts all that partners reach, and what the node does by itself.
pub(crate) fn work(
    node: &Node,
    federation: net::Listener,
    pairing: net::Listener,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let (routes, transport) = (
        federation::serve::routes(node),
        node.parts().transport.clone(),
    );
    let token = stop.clone();
    tasks.spawn(async move { transport.serve(federation, routes, token).await });
    tasks.spawn(federation::serve::pairing(
        node.clone(),
        pairing,
        stop.clone(),
    ));
    tasks.spawn(jobs::clock(node.clone(), stop.clone()));
    tasks.spawn(jobs::compare(node.clone(), stop.clone()));
    tasks.spawn(jobs::renew(node.clone(), stop.clone()));
    tasks.spawn(scrub::scrub(node.clone(), stop.clone()));
    tasks.spawn(jobs::sweep(node.clone(), stop.clone()));
    tasks.spawn(erase::run(node.clone(), stop.clone()));
    tasks.spawn(jobs::watch(node.clone(), stop.clone()));
    tasks.spawn(jobs::people::people(node.clone(), stop.clone()));
    tasks.spawn(jobs::watermark::watermark(node.clone(), stop.clone()));
    tasks.spawn(federation::sessions::watch(node.clone(), stop.clone()));
    tasks.spawn(links::watch(node.clone(), stop.clone()));
}

/// Keeps one set of tasks for each active partner, until told to stop or storage fails.
pub(crate) async fn supervise(
    node: &Node,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let mut driven: BTreeMap<OrganisationId, CancellationToken> = BTreeMap::new();
    let mut contacts = node.parts().transport.registry().watch();
    let mut roots = node.parts().transport.watch_roots();
    loop {
        let known = partners(&node.parts().store)?;
        let active: BTreeSet<OrganisationId> = known
            .iter()
            .filter(|(_, partner)| partner.state == State::Active)
            .map(|(organisation, _)| *organisation)
            .collect();
        driven.retain(|partner, token| {
            let keep = active.contains(partner);
            if !keep {
                token.cancel();
            }
            keep
        });
        for partner in active {
            driven.entry(partner).or_insert_with(|| {
                let token = stop.child_token();
                federation::serve::partner(node, partner, tasks, &token);
                token
            });
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = node.partners_changed() => {}
            contact = contacts.recv() => {
                if let Ok(Contact::Connected(partner)) = contact {
                    node.wake(partner);
                }
            }
            later = roots.recv() => {
                if let Ok(Later { partner, root }) = later {
                    let decide = move |context: &mut Context<'_>| {
                        actions::partner::handed_over(context, partner, root)
                    };
                    node.decide(None, Way::Partner, decide).await?;
                    tracing::info!(%partner, "a partner handed over to another root: nobody connects as it by an older one");
                }
            }
            () = tokio::time::sleep(WATCH) => {
                if node.parts().queue.failed() {
                    return Err(Error::new(ErrorKind::Unavailable, "storage failed: the node stops")
                        .hint("look at the log above and at the disk, then start the node again"));
                }
            }
        }
    }
}

/// What could not be done, and every reason below it.
pub(crate) fn failed(what: &str, error: &dyn std::error::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("could not {what}: {}", reasons(error)),
    )
}

fn reasons(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        message = format!("{message}: {reason}");
        source = reason.source();
    }
    message
}

pub(crate) const KEYS: &str = "keys";
pub(crate) const KEYRING: &str = "keyring";
pub(crate) const JOURNAL: &str = "journal";
const DATABASE: &str = "database";
pub(crate) const BLOBS: &str = "blobs";

/// How often the node looks whether its storage still works.
const WATCH: std::time::Duration = std::time::Duration::from_secs(1);
