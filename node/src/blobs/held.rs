//! What callers hold of a blob: the stage it arrives in, its bytes before the commit, its place after.
//!
//! Only [`Placed`] is kept beyond a run.

use std::fmt;

use interdocket_sync::blob::{Digest, Sha256};
use serde::{Deserialize, Serialize};

use super::{Busy, Error, header, stage};

/// Names what is being received, for resuming it: share and digest, as the caller joins them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StageId(pub(super) String);

/// A blob that is whole and verified, but not stored yet. Dropping one that was taken in here
/// removes it; one that was received can be resumed.
pub struct Staged {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) sha256: Option<Sha256>,
    pub(super) body: Body,
}

// Evidence bytes never reach a log.
impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged")
            .field("digest", &self.digest)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// The bytes of a blob that is not stored yet.
pub(super) enum Body {
    /// All of them.
    Small(Vec<u8>),
    /// Where they are staged.
    Own(Owned),
}

/// The staged files of a big blob.
#[derive(Debug)]
pub(super) struct Owned {
    /// Where they are.
    pub paths: stage::Paths,
    /// The stage that a received blob keeps to itself, and that outlives this value.
    pub busy: Option<Busy>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        if self.busy.is_none() {
            self.paths.remove();
        }
    }
}

/// Where a stored blob lies. Whoever stores blobs keeps this with the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// In a file of its own.
    #[serde(rename = "o")]
    Own,
    /// In a pack.
    #[serde(rename = "p")]
    Pack {
        /// Which one.
        #[serde(rename = "n")]
        number: u32,
        /// Where its header begins, in bytes.
        #[serde(rename = "o")]
        offset: u32,
    },
}

/// A stored blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Placed {
    /// Its name.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// Where it lies.
    pub place: Place,
}

impl StageId {
    /// Makes an id of 16 to 48 bytes; none of any other length.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if !(16..=48).contains(&bytes.len()) {
            return None;
        }
        Some(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }
}

impl Staged {
    /// The name of the blob.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The size of the blob, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The SHA-256 of a blob that was taken in here; of a received one [`Blobs::verify`](super::Blobs::verify) tells it.
    pub fn sha256(&self) -> Option<Sha256> {
        self.sha256
    }
}

impl Placed {
    /// What a header that says nothing means for this blob.
    pub(super) fn fault(&self, fault: header::Fault) -> Error {
        match fault {
            header::Fault::Invalid => Error::Damaged(self.digest),
            header::Fault::Newer => Error::Newer(self.digest),
        }
    }

    /// Whether the header is the one of this blob.
    pub(super) fn check(&self, header: &header::Header, kind: header::Kind) -> Result<(), Error> {
        let expected = header::Header {
            kind,
            size: self.size,
            digest: self.digest,
        };
        if *header == expected {
            Ok(())
        } else {
            Err(Error::Damaged(self.digest))
        }
    }
}
