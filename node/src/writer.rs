//! The one writer: a thread that decides, appends and applies, one group after another.
//!
//! Whatever changes the node goes through here as a job: a pure decision over the tables as they will
//! be, whose events are appended to the journal, made durable together, and then applied. A job is
//! answered when its events are durable. Nothing is applied before, so readers only ever see durable
//! state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::event::{Entry, Event, SealError};
use crate::journal::{self, Draft, Head, Journal};
use crate::keyring::{self, KeyId, Keyring};
use crate::metrics::Metrics;
use crate::store::engine::{self, Op};
use crate::store::project::{self, Meta, project};
use crate::store::table;
use crate::store::view::{self, Changes, Store, View};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// Why what was decided is not durable; nothing of it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The disk has no room left.
    #[error("the disk is full: nothing was recorded; free some space, then try again")]
    Full,
    /// Storage failed: that of the keys, of the journal or of the database.
    #[error("storage failed: the node has stopped taking changes; see its log, then restart it")]
    Failed,
    /// What was decided does not fit what is held, or is too large to be kept.
    #[error("that does not fit what this node holds: nothing was recorded; see its log")]
    Misfit,
}

/// A decision to be taken in its turn, and what follows when it is durable or is not.
pub type Job = Box<dyn FnOnce(&mut Turn<'_>) -> Done + Send>;

/// Told how it ended.
pub type Done = Box<dyn FnOnce(Result<(), Stopped>) + Send>;

/// What a job sees: the tables as they will be, the time, and where its events go.
pub struct Turn<'a> {
    store: &'a Store,
    changes: &'a mut Changes,
    staged: &'a mut Staged,
    keyring: &'a Keyring,
    head: Head,
    began: DateTime<Utc>,
    now: DateTime<Utc>,
    misfit: bool,
}

#[derive(Default)]
struct Staged {
    drafts: Vec<Draft>,
    ops: Vec<(u64, Vec<Op>)>,
    bytes: usize,
    failed: Option<view::Error>,
    unsealed: bool,
    stopped: Option<keyring::Error>,
    seal: bool,
}

impl Turn<'_> {
    /// The tables as they will be after everything decided so far.
    pub fn view(&self) -> View<'_> {
        View::over(self.store.engine(), self.changes)
    }

    /// The time that this job goes by.
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Has this job go by no earlier time: a clock that went back must not have it sign what never counts.
    pub fn not_before(&mut self, time: DateTime<Utc>) {
        self.now = self.now.max(time);
    }

    /// The journal's chain as it is durable now.
    pub const fn journal(&self) -> Head {
        self.head
    }

    /// Has the journal's open segment sealed before anything of this turn is written: what was durable
    /// before is in files that never change when the job is told so.
    pub fn seal(&mut self) {
        self.staged.seal = true;
    }

    /// Takes an event: it is durable when the job is told so. One that does not fit is refused with
    /// everything else of its job, and concerns nobody else: a partner may have brought it about.
    pub fn record(&mut self, entry: &Entry) {
        if self.misfit {
            return;
        }
        if let Err(error) = self.keyring.ensure(entry.event.key(), crate::chance::fill) {
            return self.unsealed(entry, error);
        }
        let parted = match entry.parted(self.keyring, &self.view()) {
            Ok(parted) => parted,
            Err(SealError::Key(error)) => return self.unsealed(entry, error),
            Err(SealError::View(error)) => {
                self.staged.failed.get_or_insert(error);
                return;
            }
        };
        let draft = parted
            .as_ref()
            .map_or(entry, |parted| &parted.entry)
            .draft();
        // What was erased is in no table either, whoever brings it again.
        let erased = parted.filter(|parted| parted.erased);
        let erased = erased.map(|parted| parted.entry.joined(self.keyring));
        let entry = erased.as_ref().unwrap_or(entry);
        let seq = self.head.count + self.staged.drafts.len() as u64 + 1;
        let meta = Meta {
            seq,
            at: self.began,
        };
        let projected = project(self.store.engine(), self.changes, meta, entry);
        let ops = self.changes.take();
        let misfit = match projected {
            Err(project::Error::View(error)) => {
                self.staged.failed.get_or_insert(error);
                return;
            }
            Err(error) => Some(error.to_string()),
            Ok(()) if draft.body.len() > journal::BODY => Some("its body is too large".to_owned()),
            // What the engine would not keep must never be durable: no start would get past it.
            Ok(()) => engine::check(&ops).err().map(|error| error.to_string()),
        };
        if let Some(reason) = misfit {
            let event = Event::name(entry.event.number());
            tracing::error!(event, reason, "an event does not fit and is not recorded");
            self.misfit = true;
            return;
        }
        self.staged.bytes += draft.body.len();
        self.staged.drafts.push(draft);
        self.staged.ops.push((seq, ops));
    }

    /// Notes why an event has no key.
    fn unsealed(&mut self, entry: &Entry, error: keyring::Error) {
        match error {
            keyring::Error::Full(_) => self.staged.unsealed = true,
            keyring::Error::Erased(_) | keyring::Error::Damaged(_) => {
                let event = Event::name(entry.event.number());
                tracing::error!(event, %error, "an event can't be sealed and is not recorded");
                self.misfit = true;
            }
            keyring::Error::Io(_) | keyring::Error::Stopped => {
                self.staged.stopped.get_or_insert(error);
            }
        }
    }
}

