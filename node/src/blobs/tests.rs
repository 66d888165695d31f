//! Claims about stored blobs that need a folder.
//!
//! The stream is compared with what the bao-tree crate makes of the same bytes.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use bao_tree::io::outboard::{PostOrderMemOutboard, PreOrderMemOutboard};
use bao_tree::{BaoTree, BlockSize, ChunkNum, ChunkRanges};
use bytes::BytesMut;
use interdocket_sync::blob::{GROUP, Sha256};
use proptest::prelude::*;
use sha2::Digest as _;
use tempfile::TempDir;

use super::*;

mod hostile;
mod resume;
mod store;

const NONE: Reserve = Reserve {
    bytes: 0,
    percent: 0,
};
const BIG: usize = SMALL as usize + 1;

fn blobs() -> (TempDir, Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let blobs = reopen(&dir);
    (dir, blobs)
}

fn reopen(dir: &TempDir) -> Blobs {
    Blobs::open(dir.path(), NONE).unwrap().0
}

/// Bytes in which no two groups are alike.
fn bytes(size: usize) -> Vec<u8> {
    let mut data = vec![0; size];
    blake3::Hasher::new()
        .update(&size.to_le_bytes())
        .finalize_xof()
        .fill(&mut data);
    data
}

fn digest(data: &[u8]) -> Digest {
    Digest(*blake3::hash(data).as_bytes())
}

fn stage() -> StageId {
    StageId::new(&[7; 48]).unwrap()
}

fn store(blobs: &Blobs, data: &[u8]) -> Placed {
    let staged = blobs.ingest(&mut &*data, &mut |_| {}).unwrap();
    blobs.commit(vec![staged]).unwrap()[0]
}

fn stream(blobs: &Blobs, placed: &Placed, ranges: Ranges) -> Vec<u8> {
    let mut encoder = blobs.encode(placed, ranges).unwrap();
    let mut out = BytesMut::new();
    while encoder.fill(&mut out, usize::MAX).unwrap() {}
    out.to_vec()
}

fn content(blobs: &Blobs, placed: &Placed) -> Vec<u8> {
    let mut data = Vec::new();
    blobs
        .read(placed, 0..placed.size)
        .unwrap()
        .read_to_end(&mut data)
        .unwrap();
    data
}

fn reference(data: &[u8], ranges: &Ranges) -> Vec<u8> {
    let group = BlockSize::from_chunk_log(4);
    let outboard = PreOrderMemOutboard::create(data, group);
    let mut chunks = ChunkRanges::empty();
    for range in ranges.iter() {
        let (from, to) = (
            ChunkNum::full_chunks(range.start),
            ChunkNum::chunks(range.end),
        );
        chunks |= ChunkRanges::from(from..to);
    }
    if ranges.size() == 0 {
        chunks = ChunkRanges::all();
    }
    let mut out = Vec::new();
    bao_tree::io::sync::encode_ranges(data, &outboard, &chunks, &mut out).unwrap();
    out
}

fn inner(error: &io::Error) -> &Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

fn listed(blobs: &Blobs) -> BTreeSet<Placed> {
    let mut found = BTreeSet::new();
    blobs
        .list(&mut |placed| assert!(found.insert(placed)))
        .unwrap();
    found
}

fn flip(path: &Path, at: u64) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// Sizes around the ends of groups, of packs' largest blob and of pieces.
fn size() -> impl Strategy<Value = usize> {
    let edges = [
        0,
        1,
        1024,
        16 << 10,
        32 << 10,
        48 << 10,
        256 << 10,
        512 << 10,
        1 << 20,
        4 << 20,
    ];
    (prop::sample::select(edges.to_vec()), 0..5_usize)
        .prop_map(|(edge, by)| (edge + by).saturating_sub(2))
}

