//! Leases on the wire: what an owner lends with its entries, and renews when asked.

use std::time::Duration;

use bytes::Bytes;
use interdocket_proto::v1;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::share::{Header, Hold, Kind};

use super::exchange::serves;
use crate::actions::decide::broken;
use crate::actions::{Error, ErrorKind};
use crate::keyring::{self, Key, KeyId, Keyring};
use crate::leases::Leases;
use crate::node::Node;
use crate::seal::Seal;
use crate::store::project::recovers;
use crate::store::table;
use crate::store::view::View;
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// A lease that came from a share's owner.
pub(crate) struct Lease {
    /// The share.
    pub(crate) share: ShareId,
    key: Key,
    length: Duration,
}

/// Reads a lease; none where it is none.
pub(crate) fn read(lease: v1::Lease) -> Option<Lease> {
    let key = <[u8; 32]>::try_from(lease.key.as_ref()).ok()?;
    Some(Lease {
        share: ShareId::from_slice(&lease.share).ok()?,
        key: Key::new(key),
        length: Duration::from_secs(lease.seconds.into()),
    })
}

impl Lease {
    /// What seals under it.
    pub(crate) fn seal(&self) -> Seal {
        Seal::new(self.share.uuid(), self.key.clone())
    }

    /// Puts it with the others, asked for at `asked`.
    pub(crate) fn lent(self, leases: &Leases, asked: Duration) {
        leases.lend(self.share, self.key, asked, self.length);
    }

    /// Keeps it, where the share is one of this owner's that lives; else it is forgotten. `asked` is when
    /// it was asked for.
    pub(super) async fn keep(
        self,
        node: &Node,
        owner: OrganisationId,
        asked: Duration,
    ) -> Result<(), Error> {
        let share = self.share;
        let taken = node.read(move |view| takes(view, owner, share));
        if taken.await? {
            self.lent(&node.parts().moment.leases, asked);
        }
        review(node, share).await
    }
}

/// Whether a lease from this owner is one to keep.
pub(crate) fn takes(view: &View<'_>, owner: OrganisationId, share: ShareId) -> Result<bool, Error> {
    let found = view.get(&table::SHARE, &share)?;
    let theirs = found.is_some_and(|found| found.header.owner == owner);
    Ok(theirs && keeps(view, share)?)
}

/// Wipes the lease of a received share that does not live any more.
pub(super) async fn review(node: &Node, share: ShareId) -> Result<(), Error> {
    if !node.read(move |view| keeps(view, share)).await? {
        node.parts().moment.leases.drop(share);
    }
    Ok(())
}

/// Whether the lease of a received share is kept. Where an import was granted before, it is first made the
/// node's own; that is done in `follow`.
pub(crate) fn keeps(view: &View<'_>, share: ShareId) -> Result<bool, Error> {
    let Some(found) = view.get(&table::SHARE, &share)? else {
        return Ok(false);
    };
    let header = &found.header;
    let importing = view.has(&table::IMPORT, &(header.owner, share))?;
    let held = matches!(header.hold, Hold::Frozen | Hold::Recovering);
    let lives = !header.revoked && !header.suspended && !held;
    Ok(lives || (importing && header.grants.last > 0 && !header.suspended))
}

/// Whether a share is one that seals at the partner.
pub(crate) fn advanced(view: &View<'_>, share: ShareId) -> Result<bool, Error> {
    let share = view.get(&table::SHARE, &share)?;
    Ok(share.is_some_and(|share| matches!(share.header.kind, Kind::Advanced(_))))
}

/// The lease of a share of this node's own, as it is lent now; none where its key was lost with this
/// node's past: what the partner has sealed can't be opened again. Who asks was judged before.
pub(crate) fn lend(
    lender: Lender<'_>,
    view: &View<'_>,
    share: ShareId,
) -> Result<Option<v1::Lease>, Error> {
    let keyring = lender.keyring;
    let id = KeyId::lease(share);
    let header = crate::actions::decide::share(view, share)?.header;
    if header.owner_log.countersigned > 0 && keyring.key(id).is_none() {
        return Ok(None);
    }
    keyring.ensure(id, crate::chance::fill).map_err(unmade)?;
    keyring.sync().map_err(unmade)?;
    let key = keyring
        .key(id)
        .ok_or_else(|| broken("a lease's key is missing"))?;
    Ok(Some(lender.leased(share, &key)))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn unmade(error: keyring::Error) -> Error {
    tracing::error!(%error, "a lease's key can't be made");
    Error::new(ErrorKind::Unavailable, "a lease's key can't be made").hint("look at the node's log")
}

/// The lease of a share of this node's own, where its key was made.
pub(crate) fn held(lender: Lender<'_>, share: ShareId) -> Option<v1::Lease> {
    let key = lender.keyring.key(KeyId::lease(share))?;
    Some(lender.leased(share, &key))
}

/// The leases of those of some shares that have one now. What is left out is wiped there: unknown, revoked
/// and suspended look the same; but this node may yet be given back what it lost.
pub(crate) fn renewed(
    lender: Lender<'_>,
    view: &View<'_>,
    partner: OrganisationId,
    shares: &[Bytes],
) -> Result<v1::RenewReply, Error> {
    let mut reply = v1::RenewReply::default();
    for id in shares {
        let Ok(share) = ShareId::from_slice(id) else {
            continue;
        };
        if recovers(view, partner, share)? {
            reply.recovering.push(id.clone());
            continue;
        }
        let lends = serves(view, partner, share)?;
        #[cfg(test)]
        let lends = lends || planted(Bug::LentWhateverState);
        if lends && advanced(view, share)? {
            reply.leases.extend(lend(lender, view, share)?);
        }
    }
    Ok(reply)
}

/// Keeps the key of a share of this node's own as its partner gave it back, where there is none.
pub(crate) fn taken_back(
    lender: Lender<'_>,
    view: &View<'_>,
    us: OrganisationId,
    lease: &Lease,
) -> Result<(), Error> {
    let header = view
        .get(&table::SHARE, &lease.share)?
        .map(|found| found.header);
    let lends = |header: &Header| header.owner == us && !header.revoked;
    if !header.is_some_and(|header| lends(&header)) || !advanced(view, lease.share)? {
        return Ok(());
    }
    let keyring = lender.keyring;
    let kept = keyring.ensure(KeyId::lease(lease.share), |drawn| {
        crate::chance::fill(drawn);
        drawn[..lease.key.len()].copy_from_slice(&*lease.key);
    });
    kept.and_then(|()| keyring.sync()).map_err(unmade)
}

/// What a node lends with.
#[derive(Clone, Copy)]
pub(crate) struct Lender<'a> {
    /// Where its keys are.
    pub(crate) keyring: &'a Keyring,
    /// For how long, in seconds.
    pub(crate) seconds: u32,
}

impl<'a> Lender<'a> {
    /// What this node lends with.
    pub(crate) fn of(node: &'a Node) -> Self {
        Self {
            keyring: &node.parts().keyring,
            seconds: node.parts().config.lease.seconds.get(),
        }
    }

    /// A key as it is lent.
    pub(crate) fn leased(self, share: ShareId, key: &[u8; 32]) -> v1::Lease {
        v1::Lease {
            share: share.as_bytes().to_vec().into(),
            key: key.to_vec().into(),
            seconds: self.seconds,
        }
    }
}
