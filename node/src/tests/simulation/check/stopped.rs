//! Where the journal's disk failed, nobody is answered any more (S20).

use std::sync::atomic::Ordering;

use super::{Broken, Seen};

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for state in &seen.states {
        if state.process.broke.load(Ordering::Relaxed) {
            let name = state.site.name;
            return Err(format!(
                "{name} answered after its journal could not be written"
            ));
        }
    }
    Ok(())
}
