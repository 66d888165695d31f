//! `kill -9` at any moment, while people work and while the node starts.
//!
//! Invariant: as `verdict` says, after every kill; and after the last one everything that was shared
//! arrives.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use interdocket_tests::files::Chance;
use interdocket_tests::{Node, world};

use crate::load::{Fact, Work};
use crate::place::{home, nodes, seed, trials};
use crate::verdict::{Verdict, settle};

/// fault E1, fault E9, fault E14: invariants S5, S6, S7, L1, L10
#[test]
fn what_was_answered_survives_kill_at_any_moment() {
    let (kills, seed) = (trials("INTERDOCKET_KILLS", 20), seed());
    println!("seed {seed}");
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    let mut facts = 0;
    for world in 0..kills.div_ceil(WORLD) {
        let kills = WORLD.min(kills - world * WORLD);
        let seen = killed(kills, seed + world);
        slowest = slowest.max(seen.1);
        facts += seen.0;
    }
    println!(
        "kill: {kills} kills, {facts} things answered, 0 lost, slowest start {slowest:?}, {:?} in all",
        begun.elapsed()
    );
}

/// Kills one of two nodes again and again; gives how much was answered, and the slowest start.
fn killed(kills: u64, seed: u64) -> (usize, Duration) {
    let home = home();
    let (mut north, mut south) = nodes(home.path());
    let mut chance = Chance::new(seed);
    let mut facts: [Vec<Fact>; 2] = Default::default();
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let victim = usize::try_from(chance.below(2)).unwrap();
        let name = format!("2026-{kill}");
        let wait = Duration::from_millis(chance.below(250));
        let (one, other) = (&mut north, &mut south);
        let (node, partner) = if victim == 0 {
            (one, other)
        } else {
            (other, one)
        };
        let work = Work {
            data: &node.data.clone(),
            name: &name,
            partner: Some(&partner.id),
            people: 3,
            steps: 200,
            seed: seed * 1000 + kill,
        };
        let book = std::thread::scope(|scope| {
            let working = scope.spawn(|| work.run(&AtomicBool::new(false), &|| 0));
            // Not a wait for anything: the moment itself is what is chosen.
            std::thread::sleep(wait);
            node.kill();
            working.join().unwrap()
        });
        assert!(
            book.refused.is_empty(),
            "seed {seed}, kill {kill}: {:?}",
            book.refused
        );
        facts[victim].extend(book.noted.into_iter().map(|noted| noted.fact));
        if chance.below(4) == 0 {
            node.start_and_kill(Duration::from_millis(chance.below(120)));
        }
        slowest = slowest.max(judge(
            node,
            &facts[victim],
            &mut chance,
            &format!("seed {seed}, kill {kill}"),
        ));
    }
    for (node, partner, facts) in [(&north, &south, &facts[0]), (&south, &north, &facts[1])] {
        settle(node, partner, facts);
        world::whole(node);
    }
    (facts.iter().map(Vec::len).sum(), slowest)
}

/// Starts a node and asks it what it holds.
fn judge(node: &mut Node, facts: &[Fact], chance: &mut Chance, trial: &str) -> Duration {
    let begun = Instant::now();
    node.start();
    let took = begun.elapsed();
    let verdict =
        Verdict::of(node, facts, chance).unwrap_or_else(|error| panic!("{trial}: {error}"));
    assert!(verdict.clean(), "{trial}: {verdict:#?}");
    took
}

/// Kills in one world: what it holds grows with them.
const WORLD: u64 = 40;
