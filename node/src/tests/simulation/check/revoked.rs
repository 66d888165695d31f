//! A revocation is for good (S5): what a node knows to be revoked is revoked in its table and in its header,
//! and it serves nothing of it.

use super::{Broken, Seen};
use crate::federation::exchange::serves;
use crate::store::table;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for (site, owner, id) in &seen.oracle.revocations {
        let Some(state) = seen.of(*site) else {
            continue;
        };
        let Some(share) = state.shares.get(id) else {
            continue;
        };
        let early = seen.early(state.site.id);
        if share.header.owner == *owner && !share.header.revoked && !early {
            let name = state.site.name;
            return Err(format!("{name} holds {id} as if it were not revoked"));
        }
        let granted = state
            .process
            .read(|view| view.has(&table::IMPORT, &(*owner, *id)));
        if granted.ok() == Some(false) && state.process.seal(*id).is_some() {
            let name = state.site.name;
            return Err(format!("{name} has the lease of {id}, which was revoked"));
        }
    }
    for deal in seen.oracle.deals.iter().filter(|deal| deal.revoked) {
        let (Some(share), Some(state)) = (deal.share, seen.of(deal.owner)) else {
            continue;
        };
        let Some(partner) = state.shares.get(&share).map(|held| held.header.partner) else {
            continue;
        };
        if seen.early(state.site.id) && seen.oracle.forks(&state.shares[&share].header) {
            continue;
        }
        let served = state.process.read(|view| serves(view, partner, share));
        if matches!(served, Ok(true)) {
            let name = state.site.name;
            return Err(format!("{name} serves {share}, which was revoked"));
        }
    }
    Ok(())
}
