//! Backups of a running node: sealed segments of the journal, the bytes that its tables name, and the
//! keys to them.
//!
//! Invariant: the folder holds one whole backup, the older or the newer one, wherever writing it was
//! cut: files lie in it under their digests and never change, and the manifest that names them is
//! replaced last. No file is shared with the node, so that what happens to one does not happen to the
//! other. Nothing that is being written is copied but packs, of which only what was durable before
//! counts. The database is not in it: it follows from the journal.
//!
//! Not here: making a node of a backup (`restore`).

pub mod manifest;
mod target;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interdocket_sync::blob::Sha256;
use zeroize::Zeroizing;

use self::target::Target;
pub(crate) use self::target::{Failed, copy, place, read};
use crate::actions::decide::{Decided, broken};
use crate::actions::node::{BackedUp, Backup};
use crate::actions::{Caller, Error, ErrorKind, Progress, Run, Way};
use crate::blobs::{self, Blobs, Placed, Stored};
use crate::event::{BackupBegun, Event};
use crate::journal::{Head, Reader, Segment};
use crate::keyring::{self, Keyring};
use crate::keys::Keys;
use crate::node::Node;
use crate::store::entity::BlobState;
use crate::store::table;
use crate::store::view::Store;
use crate::{config, run};

impl Run for Backup {
    async fn run(self, node: &Node, caller: &Caller) -> Result<BackedUp, Error> {
        node.permit(caller, &self).await?;
        if caller.way != Way::Socket {
            let message = "a folder on the node's machine can only be named over its local socket";
            return Err(Error::new(ErrorKind::Forbidden, message)
                .hint("run this on that machine: interdocket backup FOLDER"));
        }
        let parts = node.parts();
        let work = Work {
            data: parts.data.clone(),
            store: parts.store.clone(),
            journal: parts.journal.clone(),
            keyring: Arc::clone(&parts.keyring),
            keys: Arc::clone(&parts.keys),
            blobs: parts.blobs.clone(),
        };
        let (folder, given) = (self.folder.display().to_string(), self.folder);
        let verify = self.verify;
        let (work, target) = node
            .blocking(move || {
                let target = work.target(&given, verify)?;
                Ok((work, target))
            })
            .await?;
        let begun = Event::BackupBegun(BackupBegun { folder });
        node.decide(Some(caller.actor.clone()), caller.way, move |_| {
            Ok(Decided::new(vec![begun], |_| Ok(())))
        })
        .await?;
        let head = node.seal_journal().await?;
        let made_at = parts.clock.now();
        let progress = caller.progress.clone();
        // Without the node: one that is told to stop does not wait for it.
        let copied = node.blocking(move || work.copy(target, head, made_at, &progress));
        let (made, damaged) = copied.await?;
        if damaged.is_empty() {
            return Ok(made);
        }
        let of = node.clone();
        node.blocking(move || {
            // Again: it may have been healed since it was found.
            for placed in damaged {
                if named(&of.parts().store, &placed)?
                    && let Err(error) = of.parts().blobs.verify(&placed)
                {
                    of.suspect(&placed, &error);
                }
            }
            Ok(made)
        })
        .await
    }
}

/// What is copied from.
struct Work {
    data: PathBuf,
    store: Store,
    journal: Reader,
    keyring: Arc<Keyring>,
    keys: Arc<Keys>,
    blobs: Blobs,
}

/// One file of the node.
enum Source {
    Segment(Segment),
    Stored(Stored, Held),
    Bytes(Zeroizing<Vec<u8>>),
}

/// What the tables say of a file of blobs.
#[derive(Default)]
struct Held {
    blobs: Vec<Placed>,
    /// Whether one of them was found damaged before.
    suspect: bool,
}

impl Source {
    /// Whether the same path always has the same bytes, which are whole as far as is known.
    fn fixed(&self) -> bool {
        match self {
            Self::Segment(_) => true,
            Self::Stored(stored, held) => stored.fixed && !held.suspect,
            Self::Bytes(_) => false,
        }
    }
}

