//! The certificates of one organisation: what each says, and for how long.
//!
//! root (Ed25519, 20 years) → operational (P-256, 180 days) → leaves. A root that was handed over to is
//! certified by the one before, so that the first one stands behind all of it for ever. A leaf that signs logs and a
//! leaf that speaks TLS differ in their extended key usage, so that neither can stand in for the
//! other. Every certificate starts an hour early, for clocks that differ. Files are not here.

use std::net::IpAddr;

use aws_lc_rs::signature::Ed25519KeyPair;
use chrono::{DateTime, Duration, Utc};
use interdocket_sync::identity::OrganisationId;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

/// How long a root is valid.
pub(super) const ROOT: Duration = Duration::days(20 * 365);
/// How long an operational certificate is valid.
pub(super) const OPERATIONAL: Duration = Duration::days(180);
/// How long a certificate for the federation port is valid.
pub(super) const TLS: Duration = Duration::days(7);
/// How long a certificate for the API is valid at most.
pub(super) const HTTPS: Duration = Duration::days(90);

/// Who a certificate is about and from when on it counts.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    /// The organisation that every certificate but that of the API names.
    pub(super) organisation: OrganisationId,
    /// The moment of issuing.
    pub(super) now: DateTime<Utc>,
}

/// A new key and the certificate that names it.
pub(super) type Credential = (KeyPair, Certificate);

/// Makes an Ed25519 key, in the form that openssl reads (PKCS #8 version 1).
pub(super) fn ed25519() -> Result<KeyPair, rcgen::Error> {
    let rejected = |_| rcgen::Error::KeyGenerationUnavailable;
    let key = Ed25519KeyPair::generate()
        .and_then(|key| key.to_pkcs8v1())
        .map_err(rejected)?;
    KeyPair::try_from(key.as_ref())
}

/// The id of the organisation whose first root has this public key.
pub(super) fn identify(root: &KeyPair) -> OrganisationId {
    OrganisationId::from_bytes(Sha256::digest(root.subject_public_key_info()).into())
}

/// Certifies a root by itself.
pub(super) fn root(
    key: &KeyPair,
    name: &str,
    subject: Subject,
) -> Result<Certificate, rcgen::Error> {
    let mut params = authority(name, 1, subject.until(ROOT))?;
    params.subject_alt_names = vec![subject.san()?];
    params.self_signed(key)
}

/// Certifies the root that follows, by the root with this name.
pub(super) fn successor(
    old: &KeyPair,
    new: &KeyPair,
    name: &str,
    subject: Subject,
) -> Result<Certificate, rcgen::Error> {
    let mut params = authority(name, SUCCESSORS, subject.until(ROOT))?;
    params.subject_alt_names = vec![subject.san()?];
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = usages();
    let names = authority(name, 1, subject.until(ROOT))?;
    params.signed_by(new, &Issuer::from_params(&names, old))
}

/// Makes an operational key, certified by the root with this name.
pub(super) fn operational(
    root: &KeyPair,
    name: &str,
    subject: Subject,
) -> Result<Credential, rcgen::Error> {
    let mut params = authority(OPERATIONAL_NAME, 0, subject.until(OPERATIONAL))?;
    params.subject_alt_names = vec![subject.san()?];
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = usages();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let names = authority(name, 1, subject.until(ROOT))?;
    let certificate = params.signed_by(&key, &Issuer::from_params(&names, root))?;
    Ok((key, certificate))
}

/// What an authority between a root and the leaves must name for each of these to count.
fn usages() -> Vec<ExtendedKeyUsagePurpose> {
    vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::Other(DOCUMENT_SIGNING.to_vec()),
    ]
}

/// Makes a key that signs logs; valid as long as the operational one.
pub(super) fn signing(
    operational: &KeyPair,
    subject: Subject,
    end: DateTime<Utc>,
) -> Result<Credential, rcgen::Error> {
    let mut params = leaf("Interdocket signing key", (subject.now, end))?;
    params.subject_alt_names = vec![subject.san()?];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(DOCUMENT_SIGNING.to_vec())];
    certify(operational, ed25519()?, params)
}

/// Makes a key for the federation port; both roles, since who dials says nothing.
pub(super) fn tls(
    operational: &KeyPair,
    subject: Subject,
    end: DateTime<Utc>,
) -> Result<Credential, rcgen::Error> {
    certify(operational, ed25519()?, node(subject, end)?)
}

fn node(subject: Subject, end: DateTime<Utc>) -> Result<CertificateParams, rcgen::Error> {
    let end = end.min(subject.now + TLS);
    let mut params = leaf("Interdocket node", (subject.now, end))?;
    params.subject_alt_names = vec![subject.san()?];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Ok(params)
}

/// Makes a certificate for the federation port that differs from a proper one.
#[cfg(test)]
pub(super) fn forge(
    operational: &KeyPair,
    subject: Subject,
    change: impl FnOnce(&mut CertificateParams),
) -> Credential {
    let mut params = node(subject, subject.now + TLS).unwrap();
    change(&mut params);
    certify(operational, ed25519().unwrap(), params).unwrap()
}

/// Makes a key for the API under DNS names and addresses; P-256, since browsers know no Ed25519.
pub(super) fn https(
    operational: &KeyPair,
    names: &[String],
    now: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Result<Credential, rcgen::Error> {
    let mut params = leaf("Interdocket console", (now, end.min(now + HTTPS)))?;
    params.subject_alt_names = names
        .iter()
        .map(|name| host(name))
        .collect::<Result<_, _>>()?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    certify(
        operational,
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?,
        params,
    )
}

impl Subject {
    fn san(&self) -> Result<SanType, rcgen::Error> {
        Ok(SanType::URI(self.organisation.uri().try_into()?))
    }

    fn until(&self, lifetime: Duration) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.now, self.now + lifetime)
    }
}

fn host(name: &str) -> Result<SanType, rcgen::Error> {
    Ok(match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into()?),
    })
}

fn certify(
    operational: &KeyPair,
    key: KeyPair,
    mut params: CertificateParams,
) -> Result<Credential, rcgen::Error> {
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = named(OPERATIONAL_NAME);
    let certificate = params.signed_by(&key, &Issuer::from_params(&issuer, operational))?;
    Ok((key, certificate))
}

fn authority(
    name: &str,
    depth: u8,
    validity: (DateTime<Utc>, DateTime<Utc>),
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = leaf(name, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(depth));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf(
    name: &str,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.not_before = moment(start - EARLY)?;
    params.not_after = moment(end)?;
    Ok(params)
}

fn named(name: &str) -> rcgen::DistinguishedName {
    let mut names = rcgen::DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn moment(at: DateTime<Utc>) -> Result<OffsetDateTime, rcgen::Error> {
    OffsetDateTime::from_unix_timestamp(at.timestamp()).map_err(|_| rcgen::Error::Time)
}

/// Certificates between a root and a leaf that webpki follows at most; one of them is the operational one.
pub(super) const SUCCESSORS: u8 = 5;
const OPERATIONAL_NAME: &str = "Interdocket operational key";
const EARLY: Duration = Duration::hours(1);
/// id-kp-documentSigning, RFC 9336.
const DOCUMENT_SIGNING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 36];
