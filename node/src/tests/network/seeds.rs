//! The seeds that are run: those that once failed, and as many new ones as there is time for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::oracle::Figures;
use super::{Run, run};

/// Seeds that failed before what they found was mended, with what that was.
const KEPT: &str = include_str!("seeds.txt");
/// How many seeds CI has time for.
const SEEDS: u64 = 16;

#[test]
fn one_seed_is_one_run_over_the_network() {
    let runs = [run(1), run(1), run(2)];
    assert_eq!(
        runs[0].hash,
        runs[1].hash,
        "{}",
        differs(&runs[0], &runs[1])
    );
    assert_ne!(runs[0].hash, runs[2].hash);
}

fn differs(one: &Run, other: &Run) -> String {
    let lines = one.log.lines().zip(other.log.lines());
    let first = lines.enumerate().find(|(_, (a, b))| a != b);
    format!("{first:#?}")
}

#[test]
fn seeds_that_once_failed_over_the_network_hold() {
    let lines = KEPT.lines().filter(|line| !line.starts_with('#'));
    let seeds = lines.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    all(seeds.collect());
}

/// faults A3, A4, B6, E12, E13
#[test]
fn federations_keep_their_promises_over_the_network() {
    let first = number("INTERDOCKET_SEED").unwrap_or(0);
    let count = number("INTERDOCKET_SEEDS").unwrap_or(SEEDS);
    all((first..first + count).collect());
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs seeds, as many at once as there are processors. Of those that fail it prints what they stand for; of one
/// alone its whole log, and what nodes say as `RUST_LOG` has it.
fn all(seeds: Vec<u64>) {
    if seeds.len() == 1 {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let lines = tracing_subscriber::fmt().with_env_filter(filter);
        let _ = lines.with_test_writer().try_init();
    }
    let began = Instant::now();
    let (next, broken) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let figures = Mutex::new(Figures::default());
    let work = || {
        while let Ok(place) = usize::try_from(next.fetch_add(1, Ordering::Relaxed))
            && let Some(seed) = seeds.get(place)
        {
            let run = run(*seed);
            *figures.lock().unwrap() += run.figures;
            if seeds.len() == 1 {
                println!("{}\n{}", run.log, run.plan);
            }
            println!("seed {seed}: {}", run.hash);
            if let Some(failure) = run.failure {
                println!("seed {seed} FAILED: {failure}\n  {}", run.plan);
                broken.lock().unwrap().push(*seed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let figures = figures.into_inner().unwrap();
    println!(
        "{} seeds: {figures:?} in {:.1?}",
        seeds.len(),
        began.elapsed()
    );
    let broken = broken.into_inner().unwrap();
    assert!(
        broken.is_empty(),
        "run one with INTERDOCKET_SEEDS=1 INTERDOCKET_SEED=: {broken:?}"
    );
}
