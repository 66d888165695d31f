//! Reading what partners share: files are verified while they arrive, made durable in batches, and
//! stated as stored.
//!
//! One task for each partner. What is wanted is in the tables; what was verified and durable is not
//! read again, whatever happens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use interdocket_proto::v1;
use interdocket_proto::v1::transfer_client::TransferClient;
use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::File;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::{Facts, Hold, Kind, State};
use interdocket_sync::transfer::{Request as Wanted, Wish, plan};
use interdocket_sync::wire::refusal;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

pub(super) use self::unused::unused;
use super::drive::jittered;
use crate::actions::decide::broken;
use crate::actions::{self, Error, ErrorKind, Way};
use crate::blobs::{self, Blobs, Placed, Receiver, StageId, Staged};
use crate::bringing::Brings;
use crate::metrics::{Direction, Outcome, Transfer, Way as Bound};
use crate::node::Node;
use crate::store::entity::BlobState;
use crate::store::project::ShareFacts;
use crate::store::table;
use crate::store::view::View;
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};
use crate::threads;

/// Reads from a partner until told to stop.
pub async fn fetch(node: Node, partner: OrganisationId, stop: CancellationToken) {
    let mut door = node.door(partner);
    loop {
        door.mark_unchanged();
        let pass = pass(&node, partner);
        let clean = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            clean = pass => clean,
        };
        let timer = async {
            match clean {
                Ok(true) => std::future::pending().await,
                Ok(false) => tokio::time::sleep(jittered(LATER)).await,
                Err(error) => {
                    tracing::debug!(%partner, %error, "reading has to wait");
                    tokio::time::sleep(jittered(PAUSE)).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = door.changed() => if changed.is_err() { return },
            () = timer => {}
        }
    }
}

/// Reads everything that is wanted from a partner; false where something could not be had.
async fn pass(node: &Node, partner: OrganisationId) -> Result<bool, Error> {
    let shares = node.read(move |view| Ok(view.page(&table::FETCH, &partner, None, usize::MAX)?));
    let (mut clean, mut held_up) = (true, None);
    for ((_, share), ()) in shares.await? {
        if !node.read(move |view| copies(view, share)).await? {
            continue;
        }
        match read_share(node, partner, share).await {
            Ok(all) => clean &= all,
            Err(Stop::Link) => {
                let message = "there is no contact with the partner";
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            // It may be better in a while: nothing is wrong with what is read.
            Err(Stop::Storage(error)) => {
                tracing::warn!(%partner, %share, %error, "reading is paused");
                held_up = Some(error);
            }
            // What is wrong with one share does not keep the others waiting.
            Err(Stop::Own(error)) => {
                tracing::warn!(%partner, %share, %error, "a share can't be read");
                clean = false;
            }
        }
    }
    clean &= repair::repair(node, partner).await?;
    held_up.map_or(Ok(clean), Err)
}

/// Whether a share is a copy: the files of others are read in `follow`.
pub(crate) fn copies(view: &View<'_>, share: ShareId) -> Result<bool, Error> {
    Ok(actions::decide::share(view, share)?.header.kind == Kind::Copy)
}

/// What was read as this node's own.
pub(super) struct Read {
    /// What is durable now, and was not held before.
    pub(super) placed: Vec<Placed>,
    /// What did not come.
    pub(super) missing: BTreeSet<Digest>,
    /// Whether all that was asked for was answered, and came.
    pub(super) whole: bool,
    /// Whether the connection broke meanwhile.
    pub(super) cut: bool,
    /// Until it is recorded.
    pub(super) _brings: Option<Brings>,
}

/// Reads files as this node's own, for an import.
///
/// # Errors
/// [`Error`] where there is no contact, or this node can't.
pub(super) async fn read_files(
    node: &Node,
    partner: OrganisationId,
    share: ShareId,
    request: Wanted,
) -> Result<Read, Error> {
    let answer = read(node.clone(), partner, share, request).await?;
    if let Some(error) = answer.stopped {
        return Err(error);
    }
    let whole = answer.missing.is_empty() && matches!(answer.end, End::Whole);
    let cut = matches!(answer.end, End::Cut);
    let (placed, missing) = (answer.placed, answer.missing);
    Ok(Read {
        placed,
        missing,
        whole,
        cut,
        _brings: answer.brings,
    })
}

/// Why reading a share ended early.
enum Stop {
    /// The connection broke, or the partner is busy: nothing else can be read now either.
    Link,
    /// There is no space, or the system gives no files: for none of the share.
    Storage(Error),
    /// This node can't.
    Own(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

async fn read_share(node: &Node, partner: OrganisationId, share: ShareId) -> Result<bool, Stop> {
    // A file is asked for once: what was missing is missing for items behind it as well.
    let mut missing = BTreeSet::new();
    let (mut clean, mut after) = (true, None);
    loop {
        let page = node.read(move |view| wishes(view, share, after)).await?;
        after = page.last;
        let whole = page.whole;
        let requests = plan(page.wishes, &|digest| page.held.contains(&digest), BYTES);
        // One request is read while the one before it is made durable and recorded.
        let mut reading = stream::iter(requests)
            .map(|request| {
                let reading = read(node.clone(), partner, share, request);
                AbortOnDropHandle::new(tokio::spawn(reading))
            })
            .buffered(READS);
        while let Some(read) = reading.next().await {
            let answer = read.map_err(|_| broken("reading from a partner failed"))??;
            let (end, stopped) = (answer.end, answer.stopped.clone());
            missing.extend(&answer.missing);
            clean &= answer.missing.is_empty();
            record(node, share, answer, &missing).await?;
            if let Some(error) = stopped {
                return Err(Stop::Storage(error));
            }
            match end {
                End::Whole => {}
                // What the owner refuses as a whole it refuses for every request.
                End::Refused => return Ok(false),
                End::Cut => return Err(Stop::Link),
            }
        }
        if whole {
            return Ok(clean);
        }
    }
}

/// Some of what is wanted.
pub(crate) struct Page {
    /// Items with their files.
    pub(crate) wishes: Vec<Wish>,
    /// What need not be read, as its owner delivered it before.
    pub(crate) held: BTreeSet<Digest>,
    /// Behind which item the next page begins.
    pub(crate) last: Option<EvidenceId>,
    /// Whether there is no more.
    pub(crate) whole: bool,
}

/// What is wanted of a copy, from behind an item on.
pub(crate) fn wishes(
    view: &View<'_>,
    share: ShareId,
    after: Option<EvidenceId>,
) -> Result<Page, Error> {
    let header = actions::decide::share(view, share)?.header;
    let owner = header.owner;
    let after = after.map(|evidence| (share, evidence));
    // The owner serves nothing before it has seen the acceptance: its receipt wakes this task.
    let ready = header.partner_log.countersigned > 0 && header.hold == Hold::Free;
    let most = if ready { WISHES } else { 0 };
    let rows = view.page(&table::WANTED, &share, after.as_ref(), most)?;
    let whole = rows.len() < WISHES;
    let last = rows
        .last()
        .map(|((_, evidence), ())| *evidence)
        .or_else(|| after.map(|after| after.1));
    let mut page = Page {
        wishes: Vec::new(),
        held: Default::default(),
        last,
        whole,
    };
    let facts = ShareFacts::new(*view, share);
    for ((_, evidence), ()) in rows {
        let item = facts
            .item(evidence)
            .ok_or_else(|| broken("a wanted item is missing"))?;
        let files = (0..item.files)
            .map(|place| facts.file(evidence, place))
            .collect();
        let files: Option<Vec<File>> = files;
        let files = files.ok_or_else(|| broken("a wanted item's file is missing"))?;
        for file in &files {
            let before = view.has(&table::DELIVERED, &(owner, file.blake3))?;
            #[cfg(test)]
            let before =
                (before || planted(Bug::HeldElsewhere)) && !planted(Bug::DeliveredForgotten);
            if before && whole_here(view, file)? {
                page.held.insert(file.blake3);
            }
        }
        page.wishes.push(Wish { evidence, files });
    }
    facts.done()?;
    Ok(page)
}

fn whole_here(view: &View<'_>, file: &File) -> Result<bool, Error> {
    let blob = view.get(&table::BLOB, &file.blake3)?;
    Ok(blob.is_some_and(|blob| blob.state != BlobState::Damaged && blob.size == file.size))
}

/// What came of one request.
struct Answer {
    request: Wanted,
    placed: Vec<Placed>,
    missing: BTreeSet<Digest>,
    end: End,
    /// Why this node can take in no more for now.
    stopped: Option<Error>,
    /// Until it is recorded.
    brings: Option<Brings>,
}

/// How a stream of bytes ended.
#[derive(Clone, Copy)]
enum End {
    /// By itself.
    Whole,
    /// The owner refused the call.
    Refused,
    /// The connection broke, or nothing came in time.
    Cut,
}

async fn read(
    node: Node,
    partner: OrganisationId,
    share: ShareId,
    request: Wanted,
) -> Result<Answer, Error> {
    if request.files.is_empty() {
        return Ok(Answer {
            request,
            placed: Vec::new(),
            missing: Default::default(),
            end: End::Whole,
            stopped: None,
            brings: None,
        });
    }
    let (pieces, arriving) = mpsc::channel(PIECES);
    let (ready, starts) = oneshot::channel();
    let intake = Intake {
        node: node.clone(),
        share,
        files: request.files.clone(),
        stopped: None,
    };
    let taking = threads::spawn(move || intake.run(ready, arriving));
    let mut end = End::Whole;
    if let Ok(ranges) = starts.await {
        let sent = stream_in(&node, partner, share, &request.files, ranges, &pieces).await;
        if let Err(status) = sent {
            tracing::debug!(%partner, %share, code = ?status.code(), "a read ended early");
            end = match status.details() {
                [] => End::Cut,
                _ => End::Refused,
            };
        }
    }
    drop(pieces);
    let (placed, missing, stopped, brings) = taking
        .await
        .map_err(|_| broken("taking in what was read failed"))??;
    Ok(Answer {
        request,
        placed,
        missing,
        end,
        stopped,
        brings: Some(brings),
    })
}

/// Calls the owner and hands on what arrives.
pub(super) async fn stream_in(
    node: &Node,
    partner: OrganisationId,
    share: ShareId,
    files: &[File],
    starts: Vec<u64>,
    pieces: &mpsc::Sender<Arrived>,
) -> Result<(), Status> {
    let range = |(file, from): (&File, u64)| v1::FileRange {
        digest: Bytes::copy_from_slice(&file.blake3.0),
        from,
        doubted: node.take_doubt(share, file.blake3),
    };
    let request = v1::ReadRequest {
        share: Bytes::copy_from_slice(share.as_bytes()),
        files: files.iter().zip(starts).map(range).collect(),
    };
    let channel = node.parts().transport.channel(partner);
    let mut client = TransferClient::new(channel)
        .max_decoding_message_size(limits::MESSAGE_MAX + limits::PIECES_MAX);
    let mut replies = client.read(request).await?.into_inner();
    loop {
        let next = tokio::time::timeout(IDLE, replies.message()).await;
        let Some(reply) = next.map_err(|_| Status::deadline_exceeded("no bytes in time"))?? else {
            return Ok(());
        };
        let mut bytes = 0;
        for piece in reply.pieces {
            bytes += piece.data.len() as u64;
            let refusal = piece
                .refusal
                .map(|refused| refusal::read(refused).unwrap_or(Refusal::Malformed));
            let arrived = Arrived {
                file: piece.file,
                data: piece.data,
                refusal,
            };
            if pieces.send(arrived).await.is_err() {
                return Ok(());
            }
        }
        let bound = Bound {
            direction: Direction::In,
        };
        node.parts()
            .metrics
            .blob_bytes
            .get_or_create(&bound)
            .inc_by(bytes);
        node.heard(partner);
    }
}

/// A piece of a file.
pub(super) struct Arrived {
    pub(super) file: u32,
    pub(super) data: Bytes,
    pub(super) refusal: Option<Refusal>,
}

/// Takes files in on a thread that may block, in the order of the request.
struct Intake {
    node: Node,
    share: ShareId,
    files: Vec<File>,
    stopped: Option<Error>,
}

/// What is whole, what is missing, and why this node can take in no more for now.
type Taken = (Vec<Placed>, BTreeSet<Digest>, Option<Error>, Brings);

impl Intake {
    fn run(
        mut self,
        ready: oneshot::Sender<Vec<u64>>,
        mut arriving: mpsc::Receiver<Arrived>,
    ) -> Result<Taken, Error> {
        let mut starts = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let stage = stage(self.share, file.blake3)
                .ok_or_else(|| broken("a stage's name has a wrong length"))?;
            let blobs = &self.node.parts().blobs;
            starts.push(blobs.resumes(&stage, file.blake3, file.size));
        }
        // Where nobody waits any more there is nothing to do.
        let _ = ready.send(starts);
        let mut taken = Vec::new();
        let mut open: Option<Receiver> = None;
        let (mut last, mut room) = (None, 0);
        while let Some(arrived) = threads::wait(arriving.recv()) {
            if last.is_none_or(|last| last < arrived.file) {
                taken.extend(open.take().and_then(finish));
                open = self.open(arrived.file);
                last = Some(arrived.file);
                room = self.room(arrived.file);
            }
            // Files come in their order, and none has more than its digest allows, verified or not.
            let (left, over) = room.overflowing_sub(arrived.data.len() as u64);
            if last != Some(arrived.file) || over {
                tracing::warn!(share = %self.share, "the partner sends what nobody asked for");
                break;
            }
            room = left;
            let Some(receiver) = &mut open else {
                continue;
            };
            let failed = match arrived.refusal {
                Some(refusal) => Some(refusal.to_string()),
                None => match receiver.write(&arrived.data) {
                    Err(error @ (blobs::Error::Full | blobs::Error::Io { .. })) => {
                        self.stopped = Some(failed(&error));
                        break;
                    }
                    Err(error @ blobs::Error::Mismatch { .. }) => {
                        if let Some(file) = self.files.get(arrived.file as usize) {
                            self.node.doubt(self.share, file.blake3);
                        }
                        Some(error.to_string())
                    }
                    written => written.err().map(|error| error.to_string()),
                },
            };
            if let Some(reason) = failed {
                tracing::warn!(share = %self.share, %reason, "a file can't be read from the partner");
                open = None;
            }
        }
        taken.extend(open.take().and_then(finish));
        taken.extend(self.empty(&taken));
        let whole: BTreeSet<Digest> = taken.iter().map(Staged::digest).collect();
        let missing: BTreeSet<Digest> = self
            .files
            .iter()
            .map(|file| file.blake3)
            .filter(|digest| !whole.contains(digest))
            .collect();
        self.count(Outcome::Done, whole.len());
        self.count(Outcome::Failed, missing.len());
        let brings = threads::wait(self.node.parts().moment.bringing.begin());
        let placed = self.commit(&self.node.parts().blobs, taken)?;
        Ok((placed, missing, self.stopped, brings))
    }

    /// Starts with a file when its first piece is there: one is open at a time.
    /// One that can't be taken in does not keep the others out.
    fn open(&mut self, place: u32) -> Option<Receiver> {
        let file = self.files.get(place as usize)?;
        let stage = stage(self.share, file.blake3)?;
        let blobs = &self.node.parts().blobs;
        let receiver = blobs.receive(stage, file.blake3, file.size);
        receiver
            .inspect_err(|error| {
                self.stopped = Some(failed(error));
                let error = error as &dyn std::error::Error;
                tracing::warn!(share = %self.share, error, "a file can't be taken in");
            })
            .ok()
    }

    /// Bytes that the verified stream of a file has at most: one hash pair for each group.
    fn room(&self, place: u32) -> u64 {
        let size = self.files.get(place as usize).map_or(0, |file| file.size);
        size.saturating_add(size / 128).saturating_add(1024)
    }

    /// Files without bytes are whole without any piece.
    fn empty(&mut self, taken: &[Staged]) -> Option<Staged> {
        let empty = self.files.iter().zip(0..).find(|(file, _)| file.size == 0);
        let (file, place) = empty?;
        if taken.iter().any(|staged| staged.digest() == file.blake3) {
            return None;
        }
        self.open(place).and_then(finish)
    }

    /// Makes what arrived durable: what the node holds already is not stored twice.
    fn commit(&self, blobs: &Blobs, staged: Vec<Staged>) -> Result<Vec<Placed>, Error> {
        let mut fresh = Vec::with_capacity(staged.len());
        let mut damaged = Vec::new();
        {
            let reading = self.node.parts().store.read();
            let view = reading.view();
            for blob in staged {
                let digest = blob.digest();
                match view.get(&table::BLOB, &digest)? {
                    Some(held) if held.state == BlobState::Damaged => {
                        damaged.push(Placed {
                            digest,
                            size: held.size,
                            place: held.place,
                        });
                        fresh.push(blob);
                    }
                    Some(_) => {}
                    None => fresh.push(blob),
                }
            }
        }
        if !damaged.is_empty() {
            blobs.delete(&damaged).map_err(|error| failed(&error))?;
        }
        blobs.commit(fresh).map_err(|error| failed(&error))
    }

    fn count(&self, outcome: Outcome, files: usize) {
        let transfer = Transfer {
            direction: Direction::In,
            outcome,
        };
        self.node
            .parts()
            .metrics
            .transfers
            .get_or_create(&transfer)
            .inc_by(files as u64);
    }
}

/// Under what name a file of a share is received.
fn stage(share: ShareId, digest: Digest) -> Option<StageId> {
    StageId::new(&[share.as_bytes().as_slice(), &digest.0].concat())
}

/// Whether what began to arrive of a share may yet become whole.
pub(crate) fn awaited(view: &View<'_>, share: ShareId) -> Result<bool, Error> {
    let header = actions::decide::share(view, share)?.header;
    let over = header.revoked || matches!(header.state, State::Cancelled { .. });
    let importing = view.has(&table::IMPORT, &(header.owner, share))?;
    Ok(header.hold != Hold::Frozen && (!over || importing))
}

/// Removes what was received of files that no share wants any more.
///
/// # Errors
/// [`Error`] where the tables or the disk fail.
pub fn sweep(node: &Node) -> Result<(), Error> {
    let mut keep = BTreeSet::new();
    let mut after = None;
    loop {
        let reading = node.parts().store.read();
        let view = reading.view();
        let page = view.page(&table::WANTED, &(), after.as_ref(), WISHES)?;
        let Some((last, ())) = page.last() else { break };
        after = Some(*last);
        for ((share, evidence), ()) in page {
            if !awaited(&view, share)? {
                continue;
            }
            let facts = ShareFacts::new(view, share);
            let files = facts.item(evidence).map_or(0, |item| item.files);
            let large = (0..files)
                .filter_map(|place| facts.file(evidence, place))
                .filter(|file| file.size > blobs::SMALL);
            keep.extend(large.filter_map(|file| stage(share, file.blake3)));
            facts.done()?;
        }
    }
    let swept = node.parts().blobs.sweep(&keep);
    swept.map_err(|error| failed(&error))
}

fn finish(receiver: Receiver) -> Option<Staged> {
    receiver
        .finish()
        .inspect_err(|error| tracing::debug!(%error, "a file is not whole yet"))
        .ok()
}

/// Records what is whole now.
async fn record(
    node: &Node,
    share: ShareId,
    answer: Answer,
    missing: &BTreeSet<Digest>,
) -> Result<(), Error> {
    let (placed, evidence) = (answer.placed, answer.request.evidence);
    let whole = match missing.is_empty() {
        true => evidence,
        false => {
            let missing = missing.clone();
            node.read(move |view| without(view, share, evidence, &missing))
                .await?
        }
    };
    let placed: Arc<[Placed]> = placed.into();
    for evidence in whole.chunks(STORED) {
        let (evidence, placed) = (evidence.to_vec(), Arc::clone(&placed));
        let stored = node.decide(None, Way::Partner, move |context| {
            actions::exchange::store(context, share, &evidence, &placed)
        });
        stored.await?;
    }
    let of = node.clone();
    node.blocking(move || unused(&of, &placed)).await
}

/// The items all of whose files arrived.
pub(crate) fn without(
    view: &View<'_>,
    share: ShareId,
    evidence: Vec<EvidenceId>,
    missing: &BTreeSet<Digest>,
) -> Result<Vec<EvidenceId>, Error> {
    let facts = ShareFacts::new(*view, share);
    let mut whole = Vec::new();
    for id in evidence {
        let files = facts.item(id).map_or(0, |item| item.files);
        let lacks = |place| {
            facts
                .file(id, place)
                .is_none_or(|file| missing.contains(&file.blake3))
        };
        if files > 0 && !(0..files).any(lacks) {
            whole.push(id);
        }
    }
    facts.done()?;
    Ok(whole)
}

fn failed(error: &blobs::Error) -> Error {
    Error::new(ErrorKind::Unavailable, error.to_string())
}

mod repair;
#[cfg(test)]
mod tests;
mod unused;

/// Wanted items that are looked at together.
const WISHES: usize = 4096;
/// Bytes of one request: what is durable together, and in memory where files are small.
const BYTES: u64 = 32 << 20;
/// Requests under way at once.
const READS: usize = 2;
/// Items stated as stored in one step.
const STORED: usize = limits::ENTRY_ITEMS_MAX;
/// Pieces between the connection and the disk.
const PIECES: usize = 8;
/// How long a stream of bytes may be silent.
const IDLE: Duration = Duration::from_secs(30);
/// How long to wait without contact; contact ends the wait at once.
const PAUSE: Duration = Duration::from_secs(10);
/// How long to leave alone what could not be had.
const LATER: Duration = Duration::from_secs(120);
