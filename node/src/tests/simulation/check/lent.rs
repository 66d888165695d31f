//! A lease ends by itself: nothing can be opened under one longer than it was lent for, whatever becomes of its
//! owner.

use super::{Broken, Seen};
use crate::clock::Clock as _;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for state in &seen.states {
        let (process, name) = (&state.process, state.site.name);
        let now = process.clock.elapsed();
        for (share, until) in process.lent.borrow().iter() {
            // Who lies lends for as long as it likes.
            let held = state.shares.get(share);
            if held.is_some_and(|held| seen.oracle.odd(held.header.owner)) {
                continue;
            }
            if *until <= now && process.seal(*share).is_some() {
                return Err(format!("{name} opens {share} after its lease"));
            }
        }
    }
    Ok(())
}
