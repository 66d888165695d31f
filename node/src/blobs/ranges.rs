//! Which parts of a blob are asked for: whole groups, ascending and disjoint.
//!
//! Both sides widen to groups the same way, so a stream has one shape.

use std::ops::Range;

use interdocket_sync::blob::{GROUP, MAX_SIZE};

use super::Error;

/// Parts of one blob, widened to whole groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges {
    size: u64,
    spans: Vec<Range<u64>>,
}

impl Ranges {
    /// Asks for the whole of a blob of `size` bytes.
    pub fn all(size: u64) -> Self {
        Self::after(size, 0)
    }

    /// Asks for everything from the group that holds byte `start` on.
    pub fn after(size: u64, start: u64) -> Self {
        let start = start - start % GROUP;
        Self {
            size,
            spans: (start < size).then_some(start..size).into_iter().collect(),
        }
    }

    /// Asks for nothing.
    pub(super) fn none(size: u64) -> Self {
        Self {
            size,
            spans: Vec::new(),
        }
    }

    /// Widens ranges to whole groups and joins those that touch.
    ///
    /// # Errors
    /// [`Error::Ranges`] where they are not ascending and disjoint, one is empty, or one ends beyond
    /// the blob; [`Error::TooLarge`] where the blob is.
    pub fn new(size: u64, ranges: impl IntoIterator<Item = Range<u64>>) -> Result<Self, Error> {
        if size > MAX_SIZE {
            return Err(Error::TooLarge { size });
        }
        let mut spans: Vec<Range<u64>> = Vec::new();
        let mut last = 0;
        for range in ranges {
            if range.start < last || range.start >= range.end || range.end > size {
                return Err(Error::Ranges);
            }
            last = range.end;
            let wide =
                range.start - range.start % GROUP..range.end.next_multiple_of(GROUP).min(size);
            match spans.last_mut() {
                Some(before) if before.end >= wide.start => before.end = wide.end,
                _ => spans.push(wide),
            }
        }
        Ok(Self { size, spans })
    }

    /// The size of the blob, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The ranges, in bytes.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.spans.iter().cloned()
    }

    /// How many bytes of the blob they cover.
    pub fn bytes(&self) -> u64 {
        self.spans.iter().map(|span| span.end - span.start).sum()
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether any byte of `span` is asked for.
    pub(super) fn touch(&self, span: &Range<u64>) -> bool {
        let next = self.spans.partition_point(|have| have.end <= span.start);
        self.spans
            .get(next)
            .is_some_and(|have| have.start < span.end)
    }

    /// The end of the range that holds byte `at`, else `at`.
    pub(super) fn until(&self, at: u64) -> u64 {
        let next = self.spans.partition_point(|have| have.end <= at);
        self.spans.get(next).map_or(at, |have| have.end)
    }
}
