//! Bytes of evidence between their sources, the blobs and people: taking files in, and giving them out.
//!
//! Durable first, then recorded; recorded first, then given out.

use std::io::{self, Read};
use std::path::PathBuf;

use bytes::Bytes;
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::FileKind;
use interdocket_sync::id::EvidenceId;
use tokio::sync::mpsc;

use crate::access::Permission;
use crate::actions::decide::{Decided, broken};
use crate::actions::evidence::{
    Add, Attach, Attachable, Attached, Evidence, GET, Get, Taken, Upload, file_name, intake,
    rendition,
};
use crate::actions::{About, Action, Caller, Error, ErrorKind, Run, Way, reach};
use crate::attachments::confidential;
use crate::blobs::{self, Place, Placed, Staged};
use crate::bringing::Brings;
use crate::event::{AddedFile, StoredBlob};
use crate::node::Node;
use crate::store::entity::BlobState;
use crate::store::table;
use crate::threads;

/// A file of evidence that is open for reading: its bytes arrive verified.
pub struct Opened {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The bytes, in order; an error ends them.
    pub bytes: mpsc::Receiver<io::Result<Bytes>>,
}

impl Run for Add {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Evidence, Error> {
        node.permit(caller, &self).await?;
        local(caller, "POST /v0/cases/{case}/files")?;
        let name = self.name.unwrap_or_else(|| file_name(&self.path));
        let order = Order {
            case: self.case,
            name,
            folder: self.folder,
            title: self.title,
        };
        let path = self.path;
        let progress = caller.progress.clone();
        node.take_in(caller, order, move |blobs| {
            let total = path.metadata().map_or(0, |metadata| metadata.len());
            blobs.ingest_file(&path, &mut |done| progress.report(done, total))
        })
        .await
    }
}

impl Run for Attach {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Evidence, Error> {
        node.permit(caller, &self).await?;
        local(caller, "POST /v0/evidence/{evidence}/files")?;
        let order = Attachment {
            evidence: self.evidence,
            kind: self.kind,
            name: self.name.unwrap_or_else(|| file_name(&self.path)),
        };
        let path = self.path;
        let progress = caller.progress.clone();
        node.attach(caller, order, move |blobs| {
            let total = path.metadata().map_or(0, |metadata| metadata.len());
            blobs.ingest_file(&path, &mut |done| progress.report(done, total))
        })
        .await
    }
}

/// Only whoever owns the local socket names files of the machine.
fn local(caller: &Caller, instead: &str) -> Result<(), Error> {
    if caller.way == Way::Socket {
        return Ok(());
    }
    let message = "a file on the node's machine can only be named over its local socket";
    Err(Error::new(ErrorKind::Forbidden, message).hint(format!("send the file's bytes: {instead}")))
}

/// What a file is to be to evidence that is there.
struct Attachment {
    evidence: EvidenceId,
    kind: Attachable,
    name: String,
}

/// Bytes that are durable here.
struct Durable {
    size: u64,
    blake3: Digest,
    sha256: Sha256,
    /// None where this node held them already.
    place: Option<Place>,
    /// Until they are recorded.
    brings: Brings,
}

impl Durable {
    /// As a file that this node made; with what is recorded of the bytes where they are new here.
    fn file(self, name: String, kind: FileKind, format: &str) -> (AddedFile, Option<StoredBlob>) {
        let file = AddedFile {
            name,
            size: self.size,
            blake3: self.blake3,
            sha256: self.sha256,
            kind,
            format: format.to_owned(),
        };
        let stored = self.place.map(|place| StoredBlob {
            blake3: self.blake3,
            size: self.size,
            place,
            sha256: self.sha256,
            compared: true,
        });
        (file, stored)
    }
}

/// What evidence is to be made of a file.
struct Order {
    case: String,
    name: String,
    folder: String,
    title: Option<String>,
}

impl Node {
    /// Takes in a file of evidence whose bytes arrive as the body of a request.
    ///
    /// # Errors
    /// [`Error`] of permissions, of names, or where the bytes end early.
    pub async fn upload_evidence(
        &self,
        caller: &Caller,
        request: Upload,
        body: mpsc::Receiver<io::Result<Bytes>>,
    ) -> Result<Evidence, Error> {
        let about = About::Case(request.case.clone());
        self.permit_to(caller, Add::NAME, about).await?;
        let Upload {
            case,
            name,
            folder,
            title,
        } = request;
        let order = Order {
            case,
            name,
            folder,
            title,
        };
        let mut source = Body {
            body,
            piece: Bytes::new(),
        };
        self.take_in(caller, order, move |blobs| {
            blobs.ingest(&mut source, &mut |_| {})
        })
        .await
    }

