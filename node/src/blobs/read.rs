//! Reads stored blobs for this side, and proves what the disk holds.
//!
//! Whatever is handed out was verified against its digest just before.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use bytes::BytesMut;
use interdocket_sync::blob::{GROUP, Sha256};
use sha2::Digest as _;

use super::decode::Decoder;
use super::direct::{self, PAGE, Via};
use super::encode::{Encoder, Source};
use super::header::{self, Header, Kind};
use super::pack::Packs;
use super::tree::{self, Builder};
use super::{Blobs, Error, Place, Placed, Ranges};

/// How much is read and verified at once, in bytes.
const STEP: usize = 256 * 1024;

/// Reads part of a stored blob, verifying as it goes. An error of the blob is the inner error of
/// the [`io::Error`].
pub struct Reader {
    encoder: Encoder,
    decoder: Decoder,
    placed: Placed,
    range: Range<u64>,
    stream: BytesMut,
    ready: Vec<u8>,
    given: usize,
    more: bool,
}

// Evidence bytes never reach a log.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("placed", &self.placed)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl Blobs {
    /// The verified stream of some ranges of a stored blob, to be sent to a partner. What lies in a
    /// file of its own is not verified here, since the partner does; where the partner complains,
    /// [`Blobs::verify`] tells whether the disk is at fault.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`], [`Error::Newer`]; [`Error::Ranges`] where the ranges
    /// are of a blob of another size.
    pub fn encode(&self, placed: &Placed, ranges: Ranges) -> Result<Encoder, Error> {
        if ranges.size() != placed.size {
            return Err(Error::Ranges);
        }
        let source = match placed.place {
            Place::Own => Source::file(self.own(placed, Via::Cache)?, placed.size),
            Place::Pack { number, offset } => {
                let data = Packs::read(&self.inner.packs_folder(), placed, number, offset)?;
                let (digest, pairs) = tree::of(&data);
                if digest != placed.digest {
                    return Err(Error::Damaged(placed.digest));
                }
                Source::Memory { data, pairs }
            }
        };
        Ok(Encoder::new(placed.digest, ranges, source))
    }

    /// Reads part of a stored blob.
    ///
    /// # Errors
    /// As [`Blobs::encode`]; damage found later shows while reading.
    pub fn read(&self, placed: &Placed, range: Range<u64>) -> Result<Reader, Error> {
        let ranges = if range.is_empty() && range.end <= placed.size {
            Ranges::none(placed.size)
        } else {
            Ranges::new(placed.size, [range.clone()])?
        };
        Ok(Reader {
            encoder: self.encode(placed, ranges.clone())?,
            decoder: Decoder::new(placed.digest, ranges)?,
            placed: *placed,
            range,
            stream: BytesMut::new(),
            ready: Vec::new(),
            given: 0,
            more: true,
        })
    }

    /// Reads all of a stored blob from the disk, compares it with its digest and its tree with what
    /// is stored, and returns its SHA-256.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`], [`Error::Newer`].
    pub fn verify(&self, placed: &Placed) -> Result<Sha256, Error> {
        self.verify_in_steps(placed, &mut |_| Ok(()))
    }

    /// The same, telling the bytes of each step before it is read; where that gives an error it ends.
    ///
    /// # Errors
    /// As above, and [`Error::Io`].
    pub fn verify_in_steps(
        &self,
        placed: &Placed,
        step: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Result<Sha256, Error> {
        let Place::Pack { number, offset } = placed.place else {
            let mut file = self.own(placed, Via::Disk)?;
            let mut told =
                |bytes| step(bytes).map_err(Error::io("read", &self.inner.own(placed.digest)));
            return verify(&mut file, placed, &mut told);
        };
        step(placed.size).map_err(Error::io("read", &self.inner.packs_folder()))?;
        let data = Packs::read(&self.inner.packs_folder(), placed, number, offset)?;
        if tree::of(&data).0 != placed.digest {
            return Err(Error::Damaged(placed.digest));
        }
        Ok(Sha256(sha2::Sha256::digest(&data).into()))
    }

    /// Opens a blob's own file and checks its header.
    fn own(&self, placed: &Placed, via: Via) -> Result<direct::Source, Error> {
        let path = self.inner.own(placed.digest);
        let file = direct::Source::open(&path, via).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::Missing(placed.digest),
            _ => Error::io("open", &path)(e),
        })?;
        let header = own(file.file()).map_err(|_| Error::Damaged(placed.digest))?;
        let header = header.map_err(|fault| placed.fault(fault))?;
        placed.check(&header, Kind::Own)?;
        Ok(file)
    }
}

/// Reads the header of a blob's own file.
pub(super) fn own(file: &File) -> io::Result<Result<Header, header::Fault>> {
    let mut bytes = [0; header::LEN];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(Header::decode(&bytes))
}

fn verify(
    file: &mut direct::Source,
    placed: &Placed,
    step: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<Sha256, Error> {
    let damaged = || Error::Damaged(placed.digest);
    let pairs = PAGE as u64 + placed.size.next_multiple_of(PAGE as u64);
    let (mut builder, mut sha) = (Builder::default(), sha2::Sha256::new());
    let (mut at, mut seen) = (0, 0);
    let mut data = vec![0; STEP];
    while at < placed.size {
        let part = &mut data[..(placed.size - at).min(STEP as u64) as usize];
        step(part.len() as u64)?;
        file.read(PAGE as u64 + at, part, pairs)
            .map_err(|_| damaged())?;
        sha.update(&*part);
        for (start, group) in (at..)
            .step_by(GROUP as usize)
            .zip(part.chunks(GROUP as usize))
        {
            builder.push(tree::group(start, group));
        }
        at += part.len() as u64;
        seen += compare(file.file(), pairs + seen, &builder.take()).ok_or_else(damaged)?;
    }
    let digest = builder.finish();
    compare(file.file(), pairs + seen, &builder.take()).ok_or_else(damaged)?;
    if digest != placed.digest {
        return Err(damaged());
    }
    Ok(Sha256(sha.finalize().into()))
}

/// How many bytes were compared; none where they differ.
fn compare(file: &File, at: u64, pairs: &[u8]) -> Option<u64> {
    let mut stored = vec![0; pairs.len()];
    file.read_exact_at(&mut stored, at).ok()?;
    (stored == pairs).then_some(pairs.len() as u64)
}

impl Reader {
    fn step(&mut self) -> Result<(), Error> {
        self.ready.clear();
        self.given = 0;
        self.stream.clear();
        self.more = self.encoder.fill(&mut self.stream, STEP)?;
        let (range, ready) = (&self.range, &mut self.ready);
        let pushed = self.decoder.push(&self.stream, &mut |leaf| {
            let end = leaf.offset + leaf.data.len() as u64;
            let from = range.start.clamp(leaf.offset, end) - leaf.offset;
            let to = range.end.clamp(leaf.offset, end) - leaf.offset;
            ready.extend_from_slice(&leaf.data[from as usize..to as usize]);
            Ok(())
        });
        pushed.map_err(|_| Error::Damaged(self.placed.digest))
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() && self.more {
            self.step()
                .inspect_err(|_| self.ready.clear())
                .map_err(io::Error::other)?;
        }
        let count = out.len().min(self.ready.len() - self.given);
        out[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}
