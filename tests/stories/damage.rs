//! Damage on disk: said, never served, healed where what is left allows it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use interdocket_tests::files::{Chance, noise, write};
use interdocket_tests::node::text;
use interdocket_tests::wait::until;
use interdocket_tests::world::{case, copy, delivered, digests, share, whole};
use interdocket_tests::{Reach, World};

/// Every file below a folder, with its size, the largest first.
fn below(folder: &Path) -> Vec<(u64, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            found.extend(below(&entry.path()));
        } else {
            found.push((metadata.len(), entry.path()));
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    found
}

/// Turns over one bit.
fn flip(path: &Path, at: u64) {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 4]).unwrap();
}

/// fault E6, fault E11
#[test]
fn no_bit_of_the_journal_changes_unnoticed() {
    let world = World::new();
    let mut north = world.node("north", Reach::Dialable);
    for number in 0..40 {
        let number = format!("2026-{number}");
        north.call(&["case", "create", &number, "--title", "Fire"]);
    }
    north.stop();
    let (size, segment) = below(&north.data.join("journal")).swap_remove(0);
    let mut chance = Chance::new(6);
    let mut refused = 0;
    for _ in 0..16 {
        let at = chance.below(size);
        flip(&segment, at);
        if let Err(said) = north.try_start() {
            assert!(said.contains("journal"), "byte {at}: {said}");
            refused += 1;
        } else {
            let verified = north.refused(&["audit", "verify"]).reply;
            let damaged = verified["damaged"].as_array().unwrap();
            assert!(!damaged.is_empty(), "byte {at} of {size} changed unnoticed");
            north.stop();
        }
        flip(&segment, at);
    }
    println!("{refused} of 16 were refused at the start");
}

/// fault E6
#[test]
fn damaged_database_is_built_again() {
    let world = World::new();
    let (mut north, south) = world.pair();
    let folder = world.path("files");
    for file in 0..50 {
        write(
            &folder.join(format!("{file}.txt")),
            format!("statement {file}"),
        );
    }
    case(&north, "2026-17", &[&folder]);
    let id = copy(&north, "2026-17", &south);
    delivered(&north, &south, &id);
    let before = (digests(&north, "2026-17"), share(&north, &id));
    let mut chance = Chance::new(7);
    for round in 0..4 {
        north.stop();
        for (size, path) in below(&north.data.join("database")) {
            for _ in 0..(if size == 0 { 0 } else { 64 }) {
                flip(&path, chance.below(size));
            }
        }
        north.start();
        let after = (digests(&north, "2026-17"), share(&north, &id));
        assert_eq!(before, after, "round {round}");
    }
    north.stop();
    fs::remove_dir_all(north.data.join("database")).unwrap();
    north.start();
    assert_eq!(before, (digests(&north, "2026-17"), share(&north, &id)));
    north.stop();
    let rebuilt = north.call(&["rebuild"]);
    assert!(rebuilt["records"].as_u64().unwrap() > 50);
    let kept = fs::read_dir(&north.data).unwrap();
    let mut kept = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        !kept.any(|name| name.starts_with("database.")),
        "what was deleted may be in an old one"
    );
    north.start();
    assert_eq!(before, (digests(&north, "2026-17"), share(&north, &id)));
    whole(&north);
}

/// fault E5
#[test]
fn damaged_file_is_named_and_never_served() {
    let world = World::new();
    let (mut north, south) = world.pair();
    let film = world.path("film.bin");
    noise(&film, 3, 8);
    case(&north, "2026-17", &[&film]);
    let listed = north.call(&["evidence", "list", "2026-17"]);
    let item = &listed["evidence"][0];
    let (id, digest) = (text(&item["id"]), text(&item["files"][0]["blake3"]));
    north.stop();
    let (size, blob) = below(&north.data.join("blobs")).swap_remove(0);
    flip(&blob, size / 2);
    north.start();

    let out = world.path("out.bin").display().to_string();
    let refused = north.refused(&["evidence", "get", &id, "--output", &out]);
    assert_eq!(refused.code, 7, "{refused:?}");
    assert!(File::open(&out).is_err(), "nothing is half there");
    until("it is marked", || {
        let shown = north.call(&["evidence", "show", &id]);
        (shown["files"][0]["state"] == "damaged").then_some(())
    });
    let sent = copy(&north, "2026-17", &south);
    let checked = north.refused(&["check"]);
    let problems = checked.reply["problems"].to_string();
    assert!(problems.contains(&digest), "{checked:?}");
    until("the partner knows of the share", || {
        south.try_call(&["share", "show", &sent]).ok()
    });
    assert_eq!(share(&south, &sent)["stored"]["files"], 0);

    // Taken in again, it is whole again, and what waited for it goes on.
    north.call(&["evidence", "add", "2026-17", &film.display().to_string()]);
    whole(&north);
    assert_eq!(
        north.call(&["evidence", "show", &id])["files"][0]["state"],
        "verified"
    );
}
