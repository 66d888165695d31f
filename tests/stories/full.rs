//! A disk that is full.

use std::fs;
use std::path::Path;

use interdocket_tests::disk::Disk;
use interdocket_tests::files::{noise, write};
use interdocket_tests::node::text;
use interdocket_tests::skip::skip;
use interdocket_tests::wait::until;
use interdocket_tests::world::{add, case, copy, delivered, enable, pair, share, whole};
use interdocket_tests::{Node, Reach, World};
use serde_json::Value;

/// Makes a node on a small disk, with a reserve that fits it.
fn node(disk: &Path, name: &'static str, reach: Reach) -> Node {
    let mut node = World::make_at(&disk.join(name), name, reach);
    let settings = node.data.join("interdocket.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let reserve = "reserve_bytes = 1073741824";
    assert!(text.contains(reserve), "{text}");
    fs::write(&settings, text.replace(reserve, "reserve_bytes = 8388608")).unwrap();
    node.start();
    node
}

/// The bytes that a node says find no room.
fn waits(node: &Node) -> u64 {
    let status = node.call(&["status"]);
    status["storage"]["refused_bytes"].as_u64().unwrap()
}

/// fault E3
#[test]
fn full_disk_pauses_intake_and_nothing_else() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.path("disk"), 64) else {
        return skip("no file system can be mounted here: it takes root");
    };
    let north = node(disk.path(), "north", Reach::Dialable);
    let (small, large) = (world.path("small.txt"), world.path("large.bin"));
    write(&small, "fits");
    noise(&large, 80, 9);
    case(&north, "2026-17", &[&small]);
    let path = large.display().to_string();
    let refused = north.refused(&["evidence", "add", "2026-17", &path]);
    let reason = text(&refused.reply["failed"][0]["reason"]);
    assert!(reason.contains("storage is full"), "{reason}");
    let listed = north.call(&["evidence", "list", "2026-17"]);
    assert_eq!(
        listed["evidence"].as_array().unwrap().len(),
        1,
        "nothing is half there"
    );
    assert!(waits(&north) >= 80 << 20, "it says what waits for space");
    north.call(&["case", "edit", "2026-17", "--title", "Arson"]);
    let item = text(&listed["evidence"][0]["id"]);
    let out = world.path("out.txt").display().to_string();
    north.call(&["evidence", "get", &item, "--output", &out]);
    whole(&north);

    disk.grow(256);
    north.call(&["evidence", "add", "2026-17", &path]);
    assert_eq!(waits(&north), 0);
    whole(&north);
    drop(north);
}

/// fault E3
#[test]
fn disk_without_a_byte_left_loses_nothing_and_serves_what_it_has() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.path("disk"), 64) else {
        return skip("no file system can be mounted here: it takes root");
    };
    let mut north = node(disk.path(), "north", Reach::Dialable);
    let small = world.path("small.txt");
    write(&small, "fits");
    case(&north, "2026-17", &[&small]);
    let filler = disk.path().join("filler");
    disk.fill(&filler, 0);
    let mut acknowledged = Vec::new();
    let refused = until("a change is refused", || {
        let number = format!("full-{}", acknowledged.len());
        match north.try_call(&["case", "create", &number, "--title", "Fire"]) {
            Ok(case) => {
                acknowledged.push(text(&case["id"]));
                None
            }
            Err(refused) => Some(refused),
        }
    });
    assert_eq!(refused.code, 7, "{refused:?}");
    assert!(refused.message.contains("full"), "{refused:?}");
    let status = north.shown(&["status"]);
    assert!(status.contains("full, intake is paused"), "{status}");
    assert_eq!(
        north.call(&["case", "show", "2026-17"])["evidence"],
        1,
        "reading goes on"
    );

    fs::remove_file(&filler).unwrap();
    north.call(&["case", "create", "after", "--title", "Fire"]);
    north.stop();
    north.start();
    for id in &acknowledged {
        north.call(&["case", "show", id]);
    }
    whole(&north);
    drop(north);
}

/// fault E3
#[test]
fn receiver_whose_disk_was_full_goes_on_by_itself() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.path("disk"), 64) else {
        return skip("no file system can be mounted here: it takes root");
    };
    let north = world.node("north", Reach::Dialable);
    let south = node(disk.path(), "south", Reach::Hidden);
    pair(&north, &south);
    enable(&north, &south);
    let large = world.path("large.bin");
    noise(&large, 96, 10);
    case(&north, "2026-17", &[&large]);
    let id = copy(&north, "2026-17", &south);
    until("it says that its disk is full", || {
        (waits(&south) >= 96 << 20).then_some(())
    });
    assert_eq!(share(&north, &id)["status"], "processing");
    let there = text(&share(&south, &id)["case"]);
    let listed = south.call(&["evidence", "list", &there]);
    assert_eq!(
        listed["evidence"],
        Value::Array(Vec::new()),
        "nothing is half there"
    );
    disk.grow(512);
    delivered(&north, &south, &id);
    assert_eq!(waits(&south), 0);
    whole(&south);
    drop(south);
}

/// fault E3
#[test]
fn backup_that_does_not_fit_leaves_the_one_before() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.path("disk"), 16) else {
        return skip("no file system can be mounted here: it takes root");
    };
    let north = world.node("north", Reach::Dialable);
    let (small, large) = (world.path("small.txt"), world.path("large.bin"));
    write(&small, "fits");
    noise(&large, 24, 9);
    case(&north, "2026-17", &[&small]);
    let folder = disk.path().display().to_string();
    let first = north.call(&["backup", &folder]);
    north.call(&["evidence", "add", "2026-17", &large.display().to_string()]);
    let refused = north.refused(&["backup", &folder]);
    assert_eq!(refused.code, 7, "{refused:?}");
    assert!(
        refused.message.contains("is full") && refused.message.contains("still the one of"),
        "{refused:?}"
    );
    let kept = north.call(&["verify-backup", &folder]);
    assert_eq!(kept["records"], first["records"]);
    disk.grow(64);
    let second = north.call(&["backup", &folder]);
    assert!(second["records"].as_u64() > first["records"].as_u64());
    north.call(&["verify-backup", &folder]);
    whole(&north);
}

/// fault E3
#[test]
fn backup_on_the_disk_of_the_node_leaves_its_reserve_alone() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.path("disk"), 64) else {
        return skip("no file system can be mounted here: it takes root");
    };
    let north = node(disk.path(), "north", Reach::Dialable);
    let (small, large) = (world.path("small.txt"), world.path("large.bin"));
    write(&small, "fits");
    noise(&large, 28, 9);
    case(&north, "2026-17", &[&large]);
    let near = disk.path().join("backup").display().to_string();
    let refused = north.refused(&["backup", &near]);
    assert!(refused.message.contains("is full"), "{refused:?}");
    add(&north, "2026-17", &[&small]);
    let away = world.path("backup").display().to_string();
    north.call(&["backup", &away]);
    north.call(&["verify-backup", &away]);
}
