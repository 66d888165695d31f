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

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::identity::OrganisationId;
use zeroize::Zeroizing;

use self::manifest::Manifest;
use crate::actions::decide::{Decided, broken};
use crate::actions::node::{BackedUp, Backup};
use crate::actions::{Action, Caller, Error, ErrorKind, Progress, Run, Way};
use crate::blobs::{self, Blobs, Placed, Stored};
use crate::disk::{self, Real};
use crate::event::{BackupBegun, Event};
use crate::journal::{Head, Reader, Segment};
use crate::keyring::{self, Keyring};
use crate::keys::Keys;
use crate::node::Node;
use crate::store::entity::BlobState;
use crate::store::table;
use crate::store::view::Store;
use crate::{config, run};

/// The manifest's name in a backup's folder.
const MANIFEST: &str = "manifest";

impl Run for Backup {
    async fn run(self, node: &Node, caller: &Caller) -> Result<BackedUp, Error> {
        node.permit(caller, Self::NAME).await?;
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
        for (placed, error) in damaged {
            node.suspect(&placed, &error);
        }
        Ok(made)
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

/// Blobs that are not what they should be.
type Damaged = Vec<(Placed, blobs::Error)>;

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
        let target = Target::open(folder, verify)?;
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
    ) -> Result<(BackedUp, Damaged), Error> {
        let sources = self.sources(head)?;
        let total = sources.iter().map(|(_, size, _)| size).sum();
        let (mut done, mut problems) = (0, Vec::new());
        let mut damaged = Damaged::new();
        for (path, size, source) in sources {
            let told = |bytes| progress.report(done + bytes, total);
            match target.put(self, &path, size, &source, &told) {
                Ok(found) => {
                    problems.extend(found.iter().map(|(_, error)| format!("{path}: {error}")));
                    damaged.extend(found);
                }
                Err(Failed::Read(error)) if matches!(source, Source::Stored(..)) => {
                    problems.push(format!("{path} cannot be read: {error}"));
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
    fn damaged(&self, held: &Held) -> Damaged {
        let verified = held
            .blobs
            .iter()
            .map(|placed| (*placed, self.blobs.verify(placed)));
        verified
            .filter_map(|(placed, verified)| Some((placed, verified.err()?)))
            .collect()
    }

    fn open<'a>(&self, source: &'a Source) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match source {
            Source::Segment(segment) => Box::new(self.journal.bytes(segment)),
            Source::Stored(stored, _) => Box::new(self.blobs.open_stored(stored)?),
            Source::Bytes(bytes) => Box::new(&bytes[..]),
        })
    }
}

/// A backup's folder while it is written.
struct Target {
    /// Held for this process alone.
    disk: Real,
    folder: PathBuf,
    old: Option<Manifest>,
    files: BTreeMap<String, manifest::File>,
    touched: BTreeSet<PathBuf>,
    /// Whether the bytes of what is there are compared as well.
    verify: bool,
    copied: u64,
}

/// Which side of a copy failed.
pub(crate) enum Failed {
    Read(io::Error),
    Written(io::Error),
}

impl Target {
    fn open(folder: &Path, verify: bool) -> Result<Self, Error> {
        let shown = folder.display();
        let disk = Real::open(folder).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::new(
                ErrorKind::Conflict,
                format!("a backup is being written to {shown} already"),
            ),
            _ => run::failed(&format!("open {shown}"), &error),
        })?;
        let names = names(folder).map_err(|error| run::failed(&format!("read {shown}"), &error))?;
        let links = |name: &str| folder.join(name).is_symlink();
        let other = |name: &&String| !OWN.contains(&name.as_str()) || links(name);
        if let Some(other) = names.iter().find(other) {
            let message = format!("{shown} holds something else than a backup: {other}");
            return Err(Error::new(ErrorKind::Conflict, message).hint(
                "give a folder that is empty, does not exist, or holds a backup of this node",
            ));
        }
        let old = match names.iter().any(|name| name == MANIFEST) {
            true => Some(read(folder)?),
            false => None,
        };
        Ok(Self {
            disk,
            folder: folder.to_owned(),
            old,
            files: BTreeMap::new(),
            touched: BTreeSet::new(),
            verify,
            copied: 0,
        })
    }

    /// Takes a file into the backup, unless the one before has it; gives what is damaged in it.
    fn put(
        &mut self,
        work: &Work,
        path: &str,
        size: u64,
        source: &Source,
        told: &dyn Fn(u64),
    ) -> Result<Damaged, Failed> {
        // Keys and settings are few and small, and nothing is worth more.
        let verify = self.verify || matches!(source, Source::Bytes(_));
        let before = self.before(path).filter(|file| file.size == size);
        if let Some(file) = before.filter(|_| source.fixed())
            && self.has(file, verify, told)
        {
            self.files.insert(path.to_owned(), file);
            return Ok(Vec::new());
        }
        let Source::Stored(stored, held) = source else {
            self.stage(work, path, source, verify, told)?;
            return Ok(Vec::new());
        };
        if before.is_some() && !held.suspect {
            let file = copy(&mut *work.open(source).map_err(Failed::Read)?, None, told)?;
            if before == Some(file) && self.has(file, verify, told) {
                self.files.insert(path.to_owned(), file);
                return Ok(Vec::new());
            }
        }
        let damaged = work.damaged(held);
        if damaged.is_empty() {
            self.stage(work, path, source, verify, told)?;
            return Ok(damaged);
        }
        // What the backup before has may be whole; what was added since is only in the damaged one.
        let end = held.blobs.iter().map(Placed::end).max().unwrap_or(0);
        match self.before(path).filter(|file| file.size >= end) {
            Some(file) if self.has(file, verify, told) => {
                self.files.insert(path.to_owned(), file);
            }
            _ if stored.fixed => {}
            _ => self.stage(work, path, source, verify, told)?,
        }
        Ok(damaged)
    }

    /// Writes a file, under its digest once it is whole.
    fn stage(
        &mut self,
        work: &Work,
        path: &str,
        source: &Source,
        verify: bool,
        told: &dyn Fn(u64),
    ) -> Result<(), Failed> {
        let staged = self.folder.join(FILES).join(STAGED);
        let file = self.write(work, source, verify, &staged, told);
        if file.is_err() {
            // What is left over is removed by the next backup.
            let _ = fs::remove_file(&staged);
        }
        self.files.insert(path.to_owned(), file?);
        Ok(())
    }

    fn write(
        &mut self,
        work: &Work,
        source: &Source,
        verify: bool,
        staged: &Path,
        told: &dyn Fn(u64),
    ) -> Result<manifest::File, Failed> {
        let mut from = work.open(source).map_err(Failed::Read)?;
        folder(&self.folder.join(FILES)).map_err(Failed::Written)?;
        // A name that leads elsewhere is not followed.
        match fs::remove_file(staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failed::Written(error));
            }
            _ => {}
        }
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        let mut to = options.open(staged).map_err(Failed::Written)?;
        let file = copy(&mut *from, Some(&mut to), told)?;
        let place = self.place(file.blake3).map_err(Failed::Written)?;
        if self.has(file, verify, &|_| ()) {
            fs::remove_file(staged).map_err(Failed::Written)?;
            return Ok(file);
        }
        to.sync_all()
            .and_then(|()| fs::rename(staged, place))
            .map_err(Failed::Written)?;
        self.copied += file.size;
        Ok(file)
    }

    /// Keeps what the backup before has of a file.
    fn keep(&mut self, path: &str) {
        if let Some(file) = self.before(path)
            && self.has(file, self.verify, &|_| ())
        {
            self.files.insert(path.to_owned(), file);
        }
    }

    /// What the backup before says of a file.
    fn before(&self, path: &str) -> Option<manifest::File> {
        self.old.as_ref()?.files.get(path).copied()
    }

    /// Whether a file is there: with its size, and where that is asked, with its bytes.
    fn has(&self, file: manifest::File, verify: bool, told: &dyn Fn(u64)) -> bool {
        let place = place(&self.folder, file.blake3);
        let sized = |found: fs::Metadata| found.is_file() && found.len() == file.size;
        if !fs::symlink_metadata(&place).is_ok_and(sized) {
            return false;
        }
        let read = |mut from: File| copy(&mut from, None, told).is_ok_and(|found| found == file);
        !verify || File::open(&place).is_ok_and(read)
    }

    /// Where a file with a digest goes; its folder is made.
    fn place(&mut self, digest: Digest) -> io::Result<PathBuf> {
        let place = place(&self.folder, digest);
        if let Some(above) = place.parent()
            && self.touched.insert(above.to_owned())
        {
            folder(&self.folder.join(FILES))?;
            folder(above)?;
        }
        Ok(place)
    }

    /// Makes all of it durable, then the manifest, and removes what only older backups had.
    fn finish(
        self,
        organisation: OrganisationId,
        made_at: chrono::DateTime<chrono::Utc>,
        head: Head,
    ) -> Result<Manifest, Error> {
        let files = self.folder.join(FILES);
        let synced = self
            .touched
            .iter()
            .chain([&files, &self.folder])
            .try_for_each(|folder| File::open(folder)?.sync_all());
        let manifest = Manifest {
            organisation,
            made_at,
            head,
            files: self.files.clone(),
        };
        let text = manifest.encode();
        if text.len() as u64 > manifest::LEN_MAX {
            let shown = self.folder.display();
            let message = format!("{shown} cannot take so many files");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        synced
            .and_then(|()| Ok(disk::place(&self.disk, MANIFEST, &text)?))
            .map_err(|error| self.failed(&error))?;
        let wanted: BTreeSet<String> = manifest
            .files
            .values()
            .map(|file| file.blake3.to_string())
            .collect();
        if let Err(error) = prune(&files, &wanted) {
            tracing::warn!(%error, "what only older backups had could not be removed");
        }
        Ok(manifest)
    }

    fn failed(&self, error: &io::Error) -> Error {
        let shown = self.folder.display();
        let kept = match &self.old {
            Some(old) => format!(
                "the backup there is still the one of {}",
                old.made_at.format("%Y-%m-%d %H:%M:%S UTC")
            ),
            None => "there is no backup there yet".to_owned(),
        };
        if disk::full(error) {
            let message = format!("the disk of {shown} is full; {kept}");
            return Error::new(ErrorKind::Unavailable, message).hint(
                "free some space there, then back up again: what was copied is not copied again",
            );
        }
        Error::new(
            ErrorKind::Unavailable,
            format!("cannot write to {shown}: {error}; {kept}"),
        )
    }
}

