//! The invariants: each is a file of its own, and a function of the states of all nodes and of the oracle.

mod acknowledged;
mod agree;
mod blame;
mod bounded;
mod brought;
pub(super) mod fork;
mod incarnation;
mod intact;
pub(super) mod interference;
mod left;
mod lent;
mod once;
mod owed;
mod purged;
mod receipts;
mod recorded;
mod referenced;
pub(super) mod resumed;
mod revoked;
mod rotten;
pub(super) mod scope;
mod stopped;

use std::collections::BTreeMap;
use std::rc::Rc;

use interdocket_sync::blob::Digest;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::share::{Facts as _, Header, Hold, Kind};

use super::oracle::Oracle;
use super::site::{Process, Site};
use super::world::World;
use crate::actions::exchange;
use crate::keyring::KeyId;
use crate::store::entity::{BlobState, Share};
use crate::store::project::ShareFacts;
use crate::store::table;

pub(super) use self::incarnation::Lives;
pub(super) use self::scope::Scanned;

/// The state of a node that runs.
pub(super) struct State<'a> {
    pub(super) site: &'a Site,
    pub(super) process: Rc<Process>,
    pub(super) shares: BTreeMap<ShareId, Share>,
}

impl State<'_> {
    /// The bytes of a file that this node holds as its own.
    fn bytes(&self, digest: Digest) -> Option<Vec<u8>> {
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
    /// Whether everything has settled.
    pub(super) settled: bool,
    pub(super) world: &'a World,
}

impl Seen<'_> {
    /// Whether a node may not know yet that it is behind.
    fn early(&self, id: OrganisationId) -> bool {
        !self.settled && self.oracle.odd(id)
    }

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
const ALWAYS: &[(&str, Check)] = &[
    ("acknowledged", acknowledged::check),
    ("receipts", receipts::check),
    ("revoked", revoked::check),
    ("purged", purged::check),
    ("intact", intact::check),
    ("fork", fork::check),
    ("stopped", stopped::check),
    ("recorded", recorded::check),
    ("bounded", bounded::check),
    ("lent", lent::check),
];

/// What has to hold once everything has settled.
const SETTLED: &[(&str, Check)] = &[
    ("blame", blame::check),
    ("agree", agree::check),
    ("owed", owed::check),
    ("incarnation", incarnation::settled),
    ("once", once::check),
    ("brought", brought::check),
    ("referenced", referenced::check),
    ("rotten", rotten::check),
];

fn seen<'a>(world: &'a World, oracle: &'a Oracle, settled: bool) -> Seen<'a> {
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
    Seen {
        states,
        oracle,
        settled,
        world,
    }
}

/// Checks what has to hold at every moment.
pub(super) fn always(world: &World) {
    moment(world, false);
}

fn moment(world: &World, settled: bool) {
    let oracle = world.oracle.borrow();
    let seen = seen(world, &oracle, settled);
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
    let mut lives = world.lives.borrow_mut();
    if let Err(broken) = incarnation::check(&seen, &mut lives) {
        world.fail(format!("incarnation: {broken}"));
    }
}

/// Checks what has to hold once everything has settled.
pub(super) fn settled(world: &World) {
    moment(world, true);
    let oracle = world.oracle.borrow();
    let seen = seen(world, &oracle, true);
    for (name, check) in SETTLED {
        if let Err(broken) = check(&seen) {
            world.fail(format!("{name}: {broken}"));
        }
    }
}

