//! Read sessions at the owner: a recipient at a partner reads what a share covers, as it is now.
//!
//! Invariant: every call and every message is judged, also by the time; a session that may not go on ends,
//! and each session that was opened is recorded as closed once, with what was read in it.

use std::time::Duration;

use bytes::BytesMut;
use interdocket_proto::v1;
use interdocket_sync::evidence::Item;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::wire::session as wire;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use super::exchange::MESSAGES;
use super::outlet::{End, Outlet};
use crate::actions::decide::broken;
use crate::actions::session::{self, Reader};
use crate::actions::{Error, Way, exchange};
use crate::blobs::{self, Encoder, Placed, Ranges};
use crate::event::SessionEnd;
use crate::node::Node;
use crate::sessions::Ended;
use crate::store::entity::{self, BlobState};
use crate::store::table;
use crate::store::view::View;
use crate::threads;

/// What came of a partner's call; a refusal names the share where one was named.
pub(super) type Outcome<T> = Result<Result<T, (Option<ShareId>, Refusal)>, Error>;

/// Opens a session; answers its id.
///
/// # Errors
/// [`Error`] where this node can't.
pub(super) async fn open(node: &Node, caller: OrganisationId, open: wire::Open) -> Outcome<Uuid> {
    let share = open.share;
    let reader = Reader {
        partner: caller,
        share,
        recipient: open.recipient,
        download: open.download,
    };
    let mut chance = [0; 16];
    crate::chance::fill(&mut chance);
    let id = uuid::Builder::from_random_bytes(chance).into_uuid();
    let parts = node.parts();
    let sessions = &parts.moment.sessions;
    // Known before it is recorded: what is recorded and not known is what a stopped node left.
    if !sessions.begin(id, reader.clone(), parts.clock.elapsed()) {
        return Ok(Err((Some(share), Refusal::Limit)));
    }
    let decided = node.decide(None, Way::Partner, move |context| {
        session::open(context, id, &reader, open.actor)
    });
    match decided.await {
        Ok(Ok(until)) => {
            sessions.opened(id, until);
            Ok(Ok(id))
        }
        Ok(Err(refused)) => {
            sessions.end(id);
            Ok(Err((Some(share), refused)))
        }
        Err(error) => {
            sessions.end(id);
            Err(error)
        }
    }
}

/// A page of what the session's share covers.
///
/// # Errors
/// [`Error`] where this node can't.
pub(super) async fn list(
    node: &Node,
    caller: OrganisationId,
    request: v1::ListRequest,
) -> Outcome<wire::Page> {
    let Ok(after) = id(&request.after) else {
        return Ok(Err((None, Refusal::Malformed)));
    };
    let Some((session, reader)) = using(node, caller, &request.session) else {
        return Ok(Err((None, Refusal::NotShared)));
    };
    let share = reader.share;
    let most = match usize::try_from(request.most) {
        Ok(most @ 1..limits::LIST_ITEMS_MAX) => most,
        _ => limits::LIST_ITEMS_MAX,
    };
    let mut page = Listing {
        items: Vec::new(),
        bytes: 0,
        most,
        last: after,
        end: None,
    };
    loop {
        let (reader, now) = (reader.clone(), node.parts().clock.now());
        let read = node.read(move |view| {
            let share = match session::judge(view, &reader, now)? {
                Ok(share) => share,
                Err(refused) => return Ok(Err(refused)),
            };
            page.extend(view, &share)?;
            let case = match page.end {
                Some(_) => Some(exchange::info(view, &share)?),
                None => None,
            };
            Ok(Ok((page, case)))
        });
        match read.await? {
            Ok((read, None)) => page = read,
            Ok((read, Some(case))) => {
                return Ok(Ok(wire::Page {
                    case,
                    more: read.end == Some(Stop::Full),
                    items: read.items,
                }));
            }
            Err(refused) => {
                end(node, session, SessionEnd::Stopped).await;
                return Ok(Err((Some(share), refused)));
            }
        }
    }
}

/// A page that is being made, in steps that hold up nobody.
struct Listing {
    items: Vec<Item>,
    bytes: usize,
    most: usize,
    last: Option<EvidenceId>,
    end: Option<Stop>,
}

/// Why a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// There is more than fits.
    Full,
    /// There is no more.
    Last,
}

impl Listing {
    fn extend(&mut self, view: &View<'_>, share: &entity::Share) -> Result<(), Error> {
        let rows = session::candidates(view, share, self.last, ROWS)?;
        let whole = rows.len() < ROWS;
        for id in rows {
            if exchange::covered(view, share, id)? {
                let item = exchange::item(view, share.case, id)?;
                let bytes = self.bytes + wire::size(&item);
                let room = bytes <= limits::LIST_BYTES_MAX || self.items.is_empty();
                if !room || self.items.len() == self.most {
                    self.end = Some(Stop::Full);
                    return Ok(());
                }
                self.bytes = bytes;
                self.items.push(item);
            }
            self.last = Some(id);
        }
        self.end = whole.then_some(Stop::Last);
        Ok(())
    }
}

