//! Making a node of a backup, where none runs.
//!
//! Invariant: everything is compared with the manifest before anything is written, and until all of it
//! is there, the configuration has another name: so there is a whole node or none. What came back says
//! so in its journal, which begins a new incarnation.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::identity::OrganisationId;
use serde::Serialize;

use crate::actions::{Error, ErrorKind, Progress, Way};
use crate::backup::manifest::{self, Manifest};
use crate::backup::{self, Failed};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::event::{ClockSuspected, Entry, Event, NodeRestored};
use crate::keys::Keys;
use crate::{disk, journal, run};

/// A backup that is whole.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// Whose node it is of.
    pub organisation: OrganisationId,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// How many records of the journal it holds.
    pub records: u64,
    /// How many files of the node.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A node that was made of a backup.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// What it was made of.
    #[serde(flatten)]
    pub backup: Verified,
    /// Records whose bodies were damaged when the backup was made, one line each.
    pub damaged: Vec<String>,
    /// The time of the last record, where this machine's clock is behind it; nothing where it is trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_suspect: Option<DateTime<Utc>>,
}

/// Compares every file of a backup with its manifest.
///
/// # Errors
/// `NotFound` where there is no whole backup, `Unavailable` with the first file that is missing, cut or
/// changed, `Conflict` where a newer release wrote it.
pub fn verify(folder: &Path, progress: &Progress) -> Result<Verified, Error> {
    let manifest = backup::read(folder)?;
    compare(folder, &manifest, progress).map_err(|error| replaced(folder, &manifest, error))?;
    Ok(told(&manifest))
}

/// Makes a node of a backup in a directory that is empty or does not exist.
///
/// # Errors
/// As [`verify`]; `Conflict` where something is in the directory. Nothing is left in it then.
pub fn restore(
    folder: &Path,
    data: &Path,
    clock: &dyn Clock,
    progress: &Progress,
) -> Result<Restored, Error> {
    vacant(data)?;
    if backup::real(data).starts_with(backup::real(folder)) {
        let message = format!("{} lies in the backup", data.display());
        return Err(Error::new(ErrorKind::Conflict, message).hint("give another directory"));
    }
    let manifest = backup::read(folder)?;
    compare(folder, &manifest, progress).map_err(|error| replaced(folder, &manifest, error))?;
    let there = data.exists();
    let io = |error: io::Error| unwritten(data, &error);
    disk::directory(data).map_err(io)?;
    let lock = disk::Real::open(data).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => busy(data),
        _ => unwritten(data, &error),
    })?;
    // Again, as nobody else fills it from here on.
    vacant(data)?;
    clear(data).map_err(io)?;
    let built = build(folder, &manifest, data, clock, progress);
    if built.is_err() {
        let removed = match there {
            true => clear(data),
            false => clear(data).and_then(|()| fs::remove_dir(data)),
        };
        if let Err(error) = removed {
            eprintln!("{} could not be emptied again: {error}", data.display());
        }
    }
    drop(lock);
    let (damaged, clock_suspect) = built.map_err(|error| replaced(folder, &manifest, error))?;
    Ok(Restored {
        backup: told(&manifest),
        damaged,
        clock_suspect,
    })
}

fn told(manifest: &Manifest) -> Verified {
    Verified {
        organisation: manifest.organisation,
        made_at: manifest.made_at,
        records: manifest.head.count,
        files: manifest.files.len() as u64,
        bytes: manifest.bytes(),
    }
}

/// Reads every file that the manifest names.
fn compare(folder: &Path, manifest: &Manifest, progress: &Progress) -> Result<(), Error> {
    let (total, mut done) = (manifest.bytes(), 0);
    for (path, file) in &manifest.files {
        take(folder, path, *file, None, &|bytes| {
            progress.report(done + bytes, total);
        })?;
        done += file.size;
    }
    Ok(())
}

