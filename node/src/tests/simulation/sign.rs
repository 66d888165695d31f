//! Signatures without keys: a digest of signer and message. It tells forgeries from the real thing as long
//! as nobody computes it on somebody else's behalf, follows from the seed, and costs little.

use std::collections::BTreeSet;

use interdocket_sync::identity::{Claim, OrganisationId, Signer, Unverified, Verifier};

/// Signs for an organisation.
#[derive(Debug, Clone)]
pub(super) struct Sign {
    id: OrganisationId,
    certificates: Vec<Vec<u8>>,
}

impl Sign {
    pub(super) fn of(id: OrganisationId) -> Self {
        Self {
            id,
            certificates: vec![id.as_bytes().to_vec()],
        }
    }
}

impl Signer for Sign {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        signature(self.id, message)
    }

    fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }
}

/// The organisations whose signatures count at a node now.
pub(super) struct Pinned(pub(super) BTreeSet<OrganisationId>);

impl Verifier for Pinned {
    fn verify(&self, claim: &Claim<'_>) -> Result<(), Unverified> {
        if !self.0.contains(&claim.organisation) {
            return Err(Unverified::NoRoot);
        }
        if claim.certificates.first().map(Vec::as_slice) != Some(claim.organisation.as_bytes()) {
            return Err(Unverified::Chain);
        }
        if claim.signature != signature(claim.organisation, claim.message) {
            return Err(Unverified::Signature);
        }
        Ok(())
    }
}

fn signature(id: OrganisationId, message: &[u8]) -> [u8; 64] {
    let mut bytes = [0; 64];
    let mut hasher = blake3::Hasher::new_keyed(id.as_bytes());
    hasher.update(message);
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}
