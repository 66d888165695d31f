//! Reading records, beside the writer and from any thread.
//!
//! Invariant: only what is durable is seen. A frame whose headers are not what was written is an
//! error; a body that is not is given as damaged, and those beside it as they are.
//!
//! Not here: the chain (`verify` walks it).

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::frame::{self, Frame, Header, Preamble};
use super::{Damage, Error, Head, Position, Record, body, segment};
use crate::disk::Disk;
use crate::keyring::Keyring;

/// What the writer and its readers have in common.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) extents: RwLock<Extents>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("extents", &self.extents)
            .finish_non_exhaustive()
    }
}

/// Which records are durable, and where.
#[derive(Debug, Clone)]
pub(super) struct Extents {
    /// The segments by their first record.
    pub(super) segments: BTreeMap<u64, Extent>,
    pub(super) head: Head,
}

impl Extents {
    fn segment(&self, seq: u64) -> Option<(u64, Extent)> {
        if seq > self.head.count {
            return None;
        }
        self.segments
            .range(..=seq)
            .next_back()
            .map(|(first, extent)| (*first, *extent))
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// The end of the last frame, in bytes.
    pub(super) end: u64,
    /// Whether a footer follows.
    pub(super) sealed: bool,
}

/// Reads what is durable; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    /// The keys that open the bodies, and the texts in them.
    pub fn keyring(&self) -> &Keyring {
        &self.shared.keyring
    }

    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn share(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// States how many records are durable, and the chain's hash over them.
    #[must_use]
    pub fn head(&self) -> Head {
        self.shared.extents().head
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`Error::Absent`] where the position is none of this journal's, [`Error::Damaged`],
    /// [`Error::Io`].
    pub fn read(&self, position: Position) -> Result<Record, Error> {
        let Position { seq, offset } = position;
        let absent = Error::Absent(seq);
        let Some((first, extent)) = self.shared.segment(seq) else {
            return Err(absent);
        };
        let name = segment::name(first);
        let head = self.shared.head(&name, offset, extent.end)?;
        let frame = parse(&head, &name, offset)?;
        let mut place = offset + frame.preamble.head() as u64;
        for header in frame.headers() {
            if header.seq == seq {
                let mut sealed = vec![0; header.length as usize];
                self.shared
                    .disk
                    .read_at(&name, place, &mut sealed)
                    .map_err(Error::Io)?;
                return Ok(self.shared.record(&header, offset, &sealed));
            }
            place += u64::from(header.length);
        }
        Err(absent)
    }

    /// Reads all records behind `after`, in order, up to what is durable when it gets there.
    ///
    /// `from` is the position of a record before them, or of the first of them; with it the start
    /// need not be searched. After an error there is nothing more.
    pub fn scan(
        &self,
        after: u64,
        from: Option<Position>,
    ) -> impl Iterator<Item = Result<Record, Error>> + Send + use<> {
        let shared = self.shared.clone();
        let from = from.filter(|from| from.seq <= after + 1);
        let place = from.and_then(|from| Some((shared.segment(from.seq)?.0, from)));
        Scan {
            shared,
            next: after + 1,
            place,
            ready: VecDeque::new(),
            failed: false,
        }
    }
}

struct Scan {
    shared: Arc<Shared>,
    next: u64,
    /// A segment and the place in it of a frame at or before the next record's.
    place: Option<(u64, Position)>,
    ready: VecDeque<Record>,
    failed: bool,
}

impl Iterator for Scan {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.failed {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        let record = self.ready.pop_front()?;
        self.next = record.position.seq + 1;
        Some(Ok(record))
    }
}

impl Scan {
    /// Reads one frame; false where nothing more is durable.
    fn fill(&mut self) -> Result<bool, Error> {
        let Some((first, extent)) = self.shared.segment(self.next) else {
            return Ok(false);
        };
        let start = Position {
            seq: first,
            offset: segment::HEADER as u64,
        };
        let place = match self.place {
            Some((segment, place)) if segment == first => place,
            _ => start,
        };
        let name = segment::name(first);
        let head = self.shared.head(&name, place.offset, extent.end)?;
        let frame = parse(&head, &name, place.offset)?;
        let preamble = frame.preamble;
        let (begin, end) = (preamble.first, preamble.first + preamble.count() as u64);
        if begin > place.seq || place.seq >= end {
            return Err(damaged(
                &name,
                place.offset,
                "another frame was expected here",
            ));
        }
        let behind = Position {
            seq: end,
            offset: place.offset + preamble.len() as u64,
        };
        self.place = Some((first, behind));
        if self.next >= end {
            return Ok(true);
        }
        let mut bodies = vec![0; preamble.bodies as usize];
        let bodies_at = place.offset + preamble.head() as u64;
        self.shared
            .disk
            .read_at(&name, bodies_at, &mut bodies)
            .map_err(Error::Io)?;
        for (header, sealed) in bodies_of(&frame, &bodies) {
            if header.seq >= self.next {
                self.ready
                    .push_back(self.shared.record(&header, place.offset, sealed));
            }
        }
        Ok(true)
    }
}

impl Shared {
    pub(super) fn extents(&self) -> RwLockReadGuard<'_, Extents> {
        self.extents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn segment(&self, seq: u64) -> Option<(u64, Extent)> {
        self.extents().segment(seq)
    }

    /// Reads preamble and record headers of the frame at `offset`.
    pub(super) fn head(&self, name: &str, offset: u64, end: u64) -> Result<Vec<u8>, Error> {
        let room = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let cut = || damaged(name, offset, "a frame was expected here");
        if room < frame::PREAMBLE {
            return Err(cut());
        }
        let mut bytes = vec![0; frame::PREAMBLE];
        self.fill(name, offset, &mut bytes)?;
        let preamble = Preamble::parse(&bytes).filter(|preamble| preamble.len() <= room);
        bytes.resize(preamble.ok_or_else(cut)?.head(), 0);
        let rest = &mut bytes[frame::PREAMBLE..];
        self.fill(name, offset + frame::PREAMBLE as u64, rest)?;
        Ok(bytes)
    }

    /// Reads bytes that must be there.
    pub(super) fn fill(&self, name: &str, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.disk
            .read_at(name, offset, bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => damaged(name, offset, "the file ends before"),
                _ => Error::Io(error),
            })
    }

    fn record(&self, header: &Header, offset: u64, sealed: &[u8]) -> Record {
        Record {
            position: Position {
                seq: header.seq,
                offset,
            },
            at: header.time(),
            kind: header.kind,
            key: header.key,
            body: body::open(header, &self.keyring, sealed),
        }
    }
}

/// Pairs each record header with its sealed body.
pub(super) fn bodies_of<'a>(
    frame: &Frame<'a>,
    bodies: &'a [u8],
) -> impl Iterator<Item = (Header, &'a [u8])> {
    let mut rest = bodies;
    frame.headers().map(move |header| {
        let (sealed, behind) = rest.split_at(rest.len().min(header.length as usize));
        rest = behind;
        (header, sealed)
    })
}

pub(super) fn parse<'a>(head: &'a [u8], name: &str, offset: u64) -> Result<Frame<'a>, Error> {
    Frame::parse(head)
        .ok_or_else(|| damaged(name, offset, "a frame's headers are not what was written"))
}

pub(super) fn damaged(file: &str, place: u64, what: &'static str) -> Error {
    Error::Damaged(Damage {
        file: file.to_owned(),
        place,
        what,
    })
}
