//! TLS between nodes: 1.3 only, both sides authenticated, every handshake a full one.
//!
//! A handshake succeeds where the peer's certificate names an organisation whose pinned root stands
//! behind it at this moment; a dialler also demands that it is the organisation it dialled. No list
//! of accepted authorities, no server name and no ticket tells a stranger who our partners are.
//! That somebody was let in says nothing about the next call: pins are asked again by whoever
//! serves it, and connections of a partner that is no longer trusted are cut by the registry.

use std::sync::Arc;

use interdocket_sync::identity::{OrganisationId, Unverified};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::clock::Clock;
use crate::keys::{Leaf, Pins, Usage};

/// The application protocol of a connection on which the dialler calls.
pub const FORWARD: &[u8] = b"h2";
/// The application protocol of a connection on which the dialler serves.
pub const REVERSE: &[u8] = b"interdocket-reverse/1";

/// What every TLS configuration of a node is made of.
#[derive(Debug, Clone)]
pub struct Tls {
    /// What this node presents.
    pub leaf: Arc<Leaf>,
    /// Whom it lets in.
    pub pins: Pins,
    /// What time it is.
    pub clock: Arc<dyn TimeProvider>,
}

impl Tls {
    /// How the federation port is served: both protocols, partners only.
    ///
    /// # Errors
    /// What the TLS library refuses.
    pub fn server(&self) -> Result<ServerConfig, rustls::Error> {
        let verifier = Arc::new(Partners {
            pins: self.pins.clone(),
        });
        let leaf = Arc::clone(&self.leaf);
        let mut config = ServerConfig::builder_with_details(provider(), Arc::clone(&self.clock))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(leaf);
        config.alpn_protocols = vec![REVERSE.to_vec(), FORWARD.to_vec()];
        full_handshakes(&mut config);
        Ok(config)
    }

    /// How one partner is dialled, under [`FORWARD`] or [`REVERSE`].
    ///
    /// # Errors
    /// What the TLS library refuses.
    pub fn client(
        &self,
        partner: OrganisationId,
        protocol: &[u8],
    ) -> Result<ClientConfig, rustls::Error> {
        let verifier = Arc::new(Partner {
            pins: self.pins.clone(),
            partner,
        });
        let leaf = Arc::clone(&self.leaf);
        let mut config = dialling(verifier, &self.clock)?.with_client_cert_resolver(leaf);
        config.alpn_protocols = vec![protocol.to_vec()];
        secretive(&mut config);
        Ok(config)
    }
}

/// The cryptography that TLS runs on.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// How the API is served over HTTPS: no client certificate, no resumption.
///
/// # Errors
/// What the TLS library refuses.
pub(super) fn https(leaf: Arc<Leaf>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(leaf);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    full_handshakes(&mut config);
    Ok(config)
}

/// Leaves a server nothing by which a handshake could be shortened.
pub(super) fn full_handshakes(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
}

/// Leaves a client nothing by which a handshake could be shortened or a name be seen.
pub(super) fn secretive(config: &mut ClientConfig) {
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
}

/// A client's configuration under an own verifier, up to what it presents.
pub(super) fn dialling(
    verifier: Arc<dyn ServerCertVerifier>,
    clock: &Arc<dyn TimeProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, rustls::Error> {
    Ok(
        ClientConfig::builder_with_details(provider(), Arc::clone(clock))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier),
    )
}

/// Any name will do: names are not sent and not compared.
pub(super) fn nameless() -> ServerName<'static> {
    ServerName::IpAddress(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED).into())
}

/// Why a chain is refused, in the words of TLS.
pub(super) fn refuse(reason: Unverified) -> rustls::Error {
    rustls::Error::InvalidCertificate(match reason {
        Unverified::Expired => CertificateError::Expired,
        _ => CertificateError::UnknownIssuer,
    })
}

/// Checks the signature of a handshake.
pub(super) fn signed(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let algorithms = provider().signature_verification_algorithms;
    verify_tls13_signature(message, certificate, signature, &algorithms)
}

/// The signature schemes that a peer may use.
pub(super) fn schemes() -> Vec<SignatureScheme> {
    vec![
        SignatureScheme::ED25519,
        SignatureScheme::ECDSA_NISTP256_SHA256,
    ]
}

/// TLS 1.2 is not spoken.
pub(super) fn old() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(rustls::PeerIncompatible::Tls12NotOffered.into())
}

/// Lets partners in who dial.
#[derive(Debug)]
struct Partners {
    pins: Pins,
}

impl ClientCertVerifier for Partners {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.pins
            .check(leaf, above, Usage::Client, now)
            .map_err(refuse)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

/// Accepts the one partner that was dialled.
#[derive(Debug)]
struct Partner {
    pins: Pins,
    partner: OrganisationId,
}

impl ServerCertVerifier for Partner {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = self
            .pins
            .check(leaf, above, Usage::Server, now)
            .map_err(refuse)?;
        if found.organisation != self.partner {
            return Err(CertificateError::NotValidForName.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

/// The node's clock as the TLS library asks for it.
pub struct Wall(pub Arc<dyn Clock>);

impl std::fmt::Debug for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wall")
    }
}

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().timestamp()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            seconds,
        )))
    }
}
