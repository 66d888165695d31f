//! What a node answers its partners: the decisions are the node's own, only the tasks around them are not.
//!
//! This follows `federation::exchange`, `connection` and `outlet`.

use std::rc::Rc;

use interdocket_proto::v1;
use interdocket_proto::v1::deliver_reply::Outcome;
use interdocket_sync::blob::Digest;
use interdocket_sync::id::{ActorId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::Actor;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::share::terms::FORMAT;
use interdocket_sync::wire::{batch, refusal};
use prost::Message as _;

use super::bug::{Bug, planted};
use super::net::{Message, Method, Part, answer};
use super::site::Process;
use super::vault::digest as digest_of;
use super::world::World;
use crate::actions::decide::Decided;
use crate::actions::{self, Error, Way, exchange, feature};
use crate::clock::Clock as _;
use crate::event::{Event, Refused};
use crate::federation::exchange::{incarnation, placed, serves, trusted};
use crate::federation::lease::{self, Lender};
use crate::federation::{features, history, recover};
use crate::store::entity::BlobState;
use crate::store::table;

/// For how long this node lends, in seconds.
pub(super) const LEASE: u32 = 60;

/// What came of a call: its answer, or why there is none.
type Answer = Result<Vec<u8>, Refusal>;

/// Answers one call.
pub(super) async fn serve(world: &Rc<World>, me: &Rc<Process>, method: Method, message: Message) {
    let caller = world.sites[message.from].id;
    let _serving = me.serving.begin(caller);
    let answered = match judge(me, caller, method) {
        Err(refused) => Err(refused),
        Ok(()) if method == Method::Read => {
            return read(world, me, caller, &message).await;
        }
        Ok(())
            if matches!(
                method,
                Method::Open | Method::List | Method::View | Method::Close
            ) =>
        {
            return super::session::serve(world, me, method, caller, &message).await;
        }
        Ok(()) => one(world, me, method, caller, &message).await,
    };
    match super::lies::answered(world, me, method, answered) {
        Ok(bytes) => {
            answer(world, &message, Part::Answer(0), bytes);
            answer(world, &message, Part::End(1), Vec::new());
        }
        Err(refused) => refuse(world, me, &message, None, refused).await,
    }
}

/// Refuses a call; that is on record first.
pub(super) async fn refuse(
    world: &Rc<World>,
    me: &Rc<Process>,
    message: &Message,
    share: Option<ShareId>,
    refused: Refusal,
) {
    let caller = world.sites[message.from].id;
    note(world, me, caller, message, share, refused).await;
    let bytes = refusal::write(refused).encode_to_vec();
    answer(world, message, Part::Refused, bytes);
}

/// Records a refusal, unless the same one was just recorded. That this node can't is none.
async fn note(
    world: &Rc<World>,
    me: &Rc<Process>,
    caller: OrganisationId,
    message: &Message,
    share: Option<ShareId>,
    refused: Refusal,
) {
    let Part::Ask(method) = message.part else {
        return;
    };
    if refused == Refusal::Busy {
        return;
    }
    let said = Refused {
        partner: Some(caller),
        action: format!("{method:?}"),
        share,
        link: None,
        reason: refused.name().to_owned(),
        count: 1,
    };
    // One that is just being recorded is counted, and not waited for.
    let Some(first) = me.refusals.take(said.clone(), me.clock.now()) else {
        return;
    };
    if !planted(Bug::RefusalUnrecorded) {
        let recorded = me.record(world, Event::Refused(first)).await;
        me.mute.set(me.mute.get() || !recorded);
    }
    super::tap::refuses(world, me, &said);
}

/// The calling partner is trusted now, and so is this node's clock where time matters.
fn judge(me: &Process, caller: OrganisationId, method: Method) -> Result<(), Refusal> {
    let trusted = me.read(|view| trusted(view, caller));
    if !trusted.map_err(|_| Refusal::Busy)? {
        return Err(Refusal::Suspended);
    }
    match method {
        Method::Connect | Method::Revoke | Method::ListShares | Method::Close => Ok(()),
        _ => me.timely().map_err(|_| Refusal::Busy),
    }
}

async fn one(
    world: &Rc<World>,
    me: &Rc<Process>,
    method: Method,
    caller: OrganisationId,
    message: &Message,
) -> Answer {
    let bytes = message.bytes.as_slice();
    match method {
        Method::Connect => connect(world, me, caller, bytes).await,
        Method::Deliver => deliver(world, me, caller, message).await,
        Method::Revoke => revoke(world, me, caller, bytes).await,
        Method::ListShares => {
            let request = v1::ListSharesRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
            let after = match request.after.is_empty() {
                true => None,
                false => Some(ShareId::from_slice(&request.after).map_err(|_| Refusal::Malformed)?),
            };
            let listed = me.read(|view| recover::list(view, caller, after));
            Ok(listed.map_err(|_| Refusal::Busy)?.encode_to_vec())
        }
        Method::Recover => {
            let request = v1::RecoverRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
            let own = recover::Own {
                organisation: me.id,
                journal: &me.journal,
                lender: lender(me),
                leases: &me.leases,
                now: me.clock.elapsed(),
            };
            let given = me.read(|view| recover::give(&own, view, caller, request));
            Ok(given.map_err(|_| Refusal::Busy)??.encode_to_vec())
        }
        Method::Renew => renew(world, me, caller, bytes),
        _ => grant(world, me, caller, bytes).await,
    }
}

pub(super) fn lender(me: &Process) -> Lender<'_> {
    Lender {
        keyring: &me.keyring,
        seconds: LEASE,
    }
}

