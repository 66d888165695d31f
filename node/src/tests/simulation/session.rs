//! Read sessions, as `federation::sessions` serves them: every call and every message is judged.

use std::rc::Rc;

use bytes::Bytes;
use interdocket_proto::v1;
use interdocket_sync::id::EvidenceId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::wire::session as wire;
use prost::Message as _;
use uuid::Uuid;

use super::bug::{Bug, planted};
use super::net::{Message, Method, Part, answer};
use super::serve::refuse;
use super::site::Process;
use super::world::World;
use crate::actions::session::{self, Reader};
use crate::actions::{Error, Way, exchange};
use crate::clock::Clock as _;
use crate::event::SessionEnd;
use crate::sessions::Ended;
use crate::store::entity::{self, BlobState};
use crate::store::table;

/// Answers one call about a session.
pub(super) async fn serve(
    world: &Rc<World>,
    me: &Rc<Process>,
    method: Method,
    caller: OrganisationId,
    message: &Message,
) {
    let answered = match method {
        Method::Open => open(world, me, caller, &message.bytes).await,
        Method::List => list(world, me, caller, &message.bytes).await,
        Method::View => return view(world, me, caller, message).await,
        _ => close(world, me, caller, &message.bytes).await,
    };
    match answered {
        Ok(bytes) => {
            answer(world, message, Part::Answer(0), bytes);
            answer(world, message, Part::End(1), Vec::new());
        }
        Err(refused) => refuse(world, me, message, None, refused).await,
    }
}

type Answer = Result<Vec<u8>, Refusal>;

async fn open(world: &Rc<World>, me: &Rc<Process>, caller: OrganisationId, bytes: &[u8]) -> Answer {
    let request = v1::OpenRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
    let open = wire::read_open(request).map_err(|_| Refusal::Malformed)?;
    let reader = Reader {
        partner: caller,
        share: open.share,
        recipient: open.recipient,
        download: open.download,
    };
    let id = uuid::Builder::from_random_bytes(crate::chance::bytes()).into_uuid();
    if !me.sessions.begin(id, reader.clone(), me.clock.elapsed()) {
        return Err(Refusal::Limit);
    }
    let opened = me.decide(world, None, Way::Partner, move |context| {
        session::open(context, id, &reader, open.actor)
    });
    match opened.await {
        Ok(Ok(until)) => me.sessions.opened(id, until),
        Ok(Err(refused)) => {
            me.sessions.end(id);
            return Err(refused);
        }
        Err(_) => {
            me.sessions.end(id);
            return Err(Refusal::Busy);
        }
    }
    let session = id.as_bytes().to_vec().into();
    Ok(v1::OpenReply { session }.encode_to_vec())
}

/// The session of this name that is this partner's.
fn using(me: &Process, caller: OrganisationId, name: &[u8]) -> Result<(Uuid, Reader), Refusal> {
    let id = Uuid::from_slice(name).map_err(|_| Refusal::NotShared)?;
    let session = me.sessions.using(id, caller, me.clock.elapsed());
    let session = session.ok_or(Refusal::NotShared)?;
    Ok((id, session.reader))
}

