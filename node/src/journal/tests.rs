//! Claims about the journal over a disk whose power, space and bits are the test's.

mod copy;
mod damage;
mod power;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    BODY, Body, Damage, Draft, Error, Head, Journal, OpenError, Position, Record, frame, mark,
    segment,
};
use crate::disk::{self, Disk, Memory, Real};
use crate::keyring::{self, KeyId, Keyring};

const MASTER: [u8; 32] = [7; 32];
const NORTH: KeyId = KeyId(Uuid::from_u128(1));
const SOUTH: KeyId = KeyId(Uuid::from_u128(2));
/// Small segments, so that a short workload seals some.
const SMALL: u64 = 2000;

fn keyring(disk: &Arc<Memory>) -> Result<Arc<Keyring>, keyring::OpenError> {
    Ok(Arc::new(Keyring::open(disk.clone(), &MASTER, |bytes| {
        bytes.fill(3)
    })?))
}

fn open(disk: &Arc<Memory>) -> Journal {
    Journal::sized(disk.clone(), keyring(disk).unwrap(), SMALL).unwrap()
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 123_456_000).unwrap()
}

/// The body of a record follows from its number and from nothing else.
fn body(seq: u64) -> Vec<u8> {
    let length = usize::try_from(seq * 37 % 300).unwrap();
    let text = format!("record {seq} ").into_bytes();
    text.iter().copied().cycle().take(length).collect()
}

fn key(seq: u64) -> KeyId {
    [KeyId::NODE, NORTH, SOUTH][usize::try_from(seq % 3).unwrap()]
}

fn draft(seq: u64) -> Draft {
    Draft {
        kind: u16::try_from(seq % 1000).unwrap(),
        key: key(seq),
        body: body(seq),
    }
}

fn drafts(after: u64, count: u64) -> Vec<Draft> {
    (after + 1..=after + count).map(draft).collect()
}

/// Appends groups of one to five records until `count` are there.
fn grow(journal: &mut Journal, count: u64) -> Result<(), Error> {
    while journal.head().count < count {
        let after = journal.head().count;
        let group = (after % 5 + 1).min(count - after);
        journal.append(time(0), &drafts(after, group))?;
    }
    Ok(())
}

fn all(journal: &Journal) -> Vec<Record> {
    journal
        .reader()
        .scan(0, None)
        .collect::<Result<_, _>>()
        .unwrap()
}

/// Everything that was appended is there as it was, and the chain holds.
fn intact(journal: &Journal) -> u64 {
    let records = all(journal);
    for (seq, record) in (1..).zip(&records) {
        assert_eq!(record.position.seq, seq);
        assert_eq!(record.key, key(seq));
        assert_eq!(record.body, Body::Open(body(seq)), "record {seq}");
    }
    let report = journal.reader().verify(true).unwrap();
    assert_eq!(report.head, journal.head());
    assert_eq!(
        (report.head.count, report.damaged, report.broken),
        (records.len() as u64, 0, Vec::new())
    );
    report.head.count
}

fn full(count: u64) -> Arc<Memory> {
    let disk = Arc::new(Memory::default());
    grow(&mut open(&disk), count).unwrap();
    disk
}

/// The counts at which an append of the workload ends.
fn bounds(count: u64) -> BTreeSet<u64> {
    let mut bounds = BTreeSet::from([0]);
    let mut after = 0;
    while after < count {
        after += (after % 5 + 1).min(count - after);
        bounds.insert(after);
    }
    bounds
}

#[test]
fn what_was_appended_is_read_back_by_position_and_in_order() {
    let disk = Arc::new(Memory::default());
    let mut journal = open(&disk);
    let reader = journal.reader();
    assert_eq!(journal.head(), Head::START);
    assert!(journal.append(time(0), &[]).unwrap().is_empty());
    let mut positions = Vec::new();
    for round in 0..20 {
        let after = journal.head().count;
        positions.extend(journal.append(time(round), &drafts(after, 3)).unwrap());
    }
    for (seq, position) in (1..).zip(&positions) {
        let record = reader.read(*position).unwrap();
        assert_eq!(record.position, *position);
        assert_eq!(record.at, time(i64::try_from(seq - 1).unwrap() / 3));
        assert_eq!(record.kind, u16::try_from(seq).unwrap());
        assert_eq!((record.key, record.body), (key(seq), Body::Open(body(seq))));
    }
    assert_eq!(intact(&journal), 60);
    let scanned: Vec<Position> = all(&journal).iter().map(|record| record.position).collect();
    assert_eq!(scanned, positions);
    assert_eq!(reader.head(), journal.head());
}

