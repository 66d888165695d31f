//! Fuzz target of the keyring: keys that were acknowledged stay what they are, and what was erased stays erased,
//! through restarts, power cuts and failing disks; and any bytes in its file.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{FILE, HEADER, Held, KeyId, Keyring, SLOT, checksum};
use crate::disk::Memory;
use crate::fuzz::Input;

const MASTER: [u8; 32] = [7; 32];

/// The first byte says whether the rest is what is done to a keyring, or its file.
pub(crate) fn keyring(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() & 1 {
        0 => file(input.rest()),
        _ => used(&mut input),
    }
}

fn open(disk: &Arc<Memory>) -> Option<Keyring> {
    Keyring::open(disk.clone(), &MASTER, |nonce| nonce.fill(1)).ok()
}

/// What the slots of a file hold is nobody's key, however good their sums are.
fn file(bytes: &[u8]) {
    let disk = Arc::new(Memory::default());
    let known = open(&disk).expect("it is in memory");
    known
        .ensure(id(1), |drawn| drawn.fill(1))
        .expect("it is in memory");
    known.sync().expect("it is in memory");
    let key = known.held(id(1));
    drop(known);
    disk.damage(FILE, |file| {
        for (at, byte) in bytes.iter().enumerate() {
            match file.get_mut(HEADER + at) {
                Some(old) => *old ^= byte,
                None => file.push(*byte),
            }
        }
        for slot in file[HEADER..].chunks_exact_mut(SLOT) {
            let sum = checksum(&slot[..SLOT - 16]);
            slot[SLOT - 16..].copy_from_slice(&sum);
        }
    });
    let Some(keyring) = open(&disk) else {
        return;
    };
    let held = keyring.held(id(1));
    assert!(held == key || !matches!(held, Held::Key(_)));
    for number in 0..=u8::MAX {
        let other = keyring.held(id(number));
        assert!(number == 1 || !matches!(other, Held::Key(_)));
    }
    let _ = keyring.ensure(id(2), |drawn| drawn.fill(2));
    let _ = keyring.erase(id(1));
}

fn id(number: u8) -> KeyId {
    KeyId(Uuid::from_u128(number.into()))
}

/// What somebody was told of a key.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    /// It is this one, and durable.
    Key(Held),
    /// It was made, or erased, and nobody was told that it is durable.
    Perhaps,
    Erased,
}

fn used(input: &mut Input<'_>) {
    let disk = Arc::new(Memory::default());
    let mut keyring = open(&disk).expect("it is in memory");
    let mut told: BTreeMap<u8, Told> = BTreeMap::new();
    for _ in 0..96 {
        if input.is_empty() {
            break;
        }
        let (step, number) = (input.below(8), input.byte() % 6);
        match step {
            0 | 1 => {
                let draw = input.byte();
                let made = keyring.ensure(id(number), |drawn| drawn.fill(draw));
                let erased = told.get(&number) == Some(&Told::Erased);
                assert!(!erased || made.is_err());
                told.entry(number).or_insert(Told::Perhaps);
            }
            2 => {
                let before = told.insert(number, Told::Perhaps);
                match (keyring.erase(id(number)), before) {
                    (Ok(()), _) | (Err(_), Some(Told::Erased)) => {
                        drop(told.insert(number, Told::Erased))
                    }
                    _ => {}
                }
            }
            3 => {
                if keyring.sync().is_ok() {
                    settle(&keyring, &mut told);
                }
            }
            4 => disk.fail(u64::from(number) + 1),
            5 => disk.limit((number < 3).then_some(HEADER as u64 + 128 * u64::from(number))),
            _ => {
                drop(keyring);
                if step == 6 {
                    disk.power_cut(number.into());
                }
                // A failure that was still to come, and a full disk, are over.
                let _ = disk.copy();
                disk.limit(None);
                let Some(again) = open(&disk).or_else(|| open(&disk)) else {
                    panic!("a keyring that was made does not open");
                };
                keyring = again;
                let unknown = |_: &u8, told: &mut Told| *told != Told::Perhaps;
                told.retain(unknown);
            }
        }
        for (number, told) in &told {
            match (told, keyring.held(id(*number))) {
                (Told::Key(key), held) => assert_eq!(*key, held),
                (Told::Erased, held) => assert_eq!(held, Held::Erased),
                (Told::Perhaps, _) => {}
            }
        }
    }
}

/// What is held is durable: from here on it may not change.
fn settle(keyring: &Keyring, told: &mut BTreeMap<u8, Told>) {
    for (number, told) in told {
        match keyring.held(id(*number)) {
            Held::Erased => *told = Told::Erased,
            key @ Held::Key(_) => *told = Told::Key(key),
            Held::Damaged | Held::Absent => {}
        }
    }
}
