//! The files of the store as a backup copies them.
//!
//! A blob's own file never changes; a pack grows, and what is erased in it is overwritten.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use super::{Blobs, Place, Placed, header};

/// One file of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// Its name in the store, with `/` between folders.
    pub name: String,
    /// Whether its bytes never change.
    pub fixed: bool,
}

impl Stored {
    /// Which file holds a blob.
    #[must_use]
    pub fn of(placed: &Placed) -> Self {
        match placed.place {
            Place::Own => {
                let digest = placed.digest.to_string();
                Self {
                    name: format!("own/{}/{digest}", &digest[..2]),
                    fixed: true,
                }
            }
            Place::Pack { number, .. } => Self {
                name: format!("packs/{number:08}"),
                fixed: false,
            },
        }
    }
}

impl Placed {
    /// How long a pack is at least that holds it, in bytes; 0 where it has a file of its own.
    #[must_use]
    pub fn end(&self) -> u64 {
        match self.place {
            Place::Own => 0,
            Place::Pack { offset, .. } => u64::from(offset) + header::LEN as u64 + self.size,
        }
    }
}

impl Blobs {
    /// The length of a file in bytes.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn stored_size(&self, stored: &Stored) -> io::Result<u64> {
        Ok(fs::metadata(self.stored(stored))?.len())
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn open_stored(&self, stored: &Stored) -> io::Result<File> {
        File::open(self.stored(stored))
    }

    fn stored(&self, stored: &Stored) -> PathBuf {
        self.inner.dir.join(&stored.name)
    }
}
