//! Copying sealed segments, beside the writer.
//!
//! Invariant: only what never changes again is given out: segments with their footer.
//!
//! Not here: where copies go, and `acknowledge`, which makes a journal of them.

use std::io::{self, Read};
use std::sync::Arc;

use super::reader::{Reader, Shared};
use super::segment::{self, Start};
use super::{Error, Head};

/// A sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The file's name in the journal's directory.
    pub name: String,
    /// The file's length in bytes.
    pub size: u64,
    /// Its first record.
    pub(super) first: u64,
}

/// The bytes of a sealed segment, in order.
#[derive(Debug)]
pub struct Bytes {
    shared: Arc<Shared>,
    segment: Segment,
    at: u64,
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.segment.size - self.at).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        self.shared
            .disk
            .read_at(&self.segment.name, self.at, &mut buffer[..count])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Reader {
    /// Lists the sealed segments whose first record is at most `through`, in order.
    #[must_use]
    pub fn sealed(&self, through: u64) -> Vec<Segment> {
        let extents = self.shared().extents();
        let segments = extents.segments.range(..=through);
        segments
            .filter(|(_, extent)| extent.sealed)
            .map(|(first, extent)| Segment {
                name: segment::name(*first),
                size: extent.end + segment::FOOTER as u64,
                first: *first,
            })
            .collect()
    }

    /// Opens a sealed segment.
    #[must_use]
    pub fn bytes(&self, segment: &Segment) -> Bytes {
        Bytes {
            shared: self.share(),
            segment: segment.clone(),
            at: 0,
        }
    }

    /// Tells whether a segment ended with this head: whether what was sealed there is the beginning of
    /// this journal.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`].
    pub fn continues(&self, head: Head) -> Result<bool, Error> {
        let extents = self.shared().extents().clone();
        if extents.head.count <= head.count {
            return Ok(extents.head == head);
        }
        if !extents.segments.contains_key(&(head.count + 1)) {
            return Ok(false);
        }
        let mut bytes = [0; segment::HEADER];
        let name = segment::name(head.count + 1);
        self.shared().fill(&name, 0, &mut bytes)?;
        Ok(segment::start(&bytes) == Start::Head(head))
    }
}
