//! Pairing over the network: the port that serves nothing else, and accepting an invitation.
//!
//! Strangers may come here, so everything is bounded: places, time, bytes, and refusals from one
//! source. The port shows the whole chain up to the root, whose fingerprint the accepter knows from
//! the invitation. What is said is judged by `sync`, and stored by whoever implements [`Ceremony`].

mod knocks;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::Request;
use hyper_util::rt::TokioIo;
use interdocket_proto::v1;
use interdocket_proto::v1::pairing_client::PairingClient;
use interdocket_proto::v1::pairing_server::{Pairing, PairingServer};
use interdocket_sync::identity::{Claim, OrganisationId, Signer, Unverified, Verifier as _};
use interdocket_sync::pairing::{
    Accepter, Candidate, Certificates, Dead, Invitation, Profile, Refusal, Words,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, SignatureScheme};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tower::ServiceExt as _;

use self::knocks::Knocks;
use super::net::{Listener, Stream};
use super::places::Places;
use super::source::Source;
use super::{Limits, dial, server, tls};
use crate::chance;
use crate::keys::{Keys, Leaf, Pins, Usage, chain};

/// The application protocol of the pairing port.
const PROTOCOL: &[u8] = b"interdocket-pairing/1";
/// How long a connection of the pairing port lasts at most.
const VISIT: Duration = Duration::from_secs(30);
/// Bytes of a message at most; a root and a chain take about 2 KiB.
const MESSAGE: usize = 64 * 1024;

/// Answers those who accept this node's invitations; what it answers is stored before.
#[tonic::async_trait]
pub trait Ceremony: Send + Sync + 'static {
    /// Answers who begins, by [`interdocket_sync::pairing::Inviter::begin`].
    async fn begin(&self, request: v1::BeginRequest) -> Result<v1::BeginResponse, Refusal>;

    /// Answers who reveals, by [`interdocket_sync::pairing::Inviter::reveal`].
    async fn reveal(&self, request: v1::RevealRequest) -> Result<v1::RevealResponse, Refusal>;
}

/// Why an invitation could not be accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The inviter's node is not reached.
    #[error("cannot reach the node that the invitation names")]
    Dial(#[source] dial::Error),
    /// Something does not fit, as seen from here.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The inviter does not take the invitation; it does not say why.
    #[error("the other side does not take this invitation: ask for a new one")]
    Refused,
    /// The call failed on the way.
    #[error("the connection to the other side failed")]
    Call(#[source] Box<Status>),
}

/// The English words of BIP 39 that people compare.
pub fn spell(words: Words) -> [&'static str; 4] {
    let list = bip39::Language::English.word_list();
    words.places().map(|place| list[usize::from(place)])
}

/// How pairing judges certificates that nobody has pinned yet.
#[derive(Debug, Clone, Copy)]
pub struct Unpinned;

impl Certificates for Unpinned {
    fn organisation(&self, root: &[u8]) -> Option<OrganisationId> {
        chain::organisation(root)
    }

    fn verify(&self, root: &[u8], claim: &Claim<'_>) -> Result<(), Unverified> {
        let pins = Pins::default();
        pins.set(claim.organisation, root)
            .map_err(|_| Unverified::NoRoot)?;
        pins.verify(claim)
    }
}

/// Serves the pairing port until told to stop.
///
/// # Errors
/// What the TLS library refuses.
pub async fn serve(
    listener: Listener,
    keys: &Keys,
    clock: Arc<dyn TimeProvider>,
    ceremony: Arc<dyn Ceremony>,
    stop: CancellationToken,
) -> Result<(), rustls::Error> {
    let limits = Limits {
        handshake: VISIT,
        ..Limits::default()
    };
    let acceptor = TlsAcceptor::from(Arc::new(listening(keys, clock)?));
    let knocks = Arc::new(Knocks::default());
    let desk = Desk {
        ceremony,
        knocks: Arc::clone(&knocks),
    };
    let routes = Routes::new(
        PairingServer::new(desk)
            .max_decoding_message_size(MESSAGE)
            .max_encoding_message_size(MESSAGE),
    );
    let routes = routes.prepare();
    let token = stop.clone();
    let greet = move |socket: Stream, source: Source| {
        let welcome = !knocks.tired(source, Instant::now());
        let (acceptor, routes, stop) = (acceptor.clone(), routes.clone(), token.clone());
        async move {
            if welcome {
                visit(socket, source, acceptor, routes, (limits, stop)).await;
            }
            None::<std::future::Ready<()>>
        }
    };
    let places = Places::new(limits.handshakes);
    server::accept(listener, &places, limits.handshake, &stop, greet).await;
    Ok(())
}

/// Serves one stranger, for as long as a ceremony may take.
async fn visit(
    socket: Stream,
    source: Source,
    acceptor: TlsAcceptor,
    routes: Routes,
    (limits, stop): (Limits, CancellationToken),
) {
    let patience = Limits::default().handshake;
    let Ok(Ok(stream)) = tokio::time::timeout(patience, acceptor.accept(socket)).await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
        return;
    }
    let service = tower::service_fn(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(source);
        routes.clone().oneshot(request.map(Body::new))
    });
    server::http2(stream, service, &limits, stop).await;
}