/// What still waits somewhere; nothing once everything has settled.
pub(super) fn waits(world: &World) -> Vec<String> {
    let mut waits = Vec::new();
    let oracle = world.oracle.borrow();
    // What can't be read any more at its owner can't come.
    let rotten = |organisation: OrganisationId| {
        let disks = world.site(organisation).disks.borrow();
        let rotten = disks.vault.rotten.borrow();
        !rotten.is_empty()
    };
    let damaged = |header: &Header| rotten(header.owner) || rotten(header.partner);
    let seen = seen(world, &oracle, false);
    for state in seen.states.iter().filter(|state| !state.site.gone.get()) {
        let excused = |header: &Header| {
            let odd = oracle.odd(header.owner) || oracle.odd(header.partner);
            odd || damaged(header) || endless(world, &oracle, &state.process, header)
        };
        waits.extend(left::waits(state, &excused));
    }
    for site in world.nodes() {
        let name = site.name;
        let Some(process) = site.up() else {
            waits.push(format!("{name} is down"));
            continue;
        };
        macro_rules! empty {
            ($($table:ident),*) => {$(
                let rows = process.read(|view| view.page(&table::$table, &(), None, usize::MAX));
                for (key, _) in rows.unwrap_or_default() {
                    let share = process.read(|view| view.get(&table::SHARE, &key.1));
                    let header = share.ok().flatten().map(|share| share.header);
                    let spoilt = |header: &Header| match stringify!($table) {
                        "FETCH" => hopeless(world, &oracle, &process, header, &wanted(&process, header)),
                        "IMPORT" => hopeless(world, &oracle, &process, header, &unimported(&process, header)),
                        _ => false,
                    };
                    let for_ever =
                        |header: &Header| spoilt(header) || endless(world, &oracle, &process, header);
                    if header.as_ref().is_some_and(for_ever) {
                        continue;
                    }
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

/// Whether none of these items of a share can come any more: bytes went bad, or were lost with their owner's past.
fn hopeless(
    world: &World,
    oracle: &Oracle,
    process: &Process,
    header: &Header,
    of: &[EvidenceId],
) -> bool {
    let bad = |evidence: &EvidenceId| {
        process.read(|view| {
            let facts = ShareFacts::new(*view, header.share);
            let files = facts.item(*evidence).map_or(0, |item| item.files);
            let mut files = (0..files).filter_map(|place| facts.file(*evidence, place));
            files.any(|file| spoilt(world, header, &file.blake3))
        }) || (oracle.odd(header.owner) && lost(oracle, *evidence))
    };
    !of.is_empty() && of.iter().all(bad)
}

/// Whether bytes went bad at either end of a share. An owner that does not know yet is to find out.
fn spoilt(world: &World, header: &Header, digest: &Digest) -> bool {
    let rots = |id: OrganisationId| {
        let disks = world.site(id).disks.borrow();
        disks.vault.rotten.borrow().contains(digest)
    };
    let known = || {
        let Some(owner) = world.site(header.owner).up() else {
            return true;
        };
        let blob = owner.read(|view| view.get(&table::BLOB, digest));
        let blob = blob.ok().flatten();
        blob.is_none_or(|blob| blob.state == BlobState::Damaged)
    };
    rots(header.partner) || (rots(header.owner) && known())
}

/// Whether the owner of an advanced share lost its key with its past, which was made after it.
fn keyless(owner: &Process, header: &Header) -> bool {
    let advanced = matches!(header.kind, Kind::Advanced(_));
    advanced && !header.revoked && owner.keyring.key(KeyId::lease(header.share)).is_none()
}

/// Whether something of a share waits for ever, and nobody can help it: it is frozen, or nobody can say how it
/// ends, or its owner lost with its past what the partner wants.
fn endless(world: &World, oracle: &Oracle, process: &Process, header: &Header) -> bool {
    if header.hold == Hold::Frozen || oracle.excused(header) {
        return true;
    }
    if !oracle.odd(header.owner) {
        return false;
    }
    // Who lost that a share was over does not resume it.
    let owner = world.site(header.owner).up();
    if header.suspended || owner.is_some_and(|owner| keyless(&owner, header)) {
        return true;
    }
    let wanted = wanted(process, header);
    let lost = |evidence| lost(oracle, evidence);
    !wanted.is_empty() && wanted.into_iter().all(lost)
}

/// Whether an item was lost with its owner's past.
fn lost(oracle: &Oracle, evidence: EvidenceId) -> bool {
    let mut items = oracle.items.iter();
    let item = items.find(|item| item.id == Some(evidence));
    item.is_none_or(|item| item.lost)
}

/// What is wanted of a share.
fn wanted(process: &Process, header: &Header) -> Vec<EvidenceId> {
    let rows = process.read(|view| view.page(&table::WANTED, &header.share, None, usize::MAX));
    let rows = rows.unwrap_or_default();
    rows.into_iter()
        .map(|((_, evidence), ())| evidence)
        .collect()
}

/// What of a share may be imported and was not, as far as its owner still gives it.
fn unimported(process: &Process, header: &Header) -> Vec<EvidenceId> {
    let share = header.share;
    let due = process.read(|view| exchange::importable(view, share, None, usize::MAX));
    let wish = process.read(|view| view.get(&table::IMPORT, &(header.owner, share)));
    let only = wish.ok().flatten().map_or(Vec::new(), |wish| wish.only);
    let mut due = due.map_or(Vec::new(), |(due, _)| due);
    let listed = |evidence: EvidenceId| {
        let item = process.read(|view| ShareFacts::new(*view, share).item(evidence));
        item.is_some_and(|item| item.withdrawn == 0)
    };
    due.retain(|evidence| listed(*evidence) && (only.is_empty() || only.contains(evidence)));
    due
}
