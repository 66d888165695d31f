//! Claims about the journal over a disk whose power, space and bits are the test's.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
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
        (report.head.count, report.damaged),
        (records.len() as u64, 0)
    );
    report.head.count
}

fn full(count: u64) -> Arc<Memory> {
    let disk = Arc::new(Memory::default());
    grow(&mut open(&disk), count).unwrap();
    disk
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

/// fault E2, S7, S21
#[test]
fn power_lost_at_any_call_loses_nothing_acknowledged_and_keeps_appends_whole() {
    let calls = {
        let disk = Arc::new(Memory::default());
        grow(&mut open(&disk), 40).unwrap();
        disk.calls()
    };
    let mut kept_beyond = 0;
    for call in 1..=calls {
        for seed in 0..12 {
            let disk = Arc::new(Memory::default());
            disk.stop(call);
            let acknowledged = interrupted(&disk, 40);
            disk.power_cut(seed * 1000 + call);
            // The second start is interrupted as well: recovery has to bear it.
            disk.stop(seed % 12 + 1);
            let _ = interrupted(&disk, acknowledged);
            disk.power_cut(seed);
            let mut journal = open(&disk);
            let count = intact(&journal);
            assert!(count >= acknowledged, "call {call}, seed {seed}");
            assert!(
                bounds(40).contains(&count),
                "call {call}, seed {seed}: half an append"
            );
            kept_beyond += u32::from(count > acknowledged);
            grow(&mut journal, 45).unwrap();
            disk.power_cut(seed);
            assert_eq!(intact(&open(&disk)), 45);
        }
    }
    assert!(kept_beyond > 0, "no cut came between sync and mark");
}

/// Runs the workload until a call fails and says how many records were acknowledged.
fn interrupted(disk: &Arc<Memory>, count: u64) -> u64 {
    let Ok(keyring) = keyring(disk) else { return 0 };
    let Ok(mut journal) = Journal::sized(disk.clone(), keyring, SMALL) else {
        return 0;
    };
    let _ = grow(&mut journal, count);
    journal.head().count
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

/// fault E2: an append of several frames, any of which may be torn while others are not
#[test]
fn an_append_of_many_frames_is_there_whole_or_not_at_all() {
    let disk = Arc::new(Memory::default());
    let mut journal = Journal::open(disk.clone(), keyring(&disk).unwrap()).unwrap();
    journal.append(time(0), &drafts(0, 3)).unwrap();
    let calls = disk.calls();
    journal.append(time(0), &drafts(3, 9_000)).unwrap();
    let calls = disk.calls() - calls;
    let mut counts = BTreeSet::new();
    for call in 1..=calls {
        for seed in 0..12 {
            let disk = Arc::new(Memory::default());
            let mut journal = Journal::open(disk.clone(), keyring(&disk).unwrap()).unwrap();
            journal.append(time(0), &drafts(0, 3)).unwrap();
            disk.stop(call);
            journal.append(time(0), &drafts(3, 9_000)).unwrap_err();
            disk.power_cut(seed);
            let journal = Journal::open(disk.clone(), keyring(&disk).unwrap()).unwrap();
            counts.insert(journal.head().count);
        }
    }
    assert_eq!(counts, BTreeSet::from([3, 9_003]));
}

/// fault E4
#[test]
fn a_failed_call_stops_the_journal_and_a_restart_finds_what_was_acknowledged() {
    let ready = |disk: &Arc<Memory>| {
        let mut journal = open(disk);
        grow(&mut journal, 12).unwrap();
        journal
    };
    for nth in 1..40 {
        for seed in 0..6 {
            let disk = Arc::new(Memory::default());
            let mut journal = ready(&disk);
            disk.fail(nth);
            let failed = grow(&mut journal, 30);
            let acknowledged = journal.head().count;
            if failed.is_err() {
                assert!(matches!(failed, Err(Error::Io(_))), "{failed:?}");
                let again = journal.append(time(0), &[draft(1)]);
                assert!(matches!(again, Err(Error::Stopped)));
                let last = journal.reader().scan(0, None).last().unwrap().unwrap();
                assert_eq!(
                    last.position.seq, acknowledged,
                    "what was acknowledged is served"
                );
            }
            // A restart sees the page cache, which may hold what never reached the disk.
            let mut journal = open(&disk);
            let count = intact(&journal);
            assert!(count >= acknowledged);
            grow(&mut journal, 40).unwrap();
            disk.power_cut(seed);
            assert_eq!(intact(&open(&disk)), 40, "call {nth}, seed {seed}");
        }
    }
}

/// fault E4: a file that cannot be read is an error and stops nothing else
#[test]
fn a_failed_read_is_an_error_and_the_next_one_succeeds() {
    let disk = full(5);
    let mut journal = open(&disk);
    let reader = journal.reader();
    let position = all(&journal)[2].position;
    disk.fail(1);
    assert!(matches!(reader.read(position), Err(Error::Io(_))));
    assert_eq!(reader.read(position).unwrap().body, Body::Open(body(3)));
    grow(&mut journal, 6).unwrap();
}

/// fault E3
#[test]
fn a_full_disk_refuses_whole_appends_and_goes_on_when_there_is_space() {
    let used = |disk: &Memory| -> u64 {
        disk.list()
            .unwrap()
            .iter()
            .map(|name| disk.len(name).unwrap())
            .sum()
    };
    let mut refusals = 0;
    for room in (0..4000).step_by(13) {
        let disk = full(12);
        let mut journal = open(&disk);
        disk.limit(Some(used(&disk) + room));
        while journal.head().count < 30 {
            let (before, after) = (disk::read(&*disk, mark::FILE).unwrap(), journal.head());
            let Err(refused) = journal.append(time(0), &drafts(after.count, 4)) else {
                continue;
            };
            assert!(matches!(refused, Error::Full(_)), "{refused}");
            assert_eq!(journal.head(), after);
            assert_eq!(all(&journal).len() as u64, after.count);
            assert_eq!(disk::read(&*disk, mark::FILE).unwrap(), before);
            refusals += 1;
            break;
        }
        let count = journal.head().count;
        let cut = Arc::new(disk.copy());
        cut.limit(None);
        cut.power_cut(room);
        assert_eq!(intact(&open(&cut)), count, "nothing of it comes back");
        disk.limit(None);
        grow(&mut journal, 40).unwrap();
        assert_eq!(intact(&journal), 40);
        disk.power_cut(room);
        assert_eq!(intact(&open(&disk)), 40);
    }
    assert!(refusals > 100);
}

/// fault E4: a full disk is borne, but not a failure while giving back what was taken
#[test]
fn a_sync_that_fails_while_a_full_disk_is_cleaned_up_stops_the_journal() {
    let disk = full(12);
    let mut journal = open(&disk);
    disk.limit(Some(0));
    disk.fail(3);
    let refused = journal.append(time(0), &drafts(12, 1)).unwrap_err();
    assert!(matches!(refused, Error::Io(_)), "{refused}");
    assert!(matches!(
        journal.append(time(0), &drafts(12, 1)),
        Err(Error::Stopped)
    ));
}

/// What may come of damage: refused at the start, at the walk, or bodies marked; never fewer.
fn judged(disk: &Arc<Memory>, count: u64, place: &str) {
    let Ok(keyring) = keyring(disk) else { return };
    let journal = match Journal::sized(disk.clone(), keyring, SMALL) {
        Ok(journal) => journal,
        Err(OpenError::Damaged(_) | OpenError::Newer { .. }) => return,
        Err(OpenError::Io(error)) => panic!("{place}: {error}"),
    };
    assert_eq!(journal.head().count, count, "{place}: silently fewer");
    let Ok(records) = journal
        .reader()
        .scan(0, None)
        .collect::<Result<Vec<_>, _>>()
    else {
        assert!(journal.reader().verify(false).is_err(), "{place}");
        return;
    };
    assert_eq!(records.len() as u64, count, "{place}: silently fewer");
    for (seq, record) in (1..).zip(records) {
        match record.body {
            Body::Open(read) => assert_eq!(read, body(seq), "{place}: another body"),
            Body::Damaged => {}
            Body::Erased => panic!("{place}: damage is taken for erasure"),
        }
    }
}

/// fault E4, E5
#[test]
fn damage_anywhere_is_refused_or_marked_and_never_fewer_records() {
    let disk = full(24);
    for name in disk.list().unwrap() {
        let length = usize::try_from(disk.len(&name).unwrap()).unwrap();
        for place in 0..length {
            let copy = Arc::new(disk.copy());
            copy.damage(&name, |bytes| bytes[place] ^= 1 << (place % 8));
            judged(&copy, 24, &format!("{name} flipped at {place}"));
        }
        for place in (0..length).step_by(7) {
            let copy = Arc::new(disk.copy());
            copy.damage(&name, |bytes| bytes.truncate(place));
            judged(&copy, 24, &format!("{name} cut at {place}"));
            let copy = Arc::new(disk.copy());
            copy.damage(&name, |bytes| {
                bytes[place..]
                    .iter_mut()
                    .take(512)
                    .for_each(|byte| *byte = 0);
            });
            judged(&copy, 24, &format!("{name} zeroed at {place}"));
        }
        let copy = Arc::new(disk.copy());
        copy.remove(&name).unwrap();
        judged(&copy, 24, &format!("{name} removed"));
    }
}

#[test]
fn a_damaged_body_is_marked_and_the_others_are_read() {
    let disk = full(4);
    let name = segment::name(1);
    disk.damage(&name, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let journal = open(&disk);
    let records = all(&journal);
    assert_eq!(records[3].body, Body::Damaged);
    assert!((0..3).all(|place| matches!(records[place].body, Body::Open(_))));
    let report = journal.reader().verify(true).unwrap();
    assert_eq!(
        (report.damaged, report.places),
        (1, vec![records[3].position])
    );
}

#[test]
fn damage_is_told_with_file_place_and_what_to_do() {
    let disk = full(24);
    let name = segment::name(1);
    disk.damage(&name, |bytes| bytes.truncate(200));
    let refused = Journal::sized(disk.clone(), keyring(&disk).unwrap(), SMALL).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains(&name) && said.contains("at byte 88") && said.contains("restore"));
}

/// fault E10
#[test]
fn a_newer_format_is_refused_and_nothing_changes() {
    for (name, summed) in [(segment::name(1), 56), (mark::FILE.to_owned(), 64)] {
        let disk = full(3);
        disk.damage(&name, |bytes| {
            bytes[9] = 1;
            let sum = frame::checksum(&[&bytes[..summed]]);
            bytes[summed..summed + 16].copy_from_slice(&sum);
        });
        let before = disk::read(&*disk, &name).unwrap();
        let refused = Journal::sized(disk.clone(), keyring(&disk).unwrap(), SMALL).unwrap_err();
        assert!(
            matches!(refused, OpenError::Newer { format: 1, .. }),
            "{name}: {refused:?}"
        );
        assert_eq!(disk::read(&*disk, &name).unwrap(), before);
    }
}

/// Rewrites the kind of the first record of a segment so that the frame is whole again.
fn forge(bytes: &mut [u8]) {
    let start = segment::HEADER;
    bytes[start + frame::PREAMBLE + 17] ^= 1;
    let preamble = frame::Preamble::parse(&bytes[start..]).unwrap();
    let headers = &bytes[start + frame::PREAMBLE..start + preamble.head()];
    let sum = frame::checksum(&[&bytes[start..start + 48], headers]);
    bytes[start + 48..start + frame::PREAMBLE].copy_from_slice(&sum);
}

/// fault E11
#[test]
fn an_edited_record_breaks_the_chain_even_with_its_checksums_made_good() {
    let disk = full(60);
    let last = disk
        .list()
        .unwrap()
        .iter()
        .filter_map(|name| segment::first(name))
        .max()
        .unwrap();
    let sealed = Arc::new(disk.copy());
    sealed.damage(&segment::name(1), |bytes| forge(bytes));
    let journal = open(&sealed);
    assert!(matches!(
        journal.reader().verify(false),
        Err(Error::Damaged(_))
    ));
    disk.damage(&segment::name(last), |bytes| forge(bytes));
    let refused = Journal::sized(disk.clone(), keyring(&disk).unwrap(), SMALL).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged(Damage { .. })));
}

