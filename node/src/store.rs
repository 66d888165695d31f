//! The projection's engines: ordered keys and values that follow from the journal.
//!
//! Invariant: nothing here is the only copy of anything.
//!
//! Not here: what the keys and values mean.

#[cfg(test)]
mod conformance;
pub mod engine;
pub mod memory;
pub mod sled;
