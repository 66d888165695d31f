//! Making a node of a backup, where none runs.
//!
//! Invariant: everything is compared with the manifest before anything is written, and the
//! configuration is written last: so there is a whole node or none. What came back says so in its
//! journal, which begins a new incarnation.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use interdocket_sync::identity::OrganisationId;
use serde::Serialize;

use crate::actions::{Error, ErrorKind, Progress, Way};
use crate::backup::manifest::{self, Manifest};
use crate::backup::{self, Failed};
use crate::clock::{self, Clock as _};
use crate::config::{self, Config};
use crate::event::{Entry, Event, NodeRestored};
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
}

/// Compares every file of a backup with its manifest.
///
/// # Errors
/// `NotFound` where there is no whole backup, `Unavailable` with the first file that is missing, cut or
/// changed, `Conflict` where a newer release wrote it.
pub fn verify(folder: &Path, progress: &Progress) -> Result<Verified, Error> {
    let manifest = backup::read(folder)?;
    compare(folder, &manifest, progress)?;
    Ok(told(&manifest))
}

/// Makes a node of a backup in a directory that is empty or does not exist.
///
/// # Errors
/// As [`verify`]; `Conflict` where something is in the directory. Nothing is left in it then.
pub fn restore(folder: &Path, data: &Path, progress: &Progress) -> Result<Restored, Error> {
    clear_leftovers(data)?;
    run::empty(data)?;
    let manifest = backup::read(folder)?;
    compare(folder, &manifest, progress)?;
    let there = data.exists();
    let built = build(folder, &manifest, data, progress);
    if built.is_err() {
        let removed = match there {
            true => clear(data),
            false => fs::remove_dir_all(data),
        };
        if let Err(error) = removed {
            eprintln!("{} could not be emptied again: {error}", data.display());
        }
    }
    Ok(Restored {
        backup: told(&manifest),
        damaged: built?,
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
    let wrong = |what: &str| {
        let message = format!("the backup's file {} ({path}) {what}", place.display());
        Error::new(ErrorKind::Unavailable, message).hint(
            "use another backup, or bring this file back from a copy of it; where the node still \
             runs, have it written anew: interdocket backup --verify FOLDER",
        )
    };
    let mut from = File::open(&place).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => wrong("is missing"),
        _ => wrong(&format!("cannot be read: {error}")),
    })?;
    let target = to.as_ref().map(|(path, _)| path.to_path_buf());
    let copied = backup::copy(&mut from, to.map(|(_, file)| file), told);
    match copied {
        Ok(found) if found == file => Ok(()),
        Ok(found) if found.size != file.size => Err(wrong(&format!(
            "has {} bytes, not {}",
            found.size, file.size
        ))),
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

/// Builds the data directory, the configuration last; gives the damaged records.
fn build(
    folder: &Path,
    manifest: &Manifest,
    data: &Path,
    progress: &Progress,
) -> Result<Vec<String>, Error> {
    let io = |error: io::Error| unwritten(data, &error);
    directory(data).map_err(io)?;
    File::create_new(data.join(UNDER_WAY)).map_err(io)?;
    let held = run::hold(data)?;
    let (total, mut done) = (manifest.bytes(), 0);
    let mut folders = BTreeSet::new();
    for (path, file) in &manifest.files {
        let place = staged(data, path);
        let above = place.parent().unwrap_or(data);
        if folders.insert(above.to_owned()) {
            directory(above).map_err(io)?;
        }
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
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
    let clock = clock::System;
    let keys = Keys::open(&data.join(run::KEYS), clock.now())
        .map_err(|error| run::failed("open the keys of the backup", &error))?;
    let damaged = record(held, &keys, manifest, clock.now())?;
    let settings = data.join(config::FILE);
    fs::rename(staged(data, config::FILE), &settings).map_err(io)?;
    Config::load(data).map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))?;
    fs::remove_file(data.join(UNDER_WAY)).map_err(io)?;
    sync(data).map_err(io)?;
    Ok(damaged)
}

/// Verifies the journal as a whole, and records in it that it came back.
fn record(
    held: run::Held,
    keys: &Keys,
    manifest: &Manifest,
    now: DateTime<Utc>,
) -> Result<Vec<String>, Error> {
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
    let record = Entry {
        actor: None,
        way: Way::Socket,
        event: Event::NodeRestored(NodeRestored {
            made_at: manifest.made_at,
            above: 0,
        }),
    };
    journal
        .append(now, &[record.draft()])
        .map_err(|error| run::failed("record the restore", &error))?;
    let lines = report.places.iter().map(|place| {
        format!(
            "the body of record {} does not match its commitment",
            place.seq
        )
    });
    Ok(lines.collect())
}

/// Empties a directory in which an earlier restore was cut.
fn clear_leftovers(data: &Path) -> Result<(), Error> {
    if data.join(UNDER_WAY).exists() && !data.join(config::FILE).exists() {
        clear(data).map_err(|error| unwritten(data, &error))?;
    }
    Ok(())
}

fn clear(data: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Where a file is written: the configuration under another name, until all the rest is there.
fn staged(data: &Path, path: &str) -> PathBuf {
    match path == config::FILE {
        true => data.join(format!("{path}{}", disk::STAGED)),
        false => data.join(path),
    }
}

fn directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Stands in a data directory while it is being restored.
const UNDER_WAY: &str = "restoring";
