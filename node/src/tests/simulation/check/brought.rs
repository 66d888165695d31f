//! What an owner delivered was read from it in full, whatever else of it is here (A2): what a node asks for tells
//! nobody what it holds.

use super::{Broken, Seen, State};
use crate::store::table;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    let sound = |state: &&State<'_>| !seen.oracle.odd(state.site.id);
    for state in seen.states.iter().filter(sound) {
        let rows = state
            .process
            .read(|view| view.page(&table::DELIVERED, &(), None, usize::MAX));
        for ((owner, digest), ()) in rows.unwrap_or_default() {
            let brought = (state.site.number, owner, digest);
            if !seen.oracle.brought.contains_key(&brought) {
                let name = state.site.name;
                let items = seen.oracle.items.iter().enumerate();
                let items = items.filter(|(_, item)| item.digest == digest);
                let items: Vec<usize> = items.map(|(place, _)| place).collect();
                return Err(format!(
                    "{name} holds items {items:?} as delivered by {owner}, and never read them"
                ));
            }
        }
    }
    Ok(())
}