/// fault E11
#[test]
fn records_cut_off_the_end_at_a_frame_are_missed() {
    let disk = full(60);
    let last = all(&open(&disk)).pop().unwrap().position;
    let name = disk
        .list()
        .unwrap()
        .into_iter()
        .filter(|name| segment::first(name).is_some())
        .max();
    disk.damage(&name.unwrap(), |bytes| {
        bytes.truncate(usize::try_from(last.offset).unwrap());
    });
    let refused = Journal::sized(disk.clone(), keyring(&disk).unwrap(), SMALL).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged(_)));
}

#[test]
fn a_torn_frame_before_a_later_append_is_damage_and_not_a_tail() {
    let disk = Arc::new(Memory::default());
    let again = || Journal::open(disk.clone(), keyring(&disk).unwrap());
    let mut journal = again().unwrap();
    grow(&mut journal, 8).unwrap();
    let mark = disk::read(&*disk, mark::FILE).unwrap();
    let before = disk.len(&segment::name(1)).unwrap();
    grow(&mut journal, 14).unwrap();
    // As if the mark had not been written since: a torn last append would be cut.
    disk.damage(mark::FILE, |bytes| bytes.clone_from(&mark));
    let place = usize::try_from(before).unwrap() + 50;
    disk.damage(&segment::name(1), |bytes| bytes[place] ^= 1);
    let refused = again().unwrap_err();
    assert!(
        refused.to_string().contains("later appends follow"),
        "{refused}"
    );
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// fault E2
    #[test]
    fn any_groups_cut_anywhere_keep_every_acknowledged_body(
        groups in prop::collection::vec(prop::collection::vec(0_usize..900, 1..6), 1..12),
        call in 1_u64..90,
        seed: u64,
    ) {
        let disk = Arc::new(Memory::default());
        disk.stop(call);
        let mut acknowledged: Vec<Vec<u8>> = Vec::new();
        let mut tried = 0;
        if let Ok(keyring) = keyring(&disk)
            && let Ok(mut journal) = Journal::sized(disk.clone(), keyring, SMALL)
        {
            for group in &groups {
                let bodies: Vec<Vec<u8>> =
                    group.iter().map(|size| vec![u8::try_from(size % 251).unwrap(); *size]).collect();
                let draft = |body: &Vec<u8>| Draft { kind: 1, key: NORTH, body: body.clone() };
                let drafts: Vec<Draft> = bodies.iter().map(draft).collect();
                tried = bodies.len();
                if journal.append(time(0), &drafts).is_err() {
                    break;
                }
                acknowledged.extend(bodies);
                tried = 0;
            }
        }
        disk.power_cut(seed);
        let journal = open(&disk);
        let found = all(&journal);
        prop_assert!([acknowledged.len(), acknowledged.len() + tried].contains(&found.len()));
        for (body, record) in acknowledged.iter().zip(&found) {
            prop_assert_eq!(&record.body, &Body::Open(body.clone()));
        }
        prop_assert_eq!(journal.reader().verify(true).unwrap().head, journal.head());
    }
}
