//! Receiving goes on where it stopped, and never on what is not true.

use super::*;

const SIZE: usize = 700_001;

/// Sends the wanted part of a blob up to `limit` bytes of its stream; says where it began, and where
/// it stopped if it did.
fn attempt(blobs: &Blobs, data: &[u8], limit: usize) -> (u64, Result<Staged, u64>) {
    let mut receiver = blobs
        .receive(stage(), digest(data), data.len() as u64)
        .unwrap();
    let wanted = receiver.wanted();
    let begun = wanted
        .iter()
        .next()
        .map_or(data.len() as u64, |range| range.start);
    let mut stopped = begun;
    let stream = reference(data, &wanted);
    for part in stream[..limit.min(stream.len())].chunks(10_000) {
        stopped = receiver.write(part).unwrap().verified;
    }
    if limit < stream.len() {
        return (begun, Err(stopped));
    }
    (begun, Ok(receiver.finish().unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// fault E14
    #[test]
    fn stopped_anywhere_it_goes_on_with_the_next_group(
        size in prop::sample::select(vec![SIZE, 43 * 16_384, 64 * 16_384]),
        stops in prop::collection::vec(0..500_000_usize, 0..5),
    ) {
        let (dir, mut blobs) = blobs();
        let data = bytes(size);
        let mut before = 0;
        for stop in stops {
            let (begun, stopped) = attempt(&blobs, &data, stop);
            prop_assert_eq!(begun, before);
            before = stopped.err().filter(|at| at.is_multiple_of(GROUP)).unwrap_or(begun);
            blobs = reopen(&dir);
        }
        let (begun, staged) = attempt(&blobs, &data, usize::MAX);
        prop_assert_eq!(begun, before);
        let placed = blobs.commit(vec![staged.unwrap()]).unwrap()[0];
        prop_assert!(content(&blobs, &placed) == data);
        blobs.verify(&placed).unwrap();
        prop_assert_eq!(fs::read_dir(dir.path().join("stage")).unwrap().count(), 0);
    }
}

/// fault E14
#[test]
fn a_kill_costs_at_most_the_interval_between_two_marks() {
    let (dir, blobs) = blobs();
    let data = bytes(80 << 20);
    let stream = reference(&data, &Ranges::all(data.len() as u64));
    let mut receiver = blobs
        .receive(stage(), digest(&data), data.len() as u64)
        .unwrap();
    for part in stream[..75 << 20].chunks(256 << 10) {
        receiver.write(part).unwrap();
    }
    // What a kill leaves: the files as they are, without the mark of a clean end.
    let copy = tempfile::tempdir().unwrap();
    let killed = reopen(&copy);
    let pairs = dir.path().join("stage").join(format!("{}.tree", stage().0));
    while mark::Mark::load(&File::open(&pairs).unwrap()).is_none_or(|mark| mark.sequence < 1) {
        std::thread::yield_now();
    }
    for name in [stage().0, format!("{}.tree", stage().0)] {
        let from = dir.path().join("stage").join(&name);
        fs::copy(from, copy.path().join("stage").join(&name)).unwrap();
    }
    let (begun, staged) = attempt(&killed, &data, usize::MAX);
    assert_eq!(begun, 64 << 20);
    let placed = killed.commit(vec![staged.unwrap()]).unwrap()[0];
    killed.verify(&placed).unwrap();
}

#[test]
fn every_group_counts_from_the_first_on() {
    let (_dir, blobs) = blobs();
    let data = bytes(SIZE);
    for groups in 0..42 {
        let (begun, stopped) = attempt(&blobs, &data, 6 * 64 + GROUP as usize);
        assert_eq!(
            (begun, stopped.unwrap_err()),
            (groups * GROUP, (groups + 1) * GROUP)
        );
    }
}

#[test]
fn what_was_verified_before_a_bad_group_is_kept() {
    let (_dir, blobs) = blobs();
    let data = bytes(SIZE);
    let mut stream = reference(&data, &Ranges::all(SIZE as u64));
    stream[500_000] ^= 1;
    let mut receiver = blobs.receive(stage(), digest(&data), SIZE as u64).unwrap();
    assert!(matches!(
        receiver.write(&stream),
        Err(Error::Mismatch { at: 491_520 })
    ));
    drop(receiver);
    let (begun, staged) = attempt(&blobs, &data, usize::MAX);
    assert_eq!(begun, 491_520);
    blobs.commit(vec![staged.unwrap()]).unwrap();
}

#[test]
fn a_damaged_or_short_stage_starts_over() {
    let damages: [fn(&Path, &Path); 4] = [
        |_, tree| flip(tree, 100),
        |_, tree| {
            fs::OpenOptions::new()
                .write(true)
                .open(tree)
                .unwrap()
                .set_len(9000)
                .unwrap()
        },
        |data, _| {
            fs::OpenOptions::new()
                .write(true)
                .open(data)
                .unwrap()
                .set_len(9000)
                .unwrap()
        },
        |data, _| fs::remove_file(data).unwrap(),
    ];
    for damage in damages {
        let (dir, blobs) = blobs();
        let data = bytes(SIZE);
        attempt(&blobs, &data, 600_000).1.unwrap_err();
        let paths = stage::paths(&blobs.inner, &stage().0);
        damage(&paths.data, &paths.tree);
        let blobs = reopen(&dir);
        let (begun, staged) = attempt(&blobs, &data, usize::MAX);
        assert_eq!(begun, 0);
        let placed = blobs.commit(vec![staged.unwrap()]).unwrap()[0];
        blobs.verify(&placed).unwrap();
    }
}

#[test]
fn a_stage_of_another_digest_or_size_starts_over() {
    let (_dir, blobs) = blobs();
    let data = bytes(SIZE);
    attempt(&blobs, &data, 600_000).1.unwrap_err();
    let receiver = blobs
        .receive(stage(), Digest([1; 32]), SIZE as u64)
        .unwrap();
    assert_eq!(receiver.wanted(), Ranges::all(SIZE as u64));
    drop(receiver);
    attempt(&blobs, &data, 600_000).1.unwrap_err();
    let other = bytes(SIZE + 1);
    let receiver = blobs
        .receive(stage(), digest(&data), SIZE as u64 + 1)
        .unwrap();
    assert_eq!(receiver.wanted(), Ranges::all(SIZE as u64 + 1));
    drop(receiver);
    let (begun, staged) = attempt(&blobs, &other, usize::MAX);
    assert_eq!(begun, 0);
    let placed = blobs.commit(vec![staged.unwrap()]).unwrap()[0];
    assert!(content(&blobs, &placed) == other);
}

#[test]
fn one_stage_is_received_once_at_a_time_until_its_commit() {
    let (_dir, blobs) = blobs();
    let data = bytes(SIZE);
    let receive = || blobs.receive(stage(), digest(&data), SIZE as u64);
    let receiver = receive().unwrap();
    assert!(matches!(receive(), Err(Error::Busy)));
    assert!(matches!(blobs.discard(stage()), Err(Error::Busy)));
    blobs.sweep(&BTreeSet::new()).unwrap();
    drop(receiver);
    let (_, staged) = attempt(&blobs, &data, usize::MAX);
    assert!(matches!(receive(), Err(Error::Busy)));
    blobs.sweep(&BTreeSet::new()).unwrap();
    blobs.commit(vec![staged.unwrap()]).unwrap();
    assert_eq!(receive().unwrap().wanted(), Ranges::all(SIZE as u64));
}

#[test]
fn sweeping_removes_what_nobody_receives_any_more() {
    let (dir, blobs) = blobs();
    let data = bytes(SIZE);
    attempt(&blobs, &data, 600_000).1.unwrap_err();
    fs::write(dir.path().join("stage/in-7"), b"left by a crash").unwrap();
    let blobs = reopen(&dir);
    blobs.sweep(&BTreeSet::from([stage()])).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("stage")).unwrap().count(), 2);
    blobs.sweep(&BTreeSet::new()).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("stage")).unwrap().count(), 0);
    assert_eq!(attempt(&blobs, &data, usize::MAX).0, 0);
}