/// Where jobs are handed in.
#[derive(Clone)]
pub struct Queue {
    jobs: mpsc::Sender<Job>,
    failed: Arc<AtomicBool>,
}

impl Queue {
    /// Hands a job in, waiting for room.
    ///
    /// # Errors
    /// [`Stopped::Failed`] where the writer has stopped.
    pub async fn put(&self, job: Job) -> Result<(), Stopped> {
        self.jobs.send(job).await.map_err(|_| Stopped::Failed)
    }

    /// Whether the writer has stopped because storage failed.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

/// What the writer works with.
pub struct Writer {
    /// The truth.
    pub journal: Journal,
    /// The keys of the bodies.
    pub keyring: Arc<Keyring>,
    /// What follows from the journal.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Figures.
    pub metrics: Metrics,
}

impl Writer {
    /// Brings the database up to the journal, then starts the thread. It ends when every [`Queue`] is
    /// gone; the returned handle is joined to know that all is written.
    ///
    /// # Errors
    /// A text for the person who starts the node, where the journal can't be read or projected.
    pub fn start(mut self) -> Result<(Queue, std::thread::JoinHandle<()>), CatchUpError> {
        let (handed, mut queue) = self.open()?;
        let flag = Arc::clone(&handed.failed);
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                let ended = catch_unwind(AssertUnwindSafe(|| self.run(&mut queue, &flag)));
                flag.store(true, Ordering::Release);
                if ended.is_err() {
                    tracing::error!("the writer broke: the node stops taking changes");
                }
            });
        let thread = thread.map_err(CatchUpError::Thread)?;
        Ok((handed, thread))
    }

    /// The same as a task, for a simulation: it takes its turns among all others, and nothing syncs the
    /// database behind it.
    #[cfg(test)]
    pub(crate) fn task(mut self) -> Result<(Queue, impl Future<Output = ()>), CatchUpError> {
        let (handed, mut queue) = self.open()?;
        let failed = Arc::clone(&handed.failed);
        let work = async move {
            while let Some(first) = queue.recv().await {
                if !self.group(first, &mut || queue.try_recv().ok()) {
                    break;
                }
            }
            failed.store(true, Ordering::Release);
        };
        Ok((handed, work))
    }

    fn open(&self) -> Result<(Queue, mpsc::Receiver<Job>), CatchUpError> {
        catch_up(&self.journal, &self.store, &mut |_, _| {})?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let failed = Arc::default();
        Ok((Queue { jobs, failed }, queue))
    }

    fn run(&mut self, queue: &mut mpsc::Receiver<Job>, failed: &Arc<AtomicBool>) {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let (store, flag) = (self.store.clone(), Arc::clone(failed));
        let syncer = std::thread::Builder::new().name("database".into());
        let Ok(syncer) = syncer.spawn(move || keep_synced(&store, &told, &flag)) else {
            tracing::error!("no thread can be started: the node stops taking changes");
            return;
        };
        while let Some(first) = queue.blocking_recv() {
            let stopped = failed.load(Ordering::Acquire);
            if stopped || !self.group(first, &mut || queue.try_recv().ok()) {
                break;
            }
            // Where one is told already, this group is part of the same sync.
            let _ = tell.try_send(());
        }
        drop(tell);
        // It only ends when it has synced what is left, or has said why it can't.
        let _ = syncer.join();
    }

    /// Decides, appends and applies one group: a job with those that wait behind it, as many as fit; false
    /// where nothing can be written any more.
    pub(crate) fn group(&mut self, first: Job, more: &mut dyn FnMut() -> Option<Job>) -> bool {
        let mut changes = Changes::default();
        let mut staged = Staged::default();
        let mut done = Vec::new();
        let mut jobs = 0;
        let now = self.clock.now();
        let mut next = Some(first);
        while let Some(job) = next {
            let mut turn = Turn {
                store: &self.store,
                changes: &mut changes,
                staged: &mut staged,
                keyring: &self.keyring,
                head: self.journal.head(),
                began: now,
                now,
                misfit: false,
            };
            let before = turn.staged.drafts.len();
            let told = job(&mut turn);
            if turn.misfit {
                staged.drafts.truncate(before);
                staged.ops.truncate(before);
                changes.undo();
                told(Err(Stopped::Misfit));
            } else {
                changes.settle();
                done.push(told);
            }
            jobs += 1;
            let full = jobs >= GROUP_JOBS || staged.bytes >= GROUP_BYTES;
            next = if full || staged.broken() {
                None
            } else {
                more()
            };
        }
        let outcome = self.commit(now, &staged);
        #[cfg(test)]
        let outcome = match planted(Bug::AnsweredWhatever) {
            true => Ok(()),
            false => outcome,
        };
        let stop = outcome == Err(Stopped::Failed);
        for done in done {
            done(outcome);
        }
        !stop
    }

    fn commit(&mut self, now: DateTime<Utc>, staged: &Staged) -> Result<(), Stopped> {
        if let Some(error) = &staged.failed {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the database failed"
            );
            return Err(Stopped::Failed);
        }
        if let Some(error) = &staged.stopped {
            return Err(stop(error));
        }
        if staged.unsealed {
            return Err(Stopped::Full);
        }
        if staged.seal {
            match self.journal.seal() {
                Ok(()) => {}
                Err(journal::Error::Full(_)) => return Err(Stopped::Full),
                Err(error) => return Err(stop(&error)),
            }
        }
        if staged.drafts.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        self.keyring.sync().map_err(|error| stop(&error))?;
        let positions = match self.journal.append(now, &staged.drafts) {
            Ok(positions) => positions,
            #[cfg(test)]
            Err(_) if planted(Bug::FullForGood) => return Err(Stopped::Failed),
            Err(journal::Error::Full(_)) => return Err(Stopped::Full),
            Err(error) => return Err(stop(&error)),
        };
        self.metrics
            .journal_sync
            .observe(began.elapsed().as_secs_f64());
        self.metrics.journal_appends.inc();
        let mut places = Changes::default();
        for ((seq, ops), position) in staged.ops.iter().zip(&positions) {
            places.put(&table::POSITION, seq, &position.offset);
            let ops: Vec<Op> = ops.iter().cloned().chain(places.take()).collect();
            self.store.apply(*seq, &ops).map_err(|error| stop(&error))?;
        }
        self.metrics.journal_records.inc_by(positions.len() as u64);
        self.metrics
            .store_position
            .set(self.journal.head().count.cast_signed());
        Ok(())
    }
}

