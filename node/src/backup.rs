//! Backups: sealed segments of the journal, the blobs they name, keys and configuration; and a node made of
//! one.
//!
//! A backup is what its manifest lists, and the manifest is written last: an interrupted one leaves the
//! complete one before. It holds the node's keys. The database is not in it: it follows from the journal.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use interdocket_sync::blob::Digest;
use serde::{Deserialize, Serialize};

use crate::actions::node::{BackedUp, Backup};
use crate::actions::{Action, Caller, Error, ErrorKind, Progress, Run, Way};
use crate::disk::{self, Disk as _};
use crate::journal;
use crate::node::Node;
use crate::{config, keyring};

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    organisation: String,
    /// How many records of the journal.
    records: u64,
    /// By their path inside the backup.
    files: BTreeMap<String, Listed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    size: u64,
    blake3: Digest,
}

impl Run for Backup {
    async fn run(self, node: &Node, caller: &Caller) -> Result<BackedUp, Error> {
        node.permit(caller, Self::NAME).await?;
        if caller.way != Way::Socket {
            let message = "a backup is written on the node's machine, over its local socket";
            return Err(
                Error::new(ErrorKind::Forbidden, message).hint("there: interdocket backup FOLDER")
            );
        }
        if !self.folder.is_absolute() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "name the folder by its whole path",
            ));
        }
        node.begin_backup(caller.actor.clone(), caller.way).await?;
        let (of, progress) = (node.clone(), caller.progress.clone());
        node.blocking(move || make(&of, &self.folder, &progress))
            .await
    }
}

/// Writes a backup of all that was sealed by now.
fn make(node: &Node, folder: &Path, progress: &Progress) -> Result<BackedUp, Error> {
    directory(folder)?;
    let before = match read(folder) {
        Ok(before) => Some(before),
        Err(Unread::Missing) if empty(folder) => None,
        Err(Unread::Missing) => {
            let message = format!("{} is neither empty nor a backup", folder.display());
            return Err(Error::new(ErrorKind::Conflict, message).hint("name another folder"));
        }
        Err(Unread::Broken(error)) => return Err(error),
    };
    let organisation = node.parts().keys.organisation().to_string();
    if before
        .as_ref()
        .is_some_and(|before| before.organisation != organisation)
    {
        let message = format!("{} is a backup of another organisation", folder.display());
        return Err(Error::new(ErrorKind::Conflict, message).hint("name another folder"));
    }
    let mut writing = Writing {
        folder,
        before: before.map(|before| before.files).unwrap_or_default(),
        files: BTreeMap::new(),
        copied: 0,
    };
    let records = node.parts().journal.sealed_records();
    writing.small(node)?;
    writing.blobs(node, progress)?;
    let copied = writing.copied;
    let manifest = Manifest {
        format: FORMAT,
        organisation,
        records,
        files: writing.files,
    };
    finish(folder, &manifest)?;
    Ok(BackedUp {
        folder: folder.to_owned(),
        files: manifest.files.len() as u64,
        bytes: manifest.files.values().map(|file| file.size).sum(),
        copied,
    })
}

/// A backup that is being written.
struct Writing<'a> {
    folder: &'a Path,
    before: BTreeMap<String, Listed>,
    files: BTreeMap<String, Listed>,
    copied: u64,
}

