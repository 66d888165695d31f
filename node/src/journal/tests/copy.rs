//! Claims about sealed segments as they are copied.

use std::io::Read as _;

use super::super::acknowledge;
use super::*;

fn copied(journal: &Journal, through: u64) -> Vec<(String, Vec<u8>)> {
    let reader = journal.reader();
    let segments = reader.sealed(through).into_iter().map(|segment| {
        let mut bytes = Vec::new();
        reader.bytes(&segment).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, segment.size);
        (segment.name, bytes)
    });
    segments.collect()
}

#[test]
fn what_was_sealed_never_changes_and_opens_elsewhere_as_the_same_journal() {
    let disk = Arc::new(Memory::default());
    let mut journal = open(&disk);
    grow(&mut journal, 23).unwrap();
    journal.seal().unwrap();
    journal.seal().unwrap();
    let (head, records) = (journal.head(), all(&journal));
    let before = copied(&journal, head.count);
    grow(&mut journal, 50).unwrap();
    journal.seal().unwrap();
    assert_eq!(copied(&journal, head.count), before);

    let elsewhere = Arc::new(Memory::default());
    for (name, bytes) in &before {
        elsewhere.create(name).unwrap();
        elsewhere.write_at(name, 0, bytes).unwrap();
    }
    let ring = disk::read(&*disk, keyring::FILE).unwrap();
    elsewhere.create(keyring::FILE).unwrap();
    elsewhere.write_at(keyring::FILE, 0, &ring).unwrap();
    acknowledge(&*elsewhere, head).unwrap();
    let mut copy = open(&elsewhere);
    assert_eq!(copy.head(), head);
    assert_eq!(all(&copy), records);
    copy.reader().verify(true).unwrap();
    grow(&mut copy, 30).unwrap();
    assert_eq!(open(&elsewhere).head().count, 30);
}

#[test]
fn a_journal_tells_its_own_past_from_another() {
    let disk = Arc::new(Memory::default());
    let mut journal = open(&disk);
    grow(&mut journal, 23).unwrap();
    journal.seal().unwrap();
    let past = journal.head();
    let reader = journal.reader();
    assert!(reader.continues(past).unwrap());
    grow(&mut journal, 40).unwrap();
    assert!(reader.continues(past).unwrap());
    let other = Head {
        hash: [1; 32],
        ..past
    };
    let later = Head {
        count: 41,
        ..journal.head()
    };
    let never_sealed = Head { count: 22, ..past };
    for head in [other, later, never_sealed] {
        assert!(!reader.continues(head).unwrap(), "{head:?}");
    }
}
