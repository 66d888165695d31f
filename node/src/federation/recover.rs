//! Giving back to a partner that came back from its past, and taking back from partners.
//!
//! A partner gets what it held before and nothing else: its own entries, and of this node's those that it
//! has countersigned or built on. Nothing of an advanced share that does not live leaves any more.

use std::time::Duration;

use interdocket_proto::v1;
use interdocket_proto::v1::delivery_client::DeliveryClient;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::log::Side;
use interdocket_sync::receipt::{Countersignature, Receipt};
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::share::{Header, Hold, Kind};
use interdocket_sync::wire::batch::{self, Batch};
use prost::Message as _;
use tonic::Request;
use tonic::transport::Channel;

use super::drive::{self, Stop, bounded};
use super::lease::{Lease, Lender};
use super::{history, lease};
use crate::actions::decide::broken;
use crate::actions::exchange::{self, Given};
use crate::actions::{Error, Way};
use crate::journal::Reader;
use crate::keys::Pins;
use crate::leases::Leases;
use crate::node::Node;
use crate::seal::Seal;
use crate::store::view::View;
use crate::store::{entity, table};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// The shares that a partner had of this node or this node of it, behind one of them or from the first on.
pub(crate) fn list(
    view: &View<'_>,
    caller: OrganisationId,
    after: Option<ShareId>,
) -> Result<v1::ListSharesReply, Error> {
    let most = limits::LISTED_SHARES_MAX;
    let mut after = after.map(|share| (caller, share));
    let mut reply = v1::ListSharesReply::default();
    loop {
        let rows = view.page(&table::PARTNER_SHARE, &caller, after.as_ref(), most)?;
        for ((_, share), ()) in &rows {
            if had(&crate::actions::decide::share(view, *share)?, caller) {
                reply.shares.push(share.as_bytes().to_vec().into());
            }
        }
        // None at all would say that these were the last.
        if rows.len() < most || !reply.shares.is_empty() {
            return Ok(reply);
        }
        after = rows.last().map(|(row, ())| *row);
    }
}

/// Whether a partner has had anything of a share, if only that it is over: what it was not offered yet it does
/// not learn of.
fn had(share: &entity::Share, partner: OrganisationId) -> bool {
    let told = |revocation: entity::Revocation| revocation.countersigned.is_some();
    let header = &share.header;
    header.owner == partner || seen(header, Side::Owner) > 0 || share.revocation.is_some_and(told)
}

/// Up to which entry a log's reader has said that it has it.
fn seen(header: &Header, side: Side) -> u64 {
    let other = header.log(side.other());
    header.log(side).countersigned.max(other.seen)
}

/// What of this node is needed to give something back.
pub(crate) struct Own<'a> {
    /// Whose node it is.
    pub(crate) organisation: OrganisationId,
    /// Where what was signed is read back.
    pub(crate) journal: &'a Reader,
    /// What it lends with.
    pub(crate) lender: Lender<'a>,
    /// What seals received shares.
    pub(crate) leases: &'a Leases,
    /// The time of the leases.
    pub(crate) now: Duration,
}

impl<'a> Own<'a> {
    /// What of this node is needed.
    pub(crate) fn of(node: &'a Node) -> Self {
        Self {
            organisation: node.parts().keys.organisation(),
            journal: &node.parts().journal,
            lender: Lender::of(node),
            leases: &node.parts().moment.leases,
            now: node.parts().clock.elapsed(),
        }
    }
}