impl Work {
    /// Opens the folder for a backup of this node.
    fn target(&self, folder: &Path, verify: bool) -> Result<Target, Error> {
        let refused = |message: String| {
            Error::new(ErrorKind::Conflict, message).hint("give a folder of its own for the backup")
        };
        if !folder.is_absolute() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the folder needs an absolute path",
            ));
        }
        let shown = folder.display();
        if real(folder).starts_with(real(&self.data)) {
            return Err(refused(format!("{shown} lies in the node's own directory")));
        }
        let around = |folder: PathBuf| real(&self.data).starts_with(folder);
        if folder.canonicalize().is_ok_and(around) {
            return Err(refused(format!("the node's own directory lies in {shown}")));
        }
        let mut target = Target::open(folder, verify)?;
        let disk = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
        target.near = disk(folder) == disk(&self.data);
        let Some(old) = &target.old else {
            return Ok(target);
        };
        if old.organisation != self.keys.organisation() {
            return Err(refused(format!(
                "{shown} holds a backup of organisation {}",
                old.organisation
            )));
        }
        let continued = self.journal.continues(old.head);
        if !continued.map_err(|error| broken(&error.to_string()))? {
            return Err(refused(format!(
                "{shown} holds a backup that is not of this node's past: of a newer state or another copy of it"
            )));
        }
        Ok(target)
    }

    fn copy(
        &self,
        mut target: Target,
        head: Head,
        made_at: chrono::DateTime<chrono::Utc>,
        progress: &Progress,
    ) -> Result<(BackedUp, Vec<Placed>), Error> {
        let sources = self.sources(head)?;
        let total = sources.iter().map(|(_, size, _)| size).sum();
        let mut done = 0;
        for (path, size, source) in sources {
            let told = |bytes| progress.report(done + bytes, total);
            match target.put(self, &path, size, &source, &told) {
                Ok(()) => {}
                Err(Failed::Read(error)) if matches!(source, Source::Stored(..)) => {
                    let problem = format!("{path} cannot be read: {error}");
                    target.problems.push(problem);
                    target.keep(&path);
                }
                Err(Failed::Read(error)) => {
                    return Err(run::failed(&format!("read {path}"), &error));
                }
                Err(Failed::Written(error)) => return Err(target.failed(&error)),
            }
            done += size;
            progress.report(done, total);
        }
        let copied = target.copied;
        let problems = std::mem::take(&mut target.problems);
        let damaged = std::mem::take(&mut target.damaged);
        let manifest = target.finish(self.keys.organisation(), made_at, head)?;
        let made = BackedUp {
            records: head.count,
            head: Sha256(head.hash).to_string(),
            files: manifest.files.len() as u64,
            bytes: manifest.bytes(),
            copied,
            problems,
        };
        Ok((made, damaged))
    }

    /// Everything that a backup holds, with its path in a data directory and its size.
    fn sources(&self, head: Head) -> Result<Vec<(String, u64, Source)>, Error> {
        let mut sources = Vec::new();
        let mut held = |path: String, bytes: Zeroizing<Vec<u8>>| {
            sources.push((path, bytes.len() as u64, Source::Bytes(bytes)));
        };
        let keyring = self.keyring.copy();
        let keyring = keyring.map_err(|error| run::failed("read the keyring", &error))?;
        held(
            format!("{}/{}", run::KEYRING, keyring::FILE),
            Zeroizing::new(keyring),
        );
        let keys = self.keys.copy();
        for (name, bytes) in keys.map_err(|error| run::failed("read the node's keys", &error))? {
            held(format!("{}/{name}", run::KEYS), bytes);
        }
        let settings = fs::read(self.data.join(config::FILE));
        let settings = settings.map_err(|error| run::failed("read the configuration", &error))?;
        held(config::FILE.to_owned(), Zeroizing::new(settings));
        for segment in self.journal.sealed(head.count) {
            let path = format!("{}/{}", run::JOURNAL, segment.name);
            sources.push((path, segment.size, Source::Segment(segment)));
        }
        for (stored, held) in self.stored()? {
            let path = format!("{}/{}", run::BLOBS, stored.name);
            // What is missing shows when it is read.
            let size = self.blobs.stored_size(&stored).unwrap_or(0);
            sources.push((path, size, Source::Stored(stored, held)));
        }
        Ok(sources)
    }

    /// The files of all bytes that the tables name.
    fn stored(&self) -> Result<BTreeMap<Stored, Held>, Error> {
        let mut stored: BTreeMap<Stored, Held> = BTreeMap::new();
        let mut add = |placed: Placed, suspect: bool| {
            let held = stored.entry(Stored::of(&placed)).or_default();
            held.blobs.push(placed);
            held.suspect |= suspect;
        };
        let mut after = None;
        loop {
            let reading = self.store.read();
            let page = reading
                .view()
                .page(&table::BLOB, &(), after.as_ref(), PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (digest, blob) in page {
                let (size, place) = (blob.size, blob.place);
                let placed = Placed {
                    digest,
                    size,
                    place,
                };
                add(placed, blob.state == BlobState::Damaged);
            }
        }
        let mut after = None;
        loop {
            let reading = self.store.read();
            let page = reading
                .view()
                .page(&table::SEALED, &(), after.as_ref(), PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (_, part) in page {
                let placed = Placed {
                    digest: part.blake3,
                    size: part.size,
                    place: part.place,
                };
                add(placed, false);
            }
        }
        Ok(stored)
    }

    /// What is damaged in a file of blobs.
    fn damaged(&self, held: &Held) -> Result<Vec<(Placed, blobs::Error)>, Error> {
        let mut damaged = Vec::new();
        for placed in &held.blobs {
            if let Err(error) = self.blobs.verify(placed)
                && named(&self.store, placed)?
            {
                damaged.push((*placed, error));
            }
        }
        Ok(damaged)
    }

    /// Whether a copy of a file on the node's own disk would reach into what is left free there.
    fn crowded(&self, source: &Source) -> bool {
        let size = match source {
            Source::Segment(segment) => segment.size,
            Source::Stored(stored, _) => self.blobs.stored_size(stored).unwrap_or(0),
            Source::Bytes(bytes) => bytes.len() as u64,
        };
        self.blobs.space().is_ok_and(|space| space.room() < size)
    }

    fn open<'a>(&self, source: &'a Source) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match source {
            Source::Segment(segment) => Box::new(self.journal.bytes(segment)),
            Source::Stored(stored, _) => Box::new(self.blobs.open_stored(stored)?),
            Source::Bytes(bytes) => Box::new(&bytes[..]),
        })
    }
}

/// Whether the tables still say that a blob lies there.
fn named(store: &Store, placed: &Placed) -> Result<bool, Error> {
    let reading = store.read();
    let blob = reading.view().get(&table::BLOB, &placed.digest)?;
    let sealed = reading.view().has(&table::SEALED_BLOB, &placed.digest)?;
    Ok(sealed || blob.is_some_and(|blob| blob.place == placed.place))
}

/// As much of a path as exists, without links.
pub(crate) fn real(path: &Path) -> PathBuf {
    let real = path.ancestors().find_map(|path| path.canonicalize().ok());
    real.unwrap_or_else(|| path.to_owned())
}

/// Blobs that are listed together.
const PAGE: usize = 1024;
