//! The way in over HTTPS.
//!
//! Which certificate is shown, and which versions of TLS are spoken, is in the settings that are
//! handed in, not here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::listen::{self, Door};
use super::patient::Patient;
use super::signin::Peer;
use super::{Probes, api};
use crate::actions::Way;
use crate::node::Node;

/// Serves the API over HTTPS to holders of a token and who signs in until `stop`, then lets what is under way finish.
///
/// `tls` allows TLS 1.3 only, resumes no sessions, and finds its certificate anew at every
/// handshake, so that a renewed one needs no restart.
pub async fn serve_https(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    node: Node,
    probes: Probes,
    stop: CancellationToken,
) {
    let router = api::router(api::endpoints(&node), node, Way::Token, probes);
    listen::serve(Https { listener, tls }, router, stop).await;
}

struct Https {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
}

impl Door for Https {
    type Raw = TcpStream;
    type Stream = Patient<TlsStream<TcpStream>>;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.listener.accept().await?;
        Ok(stream)
    }

    fn peer(&self, stream: &TcpStream) -> Peer {
        Peer(stream.peer_addr().ok().map(|address| address.ip()))
    }

    fn open(
        &self,
        stream: TcpStream,
    ) -> impl Future<Output = Option<Self::Stream>> + Send + 'static {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.tls));
        async move {
            stream.set_nodelay(true).ok()?;
            let handshake = timeout(HANDSHAKE_TIME_MAX, acceptor.accept(stream)).await;
            let stream = handshake.ok()?.ok()?;
            Some(Patient::new(stream, UNREAD_TIME_MAX))
        }
    }
}

/// How long somebody may not read what they asked for: a film that is paused goes on by another connection.
const UNREAD_TIME_MAX: Duration = Duration::from_secs(600);
/// How long a TLS handshake may take.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::routing;
    use hyper_util::rt::TokioIo;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
    use rustls::version::TLS13;
    use rustls::{ClientConfig, RootCertStore};
    use tokio_rustls::TlsConnector;

    use super::*;

    #[tokio::test]
    async fn requests_are_answered_under_tls() {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let provider = Arc::new(default_provider());
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", routing::get(async || "here"));
        let https = Https {
            listener,
            tls: Arc::new(server),
        };
        let serving = tokio::spawn(listen::serve(https, router, stop.clone()));

        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(client));
        let stream = connector.connect(name, stream).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        drop((response, sender));

        stop.cancel();
        serving.await.unwrap();
    }

    #[test]
    fn serving_can_be_spawned() {
        fn check(_: impl Send + 'static) {}
        let serve = |listener, tls, node, probes, stop| {
            check(serve_https(listener, tls, node, probes, stop));
        };
        let _: fn(TcpListener, Arc<ServerConfig>, Node, Probes, CancellationToken) = serve;
    }
}
