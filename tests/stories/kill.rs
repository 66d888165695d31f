//! `kill -9` on the real program, in the middle of things.

use interdocket_tests::files::{Chance, MIB, noise, write};
use interdocket_tests::node::text;
use interdocket_tests::wait::until;
use interdocket_tests::world::{case, copy, delivered, share, whole};
use interdocket_tests::{Reach, World};

/// What is read again after a cut at most: what had arrived and was not durable yet.
const AGAIN: u64 = 32 * MIB;

/// What goes over the wire beside the files' bytes: the trees that prove them, below 1 in 64.
const fn framed(bytes: u64) -> u64 {
    bytes + bytes / 64 + MIB
}

/// fault E1, fault E9, fault E14
#[test]
fn receiver_killed_in_the_middle_goes_on_where_it_was() {
    let world = World::new();
    let (north, mut south) = world.pair();
    let film = world.path("film.bin");
    noise(&film, 128, 2);
    case(&north, "2026-17", &[&film]);
    let id = copy(&north, "2026-17", &south);
    for part in [40, 90] {
        until("part of it was sent", || {
            (north.bytes("out") > part * MIB).then_some(())
        });
        south.kill();
        assert_eq!(
            share(&north, &id)["status"],
            "processing",
            "killed in the middle"
        );
        south.start();
        assert!(files_of(&south).is_empty(), "half a file is not visible");
    }
    delivered(&north, &south, &id);
    let sent = north.bytes("out");
    assert!(
        sent <= framed(128 * MIB) + 2 * AGAIN,
        "{sent} bytes for a file of {}",
        128 * MIB
    );
    whole(&south);
}

/// fault E1, fault E9, fault E14
#[test]
fn owner_killed_in_the_middle_goes_on_where_it_was() {
    let world = World::new();
    let (mut north, south) = world.pair();
    let film = world.path("film.bin");
    noise(&film, 128, 3);
    case(&north, "2026-17", &[&film]);
    let id = copy(&north, "2026-17", &south);
    for part in [40, 90] {
        until("part of it arrived", || {
            (south.bytes("in") > part * MIB).then_some(())
        });
        north.kill();
        assert_eq!(
            share(&south, &id)["status"],
            "processing",
            "killed in the middle"
        );
        north.start();
    }
    delivered(&north, &south, &id);
    let got = south.bytes("in");
    assert!(
        got <= framed(128 * MIB) + 2 * AGAIN,
        "{got} bytes for a file of {}",
        128 * MIB
    );
    whole(&north);
    whole(&south);
}

/// Everything that a node lists as evidence in any case.
fn files_of(node: &interdocket_tests::Node) -> Vec<String> {
    let cases = node.call(&["case", "list"]);
    let cases = cases["cases"].as_array().cloned().unwrap_or_default();
    cases
        .iter()
        .flat_map(|case| interdocket_tests::world::digests(node, &text(&case["id"])))
        .collect()
}

/// fault E1, fault E9
#[test]
fn nodes_killed_at_any_moment_under_load_lose_nothing() {
    const SEED: u64 = 20_261_121;
    println!("seed {SEED}");
    let mut chance = Chance::new(SEED);
    let world = World::new();
    let (mut north, mut south) = world.pair();
    let mut shares = Vec::new();
    for round in 0..5_u64 {
        let folder = world.path(&format!("load-{round}"));
        for file in 0..60_u64 {
            let bytes =
                vec![u8::try_from(round * 60 + file).unwrap_or(7); 1_000 + 997 * (file as usize)];
            write(&folder.join(format!("{}/{file}", file % 5)), bytes);
        }
        noise(&folder.join("large"), 8, 100 + round);
        let number = format!("2026-{round}");
        case(&north, &number, &[&folder]);
        shares.push(copy(&north, &number, &south));
        // Not a wait for anything: the moment itself is what is chosen.
        std::thread::sleep(std::time::Duration::from_millis(chance.below(700)));
        let victim = if chance.below(2) == 0 {
            &mut north
        } else {
            &mut south
        };
        println!("round {round}: {} is killed", victim.name);
        victim.kill();
        victim.start();
    }
    for id in &shares {
        assert_eq!(delivered(&north, &south, id)["stored"]["files"], 61);
    }
    whole(&north);
    whole(&south);
}

/// fault E1
#[test]
fn what_was_acknowledged_is_there_after_kill_at_once() {
    let world = World::new();
    let mut north = world.node("north", Reach::Dialable);
    let file = world.path("note.txt");
    write(&file, "seen at 02:14");
    let file = file.display().to_string();
    let kill = |node: &mut interdocket_tests::Node| {
        node.kill();
        node.start();
    };

    north.call(&["case", "create", "2026-17", "--title", "Fire"]);
    kill(&mut north);
    assert_eq!(north.call(&["case", "show", "2026-17"])["title"], "Fire");
    north.call(&["case", "edit", "2026-17", "--title", "Arson"]);
    kill(&mut north);
    assert_eq!(north.call(&["case", "show", "2026-17"])["title"], "Arson");
    let added = north.call(&["evidence", "add", "2026-17", &file]);
    kill(&mut north);
    let listed = north.call(&["evidence", "list", "2026-17"]);
    assert_eq!(listed["evidence"], added["added"]);
    north.call(&["user", "add", "Kim", "--role", "auditor"]);
    kill(&mut north);
    assert_eq!(north.call(&["user", "list"])["users"][0]["name"], "Kim");
    north.call(&["case", "close", "2026-17"]);
    kill(&mut north);
    assert_eq!(north.call(&["case", "show", "2026-17"])["state"], "closed");
    whole(&north);
}
