//! The tree of hashes over a blob's groups: built from left to right, walked from the root down.
//!
//! A node of the tree is named by the bytes it covers. Pairs of hashes (64 bytes: left, right) are
//! kept in post-order, so that building appends only and a node's place follows from its span. The
//! bytes of pairs and leaves, from the root down, are the stream that the bao crates specify.

use std::ops::Range;

use blake3::hazmat::{self, HasherExt, Mode};
use interdocket_sync::blob::{Digest, GROUP};

use super::Ranges;

/// The hash of a subtree; that of the root is the digest.
pub(super) type Hash = [u8; 32];

/// The bytes of a pair.
pub(super) const PAIR: usize = 64;

/// Hashes what a leaf holds.
pub(super) fn leaf(span: &Span<Hash>, data: &[u8]) -> Hash {
    if span.root {
        *blake3::hash(data).as_bytes()
    } else {
        group(span.bytes.start, data)
    }
}

/// Hashes one group of a blob that has several.
pub(super) fn group(start: u64, data: &[u8]) -> Hash {
    blake3::Hasher::new()
        .set_input_offset(start)
        .update(data)
        .finalize_non_root()
}

/// Hashes a pair.
pub(super) fn parent(left: &Hash, right: &Hash, root: bool) -> Hash {
    if root {
        return *hazmat::merge_subtrees_root(left, right, Mode::Hash).as_bytes();
    }
    hazmat::merge_subtrees_non_root(left, right, Mode::Hash)
}

/// The size of all pairs of a blob's tree, in bytes.
pub(super) fn size(blob: u64) -> u64 {
    (blob.div_ceil(GROUP).max(1) - 1) * PAIR as u64
}

/// Digest and pairs of a blob that is in memory.
pub(super) fn of(data: &[u8]) -> (Digest, Vec<u8>) {
    if data.len() as u64 <= GROUP {
        return (Digest(*blake3::hash(data).as_bytes()), Vec::new());
    }
    let mut builder = Builder::default();
    for (start, part) in (0..)
        .step_by(GROUP as usize)
        .zip(data.chunks(GROUP as usize))
    {
        builder.push(group(start, part));
    }
    let digest = builder.finish();
    (digest, builder.take())
}

/// Builds the tree of a blob of more than one group, group by group.
#[derive(Debug, Default)]
pub(super) struct Builder {
    groups: u64,
    /// Subtrees that wait for their right neighbour. The last two are merged only when another group
    /// follows: merged too early, the root could not be told from an inner node.
    stack: Vec<Hash>,
    pairs: Vec<u8>,
}

impl Builder {
    /// Continues after so many groups; none where the stack does not fit them.
    pub(super) fn resume(groups: u64, stack: Vec<Hash>) -> Option<Self> {
        let depth = if groups == 0 {
            0
        } else {
            (groups - 1).count_ones() as usize + 1
        };
        (stack.len() == depth).then_some(Self {
            groups,
            stack,
            pairs: Vec::new(),
        })
    }

    /// Adds the hash of the next group.
    pub(super) fn push(&mut self, hash: Hash) {
        if self.groups > 0 {
            for _ in 0..self.groups.trailing_zeros() {
                self.merge(false);
            }
        }
        self.stack.push(hash);
        self.groups += 1;
    }

    /// Merges what waits; the rest of the pairs is then ready to be taken.
    pub(super) fn finish(&mut self) -> Digest {
        while self.stack.len() > 1 {
            self.merge(self.stack.len() == 2);
        }
        Digest(self.stack.pop().unwrap_or_default())
    }

    /// Takes the pairs that are complete, in post-order.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pairs)
    }

    /// How many groups it has seen.
    pub(super) fn groups(&self) -> u64 {
        self.groups
    }

    /// The subtrees that wait, left to right.
    pub(super) fn stack(&self) -> &[Hash] {
        &self.stack
    }

    /// How many bytes of pairs were complete when it had seen so many groups.
    pub(super) fn written(groups: u64) -> u64 {
        let done = groups.saturating_sub(1);
        (done - u64::from(done.count_ones())) * PAIR as u64
    }

    fn merge(&mut self, root: bool) {
        let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) else {
            return;
        };
        self.pairs.extend_from_slice(&left);
        self.pairs.extend_from_slice(&right);
        self.stack.push(parent(&left, &right, root));
    }
}

/// A node of the tree, with what is known of it.
#[derive(Debug)]
pub(super) struct Span<T> {
    /// What it covers.
    pub bytes: Range<u64>,
    /// Whether it is the root.
    pub root: bool,
    /// What is known of it.
    pub known: T,
}

impl<T> Span<T> {
    /// Whether it is a single group.
    pub(super) fn is_leaf(&self) -> bool {
        self.bytes.end - self.bytes.start <= GROUP
    }

    /// How many bytes it has in the stream.
    pub(super) fn len(&self) -> usize {
        if self.is_leaf() {
            (self.bytes.end - self.bytes.start) as usize
        } else {
            PAIR
        }
    }

    /// Where its pair begins among all pairs in post-order, in bytes.
    pub(super) fn place(&self) -> u64 {
        let before = self.bytes.start / GROUP;
        let groups = self.bytes.end.div_ceil(GROUP) - before;
        (before - u64::from(before.count_ones()) + groups - 2) * PAIR as u64
    }
}

/// The nodes of a tree that ranges touch, from the root down and left before right.
#[derive(Debug)]
pub(super) struct Walk<T> {
    ranges: Ranges,
    stack: Vec<Span<T>>,
}

impl<T> Walk<T> {
    /// Starts at the root. An empty blob has one empty leaf, whatever is asked for, so that its
    /// digest is checked too.
    pub(super) fn new(ranges: Ranges, known: T) -> Self {
        let root = Span {
            bytes: 0..ranges.size(),
            root: true,
            known,
        };
        let wanted = ranges.size() == 0 || !ranges.is_empty();
        Self {
            ranges,
            stack: wanted.then_some(root).into_iter().collect(),
        }
    }

    /// The next node.
    pub(super) fn peek(&self) -> Option<&Span<T>> {
        self.stack.last()
    }

    /// Takes the next node.
    pub(super) fn pop(&mut self) -> Option<Span<T>> {
        self.stack.pop()
    }

    /// The end of the range that a byte belongs to.
    pub(super) fn until(&self, at: u64) -> u64 {
        self.ranges.until(at)
    }

    /// Goes on with the children of a node that is no leaf.
    pub(super) fn descend(&mut self, bytes: Range<u64>, left: T, right: T) {
        let middle = bytes.start + hazmat::left_subtree_len(bytes.end - bytes.start);
        for (bytes, known) in [(middle..bytes.end, right), (bytes.start..middle, left)] {
            if self.ranges.touch(&bytes) {
                self.stack.push(Span {
                    bytes,
                    root: false,
                    known,
                });
            }
        }
    }
}
