//! One target under libFuzzer: the one that the variable INTERDOCKET_TARGET names.
//!
//! It is built by tests/fuzz/run, with the coverage that libFuzzer goes by. What is claimed is beside the
//! code, in sync/src/fuzz and node/src/fuzz; `cargo test` holds the same without libFuzzer.
#![no_main]

use std::sync::LazyLock;

use interdocket_node::fuzz as node;
use interdocket_sync::fuzz::{self as sync, HELD_EACH, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("INTERDOCKET_TARGET").unwrap_or_default();
    let mut targets = sync::TARGETS.into_iter().chain(node::TARGETS);
    let found = targets.find(|target| target.0 == wanted);
    found.unwrap_or_else(|| panic!("{wanted:?} is no target; tests/fuzz/run --list names them"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (_, claims, held) = *TARGET;
    let peak = allocation_counter::measure(|| claims(bytes)).bytes_max;
    let most = held + HELD_EACH * bytes.len();
    assert!(peak <= most as u64, "{peak} bytes held, at most {most}");
});
