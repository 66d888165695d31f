//! Takes bytes in from this side: one pass writes them, hashes them and builds their tree.
//!
//! Up to [`SMALL`](super::SMALL) bytes stay in memory until the commit; more goes to the stage, with
//! SHA-256 on a thread of its own, since it is the slowest part.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use interdocket_sync::blob::{GROUP, MAX_SIZE, Sha256};
use rustix::fs::Advice;
use sha2::Digest as _;

use super::piece::Piece;
use super::stage::{self, Stage};
use super::{Blobs, Body, Error, Owned, SMALL, Staged, tree};

/// After how many pieces the pairs of the tree leave memory.
const SPILL: u64 = 8;

impl Blobs {
    /// Takes in everything a source gives. `progress` hears how many bytes were read so far.
    ///
    /// # Errors
    /// [`Error::Source`] where the source fails, [`Error::TooLarge`], [`Error::Full`],
    /// [`Error::Io`]; nothing of it is left then.
    pub fn ingest(
        &self,
        source: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Staged, Error> {
        self.inner.room(0)?;
        let mut data = Vec::new();
        source
            .take(SMALL + 1)
            .read_to_end(&mut data)
            .map_err(Error::Source)?;
        progress(data.len() as u64);
        if data.len() as u64 > SMALL {
            return self.large(&data, source, progress);
        }
        let sha256 = Sha256(sha2::Sha256::digest(&data).into());
        let (digest, _) = tree::of(&data);
        let size = data.len() as u64;
        Ok(Staged {
            digest,
            size,
            sha256: Some(sha256),
            body: Body::Small(data),
        })
    }

    /// Takes in a file.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::NotRegular`], [`Error::Changed`] where its size or time
    /// changed while it was read, and those of [`Blobs::ingest`].
    pub fn ingest_file(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Staged, Error> {
        let unreadable = |source| Error::Unreadable {
            path: path.to_owned(),
            source,
        };
        // Asked first, since opening a pipe would wait for its other end.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(Error::NotRegular(path.to_owned()));
        }
        let file = File::open(path).map_err(unreadable)?;
        let before = file.metadata().map_err(unreadable)?;
        self.inner.room(before.len())?;
        // Only a hint.
        let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
        let mut whole = (&file).take(before.len().saturating_add(1));
        let staged = self.ingest(&mut whole, progress).map_err(|e| match e {
            Error::Source(source) => unreadable(source),
            other => other,
        })?;
        let after = file.metadata().map_err(unreadable)?;
        let same = after.modified().ok() == before.modified().ok() && after.len() == before.len();
        if !same || staged.size != before.len() {
            return Err(Error::Changed(path.to_owned()));
        }
        Ok(staged)
    }

    fn large(
        &self,
        first: &[u8],
        source: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Staged, Error> {
        let paths = stage::fresh(&self.inner);
        let owned = Owned {
            paths: paths.clone(),
            busy: None,
        };
        let mut stage = Stage::start(self.inner.clone(), paths, None)?;
        let (pieces, queue) = mpsc::sync_channel(2);
        let hasher = thread::Builder::new().name("blob-sha256".to_owned());
        let hasher = hasher.spawn(move || sha256(&queue));
        let hasher = hasher.map_err(Error::io("start a thread for", &self.inner.dir))?;
        let mut source = first.chain(source);
        let mut count = 0;
        loop {
            let (read, ended) = piece(&mut source, &mut stage)?;
            let Some((at, piece)) = stage.ship()? else {
                break;
            };
            // The hasher ends only when this sender is dropped.
            let _ = pieces.send(piece.clone());
            for (start, group) in (at..).step_by(GROUP as usize).zip(groups(&piece)) {
                stage.builder.push(tree::group(start, group));
            }
            progress(at + read);
            if at + read > MAX_SIZE {
                return Err(Error::TooLarge { size: at + read });
            }
            count += 1;
            if count % SPILL == 0 {
                stage.spill()?;
            }
            if ended {
                break;
            }
        }
        drop(pieces);
        let (digest, size) = stage.seal()?;
        let sha256 = hasher
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Staged {
            digest,
            size,
            sha256: Some(sha256),
            body: Body::Own(owned),
        })
    }
}

/// Fills one piece; says how many bytes it has and whether the source ended.
fn piece(source: &mut dyn Read, stage: &mut Stage) -> Result<(u64, bool), Error> {
    let mut read = 0;
    loop {
        match source.read(stage.room()) {
            Ok(0) => return Ok((read, true)),
            Ok(count) => {
                read += count as u64;
                if stage.filled(count) {
                    return Ok((read, false));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::Source(e)),
        }
    }
}

fn groups(piece: &Piece) -> impl Iterator<Item = &[u8]> {
    piece.bytes().chunks(GROUP as usize)
}

fn sha256(pieces: &mpsc::Receiver<Arc<Piece>>) -> Sha256 {
    let mut sha = sha2::Sha256::new();
    while let Ok(piece) = pieces.recv() {
        sha.update(piece.bytes());
    }
    Sha256(sha.finalize().into())
}
