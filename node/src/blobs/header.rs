//! What stands before the bytes of every stored blob.
//!
//! Cipher and key id are part of the first format, so that sealed blobs need no other one; only
//! "none" is written so far, and anything else is reported as newer rather than as damaged.

use interdocket_sync::blob::Digest;

/// The size of a header, in bytes.
pub(super) const LEN: usize = 96;

/// What kind of bytes follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The one blob of a file of its own.
    Own,
    /// A blob in a pack.
    Packed,
    /// Bytes of a pack that were deleted; the digest is zero.
    Gone,
}

/// What stands before the bytes of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// What kind of bytes follow.
    pub kind: Kind,
    /// How many bytes follow.
    pub size: u64,
    /// The name of the blob.
    pub digest: Digest,
}

/// Why a header says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is none, or it is damaged.
    Invalid,
    /// It is whole, but of a format or cipher that this release does not know.
    Newer,
}

impl Header {
    /// Its bytes.
    pub(super) fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..4].copy_from_slice(self.kind.magic());
        // Format, cipher and key id stay zero: format 0, not sealed, no key.
        bytes[24..32].copy_from_slice(&self.size.to_le_bytes());
        bytes[32..64].copy_from_slice(&self.digest.0);
        let sum = blake3::hash(&bytes[..64]);
        bytes[64..].copy_from_slice(sum.as_bytes());
        bytes
    }

    /// Reads it from its bytes.
    pub(super) fn decode(bytes: &[u8; LEN]) -> Result<Self, Fault> {
        if blake3::hash(&bytes[..64]).as_bytes() != &bytes[64..] {
            return Err(Fault::Invalid);
        }
        let kinds = [Kind::Own, Kind::Packed, Kind::Gone];
        let kind = kinds.into_iter().find(|kind| kind.magic() == &bytes[..4]);
        let kind = kind.ok_or(Fault::Invalid)?;
        if bytes[4..24].iter().any(|&byte| byte != 0) {
            return Err(Fault::Newer);
        }
        let (mut size, mut digest) = ([0; 8], [0; 32]);
        size.copy_from_slice(&bytes[24..32]);
        digest.copy_from_slice(&bytes[32..64]);
        Ok(Self {
            kind,
            size: u64::from_le_bytes(size),
            digest: Digest(digest),
        })
    }
}

impl Kind {
    fn magic(self) -> &'static [u8; 4] {
        match self {
            Self::Own => b"IDBO",
            Self::Packed => b"IDBP",
            Self::Gone => b"IDBX",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_survives_and_any_flipped_bit_shows() {
        let header = Header {
            kind: Kind::Packed,
            size: 1 << 40,
            digest: Digest([7; 32]),
        };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        for bit in 0..LEN * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&bad), Err(Fault::Invalid));
        }
    }

    #[test]
    fn an_unknown_cipher_is_newer_and_not_damage() {
        let mut bytes = Header {
            kind: Kind::Own,
            size: 1,
            digest: Digest([7; 32]),
        }
        .encode();
        bytes[5] = 1;
        let sum = blake3::hash(&bytes[..64]);
        bytes[64..].copy_from_slice(sum.as_bytes());
        assert_eq!(Header::decode(&bytes), Err(Fault::Newer));
    }
}
