//! What was said, as digests: each step covers all steps before it.
//!
//! Every digest starts with a tag of its own and every field with its length, so that no two
//! ceremonies share one. Sending and judging are not here.

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Profile, Role, Words};
use crate::identity::OrganisationId;

/// A SHA-256 digest.
pub(super) type Digest = [u8; 32];

/// What both sides know before anything is sent.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) version: u32,
    pub(super) invitation: Uuid,
    pub(super) inviter: OrganisationId,
    pub(super) fingerprint: &'a Digest,
    pub(super) accepter: OrganisationId,
}

/// Covers the accepter's first message.
pub(super) fn begin(start: Start<'_>, accepter: &Profile, commitment: &Digest) -> Digest {
    let mut hash = Tagged::new("interdocket/pairing/begin");
    hash.field(&start.version.to_be_bytes());
    hash.field(start.invitation.as_bytes());
    hash.field(start.inviter.as_bytes());
    hash.field(start.fingerprint);
    hash.field(start.accepter.as_bytes());
    hash.profile(accepter);
    hash.field(commitment);
    hash.finish()
}

/// Covers the inviter's answer and what it answers.
pub(super) fn answer(begin: &Digest, inviter: &Profile, nonce: &Digest) -> Digest {
    let mut hash = Tagged::new("interdocket/pairing/answer");
    hash.field(begin);
    hash.profile(inviter);
    hash.field(nonce);
    hash.finish()
}

/// Covers everything.
pub(super) fn whole(answer: &Digest, nonce: &Digest) -> Digest {
    two("interdocket/pairing/whole", answer, nonce)
}

/// Binds the accepter to a nonce without showing it.
pub(super) fn commitment(invitation: Uuid, nonce: &Digest) -> Digest {
    two(
        "interdocket/pairing/commitment",
        invitation.as_bytes(),
        nonce,
    )
}

/// What the inviter keeps of a secret.
pub(super) fn key(invitation: Uuid, secret: &[u8]) -> Digest {
    two("interdocket/pairing/key", invitation.as_bytes(), secret)
}

/// What the accepter signs.
pub(super) fn signed(whole: &Digest) -> Digest {
    two("interdocket/pairing/signed", whole, &[])
}

/// What people compare.
pub(super) fn words(whole: &Digest) -> Words {
    Words::from_digest(&two("interdocket/pairing/words", whole, &[]))
}

/// Who proves the secret with which message.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Begin,
    Answer,
    Reveal,
    Done,
}

/// Proves the secret over what was said so far.
pub(super) fn prove(key: &Digest, step: Step, said: &Digest) -> Digest {
    mac(key, step, said).finalize().into_bytes().into()
}

/// Whether a proof holds; takes the same time for every wrong one.
pub(super) fn proven(key: &Digest, step: Step, said: &Digest, proof: &[u8]) -> bool {
    mac(key, step, said).verify_slice(proof).is_ok()
}

fn mac(key: &Digest, step: Step, said: &Digest) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(match step {
        Step::Begin => b"begin ",
        Step::Answer => b"answer",
        Step::Reveal => b"reveal",
        Step::Done => b"done  ",
    });
    mac.update(said);
    mac
}

fn two(tag: &str, first: &[u8], second: &[u8]) -> Digest {
    let mut hash = Tagged::new(tag);
    hash.field(first);
    hash.field(second);
    hash.finish()
}

struct Tagged(Sha256);

impl Tagged {
    fn new(tag: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.field(tag.as_bytes());
        hash
    }

    fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn profile(&mut self, profile: &Profile) {
        self.field(&profile.root);
        self.field(profile.name.as_bytes());
        self.field(match profile.role {
            Role::Investigation => b"investigation",
            Role::Justice => b"justice",
        });
        let address = profile
            .address
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        self.field(address.as_bytes());
    }

    fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}
