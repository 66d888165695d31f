//! No share of honest nodes is frozen or paused: nobody forked, and nobody was newer (S9, S10). A node that does
//! not know that it is behind may fork.

use interdocket_sync::share::Hold;

use super::{Broken, Seen};

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for state in &seen.states {
        for (id, share) in &state.shares {
            if share.header.hold != Hold::Free && !seen.oracle.forks(&share.header) {
                return Err(format!(
                    "{} holds {id} as {:?}",
                    state.site.name, share.header.hold
                ));
            }
        }
    }
    Ok(())
}