/// What is given back of a share, behind what the partner holds.
pub(crate) fn give(
    own: &Own<'_>,
    view: &View<'_>,
    caller: OrganisationId,
    request: v1::RecoverRequest,
) -> Result<Result<v1::RecoverReply, Refusal>, Error> {
    let Ok(share) = ShareId::from_slice(&request.share) else {
        return Ok(Err(Refusal::Malformed));
    };
    let us = own.organisation;
    let found = view.get(&table::SHARE, &share)?;
    let theirs = |found: &entity::Share| found.other(us) == caller && had(found, caller);
    let Some(found) = found.filter(theirs) else {
        return Ok(overtaking(view, own.journal, caller, share)?.ok_or(Refusal::NotShared));
    };
    if view.has(&table::LOST, &share.uuid())? {
        return Ok(Err(Refusal::Damaged));
    }
    let header = &found.header;
    if header.hold == Hold::Frozen {
        return Ok(Err(Refusal::Frozen));
    }
    let owner = header.owner == us;
    let advanced = matches!(header.kind, Kind::Advanced(_));
    let journal = own.journal;
    let mut reply = revocation(view, journal, header, !owner)?;
    // Who lost all of a share that was revoked meanwhile does not get it back.
    if owner && header.revoked && (advanced || request.owner_count == 0) {
        return Ok(Ok(reply));
    }
    if owner && advanced && header.suspended {
        return Ok(Err(Refusal::State));
    }
    let lent = request.lease.clone().and_then(lease::read);
    let lent = lent.filter(|lease| lease.share == share);
    let kept = own.leases.key(share, own.now);
    // Who is given back a share without what it was sealed under would lend another key.
    if !owner && advanced && !header.revoked && lent.is_none() && header.owner_log.point.count > 0 {
        let Some(key) = &kept else {
            return Ok(Err(Refusal::Damaged));
        };
        reply.lease = Some(own.lender.leased(share, key));
    }
    let seal = lent
        .as_ref()
        .map(Lease::seal)
        .or_else(|| Some(Seal::new(share.uuid(), kept?)));
    let (from, most) = bounds(view, journal, header, owner, &request)?;
    let returned = history::returned(view, journal, share, from, most, seal.as_ref())?;
    let returned = match returned {
        None => return Ok(Ok(reply)),
        Some(None) => return Ok(Err(Refusal::Damaged)),
        Some(Some(returned)) => returned,
    };
    let lends = owner && advanced && returned.batch.head.head.side == Side::Owner;
    let lease = match lends {
        true => lease::lend(own.lender, view, share)?,
        false => None,
    };
    if lends && lease.is_none() {
        return Ok(Err(Refusal::Damaged));
    }
    let message = batch::write(&returned.batch).map_err(|_| broken("a batch can't be written"))?;
    let receipt = returned.countersignature.as_ref();
    reply.batch = Some(message);
    reply.receipt = receipt.map(countersignature).transpose()?;
    reply.lease = lease.or(reply.lease);
    Ok(Ok(reply))
}

/// What is said of a share's revocation, before anything of its logs; with this node's countersignature where
/// it was received.
fn revocation(
    view: &View<'_>,
    journal: &Reader,
    header: &Header,
    received: bool,
) -> Result<v1::RecoverReply, Error> {
    let proof = history::revocation_proof(view, journal, header.share)?;
    #[cfg(test)]
    let proof = proof.filter(|_| !planted(Bug::RevocationNotGiven));
    match proof {
        Some((said, receipt)) => proven(&said, receipt.filter(|_| received)),
        None => Ok(v1::RecoverReply::default()),
    }
}

/// A partner's revocation of a share whose offer never came; none where there is none.
fn overtaking(
    view: &View<'_>,
    journal: &Reader,
    owner: OrganisationId,
    share: ShareId,
) -> Result<Option<v1::RecoverReply>, Error> {
    let Some(record) = view.get(&table::REVOKED, &(owner, share))? else {
        return Ok(None);
    };
    let (said, receipt) = history::proof(view, journal, record, Some(record))?;
    proven(&said, receipt).map(Some)
}

fn proven(
    said: &SignedRevocation,
    receipt: Option<Countersignature>,
) -> Result<v1::RecoverReply, Error> {
    let said = v1::SignedRevocation::decode(said.bytes.as_slice());
    Ok(v1::RecoverReply {
        revocation: Some(said.map_err(|_| broken("a revocation can't be read back"))?),
        revocation_receipt: receipt.as_ref().map(countersignature).transpose()?,
        ..v1::RecoverReply::default()
    })
}

/// Behind which entries of the owner's and the partner's log something is given, and up to which.
fn bounds(
    view: &View<'_>,
    journal: &Reader,
    header: &Header,
    owner: bool,
    request: &v1::RecoverRequest,
) -> Result<([u64; 2], [u64; 2]), Error> {
    let hashes = history::Hashes::new(*view, journal, header.share);
    // Where another entry than here was written, that one is given, to prove it.
    let from = |side: Side, count: u64, hash: &[u8]| -> Result<u64, Error> {
        let held = hashes.hash(side, count)?;
        let other = held.is_some_and(|held| held[..] != *hash);
        Ok(count.saturating_sub(u64::from(other)))
    };
    let most = match owner {
        true => [seen(header, Side::Owner), header.partner_log.point.count],
        false => [header.owner_log.point.count, seen(header, Side::Partner)],
    };
    let from = [
        from(Side::Owner, request.owner_count, &request.owner_hash)?,
        from(Side::Partner, request.partner_count, &request.partner_hash)?,
    ];
    Ok((from, most))
}

