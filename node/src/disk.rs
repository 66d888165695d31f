//! What journal, mark and keyring do to files: named files in one flat directory.
//!
//! Invariant: nothing is durable before `sync` (what is in a file) and `sync_dir` (which names
//! exist) have returned. Everything that must survive power loss goes through this trait, so that
//! [`Memory`] can stand beneath it and cut the power at any call.
//!
//! Not here: blobs (they have their own interface) and the projection's engine.

mod memory;
mod real;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

pub(crate) use memory::Dice;
pub use memory::Memory;
pub use real::Real;

/// One directory of plain files, addressed by name.
///
/// A failed `sync` says nothing about what reached the medium and must never be repeated in the
/// hope that it succeeds: the caller stops and starts again from what is on disk.
pub trait Disk: Send + Sync + 'static {
    /// Lists the names of all files, sorted.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Creates an empty file.
    ///
    /// # Errors
    /// `AlreadyExists` where the name is taken, or whatever the file system reports.
    fn create(&self, name: &str) -> io::Result<()>;

    /// States the length of a file in bytes.
    ///
    /// # Errors
    /// `NotFound` where there is no such file, or whatever the file system reports.
    fn len(&self, name: &str) -> io::Result<u64>;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file ends before the buffer is full, or whatever the file system
    /// reports.
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, growing the file where it ends before.
    ///
    /// # Errors
    /// `StorageFull` where there is no space, or whatever the file system reports; a part of the
    /// bytes may have been written.
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts or extends a file to `len` bytes.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn set_len(&self, name: &str, len: u64) -> io::Result<()>;

    /// Makes what is in a file, and its length, durable.
    ///
    /// # Errors
    /// Whatever the file system reports; the caller must stop.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Makes the names of the directory durable.
    ///
    /// # Errors
    /// Whatever the file system reports; the caller must stop.
    fn sync_dir(&self) -> io::Result<()>;

    /// Renames a file, replacing what had the new name.
    ///
    /// # Errors
    /// `NotFound` where there is no such file, or whatever the file system reports.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` where there is no such file, or whatever the file system reports.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// Reads a whole file.
pub(crate) fn read(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
    let len = usize::try_from(disk.len(name)?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    disk.read_at(name, 0, &mut bytes)?;
    Ok(bytes)
}

/// Makes a file appear under its name whole or not at all, durably.
///
/// The name's presence afterwards therefore proves that its first bytes were written in full.
pub(crate) fn place(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), Placing> {
    let stage = format!("{name}{STAGED}");
    let staged = match disk.remove(&stage) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    staged
        .and_then(|()| disk.create(&stage))
        .and_then(|()| disk.write_at(&stage, 0, bytes))
        .map_err(Placing::Written)?;
    disk.sync(&stage).map_err(Placing::Synced)?;
    disk.rename(&stage, name).map_err(Placing::Written)?;
    disk.sync_dir().map_err(Placing::Synced)
}

/// Makes a directory for its user only, with those above it that are missing; all their names are durable.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    let ancestors = path.ancestors().filter(|path| *path != Path::new(""));
    let missing: Vec<&Path> = ancestors.take_while(|path| !path.exists()).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path)?;
    let mut made = missing.into_iter().rev();
    made.try_for_each(|made| File::open(above(made))?.sync_all())
}

/// The directory that holds `path`, which may be a bare name.
pub(crate) fn above(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or_else(|| Path::new("."))
}

/// What a file is called until it is whole; such files count for nothing.
pub(crate) const STAGED: &str = ".new";

/// Why a file was not placed, and whether trying again is allowed.
#[derive(Debug)]
pub(crate) enum Placing {
    /// A write failed: nothing has the name yet.
    Written(io::Error),
    /// A sync failed: what is on the medium is unknown.
    Synced(io::Error),
}

impl From<Placing> for io::Error {
    fn from(placing: Placing) -> Self {
        match placing {
            Placing::Written(error) | Placing::Synced(error) => error,
        }
    }
}

/// Tells a full disk or quota from other failures.
pub(crate) fn full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
