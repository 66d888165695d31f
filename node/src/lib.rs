//! What one organisation decides: the node that holds its cases and shares them with its partners.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that fails may panic")
)]

pub mod federation;
pub mod keys;
