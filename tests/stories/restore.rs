//! Backups of a running node, and nodes made of them.

use std::fs;

use interdocket_tests::files::{noise, write};
use interdocket_tests::world::{add, case};
use interdocket_tests::{Reach, World};

/// fault E7
#[test]
fn a_restored_node_has_all_that_was_backed_up_and_a_new_incarnation() {
    let world = World::new();
    let mut north = world.node("north", Reach::Dialable);
    let (film, note) = (world.path("film.bin"), world.path("note.txt"));
    noise(&film, 3, 7);
    write(&note, b"a note");
    case(&north, "2026-17", &[&film, &note]);
    let folder = world.path("backup").display().to_string();
    let first = north.call(&["backup", &folder]);
    assert!(first["copied"].as_u64() > Some(3 << 20));
    let later = world.path("later.bin");
    noise(&later, 1, 8);
    add(&north, "2026-17", &[&later]);
    let second = north.call(&["backup", &folder]);
    let (all, new) = (second["bytes"].as_u64(), second["copied"].as_u64());
    assert!(
        new < Some(3 << 20) && all > Some(4 << 20),
        "only what is new is written"
    );
    north.call(&["case", "create", "2026-18", "--title", "After the backup"]);
    north.stop();
    fs::remove_dir_all(north.data.join("journal")).unwrap();
    let gone = world.path("gone");
    fs::rename(&north.data, &gone).unwrap();
    north.call(&["restore", &folder]);
    north.start();
    let listed = north.call(&["evidence", "list", "2026-17"]);
    assert_eq!(listed["evidence"].as_array().unwrap().len(), 3);
    assert!(north.try_call(&["case", "show", "2026-18"]).is_err());
    assert_eq!(
        north.call(&["check"])["problems"].as_array().unwrap().len(),
        0
    );
    north.call(&["audit", "verify"]);
    let audit = north.shown(&["audit", "show"]);
    assert!(audit.contains("node restored") && audit.contains("backup begun"));
}

/// fault E19
#[test]
fn a_damaged_backup_is_refused_and_nothing_is_left() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let film = world.path("film.bin");
    noise(&film, 1, 7);
    case(&north, "2026-17", &[&film]);
    let backup = world.path("backup");
    let folder = backup.display().to_string();
    north.call(&["backup", &folder]);
    let own = backup.join("blobs/own");
    let inside = fs::read_dir(&own).unwrap().next().unwrap().unwrap().path();
    let blob = fs::read_dir(&inside)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = fs::read(&blob).unwrap();
    bytes[500_000] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let data = world.path("restored");
    let to = data.display().to_string();
    let refused = north
        .try_call(&["restore", &folder, "--data", &to])
        .unwrap_err();
    assert!(refused.message.contains("blobs/own"), "{refused:?}");
    assert!(!data.exists());
    fs::remove_file(backup.join("manifest.json")).unwrap();
    let refused = north
        .try_call(&["restore", &folder, "--data", &to])
        .unwrap_err();
    assert!(refused.message.contains("no manifest"), "{refused:?}");
}
