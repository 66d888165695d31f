//! House rules that no compiler checks, each as one test named as a claim.
//!
//! Invariant: a rule reads the tree as it lies there; where the file that a rule is about is
//! missing, the rule fails.
//! What rustfmt, clippy and rustdoc can say is not here.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that fails may panic")
)]

mod habits;
mod homes;
mod lock;
mod purity;
mod source;