fn countersignature(receipt: &Countersignature) -> Result<v1::Countersignature, Error> {
    v1::Countersignature::decode(receipt.bytes.as_slice())
        .map_err(|_| broken("a countersignature can't be read back"))
}

/// This organisation's own root, for what it signed itself.
fn own(node: &Node) -> Result<Pins, Error> {
    let keys = &node.parts().keys;
    let pins = Pins::default();
    pins.set(keys.organisation(), keys.root_der())
        .map_err(|_| broken("this organisation's root is not its own"))?;
    Ok(pins)
}

/// What came of taking back a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    /// All of it is here.
    Taken,
    /// Its partner does not give it.
    Refused,
    /// It could not be had now.
    Later,
}

impl Back {
    /// What a refusal comes to.
    pub(crate) const fn of(refused: Refusal) -> Self {
        match refused {
            // What is suspended comes back when it goes on.
            Refusal::Busy | Refusal::State | Refusal::Suspended => Self::Later,
            _ => Self::Refused,
        }
    }
}

/// Takes back what a partner holds of shares that this node may have lost part of; false where some of it
/// could not be had now.
pub(super) async fn recover(
    node: &Node,
    partner: OrganisationId,
    client: &DeliveryClient<Channel>,
) -> Result<bool, Stop> {
    let mut clean = true;
    let known = node.read(move |view| Ok(view.get(&table::PARTNER, &partner)?));
    if known.await?.is_some_and(|known| known.recover) {
        let (mut after, mut later) = (None, Vec::new());
        loop {
            let shares = listed(client.clone(), after).await?;
            let Some(last) = shares.last() else {
                break;
            };
            after = Some(*last);
            for share in shares {
                let back = once(node, partner, client, share).await?;
                clean &= back == Back::Taken;
                later.extend((back == Back::Later).then_some(share));
            }
        }
        let noted = node.decide(None, Way::Timer, move |context| {
            exchange::listed(context, partner, later)
        });
        noted.await?;
    }
    let rows = node.read(move |view| Ok(view.page(&table::RECOVER, &partner, None, usize::MAX)?));
    for ((_, share), ()) in rows.await? {
        let back = once(node, partner, client, share).await?;
        clean &= back == Back::Taken;
        if back != Back::Later {
            let over = node.decide(None, Way::Partner, move |context| {
                exchange::given_up(context, partner, share)
            });
            over.await?;
        }
    }
    Ok(clean)
}

async fn listed(
    mut client: DeliveryClient<Channel>,
    after: Option<ShareId>,
) -> Result<Vec<ShareId>, Stop> {
    let request = v1::ListSharesRequest {
        after: after.map_or_else(Default::default, |share| share.as_bytes().to_vec().into()),
    };
    let reply = bounded(client.list_shares(Request::new(request))).await?;
    let shares = reply.into_inner().shares;
    let ids: Option<Vec<ShareId>> = shares
        .iter()
        .map(|id| ShareId::from_slice(id).ok())
        .collect();
    let ids = ids.filter(|ids| {
        let ordered = ids.windows(2).all(|pair| pair[0] < pair[1]);
        ordered && after.is_none_or(|after| ids.first().is_none_or(|first| after < *first))
    });
    ids.ok_or(Stop::Refused(Refusal::Malformed))
}

/// Takes back one share.
async fn once(
    node: &Node,
    partner: OrganisationId,
    client: &DeliveryClient<Channel>,
    share: ShareId,
) -> Result<Back, Stop> {
    match take_back(node, partner, client.clone(), share).await {
        Ok(()) => Ok(Back::Taken),
        Err(Stop::Refused(Refusal::NotShared)) if unheard(node, share).await? => {
            finish(node, partner, share).await?;
            Ok(Back::Taken)
        }
        Err(Stop::Refused(refused)) if lost(refused) && close(node, share).await? => {
            Ok(Back::Taken)
        }
        Err(Stop::Refused(refused)) => {
            tracing::warn!(%partner, %share, refusal = refused.name(), "a share can't be recovered");
            node.refused_by(partner, share, refused);
            Ok(Back::of(refused))
        }
        Err(Stop::Own(error)) => {
            tracing::warn!(%partner, %share, %error, "a share can't be recovered");
            Ok(Back::Later)
        }
        Err(link) => Err(link),
    }
}

