//! The words that nodes exchange: messages and services generated from the `.proto` files.
//!
//! Nothing here is written by hand, and no rule or default is here.

/// Version 1 of the package; its formats are version 0 and free to change.
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/interdocket.v1.rs"));
}

/// The compiled `.proto` files, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
