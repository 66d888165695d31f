//! Attacks on the federation port of a real node, by real clients: openssl, and one that writes the frames of
//! HTTP/2 by hand under the certificate of a partner.
//!
//! Invariant: an attack is a row of data; what is claimed is what a partner that is honest gets meanwhile, what
//! the node takes of memory, handles and threads, and that the attacker's connection ends. Figures are printed
//! with `--nocapture`.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that fails may panic")
)]

mod field;
mod flood;
mod frame;
mod gauge;
mod knock;
mod liar;
mod live;
mod siege;
mod slow;
