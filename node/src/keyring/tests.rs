//! Claims about the keyring.

use super::*;
use crate::disk::Memory;

const MASTER: [u8; 32] = [7; 32];
const CASE: KeyId = KeyId(Uuid::from_u128(1));
const OTHER: KeyId = KeyId(Uuid::from_u128(2));

fn fill(byte: u8) -> impl FnOnce(&mut [u8]) {
    move |bytes| bytes.fill(byte)
}

fn open(disk: &Arc<Memory>) -> Keyring {
    Keyring::open(disk.clone(), &MASTER, fill(1)).unwrap()
}

#[test]
fn a_synced_key_survives_power_loss_and_lies_wrapped_on_disk() {
    for seed in 0..30 {
        let disk = Arc::new(Memory::default());
        let keyring = open(&disk);
        keyring.ensure(CASE, fill(5)).unwrap();
        keyring.sync().unwrap();
        keyring.ensure(OTHER, fill(6)).unwrap();
        disk.power_cut(seed);
        let keyring = open(&disk);
        assert_eq!(*keyring.key(CASE).unwrap(), [5; 32]);
        assert!(matches!(keyring.held(OTHER), Held::Key(_) | Held::Absent));
        let bytes = disk::read(&*disk, FILE).unwrap();
        assert!(!bytes.windows(16).any(|window| window == [5; 16]));
    }
}

#[test]
fn an_erased_id_never_gets_a_key_again() {
    let disk = Arc::new(Memory::default());
    let keyring = open(&disk);
    keyring.ensure(CASE, fill(5)).unwrap();
    let before = disk::read(&*disk, FILE).unwrap();
    keyring.erase(CASE).unwrap();
    keyring.erase(CASE).unwrap();
    keyring.erase(OTHER).unwrap();
    disk.power_cut(1);
    let keyring = open(&disk);
    for id in [CASE, OTHER] {
        assert_eq!(keyring.held(id), Held::Erased);
        assert!(matches!(keyring.ensure(id, fill(8)), Err(Error::Erased(_))));
    }
    let after = disk::read(&*disk, FILE).unwrap();
    let wrapped = &before[HEADER + 30..HEADER + 78];
    assert!(!after.windows(wrapped.len()).any(|window| window == wrapped));
}

#[test]
fn another_master_key_is_refused() {
    let disk = Arc::new(Memory::default());
    open(&disk);
    let refused = Keyring::open(disk, &[8; 32], fill(1)).unwrap_err();
    assert!(matches!(refused, OpenError::Master));
}

/// fault E10
#[test]
fn a_newer_format_is_refused() {
    let disk = Arc::new(Memory::default());
    open(&disk);
    disk.damage(FILE, |bytes| bytes[9] = 1);
    let refused = Keyring::open(disk, &MASTER, fill(1)).unwrap_err();
    assert!(matches!(refused, OpenError::Newer(1)));
}

#[test]
fn a_flipped_bit_never_gives_a_wrong_key() {
    let disk = Arc::new(Memory::default());
    let keyring = open(&disk);
    keyring.ensure(CASE, fill(5)).unwrap();
    for place in 0..HEADER + SLOT {
        let copy = Arc::new(disk.copy());
        copy.damage(FILE, |bytes| bytes[place] ^= 4);
        let Ok(keyring) = Keyring::open(copy, &MASTER, fill(1)) else {
            continue;
        };
        assert_eq!(keyring.key(CASE), None, "byte {place}");
        if !(2..18).contains(&(place - HEADER)) {
            assert!(matches!(
                keyring.ensure(CASE, fill(6)),
                Err(Error::Damaged(_))
            ));
        }
    }
}

/// fault E4
#[test]
fn a_failed_sync_stops_the_keyring() {
    let disk = Arc::new(Memory::default());
    let keyring = open(&disk);
    keyring.ensure(CASE, fill(5)).unwrap();
    disk.fail(1);
    assert!(matches!(keyring.sync(), Err(Error::Io(_))));
    assert!(matches!(keyring.sync(), Err(Error::Stopped)));
    assert!(matches!(keyring.erase(CASE), Err(Error::Stopped)));
}

/// fault E2
#[test]
fn power_lost_while_the_file_is_created_leaves_none_or_a_whole_one() {
    for call in 1..10 {
        for seed in 0..20 {
            let disk = Arc::new(Memory::default());
            disk.stop(call);
            let _ = Keyring::open(disk.clone(), &MASTER, fill(1));
            disk.power_cut(seed);
            open(&disk);
        }
    }
}

/// fault E3
#[test]
fn a_full_disk_refuses_a_key_and_takes_it_later() {
    let disk = Arc::new(Memory::default());
    let keyring = open(&disk);
    disk.limit(Some(HEADER as u64 + 10));
    assert!(matches!(keyring.ensure(CASE, fill(5)), Err(Error::Full(_))));
    assert_eq!(keyring.held(CASE), Held::Absent);
    disk.limit(None);
    keyring.ensure(CASE, fill(5)).unwrap();
    keyring.sync().unwrap();
    assert_eq!(*open(&disk).key(CASE).unwrap(), [5; 32]);
}

/// fault E3
#[test]
fn a_slot_that_was_not_written_whole_bars_nobody_from_a_key() {
    let disk = Arc::new(Memory::default());
    let keyring = open(&disk);
    disk.limit(Some(HEADER as u64 + 64));
    assert!(matches!(keyring.ensure(CASE, fill(5)), Err(Error::Full(_))));
    disk.limit(None);
    let keyring = open(&disk);
    keyring.ensure(OTHER, fill(6)).unwrap();
    keyring.sync().unwrap();
    let keyring = open(&disk);
    keyring.ensure(CASE, fill(5)).unwrap();
    assert_eq!(*keyring.key(OTHER).unwrap(), [6; 32]);
}
