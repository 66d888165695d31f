//! Stories of three nodes in containers, on addresses of their own, as `deploy/compose.yml` has them.
//!
//! Invariant: what nodes say of each other is compared by a checker outside of all of them, which
//! asks each over its API. Faults come from outside as well: the image has no tools for them.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that fails may panic")
)]

mod checker;
mod cluster;
mod faults;
mod image;
mod proxy;
mod story;
mod weather;
