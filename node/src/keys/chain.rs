//! What a certificate says, and whether a pinned root stands behind it.
//!
//! Used in three places by the same rule: the federation port in both of its roles, and signatures
//! of logs. A certificate names exactly one organisation, by a URI; no DNS name, subject or issuer
//! text ever decides. Which roots are pinned is not here.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use chrono::{DateTime, Utc};
use interdocket_sync::identity::{OrganisationId, Unverified};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sha2::{Digest as _, Sha256};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What a certificate is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Signing logs, heads, terms and receipts.
    Signing,
    /// Dialling.
    Client,
    /// Being dialled.
    Server,
}

impl Usage {
    const fn required(self) -> KeyUsage {
        KeyUsage::required(match self {
            Self::Signing => &[43, 6, 1, 5, 5, 7, 3, 36],
            Self::Client => &[43, 6, 1, 5, 5, 7, 3, 2],
            Self::Server => &[43, 6, 1, 5, 5, 7, 3, 1],
        })
    }
}

/// The organisation whose first root this certificate is, if it is one: a certificate authority
/// whose URI names the digest of its own public key.
pub fn organisation(root: &[u8]) -> Option<OrganisationId> {
    let certificate = parse(root)?;
    let authority = certificate.basic_constraints().ok()??.value.ca;
    let key = Sha256::digest(certificate.public_key().raw);
    let organisation = OrganisationId::from_bytes(key.into());
    let named = subject(&CertificateDer::from(root)) == Some(organisation);
    (authority && named).then_some(organisation)
}

/// The organisation that a certificate names: exactly one URI, and that of an organisation.
pub fn subject(certificate: &CertificateDer<'_>) -> Option<OrganisationId> {
    let certificate = parse(certificate)?;
    let names = certificate.subject_alternative_name().ok()??;
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            x509_parser::extensions::GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
    let uri = uris.next()?;
    if uris.next().is_some() {
        return None;
    }
    OrganisationId::from_uri(uri).ok()
}

/// When a certificate begins and ends to count.
pub fn validity(certificate: &[u8]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let validity = &parse(certificate)?.validity;
    let moment = |time: x509_parser::time::ASN1Time| DateTime::from_timestamp(time.timestamp(), 0);
    Some((moment(validity.not_before)?, moment(validity.not_after)?))
}

/// The common name of a certificate's subject.
pub fn name(certificate: &[u8]) -> Option<String> {
    let certificate = parse(certificate)?;
    let name = certificate
        .subject()
        .iter_common_name()
        .next()?
        .as_str()
        .ok()?;
    Some(name.to_owned())
}

/// Whether a certificate is about this public key (SubjectPublicKeyInfo, DER) and its dates are
/// readable.
pub(super) fn holds(certificate: &[u8], key: Vec<u8>) -> bool {
    parse(certificate).is_some_and(|found| found.public_key().raw == key)
        && validity(certificate).is_some()
}

/// Whether `issuer` signed `leaf`, whatever the time.
pub(super) fn issued(leaf: &CertificateDer<'_>, issuer: &[u8]) -> bool {
    leads(leaf, &[], issuer) == Some(Ok(()))
}

/// Whether a certificate that signs leads to a root, whatever the time now; none where one of them is none.
pub(super) fn leads(
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    root: &[u8],
) -> Option<Result<(), Unverified>> {
    let ((start, _), anchor) = (validity(leaf)?, anchor(root)?);
    let at = u64::try_from(start.timestamp()).unwrap_or_default();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at));
    let leaf = EndEntityCert::try_from(leaf).ok()?;
    Some(check(&leaf, above, &anchor, Usage::Signing, at).map(drop))
}

/// Whether a root is signed by itself, and is what was signed in what its signature does not cover.
pub(super) fn itself(root: &[u8]) -> bool {
    let rest = root.len().checked_sub(SIGNED_BY_ED25519.len() + 64);
    let named = rest.is_some_and(|rest| root[rest..].starts_with(&SIGNED_BY_ED25519));
    named
        && parse(root).is_some_and(|root| {
            let key = &root.public_key().subject_public_key.data;
            let signed = root.tbs_certificate.as_ref();
            UnparsedPublicKey::new(&ED25519, key)
                .verify(signed, &root.signature_value.data)
                .is_ok()
        })
}

/// What stands before the signature of a root, DER: the algorithm, and a string of 512 bits.
const SIGNED_BY_ED25519: [u8; 10] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x41, 0];

/// A root as what a chain may lead to.
pub(super) fn anchor(root: &[u8]) -> Option<TrustAnchor<'static>> {
    let der = CertificateDer::from(root);
    webpki::anchor_from_trusted_cert(&der)
        .ok()
        .map(|anchor| anchor.to_owned())
}

/// Whether `anchor` stands behind a leaf for this usage at this time; gives the root under which its operational
/// key is, where that is another one that was handed over to since.
pub(super) fn check(
    leaf: &EndEntityCert<'_>,
    above: &[CertificateDer<'_>],
    anchor: &TrustAnchor<'static>,
    usage: Usage,
    at: UnixTime,
) -> Result<Option<CertificateDer<'static>>, Unverified> {
    let anchors = std::slice::from_ref(anchor);
    match leaf.verify_for_usage(ALGORITHMS, anchors, above, at, usage.required(), None, None) {
        Ok(path) => {
            // The operational certificate comes first.
            let later = path.intermediate_certificates().nth(1);
            Ok(later.map(|root| root.der().into_owned()))
        }
        Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }) => {
            Err(Unverified::Expired)
        }
        Err(_) => Err(Unverified::Chain),
    }
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Some(certificate),
        _ => None,
    }
}

/// What roots and operational keys sign with.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::aws_lc_rs::ED25519,
    webpki::aws_lc_rs::ECDSA_P256_SHA256,
];
