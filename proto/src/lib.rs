//! The words that nodes exchange.
/// v1
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/interdocket.v1.rs"));
}
