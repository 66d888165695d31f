//! A purge that was stated is held: nothing of the share is sealed at the partner, and no lease is held.

use super::{Broken, Seen};
use crate::store::table;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for state in &seen.states {
        for (id, share) in &state.shares {
            if share.header.partner != state.site.id || share.header.purged == 0 {
                continue;
            }
            let name = state.site.name;
            let again = state
                .process
                .read(|view| view.has(&table::PURGE, &(share.header.owner, *id)));
            // What came back with its past is erased again.
            if again.ok() != Some(false) {
                continue;
            }
            let sealed = state
                .process
                .read(|view| view.page(&table::SEALED, id, None, 1));
            if sealed.is_ok_and(|rows| !rows.is_empty()) {
                return Err(format!(
                    "{name} stated that {id} is purged, and has files of it"
                ));
            }
            if state.process.seal(*id).is_some() {
                return Err(format!(
                    "{name} stated that {id} is purged, and has its lease"
                ));
            }
        }
    }
    Ok(())
}
