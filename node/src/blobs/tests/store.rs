//! Committing, packs, damage and deletion.

use super::*;

#[test]
fn a_batch_is_stored_once_per_digest_in_the_order_given() {
    let (dir, blobs) = blobs();
    let contents = [
        bytes(10),
        bytes(BIG),
        bytes(0),
        bytes(10),
        bytes(BIG),
        bytes(70_000),
    ];
    let staged = contents
        .iter()
        .map(|data| blobs.ingest(&mut &**data, &mut |_| {}).unwrap());
    let placed = blobs.commit(staged.collect()).unwrap();
    for (placed, data) in placed.iter().zip(&contents) {
        assert_eq!(placed.digest, digest(data));
        assert!(content(&blobs, placed) == *data);
    }
    assert_eq!(placed[0], placed[3]);
    assert_eq!(placed[1], placed[4]);
    assert_eq!(listed(&reopen(&dir)), placed.into_iter().collect());
    assert_eq!(fs::read_dir(dir.path().join("stage")).unwrap().count(), 0);
}

/// fault E9
#[test]
fn nothing_is_readable_before_its_commit() {
    let (dir, blobs) = blobs();
    let small = blobs.ingest(&mut &*bytes(10), &mut |_| {}).unwrap();
    let big = blobs.ingest(&mut &*bytes(BIG), &mut |_| {}).unwrap();
    assert!(listed(&blobs).is_empty());
    let placed = Placed {
        digest: big.digest(),
        size: big.size(),
        place: Place::Own,
    };
    assert!(matches!(blobs.verify(&placed), Err(Error::Missing(_))));
    drop((small, big));
    assert_eq!(fs::read_dir(dir.path().join("stage")).unwrap().count(), 0);
    assert!(listed(&reopen(&dir)).is_empty());
}

/// fault E9
#[test]
fn a_torn_pack_is_left_alone_and_the_next_one_begun() {
    for torn in [1, 95, 96, 97, 500] {
        let (dir, blobs) = blobs();
        let first = store(&blobs, &bytes(1000));
        let second = store(&blobs, &bytes(2000));
        drop(blobs);
        let path = dir.path().join("packs/00000000");
        let pack = fs::OpenOptions::new().write(true).open(&path).unwrap();
        pack.set_len(2 * 96 + 3000 - torn).unwrap();
        let (blobs, opened) = Blobs::open(dir.path(), NONE).unwrap();
        assert_eq!(
            opened,
            Opened {
                packs: 1,
                ignored: 2096 - torn
            }
        );
        assert!(content(&blobs, &first) == bytes(1000));
        assert!(matches!(blobs.verify(&second), Err(Error::Damaged(_))));
        let again = store(&blobs, &bytes(2000));
        assert_eq!(
            again.place,
            Place::Pack {
                number: 1,
                offset: 0
            }
        );
        assert_eq!(listed(&blobs), BTreeSet::from([first, again]));
    }
}

#[test]
fn a_whole_pack_is_continued_after_a_restart() {
    let (dir, blobs) = blobs();
    let first = store(&blobs, &bytes(1000));
    drop(blobs);
    let (blobs, opened) = Blobs::open(dir.path(), NONE).unwrap();
    assert_eq!(
        opened,
        Opened {
            packs: 1,
            ignored: 0
        }
    );
    let second = store(&blobs, &bytes(2000));
    assert_eq!(
        second.place,
        Place::Pack {
            number: 0,
            offset: 1096
        }
    );
    assert_eq!(listed(&blobs), BTreeSet::from([first, second]));
}

/// fault E5
#[test]
fn a_flipped_byte_is_damage_and_never_handed_out() {
    let (dir, blobs) = blobs();
    let packed = store(&blobs, &bytes(100_000));
    let path = dir.path().join("packs/00000000");
    for at in [0, 24, 70, 96, 50_000, 100_095] {
        flip(&path, at);
        assert!(matches!(blobs.verify(&packed), Err(Error::Damaged(_))));
        assert!(matches!(
            blobs.encode(&packed, Ranges::all(100_000)),
            Err(Error::Damaged(_))
        ));
        assert!(matches!(blobs.read(&packed, 0..1), Err(Error::Damaged(_))));
        flip(&path, at);
    }
    assert!(blobs.verify(&packed).is_ok());
}

/// fault E5
#[test]
fn a_blob_with_a_damaged_header_can_be_deleted_and_takes_no_other_along() {
    let (dir, blobs) = blobs();
    let (first, second) = (store(&blobs, &bytes(5_000)), store(&blobs, &vec![7; 6_000]));
    let path = dir.path().join("packs/00000000");
    flip(&path, 30);
    assert!(matches!(blobs.verify(&first), Err(Error::Damaged(_))));
    blobs.delete(&[first]).unwrap();
    assert!(matches!(blobs.verify(&first), Err(Error::Missing(_))));
    let left = fs::read(&path).unwrap();
    assert!(left[96..5_096].iter().all(|byte| *byte == 0));
    assert!(blobs.verify(&second).is_ok());
    let pack = fs::OpenOptions::new().write(true).open(&path).unwrap();
    pack.set_len(8_000).unwrap();
    blobs.delete(&[second]).unwrap();
    assert_eq!(pack.metadata().unwrap().len(), 8_000);
}

