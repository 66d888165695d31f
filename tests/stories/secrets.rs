//! What logs never say, however much they are told to.

use std::fs;
use std::path::PathBuf;

use interdocket_tests::files::write;
use interdocket_tests::https;
use interdocket_tests::node::text;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::wait::until;
use interdocket_tests::world::{case, contact, enable, only, take_part};
use interdocket_tests::{Node, Reach, World};

/// What is in the evidence, in its names and in what people write to each other.
const CANARY: &str = "canary-sings-at-the-quay";

/// A node that logs all that it can.
pub(crate) fn loud(world: &World, name: &'static str, reach: Reach) -> Node {
    let mut node = world.make(name, reach);
    let path = node.data.join("interdocket.toml");
    let settings = fs::read_to_string(&path).unwrap();
    let loud = settings.replace("level = \"info\"", "level = \"trace\"");
    assert_ne!(loud, settings);
    fs::write(&path, loud).unwrap();
    node.start();
    node
}

/// Lines of the private keys of a node.
fn keys(node: &Node) -> Vec<String> {
    let mut lines = Vec::new();
    for name in ["root.key", "operational.pem", "signing.pem"] {
        let pem = fs::read_to_string(node.data.join("keys").join(name)).unwrap();
        let key = pem.split("-----END PRIVATE KEY-----").next().unwrap();
        lines.extend(key.lines().skip(1).map(ToOwned::to_owned));
    }
    assert!(lines.len() >= 3, "{lines:?}");
    lines
}

/// The limits of the process that runs a node.
fn limits(node: &Node) -> String {
    let data = node.data.display().to_string();
    let runs = |path: &PathBuf| {
        let line = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
        let mut words = line.split('\0');
        words.any(|word| word == "run") && words.any(|word| word == data)
    };
    let processes = fs::read_dir("/proc").unwrap();
    let mut processes = processes.map(|entry| entry.unwrap().path());
    let process = processes.find(runs).unwrap();
    fs::read_to_string(process.join("limits")).unwrap()
}

/// fault E21: keys are in the node's memory.
#[test]
fn node_leaves_no_core_dump() {
    let world = World::new();
    let north = world.node("north", Reach::Hidden);
    let limits = limits(&north);
    let core = limits.lines().find(|line| line.starts_with("Max core"));
    let words: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{limits}");
}

/// fault E21
#[test]
fn logs_hold_no_secret_and_no_evidence_at_the_finest_level() {
    if !installed("curl") {
        return skip("curl is not installed");
    }
    let world = World::new();
    let north = loud(&world, "north", Reach::Dialable);
    let south = loud(&world, "south", Reach::Hidden);
    take_part(&north);
    take_part(&south);
    let invitation = text(&north.call(&["partner", "invite"])["invitation"]);
    south.call(&["partner", "accept", &invitation]);
    for (node, partner) in [(&north, &south), (&south, &north)] {
        node.call(&["partner", "confirm", &partner.id, "--yes"]);
    }
    contact(&north, &south);
    enable(&north, &south);
    south.call(&["user", "add", "Kim", "--role", "investigator"]);
    let token = text(&south.call(&["token", "add", "Kim"])["token"]);

    let file = world.path(CANARY);
    write(&file, CANARY.as_bytes());
    case(&north, "2026-17", &[&file]);
    let policy = ["--mode", "synchronised", "--download", "--import"];
    north.call(&[&["partner", "policy", &south.id][..], &policy].concat());
    let share = ["share", "advanced", "2026-17", "--partner", &south.id];
    let people = ["--recipient", "Kim", "--message", CANARY, "--wait"];
    let made = north.call(&[&share[..], &people].concat());
    let path = format!("/v0/external/{}", only(&made));
    let root = south.data.join("keys/root.pem");
    let seen = until("Kim sees the case", || {
        let answer = https::call(&root, south.api, Some(&token), &path, None);
        let (status, seen) = answer.unwrap();
        (status == 200 && seen["items"][0].is_object()).then_some(seen)
    });
    assert_eq!(seen["message"], CANARY);
    north.call(&["share", "revoke", &only(&made), "--wait"]);

    let mut secrets = vec![
        ("an invitation", invitation),
        ("a token", token),
        ("evidence", CANARY.to_owned()),
    ];
    for node in [&north, &south] {
        secrets.extend(keys(node).into_iter().map(|line| ("a key", line)));
    }
    for node in [&north, &south] {
        let log = node.log();
        assert!(log.contains("TRACE"), "{} logs all it can", node.name);
        for (what, secret) in &secrets {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{what} in the log of {}", node.name);
        }
    }
}
