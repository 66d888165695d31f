//! A disk that fills up while people work, at any byte, and has space again.
//!
//! Invariant: what was answered stays, reading goes on, and the node goes on without a restart. That a
//! node whose disk is full pauses intake, and says so, is told by the stories.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use interdocket_tests::disk::Disk;
use interdocket_tests::files::Chance;
use interdocket_tests::skip::skip;
use interdocket_tests::wait::until;
use interdocket_tests::{Node, Reach, World, world};
use serde_json::json;

use crate::load::{Fact, Work};
use crate::place::{home, seed, trials};
use crate::verdict::Verdict;

/// fault E3: invariants S7, L9
#[test]
fn disk_that_fills_up_anywhere_loses_nothing_and_the_node_goes_on_by_itself() {
    let (rounds, seed) = (trials("INTERDOCKET_FULL", 6), seed());
    println!("seed {seed}");
    let home = home();
    let Some(disk) = Disk::mount(&home.path().join("disk"), 64) else {
        return skip("no file system can be mounted here: it takes root");
    };
    let mut node = node(&disk);
    let mut chance = Chance::new(seed);
    let mut facts = Vec::new();
    let (mut refused, mut restarts) = (0, 0);
    for round in 0..rounds {
        let trial = format!("seed {seed}, round {round}");
        let filler = disk.path().join("filler");
        let left = chance.below(LEFT);
        let stop = AtomicBool::new(false);
        let name = format!("2026-{round}");
        let data = node.data.clone();
        let work = Work {
            data: &data,
            name: &name,
            partner: None,
            people: 3,
            steps: 12,
            seed: seed * 1000 + round,
        };
        let book = std::thread::scope(|scope| {
            let working = scope.spawn(|| work.run(&stop, &|| 0));
            // Not a wait for anything: the moment itself is what is chosen.
            std::thread::sleep(Duration::from_millis(chance.below(100)));
            disk.fill(&filler, left);
            until("people have seen it", || {
                working.is_finished().then_some(())
            });
            stop.store(true, Ordering::Relaxed);
            working.join().unwrap()
        });
        refused += book.refused.len();
        for said in &book.refused {
            assert!(said.contains("full"), "{trial}: {said}");
        }
        facts.extend(book.noted.into_iter().map(|noted| noted.fact));
        let (status, shown) = node.ask("GET", "/v0/cases", None).unwrap();
        assert_eq!(status, 200, "{trial}: reading goes on: {shown}");
        if round % 2 == 1 {
            restarts += 1;
            restart(&mut node, &filler, &trial);
        }
        fs::remove_file(&filler).unwrap();
        let made = node.ask(
            "POST",
            "/v0/cases",
            Some(&json!({"number": name, "title": "0"})),
        );
        assert_eq!(made.unwrap().0, 200, "{trial}: it goes on with space");
        facts.push(Fact::Case {
            number: name,
            title: 0,
        });
        let verdict = Verdict::of(&node, &facts, &mut chance).unwrap();
        assert!(verdict.clean(), "{trial}: {verdict:#?}");
    }
    node.kill();
    node.start();
    world::whole(&node);
    println!(
        "full: {rounds} times, {refused} refusals, {restarts} starts on a full disk, {} things answered, 0 lost",
        facts.len()
    );
    drop(node);
}

/// Kills a node and starts it while its disk is full: it starts, or says that the disk is full.
fn restart(node: &mut Node, filler: &std::path::Path, trial: &str) {
    node.kill();
    if let Err(said) = node.try_start() {
        assert!(
            said.contains("No space left") || said.contains("full"),
            "{trial}: {said}"
        );
        fs::write(filler, b"").unwrap();
        node.start();
    }
}

/// Makes a node on a small disk, with a reserve that fits it.
fn node(disk: &Disk) -> Node {
    let mut node = World::make_at(&disk.path().join("north"), "north", Reach::Dialable);
    let settings = node.data.join("interdocket.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let small = text.replace("reserve_bytes = 1073741824", "reserve_bytes = 1048576");
    assert_ne!(small, text);
    fs::write(&settings, small).unwrap();
    node.start();
    node
}

/// What is left free at most, in bytes.
const LEFT: u64 = 3 << 20;