/// Reads one file, which must be what the manifest says, and writes it where it is to go.
fn take(
    folder: &Path,
    path: &str,
    file: manifest::File,
    to: Option<(&Path, &mut File)>,
    told: &dyn Fn(u64),
) -> Result<(), Error> {
    let place = backup::place(folder, file.blake3);
    let long = |bytes: u64| format!("has {bytes} bytes, not {}", file.size);
    let wrong = |what: &str| {
        let message = format!("the backup's file {} ({path}) {what}", place.display());
        Error::new(ErrorKind::Unavailable, message).hint(
            "use another backup, or bring this file back from a copy of it; where the node still \
             runs, have it written anew: interdocket backup --verify FOLDER",
        )
    };
    let unread = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => wrong("is missing"),
        _ => wrong(&format!("cannot be read: {error}")),
    };
    // Before it is opened: what is no file may have no end.
    let found = fs::symlink_metadata(&place).map_err(unread)?;
    if !found.is_file() {
        return Err(wrong("is no file"));
    }
    if found.len() != file.size {
        return Err(wrong(&long(found.len())));
    }
    let mut from = File::open(&place).map_err(unread)?.take(file.size + 1);
    let target = to.as_ref().map(|(path, _)| path.to_path_buf());
    let copied = backup::copy(&mut from, to.map(|(_, file)| file), told);
    match copied {
        Ok(found) if found == file => Ok(()),
        Ok(found) if found.size != file.size => Err(wrong(&long(found.size))),
        Ok(_) => Err(wrong(
            "is damaged: its bytes are not those that were written",
        )),
        Err(Failed::Read(error)) => Err(wrong(&format!("cannot be read: {error}"))),
        Err(Failed::Written(error)) => Err(unwritten(&target.unwrap_or_default(), &error)),
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Error {
    let message = match disk::full(error) {
        true => format!("the disk of {} is full", path.display()),
        false => format!("cannot write {}: {error}", path.display()),
    };
    Error::new(ErrorKind::Unavailable, message).hint("nothing was restored")
}

/// What to say where reading failed: whoever backs up into the folder meanwhile removes files from it.
fn replaced(folder: &Path, manifest: &Manifest, error: Error) -> Error {
    match backup::read(folder) {
        Ok(now) if now != *manifest => {
            let shown = folder.display();
            let message = format!("a newer backup was written to {shown} meanwhile");
            Error::new(ErrorKind::Conflict, message).hint("try again, while no backup is made")
        }
        _ => error,
    }
}

/// Builds the data directory, the configuration last; gives the damaged records, and the last record's
/// time where the clock is behind it.
fn build(
    folder: &Path,
    manifest: &Manifest,
    data: &Path,
    clock: &dyn Clock,
    progress: &Progress,
) -> Result<(Vec<String>, Option<DateTime<Utc>>), Error> {
    let io = |error: io::Error| unwritten(data, &error);
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    options.open(data.join(UNDER_WAY)).map_err(io)?;
    sync(data).map_err(io)?;
    let held = run::hold(data)?;
    let (total, mut done) = (manifest.bytes(), 0);
    let mut folders = BTreeSet::new();
    for (path, file) in &manifest.files {
        let place = staged(data, path);
        let above = place.parent().unwrap_or(data);
        if folders.insert(above.to_owned()) {
            disk::directory(above).map_err(io)?;
        }
        // The one that says that all this is under way.
        options.create_new(path != config::FILE);
        let mut to = options.open(&place).map_err(io)?;
        take(folder, path, *file, Some((&place, &mut to)), &|bytes| {
            progress.report(done + bytes, total);
        })?;
        to.sync_all().map_err(io)?;
        done += file.size;
    }
    let above = folders.iter().flat_map(|folder| folder.ancestors());
    let above: BTreeSet<&Path> = above.filter(|folder| folder.starts_with(data)).collect();
    above.into_iter().try_for_each(sync).map_err(io)?;
    let keys = Keys::open(&data.join(run::KEYS), clock.now())
        .map_err(|error| run::failed("open the keys of the backup", &error))?;
    let config = Config::read(&staged(data, config::FILE))
        .map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))?;
    let tolerance = i64::from(config.clock.tolerance_seconds.get());
    let tolerance = TimeDelta::seconds(tolerance);
    let recorded = record(held, &keys, manifest, (clock.now(), tolerance))?;
    let settings = data.join(config::FILE);
    fs::rename(staged(data, config::FILE), &settings).map_err(io)?;
    sync(data).map_err(io)?;
    sync(disk::above(data)).map_err(io)?;
    Ok(recorded)
}

