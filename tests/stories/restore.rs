//! Backups of nodes that work, and nodes that come back from them.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use interdocket_tests::files::{Chance, MIB, noise, write};
use interdocket_tests::node::text;
use interdocket_tests::wait;
use interdocket_tests::world::{add, case, copy, delivered, digests, only, whole};
use interdocket_tests::{Node, Reach, World};

/// Backs a node up into a folder.
fn back_up(node: &Node, folder: &str) -> serde_json::Value {
    node.call(&["backup", folder])
}

/// Wipes a node's data directory and brings it back from a backup.
fn wipe_and_restore(node: &mut Node, folder: &str) {
    node.kill();
    wipe(node);
    let said = node.shown(&["restore", folder]);
    assert!(said.contains("Never start the old node again"), "{said}");
    assert!(said.contains("until their partners have been heard"));
    node.start();
}

fn wipe(node: &Node) {
    fs::remove_dir_all(&node.data).unwrap();
}

/// fault E7: what was acknowledged before the backup is there, whatever went on meanwhile
#[test]
fn node_backed_up_under_load_comes_back_with_all_that_was_there_before() {
    let world = World::new();
    let (mut north, south) = world.pair();
    let folder = world.path("backup").display().to_string();
    let film = world.path("film.bin");
    noise(&film, 8, 5);
    case(&north, "2026-17", &[&film]);
    let id = copy(&north, "2026-17", &south);
    delivered(&north, &south, &id);
    for number in 0..40_usize {
        let path = world.path(&format!("load/{number}"));
        write(&path, vec![b'a'; 1000 + number]);
    }
    let load = world.path("load").display().to_string();
    let mut adding = north
        .command()
        .args(["evidence", "add", "2026-17", &load])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let before = digests(&north, "2026-17");
    let made = back_up(&north, &folder);
    assert_eq!(made["problems"], serde_json::json!([]), "{made}");
    assert!(adding.wait().unwrap().success());
    let after = digests(&north, "2026-17");
    north.call(&["verify-backup", &folder]);

    wipe_and_restore(&mut north, &folder);
    let back = digests(&north, "2026-17");
    assert!(before.iter().all(|file| back.contains(file)));
    assert!(back.iter().all(|file| after.contains(file)));
    let partner = north.call(&["partner", "show", &south.id]);
    assert_eq!(partner["state"], "active");
    whole(&north);
    let shown = north.shown(&["audit", "show"]);
    assert!(shown.contains("node restored"), "{shown}");
    // It can be backed up again, into the same folder, as it is its own past.
    back_up(&north, &folder);
    north.call(&["verify-backup", &folder]);
}

/// fault E1, fault E19
#[test]
fn node_killed_while_it_is_backed_up_leaves_a_whole_backup() {
    const SEED: u64 = 20_261_121;
    let mut chance = Chance::new(SEED);
    let world = World::new();
    let mut north = world.node("north", Reach::Dialable);
    let folder = world.path("backup").display().to_string();
    let note = world.path("note.txt");
    write(&note, "first");
    case(&north, "2026-0", &[&note]);
    let mut records = back_up(&north, &folder)["records"].as_u64().unwrap();
    for round in 1..5_u64 {
        let files = world.path(&format!("files-{round}"));
        for file in 0..100_u64 {
            let bytes = format!("{round}-{file:03} ").repeat(30_000);
            write(&files.join(file.to_string()), bytes);
        }
        case(&north, &format!("2026-{round}"), &[&files]);
        let mut cut = north
            .command()
            .args(["backup", &folder])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Not a wait for anything: the moment itself is what is chosen.
        std::thread::sleep(Duration::from_millis(chance.below(250)));
        north.kill();
        cut.wait().unwrap();
        let verified = north.call(&["verify-backup", &folder]);
        let now = verified["records"].as_u64().unwrap();
        assert!(now >= records, "seed {SEED}, round {round}");
        records = now;
        north.start();
    }
    let made = back_up(&north, &folder);
    assert!(made["bytes"].as_u64().unwrap() > 60 * MIB);
    wipe_and_restore(&mut north, &folder);
    assert_eq!(digests(&north, "2026-4").len(), 100);
    whole(&north);
}

