//! The disk that is one: a directory of the operating system's file system.
//!
//! Invariant: one process at a time has the directory open (an advisory lock on the directory
//! itself), and a file that was written stays open until it was synced, so that no failed
//! write-back goes unreported.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::FlockOperation;

use super::Disk;

/// How many files stay open: far below the usual limit of 1,024 descriptors.
const OPEN: usize = 128;

/// A directory on a real file system, locked for this process.
#[derive(Debug)]
pub struct Real {
    dir: PathBuf,
    lock: File,
    files: Mutex<BTreeMap<String, Handle>>,
}

#[derive(Debug)]
struct Handle {
    file: Arc<File>,
    unsynced: bool,
}

impl Real {
    /// Opens a directory, creating it (for its user only) where it is missing.
    ///
    /// # Errors
    /// `WouldBlock` where another process, or another `Real`, has the directory open; otherwise
    /// whatever the file system reports.
    pub fn open(dir: &Path) -> io::Result<Self> {
        if !dir.is_dir() {
            super::directory(dir)?;
        }
        let lock = File::open(dir)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            lock,
            files: Mutex::default(),
        })
    }

    fn file(&self, name: &str, writes: bool) -> io::Result<Arc<File>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = files.get_mut(name) {
            handle.unsynced |= writes;
            return Ok(handle.file.clone());
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(name))?;
        let file = Arc::new(file);
        keep(
            &mut files,
            name,
            Handle {
                file: file.clone(),
                unsynced: writes,
            },
        );
        Ok(file)
    }

    fn path(&self, name: &str) -> PathBuf {
        debug_assert!(!name.contains('/'), "the directory is flat");
        self.dir.join(name)
    }

    fn forget(&self, name: &str) {
        self.files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }
}

fn keep(files: &mut BTreeMap<String, Handle>, name: &str, handle: Handle) {
    if files.len() >= OPEN {
        files.retain(|_, handle| handle.unsynced);
    }
    files.insert(name.to_owned(), handle);
}

impl Disk for Real {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            names.extend(entry.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = Arc::new(options.open(self.path(name))?);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        keep(
            &mut files,
            name,
            Handle {
                file,
                unsynced: true,
            },
        );
        Ok(())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.file(name, false)?.metadata()?.len())
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file(name, false)?.read_exact_at(buffer, offset)
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name, true)?.write_all_at(bytes, offset)
    }

    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        self.file(name, true)?.set_len(len)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let file = self.file(name, false)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = files.get_mut(name) {
            handle.unsynced = false;
        }
        drop(files);
        file.sync_data()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.lock.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path(from), self.path(to))?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.remove(to);
        if let Some(handle) = files.remove(from) {
            files.insert(to.to_owned(), handle);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path(name))?;
        self.forget(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_open_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = Real::open(&dir.path().join("north")).unwrap();
        let refused = Real::open(&dir.path().join("north")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        Real::open(&dir.path().join("north")).unwrap();
    }

    #[test]
    fn more_files_than_stay_open_are_still_written_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Real::open(dir.path()).unwrap();
        for number in 0..OPEN + 10 {
            let name = number.to_string();
            disk.create(&name).unwrap();
            disk.write_at(&name, 2, name.as_bytes()).unwrap();
            disk.sync(&name).unwrap();
        }
        assert!(disk.files.lock().unwrap().len() <= OPEN);
        for number in 0..OPEN + 10 {
            let name = number.to_string();
            let read = super::super::read(&disk, &name).unwrap();
            assert_eq!(read, [b"\0\0", name.as_bytes()].concat());
        }
    }

    #[test]
    fn names_move_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Real::open(dir.path()).unwrap();
        disk.create("a").unwrap();
        assert_eq!(
            disk.create("a").unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        disk.write_at("a", 0, b"north").unwrap();
        disk.create("b").unwrap();
        disk.rename("a", "b").unwrap();
        disk.sync_dir().unwrap();
        assert_eq!(disk.list().unwrap(), ["b"]);
        assert_eq!(disk.len("b").unwrap(), 5);
        disk.set_len("b", 2).unwrap();
        assert_eq!(super::super::read(&disk, "b").unwrap(), b"no");
        disk.remove("b").unwrap();
        assert_eq!(disk.len("b").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