/// Accepts an invitation; gives who is to be stored, awaiting confirmation.
///
/// # Errors
/// [`Error`] says what stands between; nothing is to be stored then.
pub async fn accept(
    invitation: Invitation,
    me: &Profile,
    signer: &(dyn Signer + Sync),
    clock: Arc<dyn TimeProvider>,
    limits: &Limits,
) -> Result<Candidate, Error> {
    let now = now(&*clock).ok_or(Refusal::Invitation(Dead::Expired))?;
    let nonce = chance::bytes();
    let channel = connect(&invitation, clock, limits)
        .await
        .map_err(Error::Dial)?;
    let mut client = PairingClient::new(channel).max_decoding_message_size(MESSAGE);
    let (accepter, request) = Accepter::begin(invitation, me, nonce, &Unpinned, now)?;
    let response = call(limits, client.begin(request)).await?;
    let (answered, request) = accepter.answered(&response, signer, &Unpinned)?;
    let response = call(limits, client.reveal(request)).await?;
    Ok(answered.finish(&response)?)
}

async fn call<T>(
    limits: &Limits,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Error> {
    let late = || Err(Status::deadline_exceeded("no answer in time"));
    let answer = tokio::time::timeout(limits.connect, call)
        .await
        .unwrap_or_else(|_| late());
    match answer {
        Ok(response) => Ok(response.into_inner()),
        Err(status) => Err(match status.code() {
            Code::FailedPrecondition => Refusal::Version.into(),
            Code::PermissionDenied => Error::Refused,
            _ => Error::Call(Box::new(status)),
        }),
    }
}

async fn connect(
    invitation: &Invitation,
    clock: Arc<dyn TimeProvider>,
    limits: &Limits,
) -> Result<Channel, dial::Error> {
    let verifier = Invited {
        organisation: invitation.organisation,
        fingerprint: invitation.fingerprint,
    };
    let mut config = tls::dialling(Arc::new(verifier), &clock)?.with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    tls::secretive(&mut config);
    let opening = dial::open(&invitation.address, config, limits.private);
    let stream = tokio::time::timeout(limits.handshake, opening).await;
    let stream = stream.map_err(|_| dial::Error::Timeout(limits.handshake))??;
    if stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
        return Err(dial::Error::Protocol);
    }
    let mut once = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_: http::Uri| {
        let stream = once.take();
        async move { stream.ok_or_else(|| io::Error::other("the connection has ended")) }
    });
    Ok(dial::endpoint(limits).connect_with_connector_lazy(connector))
}

fn listening(keys: &Keys, clock: Arc<dyn TimeProvider>) -> Result<ServerConfig, rustls::Error> {
    let root = CertificateDer::from(keys.root_der().to_vec());
    let mut config = ServerConfig::builder_with_details(tls::provider(), clock)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(UpToRoot {
            leaf: keys.tls(),
            root,
        }));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    tls::full_handshakes(&mut config);
    Ok(config)
}

fn now(clock: &dyn TimeProvider) -> Option<DateTime<Utc>> {
    let seconds = i64::try_from(clock.current_time()?.as_secs()).ok()?;
    DateTime::from_timestamp(seconds, 0)
}

/// Presents the node's certificate with all that stands above it.
#[derive(Debug)]
struct UpToRoot {
    leaf: Arc<Leaf>,
    root: CertificateDer<'static>,
}

impl ResolvesServerCert for UpToRoot {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let leaf = self.leaf.current();
        let mut whole = CertifiedKey::new(leaf.cert.clone(), Arc::clone(&leaf.key));
        whole.cert.push(self.root.clone());
        Some(Arc::new(whole))
    }
}

/// Accepts the node of the organisation that an invitation names.
#[derive(Debug)]
struct Invited {
    organisation: OrganisationId,
    fingerprint: [u8; 32],
}

impl ServerCertVerifier for Invited {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let refused = || tls::refuse(Unverified::NoRoot);
        let root = above.last().ok_or_else(refused)?;
        if <[u8; 32]>::from(Sha256::digest(root)) != self.fingerprint {
            return Err(refused());
        }
        let pins = Pins::default();
        pins.set(self.organisation, root).map_err(|_| refused())?;
        pins.check(leaf, above, Usage::Server, now)
            .map_err(tls::refuse)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        tls::old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        tls::signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        tls::schemes()
    }
}

/// The service of the pairing port.
struct Desk {
    ceremony: Arc<dyn Ceremony>,
    knocks: Arc<Knocks>,
}

#[tonic::async_trait]
impl Pairing for Desk {
    async fn begin(
        &self,
        request: tonic::Request<v1::BeginRequest>,
    ) -> Result<Response<v1::BeginResponse>, Status> {
        let source = self.source(&request)?;
        let answer = self.ceremony.begin(request.into_inner()).await;
        answer
            .map(Response::new)
            .map_err(|refusal| self.refuse(source, refusal))
    }

    async fn reveal(
        &self,
        request: tonic::Request<v1::RevealRequest>,
    ) -> Result<Response<v1::RevealResponse>, Status> {
        let source = self.source(&request)?;
        let answer = self.ceremony.reveal(request.into_inner()).await;
        answer
            .map(Response::new)
            .map_err(|refusal| self.refuse(source, refusal))
    }
}

impl Desk {
    /// Where a call comes from, unless too many from there were refused.
    fn source<T>(&self, request: &tonic::Request<T>) -> Result<Source, Status> {
        let source = request.extensions().get::<Source>().copied();
        let welcome = source.filter(|source| !self.knocks.tired(*source, Instant::now()));
        welcome.ok_or_else(|| told(Refusal::Invitation(Dead::Burnt)))
    }

    fn refuse(&self, source: Source, refusal: Refusal) -> Status {
        self.knocks.refused(source, Instant::now());
        tracing::info!(%source, %refusal, "pairing was refused");
        told(refusal)
    }
}

/// What a stranger learns of a refusal: nothing about the invitation.
fn told(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Version => Status::failed_precondition("another version of pairing"),
        _ => Status::permission_denied("the invitation does not count"),
    }
}
