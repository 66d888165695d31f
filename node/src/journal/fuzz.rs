//! Fuzz target of the journal: whatever its files hold, it opens as what it was, or changes nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::frame::{self, Frame, Preamble};
use super::segment::{self, Footer, Start};
use super::{Draft, Journal, OpenError, mark};
use crate::disk::{self, Disk, Memory};
use crate::fuzz::Input;
use crate::keyring::{KeyId, Keyring};

/// A mark and two segments. The first byte says whether sums are made good, as whoever writes the disk can:
/// so that what stands under them is reached.
pub(crate) fn journal(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let good = input.byte() & 1 == 1;
    let mut files = Files::read(&mut input);
    if good {
        files.mend();
    }
    for segment in [&files.one, &files.two] {
        parsed(segment);
    }
    opened(&files);
}

struct Files {
    mark: Vec<u8>,
    one: Vec<u8>,
    two: Vec<u8>,
    /// The first record of the second segment.
    first: u64,
}

impl Files {
    fn read(input: &mut Input<'_>) -> Self {
        // Two slots, each in its own sector, of which only the start is written.
        let mut mark = vec![0; 1024];
        for place in [0, 512] {
            let slot = input.some(80);
            mark[place..place + slot.len()].copy_from_slice(slot);
        }
        let len = usize::from(input.byte()) * 16 + usize::from(input.byte());
        let rest = input.rest();
        let (one, two) = rest.split_at(len.min(rest.len()));
        let first = two.get(16..24).and_then(|bytes| bytes.try_into().ok());
        Self {
            mark,
            one: one.to_vec(),
            two: two.to_vec(),
            first: first.map_or(0, u64::from_be_bytes),
        }
    }

    fn mend(&mut self) {
        for slot in self.mark.chunks_mut(512) {
            sum(slot, 64);
        }
        for segment in [&mut self.one, &mut self.two] {
            sum(segment, 56);
            if let Some(footer) = segment.len().checked_sub(segment::FOOTER) {
                sum(&mut segment[footer..], 96);
            }
            for place in segment::HEADER..segment.len() {
                frame(&mut segment[place..]);
            }
        }
    }

    fn disk(&self) -> Memory {
        let disk = Memory::default();
        let segments = [(1, &self.one), (self.first, &self.two)];
        for (first, segment) in segments {
            if !segment.is_empty() && first > 0 {
                put(&disk, &segment::name(first), segment);
            }
        }
        if self.mark.iter().any(|byte| *byte != 0) {
            put(&disk, mark::FILE, &self.mark);
        }
        disk
    }
}

fn put(disk: &Memory, name: &str, bytes: &[u8]) {
    disk::place(disk, name, bytes).expect("there is memory");
}

/// Writes the checksum over what stands before it.
fn sum(bytes: &mut [u8], at: usize) {
    if let Some((said, rest)) = bytes.split_at_mut_checked(at)
        && let Some(sum) = rest.first_chunk_mut::<16>()
    {
        *sum = frame::checksum(&[said]);
    }
}

/// Makes good the sums of a frame that starts here.
fn frame(bytes: &mut [u8]) {
    let Some(preamble) = Preamble::parse(bytes) else {
        return;
    };
    let (head, len) = (preamble.head(), preamble.len());
    if len <= bytes.len() {
        let digest = frame::checksum(&[&bytes[head..len]]);
        bytes[32..48].copy_from_slice(&digest);
    }
    if head <= bytes.len() {
        let checksum = frame::checksum(&[&bytes[..48], &bytes[frame::PREAMBLE..head]]);
        bytes[48..64].copy_from_slice(&checksum);
    }
}

/// What parses is what is written for it.
fn parsed(bytes: &[u8]) {
    if let Start::Head(head) = segment::start(bytes) {
        let header = segment::header(&head);
        // Zeros between format and number are not looked at, but summed.
        assert_eq!(header[16..56], bytes[16..56]);
    }
    for place in 0..bytes.len() {
        let rest = &bytes[place..];
        if let Some(frame) = Frame::parse(rest) {
            let headers: Vec<_> = frame.headers().collect();
            assert_eq!(headers.len(), frame.preamble.count());
            let raw: Vec<u8> = headers.iter().flat_map(frame::Header::encode).collect();
            // One byte of a header is spare.
            assert_eq!(raw.len(), frame.preamble.head() - frame::PREAMBLE);
        }
        if let Some(footer) = Footer::parse(rest, place as u64) {
            assert_eq!(footer.encode()[..], rest[..segment::FOOTER]);
        }
    }
}

