//! Read sessions, as `federation::sessions` serves them: every call and every message is judged.

use std::rc::Rc;

use bytes::Bytes;
use interdocket_proto::v1;
use interdocket_sync::id::{EvidenceId, ShareId};
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
        Err(refused) => refuse(world, message, refused),
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
    if !me.sessions.begin(id, reader.clone(), me.watch.elapsed()) {
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
    let session = me.sessions.using(id, caller, me.watch.elapsed());
    let session = session.ok_or(Refusal::NotShared)?;
    Ok((id, session.reader))
}

async fn list(world: &Rc<World>, me: &Rc<Process>, caller: OrganisationId, bytes: &[u8]) -> Answer {
    let request = v1::ListRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
    let (id, reader) = using(me, caller, &request.session)?;
    let now = me.watch.now();
    let page = me.read(|view| {
        let share = match session::judge(view, &reader, now)? {
            Ok(share) => share,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut items = Vec::new();
        for evidence in session::candidates(view, &share, None, PAGE)? {
            if exchange::covered(view, &share, evidence)? {
                items.push(exchange::item(view, evidence)?);
            }
        }
        let case = exchange::info(view, &share)?;
        let more = false;
        Ok::<_, Error>(Ok(wire::Page { case, items, more }))
    });
    match page.map_err(|_| Refusal::Busy)? {
        Ok(page) => {
            super::tap::leaves(world, reader.share, "a page of a case");
            Ok(wire::page(&page).encode_to_vec())
        }
        Err(refused) => {
            end(world, me, id, SessionEnd::Stopped).await;
            Err(refused)
        }
    }
}

async fn view(world: &Rc<World>, me: &Rc<Process>, caller: OrganisationId, asked: &Message) {
    let Ok(request) = v1::ViewRequest::decode(asked.bytes.as_slice()) else {
        return refuse(world, asked, Refusal::Malformed);
    };
    let mut judged = me.judged();
    let found = using(me, caller, &request.session);
    let (id, reader) = match found {
        Ok(found) => found,
        Err(refused) => return refuse(world, asked, refused),
    };
    let bytes = match bytes(me, &reader, &request.evidence) {
        Ok(bytes) => bytes,
        Err(refused) => return refuse(world, asked, refused),
    };
    let allowed = || {
        let now = me.watch.now();
        matches!(
            me.read(|view| session::judge(view, &reader, now)),
            Ok(Ok(_))
        )
    };
    let mut place = 0;
    for piece in bytes.chunks(PIECE) {
        world.rest(20_000).await;
        if me.judged() != judged && !planted(Bug::NotJudgedAgain) {
            if !allowed() {
                end(world, me, id, SessionEnd::Stopped).await;
                return refuse(world, asked, Refusal::NotShared);
            }
            judged = me.judged();
        }
        super::tap::leaves(world, reader.share, "a piece of a file that is read");
        let reply = v1::ViewReply {
            data: Bytes::copy_from_slice(piece),
        };
        answer(world, asked, Part::Answer(place), reply.encode_to_vec());
        place += 1;
    }
    answer(world, asked, Part::End(place), Vec::new());
}

/// The bytes of the first file of an item, where this reader may see them now.
fn bytes(me: &Process, reader: &Reader, evidence: &[u8]) -> Result<Vec<u8>, Refusal> {
    let evidence = EvidenceId::from_slice(evidence).map_err(|_| Refusal::Malformed)?;
    let now = me.watch.now();
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
    let blob = blob.ok_or(Refusal::Damaged)?;
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

async fn end(world: &Rc<World>, me: &Rc<Process>, id: Uuid, reason: SessionEnd) {
    let Some(session) = me.sessions.end(id) else {
        return;
    };
    let (share, read): (ShareId, _) = (session.reader.share, (session.bytes, session.ranges));
    let closed = me.decide(world, None, Way::Partner, move |_| {
        Ok(session::close(id, share, read, reason))
    });
    // Where it can't be recorded, the next start closes it.
    let _ = closed.await;
}

const PAGE: usize = 256;
const PIECE: usize = 96;
