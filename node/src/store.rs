//! The database: what follows from the journal, in tables behind a narrow engine.
//!
//! Invariant: nothing here is the only copy of anything.
//!
//! Not here: who may change what (the writer decides that).

#[cfg(test)]
mod conformance;
pub mod engine;
pub mod entity;
pub mod memory;
pub mod project;
pub mod sled;
pub mod table;
pub mod view;
