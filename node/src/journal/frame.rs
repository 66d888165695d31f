//! The bytes of a frame: a preamble, the headers of its records, then their sealed bodies.
//!
//! Invariant: a frame parses only if its preamble and every record header are what was written;
//! whether the bodies arrived whole as well is asked apart, because a damaged body stops only
//! what it belongs to. All numbers are big-endian.
//!
//! Not here: what a body means, and where a frame lies.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::keyring::KeyId;

/// Starts every frame.
pub(super) const MAGIC: [u8; 4] = *b"IDFR";
/// The fixed part before the record headers, in bytes.
pub(super) const PREAMBLE: usize = 64;
/// A record header in bytes.
pub(super) const HEADER: usize = 84;
/// The part of a record header that is bound to the sealed body, in bytes.
pub(super) const IDENTITY: usize = 40;
/// More records than this are never in one frame: bounds what a reader allocates.
pub(super) const RECORDS: usize = 4096;
/// No journal has more records: what says so is damage, and no sum of numbers overflows.
pub(super) const LAST: u64 = u64::MAX >> 1;
/// AES-256-GCM.
pub(super) const AES: u8 = 1;

const MORE: u8 = 1;

/// What stands at the start of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preamble {
    /// Whether further frames of the same append follow.
    pub(super) more: bool,
    /// How many records the frame holds.
    pub(super) records: u32,
    /// The length of all sealed bodies, in bytes.
    pub(super) bodies: u32,
    /// The first record of the append that the frame belongs to.
    pub(super) group: u64,
    /// The first record of the frame.
    pub(super) first: u64,
    /// A checksum of the sealed bodies.
    pub(super) digest: [u8; 16],
    /// A checksum of the preamble before it and of the record headers.
    pub(super) checksum: [u8; 16],
}

impl Preamble {
    /// Reads a preamble; `None` where it cannot be one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PREAMBLE] = bytes.first_chunk()?;
        if bytes[..4] != MAGIC || bytes[4] > MORE || bytes[5..8] != [0; 3] {
            return None;
        }
        let preamble = Self {
            more: bytes[4] == MORE,
            records: u32::from_be_bytes(part(bytes, 8)),
            bodies: u32::from_be_bytes(part(bytes, 12)),
            group: u64::from_be_bytes(part(bytes, 16)),
            first: u64::from_be_bytes(part(bytes, 24)),
            digest: part(bytes, 32),
            checksum: part(bytes, 48),
        };
        let sane = (1..=RECORDS).contains(&preamble.count())
            && 0 < preamble.group
            && preamble.group <= preamble.first
            && preamble.first <= LAST;
        sane.then_some(preamble)
    }

    fn encode(&self) -> [u8; PREAMBLE] {
        let mut bytes = [0; PREAMBLE];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = u8::from(self.more);
        bytes[8..12].copy_from_slice(&self.records.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.bodies.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.group.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.first.to_be_bytes());
        bytes[32..48].copy_from_slice(&self.digest);
        bytes[48..].copy_from_slice(&self.checksum);
        bytes
    }

    pub(super) fn count(&self) -> usize {
        self.records as usize
    }

    /// States the length of the preamble and the record headers.
    pub(super) fn head(&self) -> usize {
        PREAMBLE + self.count() * HEADER
    }

    /// States the length of the whole frame.
    pub(super) fn len(&self) -> usize {
        self.head() + self.bodies as usize
    }
}

