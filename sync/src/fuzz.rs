//! Fuzz targets: claims about whatever bytes somebody else may have made, and about whatever order they come in.
//!
//! Each is a plain function of bytes. `cargo test` holds them over the corpus in tests/fuzz/corpus and
//! over mutations of it; tests/fuzz/run has libFuzzer look for what breaks them.

#[path = "../../tests/fuzz/harness.rs"]
mod harness;
mod pairing;
mod share;
#[cfg(test)]
mod tests;
mod text;
mod wire;

pub use self::harness::{HELD_EACH, Target};

/// All targets of this crate.
pub const TARGETS: [Target; 8] = [
    ("batch", wire::batch, 1 << 20),
    ("entry", wire::entry, 1 << 20),
    ("message", wire::message, 1 << 20),
    ("pairing", pairing::pairing, 1 << 20),
    ("plan", text::plan, 1 << 20),
    ("share", share::share, 16 << 20),
    ("signed", wire::signed, 1 << 20),
    ("text", text::text, 1 << 20),
];
