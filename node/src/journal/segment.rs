//! The bytes around the frames of a segment file: its header and, once sealed, its footer.
//!
//! Invariant: a segment has its name only with a whole header (the file is placed), so a header
//! that does not parse is damage; a footer ends a file and states the chain up to there, so that
//! the next header can be checked against it without reading what lies between.
//!
//! Not here: frames.

use super::Head;
use super::frame::{LAST, checksum, part};

const MAGIC: [u8; 8] = *b"IDJOURNL";
const SEAL: [u8; 8] = *b"IDJRSEAL";
/// The only format so far.
const FORMAT: u16 = 0;
/// The header in bytes.
pub(super) const HEADER: usize = 72;
/// The footer in bytes.
pub(super) const FOOTER: usize = 112;
/// Digits in the name of a segment.
const DIGITS: usize = 20;

/// Names the segment that starts with a record.
pub(super) fn name(first: u64) -> String {
    format!("{first:0DIGITS$}")
}

/// Reads the first record from a segment's name; `None` where it is no segment.
pub(super) fn first(name: &str) -> Option<u64> {
    let digits = name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
    if digits { name.parse().ok() } else { None }
}

/// What a header may turn out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The chain before the segment's first record.
    Head(Head),
    /// A newer release wrote it.
    Newer(u16),
    /// Not what was written.
    Damaged,
}

/// Magic 8, format 2, zeros 6, first record 8, hash before it 32, checksum 16.
pub(super) fn header(before: &Head) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT.to_be_bytes());
    bytes[16..24].copy_from_slice(&(before.count + 1).to_be_bytes());
    bytes[24..56].copy_from_slice(&before.hash);
    let sum = checksum(&[&bytes[..56]]);
    bytes[56..].copy_from_slice(&sum);
    bytes
}

pub(super) fn start(bytes: &[u8]) -> Start {
    let Some(bytes) = bytes.first_chunk::<HEADER>() else {
        return Start::Damaged;
    };
    if bytes[..8] != MAGIC {
        return Start::Damaged;
    }
    let format = u16::from_be_bytes(part(bytes, 8));
    if format > FORMAT {
        return Start::Newer(format);
    }
    let first = u64::from_be_bytes(part(bytes, 16));
    if !(1..=LAST).contains(&first) || checksum(&[&bytes[..56]]) != bytes[56..] {
        return Start::Damaged;
    }
    Start::Head(Head {
        count: first - 1,
        hash: part(bytes, 24),
    })
}

/// What stands at the end of a sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    /// The segment's first record.
    pub(super) first: u64,
    /// Where the footer starts, in bytes: the end of the last frame.
    pub(super) place: u64,
    /// The chain up to the segment's last record.
    pub(super) head: Head,
    /// The root of the tree over the segment's record headers.
    pub(super) root: [u8; 32],
}

impl Footer {
    /// Magic 8, first 8, place 8, count 8, hash 32, root 32, checksum 16.
    pub(super) fn encode(&self) -> [u8; FOOTER] {
        let mut bytes = [0; FOOTER];
        bytes[..8].copy_from_slice(&SEAL);
        bytes[8..16].copy_from_slice(&self.first.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.place.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.head.count.to_be_bytes());
        bytes[32..64].copy_from_slice(&self.head.hash);
        bytes[64..96].copy_from_slice(&self.root);
        let sum = checksum(&[&bytes[..96]]);
        bytes[96..].copy_from_slice(&sum);
        bytes
    }

    /// Reads a footer that starts at `place` of its file; `None` unless it is exactly one.
    pub(super) fn parse(bytes: &[u8], place: u64) -> Option<Self> {
        let bytes: &[u8; FOOTER] = bytes.first_chunk()?;
        if bytes[..8] != SEAL || checksum(&[&bytes[..96]]) != bytes[96..] {
            return None;
        }
        let footer = Self {
            first: u64::from_be_bytes(part(bytes, 8)),
            place: u64::from_be_bytes(part(bytes, 16)),
            head: Head {
                count: u64::from_be_bytes(part(bytes, 24)),
                hash: part(bytes, 32),
            },
            root: part(bytes, 64),
        };
        (footer.place == place && footer.head.count <= LAST).then_some(footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// fault A12
    #[test]
    fn a_segment_that_speaks_of_more_records_than_there_are_is_damage() {
        for (count, is_one) in [(u64::MAX - 1, false), (LAST, false), (LAST - 1, true)] {
            let hash = [1; 32];
            let head = Head { count, hash };
            let started = start(&header(&head));
            assert_eq!(started == Start::Head(head), is_one);
            let footer = Footer {
                first: 1,
                place: 72,
                head: Head {
                    count: count + 1,
                    hash,
                },
                root: [2; 32],
            };
            assert_eq!(Footer::parse(&footer.encode(), 72).is_some(), is_one);
        }
    }
}
