//! The invariants: each is a file of its own, and a function of the states of all nodes and of the oracle.

mod acknowledged;
mod agree;
mod blame;
mod intact;
mod owed;
mod purged;
mod receipts;
mod revoked;
mod scope;

use std::collections::BTreeMap;
use std::rc::Rc;

use interdocket_sync::id::ShareId;

use super::oracle::Oracle;
use super::site::{Process, Site};
use super::world::World;
use crate::store::entity::{BlobState, Share};
use crate::store::table;

pub(super) use self::scope::Scanned;

/// The state of a node that runs.
pub(super) struct State<'a> {
    pub(super) site: &'a Site,
    pub(super) process: Rc<Process>,
    pub(super) shares: BTreeMap<ShareId, Share>,
}

impl State<'_> {
    /// The bytes of a file that this node holds as its own.
    fn bytes(&self, digest: interdocket_sync::blob::Digest) -> Option<Vec<u8>> {
        let blob = self.process.read(|view| view.get(&table::BLOB, &digest));
        let blob = blob.ok().flatten()?;
        match blob.state {
            BlobState::Damaged => None,
            _ => self.process.vault.read(digest, blob.place),
        }
    }
}

/// The states of all nodes that run, and what people were told.
pub(super) struct Seen<'a> {
    pub(super) states: Vec<State<'a>>,
    pub(super) oracle: &'a Oracle,
}

impl Seen<'_> {
    /// The state of a node, if it runs.
    fn of(&self, site: usize) -> Option<&State<'_>> {
        self.states.iter().find(|state| state.site.number == site)
    }
}

/// What does not hold.
type Broken = Result<(), String>;

/// An invariant.
type Check = fn(&Seen<'_>) -> Broken;

/// What has to hold at every moment.
const ALWAYS: [(&str, Check); 5] = [
    ("acknowledged", acknowledged::check),
    ("receipts", receipts::check),
    ("revoked", revoked::check),
    ("purged", purged::check),
    ("intact", intact::check),
];

/// What has to hold once everything has settled.
const SETTLED: [(&str, Check); 3] = [
    ("blame", blame::check),
    ("agree", agree::check),
    ("owed", owed::check),
];

fn seen<'a>(world: &'a World, oracle: &'a Oracle) -> Option<Seen<'a>> {
    let mut states = Vec::new();
    for site in &world.sites {
        let Some(process) = site.up() else {
            continue;
        };
        let shares = process.read(|view| view.page(&table::SHARE, &(), None, usize::MAX));
        // Where the database failed, the process is about to end.
        let Ok(shares) = shares else {
            continue;
        };
        states.push(State {
            site,
            process,
            shares: shares.into_iter().collect(),
        });
    }
    Some(Seen { states, oracle })
}

/// Checks what has to hold at every moment.
pub(super) fn always(world: &World) {
    let oracle = world.oracle.borrow();
    let Some(seen) = seen(world, &oracle) else {
        return;
    };
    for (name, check) in ALWAYS {
        let held = check(&seen);
        // Where a database fails just now, nobody can say.
        let fails = |state: &State<'_>| state.process.store.engine().applied().is_err();
        match held {
            Err(broken) if !seen.states.iter().any(fails) => {
                world.fail(format!("{name}: {broken}"));
            }
            _ => {}
        }
    }
    let mut scanned = world.scanned.borrow_mut();
    if let Err(broken) = scope::check(&seen, &mut scanned) {
        world.fail(format!("scope: {broken}"));
    }
}

/// Checks what has to hold once everything has settled.
pub(super) fn settled(world: &World) {
    always(world);
    let oracle = world.oracle.borrow();
    let Some(seen) = seen(world, &oracle) else {
        return;
    };
    for (name, check) in SETTLED {
        if let Err(broken) = check(&seen) {
            world.fail(format!("{name}: {broken}"));
        }
    }
}

/// What still waits somewhere; nothing once everything has settled.
pub(super) fn waits(world: &World) -> Vec<String> {
    let mut waits = Vec::new();
    for site in &world.sites {
        let name = site.name;
        let Some(process) = site.up() else {
            waits.push(format!("{name} is down"));
            continue;
        };
        macro_rules! empty {
            ($($table:ident),*) => {$(
                let rows = process.read(|view| view.page(&table::$table, &(), None, 5));
                for (key, _) in rows.unwrap_or_default() {
                    let share = process.read(|view| view.get(&table::SHARE, &key.1));
                    let header = share.ok().flatten().map(|share| share.header);
                    waits.push(format!("{name}: {} {header:?}", stringify!($table)));
                }
            )*};
        }
        empty!(OUTBOX, FETCH, IMPORT, PURGE, ERASING, RECOVER);
        if process.suspects() {
            waits.push(format!("{name} suspects its clock"));
        }
    }
    waits
}
