//! What every engine must do, as tests that run over each of them.
//!
//! Not here: what one engine does beyond that.

use std::ops::Bound;
use std::path::Path;

use proptest::prelude::*;

use super::engine::{Engine, Error, KEY, Op, Tree, VALUE};
use super::memory;
use super::sled;

/// An engine that can be closed and opened again.
trait Bench: Engine + Sized {
    fn fresh(dir: &Path) -> Self;
    fn again(self, dir: &Path) -> Self;
}

impl Bench for memory::Memory {
    fn fresh(_: &Path) -> Self {
        Self::default()
    }

    fn again(self, _: &Path) -> Self {
        self.power_cut(0);
        self
    }
}

impl Bench for sled::Sled {
    fn fresh(dir: &Path) -> Self {
        Self::open(&dir.join("db"), 8 << 20, 1).unwrap()
    }

    fn again(self, dir: &Path) -> Self {
        drop(self);
        Self::fresh(dir)
    }
}

macro_rules! claims {
    ($($claim:ident),* $(,)?) => {
        mod over_memory {
            $(#[test] fn $claim() { super::run(super::$claim::<super::memory::Memory>); })*
        }
        mod over_sled {
            $(#[test] fn $claim() { super::run(super::$claim::<super::sled::Sled>); })*
        }
    };
}

claims![
    an_empty_engine_has_applied_nothing,
    an_apply_takes_effect_as_a_whole_in_the_order_of_its_ops,
    what_is_too_large_refuses_the_whole_apply,
    what_was_synced_is_there_when_opened_again,
    trees_do_not_mix,
    a_scan_keeps_order_bounds_and_limit,
    a_page_keeps_to_its_prefix_and_goes_on_behind_a_key,
    readers_never_see_applied_without_its_ops,
    ten_thousand_changes_are_one_apply,
];

fn run<E: Bench>(claim: impl FnOnce(E, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    claim(E::fresh(dir.path()), dir.path());
}

fn put(tree: Tree, key: &[u8], value: &[u8]) -> Op {
    Op::Put(tree, key.to_vec(), value.to_vec())
}

fn keys(engine: &impl Engine, from: Bound<&[u8]>, to: Bound<&[u8]>, limit: usize) -> Vec<Vec<u8>> {
    let pairs = engine.scan(Tree::Index, from, to, limit).unwrap();
    pairs.into_iter().map(|(key, _)| key).collect()
}

fn an_empty_engine_has_applied_nothing<E: Bench>(engine: E, _: &Path) {
    assert_eq!(engine.applied().unwrap(), 0);
    for tree in Tree::ALL {
        assert!(
            engine
                .scan(tree, Bound::Unbounded, Bound::Unbounded, 9)
                .unwrap()
                .is_empty()
        );
    }
}

fn an_apply_takes_effect_as_a_whole_in_the_order_of_its_ops<E: Bench>(engine: E, _: &Path) {
    let ops = [
        put(Tree::Entity, b"a", b"1"),
        put(Tree::Entity, b"a", b"2"),
        put(Tree::Entity, b"b", b"3"),
        Op::Delete(Tree::Entity, b"b".to_vec()),
        Op::Delete(Tree::Entity, b"never there".to_vec()),
        put(Tree::Index, b"", b""),
    ];
    engine.apply(7, &ops).unwrap();
    assert_eq!(engine.applied().unwrap(), 7);
    assert_eq!(engine.get(Tree::Entity, b"a").unwrap().unwrap(), b"2");
    assert_eq!(engine.get(Tree::Entity, b"b").unwrap(), None);
    assert_eq!(engine.get(Tree::Index, b"").unwrap().unwrap(), b"");
    engine.apply(8, &[]).unwrap();
    assert_eq!(engine.applied().unwrap(), 8);
}

fn what_is_too_large_refuses_the_whole_apply<E: Bench>(engine: E, _: &Path) {
    let fits = put(Tree::Entity, &[1; KEY], &[1; VALUE]);
    for op in [
        put(Tree::Entity, b"b", &[1; VALUE + 1]),
        put(Tree::Entity, &[2; KEY + 1], b""),
        Op::Delete(Tree::Entity, vec![2; KEY + 1]),
    ] {
        let refused = engine.apply(1, &[fits.clone(), op]).unwrap_err();
        assert!(matches!(refused, Error::TooLarge { .. }));
    }
    assert_eq!(engine.applied().unwrap(), 0);
    assert_eq!(engine.get(Tree::Entity, &[1; KEY]).unwrap(), None);
    engine.apply(1, &[fits]).unwrap();
    assert_eq!(
        engine.get(Tree::Entity, &[1; KEY]).unwrap().unwrap(),
        [1; VALUE]
    );
}

fn what_was_synced_is_there_when_opened_again<E: Bench>(engine: E, dir: &Path) {
    engine
        .apply(
            3,
            &[put(Tree::Feed, b"a", b"north"), put(Tree::Meta, b"m", b"1")],
        )
        .unwrap();
    engine.sync().unwrap();
    let engine = engine.again(dir);
    assert_eq!(engine.applied().unwrap(), 3);
    assert_eq!(engine.get(Tree::Feed, b"a").unwrap().unwrap(), b"north");
    engine
        .apply(4, &[Op::Delete(Tree::Feed, b"a".to_vec())])
        .unwrap();
    engine.sync().unwrap();
    let engine = engine.again(dir);
    assert_eq!(engine.applied().unwrap(), 4);
    assert_eq!(engine.get(Tree::Feed, b"a").unwrap(), None);
    assert_eq!(engine.get(Tree::Meta, b"m").unwrap().unwrap(), b"1");
}

fn trees_do_not_mix<E: Bench>(engine: E, _: &Path) {
    let ops = Tree::ALL.map(|tree| put(tree, b"same", &[tree as u8]));
    engine.apply(1, &ops).unwrap();
    for tree in Tree::ALL {
        let pairs = engine
            .scan(tree, Bound::Unbounded, Bound::Unbounded, 9)
            .unwrap();
        assert_eq!(pairs, [(b"same".to_vec(), vec![tree as u8])]);
    }
}

fn a_scan_keeps_order_bounds_and_limit<E: Bench>(engine: E, _: &Path) {
    let ops: Vec<Op> = (0..100_u8)
        .rev()
        .map(|key| put(Tree::Index, &[key], &[key]))
        .collect();
    engine.apply(1, &ops).unwrap();
    let all = keys(&engine, Bound::Unbounded, Bound::Unbounded, 1000);
    assert_eq!(all, (0..100).map(|key| vec![key]).collect::<Vec<_>>());
    let within = keys(
        &engine,
        Bound::Included(&[10]),
        Bound::Excluded(&[13]),
        1000,
    );
    assert_eq!(within, [[10], [11], [12]]);
    let within = keys(
        &engine,
        Bound::Excluded(&[10]),
        Bound::Included(&[13]),
        1000,
    );
    assert_eq!(within, [[11], [12], [13]]);
    assert_eq!(
        keys(&engine, Bound::Included(&[98]), Bound::Unbounded, 1000),
        [[98], [99]]
    );
    assert_eq!(
        keys(&engine, Bound::Included(&[20]), Bound::Unbounded, 2),
        [[20], [21]]
    );
    let (ten, later) = (Bound::Included(&[10][..]), Bound::Included(&[13][..]));
    let behind = Bound::Excluded(&[10][..]);
    for (from, to) in [(later, ten), (behind, behind), (ten, behind)] {
        assert!(keys(&engine, from, to, 9).is_empty());
    }
    assert!(keys(&engine, Bound::Unbounded, Bound::Unbounded, 0).is_empty());
}

fn a_page_keeps_to_its_prefix_and_goes_on_behind_a_key<E: Bench>(engine: E, _: &Path) {
    let stored: [&[u8]; 6] = [b"a", b"b", b"b\x01", b"b\xff", b"b\xff\xff", b"c"];
    let ops: Vec<Op> = stored.iter().map(|key| put(Tree::Feed, key, b"")).collect();
    engine.apply(1, &ops).unwrap();
    let page = |prefix: &[u8], after: Option<&[u8]>, limit| -> Vec<Vec<u8>> {
        let pairs = engine.page(Tree::Feed, prefix, after, limit).unwrap();
        pairs.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(page(b"b", None, 9), stored[1..5]);
    assert_eq!(page(b"b", None, 2), stored[1..3]);
    assert_eq!(page(b"b", Some(b"b\x01"), 9), stored[3..5]);
    assert_eq!(page(b"b\xff", None, 9), stored[3..5]);
    assert_eq!(page(b"b", Some(b"a"), 9), stored[1..5]);
    assert!(page(b"b", Some(b"c"), 9).is_empty());
    assert_eq!(page(b"", None, 9), stored);
    assert!(page(b"\xff\xff", None, 9).is_empty());
}

fn readers_never_see_applied_without_its_ops<E: Bench>(engine: E, _: &Path) {
    std::thread::scope(|scope| {
        let engine = &engine;
        scope.spawn(move || {
            for seq in 1..=200_u64 {
                let value = seq.to_be_bytes();
                engine
                    .apply(seq, &[put(Tree::Meta, b"last", &value)])
                    .unwrap();
            }
        });
        loop {
            let applied = engine.applied().unwrap();
            let last = engine.get(Tree::Meta, b"last").unwrap();
            let last = last.map_or(0, |last| u64::from_be_bytes(last.try_into().unwrap()));
            assert!(last >= applied);
            if applied == 200 {
                break;
            }
        }
    });
}

fn ten_thousand_changes_are_one_apply<E: Bench>(engine: E, dir: &Path) {
    let key = |number: u32| number.to_be_bytes();
    let ops: Vec<Op> = (0..10_000)
        .map(|n| put(Tree::Index, &key(n), b"harbour"))
        .collect();
    engine.apply(1, &ops).unwrap();
    engine.sync().unwrap();
    let engine = engine.again(dir);
    assert_eq!(
        keys(&engine, Bound::Unbounded, Bound::Unbounded, 20_000).len(),
        10_000
    );
}

fn op() -> impl Strategy<Value = Op> {
    let tree = || prop::sample::select(Tree::ALL.to_vec());
    let key = || prop::collection::vec(prop::sample::select(vec![0, 1, 254, 255]), 0..4);
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..9),
        Just(vec![7; VALUE])
    ];
    prop_oneof![
        3 => (tree(), key(), value).prop_map(|(tree, key, value)| Op::Put(tree, key, value)),
        1 => (tree(), key()).prop_map(|(tree, key)| Op::Delete(tree, key)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn engines_agree_whatever_is_applied(
        groups in prop::collection::vec(prop::collection::vec(op(), 0..40), 1..12),
        reopened in 0_usize..12,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut sled = sled::Sled::fresh(dir.path());
        let memory = memory::Memory::default();
        for (place, ops) in groups.iter().enumerate() {
            sled.apply(place as u64, ops).unwrap();
            memory.apply(place as u64, ops).unwrap();
            if place == reopened {
                sled = sled.again(dir.path());
            }
            prop_assert_eq!(sled.applied().unwrap(), memory.applied().unwrap());
            for tree in Tree::ALL {
                for prefix in [&[][..], &[1], &[255], &[1, 255]] {
                    let of_sled = sled.page(tree, prefix, None, 50).unwrap();
                    prop_assert_eq!(of_sled, memory.page(tree, prefix, None, 50).unwrap());
                }
            }
        }
    }
}
