//! Terms: what a share is between whom, signed by its owner.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::Kind;
use crate::id::ShareId;
use crate::identity::{Claim, OrganisationId, Signer, Unverified, Verifier};
use crate::wire;

/// What a share is between whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The share.
    pub share: ShareId,
    /// Whose case it is.
    pub owner: OrganisationId,
    /// With whom it is shared.
    pub partner: OrganisationId,
    /// What kind it is.
    pub kind: Kind,
    /// The format of its logs.
    pub format: u32,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// Signed terms, as the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTerms {
    /// What they say.
    pub terms: Terms,
    /// The message as it stands on the wire.
    pub bytes: Vec<u8>,
}

impl Terms {
    /// Signs them.
    pub fn sign(mut self, signer: &dyn Signer) -> SignedTerms {
        self.created = wire::micros(self.created);
        if let Kind::Reference(until) = &mut self.kind {
            *until = wire::micros(*until);
        }
        let bytes = wire::terms::encode(&self, signer);
        SignedTerms { terms: self, bytes }
    }
}

impl SignedTerms {
    /// Reads signed terms as they stand on the wire, without judging the signature.
    ///
    /// # Errors
    /// [`wire::Malformed`] where they cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Self, wire::Malformed> {
        Ok(Self {
            terms: wire::terms::decode(bytes)?,
            bytes: bytes.to_vec(),
        })
    }

    /// SHA-256 of what was signed: names these terms.
    pub fn digest(&self) -> [u8; 32] {
        let payload = wire::signed(&self.bytes)
            .map(|signed| signed.payload)
            .unwrap_or_default();
        Sha256::digest(payload).into()
    }

    /// Judges the signature.
    ///
    /// # Errors
    /// [`Unverified`] where it does not count as the owner's.
    pub fn verify(&self, verifier: &dyn Verifier) -> Result<(), Unverified> {
        let signed = wire::signed(&self.bytes).ok_or(Unverified::Signature)?;
        verifier.verify(&Claim {
            organisation: self.terms.owner,
            certificates: &signed.certificates,
            message: &wire::tagged(TAG, &signed.payload),
            signature: &signed.signature,
            at: self.terms.created,
        })
    }
}

/// The format of logs that this release reads and writes.
pub const FORMAT: u32 = 0;

/// What stands before the bytes of terms when they are signed.
pub const TAG: &[u8] = b"interdocket terms v0\n";