async fn list(world: &Rc<World>, me: &Rc<Process>, caller: OrganisationId, bytes: &[u8]) -> Answer {
    let request = v1::ListRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
    let (id, reader) = using(me, caller, &request.session)?;
    let now = me.clock.now();
    let page = me.read(|view| {
        let share = match session::judge(view, &reader, now)? {
            Ok(share) => share,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut items = Vec::new();
        for evidence in session::candidates(view, &share, None, PAGE)? {
            if exchange::covered(view, &share, evidence)? {
                items.push(exchange::item(view, share.case, evidence)?);
            }
        }
        let case = exchange::info(view, &share)?;
        let more = false;
        Ok::<_, Error>(Ok(wire::Page { case, items, more }))
    });
    match page.map_err(|_| Refusal::Busy)? {
        Ok(page) => {
            super::tap::read(world, me, id, &reader, "a page of a case");
            Ok(wire::page(&page).encode_to_vec())
        }
        Err(refused) => {
            end(world, me, id, SessionEnd::Stopped).await;
            Err(refused)
        }
    }
}

/// Sends a file piece by piece; each is judged again once something changed, and by the time before every one.
async fn view(world: &Rc<World>, me: &Rc<Process>, caller: OrganisationId, asked: &Message) {
    let Ok(request) = v1::ViewRequest::decode(asked.bytes.as_slice()) else {
        return refuse(world, me, asked, None, Refusal::Malformed).await;
    };
    let mut judged = me.judged();
    let found = using(me, caller, &request.session);
    let (id, reader) = match found {
        Ok(found) => found,
        Err(refused) => return refuse(world, me, asked, None, refused).await,
    };
    let share = Some(reader.share);
    let found = EvidenceId::from_slice(&request.evidence).map_err(|_| Refusal::Malformed);
    let found = found.and_then(|evidence| Ok((evidence, bytes(me, &reader, evidence)?)));
    let (evidence, bytes) = match found {
        Ok(found) => found,
        Err(refused) => return refuse(world, me, asked, share, refused).await,
    };
    let allowed = || {
        let judged = me.read(
            |view| match session::judge(view, &reader, me.clock.now())? {
                Ok(share) => exchange::covered(view, &share, evidence),
                Err(_) => Ok(false),
            },
        );
        matches!(judged, Ok(true))
    };
    if !me.sessions.send(id) {
        return refuse(world, me, asked, share, Refusal::NotShared).await;
    }
    let mut place = 0;
    for piece in bytes.chunks(PIECE) {
        world.rest(20_000).await;
        let session = me
            .sessions
            .count(id, piece.len() as u64, me.clock.elapsed());
        let over = session.is_none_or(|session| session.expired(me.clock.now()));
        let changed = me.judged() != judged && !planted(Bug::NotJudgedAgain);
        if over || (changed && !allowed()) {
            me.sessions.uncount(id, piece.len() as u64);
            me.sessions.sent(id, me.clock.elapsed());
            end(world, me, id, SessionEnd::Stopped).await;
            return refuse(world, me, asked, share, Refusal::NotShared).await;
        }
        judged = me.judged();
        super::tap::read(world, me, id, &reader, "a piece of a file");
        let reply = v1::ViewReply {
            data: Bytes::copy_from_slice(piece),
        };
        answer(world, asked, Part::Answer(place), reply.encode_to_vec());
        place += 1;
    }
    me.sessions.sent(id, me.clock.elapsed());
    answer(world, asked, Part::End(place), Vec::new());
}

/// The bytes of the first file of an item, where this reader may see them now.
fn bytes(me: &Process, reader: &Reader, evidence: EvidenceId) -> Result<Vec<u8>, Refusal> {
    let now = me.clock.now();
    let found = me.read(|view| {
        let share = match session::judge(view, reader, now)? {
            Ok(share) => share,
            Err(refused) => return Ok(Err(refused)),
        };
        if !exchange::covered(view, &share, evidence)? {
            return Ok(Err(Refusal::NotShared));
        }
        let Some(file) = view.get(&table::FILE, &(evidence, 0))? else {
            return Ok(Err(Refusal::NotShared));
        };
        let blob = view.get(&table::BLOB, &file.blake3)?;
        Ok::<_, Error>(Ok((file.blake3, blob)))
    });
    let (digest, blob) = found.map_err(|_| Refusal::Busy)??;
    let whole = |blob: &entity::Blob| blob.state != BlobState::Damaged;
    let blob = blob.filter(whole).ok_or(Refusal::Damaged)?;
    me.vault.read(digest, blob.place).ok_or(Refusal::Damaged)
}

async fn close(
    world: &Rc<World>,
    me: &Rc<Process>,
    caller: OrganisationId,
    bytes: &[u8],
) -> Answer {
    let request = v1::CloseRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
    if let Ok((id, _)) = using(me, caller, &request.session) {
        end(world, me, id, SessionEnd::Closed).await;
    }
    Ok(v1::CloseReply {}.encode_to_vec())
}

/// Ends sessions that a stopped process left.
pub(super) async fn left(world: &Rc<World>, me: &Rc<Process>) {
    let open = me.read(|view| view.page(&table::SESSION, &(), None, usize::MAX));
    for (id, of) in open.unwrap_or_default() {
        if !me.sessions.has(id) && !planted(Bug::SessionLeft) {
            record(world, me, Ended::left(id, of.share)).await;
        }
    }
}

/// Ends sessions that are idle, whose time is up or, where something has changed, that are not allowed any more.
pub(super) async fn tidy(world: &Rc<World>, me: &Rc<Process>, changed: bool) {
    for ended in me.sessions.late() {
        record(world, me, ended).await;
    }
    for (id, open) in me.sessions.all() {
        let now = me.clock.now();
        let judged = || me.read(|view| session::judge(view, &open.reader, now));
        let reason = match () {
            () if open.idle(me.clock.elapsed()) => Some(SessionEnd::Idle),
            () if open.expired(now) => Some(SessionEnd::Stopped),
            () if changed => matches!(judged(), Ok(Err(_))).then_some(SessionEnd::Stopped),
            () => None,
        };
        if let Some(reason) = reason {
            end(world, me, id, reason).await;
        }
    }
}

async fn end(world: &Rc<World>, me: &Rc<Process>, id: Uuid, reason: SessionEnd) {
    let Some(session) = me.sessions.end(id) else {
        return;
    };
    let ended = Ended {
        session: id,
        share: session.reader.share,
        read: (session.bytes, session.ranges),
        reason,
    };
    record(world, me, ended).await;
}

async fn record(world: &Rc<World>, me: &Rc<Process>, ended: Ended) {
    let closed = me.decide(world, None, Way::Partner, move |_| Ok(ended.close()));
    if closed.await.is_err() {
        me.sessions.unrecorded(ended);
    }
}

const PAGE: usize = 256;
const PIECE: usize = 96;
