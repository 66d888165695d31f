//! Fuzz targets of blobs: what lies in packs and beside stages, and a stream from a partner.

use std::fs::File;
use std::io::Write as _;
use std::ops::{ControlFlow, Range};

use bytes::BytesMut;
use interdocket_sync::blob::{Digest, GROUP};
use rustix::fs::MemfdFlags;

use super::decode::Decoder;
use super::encode::{Encoder, Source};
use super::header::{self, Header};
use super::mark::{self, Mark};
use super::{Ranges, pack, tree};
use crate::fuzz::Input;

/// A pack, a header and a mark; the first byte says whether their sums are made good, as whoever writes the
/// disk can.
pub(crate) fn blob(bytes: &[u8]) {
    let Some((good, bytes)) = bytes.split_first() else {
        return;
    };
    let mut bytes = bytes.to_vec();
    if good & 1 == 1 {
        for record in bytes.chunks_mut(header::LEN) {
            if let Some((said, sum)) = record
                .split_at_mut_checked(64)
                .filter(|(_, sum)| sum.len() == 32)
            {
                sum.copy_from_slice(blake3::hash(said).as_bytes());
            }
        }
    }
    if let Some(Ok(header)) = bytes.first_chunk().map(Header::decode) {
        assert_eq!(&header.encode()[..], &bytes[..header::LEN]);
    }
    walked(&bytes);
    let mut page = [0; mark::SLOT];
    let len = bytes.len().min(mark::SLOT - 32);
    page[..len].copy_from_slice(&bytes[..len]);
    let sum = *blake3::hash(&page[..mark::SLOT - 32]).as_bytes();
    page[mark::SLOT - 32..].copy_from_slice(&sum);
    if let Some(mark) = Mark::decode(&page) {
        assert_eq!(Mark::decode(&mark.encode()).as_ref(), Some(&mark));
        if let Some(builder) = mark.builder() {
            assert_eq!(builder.stack(), mark.stack);
        }
    }
}

/// Records follow each other, each whole, up to what is no record.
fn walked(bytes: &[u8]) {
    let memory = rustix::fs::memfd_create("pack", MemfdFlags::CLOEXEC).expect("there is memory");
    let mut file = File::from(memory);
    file.write_all(bytes).expect("there is memory");
    let mut next = 0;
    let end = pack::walk(&file, bytes.len() as u64, &mut |at, header| {
        assert_eq!(at, next);
        next = at + header::LEN as u64 + header.size;
        ControlFlow::Continue(())
    });
    assert_eq!(end.ok(), Some(next));
    assert!(next <= bytes.len() as u64);
}

/// fault A12, C1, C2, C3: a partner's stream of a file, bent, cut and repeated, in pieces of any size; not a
/// byte is handed out that is not the file's, and what ends well is whole.
pub(crate) fn stream(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let size = SIZES[input.below(SIZES.len())];
    let data: Vec<u8> = (0..size).map(|at| (at / 7 + at / 1000) as u8).collect();
    let Some(wanted) = ranges(size as u64, &mut input) else {
        return;
    };
    let (digest, pairs) = tree::of(&data);
    let source = Source::Memory {
        data: data.clone(),
        pairs,
    };
    let mut encoder = Encoder::new(digest, wanted.clone(), source);
    let mut sent = BytesMut::new();
    while encoder
        .fill(&mut sent, usize::MAX)
        .expect("it is in memory")
    {}
    let mut sent = sent.to_vec();
    let honest = sent.clone();
    let claimed = match input.below(8) {
        7 => Ranges::all(input.number()),
        _ => wanted.clone(),
    };
    while input.below(4) == 3 {
        bend(&mut sent, &mut input);
    }
    taken(digest, &data, claimed, (&sent, &honest), &mut input);
}

const SIZES: [usize; 8] = [0, 1, 16_383, 16_384, 16_385, 40_000, 65_536, 100_001];

