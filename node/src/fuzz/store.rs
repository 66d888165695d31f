//! The database against the one in memory: whatever is told to both, both say the same.

use std::ops::Bound;

use super::Input;
use crate::store::engine::{Engine as _, KEY, Op, Tree, VALUE};
use crate::store::memory::Memory;
use crate::store::sled::Sled;

/// A row of changes, reads, syncs and restarts.
pub(super) fn store(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let open = || Sled::open(&folder.path().join("db"), 8 << 20, 1).expect("it is a database");
    let (mut sled, memory) = (open(), Memory::default());
    let mut applied = 0;
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        match input.below(8) {
            0..5 => {
                let ops: Vec<Op> = (0..input.below(5)).map(|_| op(&mut input)).collect();
                applied += 1;
                let [ours, theirs] = [sled.apply(applied, &ops), memory.apply(applied, &ops)];
                assert_eq!(ours.is_ok(), theirs.is_ok());
                if ours.is_err() {
                    applied -= 1;
                }
            }
            5 => {
                let (tree, from, to) = (tree(&mut input), key(&mut input), key(&mut input));
                let limit = input.below(5);
                let [from, to] = [Bound::Included(&from[..]), Bound::Excluded(&to[..])];
                let ours = sled.scan(tree, from, to, limit).ok();
                assert_eq!(ours, memory.scan(tree, from, to, limit).ok());
            }
            6 => {
                let (tree, prefix, after) = (tree(&mut input), key(&mut input), key(&mut input));
                let ours = sled.page(tree, &prefix, Some(&after), 3).ok();
                assert_eq!(ours, memory.page(tree, &prefix, Some(&after), 3).ok());
            }
            _ => {
                sled.sync().expect("the disk takes it");
                drop(sled);
                sled = open();
            }
        }
    }
    assert_eq!(sled.applied().ok(), memory.applied().ok());
    for tree in Tree::ALL {
        let all = |engine: &dyn crate::store::engine::Engine| {
            engine.scan(tree, Bound::Unbounded, Bound::Unbounded, usize::MAX)
        };
        assert_eq!(all(&sled).ok(), all(&memory).ok());
    }
}

fn tree(input: &mut Input<'_>) -> Tree {
    [Tree::Entity, Tree::Index, Tree::Feed][input.below(3)]
}

/// Few keys, so that they meet; some are the longest there are, and longer.
fn key(input: &mut Input<'_>) -> Vec<u8> {
    match input.byte() {
        byte @ 0..0xf0 => vec![byte % 3; usize::from(byte % 5)],
        byte => vec![byte; KEY - 8 + usize::from(byte & 0x0f)],
    }
}

fn op(input: &mut Input<'_>) -> Op {
    let (tree, key) = (tree(input), key(input));
    match input.byte() {
        byte @ 0..0x40 => Op::Put(tree, key, vec![byte; byte.into()]),
        byte @ 0x40..0x50 => Op::Put(tree, key, vec![byte; VALUE - 8 + usize::from(byte & 0x0f)]),
        _ => Op::Delete(tree, key),
    }
}
