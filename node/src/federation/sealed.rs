//! Files of synchronised shares: verified while they arrive, and kept sealed under the share's lease.
//!
//! What is durable and recorded, part by part, is not read again. Without the lease nothing here can read
//! any of it.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::ops::Range;

use bytes::Bytes;
use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::File;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::share::Facts as _;
use interdocket_sync::transfer::{Request as Wanted, Wish, plan};
use tokio::sync::mpsc;

use super::fetch::{Arrived, stream_in};
use super::follow;
use crate::actions::decide::broken;
use crate::actions::{Error, ErrorKind, Way, exchange};
use crate::blobs::{self, Decoder, Placed, Ranges, Staged};
use crate::event::SealedPart;
use crate::node::Node;
use crate::seal::{PART, Seal, parts};
use crate::store::project::ShareFacts;
use crate::store::table;
use crate::store::view::View;
use crate::threads;

/// Reads what is wanted of a synchronised share; false where something could not be had.
///
/// # Errors
/// [`Error`] where there is no contact, or this node can't.
pub(super) async fn synchronise(
    node: &Node,
    partner: OrganisationId,
    share: ShareId,
    seal: &Seal,
) -> Result<bool, Error> {
    let (mut after, mut clean) = (None, true);
    loop {
        let (wishes, held, last) = node.read(move |view| wishes(view, share, after)).await?;
        for request in plan(wishes, &|digest| held.contains(&digest), BYTES) {
            clean &= read(node, partner, share, seal.clone(), request).await?;
        }
        let Some(last) = last else { return Ok(clean) };
        after = Some(last);
    }
}

/// Items with their files, what of these is here already, and behind which item the next page begins.
pub(crate) type Page = (Vec<Wish>, BTreeSet<Digest>, Option<EvidenceId>);

/// What is wanted of a synchronised share, from behind an item on: but for what the node is to import by itself.
/// What it imported, and what was withdrawn and came back since, is stated as stored once more.
pub(crate) fn wishes(
    view: &View<'_>,
    share: ShareId,
    after: Option<EvidenceId>,
) -> Result<Page, Error> {
    let after = after.map(|evidence| (share, evidence));
    let rows = view.page(&table::WANTED, &share, after.as_ref(), WISHES)?;
    let last = (rows.len() == WISHES).then(|| rows.last().map(|((_, evidence), ())| *evidence));
    let importing = follow::importing(view, share)?;
    let facts = ShareFacts::new(*view, share);
    let (mut wishes, mut held) = (Vec::with_capacity(rows.len()), BTreeSet::new());
    for ((_, evidence), ()) in rows {
        if importing && !exchange::own_already(view, share, evidence)? {
            continue;
        }
        let count = facts.item(evidence).map_or(0, |item| item.files);
        let files = (0..count).map(|place| facts.file(evidence, place));
        let files: Option<Vec<File>> = files.collect();
        let files = files.ok_or_else(|| broken("a wanted item's file is missing"))?;
        for file in &files {
            if whole(view, share, file)? {
                held.insert(file.blake3);
            }
        }
        wishes.push(Wish { evidence, files });
    }
    facts.done()?;
    Ok((wishes, held, last.flatten()))
}

/// Whether all of a file is here, sealed.
///
/// # Errors
/// [`Error`] where the tables fail.
pub(crate) fn whole(view: &View<'_>, share: ShareId, file: &File) -> Result<bool, Error> {
    Ok(begun(view, share, file)? == parts(file.size))
}

/// How many parts of a file are here: they come in order.
pub(crate) fn begun(view: &View<'_>, share: ShareId, file: &File) -> Result<u32, Error> {
    let rows = view.page(&table::SEALED, &(share, file.blake3), None, usize::MAX)?;
    let in_order = (0..)
        .zip(&rows)
        .take_while(|(place, ((_, _, part), _))| place == part);
    Ok(u32::try_from(in_order.count()).unwrap_or(u32::MAX))
}