fn keyring() -> Arc<Keyring> {
    let disk = Arc::new(Memory::default());
    let keyring = Keyring::open(disk, &[7; 32], |nonce| nonce.fill(1));
    Arc::new(keyring.expect("it is in memory"))
}

fn image(disk: &Memory) -> Vec<(String, Vec<u8>)> {
    let names = disk.list().expect("it is in memory").into_iter();
    let file = |name: String| {
        let bytes = disk::read(disk, &name).expect("it is in memory");
        (name, bytes)
    };
    names.map(file).collect()
}

fn opened(files: &Files) {
    let disk = Arc::new(files.disk());
    let (before, keyring) = (image(&disk), keyring());
    let mut journal = match Journal::open(disk.clone(), keyring.clone()) {
        Ok(journal) => journal,
        Err(OpenError::Io(_)) => return,
        Err(OpenError::Damaged(_) | OpenError::Newer { .. }) => {
            assert_eq!(image(&disk), before, "what was not opened was changed");
            return;
        }
    };
    let head = journal.head();
    read(&journal);
    let _ = journal.reader().verify(true);
    let draft = Draft {
        kind: 1,
        key: KeyId::NODE,
        body: b"goes on".to_vec(),
    };
    let written = journal.append(noon(), &[draft]);
    assert_eq!(written.is_ok(), journal.head().count == head.count + 1);
    let after = journal.head();
    drop(journal);
    // What was opened once opens again, as what it is.
    let again = Journal::open(disk, keyring).map(|journal| journal.head());
    assert_eq!(again.ok(), Some(after));
}

/// Every record is there, or one of them is said to be damaged.
fn read(journal: &Journal) {
    let (mut next, mut damaged) = (1, false);
    for record in journal.reader().scan(0, None) {
        let Ok(record) = record else {
            damaged = true;
            break;
        };
        assert_eq!(record.position.seq, next);
        let found = journal.reader().read(record.position);
        assert_eq!(found.ok(), Some(record));
        next += 1;
    }
    assert!(damaged || next == journal.head().count + 1);
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default()
}

/// Journals as they lie on a disk: small, sealed, torn, and one without its mark.
#[cfg(test)]
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let disk = Arc::new(Memory::default());
    let mut journal = Journal::open(disk.clone(), keyring()).unwrap();
    let draft = |byte: u8| Draft {
        kind: 1,
        key: KeyId::NODE,
        body: vec![byte; 8],
    };
    journal.append(noon(), &[draft(1), draft(2)]).unwrap();
    journal.append(noon(), &[draft(3)]).unwrap();
    let growing = seed(&disk, 0);
    journal.seal().unwrap();
    let sealed = seed(&disk, 0);
    journal.append(noon(), &[draft(4)]).unwrap();
    let both = seed(&disk, 0);
    let torn = both[..both.len() - 9].to_vec();
    let mut mended = torn.clone();
    mended[0] = 1;
    vec![
        ("growing", growing),
        ("sealed", sealed),
        ("both", both),
        ("torn", torn),
        ("mended", mended),
    ]
}

#[cfg(test)]
fn seed(disk: &Memory, good: u8) -> Vec<u8> {
    let files = image(disk);
    let file = |wanted: &dyn Fn(&str) -> bool| {
        let found = files.iter().find(|(name, _)| wanted(name));
        found.map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    };
    let mark = file(&|name| name == mark::FILE);
    let one = file(&|name| segment::first(name) == Some(1));
    let two = file(&|name| segment::first(name).is_some_and(|first| first > 1));
    let len = [(one.len() / 16) as u8, (one.len() % 16) as u8];
    let slot = |at: usize| [&[80][..], &mark[at..at + 80]].concat();
    [vec![good], slot(0), slot(512), len.to_vec(), one, two].concat()
}
