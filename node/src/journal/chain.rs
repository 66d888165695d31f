//! The chain over record headers and the tree over those of one segment.
//!
//! Invariant: the chain's hash after a record is SHA-256 over tag, hash before and the header's
//! bytes; before the first record it is all zeros. The tree is that of RFC 6962, section 2.1. Both
//! grow by one header at a time and hold nothing that grows faster than the logarithm.
//!
//! Not here: bodies. Destroying a key leaves chain and tree whole.

use sha2::{Digest as _, Sha256};

use super::Head;

const TAG: &[u8] = b"interdocket journal record 0\0";

/// The chain up to some record, with the tree of the segment it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) head: Head,
    tree: Tree,
}

impl Chain {
    /// Continues at a head, with the empty tree of a new segment.
    pub(super) fn at(head: Head) -> Self {
        Self {
            head,
            tree: Tree::default(),
        }
    }

    pub(super) fn advance(&mut self, header: &[u8]) {
        let hash = Sha256::new().chain_update(TAG).chain_update(self.head.hash);
        self.head.hash = hash.chain_update(header).finalize().into();
        self.head.count += 1;
        self.tree.push(header);
    }

    pub(super) fn root(&self) -> [u8; 32] {
        self.tree.root()
    }
}

/// The complete subtrees of the leaves so far, largest first, each with its height.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tree(Vec<(u32, [u8; 32])>);

impl Tree {
    fn push(&mut self, leaf: &[u8]) {
        let mut node = Sha256::new()
            .chain_update([0])
            .chain_update(leaf)
            .finalize()
            .into();
        let mut height = 0;
        while let Some((_, left)) = self.0.pop_if(|(tallest, _)| *tallest == height) {
            node = join(&left, &node);
            height += 1;
        }
        self.0.push((height, node));
    }

    fn root(&self) -> [u8; 32] {
        let mut subtrees = self.0.iter().rev().map(|(_, node)| *node);
        let Some(last) = subtrees.next() else {
            return Sha256::digest([]).into();
        };
        subtrees.fold(last, |right, left| join(&left, &right))
    }
}

fn join(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962, section 2.1, word for word.
    fn defined(leaves: &[[u8; 1]]) -> [u8; 32] {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::new()
                .chain_update([0])
                .chain_update(leaf)
                .finalize()
                .into(),
            leaves => {
                let split = leaves.len().next_power_of_two() / 2;
                join(&defined(&leaves[..split]), &defined(&leaves[split..]))
            }
        }
    }

    #[test]
    fn the_tree_that_grows_is_the_tree_that_is_defined() {
        let leaves: Vec<[u8; 1]> = (0..70).map(|leaf| [leaf]).collect();
        let mut tree = Tree::default();
        for count in 0..leaves.len() {
            assert_eq!(tree.root(), defined(&leaves[..count]), "{count} leaves");
            tree.push(&leaves[count]);
        }
    }
}
