//! Listening: the local socket, connections on every way in, and their end.
//!
//! Invariant: a stranger holds a bounded number of connections for a bounded time without having
//! said a whole request; and whoever connects to the socket is the user that runs the node, or root,
//! whatever the permissions of the file say.

use std::fs;
use std::future::ready;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::signin::Peer;

/// The name of the local socket in the data directory.
pub const SOCKET: &str = "api.sock";

/// Why the local socket could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something that is no socket stands in its place.
    #[error("{} is not a socket; move it away", .0.display())]
    Taken(PathBuf),
    /// The system refused.
    #[error(
        "the local socket {} could not be made; its path may have {PATH_BYTES_MAX} bytes",
        path.display()
    )]
    Bind {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Makes the local socket in the data directory, only for its owner to open. One that a node left
/// behind is replaced; so the caller holds the lock of the data directory.
///
/// # Errors
/// [`Error`] where something else stands there or the system refuses.
pub fn bind(data: &Path) -> Result<UnixListener, Error> {
    let path = data.join(SOCKET);
    match fs::symlink_metadata(&path) {
        Ok(there) if !there.file_type().is_socket() => return Err(Error::Taken(path)),
        _ => {}
    }
    // Under another name first: under its own name it is never open to anybody else.
    let fresh = data.join("api.new");
    let made = || {
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&fresh)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
        fs::rename(&fresh, &path)?;
        Ok(listener)
    };
    made().map_err(|source| Error::Bind { path, source })
}

/// A way in: what is accepted on it, and what that becomes once it is known to be fit.
pub(super) trait Door {
    /// What the system accepts.
    type Raw: Send;
    /// What carries requests.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for a connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Raw>> + Send;

    /// From where a connection comes, where it comes over a network.
    fn peer(&self, _: &Self::Raw) -> Peer {
        Peer(None)
    }

    /// Examines a connection or shakes hands on it; none where it is not fit.
    fn open(&self, raw: Self::Raw) -> impl Future<Output = Option<Self::Stream>> + Send + 'static;
}

impl Door for UnixListener {
    type Raw = UnixStream;
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = Self::accept(self).await?;
        Ok(stream)
    }

    fn open(&self, stream: UnixStream) -> impl Future<Output = Option<UnixStream>> + 'static {
        ready(is_owner(&stream).then_some(stream))
    }
}

/// Accepts connections until `stop`, at most [`CONNECTIONS_MAX`] at once; then gives those that are
/// open some time to finish what they are at.
pub(super) async fn serve(door: impl Door, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = door.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok(stream) => {
                    let peer = door.peer(&stream);
                    let (opened, router, stop) = (door.open(stream), router.clone(), stop.clone());
                    connections.spawn(async move {
                        if let Some(stream) = opened.await {
                            converse(stream, peer, router, stop).await;
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the API could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    let finished = async { while connections.join_next().await.is_some() {} };
    if timeout(FINISH_TIME_MAX, finished).await.is_err() {
        tracing::warn!("requests to the API were cut off: they took too long to finish");
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    stop: CancellationToken,
) {
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the API ended early");
    }
}

fn is_owner(stream: &UnixStream) -> bool {
    let Ok(peer) = stream.peer_cred() else {
        return false;
    };
    let is_owner = may_enter(peer.uid(), rustix::process::geteuid().as_raw());
    if !is_owner {
        tracing::warn!(
            uid = peer.uid(),
            "somebody else was refused at the local socket"
        );
    }
    is_owner
}

/// Whether a user of the system may come in by the local socket of a node that `own` runs.
const fn may_enter(user: u32, own: u32) -> bool {
    user == own || user == ROOT
}

/// The user of the system who may do anything there anyway.
const ROOT: u32 = 0;

/// Connections at once on one way in: a person's browser holds six.
const CONNECTIONS_MAX: usize = 256;

/// How long a request's headers may take, and a connection may stand idle.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);

/// What a connection buffers: above all, the most that a request's headers may have.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// How long what is under way may take once the node stops.
const FINISH_TIME_MAX: Duration = Duration::from_secs(10);

/// Before trying again where the system refuses connections, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The longest path of a socket that systems take, in bytes, without its final zero.
const PATH_BYTES_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_node_s_user_and_root_come_in_by_the_socket() {
        assert!(may_enter(1000, 1000));
        assert!(may_enter(0, 1000));
        assert!(!may_enter(1001, 1000));
        assert!(!may_enter(1000, 0));
    }
}