impl Staged {
    const fn broken(&self) -> bool {
        self.failed.is_some() || self.stopped.is_some() || self.unsealed
    }
}

/// Syncs the database soon after it was changed. It is only a projection: where that fails, the next
/// start replays the journal.
fn keep_synced(store: &Store, told: &std::sync::mpsc::Receiver<()>, failed: &AtomicBool) {
    while told.recv().is_ok() {
        std::thread::sleep(SYNC_AFTER);
        if let Err(error) = store.engine().sync() {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the database failed"
            );
            failed.store(true, Ordering::Release);
            return;
        }
    }
}

fn stop(error: &(dyn std::error::Error + 'static)) -> Stopped {
    tracing::error!(error, "storage failed: the node stops taking changes");
    Stopped::Failed
}

/// Why the database could not be brought up to the journal.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The database is ahead of the journal: one of the two was put back.
    #[error(
        "the database stands for record {applied}, the journal ends at {count}: one of them was put back; restore both from one backup"
    )]
    Ahead {
        /// What the database stands for.
        applied: u64,
        /// How far the journal goes.
        count: u64,
    },
    /// The journal can't be read.
    #[error("the journal can't be read")]
    Journal(#[from] journal::Error),
    /// A record was written by a newer release.
    #[error("record {seq} can't be read by this release: run the newer one")]
    Unreadable {
        /// Its number.
        seq: u64,
        /// What is wrong with it.
        #[source]
        source: crate::event::Unreadable,
    },
    /// A record can't be projected.
    #[error("record {seq} does not fit what came before it")]
    Project {
        /// Its number.
        seq: u64,
        /// Why.
        #[source]
        source: project::Error,
    },
    /// The database failed.
    #[error("the database failed")]
    Engine(#[from] engine::Error),
    /// No thread could be started.
    #[error("the writer's thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// Applies the records that the database does not stand for yet; `told` hears how far it is.
///
/// # Errors
/// [`CatchUpError`].
pub fn catch_up(
    journal: &Journal,
    store: &Store,
    told: &mut dyn FnMut(u64, u64),
) -> Result<(), CatchUpError> {
    let applied = store.engine().applied()?;
    let count = journal.head().count;
    if applied > count {
        return Err(CatchUpError::Ahead { applied, count });
    }
    let mut changes = Changes::default();
    let reader = journal.reader();
    for record in reader.scan(applied, None) {
        let record = record?;
        let seq = record.position.seq;
        if !replay(store, reader.keyring(), &mut changes, &record)? {
            changes.undo();
            changes.put(&table::LOST, &record.key.0, &seq);
            if record.key != KeyId::NODE {
                changes.put(&table::ABOUT, &(record.key.0, seq), &());
            }
        }
        changes.put(&table::POSITION, &seq, &record.position.offset);
        store.apply(seq, &changes.take())?;
        changes = Changes::default();
        if seq % 1000 == 0 {
            told(seq, count);
            store.engine().sync()?;
        }
    }
    store.engine().sync()?;
    Ok(())
}

/// Projects one record; false where its body can't be read, or builds on one that can't: what it is
/// about is closed then, and the node goes on with everything else.
fn replay(
    store: &Store,
    keyring: &Keyring,
    changes: &mut Changes,
    record: &journal::Record,
) -> Result<bool, CatchUpError> {
    let seq = record.position.seq;
    let body = match &record.body {
        journal::Body::Open(body) => body,
        // As it should be: what it was about was deleted.
        journal::Body::Erased => return Ok(false),
        journal::Body::Damaged => {
            tracing::error!(record = seq, key = %record.key, "a record can't be read: what it is about is closed");
            return Ok(false);
        }
    };
    let entry = Entry::read(body, keyring);
    let entry = entry.map_err(|source| CatchUpError::Unreadable { seq, source })?;
    let meta = Meta { seq, at: record.at };
    let Err(source) = project(store.engine(), changes, meta, &entry) else {
        return Ok(true);
    };
    let lost = View::over(store.engine(), changes).page(&table::LOST, &(), None, 1);
    match (&source, lost) {
        (project::Error::Dangling(_), Ok(lost)) if !lost.is_empty() => {
            tracing::error!(record = seq, key = %record.key, "a record builds on one that can't be read");
            Ok(false)
        }
        _ => Err(CatchUpError::Project { seq, source }),
    }
}

/// Jobs that may wait: more make their callers wait.
const QUEUE: usize = 1024;
/// Jobs in one group, so that readers of the database don't wait long.
const GROUP_JOBS: usize = 64;
/// Bytes of bodies in one group, for the same reason.
const GROUP_BYTES: usize = 1024 * 1024;
/// How long the database may lag behind on disk: what a restart has to replay.
const SYNC_AFTER: Duration = Duration::from_millis(500);
