//! Gives out the verified stream of stored blobs.
//!
//! What comes from a file of its own is sent as it lies on disk, without hashing it: the receiver
//! verifies every group, and its complaint makes the sender verify. A packed blob is hashed on the
//! way, since its tree is not stored.

use std::fmt;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::BytesMut;
use interdocket_sync::blob::Digest;

use super::direct::{self, PAGE};
use super::tree::{self, Span, Walk};
use super::{Error, Ranges};

/// How many bytes of pairs are read at once: those over 1,024 groups.
const WINDOW: u64 = 64 * 1024;

/// The verified stream of some ranges of one blob, made as it is asked for.
pub struct Encoder {
    digest: Digest,
    walk: Walk<()>,
    source: Source,
}

// Evidence bytes never reach a log.
impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

pub(super) enum Source {
    Memory {
        data: Vec<u8>,
        pairs: Vec<u8>,
    },
    File {
        file: direct::Source,
        pairs: u64,
        window: (u64, Vec<u8>),
    },
}

impl Source {
    /// A file of its own, whose header was checked.
    pub(super) fn file(file: direct::Source, size: u64) -> Self {
        let pairs = PAGE as u64 + size.next_multiple_of(PAGE as u64);
        Self::File {
            file,
            pairs,
            window: (0, Vec::new()),
        }
    }

    fn data(&mut self, at: u64, out: &mut [u8], until: u64) -> io::Result<()> {
        match self {
            Self::Memory { data, .. } => copy(data, at, out),
            Self::File { file, .. } => file.read(PAGE as u64 + at, out, PAGE as u64 + until),
        }
    }

    fn pair(&mut self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let (file, base, window) = match self {
            Self::Memory { pairs, .. } => return copy(pairs, at, out),
            Self::File {
                file,
                pairs,
                window,
            } => (file, *pairs, window),
        };
        let end = at + tree::PAIR as u64;
        if at < window.0 || end > window.0 + window.1.len() as u64 {
            // In post-order what lies below a node stands before it.
            window.0 = end.saturating_sub(WINDOW);
            window.1.resize((end - window.0) as usize, 0);
            if let Err(e) = file.file().read_exact_at(&mut window.1, base + window.0) {
                window.1.clear();
                return Err(e);
            }
        }
        copy(&window.1, at - window.0, out)
    }
}

fn copy(from: &[u8], at: u64, out: &mut [u8]) -> io::Result<()> {
    let part = usize::try_from(at)
        .ok()
        .and_then(|at| from.get(at..at.checked_add(out.len())?));
    out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}

impl Encoder {
    pub(super) fn new(digest: Digest, ranges: Ranges, source: Source) -> Self {
        Self {
            digest,
            walk: Walk::new(ranges, ()),
            source,
        }
    }

    /// Appends whole items of the stream while `out` holds at most `max` bytes, and says whether
    /// more is to come. At least one item is appended where `out` is empty; an item is at most 16 KiB.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the disk does not give the bytes back.
    pub fn fill(&mut self, out: &mut BytesMut, max: usize) -> Result<bool, Error> {
        while let Some(need) = self.walk.peek().map(Span::len) {
            if !out.is_empty() && out.len() + need > max {
                return Ok(true);
            }
            let Some(span) = self.walk.pop() else {
                return Ok(false);
            };
            let start = out.len();
            out.resize(start + need, 0);
            let item = &mut out[start..];
            let read = if span.is_leaf() {
                self.source
                    .data(span.bytes.start, item, self.walk.until(span.bytes.start))
            } else {
                let read = self.source.pair(span.place(), item);
                self.walk.descend(span.bytes, (), ());
                read
            };
            if read.is_err() {
                out.truncate(start);
                return Err(Error::Damaged(self.digest));
            }
        }
        Ok(false)
    }
}
