//! The network that connections between nodes go over: the system's.
//!
//! Everything that a partner's bytes go through is opened here and nowhere else. In tests it is a simulated
//! network where there is one, and loopback where there is none.

#[cfg(test)]
mod simulated;

#[cfg(not(test))]
pub use tokio::net::{TcpListener as Listener, TcpStream as Stream, lookup_host};

#[cfg(test)]
pub use self::simulated::{Listener, Stream, lookup_host};
