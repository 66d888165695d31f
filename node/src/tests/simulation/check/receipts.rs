//! A receipt covers what it says: whoever holds one of its own log knows that the other side has it, and
//! what the other side stated to be stored is there.

use interdocket_sync::log::Side;
use interdocket_sync::share::{Fact, Hold, Key, Kind};

use super::{Broken, Seen, State};
use crate::store::table;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for state in &seen.states {
        for (id, share) in &state.shares {
            let header = &share.header;
            let own = header.side(state.site.id).unwrap_or(Side::Owner);
            let other = share.other(state.site.id);
            let there = seen.states.iter().find(|there| there.site.id == other);
            let Some(there) = there else {
                continue;
            };
            let early = seen.early(state.site.id) || seen.early(other);
            if early || seen.oracle.forks(header) {
                continue;
            }
            if !there.shares.contains_key(id) && seen.oracle.lost(*id) {
                continue;
            }
            let said = header.log(own).countersigned;
            let held = there.shares.get(id).map(|held| &held.header);
            if held.is_some_and(|held| held.hold == Hold::Closed) {
                continue;
            }
            if seen.oracle.odd(other) && super::keyless(&there.process, header) {
                continue;
            }
            let held = held.map(|held| held.log(own).point.count);
            if said > held.unwrap_or(0) {
                return Err(format!(
                    "{} has a receipt of {id} up to {said}, {} holds {held:?}",
                    state.site.name, there.site.name
                ));
            }
            if own == Side::Partner && header.kind == Kind::Copy {
                stored(state, *id)?;
            }
        }
    }
    Ok(())
}

/// What this node stated to have stored is here, whole.
fn stored(state: &State<'_>, share: interdocket_sync::id::ShareId) -> Broken {
    let facts = state
        .process
        .read(|view| view.page(&table::FACT, &share, None, usize::MAX));
    let facts = facts.unwrap_or_default();
    for ((_, key), fact) in &facts {
        let (Key::File(evidence, _), Fact::File(file)) = (key, fact) else {
            continue;
        };
        let item = facts.iter().find_map(|((_, key), fact)| match fact {
            Fact::Item(item) if *key == Key::Item(*evidence) => Some(item),
            _ => None,
        });
        let stated = item.is_some_and(|item| item.stored != 0 && item.withdrawn == 0);
        let wanted = state
            .process
            .read(|view| view.has(&table::WANTED, &(share, *evidence)));
        // That its bytes went bad since is found when they are read.
        let rots = state.process.vault.rotten.borrow().contains(&file.blake3);
        if stated && !rots && wanted.ok() == Some(false) && state.bytes(file.blake3).is_none() {
            return Err(format!(
                "{} stated that it stored {evidence} of {share} and has not",
                state.site.name
            ));
        }
    }
    Ok(())
}
