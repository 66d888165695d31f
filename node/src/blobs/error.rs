//! What can go wrong with evidence bytes, and what a person does about it.
//!
//! Whose fault it is can be read from the variant: the disk ([`Error::Io`], [`Error::Full`]), the
//! stored bytes ([`Error::Damaged`]), the source, or the partner that sends.

use std::io;
use std::path::{Path, PathBuf};

use interdocket_sync::blob::Digest;

/// Why bytes could not be taken in, stored or given out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("cannot {doing} {}: look at the disk and at the owner of the folder", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// The disk is full up to the reserve, or altogether. What was staged is gone.
    #[error("storage is full: intake is paused until space is freed")]
    Full,
    /// The source could not be read.
    #[error("cannot read the source")]
    Source(#[source] io::Error),
    /// A file to be taken in could not be read.
    #[error("cannot read {}: check that it exists and that the node may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// A directory, device or pipe was given where a file is expected.
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// A file changed while it was taken in.
    #[error("{} changed while it was read: wait until it is complete and take it in again", .0.display())]
    Changed(PathBuf),
    /// A claimed or real size is above the limit.
    #[error("{size} bytes are more than a blob may have")]
    TooLarge {
        /// The size, in bytes.
        size: u64,
    },
    /// What arrived is not what the digest names.
    #[error("the bytes that arrived do not match their digest at byte {at}")]
    Mismatch {
        /// The place in the blob, in bytes.
        at: u64,
    },
    /// More arrived than the ranges asked for.
    #[error("more bytes arrived than were asked for")]
    TooLong,
    /// The stream ended too early.
    #[error("the stream ended at byte {at}, before all that was asked for had arrived")]
    Short {
        /// How far the blob is verified, in bytes.
        at: u64,
    },
    /// Stored bytes differ from what was stored.
    #[error("blob {0} is damaged: restore it from a backup or read it again from a partner")]
    Damaged(Digest),
    /// No bytes are stored there.
    #[error("blob {0} is not stored here")]
    Missing(Digest),
    /// A newer release wrote it.
    #[error("blob {0} was written by a newer release: upgrade the node")]
    Newer(Digest),
    /// Ranges that are not ascending and disjoint, or reach beyond the blob.
    #[error("ranges must be ascending, disjoint and inside the blob")]
    Ranges,
    /// The same stage is being received already.
    #[error("this blob is being received already")]
    Busy,
}

impl Error {
    /// Names the operation that failed; a full disk is [`Error::Full`] whatever the operation.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io {
                doing,
                path: path.to_owned(),
                source,
            },
        }
    }
}
