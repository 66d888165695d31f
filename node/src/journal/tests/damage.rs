//! Claims about bytes that are not what was written.

use super::*;

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
        let report = journal.reader().verify(false).unwrap();
        assert!(!report.broken.is_empty(), "{place}");
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

/// fault E4, fault E5
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

/// fault E5
#[test]
fn a_damaged_segment_is_told_and_the_others_are_looked_at() {
    let disk = full(60);
    let journal = open(&disk);
    let names = disk.list().unwrap();
    let mut segments = names.iter().filter(|name| segment::first(name).is_some());
    let [first, second, third] = [(); 3].map(|()| segments.next().unwrap());
    disk.damage(first, |bytes| {
        bytes[segment::HEADER + frame::PREAMBLE] ^= 1;
    });
    disk.damage(second, |bytes| *bytes.last_mut().unwrap() ^= 1);
    disk.damage(third, |bytes| {
        let preamble = frame::Preamble::parse(&bytes[segment::HEADER..]).unwrap();
        bytes[segment::HEADER + preamble.head()] ^= 1;
    });
    let report = journal.reader().verify(true).unwrap();
    let broken: Vec<_> = report.broken.iter().map(|damage| &damage.file).collect();
    assert_eq!((broken, report.damaged), (vec![first, second], 1));
    assert_eq!(report.head, journal.head());
    assert_eq!(report.lines().count(), 3);
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
    let report = journal.reader().verify(false).unwrap();
    assert_eq!(report.broken[0].file, segment::name(1));
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