/// Whether a refusal says that there is no more to be had.
pub(crate) const fn lost(refused: Refusal) -> bool {
    matches!(refused, Refusal::Damaged) || drive::lost(refused)
}

/// Leaves a share as it is that is proven to be revoked; false where it is not.
async fn close(node: &Node, share: ShareId) -> Result<bool, Error> {
    let known = node.read(move |view| Ok(view.has(&table::SHARE, &share)?));
    if !known.await? {
        return Ok(false);
    }
    node.decide(None, Way::Partner, move |context| {
        exchange::close(context, share)
    })
    .await
}

async fn unheard(node: &Node, share: ShareId) -> Result<bool, Error> {
    let us = node.parts().keys.organisation();
    node.read(move |view| unknown(view, us, share)).await
}

/// Whether nothing shows that a partner ever heard of a share from this node: so there is nothing of it to be
/// given back where it says that there is no such share. An owner that never heard that its offer came says so,
/// and offers it again.
pub(crate) fn unknown(view: &View<'_>, us: OrganisationId, share: ShareId) -> Result<bool, Error> {
    let Some(found) = view.get(&table::SHARE, &share)? else {
        return Ok(false);
    };
    #[cfg(test)]
    if planted(Bug::OfferHeldBack) {
        return Ok(false);
    }
    let header = &found.header;
    let unheard = seen(header, Side::Owner) == 0 && header.partner_log.point.count == 0;
    Ok(header.owner != us || unheard)
}

async fn take_back(
    node: &Node,
    partner: OrganisationId,
    mut client: DeliveryClient<Channel>,
    share: ShareId,
) -> Result<(), Stop> {
    let (mut before, mut lent) = (None, None);
    loop {
        let reader = node.clone();
        let us = node.parts().keys.organisation();
        let request = node.read(move |view| ask(us, Lender::of(&reader), view, share));
        let Some(mut request) = request.await? else {
            return Ok(());
        };
        // A revocation that comes back destroys the key, and the rest is read with it all the same.
        lent = request.lease.take().or(lent);
        request.lease.clone_from(&lent);
        let held = [request.owner_count, request.partner_count];
        if before.replace(held) == Some(held) {
            return Err(malformed());
        }
        let reply = bounded(client.recover(Request::new(request))).await?;
        node.heard(partner);
        let reply = reply.into_inner();
        if let Some(said) = reply.revocation {
            revoked(node, partner, share, said, read(reply.revocation_receipt)?).await?;
        }
        let receipt = read(reply.receipt)?;
        let lease = reply.lease.and_then(lease::read);
        let lease = lease.filter(|lease| lease.share == share);
        let Some(message) = reply.batch else {
            keep(node, lease).await?;
            return finish(node, partner, share).await;
        };
        let batch = batch::read(message).map_err(|_| malformed())?;
        if batch.share != share {
            return Err(malformed());
        }
        let seal = lease.as_ref().map(Lease::seal);
        take(node, partner, batch, receipt, seal).await?;
        keep(node, lease).await?;
    }
}

/// Keeps what was lent of a share of this node's own as it is given back.
async fn keep(node: &Node, lease: Option<Lease>) -> Result<(), Error> {
    let Some(lease) = lease else {
        return Ok(());
    };
    let keeper = node.clone();
    let us = node.parts().keys.organisation();
    node.read(move |view| lease::taken_back(Lender::of(&keeper), view, us, &lease))
        .await
}

fn read(receipt: Option<v1::Countersignature>) -> Result<Option<Countersignature>, Stop> {
    let receipt = receipt.map(|receipt| Countersignature::read(&receipt.encode_to_vec()));
    receipt.transpose().map_err(|_| malformed())
}

const fn malformed() -> Stop {
    Stop::Refused(Refusal::Malformed)
}

