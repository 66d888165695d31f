//! The home of evidence bytes on a node: stage, commit a batch, stream, read, delete.
//!
//! A blob is named by its digest, and nothing is readable under it before it is whole, verified and
//! durable. Whoever stores a blob records its [`Placed`] only after [`Blobs::commit`] returned, so a
//! record never points at nothing; what was committed and never recorded is found by
//! [`Blobs::list`]. Big blobs are files of their own, small ones lie in packs. All calls block.
//!
//! Not here: who may read what, which blobs are still needed, and one process at a time per folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use interdocket_sync::blob::Digest;

use crate::disk;

mod copy;
mod decode;
mod direct;
mod encode;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod header;
mod held;
mod ingest;
mod mark;
mod pack;
mod piece;
mod ranges;
mod read;
mod receive;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
mod writer;

pub use copy::Stored;
pub use decode::{Decoder, Leaf};
pub use encode::Encoder;
pub use error::Error;
pub use held::{Place, Placed, StageId, Staged};
pub use ranges::Ranges;
pub use read::Reader;
pub use receive::{Progress, Receiver};

use held::{Body, Owned};

/// The largest blob that is kept in a pack, in bytes. Until its commit it is in memory, so a batch
/// should not exceed 64 MiB or 1,024 of them.
pub const SMALL: u64 = 256 * 1024;

/// The evidence bytes of a node.
#[derive(Debug, Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    reserve: Reserve,
    packs: Mutex<pack::Packs>,
    busy: Mutex<BTreeSet<StageId>>,
    next: AtomicU64,
    /// The most that found no room since there was room for it, in bytes.
    refused: AtomicU64,
}

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// How many packs there are.
    pub packs: u64,
    /// How many bytes at the end of the last pack belong to no whole record, as after a crash. They
    /// are left alone.
    pub ignored: u64,
}

/// How much of the disk is left free: the larger of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// In bytes.
    pub bytes: u64,
    /// As a share of the disk, in percent.
    pub percent: u8,
}

/// The disk that holds the blobs, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Its size.
    pub total: u64,
    /// What the node may still use, the reserve included.
    pub free: u64,
    /// What is left free: intake is refused below it.
    pub reserve: u64,
    /// The most that was to be taken in and still finds no room; 0 where nothing waits for space.
    pub refused: u64,
}

impl Space {
    /// What may still be taken in.
    pub const fn room(&self) -> u64 {
        self.free.saturating_sub(self.reserve)
    }
}

impl Default for Reserve {
    fn default() -> Self {
        Self {
            bytes: 2 << 30,
            percent: 5,
        }
    }
}

impl Blobs {
    /// Opens the folder, making it where it does not exist. Leftovers of intakes are removed; what
    /// was being received stays until [`Blobs::sweep`].
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(dir: &Path, reserve: Reserve) -> Result<(Self, Opened), Error> {
        for folder in [
            dir.to_owned(),
            dir.join("stage"),
            dir.join("own"),
            dir.join("packs"),
        ] {
            fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        }
        sync(dir)?;
        sync(disk::above(dir))?;
        let (packs, count, ignored) = pack::Packs::open(dir.join("packs"))?;
        let inner = Inner {
            dir: dir.to_owned(),
            reserve,
            packs: Mutex::new(packs),
            busy: Mutex::default(),
            next: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        let blobs = Self {
            inner: Arc::new(inner),
        };
        blobs.clear(|name| name.starts_with(stage::FRESH))?;
        Ok((
            blobs,
            Opened {
                packs: count,
                ignored,
            },
        ))
    }

    /// Stores a batch: on return all of it is durable and readable, in the order given. Blobs that
    /// are there in a file of their own are replaced by the same bytes, which heals damage; equal
    /// small blobs within the batch are stored once, and the caller leaves out those it has.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`]: none of the batch counts as stored then.
    pub fn commit(&self, staged: Vec<Staged>) -> Result<Vec<Placed>, Error> {
        let mut small: BTreeMap<Digest, &[u8]> = BTreeMap::new();
        let mut order = Vec::new();
        for blob in &staged {
            if let Body::Small(data) = &blob.body
                && small.insert(blob.digest, data).is_none()
            {
                order.push((blob.digest, data.as_slice()));
            }
        }
        if !order.is_empty() {
            self.inner
                .room(order.iter().map(|(_, data)| data.len() as u64).sum())?;
        }
        let places = lock(&self.inner.packs).append(&order)?;
        let places: BTreeMap<Digest, Place> = order
            .iter()
            .map(|(digest, _)| *digest)
            .zip(places)
            .collect();
        self.inner.adopt(&staged)?;
        let placed = staged.iter().map(|blob| Placed {
            digest: blob.digest,
            size: blob.size,
            place: places.get(&blob.digest).copied().unwrap_or(Place::Own),
        });
        Ok(placed.collect())
    }

    /// Forgets what was received of a blob.
    ///
    /// # Errors
    /// [`Error::Busy`] while it is being received.
    pub fn discard(&self, stage: StageId) -> Result<(), Error> {
        let paths = stage::paths(&self.inner, &stage.0);
        let _busy = self.inner.busy(stage)?;
        paths.remove();
        Ok(())
    }

    /// Deletes blobs, so that their bytes are gone on return. That nothing names them any more is
    /// for the caller to know; deleting twice does nothing.
    ///
    /// # Errors
    /// [`Error::Damaged`] where something else lies there, [`Error::Io`].
    pub fn delete(&self, blobs: &[Placed]) -> Result<(), Error> {
        let mut packs: BTreeMap<u32, Vec<(u32, Placed)>> = BTreeMap::new();
        let mut folders = BTreeSet::new();
        for blob in blobs {
            if let Place::Pack { number, offset } = blob.place {
                packs.entry(number).or_default().push((offset, *blob));
                continue;
            }
            let path = self.inner.own(blob.digest);
            match fs::remove_file(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                removed => removed.map_err(Error::io("remove", &path))?,
            }
            folders.extend(path.parent().map(Path::to_owned));
        }
        folders.iter().try_for_each(|folder| sync(folder))?;
        let open = lock(&self.inner.packs);
        packs
            .iter()
            .try_for_each(|(number, blobs)| open.delete(*number, blobs))
    }

    /// Removes what was received for stages other than these and those in use.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sweep(&self, keep: &BTreeSet<StageId>) -> Result<(), Error> {
        let busy = lock(&self.inner.busy);
        self.clear(|name| {
            let stage = StageId(name.strip_suffix(stage::TREE).unwrap_or(name).to_owned());
            !name.starts_with(stage::FRESH) && !keep.contains(&stage) && !busy.contains(&stage)
        })
    }