impl Writing<'_> {
    /// Journal, keys and configuration.
    fn small(&mut self, node: &Node) -> Result<(), Error> {
        let parts = node.parts();
        let segments = parts.journal.sealed();
        for segment in &segments {
            let path = format!("{JOURNAL}/{}", segment.name);
            self.put(&path, Some(segment.len), &mut |to| {
                parts.journal.copy(segment, to)
            })?;
        }
        let ring = parts
            .keyring
            .snapshot()
            .map_err(|error| failed("read the keyring", &error))?;
        let path = format!("{KEYRING}/{}", keyring::FILE);
        self.put(&path, None, &mut |to| to.write_all(&ring))?;
        for name in names(&parts.data.join(KEYS))? {
            let from = parts.data.join(KEYS).join(&name);
            self.put(&format!("{KEYS}/{name}"), None, &mut |to| copy(&from, to))?;
        }
        let from = parts.data.join(config::FILE);
        self.put(config::FILE, None, &mut |to| copy(&from, to))?;
        Ok(())
    }

    fn blobs(&mut self, node: &Node, progress: &Progress) -> Result<(), Error> {
        let parts = node.parts();
        let blobs = parts
            .blobs
            .files()
            .map_err(|error| failed("list the blobs", &error))?;
        let total = blobs.len() as u64;
        for (done, (name, len)) in (0..).zip(blobs) {
            progress.report(done, total);
            // A file of its own never changes; a pack grows, and what is deleted in it is overwritten.
            let fixed = name.starts_with("own/").then_some(len);
            let opened = parts.blobs.open_file(&name);
            let Ok(file) = opened else { continue };
            self.put(&format!("{BLOBS}/{name}"), fixed, &mut |to| {
                io::copy(&mut (&file).take(len), to).map(drop)
            })?;
        }
        Ok(())
    }

    /// Writes a file; one that never changes is left alone where it is there already.
    fn put(
        &mut self,
        path: &str,
        fixed: Option<u64>,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let to = self.folder.join(path);
        let there = fs::metadata(&to).map(|metadata| metadata.len()).ok();
        if let Some(listed) = self.before.get(path)
            && fixed == Some(listed.size)
            && there == fixed
        {
            self.files.insert(path.to_owned(), *listed);
            return Ok(());
        }
        if let Some(parent) = to.parent() {
            directory(parent)?;
        }
        let listed = place(&to, write)
            .map_err(|error| failed(&format!("write {}", to.display()), &error))?;
        self.copied += listed.size;
        self.files.insert(path.to_owned(), listed);
        Ok(())
    }
}

/// Puts a file in place, whole and durable.
fn place(to: &Path, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<Listed> {
    let fresh = to.with_extension("new");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    let mut hashing = Hashing {
        to: io::BufWriter::with_capacity(1 << 20, &file),
        hasher: blake3::Hasher::new(),
        size: 0,
    };
    write(&mut hashing)?;
    hashing.to.flush()?;
    let listed = Listed {
        size: hashing.size,
        blake3: Digest(*hashing.hasher.finalize().as_bytes()),
    };
    drop(hashing);
    file.sync_all()?;
    fs::rename(&fresh, to)?;
    Ok(listed)
}

struct Hashing<W> {
    to: W,
    hasher: blake3::Hasher,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Makes the new files durable, then the manifest; what it does not list goes.
fn finish(folder: &Path, manifest: &Manifest) -> Result<(), Error> {
    let wrong = |error: &io::Error| failed("finish the backup", error);
    let mut folders = vec![folder.to_owned()];
    let mut all = Vec::new();
    walk(folder, folder, &mut folders, &mut all).map_err(|error| wrong(&error))?;
    let sync = |path: &PathBuf| File::open(path).and_then(|file| file.sync_all());
    folders
        .iter()
        .try_for_each(sync)
        .map_err(|error| wrong(&error))?;
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| failed("write the manifest", &error))?;
    place(&folder.join(MANIFEST), &mut |to| to.write_all(&text)).map_err(|error| wrong(&error))?;
    sync(&folder.to_owned()).map_err(|error| wrong(&error))?;
    for path in all {
        if path != MANIFEST && !manifest.files.contains_key(&path) {
            fs::remove_file(folder.join(&path)).map_err(|error| wrong(&error))?;
        }
    }
    Ok(())
}

fn walk(
    root: &Path,
    folder: &Path,
    folders: &mut Vec<PathBuf>,
    files: &mut Vec<String>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path.clone());
            walk(root, &path, folders, files)?;
        } else if let Ok(inside) = path.strip_prefix(root) {
            files.push(inside.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// Makes a node of a backup, in a directory that is empty or does not exist. It takes up a new incarnation
/// when it is started.
///
/// # Errors
/// `Invalid` where the backup is damaged, naming the file; `Conflict` where the directory is in use;
/// `Unavailable` where it can't be written. Nothing is left then.
pub fn restore(backup: &Path, data: &Path, progress: &Progress) -> Result<Restored, Error> {
    let manifest = read(backup).map_err(|unread| match unread {
        Unread::Missing => {
            let message = format!("{} is no backup: it has no manifest", backup.display());
            Error::new(ErrorKind::NotFound, message).hint("name the folder that was backed up to")
        }
        Unread::Broken(error) => error,
    })?;
    if data.exists() && !empty(data) {
        let message = format!("{} is not empty", data.display());
        return Err(Error::new(ErrorKind::Conflict, message)
            .hint("give a directory that is empty or does not exist"));
    }
    let fresh = data.with_extension("restoring");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)
            .map_err(|error| failed("remove what is half restored", &error))?;
    }
    let restored = fill(&manifest, backup, &fresh, progress).and_then(|()| {
        if data.exists() {
            fs::remove_dir(data).map_err(|error| failed("use the directory", &error))?;
        }
        fs::rename(&fresh, data).map_err(|error| failed("put the node in place", &error))
    });
    if let Err(error) = restored {
        let _ = fs::remove_dir_all(&fresh);
        return Err(error);
    }
    Ok(Restored {
        organisation: manifest.organisation,
        records: manifest.records,
        files: manifest.files.len() as u64,
    })
}