/// How far this node holds a share; none where it is not to be recovered.
pub(crate) fn ask(
    us: OrganisationId,
    lender: Lender<'_>,
    view: &View<'_>,
    share: ShareId,
) -> Result<Option<v1::RecoverRequest>, Error> {
    let mut request = v1::RecoverRequest {
        share: share.as_bytes().to_vec().into(),
        ..Default::default()
    };
    let Some(found) = view.get(&table::SHARE, &share)? else {
        return Ok(Some(request));
    };
    let header = &found.header;
    if header.hold != Hold::Recovering {
        return Ok(None);
    }
    let [owner, partner] = [header.owner_log.point, header.partner_log.point];
    request.owner_count = owner.count;
    request.owner_hash = owner.hash.to_vec().into();
    request.partner_count = partner.count;
    request.partner_hash = partner.hash.to_vec().into();
    let own = header.owner == us;
    if own && matches!(header.kind, Kind::Advanced(_)) && !header.revoked {
        request.lease = lease::held(lender, share);
    }
    Ok(Some(request))
}

async fn take(
    node: &Node,
    partner: OrganisationId,
    batch: Batch,
    receipt: Option<Countersignature>,
    seal: Option<Seal>,
) -> Result<(), Stop> {
    let reader = node.clone();
    let judged = node.blocking(move || {
        let us = reader.parts().keys.organisation();
        let pins = &reader.parts().pins;
        if batch.head.head.writer() != us {
            let verified = exchange::verify(&batch, partner, pins);
            return Ok(verified.map(|()| Given::Theirs(batch)));
        }
        let Some(countersignature) = receipt else {
            return Ok(Err(Refusal::Malformed));
        };
        let receipt = Receipt {
            head: batch.head.clone(),
            countersignature,
        };
        let verified = exchange::verify(&batch, us, &own(&reader)?);
        let countersigned = receipt.verify_countersignature(pins);
        let countersigned = countersigned.map_err(|_| Refusal::Signature);
        Ok(verified
            .and(countersigned)
            .map(|()| Given::Own(batch, receipt.countersignature)))
    });
    let given = judged.await?.map_err(Stop::Refused)?;
    let share = match &given {
        Given::Own(batch, _) | Given::Theirs(batch) => batch.share,
    };
    let reader = node.clone();
    let taken = node.decide(None, Way::Partner, move |context| {
        let hashes = history::Hashes::new(context.view, &reader.parts().journal, share);
        let known = |side: Side, number: u64| hashes.hash(side, number);
        exchange::recover(context, partner, given, &known, seal.as_ref())
    });
    taken.await?.map(drop).map_err(Stop::Refused)
}

/// Takes the revocation of a share: this node's own, which it lost, or the partner's.
async fn revoked(
    node: &Node,
    partner: OrganisationId,
    share: ShareId,
    said: v1::SignedRevocation,
    receipt: Option<Countersignature>,
) -> Result<(), Stop> {
    let revocation = SignedRevocation::read(&said.encode_to_vec()).map_err(|_| malformed())?;
    let us = node.parts().keys.organisation();
    let said = &revocation.revocation;
    let parties = (said.share, said.owner, said.partner);
    if parties == (share, us, partner) {
        let receipt = receipt.ok_or_else(malformed)?;
        let ours = revocation.verify(&own(node)?);
        let signed = revocation.verify_receipt(&receipt, &node.parts().pins);
        ours.and(signed)
            .map_err(|_| Stop::Refused(Refusal::Signature))?;
        let taken = node.decide(None, Way::Partner, move |context| {
            exchange::revoked_before(context, &revocation, &receipt)
        });
        return Ok(taken.await?);
    }
    if parties != (share, partner, us) || revocation.verify(&node.parts().pins).is_err() {
        return Err(Stop::Refused(Refusal::Signature));
    }
    let taken = node.decide(None, Way::Partner, move |context| {
        exchange::receive(context, &revocation)
    });
    taken.await?;
    Ok(lease::review(node, share).await?)
}

async fn finish(node: &Node, partner: OrganisationId, share: ShareId) -> Result<(), Stop> {
    let known = node.read(move |view| Ok(view.has(&table::SHARE, &share)?));
    if !known.await? {
        return Ok(());
    }
    let done = node.decide(None, Way::Partner, move |context| {
        exchange::recovered(context, partner, share)
    });
    Ok(done.await?)
}

pub(crate) mod witness;

pub(crate) use witness::{REVOCATIONS, witnesses};
pub(super) use witness::{forgotten, witnessed};

#[cfg(test)]
mod tests;
