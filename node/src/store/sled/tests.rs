//! Claims about sled that other engines need not make.

use super::*;

const CACHE: u64 = 8 << 20;

fn put(key: u8, value: &[u8]) -> Op {
    Op::Put(Tree::Entity, vec![key], value.to_vec())
}

fn filled(dir: &Path) -> Sled {
    let engine = Sled::open(dir, CACHE, 1).unwrap();
    engine
        .apply(1, &[put(1, b"north"), put(2, b"south")])
        .unwrap();
    engine.sync().unwrap();
    engine
}

#[test]
fn a_database_in_use_is_locked() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("db");
    let _engine = filled(&dir);
    let refused = Sled::within(&dir, CACHE, 1, Duration::ZERO).unwrap_err();
    assert!(matches!(refused, OpenError::Locked), "{refused:?}");
}

/// fault E10
#[test]
fn another_shape_is_told_apart_and_changes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("db");
    drop(filled(&dir));
    let older = Sled::open(&dir, CACHE, 2).unwrap_err();
    assert!(
        matches!(older, OpenError::OlderShape { found: 1, known: 2 }),
        "{older:?}"
    );
    let newer = Sled::open(&dir, CACHE, 0).unwrap_err();
    assert!(
        matches!(newer, OpenError::NewerShape { found: 1, known: 0 }),
        "{newer:?}"
    );
    let engine = Sled::open(&dir, CACHE, 1).unwrap();
    assert_eq!(engine.get(Tree::Entity, &[2]).unwrap().unwrap(), b"south");
}

/// fault E1
#[test]
fn a_half_written_snapshot_does_not_keep_it_from_opening() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("db");
    drop(filled(&dir));
    fs::write(dir.join("snap.FFFFFFFFFFFFFFFF.generating"), b"half").unwrap();
    let engine = Sled::open(&dir, CACHE, 1).unwrap();
    assert_eq!(engine.applied().unwrap(), 1);
}

/// fault E6
#[test]
fn a_damaged_snapshot_is_set_aside_and_not_needed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("db");
    drop(filled(&dir));
    drop(lock(&dir, PATIENCE).unwrap());
    fs::write(dir.join("snap.FFFFFFFFFFFFFFFF"), b"not a snapshot at all").unwrap();
    let engine = Sled::open(&dir, CACHE, 1).unwrap();
    assert_eq!(engine.get(Tree::Entity, &[1]).unwrap().unwrap(), b"north");
    assert!(dir.join("aside.snap.FFFFFFFFFFFFFFFF").exists());
}

/// fault E6
#[test]
fn a_database_that_does_not_open_is_corrupt_and_moves_aside() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("db");
    drop(filled(&dir));
    drop(lock(&dir, PATIENCE).unwrap());
    fs::write(dir.join("conf"), b"segment_size: 1").unwrap();
    let refused = Sled::open(&dir, CACHE, 1).unwrap_err();
    assert!(matches!(refused, OpenError::Corrupt(_)), "{refused:?}");
    let moved = aside(&dir).unwrap();
    assert!(moved.join("conf").exists() && !dir.exists());
    assert_eq!(Sled::open(&dir, CACHE, 1).unwrap().applied().unwrap(), 0);
}

/// fault E1
#[test]
fn a_creation_that_was_cut_short_begins_again() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("db");
    fs::create_dir(temp.path().join("db.init")).unwrap();
    fs::write(temp.path().join("db.init/db"), b"half").unwrap();
    filled(&dir);
    assert!(!temp.path().join("db.init").exists());
}

#[test]
fn what_was_built_beside_takes_the_place_of_the_old_one() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, fresh) = (temp.path().join("db"), temp.path().join("db.fresh"));
    drop(filled(&dir));
    let engine = Sled::open(&fresh, CACHE, 2).unwrap();
    engine.apply(9, &[put(1, b"harbour")]).unwrap();
    engine.sync().unwrap();
    drop(engine);
    promote(&fresh, &dir).unwrap();
    let engine = Sled::open(&dir, CACHE, 2).unwrap();
    assert_eq!(engine.get(Tree::Entity, &[1]).unwrap().unwrap(), b"harbour");
    assert!(temp.path().join("db.aside-1").exists());
}

#[test]
fn databases_that_were_moved_aside_are_removed_and_nothing_else_is() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("db");
    drop(filled(&dir));
    for _ in 0..2 {
        aside(&dir).unwrap();
        drop(filled(&dir));
    }
    fs::write(temp.path().join("aside-1"), b"another's").unwrap();
    forget(&dir).unwrap();
    let left = fs::read_dir(temp.path()).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["aside-1", "db"]);
    assert!(Sled::open(&dir, CACHE, 1).is_ok());
}

/// fault E6
#[test]
fn a_value_that_is_not_what_was_written_is_never_returned() {
    let temp = tempfile::tempdir().unwrap();
    let engine = filled(&temp.path().join("db"));
    let stored = engine.tree(Tree::Entity).get([1]).unwrap().unwrap();
    engine.tree(Tree::Entity).insert([2], stored).unwrap();
    assert!(matches!(
        engine.get(Tree::Entity, &[2]),
        Err(Error::Damaged)
    ));
    let all = engine.scan(Tree::Entity, Bound::Unbounded, Bound::Unbounded, 9);
    assert!(matches!(all, Err(Error::Damaged)));
}

#[test]
fn the_largest_values_stay_out_of_files_of_their_own() {
    let temp = tempfile::tempdir().unwrap();
    let engine = Sled::open(&temp.path().join("db"), CACHE, 1).unwrap();
    for round in 0..3 {
        for key in 0..=u8::MAX {
            engine
                .apply(1, &[put(key, &[round; super::super::engine::VALUE])])
                .unwrap();
        }
        engine.sync().unwrap();
    }
    let stats = engine.stats();
    assert_eq!(stats.stray, 0);
    assert!(stats.bytes > 1 << 20);
}
