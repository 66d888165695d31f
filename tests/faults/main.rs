//! The real program when everything goes wrong beneath it: killed, cut off from power, damaged on disk,
//! with calls that fail and a disk that is full.
//!
//! Invariant: every trial follows from a seed that is printed, and ends with the same question
//! (`verdict`): is all that was answered there, and is nothing shown that is not whole? Sizes are small;
//! `INTERDOCKET_KILLS`, `INTERDOCKET_CUTS`, `INTERDOCKET_DAMAGES` and `INTERDOCKET_CALLS` make them long.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that fails may panic")
)]

mod call;
mod damage;
mod full;
mod image;
mod kill;
mod load;
mod place;
mod power;
mod shim;
mod verdict;
