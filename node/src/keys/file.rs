//! How a key gets to disk and back: private to the node's user, written whole or not at all.
//!
//! A directory or file that others may read or write is refused, with the command that mends it.
//! What a file means is not here.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a key file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("cannot {verb} {path}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others may read or write it.
    #[error("{path} has mode {mode:04o} and others may use it; run: chmod {wanted:o} '{path}'")]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// The mode found.
        mode: u32,
        /// The mode it has to have.
        wanted: u32,
    },
}

/// Makes a directory that only the node's user may enter.
pub(super) fn directory(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .mode(DIRECTORY)
        .create(path)
        .map_err(|source| Error::Io {
            verb: "create",
            path: path.into(),
            source,
        })
}

/// Refuses a directory that others may enter.
pub(super) fn private(path: &Path) -> Result<(), Error> {
    check(path, DIRECTORY)
}

/// Refuses a file that others may use; it may be missing.
pub(super) fn closed(path: &Path) -> Result<(), Error> {
    match path.exists() {
        true => check(path, FILE),
        false => Ok(()),
    }
}

/// Reads a file that only the node's user may read.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    check(path, FILE)?;
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| Error::Io {
            verb: "read",
            path: path.into(),
            source,
        })
}

/// Puts a file in place, whole and synced, in the place of an older one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fresh = path.with_extension("new");
    put(&fresh, bytes)
        .and_then(|()| fs::rename(&fresh, path))
        .and_then(|()| sync(above(path)))
        .map_err(|source| Error::Io {
            verb: "write",
            path: path.into(),
            source,
        })
}

/// Gives a finished directory its name, which must be free.
pub(super) fn publish(fresh: &Path, path: &Path) -> Result<(), Error> {
    sync(fresh)
        .and_then(|()| fs::rename(fresh, path))
        .and_then(|()| sync(above(path)))
        .map_err(|source| Error::Io {
            verb: "create",
            path: path.into(),
            source,
        })
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync(directory: &Path) -> std::io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

/// The directory that holds `path`, which may be a bare name.
fn above(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

fn check(path: &Path, wanted: u32) -> Result<(), Error> {
    let found = fs::metadata(path).map_err(|source| Error::Io {
        verb: "read",
        path: path.into(),
        source,
    })?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::Open {
            path: path.into(),
            mode,
            wanted,
        });
    }
    Ok(())
}

const DIRECTORY: u32 = 0o700;
const FILE: u32 = 0o600;