async fn read(
    node: &Node,
    partner: OrganisationId,
    share: ShareId,
    seal: Seal,
    request: Wanted,
) -> Result<bool, Error> {
    let files = request.files.clone();
    let starts = node.read(move |view| {
        let start = |file: &File| Ok(u64::from(begun(view, share, file)?) * PART);
        files.iter().map(start).collect::<Result<Vec<u64>, Error>>()
    });
    let starts = starts.await?;
    let (pieces, arriving) = mpsc::channel(PIECES);
    let intake = Intake {
        node: node.clone(),
        share,
        seal,
        files: request.files.clone(),
        starts: starts.clone(),
        staged: Vec::new(),
        bytes: 0,
    };
    let evidence = request.evidence;
    let taking = threads::spawn(move || intake.run(arriving, &evidence));
    let sent = match request.files.is_empty() {
        true => Ok(()),
        false => stream_in(node, partner, share, &request.files, starts, &pieces).await,
    };
    drop(pieces);
    let taken = taking.await;
    let clean = taken.map_err(|_| broken("taking in what was read failed"))??;
    sent.map_err(|status| {
        tracing::debug!(%partner, %share, code = ?status.code(), "a read ended early");
        Error::new(
            ErrorKind::Unavailable,
            "there is no contact with the partner",
        )
    })?;
    Ok(clean)
}

/// Takes files in on a thread that may block, in the order of the request.
struct Intake {
    node: Node,
    share: ShareId,
    seal: Seal,
    files: Vec<File>,
    starts: Vec<u64>,
    staged: Vec<(Digest, u32, Staged)>,
    bytes: u64,
}

/// A file that is arriving.
struct Open {
    place: u32,
    digest: Digest,
    decoder: Decoder,
    part: u32,
    plain: Vec<u8>,
}

impl Intake {
    /// Says whether everything arrived.
    fn run(
        mut self,
        mut arriving: mpsc::Receiver<Arrived>,
        evidence: &[EvidenceId],
    ) -> Result<bool, Error> {
        let mut open: Option<Open> = None;
        let (mut whole, mut spoilt) = (0, None);
        while let Some(arrived) = threads::wait(arriving.recv()) {
            // What is wrong with one file does not keep the others waiting.
            if spoilt == Some(arrived.file) {
                continue;
            }
            if open.as_ref().is_none_or(|open| open.place < arrived.file) {
                whole += usize::from(self.end(open.take())?);
                open = self.begin(arrived.file)?;
            }
            let Some(file) = open.as_mut().filter(|open| open.place == arrived.file) else {
                break;
            };
            if arrived.refusal.is_some() || !self.push(file, &arrived.data)? {
                (open, spoilt) = (None, Some(arrived.file));
            }
        }
        whole += usize::from(self.end(open)?);
        let empty = self.files.iter().filter(|file| file.size == 0).count();
        self.record(evidence)?;
        Ok(whole + empty >= self.files.len())
    }

    fn begin(&self, place: u32) -> Result<Option<Open>, Error> {
        let at = place as usize;
        let (Some(file), Some(start)) = (self.files.get(at), self.starts.get(at)) else {
            return Ok(None);
        };
        let ranges = match start {
            0 => Ranges::all(file.size),
            start => Ranges::after(file.size, *start),
        };
        Ok(Some(Open {
            place,
            digest: file.blake3,
            decoder: Decoder::new(file.blake3, ranges).map_err(|error| failed(&error))?,
            part: u32::try_from(start / PART).unwrap_or(u32::MAX),
            plain: Vec::new(),
        }))
    }

    /// Takes the next piece of a file; false where it is not what the digest says.
    fn push(&mut self, open: &mut Open, data: &[u8]) -> Result<bool, Error> {
        let Open {
            digest,
            decoder,
            part,
            plain,
            ..
        } = open;
        let mut full = Vec::new();
        let pushed = decoder.push(data, &mut |leaf| {
            plain.extend_from_slice(leaf.data);
            if plain.len() as u64 == PART {
                full.push((*part, std::mem::take(plain)));
                *part += 1;
            }
            Ok(())
        });
        let digest = *digest;
        for (part, plain) in full {
            self.close(digest, part, &plain)?;
        }
        if let Err(error) = pushed {
            tracing::warn!(share = %self.share, %error, "a file can't be read from the partner");
            self.node.doubt(self.share, digest);
            return Ok(false);
        }
        Ok(true)
    }

