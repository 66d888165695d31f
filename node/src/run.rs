//! The life of a node in its data directory: made once, run often, rebuilt when need be.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use interdocket_sync::identity::OrganisationId;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::actions::partner::OrganisationRole;
use crate::actions::{Error, ErrorKind, Progress};

/// What a new node is to be.
#[derive(Debug, Clone)]
pub struct Init {
    /// The directory for everything that the node keeps; it must be empty or not exist.
    pub data: PathBuf,
    /// The organisation's name.
    pub name: String,
    /// What the organisation does.
    pub role: OrganisationRole,
    /// Where partners' connections are accepted.
    pub federation: SocketAddr,
    /// Where pairing happens.
    pub pairing: SocketAddr,
    /// Where the API is served over HTTPS.
    pub api: SocketAddr,
    /// Where metrics are served; nowhere if none.
    pub metrics: Option<SocketAddr>,
    /// The `host:port` that partners dial; this node dials them if none.
    pub advertise: Option<String>,
    /// Whether partners may have private and loopback addresses.
    pub allow_private: bool,
}

/// A node that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Initialised {
    /// The organisation's id.
    pub organisation: OrganisationId,
    /// The configuration file.
    pub configuration: PathBuf,
}

/// A database that was built again.
#[derive(Debug, Clone, Serialize)]
pub struct Rebuilt {
    /// How many records of the journal it follows from.
    pub records: u64,
}

/// Makes directories, keys and configuration.
///
/// # Errors
/// `Conflict` where a node is there already, `Unavailable` where something cannot be written.
pub fn init(_init: &Init) -> Result<Initialised, Error> {
    Err(Error::new(ErrorKind::Unavailable, "stub"))
}

/// Runs the node until `stop`, then stops in order.
///
/// # Errors
/// What keeps the node from starting or running, with what to do.
pub async fn run(_data: &Path, _stop: CancellationToken) -> Result<(), Error> {
    Err(Error::new(ErrorKind::Unavailable, "stub"))
}

/// Builds the database again from the journal, while the node does not run.
///
/// # Errors
/// `Conflict` while the node runs, `Unavailable` where the journal cannot be read.
pub fn rebuild(_data: &Path, _progress: &Progress) -> Result<Rebuilt, Error> {
    Err(Error::new(ErrorKind::Unavailable, "stub"))
}
