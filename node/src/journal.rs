//! The journal: what happened on this node, in order, and the only copy that counts.
//!
//! Invariant: a record that was acknowledged is never lost, changed or cut without being noticed.
//! Records are numbered from 1 without gaps; a chain of SHA-256 covers their headers; each header
//! commits to its body, which is sealed under a key of the keyring. All drafts of one append
//! become durable together or not at all. Whatever fails between a write and the answer stops the
//! journal until it is opened again.
//!
//! Not here: what a record means, and whether it may be written. Segments are never deleted.

mod body;
mod chain;
mod copy;
mod frame;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod mark;
mod reader;
mod recover;
mod segment;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};

use crate::disk::{self, Disk, Placing};
use crate::keyring::{self, KeyId, Keyring};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};
use chain::Chain;
pub use copy::{Bytes, Segment};
use frame::Header;
use mark::Mark;
pub use reader::Reader;
use reader::{Extent, Extents, Shared};
use segment::Footer;
pub use verify::Report;

/// The most bytes that one body may have: a batch of as many and as small items as there can be, each text of which is
/// sealed apart, takes about two thirds.
pub const BODY: usize = 2 << 20;
/// The bytes of sealed bodies at which a frame is full.
const FRAME: usize = 1 << 20;
/// The most that one record takes beside its body, in bytes.
const RECORD: usize = frame::PREAMBLE + frame::HEADER + body::OVERHEAD;
/// The bytes at which a segment is sealed and the next one begins.
const SEGMENT: u64 = 64 << 20;

/// A record that is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The number of the event's type and version; the journal does not interpret it.
    pub kind: u16,
    /// Under whose key the body is sealed.
    pub key: KeyId,
    /// The event; at most [`BODY`] bytes.
    pub body: Vec<u8>,
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The record's number, from 1.
    pub seq: u64,
    /// Where its frame starts in its segment, in bytes.
    pub offset: u64,
}

/// How many records there are, and the hash of the chain over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the last record; 0 before the first.
    pub count: u64,
    /// The chain's hash after it; zeros before the first.
    pub hash: [u8; 32],
}

impl Head {
    /// The head of an empty journal.
    pub const START: Self = Self {
        count: 0,
        hash: [0; 32],
    };
}

/// A record that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub position: Position,
    /// When it was written, to the microsecond.
    pub at: DateTime<Utc>,
    /// The number of the event's type and version.
    pub kind: u16,
    /// Under whose key the body is sealed.
    pub key: KeyId,
    /// The event, where it can be opened.
    pub body: Body,
}

/// The event of a record, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The bytes that were written.
    Open(Vec<u8>),
    /// The key was destroyed.
    Erased,
    /// The bytes or the key are not what was written.
    Damaged,
}

/// A place in a file that is not what was written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file's name in the journal's directory.
    pub file: String,
    /// Where the damage was noticed, in bytes.
    pub place: u64,
    /// What was noticed.
    pub what: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\" is damaged at byte {}: {}",
            self.file, self.place, self.what
        )
    }
}

/// Why a journal does not open; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file is not what was written.
    #[error(
        "the journal's file {0}; nothing was changed: restore this file from a backup of this \
         node, or the whole node, and start again"
    )]
    Damaged(Damage),
    /// A newer release wrote a file.
    #[error(
        "the journal's file \"{file}\" has format {format}, which this release does not know; \
         nothing was changed: start the newer release again"
    )]
    Newer {
        /// The file's name in the journal's directory.
        file: String,
        /// The format it states.
        format: u16,
    },
    /// The file system failed.
    #[error("the journal cannot be read or made ready")]
    Io(#[from] io::Error),
}