    /// Whether a file is whole now.
    fn end(&mut self, open: Option<Open>) -> Result<bool, Error> {
        let Some(mut open) = open else {
            return Ok(false);
        };
        if open.decoder.finish().is_err() {
            return Ok(false);
        }
        if !open.plain.is_empty() {
            self.close(open.digest, open.part, &open.plain)?;
        }
        Ok(true)
    }

    /// Seals a part; what came together is made durable together.
    fn close(&mut self, file: Digest, part: u32, plain: &[u8]) -> Result<(), Error> {
        let sealed = self
            .seal
            .close(&about(file, part), plain, crate::chance::bytes());
        self.bytes += sealed.len() as u64;
        let blobs = &self.node.parts().blobs;
        let staged = blobs.ingest(&mut sealed.as_slice(), &mut |_| {});
        let staged = staged.map_err(|error| failed(&error))?;
        self.staged.push((file, part, staged));
        if self.bytes >= BYTES {
            self.record(&[])?;
        }
        Ok(())
    }

    fn record(&mut self, evidence: &[EvidenceId]) -> Result<(), Error> {
        if self.staged.is_empty() && evidence.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let (names, staged): (Vec<_>, Vec<_>) = std::mem::take(&mut self.staged)
            .into_iter()
            .map(|(file, part, staged)| ((file, part), staged))
            .unzip();
        let blobs = &self.node.parts().blobs;
        let placed = blobs.commit(staged).map_err(|error| failed(&error))?;
        let part = |((file, part), placed): ((Digest, u32), Placed)| SealedPart {
            file,
            part,
            blake3: placed.digest,
            size: placed.size,
            place: placed.place,
        };
        let parts: Vec<SealedPart> = names.into_iter().zip(placed).map(part).collect();
        let (share, evidence) = (self.share, evidence.to_vec());
        let sealed = self.node.decide(None, Way::Partner, move |context| {
            exchange::seal(context, share, &evidence, parts)
        });
        threads::wait(sealed)
    }
}

/// Streams a range of a file that is sealed here, as long as its lease is held; none where it is not here as
/// a whole, or without a lease.
///
/// # Errors
/// [`Error`] where the tables fail.
pub async fn stream(
    node: &Node,
    share: ShareId,
    file: &File,
    range: Range<u64>,
    mut may: impl FnMut() -> bool + Send + 'static,
) -> Result<Option<mpsc::Receiver<io::Result<Bytes>>>, Error> {
    let Some(seal) = node.seal(share) else {
        return Ok(None);
    };
    let listed = file.clone();
    if !node.read(move |view| whole(view, share, &listed)).await? {
        return Ok(None);
    }
    let (out, bytes) = mpsc::channel(PIECES);
    let mut reader = Reader::new(node.clone(), share, seal, file.blake3, range);
    let node = node.clone();
    threads::spawn(move || {
        loop {
            let mut piece = vec![0; PIECE];
            // Lease and rights are asked for again before every piece: what is taken away meanwhile stops here.
            let read = match node.seal(share) {
                Some(_) if may() => reader.read(&mut piece),
                Some(_) => Err(io::Error::other("this share can't be read any more")),
                None => Err(io::Error::other(
                    "the share was revoked, or its lease ran out",
                )),
            };
            let last = !matches!(read, Ok(count) if count > 0);
            let piece = read.map(|count| {
                piece.truncate(count);
                Bytes::from(piece)
            });
            if matches!(&piece, Ok(piece) if piece.is_empty())
                || threads::wait(out.send(piece)).is_err()
                || last
            {
                return;
            }
        }
    });
    Ok(Some(bytes))
}

/// What a sealed part is about.
pub(crate) fn about(file: Digest, part: u32) -> Vec<u8> {
    [file.0.as_slice(), &part.to_be_bytes()].concat()
}

/// Reads a range of a file that is sealed here, under its lease.
pub(super) struct Reader {
    node: Node,
    share: ShareId,
    seal: Seal,
    file: Digest,
    left: Range<u64>,
    open: Option<(u32, Vec<u8>)>,
}

impl Reader {
    pub(super) const fn new(
        node: Node,
        share: ShareId,
        seal: Seal,
        file: Digest,
        range: Range<u64>,
    ) -> Self {
        Self {
            node,
            share,
            seal,
            file,
            left: range,
            open: None,
        }
    }

