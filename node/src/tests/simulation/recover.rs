//! Taking back what partners hold, as `federation::recover` does it.

use std::rc::Rc;

use interdocket_proto::v1;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::receipt::{Countersignature, Receipt};
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::wire::batch::{self, Batch};
use prost::Message as _;

use super::net::{Method, Stop, call};
use super::serve::{lender, review};
use super::sign::Pinned;
use super::site::Process;
use super::world::World;
use crate::actions::Error;
use crate::actions::Way;
use crate::actions::exchange::{self, Given};
use crate::federation::recover::{self as node, Back};
use crate::federation::{history, lease};
use crate::seal::Seal;
use crate::store::table;

/// Begins a new incarnation where a partner shows a head of this node's own that it does not hold.
pub(super) async fn witnessed(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    shown: v1::SignedHead,
) -> Result<(), Stop> {
    let Ok(head) = SignedHead::read(&shown.encode_to_vec()) else {
        return Ok(());
    };
    if head.head.writer() != me.id || head.verify(&own(me)).is_err() {
        return Ok(());
    }
    let journal = me.journal.clone();
    let begun = me.decide(world, None, Way::Partner, move |context| {
        let hashes = history::Hashes::new(context.view, &journal, head.head.share);
        let known = |side: Side, number: u64| hashes.hash(side, number);
        exchange::rewound(context, partner, &head, &known)
    });
    if begun.await? {
        world.note(format_args!(
            "{} came back from its past",
            world.sites[me.site].name
        ));
    }
    Ok(())
}

/// Takes a revocation that this node signed or countersigned and does not hold, which a partner shows.
pub(super) async fn forgotten(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    shown: v1::WitnessedRevocation,
) -> Result<(), Stop> {
    let Some((revocation, receipt)) = node::witness::forgettable(&shown) else {
        return Ok(());
    };
    let (ours, theirs) = (own(me), me.pinned());
    if !node::witness::proves(&revocation, &receipt, (me.id, &ours), (partner, &theirs)) {
        return Ok(());
    }
    let share = revocation.revocation.share;
    let taken = me.decide(world, None, Way::Partner, move |context| {
        exchange::forgotten(context, partner, &revocation, &receipt)
    });
    if taken.await? {
        world.note(format_args!(
            "{} came back from its past",
            world.sites[me.site].name
        ));
    }
    Ok(review(me, share)?)
}

/// This organisation's own signatures.
fn own(me: &Process) -> Pinned {
    Pinned([me.id].into())
}

/// Takes back what a partner holds; false where some of it could not be had now.
pub(super) async fn recover(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
) -> Result<bool, Stop> {
    let mut clean = true;
    let known = me.read(|view| view.get(&table::PARTNER, &partner));
    if known
        .map_err(Error::from)?
        .is_some_and(|known| known.recover)
    {
        let request = v1::ListSharesRequest::default();
        let reply: v1::ListSharesReply =
            call(world, me, partner, Method::ListShares, &request).await?;
        let mut later = Vec::new();
        for share in reply.shares {
            let share = ShareId::from_slice(&share).map_err(|_| malformed())?;
            let back = once(world, me, partner, share).await?;
            clean &= back == Back::Taken;
            later.extend((back == Back::Later).then_some(share));
        }
        let noted = me.decide(world, None, Way::Timer, move |context| {
            exchange::listed(context, partner, later)
        });
        noted.await?;
    }
    let rows = me.read(|view| view.page(&table::RECOVER, &partner, None, usize::MAX));
    for ((_, share), ()) in rows.map_err(Error::from)? {
        let back = once(world, me, partner, share).await?;
        clean &= back == Back::Taken;
        if back != Back::Later {
            let over = me.decide(world, None, Way::Partner, move |context| {
                exchange::given_up(context, partner, share)
            });
            over.await?;
        }
    }
    Ok(clean)
}

async fn once(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    share: ShareId,
) -> Result<Back, Stop> {
    match take_back(world, me, partner, share).await {
        Ok(()) => Ok(Back::Taken),
        Err(Stop::Refused(Refusal::NotShared))
            if me.read(|view| node::unknown(view, me.id, share))? =>
        {
            finish(world, me, partner, share).await?;
            Ok(Back::Taken)
        }
        Err(Stop::Refused(refused)) if node::lost(refused) && close(world, me, share).await? => {
            Ok(Back::Taken)
        }
        Err(Stop::Refused(refused)) => {
            let name = world.sites[me.site].name;
            world.note(format_args!(
                "{name} can't recover {share}: {}",
                refused.name()
            ));
            Ok(Back::of(refused))
        }
        Err(Stop::Own(_)) => Ok(Back::Later),
        Err(Stop::Link) => Err(Stop::Link),
    }
}

async fn close(world: &Rc<World>, me: &Rc<Process>, share: ShareId) -> Result<bool, Stop> {
    let known = me.read(|view| view.has(&table::SHARE, &share));
    if !known.map_err(Error::from)? {
        return Ok(false);
    }
    let closed = me.decide(world, None, Way::Partner, move |context| {
        exchange::close(context, share)
    });
    Ok(closed.await?)
}

