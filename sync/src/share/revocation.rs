//! A revocation: the owner's signed statement that a share is over. It is valid by itself, whatever became
//! of the logs, and nothing undoes it.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::{Header, Kind};
use crate::id::ShareId;
use crate::identity::{Claim, OrganisationId, Signer, Unverified, Verifier};
use crate::receipt::Countersignature;
use crate::wire;

/// What is revoked, by whom towards whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The share.
    pub share: ShareId,
    /// Whose case it is.
    pub owner: OrganisationId,
    /// With whom it was shared.
    pub partner: OrganisationId,
    /// When it was revoked.
    pub at: DateTime<Utc>,
}

/// A signed revocation, as the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRevocation {
    /// What it says.
    pub revocation: Revocation,
    /// The message as it stands on the wire.
    pub bytes: Vec<u8>,
}

impl Revocation {
    /// Signs it.
    pub fn sign(mut self, signer: &dyn Signer) -> SignedRevocation {
        self.at = wire::micros(self.at);
        let bytes = wire::revocation::encode(&self, signer);
        SignedRevocation {
            revocation: self,
            bytes,
        }
    }
}

impl SignedRevocation {
    /// Reads a signed revocation as it stands on the wire, without judging the signature.
    ///
    /// # Errors
    /// [`wire::Malformed`] where it cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Self, wire::Malformed> {
        Ok(Self {
            revocation: wire::revocation::decode(bytes)?,
            bytes: bytes.to_vec(),
        })
    }

    /// SHA-256 of what was signed, its tag included: what its reader countersigns. Without the tag, a head
    /// whose bytes read as a revocation too would be countersigned for both.
    pub fn digest(&self) -> [u8; 32] {
        let payload = wire::signed(&self.bytes)
            .map(|signed| signed.payload)
            .unwrap_or_default();
        Sha256::digest(wire::tagged(TAG, &payload)).into()
    }

    /// Judges the signature.
    ///
    /// # Errors
    /// [`Unverified`] where it does not count as the owner's.
    pub fn verify(&self, verifier: &dyn Verifier) -> Result<(), Unverified> {
        let signed = wire::signed(&self.bytes).ok_or(Unverified::Signature)?;
        verifier.verify(&Claim {
            organisation: self.revocation.owner,
            certificates: &signed.certificates,
            message: &wire::tagged(TAG, &signed.payload),
            signature: &signed.signature,
            at: self.revocation.at,
        })
    }

    /// Judges the partner's countersignature: proof that it was received.
    ///
    /// # Errors
    /// [`Unverified`] where it does not count, or is about something else.
    pub fn verify_receipt(
        &self,
        receipt: &Countersignature,
        verifier: &dyn Verifier,
    ) -> Result<(), Unverified> {
        receipt.verify(self.digest(), self.revocation.partner, verifier)
    }

    /// Whether it is about this share. A copy is the partner's own: nothing revokes it.
    pub fn covers(&self, header: &Header) -> bool {
        let Revocation {
            share,
            owner,
            partner,
            ..
        } = self.revocation;
        (share, owner, partner) == (header.share, header.owner, header.partner)
            && header.kind != Kind::Copy
    }
}

/// What stands before the bytes of a revocation when it is signed.
pub const TAG: &[u8] = b"interdocket revocation v0\n";