/// Takes in what features a partner says it has.
pub(super) async fn hear(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    said: &[i32],
) -> Result<(), Error> {
    let said = features::said(said);
    if !me.read(|view| feature::news(view, partner, &said))? {
        return Ok(());
    }
    let heard = me.decide(world, None, Way::Partner, move |context| {
        feature::heard(context, partner, said)
    });
    heard.await
}

async fn connect(
    world: &Rc<World>,
    me: &Rc<Process>,
    caller: OrganisationId,
    bytes: &[u8],
) -> Answer {
    let hello = v1::ConnectRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
    let heard = hear(world, me, caller, &hello.features).await;
    heard.map_err(|_| Refusal::Busy)?;
    me.greeted(world, caller);
    let read = me.read(|view| {
        let incarnation = incarnation(view)?;
        let on = feature::of(view)?;
        let witnesses = recover::witnesses(view, &me.journal, caller)?;
        Ok::<_, Error>((incarnation, on, witnesses))
    });
    let (incarnation, on, witnesses) = read.map_err(|_| Refusal::Busy)?;
    let reply = v1::ConnectReply {
        formats: vec![FORMAT],
        incarnation,
        at: me.clock.now().timestamp_micros(),
        version: String::new(),
        features: features::told(&on),
        ..witnesses
    };
    Ok(reply.encode_to_vec())
}

async fn deliver(
    world: &Rc<World>,
    me: &Rc<Process>,
    caller: OrganisationId,
    asked: &Message,
) -> Answer {
    let message = v1::DeliverRequest::decode(asked.bytes.as_slice());
    let message = message.map_err(|_| Refusal::Malformed)?;
    let share = message.batch.as_ref().map(|batch| batch.share.clone());
    let share = share.and_then(|share| ShareId::from_slice(&share).ok());
    let outcome = match take(world, me, caller, message).await? {
        Ok(countersignature) => {
            let message = v1::Countersignature::decode(countersignature.bytes.as_slice());
            Outcome::Receipt(message.map_err(|_| Refusal::Busy)?)
        }
        Err(refused) => {
            note(world, me, caller, asked, share, refused).await;
            Outcome::Refusal(refusal::write(refused))
        }
    };
    let reply = v1::DeliverReply {
        outcome: Some(outcome),
    };
    Ok(reply.encode_to_vec())
}