/// Reads the manifest of a backup.
///
/// # Errors
/// `NotFound` where there is none, `Conflict` where a newer release wrote it, `Unavailable` where it is
/// damaged.
pub(crate) fn read(folder: &Path) -> Result<Manifest, Error> {
    let path = folder.join(MANIFEST);
    let shown = path.display();
    let text = text(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::new(
            ErrorKind::NotFound,
            format!("there is no whole backup in {}", folder.display()),
        )
        .hint("give the folder that interdocket backup was given"),
        _ => run::failed(&format!("read {shown}"), &error),
    })?;
    Manifest::decode(&text).map_err(|fault| {
        let kind = match fault {
            manifest::Fault::Damaged => ErrorKind::Unavailable,
            manifest::Fault::Newer(_) => ErrorKind::Conflict,
        };
        Error::new(kind, format!("{shown} cannot be used: {fault}"))
            .hint("use another backup, or another folder")
    })
}

/// Reads a file that may be a manifest.
fn text(path: &Path) -> io::Result<Vec<u8>> {
    // Before it is opened: what is no file may have no end.
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() || found.len() > manifest::LEN_MAX {
        return Err(io::Error::other("it is no manifest"));
    }
    let mut text = Vec::new();
    File::open(path)?
        .take(manifest::LEN_MAX)
        .read_to_end(&mut text)?;
    Ok(text)
}

