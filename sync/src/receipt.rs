//! Receipts: heads that their readers countersigned, when everything up to there was durable and
//! admitted.
//!
//! A receipt is proof of entries. That files are held is stated by the partner's log, whose heads the
//! owner countersigns in turn.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use crate::identity::{Claim, OrganisationId, Signer, Unverified, Verifier};
use crate::log::head::SignedHead;
use crate::share::revocation::SignedRevocation;
use crate::wire;

/// A reader's statement about a head or a revocation, as the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countersignature {
    /// SHA-256 of the head's bytes, or of the revocation's with its tag before them.
    pub head: [u8; 32],
    /// When it was countersigned.
    pub at: DateTime<Utc>,
    /// The message as it stands on the wire.
    pub bytes: Vec<u8>,
}

/// A countersigned head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What was countersigned.
    pub head: SignedHead,
    /// By whom and when.
    pub countersignature: Countersignature,
}

impl Countersignature {
    /// Countersigns a head.
    pub fn new(head: &SignedHead, at: DateTime<Utc>, signer: &dyn Signer) -> Self {
        Self::of(digest(head), at, signer)
    }

    /// Countersigns a revocation.
    pub fn revocation(
        revocation: &SignedRevocation,
        at: DateTime<Utc>,
        signer: &dyn Signer,
    ) -> Self {
        Self::of(revocation.digest(), at, signer)
    }

    fn of(head: [u8; 32], at: DateTime<Utc>, signer: &dyn Signer) -> Self {
        let at = wire::micros(at);
        Self {
            head,
            at,
            bytes: wire::receipt::encode(head, at, signer),
        }
    }

    /// Judges that this organisation signed it, about the statement with this digest.
    pub(crate) fn verify(
        &self,
        digest: [u8; 32],
        reader: OrganisationId,
        verifier: &dyn Verifier,
    ) -> Result<(), Unverified> {
        if self.head != digest {
            return Err(Unverified::Signature);
        }
        let signed = wire::signed(&self.bytes).ok_or(Unverified::Signature)?;
        verifier.verify(&Claim {
            organisation: reader,
            certificates: &signed.certificates,
            message: &wire::tagged(TAG, &signed.payload),
            signature: &signed.signature,
            at: self.at,
        })
    }

    /// Reads a countersignature as it stands on the wire, without judging it.
    ///
    /// # Errors
    /// [`wire::Malformed`] where it cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Self, wire::Malformed> {
        let (head, at) = wire::receipt::decode(bytes)?;
        Ok(Self {
            head,
            at,
            bytes: bytes.to_vec(),
        })
    }
}

impl Receipt {
    /// Judges both signatures: the writer's under the head, the reader's under the countersignature.
    ///
    /// # Errors
    /// [`Unverified`] where either does not count, or they do not belong together.
    pub fn verify(&self, verifier: &dyn Verifier) -> Result<(), Unverified> {
        self.head.verify(verifier)?;
        self.verify_countersignature(verifier)
    }

    /// Judges the reader's signature only, where the head is one's own.
    ///
    /// # Errors
    /// [`Unverified`] where it does not count, or is about another head.
    pub fn verify_countersignature(&self, verifier: &dyn Verifier) -> Result<(), Unverified> {
        self.countersignature
            .verify(digest(&self.head), self.reader(), verifier)
    }

    /// The organisation that reads this log.
    pub fn reader(&self) -> OrganisationId {
        let head = &self.head.head;
        if head.writer() == head.owner {
            head.partner
        } else {
            head.owner
        }
    }

    /// The receipt as one message: what is handed out for checking elsewhere.
    pub fn bytes(&self) -> Vec<u8> {
        wire::receipt::join(&self.head.bytes, &self.countersignature.bytes)
    }

    /// Reads a receipt, without judging it.
    ///
    /// # Errors
    /// [`wire::Malformed`] where it cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Self, wire::Malformed> {
        let (head, countersignature) = wire::receipt::split(bytes)?;
        Ok(Self {
            head: SignedHead::read(&head)?,
            countersignature: Countersignature::read(&countersignature)?,
        })
    }
}

/// What stands before the bytes of a countersignature when it is signed.
pub const TAG: &[u8] = b"interdocket receipt v0\n";

fn digest(head: &SignedHead) -> [u8; 32] {
    let payload = wire::signed(&head.bytes)
        .map(|signed| signed.payload)
        .unwrap_or_default();
    Sha256::digest(payload).into()
}
