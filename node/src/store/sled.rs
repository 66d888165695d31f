//! The engine over sled 0.34.7, with what has to be done around it.
//!
//! Invariant: what `sync` has answered for survives power loss (sled's own flush does not flush
//! the device: its data file is synced here), no snapshot file that a crash left half-written
//! keeps the database from opening, a database has its name only when it is whole, and a value
//! that is not what was written is never returned. Any failure inside sled stops the engine.
//!
//! Not here: noticing that sled has silently lost whole commits; `applied` against the journal
//! and the projection's own counts do that.

use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional as _};

use super::engine::{Engine, Error, Op, OpenError, Pair, Stats, Tree, check, sensible};

/// How long an open waits for a lock: sled gives it up a while after it was dropped.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);
/// A value's checksum in bytes.
const SUM: usize = 16;
/// What the engine itself stores, apart from the trees of its users.
const OWN: &str = "engine";
const APPLIED: &[u8] = b"applied";
const SHAPE: &[u8] = b"shape";

/// A sled database in one directory.
#[derive(Debug)]
pub struct Sled {
    db: sled::Db,
    /// The four trees of [`Tree::ALL`] and the engine's own.
    trees: [sled::Tree; 5],
    data: File,
    dir: PathBuf,
    stopped: AtomicBool,
}

impl Sled {
    /// Opens the database of a directory, creating it where there is none.
    ///
    /// `cache` is sled's page cache in bytes (expect twice that in memory); `shape` is the version
    /// of what the projection stores.
    ///
    /// # Errors
    /// See [`OpenError`]. After `Corrupt` and both shape errors the caller moves the directory
    /// [`aside`] and builds again.
    pub fn open(dir: &Path, cache: u64, shape: u32) -> Result<Self, OpenError> {
        Self::within(dir, cache, shape, PATIENCE)
    }

    fn within(dir: &Path, cache: u64, shape: u32, patience: Duration) -> Result<Self, OpenError> {
        if !dir.try_exists()? {
            create(dir, cache, shape, patience)?;
        }
        tidy(dir)?;
        let db = match start(dir, cache, patience) {
            Err(OpenError::Corrupt(what)) => {
                tracing::warn!(
                    what,
                    "the database does not open: trying without its snapshot"
                );
                shelve(dir)?;
                start(dir, cache, patience)?
            }
            started => started?,
        };
        settle(dir)?;
        let trees = trees(&db)?;
        let data = File::open(dir.join("db"))?;
        let stopped = AtomicBool::new(false);
        let engine = Self {
            db,
            trees,
            data,
            dir: dir.to_path_buf(),
            stopped,
        };
        let found = engine
            .own(SHAPE)
            .map_err(|_| corrupt("it states no shape"))?;
        let found = found
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_be_bytes);
        match found {
            Some(found) if found > shape => Err(OpenError::NewerShape {
                found,
                known: shape,
            }),
            Some(found) if found < shape => Err(OpenError::OlderShape {
                found,
                known: shape,
            }),
            Some(_) => Ok(engine),
            None => Err(corrupt("it states no shape")),
        }
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        &self.trees[tree as usize]
    }

    fn own(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let own = &self.trees[Tree::ALL.len()];
        let value = self.guard(|| own.get(key))?;
        value
            .map(|stored| open(Tree::ALL.len(), key, &stored))
            .transpose()
    }

    /// Runs a call of sled; an error or panic inside it stops the engine.
    fn guard<T>(&self, call: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, Error> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(Error::Stopped);
        }
        let failure = match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(sled::Error::Corruption { .. })) => Error::Damaged,
            Ok(Err(error)) => Error::Failed(error.into()),
            Err(_) => Error::Failed(io::Error::other("sled panicked")),
        };
        self.stopped.store(true, Ordering::Release);
        Err(failure)
    }
}