/// The header of one record: what the chain covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) seq: u64,
    /// Microseconds since 1970.
    pub(super) at: i64,
    pub(super) kind: u16,
    pub(super) cipher: u8,
    /// The length of the sealed body, in bytes.
    pub(super) length: u32,
    pub(super) key: KeyId,
    pub(super) nonce: [u8; 12],
    pub(super) commitment: [u8; 32],
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&self.seq.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.at.to_be_bytes());
        bytes[16..18].copy_from_slice(&self.kind.to_be_bytes());
        bytes[18] = self.cipher;
        bytes[20..24].copy_from_slice(&self.length.to_be_bytes());
        bytes[24..40].copy_from_slice(self.key.0.as_bytes());
        bytes[40..52].copy_from_slice(&self.nonce);
        bytes[52..].copy_from_slice(&self.commitment);
        bytes
    }

    fn parse(bytes: &[u8; HEADER]) -> Self {
        Self {
            seq: u64::from_be_bytes(part(bytes, 0)),
            at: i64::from_be_bytes(part(bytes, 8)),
            kind: u16::from_be_bytes(part(bytes, 16)),
            cipher: bytes[18],
            length: u32::from_be_bytes(part(bytes, 20)),
            key: KeyId(Uuid::from_bytes(part(bytes, 24))),
            nonce: part(bytes, 40),
            commitment: part(bytes, 52),
        }
    }

    /// Gives the part that the sealed body is bound to.
    pub(super) fn identity(&self) -> [u8; IDENTITY] {
        part(&self.encode(), 0)
    }

    /// Gives the time; what no calendar holds becomes the start of 1970.
    pub(super) fn time(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.at).unwrap_or_default()
    }
}

/// The preamble and record headers of a frame, checked.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) preamble: Preamble,
    headers: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads preamble and record headers; `None` unless they are exactly what was written.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let preamble = Preamble::parse(bytes)?;
        let headers = bytes.get(PREAMBLE..preamble.head())?;
        if preamble.checksum != checksum(&[&bytes[..48], headers]) {
            return None;
        }
        let frame = Self { preamble, headers };
        let mut bodies = 0;
        for (seq, header) in (preamble.first..).zip(frame.headers()) {
            bodies += u64::from(header.length);
            if header.seq != seq {
                return None;
            }
        }
        (bodies == u64::from(preamble.bodies)).then_some(frame)
    }

    /// Gives the bytes of each record header.
    pub(super) fn raw(&self) -> impl Iterator<Item = &'a [u8; HEADER]> {
        self.headers
            .chunks(HEADER)
            .filter_map(|header| header.first_chunk())
    }

    /// Gives each record header.
    pub(super) fn headers(&self) -> impl Iterator<Item = Header> {
        self.raw().map(Header::parse)
    }

    /// Tells whether the bodies behind the headers are whole.
    pub(super) fn whole(&self, bytes: &[u8]) -> bool {
        bytes
            .get(self.preamble.head()..self.preamble.len())
            .is_some_and(|bodies| self.preamble.digest == checksum(&[bodies]))
    }
}

/// Writes a frame of records with their sealed bodies.
pub(super) fn encode(group: u64, more: bool, records: &[(Header, Vec<u8>)]) -> Vec<u8> {
    let headers: Vec<u8> = records
        .iter()
        .flat_map(|(header, _)| header.encode())
        .collect();
    let bodies: Vec<u8> = records.iter().flat_map(|(_, body)| body).copied().collect();
    let mut preamble = Preamble {
        more,
        records: u32::try_from(records.len()).expect("a frame's records are bounded"),
        bodies: u32::try_from(bodies.len()).expect("a frame's bodies are bounded"),
        group,
        first: records[0].0.seq,
        digest: checksum(&[&bodies]),
        checksum: [0; 16],
    };
    preamble.checksum = checksum(&[&preamble.encode()[..48], &headers]);
    [&preamble.encode()[..], &headers, &bodies].concat()
}

/// Computes the first 16 bytes of BLAKE3 over all parts.
pub(super) fn checksum(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    part(hasher.finalize().as_bytes(), 0)
}

/// Copies `N` bytes from `start`.
pub(super) fn part<const N: usize>(bytes: &[u8], start: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[start..start + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    /// fault A12
    #[test]
    fn a_frame_with_more_records_before_it_than_there_are_is_none() {
        let header = |seq| Header {
            seq,
            at: 0,
            kind: 1,
            cipher: AES,
            length: 0,
            key: KeyId::NODE,
            nonce: [0; 12],
            commitment: [0; 32],
        };
        for (first, is_one) in [(u64::MAX, false), (LAST + 1, false), (LAST, true)] {
            let bytes = encode(1, false, &[(header(first), Vec::new())]);
            assert_eq!(Frame::parse(&bytes).is_some(), is_one);
        }
    }
}
