//! The mark: how many records were acknowledged, written after the journal's own sync.
//!
//! Invariant: two slots, each in its own sector, are written in turn, so that a torn write leaves
//! the one before. The mark never says more than what is durable; with it, missing records are
//! told from a tail that was torn before anyone was answered.
//!
//! Not here: what to do about a difference.

use std::io;

use super::Head;
use super::frame::{checksum, part};
use crate::disk::{self, Disk};

/// The file of the mark.
pub(super) const FILE: &str = "mark";
const MAGIC: [u8; 8] = *b"IDJRMARK";
const FORMAT: u16 = 0;
/// A slot's place is a sector, in bytes.
const SECTOR: usize = 512;
/// The written part of a slot, in bytes.
const SLOT: usize = 80;

/// The mark as it was last written.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    generation: u64,
    pub(super) head: Head,
}

/// Why there is no mark to go by.
#[derive(Debug)]
pub(super) enum Missing {
    /// Neither slot is what was written.
    Damaged,
    /// A newer release wrote it.
    Newer(u16),
    /// The file system failed.
    Io(io::Error),
}

impl Mark {
    /// Places the mark of an empty journal.
    pub(super) fn create(disk: &dyn Disk) -> io::Result<Self> {
        Self::place(disk, Head::START)
    }

    /// Places a mark that says so much was acknowledged.
    pub(super) fn place(disk: &dyn Disk, head: Head) -> io::Result<Self> {
        let mut bytes = [0; 2 * SECTOR];
        bytes[..SLOT].copy_from_slice(&encode(0, &head));
        bytes[SECTOR..SECTOR + SLOT].copy_from_slice(&encode(1, &head));
        disk::place(disk, FILE, &bytes)?;
        Ok(Self {
            generation: 1,
            head,
        })
    }

    pub(super) fn read(disk: &dyn Disk) -> Result<Self, Missing> {
        let bytes = disk::read(disk, FILE).map_err(Missing::Io)?;
        let slots: Vec<&[u8]> = bytes.chunks(SECTOR).collect();
        if let Some(format) = slots.iter().find_map(|slot| newer(slot)) {
            return Err(Missing::Newer(format));
        }
        let marks = slots.into_iter().take(2).filter_map(parse);
        marks
            .max_by_key(|mark| mark.generation)
            .ok_or(Missing::Damaged)
    }

    /// Overwrites the older slot and makes it durable.
    pub(super) fn write(&mut self, disk: &dyn Disk, head: &Head) -> io::Result<()> {
        let generation = self.generation + 1;
        disk.write_at(
            FILE,
            generation % 2 * SECTOR as u64,
            &encode(generation, head),
        )?;
        disk.sync(FILE)?;
        *self = Self {
            generation,
            head: *head,
        };
        Ok(())
    }
}

/// Magic 8, format 2, zeros 6, generation 8, count 8, hash 32, checksum 16.
fn encode(generation: u64, head: &Head) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT.to_be_bytes());
    bytes[16..24].copy_from_slice(&generation.to_be_bytes());
    bytes[24..32].copy_from_slice(&head.count.to_be_bytes());
    bytes[32..64].copy_from_slice(&head.hash);
    let sum = checksum(&[&bytes[..64]]);
    bytes[64..].copy_from_slice(&sum);
    bytes
}

fn parse(slot: &[u8]) -> Option<Mark> {
    let slot: &[u8; SLOT] = slot.first_chunk()?;
    if slot[..8] != MAGIC || checksum(&[&slot[..64]]) != slot[64..] {
        return None;
    }
    let head = Head {
        count: u64::from_be_bytes(part(slot, 24)),
        hash: part(slot, 32),
    };
    let generation = u64::from_be_bytes(part(slot, 16));
    // Another one is written after it.
    (generation < u64::MAX).then_some(Mark { generation, head })
}

fn newer(slot: &[u8]) -> Option<u16> {
    let slot: &[u8; SLOT] = slot.first_chunk()?;
    let format = u16::from_be_bytes(part(slot, 8));
    let written = slot[..8] == MAGIC && checksum(&[&slot[..64]]) == slot[64..];
    (written && format > FORMAT).then_some(format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Memory;

    #[test]
    fn a_mark_that_was_torn_leaves_the_one_before() {
        let disk = Memory::default();
        let mut mark = Mark::create(&disk).unwrap();
        for count in 1..5 {
            mark.write(
                &disk,
                &Head {
                    count,
                    hash: [7; 32],
                },
            )
            .unwrap();
            assert_eq!(Mark::read(&disk).unwrap().head.count, count);
        }
        let place = usize::try_from(mark.generation % 2).unwrap() * SECTOR;
        disk.damage(FILE, |bytes| bytes[place + 30..place + SECTOR].fill(0));
        assert_eq!(Mark::read(&disk).unwrap().head.count, 3);
        disk.damage(FILE, |bytes| bytes.fill(0));
        assert!(matches!(Mark::read(&disk), Err(Missing::Damaged)));
    }

    /// fault A12
    #[test]
    fn a_mark_after_which_there_is_none_is_damage() {
        for (generation, is_one) in [(u64::MAX, false), (u64::MAX - 1, true)] {
            assert_eq!(parse(&encode(generation, &Head::START)).is_some(), is_one);
        }
    }
}
