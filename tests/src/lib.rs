//! What stories need: real nodes on this machine, and people who work with them.
//!
//! Invariant: nothing here outlives the test that started it, and nothing waits for a fixed time:
//! it looks until what it waits for is so, or a generous deadline has passed.
//! What a story claims is not here.

pub mod disk;
pub mod files;
pub mod https;
pub mod node;
pub mod program;
pub mod site;
pub mod skip;
pub mod socket;
pub mod wait;
pub mod world;

pub use node::{Node, Refused};
pub use site::Site;
pub use world::{Reach, World};
