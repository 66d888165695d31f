//! Sealing and opening the body of a record.
//!
//! Invariant: the sealed part is salt and body under AES-256-GCM, bound to the record's identity;
//! the header's commitment is SHA-256 over tag, salt and body, so that without the key neither
//! body nor a guess at it can be checked against the header.
//!
//! Not here: where keys come from.

use aws_lc_rs::aead::{Aad, Nonce};
use sha2::{Digest as _, Sha256};

use super::Body;
use super::frame::{AES, Header};
use crate::chance;
use crate::keyring::{self, Held, Key, Keyring};

/// The salt before each body, in bytes.
const SALT: usize = 16;
/// What sealing adds to a body, in bytes: salt and tag.
pub(super) const OVERHEAD: usize = SALT + 16;
const TAG: &[u8] = b"interdocket journal body 0\0";

/// Random bytes for one body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn {
    nonce: [u8; 12],
    salt: [u8; SALT],
}

impl Drawn {
    pub(super) fn new() -> Self {
        let mut drawn = Self {
            nonce: [0; 12],
            salt: [0; SALT],
        };
        chance::fill(&mut drawn.nonce);
        chance::fill(&mut drawn.salt);
        drawn
    }
}

/// Seals a body and completes the header whose identity is already set.
pub(super) fn seal(header: &mut Header, key: &Key, drawn: Drawn, body: &[u8]) -> Vec<u8> {
    header.nonce = drawn.nonce;
    header.commitment = commitment(&drawn.salt, body);
    let mut sealed = Vec::with_capacity(body.len() + OVERHEAD);
    sealed.extend_from_slice(&drawn.salt);
    sealed.extend_from_slice(body);
    let nonce = Nonce::assume_unique_for_key(drawn.nonce);
    keyring::cipher(key)
        .seal_in_place_append_tag(nonce, Aad::from(header.identity()), &mut sealed)
        .expect("a body is short enough to be sealed");
    sealed
}

/// Opens a body, or says why it stays closed.
pub(super) fn open(header: &Header, keyring: &Keyring, sealed: &[u8]) -> Body {
    let key = match keyring.held(header.key) {
        Held::Key(key) => key,
        Held::Erased => return Body::Erased,
        Held::Damaged | Held::Absent => return Body::Damaged,
    };
    if header.cipher != AES {
        return Body::Damaged;
    }
    let nonce = Nonce::assume_unique_for_key(header.nonce);
    let mut bytes = sealed.to_vec();
    let opened =
        keyring::cipher(&key).open_in_place(nonce, Aad::from(header.identity()), &mut bytes);
    let Ok(Some((salt, body))) = opened.map(|plain| plain.split_at_checked(SALT)) else {
        return Body::Damaged;
    };
    if commitment(salt, body) != header.commitment {
        return Body::Damaged;
    }
    Body::Open(body.to_vec())
}

fn commitment(salt: &[u8], body: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(TAG)
        .chain_update(salt)
        .chain_update(body)
        .finalize()
        .into()
}
