//! Who is who: ids of organisations, nodes' keys and the people they speak for.
//!
//! How a certificate is encoded or verified is not here: a [`Verifier`] comes in as an argument.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::hex;

/// The identity of an organisation: SHA-256 of the public key (SubjectPublicKeyInfo, DER) of its
/// first root. It never changes; later roots are handed over to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrganisationId(#[serde(with = "hex")] [u8; 32]);

impl OrganisationId {
    /// Wraps the digest of a root's public key.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of the first root's public key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The URI that names this organisation in the SAN of its certificates.
    pub fn uri(&self) -> String {
        format!("{URI_PREFIX}{self}")
    }

    /// Reads the URI of a certificate's SAN.
    ///
    /// # Errors
    /// [`ParseIdError`] where it is not the URI of an organisation.
    pub fn from_uri(uri: &str) -> Result<Self, ParseIdError> {
        uri.strip_prefix(URI_PREFIX).ok_or(ParseIdError)?.parse()
    }
}

impl fmt::Display for OrganisationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for OrganisationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for OrganisationId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        hex::read(text).map(Self).ok_or(ParseIdError)
    }
}

/// A text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: 64 lower-case hexadecimal digits are expected")]
pub struct ParseIdError;

/// Signs for this node's organisation, with its signing key.
pub trait Signer {
    /// Signs a message that already carries its type tag. Ed25519, 64 bytes.
    fn sign(&self, message: &[u8]) -> [u8; 64];

    /// The certificates that stand behind the signing key: leaf first, root last, each DER.
    fn certificates(&self) -> &[Vec<u8>];
}

/// Checks the signatures of organisations whose roots this node has pinned.
pub trait Verifier {
    /// Whether `signature` over `message` was made by the signing key of `organisation`: the chain
    /// leads to a pinned root, names the organisation, is of signing use, and was valid at `at`.
    ///
    /// # Errors
    /// [`Unverified`] says which of these does not hold.
    fn verify(&self, claim: &Claim<'_>) -> Result<(), Unverified>;
}

/// A signature that somebody says an organisation made.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Who is said to have signed.
    pub organisation: OrganisationId,
    /// The certificates, leaf first, root last, each DER.
    pub certificates: &'a [Vec<u8>],
    /// The bytes that were signed, type tag included.
    pub message: &'a [u8],
    /// Ed25519, 64 bytes.
    pub signature: &'a [u8],
    /// When it is said to have been signed.
    pub at: DateTime<Utc>,
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unverified {
    /// No root of that organisation is pinned here.
    #[error("no root of the organisation is pinned")]
    NoRoot,
    /// The certificates do not lead to a pinned root, or name somebody else.
    #[error("the certificates do not lead to a pinned root of the organisation")]
    Chain,
    /// The certificates were not valid at the time of signing.
    #[error("the certificates were not valid when it was signed")]
    Expired,
    /// The signature does not match message and key.
    #[error("the signature does not match")]
    Signature,
}

const URI_PREFIX: &str = "urn:interdocket:organisation:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_survives_text_and_uri() {
        let id = OrganisationId::from_bytes([0xa7; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(OrganisationId::from_uri(&id.uri()), Ok(id));
    }

    #[test]
    fn one_id_has_one_spelling() {
        let upper = OrganisationId::from_bytes([0xa7; 32])
            .to_string()
            .to_uppercase();
        assert_eq!(upper.parse::<OrganisationId>(), Err(ParseIdError));
        assert!(OrganisationId::from_uri("urn:interdocket:organisation:").is_err());
    }
}