fn cuts(size: u64) -> impl Strategy<Value = Ranges> {
    prop::collection::btree_set(0..=size, 0..8).prop_map(move |ends| {
        let ends: Vec<_> = ends.into_iter().collect();
        Ranges::new(size, ends.chunks_exact(2).map(|pair| pair[0]..pair[1])).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_goes_in_comes_out_with_both_digests(size in size()) {
        let (_dir, blobs) = blobs();
        let data = bytes(size);
        let staged = blobs.ingest(&mut &*data, &mut |_| {}).unwrap();
        let sha = Sha256(sha2::Sha256::digest(&data).into());
        prop_assert_eq!((staged.digest(), staged.size()), (digest(&data), size as u64));
        prop_assert_eq!(staged.sha256(), Some(sha));
        let placed = blobs.commit(vec![staged]).unwrap()[0];
        prop_assert_eq!(placed.place == Place::Own, size as u64 > SMALL);
        prop_assert_eq!(blobs.verify(&placed).unwrap(), sha);
        prop_assert!(content(&blobs, &placed) == data);
    }

    #[test]
    fn stream_is_the_one_that_bao_specifies(
        (size, ranges) in size().prop_flat_map(|size| (Just(size), cuts(size as u64))),
    ) {
        let (_dir, blobs) = blobs();
        let data = bytes(size);
        let placed = store(&blobs, &data);
        prop_assert!(stream(&blobs, &placed, ranges.clone()) == reference(&data, &ranges));
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_ranges_asked_for(
        (size, ranges) in size().prop_flat_map(|size| (Just(size), cuts(size as u64))),
        piece in 1..70_000_usize,
    ) {
        let data = bytes(size);
        let stream = reference(&data, &ranges);
        let mut decoder = Decoder::new(digest(&data), ranges.clone()).unwrap();
        let mut got = Vec::new();
        for part in stream.chunks(piece) {
            decoder.push(part, &mut |leaf| {
                got.push(leaf.offset..leaf.offset + leaf.data.len() as u64);
                assert!(data[leaf.offset as usize..].starts_with(leaf.data));
                Ok(())
            }).unwrap();
        }
        decoder.finish().unwrap();
        let joined = Ranges::new(size as u64, got).unwrap();
        prop_assert_eq!(joined, ranges);
    }

    #[test]
    fn a_part_reads_as_that_part(size in size(), from in any::<u64>(), to in any::<u64>()) {
        let (_dir, blobs) = blobs();
        let data = bytes(size);
        let placed = store(&blobs, &data);
        let (from, to) = (from % (size as u64 + 1), to % (size as u64 + 1));
        let (from, to) = (from.min(to), from.max(to));
        let mut got = Vec::new();
        blobs.read(&placed, from..to).unwrap().read_to_end(&mut got).unwrap();
        prop_assert!(got == data[from as usize..to as usize]);
        prop_assert!(blobs.read(&placed, from..size as u64 + 1).is_err());
    }
}

#[test]
fn the_tree_is_the_post_order_one() {
    for size in [BIG, 300 << 10, 1 << 20, (1 << 20) + 1, 5_000_000] {
        let data = bytes(size);
        let outboard = PostOrderMemOutboard::create(&data, BlockSize::from_chunk_log(4));
        assert_eq!(
            tree::of(&data),
            (Digest(*outboard.root.as_bytes()), outboard.data)
        );
        let expected = BaoTree::new(size as u64, BlockSize::from_chunk_log(4)).outboard_size();
        assert_eq!(tree::size(size as u64), expected);
    }
}

#[test]
fn a_tree_continued_anywhere_is_the_same_tree() {
    let data = bytes(40 * GROUP as usize);
    let (whole, pairs) = tree::of(&data);
    for stop in 0..=40 {
        let mut first = tree::Builder::default();
        for (at, part) in data.chunks(GROUP as usize).enumerate() {
            if at == stop {
                let before = first.take();
                assert_eq!(before.len() as u64, tree::Builder::written(stop as u64));
                assert_eq!(before, pairs[..before.len()]);
                first = tree::Builder::resume(stop as u64, first.stack().to_vec()).unwrap();
            }
            first.push(tree::group(at as u64 * GROUP, part));
        }
        assert_eq!(first.finish(), whole);
    }
    assert!(tree::Builder::resume(3, vec![[0; 32]]).is_none());
}

#[test]
fn fill_keeps_to_the_size_of_a_message_and_small_files_share_one() {
    let (_dir, blobs) = blobs();
    let placed: Vec<_> = (1..=20).map(|n| store(&blobs, &bytes(n * 1000))).collect();
    let big = store(&blobs, &bytes(3 << 20));
    let mut out = BytesMut::new();
    for placed in &placed {
        let mut encoder = blobs.encode(placed, Ranges::all(placed.size)).unwrap();
        assert!(!encoder.fill(&mut out, 256 << 10).unwrap());
    }
    let full: usize = placed
        .iter()
        .map(|p| stream(&blobs, p, Ranges::all(p.size)).len())
        .sum();
    assert_eq!(out.len(), full);
    let mut encoder = blobs.encode(&big, Ranges::all(big.size)).unwrap();
    let mut total = 0;
    loop {
        let mut out = BytesMut::new();
        let more = encoder.fill(&mut out, 256 << 10).unwrap();
        assert!(out.len() <= 256 << 10);
        total += out.len();
        if !more {
            break;
        }
    }
    assert_eq!(total as u64, big.size + tree::size(big.size));
}

#[test]
fn files_that_cannot_be_taken_in_say_why() {
    let (dir, blobs) = blobs();
    let ingest = |path: &Path| blobs.ingest_file(path, &mut |_| {});
    assert!(matches!(
        ingest(&dir.path().join("none")),
        Err(Error::Unreadable { .. })
    ));
    assert!(matches!(ingest(dir.path()), Err(Error::NotRegular(_))));
    assert!(matches!(
        ingest(Path::new("/dev/zero")),
        Err(Error::NotRegular(_))
    ));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let (dir, blobs) = blobs();
    let path = dir.path().join("source");
    fs::write(&path, bytes(BIG)).unwrap();
    assert!(blobs.ingest_file(&path, &mut |_| {}).is_ok());
    for len in [BIG as u64 - 1, BIG as u64 + 1, u64::MAX / 4] {
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(BIG as u64).unwrap();
        let staged = blobs.ingest_file(&path, &mut |_| file.set_len(len.min(1 << 40)).unwrap());
        assert!(matches!(staged, Err(Error::Changed(_))));
    }
    assert_eq!(fs::read_dir(dir.path().join("stage")).unwrap().count(), 0);
}

#[test]
fn a_source_that_fails_leaves_nothing() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("gone"));
            }
            let count = out.len().min(self.0).min(10_000);
            self.0 -= count;
            Ok(count)
        }
    }
    let (dir, blobs) = blobs();
    for size in [0, 1000, BIG, 9_000_000] {
        let staged = blobs.ingest(&mut Failing(size), &mut |_| {});
        assert!(matches!(staged, Err(Error::Source(_))));
    }
    assert_eq!(fs::read_dir(dir.path().join("stage")).unwrap().count(), 0);
}
