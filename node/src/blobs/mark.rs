//! How far a staged blob is verified and synced, and where its pairs wait.
//!
//! The file beside a staged blob has two slots of a page each, written in turn, then the pairs. A
//! slot is written after what it claims was synced, and becomes durable with the next sync: a kill
//! loses nothing, a power cut at most one interval more.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use interdocket_sync::blob::{Digest, GROUP};

use super::tree::{Builder, Hash};

/// Where the pairs begin, in bytes.
pub(super) const PAIRS: u64 = 2 * SLOT as u64;

pub(super) const SLOT: usize = 4096;
const MAGIC: &[u8; 4] = b"IDBS";
/// Magic, format, sequence, size, digest, done, depth.
const FIXED: usize = 4 + 4 + 8 + 8 + 32 + 8 + 8;

/// The verified and synced beginning of a staged blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Counts the marks of a stage.
    pub sequence: u64,
    /// The blob's name.
    pub digest: Digest,
    /// The blob's size, in bytes.
    pub size: u64,
    /// How much of it is there, in bytes: whole groups.
    pub done: u64,
    /// The subtrees that wait for a neighbour.
    pub stack: Vec<Hash>,
}

impl Mark {
    /// Writes it over the older of the two slots.
    pub(super) fn store(&self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.encode(), self.sequence % 2 * SLOT as u64)
    }

    /// Reads the newest whole slot.
    pub(super) fn load(file: &File) -> Option<Self> {
        let slots = [0, SLOT as u64].into_iter().filter_map(|at| {
            let mut page = [0; SLOT];
            file.read_exact_at(&mut page, at).ok()?;
            Self::decode(&page)
        });
        slots.max_by_key(|mark| mark.sequence)
    }

    /// The tree as it was then; none where the mark contradicts itself.
    pub(super) fn builder(&self) -> Option<Builder> {
        Builder::resume(self.done.div_ceil(GROUP), self.stack.clone())
    }

    pub(super) fn encode(&self) -> [u8; SLOT] {
        let mut bytes = Vec::with_capacity(SLOT);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.digest.0);
        bytes.extend_from_slice(&self.done.to_le_bytes());
        bytes.extend_from_slice(&(self.stack.len() as u64).to_le_bytes());
        for hash in &self.stack {
            bytes.extend_from_slice(hash);
        }
        let mut page = [0; SLOT];
        page[..bytes.len()].copy_from_slice(&bytes);
        let sum = blake3::hash(&page[..SLOT - 32]);
        page[SLOT - 32..].copy_from_slice(sum.as_bytes());
        page
    }

    pub(super) fn decode(page: &[u8; SLOT]) -> Option<Self> {
        let sum = blake3::hash(&page[..SLOT - 32]);
        if sum.as_bytes() != &page[SLOT - 32..] || &page[..4] != MAGIC || page[4..8] != [0; 4] {
            return None;
        }
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&page[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let mut digest = [0; 32];
        digest.copy_from_slice(&page[24..56]);
        let depth = usize::try_from(number(64))
            .ok()
            .filter(|&depth| depth <= 64)?;
        let stack = page[FIXED..FIXED + depth * 32].as_chunks().0.to_vec();
        Some(Self {
            sequence: number(8),
            digest: Digest(digest),
            size: number(16),
            done: number(56),
            stack,
        })
    }
}