    /// Lists all that is stored, by reading headers; their bytes are not verified, and after a crash
    /// some were never whole.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn list(&self, found: &mut dyn FnMut(Placed)) -> Result<(), Error> {
        let own = self.inner.dir.join("own");
        for folder in names(&own)? {
            for name in names(&own.join(&folder))? {
                let path = own.join(&folder).join(&name);
                let header = File::open(&path).and_then(|file| read::own(&file));
                if let (Ok(digest), Ok(Ok(header))) = (name.parse::<Digest>(), header)
                    && header.digest == digest
                {
                    found(Placed {
                        digest,
                        size: header.size,
                        place: Place::Own,
                    });
                }
            }
        }
        pack::Packs::list(&self.inner.packs_folder(), found)
    }

    /// How full the disk is.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn space(&self) -> Result<Space, Error> {
        self.inner.space()
    }

    fn clear(&self, unwanted: impl Fn(&str) -> bool) -> Result<(), Error> {
        let folder = self.inner.dir.join("stage");
        for name in names(&folder)?.into_iter().filter(|name| unwanted(name)) {
            let path = folder.join(name);
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
        Ok(())
    }
}

impl Inner {
    fn space(&self) -> Result<Space, Error> {
        let found = rustix::fs::statvfs(&self.dir);
        let found = found.map_err(|e| Error::io("measure", &self.dir)(e.into()))?;
        let (total, free) = (
            found.f_blocks * found.f_frsize,
            found.f_bavail * found.f_frsize,
        );
        let share = total / 100 * u64::from(self.reserve.percent.min(100));
        let mut space = Space {
            total,
            free,
            reserve: self.reserve.bytes.max(share),
            refused: self.refused.load(Ordering::Relaxed),
        };
        if space.refused <= space.room() {
            self.refused.store(0, Ordering::Relaxed);
            space.refused = 0;
        }
        Ok(space)
    }

    /// Refuses where so many bytes more would reach into the reserve.
    fn room(&self, bytes: u64) -> Result<(), Error> {
        if self.space()?.room() < bytes.max(1) {
            self.refused.fetch_max(bytes.max(1), Ordering::Relaxed);
            return Err(Error::Full);
        }
        Ok(())
    }

    /// Moves the staged files of a batch to where they stay.
    fn adopt(&self, staged: &[Staged]) -> Result<(), Error> {
        let mut folders = BTreeSet::new();
        for blob in staged {
            let Body::Own(owned) = &blob.body else {
                continue;
            };
            let path = self.own(blob.digest);
            let folder = path.parent().unwrap_or(&self.dir).to_owned();
            if !folder.exists() {
                fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
                folders.insert(self.dir.join("own"));
            }
            fs::rename(&owned.paths.data, &path).map_err(Error::io("place", &path))?;
            folders.insert(folder);
        }
        folders.iter().try_for_each(|folder| sync(folder))?;
        for blob in staged {
            if let Body::Own(owned) = &blob.body {
                owned.paths.remove();
            }
        }
        Ok(())
    }

    fn busy(self: &Arc<Self>, stage: StageId) -> Result<Busy, Error> {
        if !lock(&self.busy).insert(stage.clone()) {
            return Err(Error::Busy);
        }
        Ok(Busy {
            inner: self.clone(),
            stage,
        })
    }

    fn own(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.dir.join("own").join(&name[..2]).join(name)
    }

    fn packs_folder(&self) -> PathBuf {
        self.dir.join("packs")
    }
}

/// A stage that nobody else may use meanwhile.
#[derive(Debug)]
struct Busy {
    inner: Arc<Inner>,
    stage: StageId,
}

impl Drop for Busy {
    fn drop(&mut self) {
        lock(&self.inner.busy).remove(&self.stage);
    }
}

/// Nothing that a panic can interrupt leaves these values half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names
        .collect::<Result<_, _>>()
        .map_err(Error::io("list", folder))
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("sync", folder))
}