async fn take(
    world: &Rc<World>,
    me: &Rc<Process>,
    caller: OrganisationId,
    message: v1::DeliverRequest,
) -> Result<exchange::Taken, Refusal> {
    let Some(Ok(batch)) = message.batch.map(batch::read) else {
        return Ok(Err(Refusal::Malformed));
    };
    let asked = me.clock.elapsed();
    let lease = message.lease.and_then(lease::read);
    let lease = lease.filter(|lease| lease.share == batch.share);
    if let Err(refusal) = exchange::verify(&batch, caller, &me.pinned()) {
        return Ok(Err(refusal));
    }
    let (share, head, said) = (batch.share, batch.head.head.clone(), batch.clone());
    let (store, journal) = (me.store.clone(), me.journal.clone());
    let seal = lease.as_ref().map(lease::Lease::seal);
    let held = super::check::fork::other(world, me, &said);
    let decided = me.decide(world, None, Way::Partner, move |context| {
        drop(store);
        let hashes = history::Hashes::new(context.view, &journal, share);
        let known = |side: Side, number: u64| hashes.hash(side, number);
        exchange::take(context, caller, batch, &known, seal.as_ref())
    });
    let taken = decided.await.map_err(|error| {
        let name = world.sites[me.site].name;
        world.note(format_args!("{name} can't take {share}: {error}"));
        Refusal::Busy
    })?;
    match (&taken, lease) {
        (Ok(_), Some(lease)) => keep(me, lease, caller, asked).map_err(|_| Refusal::Busy)?,
        _ => review(me, share).map_err(|_| Refusal::Busy)?,
    }
    super::check::fork::judged(world, me, &said, &taken, held);
    if taken.is_ok() {
        let mut oracle = world.oracle.borrow_mut();
        oracle.countersigned(me.site, &head);
    }
    Ok(taken)
}

/// Keeps a lease that came, where its share lives.
pub(super) fn keep(
    me: &Process,
    lease: lease::Lease,
    owner: OrganisationId,
    asked: std::time::Duration,
) -> Result<(), Error> {
    let share = lease.share;
    let until = asked + std::time::Duration::from_secs(LEASE.into());
    // A slow answer does not shorten what a later one gave.
    let before = me.lent.borrow().get(&share).copied();
    let until = before.map_or(until, |before| before.max(until));
    me.lent.borrow_mut().insert(share, until);
    if me.read(|view| lease::takes(view, owner, share))? {
        lease.lent(&me.leases, asked);
    }
    review(me, share)
}

/// Wipes the lease of a share that does not live any more.
pub(super) fn review(me: &Process, share: ShareId) -> Result<(), Error> {
    if !planted(Bug::LeaseKept) && !me.read(|view| lease::keeps(view, share))? {
        me.leases.drop(share);
    }
    Ok(())
}

async fn revoke(
    world: &Rc<World>,
    me: &Rc<Process>,
    caller: OrganisationId,
    bytes: &[u8],
) -> Answer {
    let message = v1::RevokeRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
    let message = message.revocation.ok_or(Refusal::Malformed)?;
    let read = SignedRevocation::read(&message.encode_to_vec());
    let revocation = read.map_err(|_| Refusal::Malformed)?;
    let said = &revocation.revocation;
    let share = said.share;
    if (said.owner, said.partner) != (caller, me.id) {
        return Err(Refusal::NotShared);
    }
    let judged = revocation.verify(&me.pinned());
    judged.map_err(|_| Refusal::Signature)?;
    let taken = me.decide(world, None, Way::Partner, move |context| {
        exchange::receive(context, &revocation)
    });
    let countersignature = taken.await.map_err(|_| Refusal::Busy)?;
    review(me, share).map_err(|_| Refusal::Busy)?;
    world
        .oracle
        .borrow_mut()
        .revocations
        .insert((me.site, caller, share));
    let message = v1::Countersignature::decode(countersignature.bytes.as_slice());
    let reply = v1::RevokeReply {
        receipt: Some(message.map_err(|_| Refusal::Busy)?),
    };
    Ok(reply.encode_to_vec())
}

fn renew(world: &World, me: &Process, caller: OrganisationId, bytes: &[u8]) -> Answer {
    let message = v1::RenewRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
    let renewed = me.read(|view| lease::renewed(lender(me), view, caller, &message.shares));
    let renewed = renewed.map_err(|_| Refusal::Busy)?;
    for lease in &renewed.leases {
        let share = ShareId::from_slice(&lease.share).expect("it was written");
        super::tap::leaves(world, me, caller, share, "a lease");
    }
    Ok(renewed.encode_to_vec())
}

async fn grant(
    world: &Rc<World>,
    me: &Rc<Process>,
    caller: OrganisationId,
    bytes: &[u8],
) -> Answer {
    let message = v1::ImportRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
    let share = ShareId::from_slice(&message.share).map_err(|_| Refusal::Malformed)?;
    let actor = message.actor.ok_or(Refusal::Malformed)?;
    let asked = Actor {
        id: ActorId::from_slice(&actor.id).map_err(|_| Refusal::Malformed)?,
        name: actor.name,
        badge: actor.badge,
    };
    asked.check()?;
    let granted = me.decide(world, None, Way::Partner, move |context| {
        exchange::grant(context, caller, share, asked, &message.recipient)
    });
    granted.await.map_err(|_| Refusal::Busy)??;
    Ok(v1::ImportReply {}.encode_to_vec())
}