    /// Adds a file to evidence that is there.
    async fn attach(
        &self,
        caller: &Caller,
        order: Attachment,
        ingest: impl FnOnce(&blobs::Blobs) -> Result<Staged, blobs::Error> + Send + 'static,
    ) -> Result<Evidence, Error> {
        Taken::check(&order.name, "", None)?;
        let bytes = self.stage(ingest).await?;
        let _brings = bytes.brings;
        let (who, about) = (caller.clone(), About::Evidence(order.evidence));
        let attached = Attached {
            evidence: order.evidence,
            kind: order.kind,
            name: order.name,
            size: bytes.size,
            blake3: bytes.blake3,
            sha256: bytes.sha256,
            place: bytes.place,
        };
        self.decide(Some(caller.actor.clone()), caller.way, move |context| {
            // The bytes may have taken hours.
            reach::check(&context.view, &who, Attach::NAME, &about)?;
            context.held = who.permissions;
            attached.decide(context)
        })
        .await
    }

    /// Makes a document that goes along with evidence durable; with what is recorded where it is new here.
    ///
    /// # Errors
    /// [`Error`] where the disk can't.
    pub(crate) async fn attachment(
        &self,
        kind: FileKind,
        document: Vec<u8>,
    ) -> Result<(AddedFile, Option<StoredBlob>), Error> {
        let bytes = self
            .stage(move |blobs| blobs.ingest(&mut document.as_slice(), &mut |_| {}))
            .await?;
        let name = match kind {
            FileKind::Original | FileKind::GpsTrack | FileKind::Transcript => "file",
            FileKind::AuditTrail => "audit-trail.json",
            FileKind::Notes => "notes.json",
            FileKind::Markers => "markers.json",
        };
        Ok(bytes.file(name.to_owned(), kind, "application/json"))
    }

    /// Makes a rendition that lies in a file durable; with what is recorded where it is new here.
    ///
    /// # Errors
    /// [`Error`] where the disk can't.
    pub(crate) async fn rendition(
        &self,
        path: PathBuf,
        name: String,
    ) -> Result<(AddedFile, Option<StoredBlob>), Error> {
        let bytes = self
            .stage(move |blobs| blobs.ingest_file(&path, &mut |_| {}))
            .await?;
        Ok(bytes.file(name, FileKind::Original, rendition::FORMAT))
    }

    async fn take_in(
        &self,
        caller: &Caller,
        order: Order,
        ingest: impl FnOnce(&blobs::Blobs) -> Result<Staged, blobs::Error> + Send + 'static,
    ) -> Result<Evidence, Error> {
        Taken::check(&order.name, &order.folder, order.title.as_deref())?;
        let case = order.case.clone();
        self.read(move |view| intake(view, &case)).await?;
        let bytes = self.stage(ingest).await?;
        let _brings = bytes.brings;
        let taken = Taken {
            case: order.case,
            name: order.name,
            folder: order.folder,
            title: order.title,
            size: bytes.size,
            blake3: bytes.blake3,
            sha256: bytes.sha256,
            place: bytes.place,
        };
        let (who, about) = (caller.clone(), About::Case(taken.case.clone()));
        self.decide(Some(caller.actor.clone()), caller.way, move |context| {
            // The bytes may have taken hours.
            reach::check(&context.view, &who, Add::NAME, &about)?;
            context.held = who.permissions;
            taken.decide(context)
        })
        .await
    }

    /// Takes bytes in and makes them durable, unless the node holds them already.
    async fn stage(
        &self,
        ingest: impl FnOnce(&blobs::Blobs) -> Result<Staged, blobs::Error> + Send + 'static,
    ) -> Result<Durable, Error> {
        let node = self.clone();
        self.blocking(move || {
            let staged = ingest(&node.parts().blobs).map_err(|error| taking(&error))?;
            let sha256 = staged.sha256();
            let brings = threads::wait(node.parts().moment.bringing.begin());
            Ok(Durable {
                size: staged.size(),
                blake3: staged.digest(),
                sha256: sha256.ok_or_else(|| broken("a file was taken in without SHA-256"))?,
                place: node.durable(staged)?,
                brings,
            })
        })
        .await
    }

    fn durable(&self, staged: Staged) -> Result<Option<Place>, Error> {
        let blobs = &self.parts().blobs;
        let digest = staged.digest();
        let held = self
            .parts()
            .store
            .read()
            .view()
            .get(&table::BLOB, &digest)?;
        match held {
            Some(held) if held.state != BlobState::Damaged => return Ok(None),
            Some(held) => {
                let damaged = Placed {
                    digest,
                    size: held.size,
                    place: held.place,
                };
                blobs.delete(&[damaged]).map_err(|error| taking(&error))?;
            }
            None => {}
        }
        let placed = blobs.commit(vec![staged]).map_err(|error| taking(&error))?;
        Ok(placed.first().map(|placed| placed.place))
    }