/// Begins to send a range of a file.
///
/// # Errors
/// [`Error`] where this node can't.
pub(super) async fn view(
    node: &Node,
    caller: OrganisationId,
    request: v1::ViewRequest,
    permit: impl Future<Output = Result<OwnedSemaphorePermit, Status>>,
) -> Outcome<Result<ReceiverStream<Result<v1::ViewReply, Status>>, Status>> {
    let Ok(Some(evidence)) = id(&request.evidence) else {
        return Ok(Err((None, Refusal::Malformed)));
    };
    let judged = node.judged();
    let Some((session, reader)) = using(node, caller, &request.session) else {
        return Ok(Err((None, Refusal::NotShared)));
    };
    let share = reader.share;
    let permit = match permit.await {
        Ok(permit) => permit,
        Err(status) => return Ok(Ok(Err(status))),
    };
    let (of, now) = (reader.clone(), node.parts().clock.now());
    let found = node.read(move |view| match session::judge(view, &of, now)? {
        Ok(share) => Ok(Ok(placed(view, &share, evidence, request.file)?)),
        Err(refused) => Ok(Err(refused)),
    });
    let placed = match found.await? {
        Ok(Ok(placed)) => placed,
        // The session goes on: it is this file that is not there.
        Ok(Err(refused)) => return Ok(Err((Some(share), refused))),
        Err(refused) => {
            end(node, session, SessionEnd::Stopped).await;
            return Ok(Err((Some(share), refused)));
        }
    };
    let Some(ranges) = ranges(placed.size, request.from, request.to) else {
        return Ok(Err((Some(share), Refusal::Malformed)));
    };
    if !node.parts().moment.sessions.send(session) {
        return Ok(Err((Some(share), Refusal::NotShared)));
    }
    let (out, stream) = mpsc::channel(MESSAGES);
    let outlet = Outlet {
        node: node.clone(),
        caller,
        share,
        judged,
        out,
    };
    let viewing = Viewing {
        session,
        reader,
        evidence,
        outlet,
    };
    threads::spawn(move || {
        viewing.run(&placed, ranges);
        drop(permit);
    });
    Ok(Ok(Ok(ReceiverStream::new(stream))))
}

/// Ends a session because its reader says so; whose it is not learns nothing.
pub(super) async fn close(node: &Node, caller: OrganisationId, request: &v1::CloseRequest) {
    if let Some((session, _)) = using(node, caller, &request.session) {
        end(node, session, SessionEnd::Closed).await;
    }
}

/// The session of this name that is this partner's.
fn using(node: &Node, caller: OrganisationId, name: &[u8]) -> Option<(Uuid, Reader)> {
    let id = Uuid::from_slice(name).ok()?;
    let parts = node.parts();
    let now = parts.clock.elapsed();
    let session = parts.moment.sessions.using(id, caller, now)?;
    Some((id, session.reader))
}

/// An id; none where it is empty.
fn id(bytes: &[u8]) -> Result<Option<EvidenceId>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let id = EvidenceId::from_slice(bytes);
    id.map(Some).map_err(|_| Refusal::Malformed)
}

/// Where the bytes of a file lie that a share covers. What it does not cover looks like what does not
/// exist.
fn placed(
    view: &View<'_>,
    share: &entity::Share,
    evidence: EvidenceId,
    file: u32,
) -> Result<Result<Placed, Refusal>, Error> {
    if !exchange::covered(view, share, evidence)? {
        return Ok(Err(Refusal::NotShared));
    }
    let Some(file) = view.get(&table::FILE, &(evidence, file))? else {
        return Ok(Err(Refusal::NotShared));
    };
    let blob = view
        .get(&table::BLOB, &file.blake3)?
        .ok_or_else(|| broken("a file's bytes are not recorded"))?;
    Ok(match blob.state {
        BlobState::Damaged => Err(Refusal::Damaged),
        BlobState::Stored | BlobState::Compared => Ok(Placed {
            digest: file.blake3,
            size: blob.size,
            place: blob.place,
        }),
    })
}

/// The groups that hold a range; none where it is none of the file.
fn ranges(size: u64, from: u64, to: u64) -> Option<Ranges> {
    let to = if to == 0 { size } else { to };
    if (from, to) == (0, size) {
        return Some(Ranges::all(size));
    }
    Ranges::new(size, std::iter::once(from..to)).ok()
}

/// A range of a file that is being sent.
struct Viewing {
    session: Uuid,
    reader: Reader,
    evidence: EvidenceId,
    outlet: Outlet<v1::ViewReply>,
}

impl Viewing {
    fn run(mut self, placed: &Placed, ranges: Ranges) {
        let parts = self.outlet.node.clone();
        let encoder = parts.parts().blobs.encode(placed, ranges);
        let sent = match encoder {
            Ok(encoder) => self.stream(placed, encoder),
            Err(error) => self.damaged(placed, &error),
        };
        let elapsed = parts.parts().clock.elapsed();
        parts.parts().moment.sessions.sent(self.session, elapsed);
        if sent == Err(End::Refused) {
            let ended = end(&parts, self.session, SessionEnd::Stopped);
            threads::wait(ended);
            self.outlet.refuse(Refusal::NotShared);
        }
    }