/// Sends the files that were asked for, piece by piece; each piece is judged again once something changed.
async fn read(world: &Rc<World>, me: &Rc<Process>, caller: OrganisationId, asked: &Message) {
    let request = v1::ReadRequest::decode(asked.bytes.as_slice());
    let share = request
        .as_ref()
        .ok()
        .and_then(|request| ShareId::from_slice(&request.share).ok());
    let (Ok(request), Some(share)) = (request, share) else {
        return refuse(world, me, asked, None, Refusal::Malformed).await;
    };
    let mut judged = me.judged();
    let allowed = || matches!(me.read(|view| serves(view, caller, share)), Ok(true));
    if !allowed() {
        return refuse(world, me, asked, Some(share), Refusal::NotShared).await;
    }
    let mut place = 0;
    for (file, range) in (0..).zip(request.files) {
        for piece in pieces(world, me, share, file, &range) {
            world.rest(20_000).await;
            if me.judged() != judged && !planted(Bug::NotJudgedAgain) {
                if !allowed() {
                    return refuse(world, me, asked, Some(share), Refusal::NotShared).await;
                }
                judged = me.judged();
            }
            super::tap::leaves(world, me, caller, share, "a piece of a file");
            let reply = v1::ReadReply {
                pieces: super::lies::piece(world, me, piece),
            };
            answer(world, asked, Part::Answer(place), reply.encode_to_vec());
            place += 1;
        }
    }
    answer(world, asked, Part::End(place), Vec::new());
}

fn pieces(
    world: &Rc<World>,
    me: &Rc<Process>,
    share: ShareId,
    file: u32,
    range: &v1::FileRange,
) -> Vec<v1::Piece> {
    let read = || {
        let digest = <[u8; 32]>::try_from(range.digest.as_ref()).map_err(|_| Refusal::Malformed)?;
        let placed = me.read(|view| placed(view, share, Digest(digest)))?;
        super::tap::serves(world, me, placed.digest);
        let bytes = me.vault.read(placed.digest, placed.place);
        let mut bytes = bytes.ok_or(Refusal::Damaged)?;
        // Who doubts what was sent has it read again, and judged.
        let doubted = range.doubted && !planted(Bug::DoubtIgnored);
        if doubted && digest_of(&bytes) != placed.digest {
            damaged(world, me, placed.digest);
            return Err(Refusal::Damaged);
        }
        let from = usize::try_from(range.from).map_err(|_| Refusal::Malformed)?;
        match from <= bytes.len() {
            true => Ok(bytes.split_off(from)),
            false => Err(Refusal::Malformed),
        }
    };
    let piece = |data: &[u8]| v1::Piece {
        file,
        data: data.to_vec().into(),
        refusal: None,
    };
    match read() {
        Ok(bytes) => bytes.chunks(PIECE).map(piece).collect(),
        Err(refused) => vec![v1::Piece {
            file,
            data: Default::default(),
            refusal: Some(refusal::write(refused)),
        }],
    }
}

/// Marks a blob whose bytes are not what they should be.
pub(super) fn damaged(world: &Rc<World>, me: &Rc<Process>, digest: Digest) {
    let (of, process) = (Rc::clone(world), Rc::clone(me));
    world.spawn(me.site, async move {
        let marked = process.decide(&of, None, Way::Timer, move |context| {
            let blob = context.view.get(&table::BLOB, &digest)?;
            let known = blob.is_none_or(|blob| blob.state == BlobState::Damaged);
            let event = (!known).then_some(Event::BlobDamaged(digest));
            Ok(Decided::new(event.into_iter().collect(), |_| Ok(())))
        });
        // Whoever reads it next finds out again.
        let _ = marked.await;
    });
}

/// Who acts in the simulation, at every node.
pub(super) fn kim() -> actions::Actor {
    actions::Actor {
        id: uuid::Uuid::from_u128(7),
        name: "kim".into(),
        badge: String::new(),
    }
}

/// Bytes of one piece of a file: small, so that much happens in between.
pub(super) const PIECE: usize = 96;
