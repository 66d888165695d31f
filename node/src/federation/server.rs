//! The federation port: lets partners in, and serves calls on connections of either direction.
//!
//! Strangers cost a bounded number of handshakes of bounded time. Every call is refused unless its
//! partner is trusted at that moment. What a call may see is not decided here.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::{Service, ServiceExt as _};

use super::link::Link;
use super::net::{Listener, Stream};
use super::places::Places;
use super::source::Source;
use super::{Limits, Transport, dial, reverse, tls};

/// Accepts connections until told to stop.
pub(super) async fn serve(
    transport: &Transport,
    listener: Listener,
    routes: Routes,
    stop: CancellationToken,
) {
    let routes = routes.prepare();
    let greet = |socket, _| {
        let (transport, routes, stop) = (transport.clone(), routes.clone(), stop.clone());
        async move {
            let link = handshake(&transport, socket).await?;
            Some(async move { take(&transport, link, routes, stop).await })
        }
    };
    let patience = transport.0.limits.handshake;
    accept(listener, &transport.0.places, patience, &stop, greet).await;
}

/// Accepts sockets, unauthenticated ones where there is a place only; what `greet` gives for one that is
/// let in runs without holding its place.
pub(super) async fn accept<G, S>(
    listener: Listener,
    places: &Places,
    patience: Duration,
    stop: &CancellationToken,
    greet: impl Fn(Stream, Source) -> G,
) where
    G: Future<Output = Option<S>> + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    loop {
        let socket = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = running.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (socket, source) = match socket {
            Ok((socket, address)) => (socket, Source::of(address.ip())),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors: they come back when connections end.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(place) = places.take(source) else {
            tracing::debug!("too many handshakes under way, a connection was dropped");
            continue;
        };
        let greeting = greet(socket, source);
        running.spawn(async move {
            let served = tokio::time::timeout(patience, greeting).await;
            drop(place);
            if let Ok(Some(serving)) = served {
                serving.await;
            }
        });
    }
    drop(listener);
    while running.join_next().await.is_some() {}
}

async fn handshake(transport: &Transport, socket: Stream) -> Option<Link> {
    let acceptor = TlsAcceptor::from(Arc::clone(&transport.0.server));
    // Small calls must not wait for acknowledgements of earlier ones.
    socket.set_nodelay(true).ok()?;
    let stream = acceptor.accept(socket).await.inspect_err(|error| {
        tracing::debug!(%error, "a handshake was refused");
    });
    dial::admit(transport, stream.ok()?.into()).ok()
}

async fn take(transport: &Transport, link: Link, routes: Routes, stop: CancellationToken) {
    match link.protocol() {
        Some(tls::FORWARD) => {
            transport.nudge(link.peer().organisation);
            run(transport, link, routes, stop).await;
        }
        Some(tls::REVERSE) => tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = reverse::receive(transport, link) => {}
        },
        // A peer that offers no protocol passes the handshake all the same.
        _ => {}
    }
}

/// Serves calls on a link until it ends or the node stops.
pub(super) async fn run(
    transport: &Transport,
    link: Link,
    routes: Routes,
    stop: CancellationToken,
) {
    let (transport, peer) = (transport.clone(), link.peer());
    let limits = transport.0.limits;
    let (heard, kill) = (link.heard(), link.kill());
    // Before the first frame nothing asks whether the other side is still there.
    let silence = async move {
        tokio::time::sleep(limits.connect).await;
        if !heard.load(Ordering::Relaxed) {
            kill.cancel();
        }
        std::future::pending().await
    };
    let service = tower::service_fn(move |mut request: Request<Incoming>| {
        let routes = routes.clone();
        let transport = transport.clone();
        request.extensions_mut().insert(peer);
        async move {
            if !transport.trusted(peer.organisation) {
                return Ok(Status::permission_denied("not a partner").into_http());
            }
            let (head, body) = request.into_parts();
            match transport.0.arrivals.receive(peer.organisation, body).await {
                Ok(body) => {
                    let request = Request::from_parts(head, Body::new(body));
                    routes.oneshot(request).await
                }
                Err(late) => Ok(late.into_http()),
            }
        }
    });
    tokio::select! {
            biased;
        () = http2(link, service, &limits, stop) => {}
        () = silence => {}
    }
}

/// Runs HTTP/2 on a connection, within the limits that every port of a node has.
pub(super) async fn http2<S>(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: S,
    limits: &Limits,
    stop: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(256)
        .max_header_list_size(HEADERS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
            biased;
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.drain, connection).await {
                Ok(ended) => ended,
                Err(_) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Calls at once on one connection.
const STREAMS: u32 = 64;
/// Bytes of headers in one call.
pub(super) const HEADERS: u32 = 16 * 1024;
/// Bytes that may be under way to us in one call.
pub(super) const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
/// Bytes that may be under way to us on one connection.
pub(super) const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
