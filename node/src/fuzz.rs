//! Fuzz targets: claims about whatever bytes lie on a disk, come from a partner or are typed by a person.
//!
//! Each is a plain function of bytes, beside what it is about where that is private. `cargo test` holds them
//! over the corpus in tests/fuzz/corpus and over mutations of it; tests/fuzz/run has libFuzzer look for
//! what breaks them. What both nodes must agree on has its targets in sync.

#[path = "../../tests/fuzz/harness.rs"]
mod harness;
mod rows;
mod store;
#[cfg(test)]
mod tests;
mod texts;

pub(crate) use self::harness::Input;
#[cfg(test)]
pub(crate) use self::harness::smoke;
pub use self::harness::{HELD_EACH, Target};
use crate::{blobs, journal, keyring, keys, web};

/// All targets of this crate.
pub const TARGETS: [Target; 16] = [
    ("api", web::fuzz::api, 4 << 20),
    ("blob", blobs::fuzz::blob, 1 << 20),
    ("certificate", keys::fuzz::certificate, 1 << 20),
    ("config", texts::config, 1 << 20),
    ("document", texts::document, 4 << 20),
    ("journal", journal::fuzz::journal, 8 << 20),
    ("keyring", keyring::fuzz::keyring, 1 << 20),
    ("manifest", texts::manifest, 1 << 20),
    ("name", texts::name, 1 << 20),
    ("record", rows::record, 1 << 20),
    ("row", rows::row, 1 << 20),
    ("row-key", rows::key, 1 << 20),
    ("sealed", texts::sealed, 1 << 20),
    ("sign-in", texts::sign_in, 1 << 20),
    ("store", store::store, 64 << 20),
    ("stream", blobs::fuzz::stream, 4 << 20),
];
