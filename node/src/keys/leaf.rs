//! What a port presents in its handshakes: the newest certificate, swapped without a restart.
//!
//! Connections that are up keep the certificate they began with. What issues it is not here.

use std::sync::{Arc, RwLock};

use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::issue::Credential;

/// A certificate that can be replaced while a port is open; serves in both roles.
#[derive(Debug)]
pub struct Leaf(RwLock<Arc<CertifiedKey>>);

impl Leaf {
    /// Starts with this certificate.
    pub fn new(first: Arc<CertifiedKey>) -> Self {
        Self(RwLock::new(first))
    }

    /// The certificate that the next handshake presents.
    pub fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().expect("nobody panics while holding a leaf"))
    }

    /// Presents another certificate from the next handshake on.
    pub fn replace(&self, next: Arc<CertifiedKey>) {
        *self.0.write().expect("nobody panics while holding a leaf") = next;
    }
}

impl ResolvesServerCert for Leaf {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for Leaf {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A leaf under the operational certificate and what stands above that, but for the first root, as rustls
/// wants it.
pub(super) fn certified(
    (key, certificate): &Credential,
    above: &[CertificateDer<'static>],
) -> Result<CertifiedKey, rustls::Error> {
    let mut chain = vec![certificate.der().clone()];
    chain.extend_from_slice(above);
    let key = PrivateKeyDer::try_from(key.serialize_der())
        .map_err(|reason| rustls::Error::General(reason.into()))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
}