/// Verifies the journal as a whole, and records in it that it came back, and whether the clock is behind
/// what it has seen: the next start would not notice, as it looks at the last record only.
fn record(
    held: run::Held,
    keys: &Keys,
    manifest: &Manifest,
    (now, tolerance): (DateTime<Utc>, TimeDelta),
) -> Result<(Vec<String>, Option<DateTime<Utc>>), Error> {
    let unfit = |what: &str| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the backup contradicts itself: {what}"),
        )
        .hint("nothing was restored: use another backup")
    };
    if keys.organisation() != manifest.organisation {
        return Err(unfit("its keys are those of another organisation"));
    }
    journal::acknowledge(held.journal(), manifest.head)
        .map_err(|error| run::failed("begin the journal", &error))?;
    let (mut journal, _) = run::journal(held, keys)?;
    if journal.head() != manifest.head {
        return Err(unfit("its journal has another end than its manifest says"));
    }
    let report = journal.reader().verify(true);
    let report = report.map_err(|error| run::failed("verify the journal", &error))?;
    if let Some(damage) = report.broken.first() {
        return Err(unfit(&format!("of its journal, {damage}")));
    }
    let behind = report.last.filter(|last| *last - now > tolerance);
    let restored = Event::NodeRestored(NodeRestored {
        made_at: manifest.made_at,
        above: 0,
    });
    let suspected = behind.map(|expected| {
        Event::ClockSuspected(ClockSuspected {
            says: now,
            expected,
        })
    });
    let records = [Some(restored), suspected].into_iter().flatten();
    let drafts = records.map(|event| {
        let (actor, way) = (None, Way::Socket);
        Entry { actor, way, event }.draft()
    });
    journal
        .append(now, &drafts.collect::<Vec<_>>())
        .map_err(|error| run::failed("record the restore", &error))?;
    Ok((report.lines().collect(), behind))
}

/// Refuses a directory that has anything in it but what a restore left that was cut.
fn vacant(data: &Path) -> Result<(), Error> {
    match under_way(data) {
        true => Ok(()),
        false => run::empty(data),
    }
}

/// Tells whether a directory is being restored, or would be if that had not been cut.
pub(crate) fn under_way(data: &Path) -> bool {
    data.join(UNDER_WAY).exists() && !data.join(config::FILE).exists()
}

/// What to say of a directory that is not a node yet.
pub(crate) fn unfinished(data: &Path) -> Error {
    let shown = data.display();
    let message = format!("{shown} is being restored, or that was cut: it is no node yet");
    Error::new(ErrorKind::Conflict, message).hint(format!(
        "wait until it is done, or begin it again: interdocket restore FOLDER --data {shown}"
    ))
}

fn busy(data: &Path) -> Error {
    let message = format!("{} is being restored already", data.display());
    Error::new(ErrorKind::Conflict, message).hint("wait until that is done")
}

/// Empties a directory, in such an order that it is never half a node.
fn clear(data: &Path) -> io::Result<()> {
    let mark = data.join(UNDER_WAY);
    match fs::rename(data.join(config::FILE), &mark) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false if entry.path() == mark => {}
            false => fs::remove_file(entry.path())?,
        }
    }
    match fs::remove_file(mark) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Where a file is written: the configuration under the name that says that this is under way.
fn staged(data: &Path, path: &str) -> PathBuf {
    match path == config::FILE {
        true => data.join(UNDER_WAY),
        false => data.join(path),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What the configuration is called while the directory is being restored.
const UNDER_WAY: &str = "restoring";
