//! What names a blob, and what both nodes must cut it by.
//!
//! A blob's name is the BLAKE3 digest of its bytes; SHA-256 is what other tools compare. Where its
//! bytes lie and how they travel is not here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hex;

/// The smallest piece of a blob that is verified by itself, in bytes: 16 BLAKE3 chunks, which costs
/// 0.4 % of hashes. A stream and its ranges are cut at multiples of it.
pub const GROUP: u64 = 16 * 1024;

/// The largest blob, in bytes: 64 TiB, far above any image of a disk, so that no sum of sizes and
/// offsets overflows.
pub const MAX_SIZE: u64 = 1 << 46;

/// The BLAKE3 digest of a blob's bytes: its name. It is never a permission.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// The SHA-256 digest of a blob's bytes, for comparing with other tools.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: 64 lower-case hexadecimal digits are expected")]
pub struct ParseDigestError;

/// Gives a digest its one text, and that text in serde.
macro_rules! spelled {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            fn from_str(text: &str) -> Result<Self, ParseDigestError> {
                hex::read(text).map(Self).ok_or(ParseDigestError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

spelled!(Digest);
spelled!(Sha256);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_survives_its_text() {
        let digest = Digest([0xb3; 32]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let sha = Sha256([0x0f; 32]);
        assert_eq!(sha.to_string().parse(), Ok(sha));
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = Digest([0xb3; 32]).to_string();
        assert_eq!(text.to_uppercase().parse::<Digest>(), Err(ParseDigestError));
        assert_eq!(text[..62].parse::<Digest>(), Err(ParseDigestError));
        assert_eq!("é".repeat(32).parse::<Digest>(), Err(ParseDigestError));
    }
}
