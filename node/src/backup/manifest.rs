//! What a backup says of itself: one JSON object a line, the files between a header and a sum.
//!
//! Invariant: a manifest that is read back lists only places inside a data directory, and is exactly
//! what was written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::identity::OrganisationId;
use serde::{Deserialize, Serialize};

use crate::journal::Head;
use crate::{config, run};

/// A whole backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Whose node it is of.
    pub organisation: OrganisationId,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Up to where it holds the journal.
    pub head: Head,
    /// The files by their paths in the data directory, with `/` between folders.
    pub files: BTreeMap<String, File>,
}

/// One file of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Bytes.
    pub size: u64,
    /// What they hash to; names the file in the backup.
    pub blake3: Digest,
}

/// Why bytes are no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// They are not what was written.
    #[error("it is not what was written")]
    Damaged,
    /// A newer release wrote them.
    #[error("it has format {0}, which this release does not know: use the newer one")]
    Newer(u32),
}

#[derive(Serialize, Deserialize)]
struct Top {
    format: u32,
    organisation: OrganisationId,
    made_at: DateTime<Utc>,
    records: u64,
    head: Sha256,
    files: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    size: u64,
    blake3: Digest,
}

#[derive(Serialize, Deserialize)]
struct Sum {
    sum: Digest,
}

impl Manifest {
    /// The bytes of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let sizes = self.files.values().map(|file| file.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::new();
        line(
            &mut text,
            &Top {
                format: FORMAT,
                organisation: self.organisation,
                made_at: self.made_at,
                records: self.head.count,
                head: Sha256(self.head.hash),
                files: self.files.len() as u64,
            },
        );
        for (path, file) in &self.files {
            let File { size, blake3 } = *file;
            let path = path.clone();
            line(&mut text, &Line { path, size, blake3 });
        }
        let sum = Digest(*blake3::hash(&text).as_bytes());
        line(&mut text, &Sum { sum });
        text
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn decode(text: &[u8]) -> Result<Self, Fault> {
        let damaged = Fault::Damaged;
        if !text.ends_with(b"\n") {
            return Err(damaged);
        }
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let [top, files @ .., last] = lines.as_slice() else {
            return Err(damaged);
        };
        let Top {
            format,
            organisation,
            made_at,
            records,
            head,
            files: count,
        } = serde_json::from_slice(top).map_err(|_| format_of(top))?;
        if format != FORMAT {
            return Err(Fault::Newer(format));
        }
        let Sum { sum } = serde_json::from_slice(last).map_err(|_| damaged)?;
        let summed = blake3::hash(&text[..text.len() - last.len()]);
        if sum.0 != *summed.as_bytes() || files.len() as u64 != count {
            return Err(damaged);
        }
        let mut found = BTreeMap::new();
        for file in files {
            let Line { path, size, blake3 } = serde_json::from_slice(file).map_err(|_| damaged)?;
            if !inside(&path) {
                return Err(damaged);
            }
            found.insert(path, File { size, blake3 });
        }
        let head = Head {
            count: records,
            hash: head.0,
        };
        Ok(Self {
            organisation,
            made_at,
            head,
            files: found,
        })
    }
}

fn line(text: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(&mut *text, value).expect("a Vec takes every byte");
    text.push(b'\n');
}

/// What to say of a first line that makes no sense: a newer release may have changed it.
fn format_of(top: &[u8]) -> Fault {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    match serde_json::from_slice(top) {
        Ok(Format { format }) if format > FORMAT => Fault::Newer(format),
        _ => Fault::Damaged,
    }
}

/// Whether a path is one of those that a backup holds, and leads nowhere else.
fn inside(path: &str) -> bool {
    let plain = path
        .split('/')
        .all(|part| !["", ".", ".."].contains(&part) && !part.contains('\0'));
    let known = match path.split_once('/') {
        None => path == config::FILE,
        Some((folder, _)) => FOLDERS.contains(&folder),
    };
    plain && known
}

const FORMAT: u32 = 0;
/// The longest manifest, in bytes: five million files. It is read as a whole.
pub(super) const LEN_MAX: u64 = 1 << 30;
/// The folders of a data directory that a backup holds files of.
const FOLDERS: [&str; 4] = [run::KEYS, run::KEYRING, run::JOURNAL, run::BLOBS];

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = File {
            size: 3,
            blake3: Digest([7; 32]),
        };
        let head = Head {
            count: 9,
            hash: [1; 32],
        };
        Manifest {
            organisation: "5c".repeat(32).parse().unwrap(),
            made_at: "2026-03-01T12:00:00Z".parse().unwrap(),
            head,
            files: [("interdocket.toml", file), ("blobs/own/ab/x", file)]
                .map(|(path, file)| (path.to_owned(), file))
                .into(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let manifest = manifest();
        assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
    }

    /// fault E19
    #[test]
    fn no_byte_of_a_manifest_can_be_changed_or_cut() {
        let text = manifest().encode();
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert!(Manifest::decode(&changed).is_err(), "byte {at}");
            assert!(Manifest::decode(&text[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn manifest_of_a_newer_release_is_said_to_be_one() {
        let text = String::from_utf8(manifest().encode()).unwrap();
        let newer = text.replace("\"format\":0", "\"format\":8");
        assert_eq!(Manifest::decode(newer.as_bytes()), Err(Fault::Newer(8)));
    }

    #[test]
    fn paths_lead_nowhere_else() {
        for path in ["interdocket.toml", "keys/root.pem", "blobs/own/ab/cd"] {
            assert!(inside(path), "{path}");
        }
        for path in [
            "",
            "/etc/x",
            "keys",
            "keys/",
            "keys/../x",
            "database/db",
            "keys//x",
            "x",
            "../keys/x",
        ] {
            assert!(!inside(path), "{path}");
        }
    }
}