/// What was restored.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// The organisation's id.
    pub organisation: String,
    /// How many records the journal had.
    pub records: u64,
    /// How many files were verified.
    pub files: u64,
}

fn fill(manifest: &Manifest, backup: &Path, data: &Path, progress: &Progress) -> Result<(), Error> {
    directory(data)?;
    let total = manifest.files.len() as u64;
    for (done, (path, listed)) in (0..).zip(&manifest.files) {
        progress.report(done, total);
        let damaged = || {
            let message = format!("the backup's file {path} is damaged or missing");
            Error::new(ErrorKind::Invalid, message).hint("restore another backup")
        };
        let inside = Path::new(path);
        if !inside
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(damaged());
        }
        let to = data.join(inside);
        if let Some(parent) = to.parent() {
            directory(parent)?;
        }
        let from = backup.join(inside);
        if !from.is_file() {
            return Err(damaged());
        }
        let copied = place(&to, &mut |to| copy(&from, to))
            .map_err(|error| failed(&format!("copy {path}"), &error))?;
        if copied != *listed {
            return Err(damaged());
        }
    }
    let opened = disk::Real::open(&data.join(JOURNAL));
    let opened = opened.map_err(|error| failed("open the journal", &error))?;
    journal::restore(&opened).map_err(|error| failed("begin the journal", &error))?;
    opened
        .sync_dir()
        .map_err(|error| failed("sync the journal", &error))?;
    place(&data.join(MARKER), &mut |to| to.write_all(b"restored\n"))
        .map_err(|error| failed("mark the node as restored", &error))?;
    let mut folders = vec![data.to_owned()];
    walk(data, data, &mut folders, &mut Vec::new())
        .and_then(|()| {
            let mut each = folders.iter();
            each.try_for_each(|path| File::open(path).and_then(|file| file.sync_all()))
        })
        .map_err(|error| failed("sync what was restored", &error))
}

enum Unread {
    Missing,
    Broken(Error),
}

fn read(folder: &Path) -> Result<Manifest, Unread> {
    let bytes = match fs::read(folder.join(MANIFEST)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unread::Missing),
        Err(error) => return Err(Unread::Broken(failed("read the manifest", &error))),
    };
    let damaged = |what: &str| {
        let message = format!("the backup's manifest {what}");
        Unread::Broken(Error::new(ErrorKind::Invalid, message).hint("use another backup"))
    };
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|_| damaged("is damaged"))?;
    if manifest.format > FORMAT {
        return Err(damaged("is of a newer release"));
    }
    Ok(manifest)
}

fn directory(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| failed(&format!("make {}", path.display()), &error))
}

fn empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(folder).map_err(|error| failed("list the keys", &error))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: io::Result<Vec<String>> = names.collect();
    names.map_err(|error| failed("list the keys", &error))
}

fn copy(from: &Path, to: &mut dyn Write) -> io::Result<()> {
    io::copy(&mut File::open(from)?, to).map(drop)
}

fn failed(what: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    let full = matches!(
        error.downcast_ref::<io::Error>(),
        Some(error) if error.kind() == io::ErrorKind::StorageFull
    );
    let hint = match full {
        true => "free space there, then try again",
        false => "see that the folder can be written, then try again",
    };
    Error::new(ErrorKind::Unavailable, format!("could not {what}: {error}")).hint(hint)
}

/// Present in a data directory until the restored node was started.
pub const MARKER: &str = "restored";
const MANIFEST: &str = "manifest.json";
const FORMAT: u32 = 0;
const JOURNAL: &str = "journal";
const KEYRING: &str = "keyring";
const KEYS: &str = "keys";
const BLOBS: &str = "blobs";