/// fault E5
#[test]
fn a_flipped_byte_of_a_big_blob_is_found_where_it_is() {
    let (_dir, blobs) = blobs();
    let data = bytes(1_000_000);
    let placed = store(&blobs, &data);
    let path = blobs.inner.own(placed.digest);
    for (at, whole) in [
        (4096 + 500_000, 491_520),
        (4096 + 1_003_520 + 30, 0),
        (4096 + 1_003_520 + 3_900, 0),
    ] {
        flip(&path, at);
        assert!(matches!(blobs.verify(&placed), Err(Error::Damaged(_))));
        let mut got = Vec::new();
        let read = blobs
            .read(&placed, 0..placed.size)
            .unwrap()
            .read_to_end(&mut got);
        assert!(matches!(inner(&read.unwrap_err()), Error::Damaged(_)));
        assert!(got.len() <= whole && data.starts_with(&got));
        flip(&path, at);
    }
    flip(&path, 30);
    assert!(matches!(
        blobs.encode(&placed, Ranges::all(placed.size)),
        Err(Error::Damaged(_))
    ));
    store(&blobs, &data);
    assert!(
        content(&blobs, &placed) == data,
        "storing it again heals it"
    );
}

/// fault E18
#[test]
fn deleting_takes_what_is_named_and_nothing_else() {
    let (dir, blobs) = blobs();
    let mut placed: Vec<_> = (0..5).map(|n| store(&blobs, &bytes(n * 9000))).collect();
    placed.push(store(&blobs, &bytes(BIG)));
    let kept = placed.remove(2);
    for _ in 0..2 {
        blobs.delete(&placed).unwrap();
        assert_eq!(listed(&blobs), BTreeSet::from([kept]));
    }
    assert!(matches!(
        blobs.read(&placed[3], 0..1),
        Err(Error::Missing(_))
    ));
    assert!(matches!(
        blobs.read(&placed[4], 0..1),
        Err(Error::Missing(_))
    ));
    let raw = fs::read(dir.path().join("packs/00000000")).unwrap();
    let gone = bytes(9000 * 4);
    assert!(!raw.windows(16).any(|window| window == &gone[100..116]));
    assert!(content(&blobs, &kept) == bytes(18_000));
    let other = Placed {
        digest: placed[0].digest,
        ..kept
    };
    assert!(matches!(blobs.delete(&[other]), Err(Error::Damaged(_))));
    assert!(content(&blobs, &kept) == bytes(18_000));
}

#[test]
fn what_a_buffer_held_before_is_not_stored() {
    let (_dir, blobs) = blobs();
    let size = (16 << 20) + 1;
    let placed = store(&blobs, &vec![0xaa; size]);
    let raw = fs::read(blobs.inner.own(placed.digest)).unwrap();
    assert!(
        raw[4096 + size..4096 + size + 4095]
            .iter()
            .all(|&byte| byte == 0)
    );
}

#[test]
fn a_batch_goes_on_in_the_next_pack() {
    let (dir, blobs) = blobs();
    lock(&blobs.inner.packs).full = 3000;
    let batch = (1000..1010).map(|size| blobs.ingest(&mut &*bytes(size), &mut |_| {}).unwrap());
    let placed = blobs.commit(batch.collect()).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("packs")).unwrap().count(), 4);
    for (placed, size) in placed.iter().zip(1000..) {
        assert!(content(&blobs, placed) == bytes(size));
    }
    assert_eq!(listed(&reopen(&dir)), placed.into_iter().collect());
}

#[test]
fn a_closed_pack_with_nothing_left_is_removed() {
    let (dir, blobs) = blobs();
    lock(&blobs.inner.packs).full = 3000;
    let old = [store(&blobs, &bytes(1000)), store(&blobs, &bytes(2000))];
    let new = store(&blobs, &bytes(3000));
    blobs.delete(&old[..1]).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("packs")).unwrap().count(), 2);
    blobs.delete(&old).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("packs")).unwrap().count(), 1);
    blobs.delete(&old).unwrap();
    assert_eq!(listed(&reopen(&dir)), BTreeSet::from([new]));
}

#[test]
fn places_survive_serialisation() {
    let own = Placed {
        digest: Digest([1; 32]),
        size: 1 << 40,
        place: Place::Own,
    };
    let packed = Placed {
        place: Place::Pack {
            number: 3,
            offset: 9,
        },
        ..own
    };
    for placed in [own, packed] {
        let mut bytes = Vec::new();
        ciborium::into_writer(&placed, &mut bytes).unwrap();
        let back: Placed = ciborium::from_reader(&*bytes).unwrap();
        assert_eq!(back, placed);
    }
}