/// What one node shows of a share that the other does not know the same.
fn logs(node: &Node, share: &str) -> Vec<String> {
    let shown = node.call(&["share", "show", share]);
    let receipts = shown["receipts"].as_array().cloned().unwrap_or_default();
    let log = |receipt: &serde_json::Value| {
        format!(
            "{} {} {}",
            receipt["log"], receipt["count"], receipt["hash"]
        )
    };
    receipts.iter().map(log).collect()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    wait::until(what, || holds().then_some(()));
}

fn status(node: &Node, share: &str) -> String {
    let shown = node.try_call(&["share", "show", share]);
    shown.map_or_else(|_| "unknown".to_owned(), |shown| text(&shown["status"]))
}

/// fault E7: its partner gives back what a restored node told it since the backup, revocations first
#[test]
fn restored_owner_takes_back_what_it_shared_and_revoked_since_its_backup() {
    let world = World::new();
    let (mut north, south) = world.pair();
    let note = world.path("note.txt");
    write(&note, "what it is about");
    case(&north, "2026-17", &[&note]);
    let reference = ["share", "reference", "2026-17", "--partner", &south.id];
    let days = ["--days", "14", "--recipient", "administrator"];
    let reference = only(&north.call(&[&reference[..], &days[..]].concat()));
    until("it is open", || status(&south, &reference) == "active");
    let folder = world.path("backup").display().to_string();
    back_up(&north, &folder);
    north.call(&["share", "revoke", &reference, "--wait"]);
    let copy = copy(&north, "2026-17", &south);
    delivered(&north, &south, &copy);
    until("both have both receipts", || logs(&south, &copy).len() == 2);
    let before = logs(&north, &copy);

    wipe_and_restore(&mut north, &folder);
    until("the copy is known again", || {
        status(&north, &copy) == "complete" && logs(&north, &copy) == before
    });
    until("so is the revocation", || {
        status(&north, &reference) == "revoked"
    });
    let shown = north.call(&["share", "show", &reference]);
    assert_eq!(shown["revocation"]["state"], "purged", "{shown}");
    until("nothing waits", || {
        north.call(&["partner", "doctor", &south.id])["healthy"] == true
    });
    let told = south.shown(&["partner", "doctor", &north.id]);
    assert!(told.contains("came back from a backup"), "{told}");
    let more = world.path("more.txt");
    write(&more, "found since");
    add(&north, "2026-17", &[&more]);
    north.call(&["share", "add", &copy, "--wait"]);
    assert_eq!(digests(&south, "2026-17").len(), 2);
    for node in [&north, &south] {
        whole(node);
    }
}

/// fault E7: a restored partner holds again what it had taken in since its backup
#[test]
fn restored_partner_takes_in_again_what_it_lost() {
    let world = World::new();
    let (north, mut south) = world.pair();
    let folder = world.path("backup").display().to_string();
    back_up(&south, &folder);
    let film = world.path("film.bin");
    noise(&film, 3, 7);
    case(&north, "2026-17", &[&film]);
    let copy = copy(&north, "2026-17", &south);
    delivered(&north, &south, &copy);
    let before = logs(&north, &copy);
    wipe_and_restore(&mut south, &folder);
    until("it has the evidence again", || {
        status(&south, &copy) == "complete"
            && digests(&south, "2026-17") == digests(&north, "2026-17")
    });
    assert_eq!(logs(&north, &copy), before);
    for node in [&north, &south] {
        whole(node);
    }
}