    fn stream(&mut self, placed: &Placed, mut encoder: Encoder) -> Result<(), End> {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(limits::PIECES_MAX);
            match encoder.fill(&mut buffer, limits::PIECES_MAX) {
                Ok(more) => {
                    self.send(buffer.split().freeze())?;
                    if !more {
                        return Ok(());
                    }
                }
                Err(error) => return self.damaged(placed, &error),
            }
        }
    }

    fn damaged(&self, placed: &Placed, error: &blobs::Error) -> Result<(), End> {
        tracing::error!(digest = %placed.digest, error = error as &dyn std::error::Error, "a blob can't be read");
        self.outlet.node.suspect(placed, error);
        // The session goes on: it is this file that can't be read.
        self.outlet.refuse(Refusal::Damaged);
        Err(End::Gone)
    }

    fn send(&mut self, data: bytes::Bytes) -> Result<(), End> {
        if data.is_empty() {
            return Ok(());
        }
        let node = self.outlet.node.clone();
        let (clock, sessions) = (&node.parts().clock, &node.parts().moment.sessions);
        let (bytes, now) = (data.len(), clock.now());
        let session = sessions.count(self.session, bytes as u64, clock.elapsed());
        if session.is_none_or(|session| session.expired(now)) {
            sessions.uncount(self.session, bytes as u64);
            return Err(End::Refused);
        }
        let (reader, evidence) = (&self.reader, self.evidence);
        let allowed = |view: &View<'_>| match session::judge(view, reader, now)? {
            Ok(share) => exchange::covered(view, &share, evidence),
            Err(_) => Ok(false),
        };
        let sent = self.outlet.send(v1::ViewReply { data }, bytes, allowed);
        if sent.is_err() {
            sessions.uncount(self.session, bytes as u64);
        }
        sent
    }
}

/// Takes a session out and records its end; nothing where it is over.
pub(crate) async fn end(node: &Node, session: Uuid, reason: SessionEnd) {
    if let Some(ended) = node.parts().moment.sessions.end(session) {
        let ended = Ended {
            session,
            share: ended.reader.share,
            read: (ended.bytes, ended.ranges),
            reason,
        };
        record(node, ended).await;
    }
}

/// Records the end of a session, or notes that it is still to be recorded.
async fn record(node: &Node, ended: Ended) {
    let way = match ended.reason {
        SessionEnd::Closed => Way::Partner,
        SessionEnd::Idle | SessionEnd::Stopped | SessionEnd::Interrupted => Way::Timer,
    };
    let closed = node.decide(None, way, move |_| Ok(ended.close()));
    if let Err(error) = closed.await {
        let session = ended.session;
        tracing::warn!(%session, %error, "the end of a read session could not be recorded yet");
        node.parts().moment.sessions.unrecorded(ended);
    }
}

/// Ends sessions that were left by a stopped node, that are idle or may not go on, and, when told to stop,
/// all of them.
pub async fn watch(node: Node, stop: CancellationToken) {
    left(&node).await;
    let mut judged = node.judged();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = tokio::time::sleep(EVERY) => {}
        }
        let now = node.judged();
        tidy(&node, now != judged).await;
        judged = now;
    }
    for (session, _) in node.parts().moment.sessions.all() {
        end(&node, session, SessionEnd::Interrupted).await;
    }
}

/// Ends the sessions that a stopped node left.
pub(crate) async fn left(node: &Node) {
    let open = node.read(|view| Ok(view.page(&table::SESSION, &(), None, usize::MAX)?));
    match open.await {
        Ok(open) => {
            for (session, of) in open {
                if !node.parts().moment.sessions.has(session) {
                    let ended = Ended::left(session, of.share);
                    record(node, ended).await;
                }
            }
        }
        Err(error) => tracing::warn!(%error, "open read sessions can't be read"),
    }
}

/// Ends the sessions that are idle, whose time is up or, where something has changed, that are not allowed
/// any more.
pub(crate) async fn tidy(node: &Node, changed: bool) {
    for ended in node.parts().moment.sessions.late() {
        record(node, ended).await;
    }
    let clock = &node.parts().clock;
    for (session, open) in node.parts().moment.sessions.all() {
        let now = clock.now();
        let reason = match () {
            () if open.idle(clock.elapsed()) => Some(SessionEnd::Idle),
            () if open.expired(now) => Some(SessionEnd::Stopped),
            () if changed => {
                let judged = node.read(move |view| session::judge(view, &open.reader, now));
                matches!(judged.await, Ok(Err(_))).then_some(SessionEnd::Stopped)
            }
            () => None,
        };
        if let Some(reason) = reason {
            end(node, session, reason).await;
        }
    }
}

/// Rows that are looked at in one step, while nothing is applied.
const ROWS: usize = 256;
/// How often sessions are looked at.
const EVERY: Duration = Duration::from_secs(1);