async fn take_back(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    share: ShareId,
) -> Result<(), Stop> {
    let (mut before, mut lent) = (None, None);
    loop {
        let request = me.read(|view| node::ask(me.id, lender(me), view, share))?;
        let Some(mut request) = request else {
            return Ok(());
        };
        lent = request.lease.take().or(lent);
        request.lease.clone_from(&lent);
        let held = [request.owner_count, request.partner_count];
        if before.replace(held) == Some(held) {
            return Err(malformed());
        }
        let reply: v1::RecoverReply = call(world, me, partner, Method::Recover, &request).await?;
        if let Some(said) = reply.revocation {
            revoked(
                world,
                me,
                (partner, share),
                said,
                read(reply.revocation_receipt)?,
            )
            .await?;
        }
        let receipt = read(reply.receipt)?;
        let lease = reply.lease.and_then(lease::read);
        let lease = lease.filter(|lease| lease.share == share);
        let Some(message) = reply.batch else {
            keep(me, lease.as_ref())?;
            return finish(world, me, partner, share).await;
        };
        let batch = batch::read(message).map_err(|_| malformed())?;
        if batch.share != share {
            return Err(malformed());
        }
        let seal = lease.as_ref().map(lease::Lease::seal);
        take(world, me, partner, (batch, receipt), seal).await?;
        keep(me, lease.as_ref())?;
    }
}

/// Keeps the key of a share of this node's own as it is given back.
fn keep(me: &Process, lease: Option<&lease::Lease>) -> Result<(), Stop> {
    let keep = |lease| me.read(|view| lease::taken_back(lender(me), view, me.id, lease));
    Ok(lease.map_or(Ok(()), keep)?)
}

fn read(receipt: Option<v1::Countersignature>) -> Result<Option<Countersignature>, Stop> {
    let receipt = receipt.map(|receipt| Countersignature::read(&receipt.encode_to_vec()));
    receipt.transpose().map_err(|_| malformed())
}

const fn malformed() -> Stop {
    Stop::Refused(Refusal::Malformed)
}

async fn take(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    (batch, receipt): (Batch, Option<Countersignature>),
    seal: Option<Seal>,
) -> Result<(), Stop> {
    let share = batch.share;
    let given = if batch.head.head.writer() == me.id {
        let receipt = Receipt {
            head: batch.head.clone(),
            countersignature: receipt.ok_or_else(malformed)?,
        };
        exchange::verify(&batch, me.id, &own(me)).map_err(Stop::Refused)?;
        let countersigned = receipt.verify_countersignature(&me.pinned());
        countersigned.map_err(|_| Stop::Refused(Refusal::Signature))?;
        Given::Own(batch, receipt.countersignature)
    } else {
        exchange::verify(&batch, partner, &me.pinned()).map_err(Stop::Refused)?;
        Given::Theirs(batch)
    };
    let journal = me.journal.clone();
    let taken = me.decide(world, None, Way::Partner, move |context| {
        let hashes = history::Hashes::new(context.view, &journal, share);
        let known = |side: Side, number: u64| hashes.hash(side, number);
        exchange::recover(context, partner, given, &known, seal.as_ref())
    });
    taken.await?.map(drop).map_err(Stop::Refused)
}

/// Takes the revocation of a share: this node's own, which it lost, or the partner's.
async fn revoked(
    world: &Rc<World>,
    me: &Rc<Process>,
    (partner, share): (OrganisationId, ShareId),
    said: v1::SignedRevocation,
    receipt: Option<Countersignature>,
) -> Result<(), Stop> {
    let revocation = SignedRevocation::read(&said.encode_to_vec()).map_err(|_| malformed())?;
    let said = &revocation.revocation;
    let parties = (said.share, said.owner, said.partner);
    let signature = |_| Stop::Refused(Refusal::Signature);
    if parties == (share, me.id, partner) {
        let receipt = receipt.ok_or_else(malformed)?;
        revocation.verify(&own(me)).map_err(signature)?;
        let signed = revocation.verify_receipt(&receipt, &me.pinned());
        signed.map_err(signature)?;
        let taken = me.decide(world, None, Way::Partner, move |context| {
            exchange::revoked_before(context, &revocation, &receipt)
        });
        return Ok(taken.await?);
    }
    if parties != (share, partner, me.id) {
        return Err(Stop::Refused(Refusal::Signature));
    }
    revocation.verify(&me.pinned()).map_err(signature)?;
    let taken = me.decide(world, None, Way::Partner, move |context| {
        exchange::receive(context, &revocation)
    });
    taken.await?;
    Ok(review(me, share)?)
}

async fn finish(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    share: ShareId,
) -> Result<(), Stop> {
    let known = me.read(|view| view.has(&table::SHARE, &share));
    if !known.map_err(Error::from)? {
        return Ok(());
    }
    let done = me.decide(world, None, Way::Partner, move |context| {
        exchange::recovered(context, partner, share)
    });
    Ok(done.await?)
}
