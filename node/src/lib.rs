//! What one organisation decides: the node that holds its cases and shares them with its partners.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that fails may panic")
)]

pub mod access;
pub mod actions;
pub mod attachments;
pub mod backup;
pub mod blobs;
pub mod bringing;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disk;
pub mod erase;
pub mod event;
pub mod features;
pub mod federation;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod intake;
pub mod jobs;
pub mod journal;
pub mod keyring;
pub mod keys;
pub mod leases;
pub mod links;
pub mod log;
pub mod looks;
pub mod metrics;
pub mod node;
pub mod process;
pub mod refusals;
pub mod restore;
pub mod rules;
pub mod run;
pub mod scrub;
pub mod seal;
pub mod sessions;
pub mod signin;
pub mod store;
#[cfg(test)]
mod tests;
pub mod text;
pub mod threads;
pub mod web;
pub mod writer;
