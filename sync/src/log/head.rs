//! Heads: the writer's signed statement of how far its log goes, which the reader countersigns.

use chrono::{DateTime, Utc};

use super::{Point, Side};
use crate::id::ShareId;
use crate::identity::{Claim, OrganisationId, Signer, Unverified, Verifier};
use crate::wire;

/// The writer's statement of how far its log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The share.
    pub share: ShareId,
    /// Whose case it is.
    pub owner: OrganisationId,
    /// With whom it is shared.
    pub partner: OrganisationId,
    /// Which log.
    pub side: Side,
    /// The writer's node: counts up with each restore.
    pub incarnation: u64,
    /// How far the log goes.
    pub point: Point,
    /// The chain of the writer's journal at that moment, so that partners witness it.
    pub journal: Point,
    /// When it was signed.
    pub at: DateTime<Utc>,
}

/// A signed head, as the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// What it says.
    pub head: Head,
    /// The message as it stands on the wire.
    pub bytes: Vec<u8>,
}

impl Head {
    /// The organisation that writes this log.
    pub const fn writer(&self) -> OrganisationId {
        match self.side {
            Side::Owner => self.owner,
            Side::Partner => self.partner,
        }
    }

    /// Signs it.
    pub fn sign(mut self, signer: &dyn Signer) -> SignedHead {
        self.at = wire::micros(self.at);
        let bytes = wire::head::encode(&self, signer);
        SignedHead { head: self, bytes }
    }
}

impl SignedHead {
    /// Reads a signed head as it stands on the wire, without judging its signature.
    ///
    /// # Errors
    /// [`wire::Malformed`] where it cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Self, wire::Malformed> {
        Ok(Self {
            head: wire::head::decode(bytes)?,
            bytes: bytes.to_vec(),
        })
    }

    /// Judges its signature.
    ///
    /// # Errors
    /// [`Unverified`] where it does not count as its writer's.
    pub fn verify(&self, verifier: &dyn Verifier) -> Result<(), Unverified> {
        let signed = wire::signed(&self.bytes).ok_or(Unverified::Signature)?;
        verifier.verify(&Claim {
            organisation: self.head.writer(),
            certificates: &signed.certificates,
            message: &wire::tagged(TAG, &signed.payload),
            signature: &signed.signature,
            at: self.head.at,
        })
    }
}

/// What stands before the bytes of a head when it is signed.
pub const TAG: &[u8] = b"interdocket head v0\n";
