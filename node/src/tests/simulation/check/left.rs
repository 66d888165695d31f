//! Nothing stays under way (L6, L7): sessions end, what arrives is whole or removed, everything is compared,
//! nothing waits in a share that goes on, and no share is still being processed.

use interdocket_sync::share::Header;
use interdocket_sync::share::status::{Status, status};

use super::State;
use crate::clock::Clock as _;
use crate::store::table;

/// What is still under way at a node.
pub(super) fn waits(state: &State<'_>, excused: &impl Fn(&Header) -> bool) -> Vec<String> {
    let (process, name) = (&state.process, state.site.name);
    let mut waits = Vec::new();
    macro_rules! empty {
        ($($table:ident),*) => {$(
            let rows = process.read(|view| view.page(&table::$table, &(), None, 3));
            for (key, _) in rows.unwrap_or_default() {
                waits.push(format!("{name}: {} {key:?}", stringify!($table)));
            }
        )*};
    }
    empty!(SESSION, UNCOMPARED);
    let arriving = process.vault.arriving();
    for (share, digest) in arriving {
        let held = state.shares.get(&share);
        if held.is_none_or(|share| !excused(&share.header)) {
            waits.push(format!("{name}: {digest} of {share} arrives"));
        }
    }
    if process.queued() > 0 {
        waits.push(format!("{name}: decisions wait"));
    }
    for (id, share) in &state.shares {
        let stands = status(&share.header, share.waits(), process.clock.now());
        if stands == Status::Processing && !excused(&share.header) {
            waits.push(format!(
                "{name}: {id} is being processed: {:?}",
                share.header
            ));
        }
    }
    waits
}