/// Why the journal did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A body is too large; nothing was written.
    #[error("a record's body has {0} bytes, more than {BODY}")]
    TooLarge(usize),
    /// A key is not to be had; nothing was written.
    #[error("a record's body cannot be sealed")]
    Key(#[source] keyring::Error),
    /// The disk is full; nothing was written, and appending goes on when there is space.
    #[error("the disk is full")]
    Full(#[source] io::Error),
    /// The file system failed; while appending, the journal stopped.
    #[error("the journal cannot be read or written")]
    Io(#[source] io::Error),
    /// An earlier append failed in a way that leaves unknown what is on disk.
    #[error("the journal stopped after a failed write: restart the node")]
    Stopped,
    /// A file is not what was written.
    #[error("the journal's file {0}")]
    Damaged(Damage),
    /// There is no such record, or it is not at that place.
    #[error("the journal has no record {0} at that place")]
    Absent(u64),
}

/// The one writer of a journal.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    chain: Chain,
    tail: Option<Tail>,
    mark: Mark,
    limit: u64,
    stopped: bool,
}

/// The segment that grows.
#[derive(Debug)]
struct Tail {
    first: u64,
    end: u64,
}

/// The frames of one append.
struct Group {
    frames: Vec<Vec<u8>>,
    chain: Chain,
    /// Each record's number and the frame it is in.
    places: Vec<(u64, usize)>,
}

impl Journal {
    /// Opens the journal of a directory, creating it where there is none.
    ///
    /// A tail that was torn before anyone was answered is cut; whole records beyond the mark stay.
    /// Segments that came from elsewhere are opened after [`acknowledge`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(disk: Arc<dyn Disk>, keyring: Arc<Keyring>) -> Result<Self, OpenError> {
        Self::sized(disk, keyring, SEGMENT)
    }

    fn sized(disk: Arc<dyn Disk>, keyring: Arc<Keyring>, limit: u64) -> Result<Self, OpenError> {
        let found = recover::recover(&*disk)?;
        let extents = Extents {
            segments: found.segments,
            head: found.chain.head,
        };
        let shared = Shared {
            disk,
            keyring,
            extents: RwLock::new(extents),
        };
        Ok(Self {
            shared: Arc::new(shared),
            chain: found.chain,
            tail: found.tail,
            mark: found.mark,
            limit,
            stopped: false,
        })
    }

    /// Writes records; on return all of them are durable.
    ///
    /// Keys that do not exist yet are made. `at` is kept to the microsecond.
    ///
    /// # Errors
    /// After [`Error::TooLarge`], [`Error::Key`] and [`Error::Full`] nothing was written and the
    /// journal goes on. After [`Error::Io`] the records may or may not be found when the journal
    /// is opened again; until then every call gives [`Error::Stopped`].
    pub fn append(&mut self, at: DateTime<Utc>, drafts: &[Draft]) -> Result<Vec<Position>, Error> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let written = self.write(at, drafts);
        self.stopped |= matches!(written, Err(Error::Io(_) | Error::Stopped));
        written
    }

    /// Seals the segment that grows, so that everything written so far is in files that never change.
    ///
    /// # Errors
    /// After [`Error::Full`] the segment goes on growing; after [`Error::Io`] every call gives
    /// [`Error::Stopped`].
    pub fn seal(&mut self) -> Result<(), Error> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        let sealed = self.close();
        self.stopped |= matches!(sealed, Err(Error::Io(_)));
        sealed
    }

    /// States how many records are durable, and the chain's hash over them.
    #[must_use]
    pub fn head(&self) -> Head {
        self.chain.head
    }

    /// Gives a reader, which sees every record that is durable when it looks.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(self.shared.clone())
    }

    fn write(&mut self, at: DateTime<Utc>, drafts: &[Draft]) -> Result<Vec<Position>, Error> {
        if let Some(draft) = drafts.iter().find(|draft| draft.body.len() > BODY) {
            return Err(Error::TooLarge(draft.body.len()));
        }
        for draft in drafts {
            self.shared
                .keyring
                .ensure(draft.key, crate::chance::fill)
                .map_err(unsealed)?;
        }
        self.shared.keyring.sync().map_err(unsealed)?;
        let most = |draft: &Draft| (draft.body.len() + RECORD) as u64;
        let bytes = drafts.iter().map(most).sum();
        self.turn(bytes)?;
        let group = self.group(at, drafts)?;
        #[cfg(test)]
        if planted(Bug::MarkFirst) {
            let marked = self.mark.write(&*self.shared.disk, &group.chain.head);
            marked.map_err(Error::Io)?;
        }
        let (first, start, end) = self.put(&group.frames)?;
        let sync = || self.shared.disk.sync(&segment::name(first));
        #[cfg(test)]
        let sync = || match () {
            () if planted(Bug::JournalUnsynced) => Ok(()),
            () if planted(Bug::SyncedAgain) => sync().or_else(|_| sync()),
            () => sync(),
        };
        sync().map_err(Error::Io)?;
        self.mark
            .write(&*self.shared.disk, &group.chain.head)
            .map_err(Error::Io)?;
        self.chain = group.chain;
        self.tail = Some(Tail { first, end });
        self.publish(first, Extent { end, sealed: false });
        let mut offsets = Vec::with_capacity(group.frames.len());
        let mut offset = start;
        for frame in &group.frames {
            offsets.push(offset);
            offset += frame.len() as u64;
        }
        let place = |(seq, frame): &(u64, usize)| Position {
            seq: *seq,
            offset: offsets[*frame],
        };
        Ok(group.places.iter().map(place).collect())
    }

    /// Seals the segment that `bytes` more would overfill.
    fn turn(&mut self, bytes: u64) -> Result<(), Error> {
        match &self.tail {
            Some(tail) if tail.end + bytes + segment::FOOTER as u64 > self.limit => self.close(),
            _ => Ok(()),
        }
    }

    /// Writes the footer of the segment that grows, if it has records.
    fn close(&mut self) -> Result<(), Error> {
        let Some(tail) = self.tail.as_ref() else {
            return Ok(());
        };
        let (first, place) = (tail.first, tail.end);
        if place == segment::HEADER as u64 {
            return Ok(());
        }
        let footer = Footer {
            first,
            place,
            head: self.chain.head,
            root: self.chain.root(),
        };
        self.grow(first, place, &[footer.encode().to_vec()])?;
        self.shared
            .disk
            .sync(&segment::name(first))
            .map_err(Error::Io)?;
        self.tail = None;
        self.chain = Chain::at(self.chain.head);
        self.publish(
            first,
            Extent {
                end: place,
                sealed: true,
            },
        );
        Ok(())
    }

    /// Seals the bodies and lays out the frames of one append.
    fn group(&self, at: DateTime<Utc>, drafts: &[Draft]) -> Result<Group, Error> {
        let start = self.chain.head.count + 1;
        let mut chain = self.chain.clone();
        let mut batches: Vec<Vec<(Header, Vec<u8>)>> = vec![Vec::new()];
        let mut places = Vec::with_capacity(drafts.len());
        let mut filled = 0;
        for (seq, draft) in (start..).zip(drafts) {
            let length = draft.body.len() + body::OVERHEAD;
            let batch = batches.last().map_or(0, Vec::len);
            if batch == frame::RECORDS || (batch > 0 && filled + length > FRAME) {
                batches.push(Vec::new());
                filled = 0;
            }
            filled += length;
            let record = self.record(seq, at, draft)?;
            chain.advance(&record.0.encode());
            places.push((seq, batches.len() - 1));
            batches
                .last_mut()
                .expect("there is one from the start")
                .push(record);
        }
        let last = batches.len() - 1;
        let frame = |(place, batch): (usize, &Vec<_>)| frame::encode(start, place < last, batch);
        Ok(Group {
            frames: batches.iter().enumerate().map(frame).collect(),
            chain,
            places,
        })
    }

    /// Seals the body of one record.
    fn record(
        &self,
        seq: u64,
        at: DateTime<Utc>,
        draft: &Draft,
    ) -> Result<(Header, Vec<u8>), Error> {
        let erased = || Error::Key(keyring::Error::Erased(draft.key));
        let key = self.shared.keyring.key(draft.key).ok_or_else(erased)?;
        let mut header = Header {
            seq,
            at: at.timestamp_micros(),
            kind: draft.kind,
            cipher: frame::AES,
            length: u32::try_from(draft.body.len() + body::OVERHEAD).expect("is below 2 MiB"),
            key: draft.key,
            nonce: [0; 12],
            commitment: [0; 32],
        };
        let sealed = body::seal(&mut header, &key, body::Drawn::new(), &draft.body);
        Ok((header, sealed))
    }

    /// Writes frames to the segment that grows, beginning one where there is none.
    fn put(&mut self, frames: &[Vec<u8>]) -> Result<(u64, u64, u64), Error> {
        if self.tail.is_none() {
            let first = self.chain.head.count + 1;
            let header = segment::header(&self.chain.head);
            disk::place(&*self.shared.disk, &segment::name(first), &header).map_err(|placing| {
                match placing {
                    Placing::Written(error) if disk::full(&error) => Error::Full(error),
                    Placing::Written(error) | Placing::Synced(error) => Error::Io(error),
                }
            })?;
            self.tail = Some(Tail {
                first,
                end: segment::HEADER as u64,
            });
        }
        let tail = self.tail.as_ref().expect("was made just now");
        let end = self.grow(tail.first, tail.end, frames)?;
        Ok((tail.first, tail.end, end))
    }

    /// Writes parts one behind the other; a full disk leaves the file as it was.
    fn grow(&self, first: u64, start: u64, parts: &[Vec<u8>]) -> Result<u64, Error> {
        let (disk, name) = (&self.shared.disk, segment::name(first));
        let mut end = start;
        for part in parts {
            if let Err(error) = disk.write_at(&name, end, part) {
                if !disk::full(&error) {
                    return Err(Error::Io(error));
                }
                // Synced, so that no power cut brings back frames that later ones then contradict.
                disk.set_len(&name, start)
                    .and_then(|()| disk.sync(&name))
                    .map_err(Error::Io)?;
                return Err(Error::Full(error));
            }
            end += part.len() as u64;
        }
        Ok(end)
    }

    fn publish(&self, first: u64, extent: Extent) {
        let mut extents = self
            .shared
            .extents
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        extents.segments.insert(first, extent);
        extents.head = self.chain.head;
    }
}

/// Marks what lies in a directory that has no mark as acknowledged up to a head: for segments that
/// came from a backup. Opening the journal compares it with them.
///
/// # Errors
/// Whatever the file system reports.
pub fn acknowledge(disk: &dyn Disk, head: Head) -> io::Result<()> {
    Mark::place(disk, head).map(drop)
}

/// Says what a failure of the keyring means for an append.
fn unsealed(error: keyring::Error) -> Error {
    match error {
        keyring::Error::Full(error) => Error::Full(error),
        keyring::Error::Io(error) => Error::Io(error),
        keyring::Error::Stopped => Error::Stopped,
        error @ (keyring::Error::Erased(_) | keyring::Error::Damaged(_)) => Error::Key(error),
    }
}