    /// Opens a part; a file of which one is damaged is not served any more.
    fn part(&self, part: u32) -> io::Result<Vec<u8>> {
        self.opened(part).inspect_err(|error| {
            let reason = error.get_ref().and_then(|reason| reason.downcast_ref());
            let damaged = matches!(
                reason,
                Some(blobs::Error::Damaged(_) | blobs::Error::Missing(_))
            );
            if damaged {
                suspect(&self.node, self.share, self.file);
            }
        })
    }

    fn opened(&self, part: u32) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "a sealed part is missing");
        let reading = self.node.parts().store.read();
        let row = reading
            .view()
            .get(&table::SEALED, &(self.share, self.file, part));
        let row = row.map_err(io::Error::other)?.ok_or_else(missing)?;
        drop(reading);
        let placed = Placed {
            digest: row.blake3,
            size: row.size,
            place: row.place,
        };
        let mut sealed = Vec::with_capacity(usize::try_from(row.size).unwrap_or_default());
        let blobs = &self.node.parts().blobs;
        let mut reader = blobs.read(&placed, 0..row.size).map_err(io::Error::other)?;
        reader.read_to_end(&mut sealed)?;
        let plain = self.seal.open(&about(self.file, part), &sealed);
        plain.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a sealed part is damaged"))
    }
}

impl Read for Reader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.left.is_empty() || to.is_empty() {
            return Ok(0);
        }
        let part = u32::try_from(self.left.start / PART).unwrap_or(u32::MAX);
        let (_, plain) = match self.open.take() {
            Some(open) if open.0 == part => self.open.insert(open),
            _ => {
                let plain = self.part(part)?;
                self.open.insert((part, plain))
            }
        };
        let from = usize::try_from(self.left.start % PART).unwrap_or(usize::MAX);
        let rest = plain.get(from..).unwrap_or_default();
        let wanted = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX);
        let count = rest.len().min(to.len()).min(wanted);
        to[..count].copy_from_slice(&rest[..count]);
        self.left.start += count as u64;
        Ok(count)
    }
}

/// Erases sealed files of a share: their bytes, and then what is known of them.
///
/// # Errors
/// [`Error`] where the tables or the disk fail.
pub(super) async fn erase(node: &Node, share: ShareId, files: Vec<Digest>) -> Result<(), Error> {
    delete(node, share, files.clone()).await?;
    node.decide(None, Way::Timer, move |_| {
        Ok(exchange::erased(share, files))
    })
    .await
}

/// Has a sealed file that was found damaged erased, so that it is read again.
pub fn suspect(node: &Node, share: ShareId, file: Digest) {
    let node = node.clone();
    tokio::runtime::Handle::current().spawn(async move {
        if let Err(error) = spoiled(&node, share, file).await {
            tracing::warn!(%error, "a damaged file could not be erased");
        }
    });
}

async fn spoiled(node: &Node, share: ShareId, file: Digest) -> Result<(), Error> {
    tracing::error!(%share, %file, "a sealed file is damaged on disk: it is not served any more");
    delete(node, share, vec![file]).await?;
    let having = move |view: &View<'_>| exchange::having(view, share, file);
    let having = node.read(having).await?;
    node.decide(None, Way::Timer, move |context| {
        exchange::spoiled(context, share, file, &having)
    })
    .await
}

async fn delete(node: &Node, share: ShareId, files: Vec<Digest>) -> Result<(), Error> {
    let of = node.clone();
    node.blocking(move || {
        let mut placed = Vec::new();
        {
            let reading = of.parts().store.read();
            for file in &files {
                let rows =
                    reading
                        .view()
                        .page(&table::SEALED, &(share, *file), None, usize::MAX)?;
                placed.extend(rows.into_iter().map(|(_, part)| Placed {
                    digest: part.blake3,
                    size: part.size,
                    place: part.place,
                }));
            }
        }
        of.parts()
            .blobs
            .delete(&placed)
            .map_err(|error| failed(&error))
    })
    .await
}

fn failed(error: &blobs::Error) -> Error {
    Error::new(ErrorKind::Unavailable, error.to_string())
}

/// Wanted items that are looked at together.
const WISHES: usize = 1024;
/// Sealed bytes that are made durable together, and bytes of one request.
const BYTES: u64 = 32 << 20;
/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;
/// Pieces between the connection and the disk.
const PIECES: usize = 8;