#[test]
fn a_scan_starts_anywhere_with_or_without_a_position() {
    let disk = full(40);
    let journal = open(&disk);
    let positions: Vec<Position> = all(&journal).iter().map(|record| record.position).collect();
    for after in 0..=40 {
        let hints = positions
            .iter()
            .map(|position| Some(*position))
            .chain([None]);
        for from in hints {
            let seqs: Vec<u64> = journal
                .reader()
                .scan(after, from)
                .map(|record| record.unwrap().position.seq)
                .collect();
            assert_eq!(
                seqs,
                (after + 1..=40).collect::<Vec<_>>(),
                "{after} {from:?}"
            );
        }
    }
}

#[test]
fn a_place_that_is_none_is_absent_or_damaged_and_never_another_record() {
    let disk = full(10);
    let journal = open(&disk);
    let reader = journal.reader();
    for seq in 0..15 {
        for offset in 0..disk.len(&segment::name(1)).unwrap() + 100 {
            match reader.read(Position { seq, offset }) {
                Ok(record) => assert_eq!(record.position.seq, seq),
                Err(Error::Absent(absent)) => assert_eq!(absent, seq),
                Err(Error::Damaged(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn segments_are_sealed_and_the_next_continues() {
    let disk = full(100);
    let journal = open(&disk);
    assert_eq!(intact(&journal), 100);
    let report = journal.reader().verify(false).unwrap();
    assert!(report.segments > 5, "{report:?}");
    for name in disk
        .list()
        .unwrap()
        .iter()
        .filter_map(|name| segment::first(name))
    {
        assert!(disk.len(&segment::name(name)).unwrap() <= SMALL);
    }
}

#[test]
fn an_append_larger_than_a_segment_stays_in_one() {
    let disk = full(1);
    let mut journal = open(&disk);
    journal.append(time(0), &drafts(1, 100)).unwrap();
    journal.append(time(0), &drafts(101, 1)).unwrap();
    assert_eq!(journal.reader().verify(true).unwrap().segments, 3);
    assert_eq!(intact(&open(&disk)), 102);
}

#[test]
fn ten_thousand_records_are_several_frames_and_two_syncs() {
    let disk = Arc::new(Memory::default());
    let mut journal = Journal::open(disk.clone(), keyring(&disk).unwrap()).unwrap();
    journal.append(time(0), &drafts(0, 3)).unwrap();
    let before = disk.calls();
    let positions = journal.append(time(0), &drafts(3, 10_000)).unwrap();
    let offsets: BTreeSet<u64> = positions.iter().map(|position| position.offset).collect();
    assert!(offsets.len() > 1);
    // One write a frame, a sync, and a write and a sync of the mark.
    assert_eq!(disk.calls() - before, offsets.len() as u64 + 3);
    let journal = Journal::open(disk.clone(), keyring(&disk).unwrap()).unwrap();
    assert_eq!(intact(&journal), 10_003);
}

#[test]
fn a_body_of_the_largest_size_is_written_and_a_larger_one_refused() {
    let disk = full(1);
    let mut journal = open(&disk);
    let draft = |size| Draft {
        kind: 1,
        key: NORTH,
        body: vec![5; size],
    };
    let refused = journal
        .append(time(0), &[draft(1), draft(BODY + 1)])
        .unwrap_err();
    assert!(matches!(refused, Error::TooLarge(_)));
    assert_eq!(journal.head().count, 1);
    let positions = journal
        .append(time(0), &[draft(BODY), draft(0), draft(BODY)])
        .unwrap();
    for (position, size) in positions.iter().zip([BODY, 0, BODY]) {
        let record = open(&disk.copy().into()).reader().read(*position).unwrap();
        assert_eq!(record.body, Body::Open(vec![5; size]));
    }
}

#[test]
fn an_erased_key_takes_its_bodies_and_leaves_the_chain() {
    let disk = full(30);
    let before = open(&disk).head();
    keyring(&disk).unwrap().erase(NORTH).unwrap();
    disk.power_cut(1);
    let mut journal = open(&disk);
    assert_eq!(journal.head(), before);
    for (seq, record) in (1..).zip(all(&journal)) {
        let expected = if key(seq) == NORTH {
            Body::Erased
        } else {
            Body::Open(body(seq))
        };
        assert_eq!(record.body, expected);
    }
    let report = journal.reader().verify(true).unwrap();
    assert_eq!(
        (report.erased, report.damaged, report.head),
        (10, 0, before)
    );
    let refused = journal
        .append(time(0), &[draft(33), draft(31)])
        .unwrap_err();
    assert!(matches!(refused, Error::Key(keyring::Error::Erased(NORTH))));
    assert_eq!(journal.head(), before);
    journal.append(time(0), &[draft(33)]).unwrap();
}

#[test]
fn a_body_is_not_on_disk_in_the_clear() {
    let disk = full(20);
    for name in disk.list().unwrap() {
        let bytes = disk::read(&*disk, &name).unwrap();
        assert!(
            !bytes.windows(7).any(|window| window == b"record "),
            "{name}"
        );
    }
}

#[test]
fn bodies_that_change_places_are_damaged() {
    let disk = Arc::new(Memory::default());
    let mut journal = open(&disk);
    let same = |fill| Draft {
        kind: 1,
        key: NORTH,
        body: vec![fill; 20],
    };
    let place = journal.append(time(0), &[same(1), same(2)]).unwrap()[0].offset;
    let start = usize::try_from(place).unwrap() + frame::PREAMBLE + 2 * frame::HEADER;
    disk.damage(&segment::name(1), |bytes| {
        let (one, two) = bytes[start..].split_at_mut(52);
        one.swap_with_slice(&mut two[..52]);
    });
    let records = all(&journal);
    assert!(records.iter().all(|record| record.body == Body::Damaged));
}

#[test]
fn readers_go_on_beside_the_writer_and_see_appends_whole() {
    let disk = full(1);
    let mut journal = open(&disk);
    let reader = journal.reader();
    std::thread::scope(|scope| {
        scope.spawn(move || grow(&mut journal, 200).unwrap());
        let ends: BTreeSet<u64> = bounds(200);
        loop {
            let count = reader.scan(0, None).map(Result::unwrap).count() as u64;
            assert!(ends.contains(&count));
            reader.verify(true).unwrap();
            if count == 200 {
                break;
            }
        }
    });
}

#[test]
fn a_real_directory_keeps_what_was_appended() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=5 {
        let disk: Arc<dyn Disk> = Arc::new(Real::open(dir.path()).unwrap());
        let keyring = Keyring::open(disk.clone(), &MASTER, |bytes| bytes.fill(3)).unwrap();
        let mut journal = Journal::sized(disk, Arc::new(keyring), SMALL).unwrap();
        assert_eq!(intact(&journal), (round - 1) * 30);
        grow(&mut journal, round * 30).unwrap();
        assert_eq!(intact(&journal), round * 30);
    }
}

/// fault E2
#[test]
fn a_torn_tail_of_a_real_file_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let again = || {
        let disk: Arc<dyn Disk> = Arc::new(Real::open(dir.path()).unwrap());
        let keyring = Keyring::open(disk.clone(), &MASTER, |bytes| bytes.fill(3)).unwrap();
        Journal::sized(disk, Arc::new(keyring), SMALL).unwrap()
    };
    grow(&mut again(), 5).unwrap();
    let path = dir.path().join(segment::name(1));
    let whole = std::fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(&whole[segment::HEADER..segment::HEADER + 100]);
    std::fs::write(&path, torn).unwrap();
    assert_eq!(intact(&again()), 5);
    assert_eq!(std::fs::read(&path).unwrap(), whole);
}
