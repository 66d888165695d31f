//! A backup's folder: what is written into it, and how it is found there again.
//!
//! Invariant: a file has its digest's name only once it is whole and durable, and names that lead out of
//! the folder are not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::identity::OrganisationId;
use zeroize::Zeroizing;

use super::manifest::{self, Manifest};
use super::{Source, Work};
use crate::actions::{Error, ErrorKind};
use crate::blobs::Placed;
use crate::disk::{self, Real};
use crate::journal::Head;
use crate::run;

/// A backup's folder while it is written.
pub(super) struct Target {
    /// Held for this process alone.
    disk: Real,
    folder: PathBuf,
    /// The backup that is there already.
    pub(super) old: Option<Manifest>,
    files: BTreeMap<String, manifest::File>,
    touched: BTreeSet<PathBuf>,
    /// Whether the bytes of what is there are compared as well.
    verify: bool,
    /// Whether it lies on the disk of the node, whose reserve it must leave alone.
    pub(super) near: bool,
    /// How many bytes were written.
    pub(super) copied: u64,
    /// What is not whole, one line each.
    pub(super) problems: Vec<String>,
    /// The blobs among that.
    pub(super) damaged: Vec<Placed>,
}

/// Which side of a copy failed.
pub(crate) enum Failed {
    Read(io::Error),
    Written(io::Error),
}

impl Target {
    pub(super) fn open(folder: &Path, verify: bool) -> Result<Self, Error> {
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
            near: false,
            copied: 0,
            problems: Vec::new(),
            damaged: Vec::new(),
        })
    }

    /// Takes a file into the backup, unless the one before has it, and notes what is damaged in it.
    pub(super) fn put(
        &mut self,
        work: &Work,
        path: &str,
        size: u64,
        source: &Source,
        told: &dyn Fn(u64),
    ) -> Result<(), Failed> {
        // Keys and settings are few and small, and nothing is worth more.
        let verify = self.verify || matches!(source, Source::Bytes(_));
        let before = self.before(path).filter(|file| file.size == size);
        if let Some(file) = before.filter(|_| source.fixed())
            && self.has(file, verify, told)
        {
            self.files.insert(path.to_owned(), file);
            return Ok(());
        }
        if let Source::Segment(segment) = source {
            let report = work.journal.verify_segment(segment);
            let report = report.map_err(|error| Failed::Read(io::Error::other(error)))?;
            self.problems.extend(report.lines());
        }
        let Source::Stored(stored, held) = source else {
            return self.stage(work, path, source, verify, told);
        };
        if before.is_some() && !held.suspect {
            let file = copy(&mut *work.open(source).map_err(Failed::Read)?, None, told)?;
            if before == Some(file) && self.has(file, verify, told) {
                self.files.insert(path.to_owned(), file);
                return Ok(());
            }
        }
        let damaged = work
            .damaged(held)
            .map_err(|error| Failed::Read(io::Error::other(error)))?;
        if damaged.is_empty() {
            return self.stage(work, path, source, verify, told);
        }
        let lines = damaged.iter().map(|(_, error)| format!("{path}: {error}"));
        self.problems.extend(lines);
        self.damaged
            .extend(damaged.into_iter().map(|(placed, _)| placed));
        // What the backup before has may be whole; what was added since is only in the damaged one.
        let end = held.blobs.iter().map(Placed::end).max().unwrap_or(0);
        match self.before(path).filter(|file| file.size >= end) {
            Some(file) if self.has(file, verify, told) => {
                self.files.insert(path.to_owned(), file);
                Ok(())
            }
            _ if stored.fixed => Ok(()),
            _ => self.stage(work, path, source, verify, told),
        }
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
        if self.near && work.crowded(source) {
            return Err(Failed::Written(io::ErrorKind::StorageFull.into()));
        }
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
    pub(super) fn keep(&mut self, path: &str) {
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
    pub(super) fn finish(
        self,
        organisation: OrganisationId,
        made_at: DateTime<Utc>,
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

    pub(super) fn failed(&self, error: &io::Error) -> Error {
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
                "free some space there or take another disk than the node's, then back up again: what was \
                 copied is not copied again",
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
        made => made.and_then(|()| File::open(disk::above(path))?.sync_all()),
    }
}

/// The manifest's name in a backup's folder.
const MANIFEST: &str = "manifest";
const FILES: &str = "files";
/// What a file is called until it is whole.
const STAGED: &str = "new";
/// What may lie in a backup's folder; the last where it is a disk of its own.
const OWN: [&str; 4] = [FILES, MANIFEST, "manifest.new", "lost+found"];
/// How much is copied at once, in bytes.
const PIECE: usize = 1 << 20;
