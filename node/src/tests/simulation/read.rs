//! A person who reads what is shared with their node at its owner, live.

use std::rc::Rc;

use bytes::Bytes;
use interdocket_proto::v1;
use interdocket_sync::id::{ActorId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::entry::Actor;
use interdocket_sync::wire::session as wire;
use prost::Message as _;

use super::net::{self, Method, Stop, call};
use super::serve::kim;
use super::site::Process;
use super::world::World;
use crate::actions::partner::Kind;

/// Opens a share that is for people here, and reads an item of it.
pub(super) async fn read(world: &Rc<World>, me: &Rc<Process>) {
    let theirs: Vec<(usize, ShareId)> = {
        let oracle = world.oracle.borrow();
        let deals = oracle.deals.iter();
        let theirs = deals.filter(|deal| deal.partner == me.site && deal.kind != Kind::Copy);
        theirs
            .filter_map(|deal| Some((deal.owner, deal.share?)))
            .collect()
    };
    let place = usize::try_from(world.below(theirs.len() as u64)).unwrap_or_default();
    let Some((owner, share)) = theirs.get(place).copied() else {
        return;
    };
    let owner = world.sites[owner].id;
    let who = match world.below(4) {
        0 => "ada",
        1 => "eve",
        _ => "kim",
    };
    // Now and then a program opens one session after the other.
    let times = if world.chance(40) { 40 } else { 1 };
    for _ in 0..times {
        // Whatever it is that keeps people from reading, they come back.
        let _ = session(world, me, owner, (share, who), times == 1).await;
    }
}

/// Opens a share as somebody here, and reads an item of it.
pub(super) async fn of(world: &Rc<World>, me: &Rc<Process>, share: ShareId, who: &str) {
    let owner = world.oracle.borrow().deal(share).map(|deal| deal.owner);
    if let Some(owner) = owner {
        let owner = world.sites[owner].id;
        let _ = session(world, me, owner, (share, who), true).await;
    }
}

async fn session(
    world: &Rc<World>,
    me: &Rc<Process>,
    owner: OrganisationId,
    (share, recipient): (ShareId, &str),
    reads: bool,
) -> Result<(), Stop> {
    let open = wire::Open {
        share,
        actor: Actor {
            id: ActorId::new(kim().id),
            name: kim().name,
            badge: String::new(),
        },
        recipient: recipient.to_owned(),
        download: false,
    };
    let opened: v1::OpenReply = call(world, me, owner, Method::Open, &wire::open(&open)).await?;
    let session = opened.session;
    if !reads {
        return Ok(());
    }
    let list = v1::ListRequest {
        session: session.clone(),
        after: Bytes::new(),
        most: 0,
    };
    let listed: v1::ListReply = call(world, me, owner, Method::List, &list).await?;
    let place = usize::try_from(world.below(listed.items.len() as u64)).unwrap_or_default();
    if let Some(item) = listed.items.get(place) {
        let view = v1::ViewRequest {
            session: session.clone(),
            evidence: item.evidence.clone(),
            file: 0,
            from: 0,
            to: 0,
        };
        let arriving = net::begin(world, me, owner, Method::View, view.encode_to_vec());
        while arriving.next().await?.is_some() {}
    }
    // Some people just go away.
    if world.chance(100) {
        return Ok(());
    }
    let close = v1::CloseRequest { session };
    let _: v1::CloseReply = call(world, me, owner, Method::Close, &close).await?;
    Ok(())
}
