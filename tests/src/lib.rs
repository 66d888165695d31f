//! What stories need: real nodes as processes on this machine, and people who work with them.
//!
//! Invariant: nothing here outlives the test that started it, and nothing waits for a fixed time:
//! it looks until what it waits for is so, or a generous deadline has passed.
//! What a story claims is not here.

pub mod files;
pub mod node;
mod program;
pub mod skip;
pub mod wait;
pub mod world;

pub use node::{Node, Refused};
pub use world::{Reach, World};
