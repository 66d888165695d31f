//! What two nodes must agree on, and nothing else.
//!
//! Pure: no clock, no randomness, no files, no sockets, no async, no threads and no hash maps. Time,
//! randomness, signer, verifier and what arrived come in as arguments; what should be done goes out
//! as values.
#![cfg_attr(
    any(test, fuzzing),
    allow(clippy::unwrap_used, reason = "a test that fails may panic")
)]

pub mod blob;
pub mod copy;
pub mod evidence;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hex;
pub mod id;
pub mod identity;
pub mod limits;
pub mod log;
pub mod metadata;
pub mod pairing;
pub mod receipt;
pub mod refusal;
pub mod share;
pub mod transfer;
pub mod wire;

#[cfg(any(test, fuzzing))]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "fuzz targets use less of it than tests do")
)]
mod testing;
