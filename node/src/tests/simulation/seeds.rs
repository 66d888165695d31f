//! The seeds that are run: those that once failed, as many new ones as there is time for, and one for each
//! planted bug.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::bug::Bug;
use super::{Figures, run};

/// Seeds that failed before what they found was mended, with what that was.
const KEPT: &str = include_str!("seeds.txt");

#[test]
fn one_seed_is_one_run() {
    for seed in [1, 2, 3] {
        let runs = [run(seed, None), run(seed, None)];
        assert_eq!(runs[0].hash, runs[1].hash, "seed {seed}");
    }
}

#[test]
fn seeds_that_once_failed_hold() {
    let lines = KEPT.lines().filter(|line| !line.starts_with('#'));
    let seeds = lines.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    all(seeds.collect());
}

/// faults A3, A4, A5, A14, A15, C9, E2, E3, E4, E12, E14, E18
#[test]
fn federations_keep_their_promises_whatever_happens() {
    let first = number("INTERDOCKET_SEED").unwrap_or(0);
    let count = number("INTERDOCKET_SEEDS").unwrap_or(SEEDS);
    all((first..first + count).collect());
}

/// Each is found by the seed that is named with it, and so within 100. One alone: INTERDOCKET_BUG.
#[test]
fn every_planted_bug_is_found() {
    let only = std::env::var("INTERDOCKET_BUG").ok();
    let first = number("INTERDOCKET_SEED").unwrap_or(0);
    let wanted = |bug: &Bug| only.as_ref().is_none_or(|only| *only == format!("{bug:?}"));
    let bugs: Vec<_> = Bug::ALL.iter().filter(|(bug, _)| wanted(bug)).collect();
    let missed = each(&bugs, |(bug, seed)| {
        let fails = |seed: u64| Some((seed, run(seed, Some(*bug)).failure?));
        let sound = |seed: &u64| run(*seed, None).failure.is_none();
        let found =
            fails(*seed).or_else(|| (first..100).filter_map(fails).find(|(seed, _)| sound(seed)));
        match found {
            Some((seed, failure)) => println!("{bug:?}, {seed}: {failure:.150}"),
            None => return Some(*bug),
        }
        None
    });
    let missed: Vec<Bug> = missed.into_iter().flatten().collect();
    assert!(
        missed.is_empty(),
        "not found by any of 100 seeds: {missed:?}"
    );
}

/// Does something for each, on as many threads as there are processors; in any order.
fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<R>> = Mutex::default();
    let take = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            let one = work(item);
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(one);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(take))));
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs seeds. Prints figures, and of those that fail what they stand for; of one alone its whole log.
fn all(seeds: Vec<u64>) {
    let began = Instant::now();
    let ran = each(&seeds, |seed| (*seed, run(*seed, None)));
    let figures = ran
        .iter()
        .fold(Figures::default(), |sum, (_, run)| sum.and(&run.figures));
    println!("{} seeds: {figures} in {:.1?}", ran.len(), began.elapsed());
    let mut broken = Vec::new();
    for (seed, run) in &ran {
        if let Some(failure) = &run.failure {
            println!("seed {seed}: {failure:.1500}\n  {}", run.plan);
            if seeds.len() == 1 {
                println!("{}", run.log);
            }
            broken.push(*seed);
        }
    }
    assert!(
        broken.is_empty(),
        "run one with INTERDOCKET_SEEDS=1 INTERDOCKET_SEED=: {broken:?}"
    );
}

/// How many seeds CI has time for.
const SEEDS: u64 = 100;
