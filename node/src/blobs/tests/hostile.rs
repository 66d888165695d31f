//! What a partner that lies or a disk that is full cannot do.

use super::*;

const SIZE: usize = 600_000;

/// A partner's stream of a blob, and the two sides.
struct Sent {
    dir: TempDir,
    blobs: Blobs,
    digest: Digest,
    stream: Vec<u8>,
}

fn wrong(staged: &Result<Staged, Error>) -> bool {
    matches!(
        staged,
        Err(Error::Mismatch { .. } | Error::TooLong | Error::Short { .. })
    )
}

fn sent(size: usize) -> Sent {
    let (dir, blobs) = blobs();
    let data = bytes(size);
    let stream = reference(&data, &Ranges::all(size as u64));
    Sent {
        dir,
        blobs,
        digest: digest(&data),
        stream,
    }
}

impl Sent {
    fn receive(&self, size: u64, stream: &[u8], piece: usize) -> Result<Staged, Error> {
        let mut receiver = self.blobs.receive(stage(), self.digest, size)?;
        for part in stream.chunks(piece) {
            receiver.write(part)?;
        }
        receiver.finish()
    }

    fn nothing_is_readable(&self) {
        assert!(listed(&self.blobs).is_empty());
        let placed = Placed {
            digest: self.digest,
            size: 1,
            place: Place::Own,
        };
        assert!(matches!(
            self.blobs.read(&placed, 0..1),
            Err(Error::Missing(_))
        ));
        self.blobs.discard(stage()).unwrap();
        assert_eq!(
            fs::read_dir(self.dir.path().join("stage")).unwrap().count(),
            0
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// fault C1
    #[test]
    fn a_flipped_bit_anywhere_is_a_mismatch(
        size in prop::sample::select(vec![1, 16_384, 16_385, 100_000, SIZE]),
        at in any::<prop::sample::Index>(), bit in 0..8_u8, piece in 1..300_000_usize,
    ) {
        let mut sent = sent(size);
        let at = at.index(sent.stream.len());
        sent.stream[at] ^= 1 << bit;
        let staged = sent.receive(size as u64, &sent.stream, piece);
        let mismatch = matches!(staged, Err(Error::Mismatch { .. }));
        prop_assert!(mismatch);
        sent.nothing_is_readable();
    }

    /// fault C2
    #[test]
    fn a_wrong_size_is_refused(
        size in prop::sample::select(vec![0, 1, 16_384, 16_385, 100_000, SIZE]),
        claimed in prop::sample::select(vec![0, 1, 16_383, 16_384, 16_386, 99_999, 262_144, 262_145,
            SIZE as u64 - 1, SIZE as u64 + 1, 1_000_000]),
    ) {
        prop_assume!(size as u64 != claimed);
        let sent = sent(size);
        let staged = sent.receive(claimed, &sent.stream, 65_536);
        prop_assert!(wrong(&staged));
        sent.nothing_is_readable();
    }

    /// fault C3
    #[test]
    fn a_stream_that_skips_repeats_or_ends_early_is_refused(
        size in prop::sample::select(vec![20_000, 100_000, SIZE]),
        from in any::<prop::sample::Index>(), len in 1..40_000_usize, kind in 0..3,
    ) {
        let sent = sent(size);
        let from = from.index(sent.stream.len());
        let to = (from + len).min(sent.stream.len());
        let (start, part, rest) = (&sent.stream[..from], &sent.stream[from..to], &sent.stream[to..]);
        let bad = match kind {
            0 => [start, rest].concat(),
            1 => [start, part, part, rest].concat(),
            _ => start.to_vec(),
        };
        let staged = sent.receive(size as u64, &bad, 65_536);
        prop_assert!(wrong(&staged));
        sent.nothing_is_readable();
    }
}

/// fault C1
#[test]
fn the_whole_and_consistent_stream_of_another_blob_is_a_mismatch() {
    for size in [1, 20_000, SIZE] {
        let sent = sent(size);
        let stream = reference(&vec![7; size], &Ranges::all(size as u64));
        let staged = sent.receive(size as u64, &stream, 65_536);
        assert!(matches!(staged, Err(Error::Mismatch { at: 0 })));
        sent.nothing_is_readable();
    }
}

/// fault C2
#[test]
fn an_endless_stream_is_cut_at_the_first_byte_too_many() {
    for size in [0, 1000, SIZE] {
        let sent = sent(size);
        let mut receiver = sent
            .blobs
            .receive(stage(), sent.digest, size as u64)
            .unwrap();
        let progress = receiver.write(&sent.stream).unwrap();
        assert_eq!(
            progress,
            Progress {
                verified: size as u64,
                size: size as u64
            }
        );
        assert!(matches!(receiver.write(&[0]), Err(Error::TooLong)));
        assert!(receiver.write(&[]).is_err(), "an error is final");
        assert!(receiver.finish().is_err());
        sent.nothing_is_readable();
    }
}

/// fault C2
#[test]
fn a_size_that_cannot_be_is_refused_before_the_first_byte() {
    let sent = sent(1000);
    let claim = |size| sent.blobs.receive(stage(), sent.digest, size).err();
    assert!(matches!(claim(u64::MAX), Some(Error::TooLarge { .. })));
    assert!(matches!(
        claim(u64::MAX / 2 + 1),
        Some(Error::TooLarge { .. })
    ));
    assert!(matches!(claim(1 << 46), Some(Error::Full)));
    sent.nothing_is_readable();
}

/// fault C2
#[test]
fn an_empty_blob_is_valid_and_an_empty_claim_of_another_is_not() {
    let (_dir, blobs) = blobs();
    let receiver = blobs.receive(stage(), digest(&[]), 0).unwrap();
    let placed = blobs.commit(vec![receiver.finish().unwrap()]).unwrap()[0];
    assert!(content(&blobs, &placed).is_empty());
    assert!(blobs.verify(&placed).is_ok());
    let receiver = blobs.receive(stage(), digest(b"x"), 0).unwrap();
    assert!(matches!(receiver.finish(), Err(Error::Mismatch { at: 0 })));
}

/// fault C3
#[test]
fn ranges_that_overlap_go_back_or_reach_beyond_are_refused() {
    let refused = |ranges: &[std::ops::Range<u64>]| Ranges::new(100_000, ranges.to_vec()).is_err();
    assert!(refused(&[0..10, 5..20]));
    assert!(refused(&[50_000..60_000, 0..10]));
    assert!(refused(&[0..1, 5..5]));
    assert!(refused(&[0..1, 2..100_001]));
    assert!(refused(&[0..1, u64::MAX - 1..u64::MAX]));
    assert!(Ranges::new(u64::MAX, []).is_err());
    let wide = Ranges::new(100_000, [10..20, 20_000..20_001, 99_999..100_000]).unwrap();
    assert_eq!(
        wide.iter().collect::<Vec<_>>(),
        [0..32_768, 98_304..100_000]
    );
}

/// fault E3
#[test]
fn nothing_is_taken_in_when_the_disk_is_down_to_its_reserve() {
    let dir = tempfile::tempdir().unwrap();
    let open = |bytes| {
        Blobs::open(dir.path(), Reserve { bytes, percent: 0 })
            .unwrap()
            .0
    };
    let data = bytes(SIZE);
    let small = store(&open(0), b"before");
    let blobs = open(u64::MAX);
    assert!(matches!(
        blobs.ingest(&mut &*data, &mut |_| {}),
        Err(Error::Full)
    ));
    let receive = |size| blobs.receive(stage(), digest(&data), size).err();
    assert!(matches!(receive(SIZE as u64), Some(Error::Full)));
    assert!(matches!(receive(10), Some(Error::Full)));
    assert!(content(&blobs, &small) == b"before", "reading goes on");
    assert!(content(&open(0), &store(&open(0), &data)) == data);
}

/// fault E3
#[test]
fn a_disk_that_fills_up_meanwhile_leaves_no_stage_and_the_next_attempt_works() {
    let sent = sent(9_000_000);
    let path = sent.dir.path().join("stage").join(&stage().0);
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let staged = sent.receive(9_000_000, &sent.stream, 256 << 10);
    assert!(matches!(staged, Err(Error::Full)));
    assert_eq!(
        fs::read_dir(sent.dir.path().join("stage")).unwrap().count(),
        0
    );
    let staged = sent.receive(9_000_000, &sent.stream, 256 << 10).unwrap();
    let placed = sent.blobs.commit(vec![staged]).unwrap()[0];
    assert!(content(&sent.blobs, &placed) == bytes(9_000_000));
}
