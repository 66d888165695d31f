//! Verifies a stream while it arrives, in pieces of any size.
//!
//! No byte of a leaf is handed out before its hash matched; after an error nothing more is. Memory
//! is one group. Nothing is stored here, so a live reading can use it as it is.

use std::fmt;

use interdocket_sync::blob::{Digest, MAX_SIZE};

use super::tree::{self, Hash, Span, Walk};
use super::{Error, Ranges};

/// A group whose bytes are proven to belong to the blob.
pub struct Leaf<'a> {
    /// Its place in the blob, in bytes.
    pub offset: u64,
    /// Its bytes.
    pub data: &'a [u8],
    pub(super) hash: Hash,
}

// Evidence bytes never reach a log.
impl fmt::Debug for Leaf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf")
            .field("offset", &self.offset)
            .field("len", &self.data.len())
            .finish_non_exhaustive()
    }
}

/// A stream of some ranges of a blob that is verified as it arrives.
pub struct Decoder {
    walk: Walk<Hash>,
    held: Vec<u8>,
    at: u64,
    failed: bool,
}

// Evidence bytes never reach a log.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("at", &self.at)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Decoder {
    /// Expects the stream of these ranges of the blob of that name.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where no blob can have that size.
    pub fn new(digest: Digest, ranges: Ranges) -> Result<Self, Error> {
        if ranges.size() > MAX_SIZE {
            return Err(Error::TooLarge {
                size: ranges.size(),
            });
        }
        let walk = Walk::new(ranges, digest.0);
        Ok(Self {
            walk,
            held: Vec::new(),
            at: 0,
            failed: false,
        })
    }

    /// Takes the next piece of the stream and hands out the groups that it completes.
    ///
    /// # Errors
    /// [`Error::Mismatch`] and [`Error::TooLong`] say that the sender is wrong, and what `leaf`
    /// returns is passed on; the stream is lost after any of them.
    pub fn push(
        &mut self,
        bytes: &[u8],
        leaf: &mut dyn FnMut(&Leaf<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Mismatch { at: self.at });
        }
        let pushed = self.advance(bytes, leaf);
        self.failed = pushed.is_err();
        pushed
    }

    /// Checks that everything arrived.
    ///
    /// # Errors
    /// [`Error::Short`] where something is missing, else as [`Decoder::push`].
    pub fn finish(&mut self) -> Result<(), Error> {
        self.push(&[], &mut |_| Ok(()))?;
        if self.walk.peek().is_some() {
            return Err(Error::Short { at: self.at });
        }
        Ok(())
    }

    fn advance(
        &mut self,
        mut bytes: &[u8],
        leaf: &mut dyn FnMut(&Leaf<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while let Some(need) = self.walk.peek().map(Span::len) {
            if self.held.is_empty() && bytes.len() >= need {
                let (item, rest) = bytes.split_at(need);
                bytes = rest;
                self.item(item, leaf)?;
                continue;
            }
            let (more, rest) = bytes.split_at(bytes.len().min(need - self.held.len()));
            bytes = rest;
            self.held.extend_from_slice(more);
            if self.held.len() < need {
                return Ok(());
            }
            let mut held = std::mem::take(&mut self.held);
            self.item(&held, leaf)?;
            held.clear();
            self.held = held;
        }
        if bytes.is_empty() {
            Ok(())
        } else {
            Err(Error::TooLong)
        }
    }

    fn item(
        &mut self,
        item: &[u8],
        take: &mut dyn FnMut(&Leaf<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(span) = self.walk.pop() else {
            return Err(Error::TooLong);
        };
        self.at = span.bytes.start;
        if span.is_leaf() {
            let hash = tree::leaf(&span, item);
            if hash != span.known {
                return Err(Error::Mismatch { at: self.at });
            }
            take(&Leaf {
                offset: span.bytes.start,
                data: item,
                hash,
            })?;
            self.at = span.bytes.end;
            return Ok(());
        }
        let (mut left, mut right) = ([0; 32], [0; 32]);
        left.copy_from_slice(&item[..32]);
        right.copy_from_slice(&item[32..]);
        if tree::parent(&left, &right, span.root) != span.known {
            return Err(Error::Mismatch { at: self.at });
        }
        self.walk.descend(span.bytes, left, right);
        Ok(())
    }
}
