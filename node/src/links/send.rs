//! A package on its way: made while it is sent, and asked for before each piece whether it may go on.

use std::io::{self, Read as _};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use interdocket_sync::id::EvidenceId;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Ended;
use super::package::{Package, Packed};
use crate::actions::Error;
use crate::actions::link::{self, LinkId};
use crate::blobs::{self, Placed};
use crate::event::DownloadEnd;
use crate::metrics;
use crate::node::{Node, timely};
use crate::store::entity::BlobState;
use crate::store::table;
use crate::store::view::View;
use crate::threads;

/// A package that is being sent.
pub(super) struct Sending {
    node: Node,
    download: Uuid,
    link: LinkId,
    /// The bytes that were asked for.
    span: Range<u64>,
    /// How far the package is made.
    at: u64,
    out: mpsc::Sender<io::Result<Bytes>>,
    /// Bytes that were handed over.
    handed: u64,
    /// Those of them that the transport took.
    taken: Arc<AtomicU64>,
}

/// The bytes of a package, as they arrive at the transport.
pub struct Arriving {
    bytes: mpsc::Receiver<io::Result<Bytes>>,
    taken: Arc<AtomicU64>,
}

impl Arriving {
    /// Those that come this way.
    pub fn new(bytes: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self {
            bytes,
            taken: Arc::default(),
        }
    }

    /// Takes the next piece; none after the last, nor after an error.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let piece = ready!(self.bytes.poll_recv(context));
        if let Some(Ok(piece)) = &piece {
            let bytes = piece.len() as u64;
            self.taken.fetch_add(bytes, Ordering::AcqRel);
        }
        Poll::Ready(piece)
    }
}

impl Sending {
    /// Starts to send a part of a package; gives where its bytes arrive.
    pub(super) fn start(
        node: &Node,
        download: Uuid,
        link: LinkId,
        package: Package,
        span: Range<u64>,
    ) -> Arriving {
        // One piece ahead and no more: what was handed over goes, whatever happens meanwhile.
        let (out, bytes) = mpsc::channel(1);
        let arriving = Arriving::new(bytes);
        let sending = Self {
            node: node.clone(),
            download,
            link,
            span,
            at: 0,
            out,
            handed: 0,
            taken: Arc::clone(&arriving.taken),
        };
        threads::spawn(move || sending.run(&package));
        arriving
    }

    fn run(mut self, package: &Package) {
        let made = self.make(package);
        // What was handed over last may still be taken. Whoever goes away may have taken it before.
        let room = threads::wait(tokio::time::timeout(UNREAD, self.out.reserve()));
        let bytes = match &room {
            Ok(Ok(_)) => self.handed,
            Ok(Err(_)) | Err(_) => self.taken.load(Ordering::Acquire),
        };
        let complete = bytes == self.span.end - self.span.start;
        let reason = match made {
            _ if complete => DownloadEnd::Complete,
            Ok(()) => DownloadEnd::Gone,
            Err(reason) => reason,
        };
        let ended = Ended {
            download: self.download,
            bytes: Some(bytes),
            reason,
        };
        // First what is on record: whoever is told that it broke off may look there.
        threads::wait(self.node.close_download(ended));
        if let Ok(Ok(room)) = room
            && !complete
        {
            room.send(Err(io::Error::other("the download was broken off")));
        }
    }

    fn make(&mut self, package: &Package) -> Result<(), DownloadEnd> {
        let zip = &package.zip;
        let mut sums = Vec::with_capacity(package.files.len() + 1);
        let manifest = crc32fast::hash(&package.manifest);
        self.put(&zip.header(0), None)?;
        self.put(&package.manifest, None)?;
        self.put(&zip.descriptor(0, manifest), None)?;
        sums.push(manifest);
        for (number, file) in (1..).zip(&package.files) {
            self.put(&zip.header(number), Some(file))?;
            let sum = self.file(file)?;
            self.put(&zip.descriptor(number, sum), Some(file))?;
            sums.push(sum);
        }
        for piece in zip.end(&sums).chunks(PIECE) {
            self.put(piece, None)?;
        }
        Ok(())
    }

