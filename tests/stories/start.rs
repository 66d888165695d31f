//! Starting: what a node refuses to start on, and with which words.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use interdocket_tests::files::write;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::{Reach, World};

/// fault E8
#[test]
fn second_process_on_one_directory_is_refused_and_disturbs_nothing() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let again = north
        .command()
        .args(["run", "--until-stdin-closes"])
        .output()
        .unwrap();
    assert!(!again.status.success());
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("is running on"), "{said}");

    // Even where it would not find the ports taken.
    let path = north.data.join("interdocket.toml");
    let settings = fs::read_to_string(&path).unwrap();
    let moved: Vec<_> = settings
        .lines()
        .map(|line| {
            if line.starts_with("listen = ") {
                "listen = \"127.0.0.1:0\""
            } else {
                line
            }
        })
        .collect();
    write(&path, moved.join("\n"));
    let again = north
        .command()
        .args(["run", "--until-stdin-closes"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("is running on"), "{said}");
    write(&path, settings);
    assert_eq!(
        north.call(&["status"])["name"],
        "north",
        "the first one goes on"
    );

    let refused = north.refused(&["rebuild"]);
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.message.contains("is running on"), "{refused:?}");
    let refused = north.refused(&["init", "--name", "Other"]);
    assert_eq!(refused.code, 6, "{refused:?}");
}

/// fault E12
#[test]
fn node_that_waits_for_contact_stops_at_once() {
    let world = World::new();
    let (mut north, mut south) = world.pair();
    south.stop();
    north.stop();
    north.start();
    let begun = Instant::now();
    north.stop();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "it took {took:?}");
}

/// fault E17
#[test]
fn keys_that_others_can_read_are_refused_with_the_command_that_helps() {
    let world = World::new();
    let mut north = world.make("north", Reach::Dialable);
    for name in ["master.key", "root.key", "signing.pem", "operational.pem"] {
        let key = north.data.join("keys").join(name);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let said = north.refuses_to_start();
        assert!(said.contains("chmod 600") && said.contains(name), "{said}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let keys = north.data.join("keys");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(north.refuses_to_start().contains("chmod 700"));
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).unwrap();
    north.start();
}

/// fault B10
#[test]
fn clock_behind_the_journal_stops_what_depends_on_time_until_confirmed() {
    if !installed("faketime") {
        return skip("faketime is not installed");
    }
    let world = World::new();
    let mut north = world.node("north", Reach::Dialable);
    north.call(&["case", "create", "2026-17", "--title", "Fire"]);
    north.stop();
    north.wrap(&["faketime", "-f", "-1d"]);
    north.start();
    assert!(north.call(&["status"])["clock_suspect"].is_string());
    let refused = north.try_call(&["partner", "invite"]).unwrap_err();
    assert!(
        refused.hints.concat().contains("confirm-clock"),
        "{refused:?}"
    );
    north.stop();
    north.wrap(&[]);
    north.start();
    let waits = north.try_call(&["partner", "invite"]);
    assert!(waits.is_err(), "it stays so until somebody has looked");
    north.call(&["confirm-clock"]);
    north.call(&["partner", "invite"]);
    assert_eq!(north.call(&["case", "show", "2026-17"])["title"], "Fire");
}