    /// Opens a file of evidence for reading, once that is recorded.
    ///
    /// # Errors
    /// [`Error`] of permissions, or where there is no such file.
    pub async fn open_evidence(&self, caller: &Caller, request: Get) -> Result<Opened, Error> {
        let about = About::Evidence(request.evidence);
        self.permit_to(caller, GET, about.clone()).await?;
        confidential(caller, request.confidential)?;
        original(caller, request.original)?;
        let who = caller.clone();
        let (name, placed) = self
            .decide(Some(caller.actor.clone()), caller.way, move |context| {
                reach::check(&context.view, &who, GET, &about)?;
                request.decide(context)
            })
            .await?;
        Ok(self.give(name, placed, || true))
    }

    /// Gives a file out, for as long as whoever reads it may.
    pub(crate) fn give(
        &self,
        name: String,
        placed: Placed,
        may: impl FnMut() -> bool + Send + 'static,
    ) -> Opened {
        let (out, bytes) = mpsc::channel(AHEAD);
        let (node, size) = (self.clone(), placed.size);
        threads::spawn(move || node.give_out(&placed, &out, may));
        Opened { name, size, bytes }
    }

    fn give_out(
        &self,
        placed: &Placed,
        out: &mpsc::Sender<io::Result<Bytes>>,
        mut may: impl FnMut() -> bool,
    ) {
        let mut reader = match self.parts().blobs.read(placed, 0..placed.size) {
            Ok(reader) => reader,
            Err(error) => {
                self.suspect(placed, &error);
                let _ = threads::wait(out.send(Err(io::Error::other(error))));
                return;
            }
        };
        let mut buffer = vec![0; PIECE];
        loop {
            let piece = match reader.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) if !may() => Err(io::Error::other("it may not be read any more")),
                Ok(read) => Ok(Bytes::copy_from_slice(&buffer[..read])),
                Err(error) => Err(error),
            };
            if let Err(error) = &piece {
                let reason = error.get_ref().and_then(|reason| reason.downcast_ref());
                if let Some(error) = reason {
                    self.suspect(placed, error);
                }
            }
            let failed = piece.is_err();
            // Whoever read it may have gone away.
            if threads::wait(out.send(piece)).is_err() || failed {
                return;
            }
        }
    }

    /// Records that a blob was found damaged: it is not served any more.
    pub fn suspect(&self, placed: &Placed, error: &blobs::Error) {
        if !matches!(error, blobs::Error::Damaged(_) | blobs::Error::Missing(_)) {
            return;
        }
        let (node, digest) = (self.clone(), placed.digest);
        tracing::error!(%digest, "a blob is damaged on disk: it is not served any more");
        tokio::runtime::Handle::current().spawn(async move {
            let decide = move |context: &mut crate::actions::decide::Context<'_>| {
                let blob = context.view.get(&table::BLOB, &digest)?;
                let known = blob.is_none_or(|blob| blob.state == BlobState::Damaged);
                let event = crate::event::Event::BlobDamaged(digest);
                let events = if known { Vec::new() } else { vec![event] };
                Ok(Decided::new(events, |_| Ok(())))
            };
            if let Err(error) = node.decide(None, Way::Timer, decide).await {
                tracing::warn!(%error, "a damaged blob could not be recorded");
            }
            // One of them may owe it.
            node.wake_all();
        });
    }
}

/// Only some people read video that was received without its watermark.
fn original(caller: &Caller, asked: bool) -> Result<(), Error> {
    if !asked || caller.permissions.contains(&Permission::EvidenceOriginal) {
        return Ok(());
    }
    let message = "your role does not allow to read originals without their watermark";
    Err(Error::new(ErrorKind::Forbidden, message).hint(
        "read it with its watermark, or ask an administrator of this node for the permission evidence.original",
    ))
}

/// The body of a request as a source that blocks.
struct Body {
    body: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match threads::wait(self.body.recv()) {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let read = buffer.len().min(self.piece.len());
        buffer[..read].copy_from_slice(&self.piece.split_to(read));
        Ok(read)
    }
}

/// What went wrong with taking bytes in, for the person who brought them.
fn taking(error: &blobs::Error) -> Error {
    let kind = match error {
        blobs::Error::Source(_)
        | blobs::Error::Unreadable { .. }
        | blobs::Error::NotRegular(_)
        | blobs::Error::Changed(_)
        | blobs::Error::TooLarge { .. } => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    let reason = std::error::Error::source(error);
    let message = reason.map_or_else(|| error.to_string(), |reason| format!("{error}: {reason}"));
    Error::new(kind, message)
}

/// Bytes in one piece that is given out.
const PIECE: usize = 256 * 1024;
/// Pieces made ahead of whoever reads.
const AHEAD: usize = 4;