/// Where a backup's folder has the file with a digest.
pub(crate) fn place(folder: &Path, digest: Digest) -> PathBuf {
    let name = digest.to_string();
    folder.join(FILES).join(&name[..2]).join(name)
}

/// Hashes all that a reader gives, writes it where it is to go, and tells how far it is.
pub(crate) fn copy(
    from: &mut dyn Read,
    mut to: Option<&mut File>,
    told: &dyn Fn(u64),
) -> Result<manifest::File, Failed> {
    let mut hasher = blake3::Hasher::new();
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    let mut size = 0;
    loop {
        let count = match from.read(&mut piece) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Failed::Read)?,
        };
        hasher.update(&piece[..count]);
        if let Some(to) = &mut to {
            to.write_all(&piece[..count]).map_err(Failed::Written)?;
        }
        size += count as u64;
        told(size);
    }
    Ok(manifest::File {
        size,
        blake3: Digest(*hasher.finalize().as_bytes()),
    })
}

/// Removes files that a backup wrote and no manifest names.
fn prune(files: &Path, wanted: &BTreeSet<String>) -> io::Result<()> {
    for above in names(files)? {
        if !fs::symlink_metadata(files.join(&above))?.is_dir() {
            continue;
        }
        let own = |name: &&String| name.starts_with(&above) && name.parse::<Digest>().is_ok();
        let names = names(&files.join(&above))?;
        for name in names
            .iter()
            .filter(own)
            .filter(|name| !wanted.contains(*name))
        {
            fs::remove_file(files.join(&above).join(name))?;
        }
    }
    Ok(())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?;
    names
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Makes a folder that only the node's user may enter.
fn folder(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match fs::symlink_metadata(path)?.is_dir() {
                true => Ok(()),
                false => Err(io::ErrorKind::NotADirectory.into()),
            }
        }
        made => made,
    }
}

/// As much of a path as exists, without links.
fn real(path: &Path) -> PathBuf {
    let real = path.ancestors().find_map(|path| path.canonicalize().ok());
    real.unwrap_or_else(|| path.to_owned())
}

const FILES: &str = "files";
/// What a file is called until it is whole.
const STAGED: &str = "new";
/// What may lie in a backup's folder; the last where it is a disk of its own.
const OWN: [&str; 4] = [FILES, MANIFEST, "manifest.new", "lost+found"];
/// Blobs that are listed together.
const PAGE: usize = 1024;
/// How much is copied at once, in bytes.
const PIECE: usize = 1 << 20;
