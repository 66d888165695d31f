//! What shows a node that it came back from its past: what it signed, as its partners hold it.

use interdocket_proto::v1;
use interdocket_sync::identity::{OrganisationId, Verifier};
use interdocket_sync::log::Side;
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::receipt::Countersignature;
use interdocket_sync::share::revocation::SignedRevocation;
use prost::Message as _;

use super::own;
use crate::actions::exchange;
use crate::actions::{Error, Way};
use crate::event::Event;
use crate::federation::drive::Stop;
use crate::federation::{history, lease};
use crate::journal::Reader;
use crate::node::Node;
use crate::store::table;
use crate::store::view::View;
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// Begins a new incarnation where a partner shows a head of this node's own that it does not hold.
pub(in super::super) async fn witnessed(
    node: &Node,
    partner: OrganisationId,
    shown: v1::SignedHead,
) -> Result<bool, Error> {
    let Ok(head) = SignedHead::read(&shown.encode_to_vec()) else {
        return Ok(false);
    };
    let keys = &node.parts().keys;
    let pins = own(node)?;
    let ours = head.head.writer() == keys.organisation();
    if !ours || head.verify(&pins).is_err() {
        tracing::warn!(%partner, "it shows a head that this node did not sign");
        return Ok(false);
    }
    let reader = node.clone();
    let begun = node.decide(None, Way::Partner, move |context| {
        let share = head.head.share;
        let hashes = history::Hashes::new(context.view, &reader.parts().journal, share);
        let known = |side: Side, number: u64| hashes.hash(side, number);
        exchange::rewound(context, partner, &head, &known)
    });
    begun.await
}

/// What shows a partner that it came back from its past: the latest head that it signed, and the latest
/// revocations. What can't be read back is not shown.
///
/// # Errors
/// [`Error`] where the tables can't be read.
pub(crate) fn witnesses(
    view: &View<'_>,
    journal: &Reader,
    partner: OrganisationId,
) -> Result<v1::ConnectReply, Error> {
    let mut shown = v1::ConnectReply::default();
    let Some(known) = view.get(&table::PARTNER, &partner)? else {
        return Ok(shown);
    };
    let read = |record| {
        let event = history::event(view, journal, record);
        event
            .inspect_err(|error| tracing::warn!(%partner, %error, "a witness can't be shown"))
            .ok()
    };
    if let Some(Event::LogReceived(said)) = known.witness.and_then(|witness| read(witness.record)) {
        shown.witness = v1::SignedHead::decode(&*said.head.0).ok();
    }
    #[cfg(test)]
    if planted(Bug::RevocationNotGiven) || planted(Bug::RevocationNotShown) {
        return Ok(shown);
    }
    if let Some(Event::RevocationReceived(said)) = known.revoked.and_then(read) {
        shown.revocations.push(v1::WitnessedRevocation {
            revocation: v1::SignedRevocation::decode(&*said.revocation.0).ok(),
            receipt: v1::Countersignature::decode(&*said.countersignature.0).ok(),
        });
    }
    if let Some(Event::RevocationCountersigned(said)) = known.countersigned.and_then(read) {
        let revocation = crate::actions::decide::share(view, said.share)?.revocation;
        if let Some(Event::ShareRevoked(by)) = revocation.and_then(|known| read(known.record)) {
            shown.revocations.push(v1::WitnessedRevocation {
                revocation: v1::SignedRevocation::decode(&*by.revocation.0).ok(),
                receipt: v1::Countersignature::decode(&*said.countersignature.0).ok(),
            });
        }
    }
    Ok(shown)
}

/// The latest revocation of a share of either node.
pub(crate) const REVOCATIONS: usize = 2;

/// Takes a revocation that this node signed or countersigned and does not hold, which a partner shows.
pub(in super::super) async fn forgotten(
    node: &Node,
    partner: OrganisationId,
    shown: v1::WitnessedRevocation,
) -> Result<(), Stop> {
    let Some((revocation, receipt)) = forgettable(&shown) else {
        return Ok(());
    };
    let (us, pins) = (node.parts().keys.organisation(), &node.parts().pins);
    if !proves(&revocation, &receipt, (us, &own(node)?), (partner, pins)) {
        tracing::warn!(%partner, "it shows a revocation that was not signed and countersigned");
        return Ok(());
    }
    let share = revocation.revocation.share;
    let taken = node.decide(None, Way::Partner, move |context| {
        exchange::forgotten(context, partner, &revocation, &receipt)
    });
    taken.await?;
    Ok(lease::review(node, share).await?)
}

/// Reads a revocation that is shown with its countersignature.
pub(crate) fn forgettable(
    shown: &v1::WitnessedRevocation,
) -> Option<(SignedRevocation, Countersignature)> {
    let revocation = shown.revocation.as_ref()?.encode_to_vec();
    let receipt = shown.receipt.as_ref()?.encode_to_vec();
    let revocation = SignedRevocation::read(&revocation).ok()?;
    Some((revocation, Countersignature::read(&receipt).ok()?))
}

/// Whether a revocation is one between two nodes, signed by its owner and countersigned by the other.
pub(crate) fn proves(
    revocation: &SignedRevocation,
    receipt: &Countersignature,
    (us, ours): (OrganisationId, &dyn Verifier),
    (partner, theirs): (OrganisationId, &dyn Verifier),
) -> bool {
    let said = &revocation.revocation;
    let [owner, other] = match (said.owner, said.partner) {
        parties if parties == (us, partner) => [ours, theirs],
        parties if parties == (partner, us) => [theirs, ours],
        _ => return false,
    };
    revocation.verify(owner).is_ok() && revocation.verify_receipt(receipt, other).is_ok()
}
