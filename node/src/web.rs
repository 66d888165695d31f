//! The API: every action as JSON over HTTP, on the local socket and over HTTPS.
//!
//! Invariant: no request reaches an action without a caller. On the socket that is the
//! operating-system user who owns the node, over HTTPS whoever holds a token or signed in; there is no
//! other way. Signing in itself, the banner before it and downloads by link are without a caller, and no actions.
//! What a caller may do is decided in the actions, not here. Metrics are served elsewhere.

mod api;
mod bytes;
mod endpoint;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod guest;
mod links;
mod listen;
mod metrics;
mod openapi;
mod patient;
mod signin;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
pub(crate) mod uri;

use std::sync::Arc;

use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::actions::Way;
use crate::node::Node;

pub use listen::{Error, SOCKET, bind};
pub use metrics::serve_metrics;
pub(crate) use stream::MEDIA_TYPE as STREAM;
pub use tls::serve_https;

/// What tells those who watch over the node how it is.
#[derive(Clone)]
pub struct Probes {
    /// Whether it can serve now.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Whether it still moves, so that restarting it would not help.
    pub live: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// Serves the API on the local socket until `stop`, then lets what is under way finish.
///
/// Only the operating-system user who runs the node, and root, are let in; each acts as
/// [`Node::owner`].
pub async fn serve_socket(
    listener: UnixListener,
    node: Node,
    probes: Probes,
    stop: CancellationToken,
) {
    let router = api::router(api::endpoints(&node), node, Way::Socket, probes);
    listen::serve(listener, router, stop).await;
}

/// Gives the description of the API: an OpenAPI 3.1 document in JSON.
pub fn openapi() -> serde_json::Value {
    openapi::document()
}
