//! Bytes that went bad are found as soon as somebody who was sent them doubts them (E5), and are marked then.

use super::{Broken, Seen};
use crate::store::entity::BlobState;
use crate::store::table;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for (site, digest) in &seen.oracle.shown {
        // A machine that was set back forgot what it was told.
        let sound = |state: &&super::State<'_>| !seen.oracle.odd(state.site.id);
        let Some(state) = seen.of(*site).filter(sound) else {
            continue;
        };
        let blob = state.process.read(|view| view.get(&table::BLOB, digest));
        let marked = blob.ok().flatten().is_none_or(|blob| {
            let good = state.process.vault.read(*digest, blob.place);
            let good = good.is_some_and(|bytes| super::super::vault::digest(&bytes) == *digest);
            good || blob.state == BlobState::Damaged
        });
        let waits = |other: &&super::State<'_>| {
            let rows = other
                .process
                .read(|view| view.page(&table::FETCH, &state.site.id, None, 1));
            rows.is_ok_and(|rows| !rows.is_empty())
        };
        let mut others = seen.states.iter().filter(sound);
        if !marked && others.any(|other| waits(&other)) {
            let name = state.site.name;
            return Err(format!(
                "{name} served bad bytes of {digest} and does not know"
            ));
        }
    }
    Ok(())
}