/// Whole groups, ascending and disjoint, or nothing.
fn ranges(size: u64, input: &mut Input<'_>) -> Option<Ranges> {
    let count = input.below(5);
    if count == 0 {
        return Some(Ranges::all(size));
    }
    let mut asked: Vec<Range<u64>> = Vec::new();
    for _ in 0..count {
        let (from, len) = (input.number(), input.number());
        let from = if from < 224 { from * 512 } else { from };
        asked.push(from..from.saturating_add(len));
    }
    let ranges = Ranges::new(size, asked.clone());
    let ordered = asked.is_sorted_by(|one, two| one.end <= two.start);
    let inside = asked
        .iter()
        .all(|range| range.start < range.end && range.end <= size);
    assert_eq!(ranges.is_ok(), ordered && inside);
    let ranges = ranges.ok()?;
    let spans: Vec<Range<u64>> = ranges.iter().collect();
    assert!(spans.is_sorted_by(|one, two| one.end < two.start));
    assert!(
        spans
            .iter()
            .all(|span| span.start % GROUP == 0 && span.end <= size)
    );
    assert_eq!(
        ranges.bytes(),
        spans.iter().map(|span| span.end - span.start).sum::<u64>()
    );
    let covered = |range: &Range<u64>| {
        let around = |span: &&Range<u64>| span.start <= range.start && range.end <= span.end;
        spans.iter().find(around).is_some()
    };
    assert!(asked.iter().all(covered));
    Some(ranges)
}

fn bend(sent: &mut Vec<u8>, input: &mut Input<'_>) {
    let at = input.number().wrapping_mul(97) as usize % sent.len().max(1);
    let to = (at + 64 * usize::from(input.byte())).min(sent.len());
    match input.below(6) {
        0 if at < sent.len() => sent[at] ^= input.byte(),
        1 => drop(sent.drain(at..to)),
        2 => sent.truncate(at),
        3 => drop(sent.splice(at..at, sent[at..to].to_vec())),
        4 => sent.extend_from_slice(input.some(64)),
        _ => sent.rotate_left(at),
    }
}

fn taken(
    digest: Digest,
    data: &[u8],
    claimed: Ranges,
    sent: (&[u8], &[u8]),
    input: &mut Input<'_>,
) {
    let (sent, honest) = sent;
    let same = claimed.size() == data.len() as u64;
    let Ok(mut decoder) = Decoder::new(digest, claimed.clone()) else {
        return;
    };
    let (mut next, mut bytes, mut failed) = (0, 0, false);
    let mut rest = sent;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at((1 + 199 * usize::from(input.byte())).min(rest.len()));
        rest = behind;
        let pushed = decoder.push(piece, &mut |leaf| {
            let end = leaf.offset + leaf.data.len() as u64;
            assert!(!failed && leaf.offset >= next && same);
            assert_eq!(leaf.data, &data[leaf.offset as usize..end as usize]);
            (next, bytes) = (end, bytes + leaf.data.len() as u64);
            Ok(())
        });
        assert!(!failed || pushed.is_err());
        failed = pushed.is_err();
    }
    let whole = decoder.finish().is_ok();
    assert_eq!(whole, same && sent == honest);
    assert!(!whole || bytes == claimed.bytes());
}

/// A pack of two records with one that was erased between them, and the mark of a stage.
#[cfg(test)]
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let record = |kind, size: u64| {
        let digest = Digest([7; 32]);
        let header = Header { kind, size, digest };
        [&header.encode()[..], &vec![5; size as usize]].concat()
    };
    let mark = Mark {
        sequence: 3,
        digest: Digest([7; 32]),
        size: 100_000,
        done: 3 * GROUP,
        stack: vec![[1; 32], [2; 32]],
    };
    let pack = [
        record(header::Kind::Packed, 20),
        record(header::Kind::Gone, 0),
        record(header::Kind::Packed, 3),
    ];
    vec![
        ("pack", [&[0][..], &pack.concat()].concat()),
        ("own", [&[1][..], &record(header::Kind::Own, 0)].concat()),
        ("mark", [&[0][..], &mark.encode()[..200]].concat()),
    ]
}
