//! Sealing under a lent key: what is sealed is unreadable to whoever has not the key.

use aws_lc_rs::aead::{Aad, Nonce};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::keyring::cipher;

/// A lent key and the share whose content it seals.
#[derive(Clone)]
pub struct Seal {
    id: Uuid,
    key: Zeroizing<[u8; 32]>,
}

impl Seal {
    /// A seal of this share's.
    pub const fn new(id: Uuid, key: Zeroizing<[u8; 32]>) -> Self {
        Self { id, key }
    }

    /// Seals bytes; `about` must be the same when they are opened.
    pub fn close(&self, about: &[u8], plain: &[u8], nonce: [u8; 12]) -> Vec<u8> {
        let mut bytes = plain.to_vec();
        let aad = Aad::from([self.id.as_bytes().as_slice(), about].concat());
        let tag = cipher(&self.key)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes)
            .expect("an entry is short enough to be sealed");
        [&[FORMAT][..], &nonce, &bytes, tag.as_ref()].concat()
    }

    /// Opens sealed bytes; none where they are not what was sealed under this key about this.
    pub fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (format, rest) = sealed.split_first()?;
        let (nonce, rest) = rest.split_first_chunk::<12>()?;
        if *format != FORMAT {
            return None;
        }
        let mut bytes = rest.to_vec();
        let aad = Aad::from([self.id.as_bytes().as_slice(), about].concat());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = cipher(&self.key)
            .open_in_place(nonce, aad, &mut bytes)
            .ok()?;
        Some(plain.to_vec())
    }
}

const FORMAT: u8 = 0;
