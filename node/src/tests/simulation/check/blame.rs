//! No share of honest nodes is frozen or paused: nobody forked, and nobody was newer (S9, S10). A node that does
//! not know that it is behind may fork.

use interdocket_sync::share::{Header, Hold};

use super::{Broken, Seen};

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    let keyless = |header: &Header| {
        let mut owners = seen.states.iter();
        let owner = owners.find(|state| state.site.id == header.owner);
        owner.is_some_and(|owner| super::keyless(&owner.process, header))
    };
    for state in &seen.states {
        for (id, share) in &state.shares {
            let header = &share.header;
            // Who came back from its past is not given a revoked share.
            let odd = seen.oracle.odd(header.owner) || seen.oracle.odd(header.partner);
            let fair = match header.hold {
                Hold::Free => true,
                Hold::Closed => header.revoked && odd,
                // What its owner lost is sealed under a key that was lost as well.
                Hold::Recovering => odd && (seen.oracle.excused(header) || keyless(header)),
                Hold::Frozen | Hold::Paused => false,
            };
            if !fair && !seen.oracle.forks(header) {
                return Err(format!(
                    "{} holds {id} as {:?}",
                    state.site.name, header.hold
                ));
            }
        }
    }
    Ok(())
}
