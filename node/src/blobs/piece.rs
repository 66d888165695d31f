//! The buffers that a big blob passes through on its way to the disk.
//!
//! There are few of them for each blob, whatever its size: one that is wanted is waited for.

use std::sync::mpsc;

use super::direct::{Aligned, PAGE};

/// How many bytes go to the disk at once.
const PIECE: usize = 4 << 20;
/// One that is filled, one that is hashed, one that is written.
const PIECES: usize = 3;

/// An aligned buffer that goes back to its pool when its last user drops it.
pub(super) struct Piece {
    memory: Aligned,
    len: usize,
    home: mpsc::SyncSender<Aligned>,
}

impl Piece {
    /// What was filled.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory.bytes()[..self.len]
    }

    /// What was filled, up to the end of its last page.
    pub(super) fn pages(&self) -> &[u8] {
        &self.memory.bytes()[..self.len.next_multiple_of(PAGE)]
    }

    /// What can still be filled.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.memory.bytes_mut()[self.len..]
    }

    /// Says how much of the room was filled, and whether none is left.
    pub(super) fn filled(&mut self, bytes: usize) -> bool {
        self.len += bytes;
        self.len == self.memory.len()
    }

    /// Clears the rest of the last page, which may hold what was there before.
    pub(super) fn pad(&mut self) {
        let end = self.len.next_multiple_of(PAGE);
        self.memory.bytes_mut()[self.len..end].fill(0);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // There is room for every piece; without a pool left the memory is simply freed.
        let _ = self.home.send(std::mem::take(&mut self.memory));
    }
}

/// The pieces of one blob.
pub(super) struct Pool {
    home: mpsc::SyncSender<Aligned>,
    back: mpsc::Receiver<Aligned>,
    made: usize,
}

impl Pool {
    /// Makes a pool without pieces.
    pub(super) fn new() -> Self {
        let (home, back) = mpsc::sync_channel(PIECES);
        Self {
            home,
            back,
            made: 0,
        }
    }

    /// Takes a piece, waiting for one to come back where all are in use.
    pub(super) fn take(&mut self) -> Piece {
        let memory = match self.back.try_recv() {
            Ok(memory) => memory,
            Err(_) if self.made < PIECES => {
                self.made += 1;
                Aligned::new(PIECE)
            }
            Err(_) => self.back.recv().expect("the pool itself holds a sender"),
        };
        Piece {
            memory,
            len: 0,
            home: self.home.clone(),
        }
    }
}
