//! Claims about the disk in memory.

use super::*;
use crate::disk;

fn written() -> Memory {
    let disk = Memory::default();
    disk.create("a").unwrap();
    disk.write_at("a", 0, &[1; 10_000]).unwrap();
    disk.sync("a").unwrap();
    disk.sync_dir().unwrap();
    disk
}

#[test]
fn what_was_synced_survives_and_the_rest_is_torn_at_sectors() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let disk = written();
        disk.write_at("a", 10_000, &[2; 20_000]).unwrap();
        disk.power_cut(seed);
        let bytes = disk::read(&disk, "a").unwrap();
        assert_eq!(bytes[..10_000], [1; 10_000]);
        let kept = bytes[10_000..].iter().filter(|byte| **byte == 2).count();
        for sector in bytes.chunks(SECTOR).skip(10_000_usize.div_ceil(SECTOR)) {
            assert!(
                sector.iter().all(|byte| *byte == sector[0]),
                "a sector is torn"
            );
        }
        seen.insert(kept);
    }
    assert!(
        seen.contains(&0) && seen.contains(&20_000) && seen.len() > 20,
        "{seen:?}"
    );
}

#[test]
fn names_survive_by_sync_of_the_directory_only() {
    let lost = (0..50).filter(|seed| {
        let disk = written();
        disk.create("b").unwrap();
        disk.sync("b").unwrap();
        disk.power_cut(*seed);
        disk.list().unwrap() == ["a"]
    });
    assert!((1..50).contains(&lost.count()));
}

#[test]
fn the_same_seed_gives_the_same_image() {
    let disk = written();
    disk.write_at("a", 5, &[3; 9_000]).unwrap();
    let (one, two) = (disk.copy(), disk.copy());
    one.power_cut(7);
    two.power_cut(7);
    assert_eq!(
        disk::read(&one, "a").unwrap(),
        disk::read(&two, "a").unwrap()
    );
}

#[test]
fn a_failed_sync_loses_what_it_covered_even_if_a_later_one_succeeds() {
    let disk = written();
    disk.write_at("a", 0, &[9; 100]).unwrap();
    disk.fail(1);
    disk.sync("a").unwrap_err();
    disk.sync("a").unwrap();
    disk.power_cut(1);
    assert_eq!(disk::read(&disk, "a").unwrap()[0], 1);
}

#[test]
fn a_full_disk_takes_what_fits_and_says_so() {
    let disk = written();
    disk.limit(Some(10_004));
    let error = disk.write_at("a", 10_000, &[2; 8]).unwrap_err();
    assert!(disk::full(&error));
    assert_eq!(disk.len("a").unwrap(), 10_004);
    disk.limit(None);
    disk.write_at("a", 10_000, &[2; 8]).unwrap();
}
