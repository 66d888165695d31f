//! Takes in a blob that a partner sends, verified while it streams.
//!
//! Big blobs are written as they come and resume where they stopped; up to
//! [`SMALL`](super::SMALL) bytes stay in memory and start over. Nothing is set aside for a size that
//! is only claimed.

use std::fmt;
use std::fs::File;

use interdocket_sync::blob::{Digest, GROUP};

use super::decode::{Decoder, Leaf};
use super::direct::PAGE;
use super::mark::{self, Mark};
use super::stage::{self, Paths, Stage};
use super::tree::Builder;
use super::{Blobs, Body, Busy, Error, Owned, Ranges, SMALL, StageId, Staged};

/// How many bytes are received between two marks: what a power cut can cost twice.
const INTERVAL: u64 = 32 << 20;

/// How far a blob has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes are verified, those of earlier attempts included.
    pub verified: u64,
    /// How many there are.
    pub size: u64,
}

/// A blob that is arriving. Dropped unfinished, it keeps what is verified for the next attempt.
pub struct Receiver {
    decoder: Decoder,
    wanted: Ranges,
    digest: Digest,
    verified: u64,
    sink: Sink,
}

// Evidence bytes never reach a log.
impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("digest", &self.digest)
            .field("verified", &self.verified)
            .finish_non_exhaustive()
    }
}

enum Sink {
    Memory(Vec<u8>),
    Disk(Box<Disk>),
}

struct Disk {
    stage: Stage,
    paths: Paths,
    marked: u64,
    busy: Option<Busy>,
}

impl Blobs {
    /// Starts or resumes receiving a blob. Name and size are what the sender claims; a stage that
    /// was begun with others starts over.
    ///
    /// # Errors
    /// [`Error::TooLarge`] and [`Error::Full`] before the first byte, [`Error::Busy`] where that
    /// stage is in use, [`Error::Io`].
    pub fn receive(&self, stage: StageId, digest: Digest, size: u64) -> Result<Receiver, Error> {
        // Refuses a size that nothing can have before anything is computed from it.
        Decoder::new(digest, Ranges::all(size))?;
        if size <= SMALL {
            self.inner.room(size)?;
            let wanted = Ranges::all(size);
            let decoder = Decoder::new(digest, wanted.clone())?;
            let sink = Sink::Memory(Vec::new());
            return Ok(Receiver {
                decoder,
                wanted,
                digest,
                verified: 0,
                sink,
            });
        }
        let paths = stage::paths(&self.inner, &stage.0);
        let busy = self.inner.busy(stage)?;
        let mark = resumable(&paths, digest, size);
        let verified = mark.as_ref().map_or(0, |mark| mark.done);
        self.inner.room(size - verified)?;
        let stage = Stage::start(self.inner.clone(), paths.clone(), mark)?;
        let wanted = Ranges::after(size, verified);
        let decoder = Decoder::new(digest, wanted.clone())?;
        let sink = Sink::Disk(Box::new(Disk {
            stage,
            paths,
            marked: verified,
            busy: Some(busy),
        }));
        Ok(Receiver {
            decoder,
            wanted,
            digest,
            verified,
            sink,
        })
    }
}

impl Blobs {
    /// From which byte on [`Blobs::receive`] would go on: what is before is verified and durable.
    pub fn resumes(&self, stage: &StageId, digest: Digest, size: u64) -> u64 {
        if size <= SMALL {
            return 0;
        }
        let paths = stage::paths(&self.inner, &stage.0);
        resumable(&paths, digest, size).map_or(0, |mark| mark.done)
    }
}

impl Receiver {
    /// What is still to be sent, as it was when this attempt began.
    pub fn wanted(&self) -> Ranges {
        self.wanted.clone()
    }

    /// Takes the next piece of the stream of what is wanted.
    ///
    /// # Errors
    /// [`Error::Mismatch`] and [`Error::TooLong`] say that the sender is wrong: what was verified
    /// before stays for another attempt. [`Error::Full`] has removed the stage. [`Error::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<Progress, Error> {
        let Self {
            decoder,
            wanted,
            digest,
            verified,
            sink,
        } = self;
        let size = wanted.size();
        decoder.push(bytes, &mut |leaf| {
            *verified = leaf.offset + leaf.data.len() as u64;
            sink.put(leaf, *digest, size)
        })?;
        Ok(Progress {
            verified: *verified,
            size,
        })
    }

    /// Checks that all is there; the blob can then be committed.
    ///
    /// # Errors
    /// [`Error::Short`] where something is missing, else as [`Receiver::write`].
    pub fn finish(mut self) -> Result<Staged, Error> {
        self.decoder.finish()?;
        let size = self.wanted.size();
        match &mut self.sink {
            Sink::Memory(data) => {
                let body = Body::Small(std::mem::take(data));
                Ok(Staged {
                    digest: self.digest,
                    size,
                    sha256: None,
                    body,
                })
            }
            Sink::Disk(disk) => {
                let sealed = disk.stage.seal()?;
                disk.marked = size;
                if sealed != (self.digest, size) {
                    // Every group was verified, so the mark that it resumed from was not true.
                    disk.paths.remove();
                    return Err(Error::Mismatch { at: 0 });
                }
                let owned = Owned {
                    paths: disk.paths.clone(),
                    busy: disk.busy.take(),
                };
                Ok(Staged {
                    digest: self.digest,
                    size,
                    sha256: None,
                    body: Body::Own(owned),
                })
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Sink::Disk(disk) = &mut self.sink
            && self.verified > disk.marked
            && self.verified.is_multiple_of(GROUP)
        {
            // What cannot be kept is received again.
            let _ = disk.stage.mark(self.digest, self.wanted.size());
        }
    }
}

impl Sink {
    fn put(&mut self, leaf: &Leaf<'_>, digest: Digest, size: u64) -> Result<(), Error> {
        let disk = match self {
            Self::Memory(data) => {
                data.extend_from_slice(leaf.data);
                return Ok(());
            }
            Self::Disk(disk) => disk,
        };
        disk.stage.put(leaf.data)?;
        disk.stage.builder.push(leaf.hash);
        let done = leaf.offset + leaf.data.len() as u64;
        if done.is_multiple_of(INTERVAL) {
            disk.stage.mark(digest, size)?;
            disk.marked = done;
        }
        Ok(())
    }
}

/// The mark of a stage, where it speaks of this blob and the files hold what it claims.
fn resumable(paths: &Paths, digest: Digest, size: u64) -> Option<Mark> {
    let (data, pairs) = (File::open(&paths.data).ok()?, File::open(&paths.tree).ok()?);
    let mark = Mark::load(&pairs)?;
    let written = Builder::written(mark.done / GROUP);
    let fits = mark.digest == digest
        && mark.size == size
        && mark.done <= size
        && mark.done.is_multiple_of(GROUP)
        && data.metadata().ok()?.len() >= PAGE as u64 + mark.done
        && (written == 0 || pairs.metadata().ok()?.len() >= mark::PAIRS + written);
    (fits && mark.builder().is_some()).then_some(mark)
}
