//! Leases on the wire: what an owner lends with its entries, and renews when asked.

use std::time::Duration;

use interdocket_proto::v1;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::share::{Hold, Kind};
use zeroize::Zeroizing;

use crate::actions::decide::broken;
use crate::actions::{Error, ErrorKind};
use crate::keyring::KeyId;
use crate::node::Node;
use crate::seal::Seal;
use crate::store::table;
use crate::store::view::View;

/// A lease that came from a share's owner.
pub(super) struct Lease {
    /// The share.
    pub(super) share: ShareId,
    key: Zeroizing<[u8; 32]>,
    length: Duration,
}

/// Reads a lease; none where it is none.
pub(super) fn read(lease: v1::Lease) -> Option<Lease> {
    let key = <[u8; 32]>::try_from(lease.key.as_ref()).ok()?;
    Some(Lease {
        share: ShareId::from_slice(&lease.share).ok()?,
        key: Zeroizing::new(key),
        length: Duration::from_secs(lease.seconds.into()),
    })
}

impl Lease {
    /// What seals under it.
    pub(super) fn seal(&self) -> Seal {
        Seal::new(self.share.uuid(), self.key.clone())
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
        let keeps = node.read(move |view| {
            let found = view.get(&table::SHARE, &share)?;
            let theirs = found.is_some_and(|found| found.header.owner == owner);
            Ok(theirs && keeps(view, share)?)
        });
        if keeps.await? {
            let leases = &node.parts().moment.leases;
            leases.lend(share, self.key, asked, self.length);
        }
        review(node, share).await
    }
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
fn keeps(view: &View<'_>, share: ShareId) -> Result<bool, Error> {
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
pub(super) fn advanced(view: &View<'_>, share: ShareId) -> Result<bool, Error> {
    let share = view.get(&table::SHARE, &share)?;
    Ok(share.is_some_and(|share| matches!(share.header.kind, Kind::Advanced(_))))
}

/// The lease of a share of this node's own, as it is lent now; none where its key was lost with this
/// node's past: what the partner has sealed can't be opened again. Who asks was judged before.
pub(super) fn lend(
    node: &Node,
    view: &View<'_>,
    share: ShareId,
) -> Result<Option<v1::Lease>, Error> {
    let keyring = &node.parts().keyring;
    let id = KeyId::lease(share);
    let header = crate::actions::decide::share(view, share)?.header;
    if header.owner_log.countersigned > 0 && keyring.key(id).is_none() {
        return Ok(None);
    }
    let failed = |error: crate::keyring::Error| {
        tracing::error!(%error, "a lease's key can't be made");
        Error::new(ErrorKind::Unavailable, "a lease's key can't be made")
            .hint("look at the node's log")
    };
    keyring.ensure(id, crate::chance::fill).map_err(failed)?;
    keyring.sync().map_err(failed)?;
    let key = keyring
        .key(id)
        .ok_or_else(|| broken("a lease's key is missing"))?;
    Ok(Some(leased(node, share, &key)))
}

/// The lease of a share of this node's own, where its key was made.
pub(super) fn held(node: &Node, share: ShareId) -> Option<v1::Lease> {
    let key = node.parts().keyring.key(KeyId::lease(share))?;
    Some(leased(node, share, &key))
}

fn leased(node: &Node, share: ShareId, key: &[u8; 32]) -> v1::Lease {
    v1::Lease {
        share: share.as_bytes().to_vec().into(),
        key: key.to_vec().into(),
        seconds: node.parts().config.lease.seconds.get(),
    }
}