/// fault E19
#[test]
fn damaged_backup_is_refused_by_name_and_leaves_nothing() {
    let world = World::new();
    let mut north = world.node("north", Reach::Dialable);
    let folder = world.path("backup");
    let film = world.path("film.bin");
    noise(&film, 1, 6);
    case(&north, "2026-17", &[&film]);
    back_up(&north, &folder.display().to_string());
    north.stop();
    let manifest = fs::read_to_string(folder.join("manifest")).unwrap();
    let line = manifest.lines().find(|line| line.contains("blobs/own"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    let digest = text(&line["blake3"]);
    let place = folder.join("files").join(&digest[..2]).join(&digest);
    let mut bytes = fs::read(&place).unwrap();
    bytes[500_000] ^= 4;
    fs::remove_file(&place).unwrap();
    write(&place, bytes);
    let folder = folder.display().to_string();
    let old = std::mem::replace(&mut north.data, world.path("again"));
    for command in [["verify-backup", &folder], ["restore", &folder]] {
        let refused = north.refused(&command);
        assert_eq!(refused.code, 7, "{refused:?}");
        assert!(refused.message.contains(&digest), "{refused:?}");
    }
    assert!(!world.path("again").exists());
    north.data = old;
    let refused = north.refused(&["restore", &folder]);
    assert_eq!(refused.code, 6, "a node is there: {refused:?}");
    north.start();
    whole(&north);
}

/// fault E7: every file that the journal names is in the backup, however the node changes meanwhile
#[test]
fn nodes_backed_up_while_they_add_and_share_come_back_with_every_file_that_they_name() {
    let world = World::new();
    let (mut north, mut south) = world.pair();
    let films = world.path("films");
    fs::create_dir(&films).unwrap();
    for number in 0..6_usize {
        noise(&films.join(number.to_string()), 2, number as u64);
    }
    for number in 0..60_usize {
        let path = films.join(format!("note-{number}"));
        write(&path, vec![b'a'; 1000 + number]);
    }
    case(&north, "2026-17", &[&films]);
    north.call(&["case", "create", "2026-18", "--title", "Theft"]);
    let notes = world.path("notes");
    for number in 0..60_usize {
        let bytes = vec![b'b'; 1000 + number * 10_000];
        write(&notes.join(number.to_string()), bytes);
    }
    let mut adding = north
        .command()
        .args(["evidence", "add", "2026-18"])
        .arg(&notes)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let id = copy(&north, "2026-17", &south);
    let mut made = Vec::new();
    for round in 0..4 {
        for node in [&north, &south] {
            let folder = world.path(&format!("backup-{}-{round}", node.name));
            let backed = back_up(node, &folder.display().to_string());
            assert_eq!(backed["problems"], serde_json::json!([]), "{backed}");
            made.push(folder);
        }
    }
    assert!(adding.wait().unwrap().success());
    delivered(&north, &south, &id);
    north.kill();
    south.kill();
    for (number, folder) in made.iter().enumerate() {
        let node = match number % 2 {
            0 => &mut north,
            _ => &mut south,
        };
        wipe(node);
        node.call(&["restore", &folder.display().to_string()]);
        node.start();
        whole(node);
        node.kill();
    }
}

/// fault E1
#[test]
fn restore_that_is_killed_leaves_no_node_that_runs_and_is_begun_again() {
    const SEED: u64 = 20_261_122;
    let mut chance = Chance::new(SEED);
    let world = World::new();
    let mut north = world.node("north", Reach::Dialable);
    let folder = world.path("backup").display().to_string();
    let film = world.path("film.bin");
    noise(&film, 40, 7);
    case(&north, "2026-17", &[&film]);
    let before = digests(&north, "2026-17");
    back_up(&north, &folder);
    north.kill();
    wipe(&north);
    for round in 0..8 {
        let mut cut = north
            .command()
            .args(["restore", &folder])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Not a wait for anything: the moment itself is what is chosen.
        std::thread::sleep(Duration::from_millis(chance.below(400)));
        let _ = cut.kill();
        cut.wait().unwrap();
        if north.data.join("interdocket.toml").exists() {
            wipe(&north);
        } else if north.data.join("restoring").exists() {
            let said = north.refuses_to_start();
            let told = said.contains("interdocket restore");
            assert!(told, "seed {SEED}, round {round}: {said}");
        }
    }
    north.call(&["restore", &folder]);
    north.start();
    assert_eq!(digests(&north, "2026-17"), before);
    whole(&north);
}