impl Engine for Sled {
    fn apply(&self, applied: u64, ops: &[Op]) -> Result<(), Error> {
        check(ops)?;
        let own = Tree::ALL.len();
        self.guard(|| {
            let done = self.trees[..].transaction(|trees| {
                for op in ops {
                    match op {
                        Op::Put(tree, key, value) => {
                            let stored = seal(*tree as usize, key, value);
                            trees[*tree as usize].insert(key.as_slice(), stored)?;
                        }
                        Op::Delete(tree, key) => {
                            trees[*tree as usize].remove(key.as_slice())?;
                        }
                    }
                }
                trees[own].insert(APPLIED, seal(own, APPLIED, &applied.to_be_bytes()))?;
                Ok::<(), ConflictableTransactionError<std::convert::Infallible>>(())
            });
            done.map_err(|error| match error {
                TransactionError::Storage(error) => error,
                TransactionError::Abort(never) => match never {},
            })
        })
    }

    fn sync(&self) -> Result<(), Error> {
        self.guard(|| {
            self.db.flush()?;
            Ok(self.data.sync_data()?)
        })
    }

    fn applied(&self) -> Result<u64, Error> {
        let Some(bytes) = self.own(APPLIED)? else {
            return Ok(0);
        };
        bytes
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| Error::Damaged)
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let value = self.guard(|| self.tree(tree).get(key))?;
        value
            .map(|stored| open(tree as usize, key, &stored))
            .transpose()
    }

    fn scan(
        &self,
        tree: Tree,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, Error> {
        if !sensible(from, to) {
            return Ok(Vec::new());
        }
        let pairs: Vec<_> = self.guard(|| {
            let range = self.tree(tree).range::<&[u8], _>((from, to));
            range.take(limit).collect::<Result<_, _>>()
        })?;
        let opened = pairs.into_iter().map(|(key, stored)| {
            let value = open(tree as usize, &key, &stored)?;
            Ok((key.to_vec(), value))
        });
        opened.collect()
    }

    fn stats(&self) -> Stats {
        let sizes = |dir: &Path| -> Vec<u64> {
            let Ok(entries) = fs::read_dir(dir) else {
                return Vec::new();
            };
            let files = entries.flatten().filter_map(|entry| entry.metadata().ok());
            files
                .filter(fs::Metadata::is_file)
                .map(|file| file.len())
                .collect()
        };
        let stray = sizes(&self.dir.join("blobs"));
        let bytes = sizes(&self.dir).iter().chain(&stray).sum();
        Stats {
            bytes,
            stray: stray.len() as u64,
        }
    }
}

/// Moves a database out of the way under a name that is free, and says which.
///
/// # Errors
/// Whatever the file system reports.
pub fn aside(dir: &Path) -> io::Result<PathBuf> {
    let mut number = 1;
    let target = loop {
        let target = beside(dir, &format!("aside-{number}"));
        if !target.try_exists()? {
            break target;
        }
        number += 1;
    };
    fs::rename(dir, &target)?;
    sync_parent(dir)?;
    Ok(target)
}

/// Puts a closed database, built beside the old one, in its place; the old one moves [`aside`].
///
/// # Errors
/// Whatever the file system reports; the old one may then already be out of the way, and the
/// caller does the same again or builds anew.
pub fn promote(fresh: &Path, dir: &Path) -> io::Result<()> {
    if dir.try_exists()? {
        aside(dir)?;
    }
    fs::rename(fresh, dir)?;
    sync_parent(dir)
}