    /// Sends a file, or what of it was asked for; gives its CRC-32.
    fn file(&mut self, file: &Packed) -> Result<u32, DownloadEnd> {
        let node = self.node.clone();
        let links = &node.parts().moment.links;
        let known = links.sum(&file.blake3);
        // What was sent before need not be read to be skipped.
        let skipped = self.span.start.saturating_sub(self.at).min(file.size);
        let from = known.map_or(0, |_| skipped);
        self.at += from;
        let placed = self.placed(file)?;
        if from == file.size
            && let Some(sum) = known
        {
            return Ok(sum);
        }
        let reader = node.parts().blobs.read(&placed, from..file.size);
        let mut reader = reader.map_err(|error| self.unreadable(&placed, &error))?;
        let mut sum = crc32fast::Hasher::new();
        let mut buffer = vec![0; PIECE];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => {
                    let reason = error.get_ref().and_then(|reason| reason.downcast_ref());
                    if let Some(error) = reason {
                        self.unreadable(&placed, error);
                    }
                    return Err(DownloadEnd::Damaged);
                }
            };
            sum.update(&buffer[..read]);
            self.put(&buffer[..read], Some(file))?;
        }
        let sum = known.unwrap_or_else(|| sum.finalize());
        links.summed(file.blake3, sum);
        Ok(sum)
    }

    fn unreadable(&self, placed: &Placed, error: &blobs::Error) -> DownloadEnd {
        self.node.suspect(placed, error);
        DownloadEnd::Damaged
    }

    /// Where the bytes of a file lie, if it may be sent.
    fn placed(&self, file: &Packed) -> Result<Placed, DownloadEnd> {
        let reading = self.node.parts().store.read();
        let view = reading.view();
        if !matches!(self.allowed(&view, Some(file.row)), Ok(true)) {
            return Err(DownloadEnd::Stopped);
        }
        let blob = view.get(&table::BLOB, &file.blake3);
        match blob.ok().flatten() {
            Some(blob) if blob.state != BlobState::Damaged => Ok(Placed {
                digest: file.blake3,
                size: file.size,
                place: blob.place,
            }),
            Some(_) | None => Err(DownloadEnd::Damaged),
        }
    }

    /// Whether the link may be used now, and has this file still.
    fn allowed(
        &self,
        view: &View<'_>,
        row: Option<(LinkId, EvidenceId, u32)>,
    ) -> Result<bool, Error> {
        timely(view)?;
        let Some(held) = view.get(&table::LINK, &self.link)? else {
            return Ok(false);
        };
        let now = self.node.parts().clock.now();
        if link::judge(view, &held, now)?.is_some() {
            return Ok(false);
        }
        row.map_or(Ok(true), |row| Ok(view.has(&table::LINKED, &row)?))
    }

    /// Makes a piece of the package, and hands over what of it was asked for, if that is allowed now.
    fn put(&mut self, piece: &[u8], file: Option<&Packed>) -> Result<(), DownloadEnd> {
        let (begin, end) = (self.at, self.at + piece.len() as u64);
        self.at = end;
        let wanted = self.span.start.max(begin)..self.span.end.min(end);
        if wanted.start >= wanted.end {
            return Ok(());
        }
        let within = |at: u64| usize::try_from(at - begin).expect("a piece is in memory");
        let piece = &piece[within(wanted.start)..within(wanted.end)];
        // Room first: what is asked then holds when the piece goes.
        let node = self.node.clone();
        let out = self.out.clone();
        let room = threads::wait(tokio::time::timeout(UNREAD, out.reserve()));
        let Ok(Ok(room)) = room else {
            return Err(DownloadEnd::Gone);
        };
        match file {
            Some(file) => {
                self.placed(file)?;
            }
            None => {
                let reading = node.parts().store.read();
                if !matches!(self.allowed(&reading.view(), None), Ok(true)) {
                    return Err(DownloadEnd::Stopped);
                }
            }
        }
        let way = metrics::Way {
            direction: metrics::Direction::Out,
        };
        let sent = node.parts().metrics.blob_bytes.get_or_create(&way);
        sent.inc_by(piece.len() as u64);
        self.handed += piece.len() as u64;
        room.send(Ok(Bytes::copy_from_slice(piece)));
        Ok(())
    }
}

/// Bytes in one piece.
const PIECE: usize = 256 * 1024;
/// How long whoever downloads may not read.
const UNREAD: Duration = Duration::from_secs(60);
