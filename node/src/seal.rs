//! Sealing under a lent key: what is sealed is unreadable to whoever has not the key.
//!
//! Texts are sealed as they are; files in parts, each of which is a blob like any other, named by the
//! digest of its sealed bytes: so they are stored, checked and deleted as all blobs are, and a digest that
//! this node also holds as its own is held twice.

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

/// How many parts a file of this size has.
pub const fn parts(size: u64) -> u32 {
    // A blob has at most 2^46 bytes.
    size.div_ceil(PART) as u32
}

/// Bytes of a part: what has to be opened to read one byte, and what an interruption can cost.
pub const PART: u64 = 4 << 20;

const FORMAT: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(id: u128, key: u8) -> Seal {
        Seal::new(Uuid::from_u128(id), Zeroizing::new([key; 32]))
    }

    #[test]
    fn only_the_same_key_share_and_subject_open_what_was_sealed() {
        let sealed = seal(1, 7).close(b"about", b"canary", [3; 12]);
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        let opened = seal(1, 7).open(b"about", &sealed);
        assert_eq!(opened.as_deref(), Some(b"canary".as_slice()));
        assert_eq!(seal(1, 8).open(b"about", &sealed), None);
        assert_eq!(seal(2, 7).open(b"about", &sealed), None);
        assert_eq!(seal(1, 7).open(b"other", &sealed), None);
    }

    #[test]
    fn a_flipped_bit_opens_nothing() {
        let sealed = seal(1, 7).close(b"about", b"canary", [3; 12]);
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(seal(1, 7).open(b"about", &bad), None, "bit {bit}");
        }
        assert_eq!(seal(1, 7).open(b"about", &sealed[..20]), None);
    }

    #[test]
    fn parts_cover_a_file_to_its_last_byte() {
        let counts = [0, 1, PART, PART + 1, 1 << 40].map(parts);
        assert_eq!(counts, [0, 1, 1, 2, 1 << 18]);
    }
}