/// Removes what was moved [`aside`] from `dir`: it may have texts of what was deleted since.
///
/// # Errors
/// Whatever the file system reports.
pub fn forget(dir: &Path) -> io::Result<()> {
    let aside = beside(dir, "aside-");
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    for entry in fs::read_dir(parent.unwrap_or_else(|| Path::new(".")))? {
        let entry = entry?;
        let name = entry.file_name();
        let begins = aside.file_name().unwrap_or_default().as_encoded_bytes();
        if name.as_encoded_bytes().starts_with(begins) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    sync_parent(dir)
}

/// Builds an empty database beside `dir` and gives it the name once it is whole.
fn create(dir: &Path, cache: u64, shape: u32, patience: Duration) -> Result<(), OpenError> {
    let stage = beside(dir, "init");
    if stage.try_exists()? {
        fs::remove_dir_all(&stage)?;
    }
    let db = start(&stage, cache, patience)?;
    let trees = trees(&db)?;
    let own = Tree::ALL.len();
    let stored = seal(own, SHAPE, &shape.to_be_bytes());
    trees[own].insert(SHAPE, stored).map_err(refused)?;
    db.flush().map_err(refused)?;
    drop((trees, db));
    // Once it opens again, the lock is free and nothing writes behind our back.
    drop(start(&stage, cache, patience)?);
    drop(lock(&stage, patience)?);
    settle(&stage)?;
    fs::rename(&stage, dir)?;
    Ok(sync_parent(dir)?)
}

fn start(dir: &Path, cache: u64, patience: Duration) -> Result<sled::Db, OpenError> {
    let begun = Instant::now();
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(cache)
        .mode(sled::Mode::LowSpace);
    loop {
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        match opened.unwrap_or_else(|_| Err(sled::Error::ReportableBug("sled panicked".into()))) {
            Ok(db) => return Ok(db),
            Err(error) => match refused(error) {
                OpenError::Locked if begun.elapsed() < patience => std::thread::sleep(PAUSE),
                error => return Err(error),
            },
        }
    }
}

/// Waits until nobody has the database open.
fn lock(dir: &Path, patience: Duration) -> Result<File, OpenError> {
    let begun = Instant::now();
    let data = File::open(dir.join("db"))?;
    loop {
        match data.try_lock() {
            Ok(()) => return Ok(data),
            Err(fs::TryLockError::Error(error)) => return Err(error.into()),
            Err(fs::TryLockError::WouldBlock) if begun.elapsed() < patience => {
                std::thread::sleep(PAUSE);
            }
            Err(fs::TryLockError::WouldBlock) => return Err(OpenError::Locked),
        }
    }
}

fn trees(db: &sled::Db) -> Result<[sled::Tree; 5], OpenError> {
    let tree = |name| db.open_tree(name).map_err(refused);
    Ok([
        tree("entity")?,
        tree("index")?,
        tree("feed")?,
        tree("meta")?,
        tree(OWN)?,
    ])
}

/// Says what an error while opening means.
fn refused(error: sled::Error) -> OpenError {
    match error {
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            OpenError::Locked
        }
        sled::Error::Io(error) if damage(error.kind()) => OpenError::Corrupt(error.to_string()),
        sled::Error::Io(error) => OpenError::Io(error),
        other => OpenError::Corrupt(other.to_string()),
    }
}

/// Tells what sled reports about its own files from what the file system reports.
fn damage(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::Other
    )
}

fn corrupt(what: &str) -> OpenError {
    OpenError::Corrupt(what.to_owned())
}

/// Removes snapshots that were being written when the process died: sled would prefer them.
fn tidy(dir: &Path) -> io::Result<()> {
    for (name, path) in files(dir)? {
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Puts snapshots where sled does not see them: they are a shortcut to what its data file says.
fn shelve(dir: &Path) -> io::Result<()> {
    for (name, path) in files(dir)? {
        if name.starts_with("snap.") {
            fs::rename(path, dir.join(format!("aside.{name}")))?;
        }
    }
    Ok(())
}

/// Makes every file of a database, and their names, durable.
fn settle(dir: &Path) -> io::Result<()> {
    for (_, path) in files(dir)? {
        match File::open(path) {
            Ok(file) => file.sync_all()?,
            // Sled replaces its snapshot when it likes.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    File::open(dir.join("blobs"))?.sync_all()?;
    File::open(dir)?.sync_all()
}

fn files(dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push((
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            ));
        }
    }
    Ok(files)
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    dir.with_file_name(name)
}

fn sync_parent(dir: &Path) -> io::Result<()> {
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Puts a checksum over place and value before the value.
fn seal(tree: usize, key: &[u8], value: &[u8]) -> Vec<u8> {
    [&sum(tree, key, value)[..], value].concat()
}

fn open(tree: usize, key: &[u8], stored: &[u8]) -> Result<Vec<u8>, Error> {
    let (written, value) = stored.split_at_checked(SUM).ok_or(Error::Damaged)?;
    if written != sum(tree, key, value) {
        return Err(Error::Damaged);
    }
    Ok(value.to_vec())
}

fn sum(tree: usize, key: &[u8], value: &[u8]) -> [u8; SUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(tree as u64).to_be_bytes());
    hasher.update(&(key.len() as u64).to_be_bytes());
    hasher.update(key);
    hasher.update(value);
    let mut sum = [0; SUM];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..SUM]);
    sum
}

#[cfg(test)]
mod tests;
