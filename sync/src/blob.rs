//! Names of bytes: the digests by which files are known on every node.
//!
//! A digest is never a permission.

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

macro_rules! digest {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "hex")] pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NotADigest;

            fn from_str(text: &str) -> Result<Self, NotADigest> {
                hex::read(text).map(Self).ok_or(NotADigest)
            }
        }
    )*};
}

digest! {
    /// BLAKE3 of a file: names it everywhere.
    Digest;
    /// SHA-256 of a file: the evidential record, and what other tools check.
    Sha256;
}

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: 64 lower-case hexadecimal digits are expected")]
pub struct NotADigest;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_survives_text() {
        let digest = Digest([0x5c; 32]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("5C".repeat(32).parse::<Digest>(), Err(NotADigest));
    }
}
