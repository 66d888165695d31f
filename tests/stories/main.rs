//! Stories: what people and machines do with real nodes, one claim a test.
//!
//! Invariant: a story says nothing of how a node does a thing, only of what holds before and after.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that fails may panic")
)]

mod api;
mod away;
mod damage;
mod demo;
mod doctor;
mod full;
mod handles;
mod input;
mod kill;
mod links;
mod portal;
mod reference;
mod restore;
mod secrets;
mod signin;
mod start;
mod trust;
