//! Two histories freeze a share (S10): whoever is shown a second one keeps both signed heads, and lets nothing
//! further of it in. Nothing of an older life of a node is let in either (S11).

use interdocket_sync::log::Side;
use interdocket_sync::log::entry::Entry;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::{Hold, Kind};
use interdocket_sync::wire::batch::Batch;

use super::super::site::Process;
use super::super::world::World;
use super::{Broken, Seen};
use crate::actions::exchange::Taken;
use crate::event::{Bytes, Event};
use crate::federation::history;
use crate::store::table;

/// Whether a node holds another entry than a batch has in the same place.
pub(in super::super) fn other(world: &World, me: &Process, batch: &Batch) -> bool {
    let (oracle, side) = (world.oracle.borrow(), batch.head.head.side);
    batch.entries.iter().any(|entry| {
        let held = oracle
            .taken
            .get(&(me.site, batch.share, side, entry.number));
        held.is_some_and(|held| *held != entry.hash)
    })
}

/// A batch whose signatures hold was judged; whether another entry was held before that began.
pub(in super::super) fn judged(
    world: &World,
    me: &Process,
    batch: &Batch,
    taken: &Taken,
    held_before: bool,
) {
    let (share, head) = (batch.share, &batch.head.head);
    let mut oracle = world.oracle.borrow_mut();
    let name = world.sites[me.site].name;
    let mut other = None;
    for entry in &batch.entries {
        let at = (me.site, share, head.side, entry.number);
        match (oracle.taken.get(&at), taken) {
            (Some(held), _) if *held != entry.hash => other = other.or(Some(entry.number)),
            (None, Ok(_)) => drop(oracle.taken.insert(at, entry.hash)),
            _ => {}
        }
    }
    let header = me.read(|view| view.get(&table::SHARE, &share));
    // Where the database fails just now, nobody can say.
    let Ok(Some(held)) = header else {
        return;
    };
    let header = held.header;
    if taken.is_ok() && head.incarnation < header.log(head.side).incarnation {
        drop(oracle);
        return world.fail(format!("incarnation: {name} took what a former life wrote"));
    }
    match (other, taken) {
        (Some(entry), Ok(_)) => {
            drop(oracle);
            world.fail(format!("fork: {name} took entry {entry} of {share} twice"));
        }
        (Some(entry), Err(Refusal::Fork)) => {
            world.note(format_args!(
                "{name} is shown another entry {entry} of {share}"
            ));
            if header.hold != Hold::Frozen {
                drop(oracle);
                return world.fail(format!("fork: {name} does not freeze {share}"));
            }
            let points = [header.owner_log.point, header.partner_log.point];
            oracle.forked.entry((me.site, share)).or_insert(points);
        }
        (Some(entry), Err(refused)) if held_before && !before(*refused) => {
            drop(oracle);
            let refused = refused.name();
            world.fail(format!(
                "fork: {name} sees no fork in entry {entry} of {share}: {refused}"
            ));
        }
        _ => {}
    }
}

/// Whether a batch was refused without a look at its entries, or by one that comes before.
const fn before(refused: Refusal) -> bool {
    !matches!(
        refused,
        Refusal::Gap { .. } | Refusal::State | Refusal::Newer
    )
}

/// Whether what proves a fork of the owner's log says more than an advanced share may leave behind.
fn clear(event: &Event) -> bool {
    let Event::ShareFrozen(frozen) = event else {
        return true;
    };
    let says = |bytes: &Bytes| {
        let entry = Entry::kept(&bytes.0);
        entry.is_ok_and(|entry| entry.body.redacted() != entry.body)
    };
    frozen.side == Side::Owner && frozen.entries.iter().any(says)
}

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for ((site, share), points) in &seen.oracle.forked {
        let Some(state) = seen.of(*site) else {
            continue;
        };
        let Some(held) = state.shares.get(share) else {
            continue;
        };
        let (name, header) = (state.site.name, &held.header);
        if header.hold != Hold::Frozen {
            return Err(format!("{name} thawed {share}"));
        }
        // Its own node may still end it.
        let own = header.side(state.site.id);
        let before = [(Side::Owner, points[0]), (Side::Partner, points[1])];
        let mut theirs = before.into_iter().filter(|(side, _)| Some(*side) != own);
        if theirs.any(|(side, point)| header.log(side).point != point) {
            return Err(format!(
                "{name} let something into {share}, which is frozen"
            ));
        }
        let process = &state.process;
        let advanced = matches!(header.kind, Kind::Advanced(_));
        if let (true, Some(record)) = (advanced && own == Some(Side::Partner), held.frozen) {
            let event = process.read(|view| history::event(view, &process.journal, record));
            if event.is_ok_and(|event| clear(&event)) {
                return Err(format!("{name} keeps texts of {share} in the clear"));
            }
        }
        let fork = process.read(|view| history::fork(view, &process.journal, *share));
        match fork {
            Ok(Some(fork)) if fork.held != fork.shown => {}
            Ok(_) => return Err(format!("{name} has not kept both heads of {share}")),
            // Where the disk fails just now, nobody can say.
            Err(_) => {}
        }
    }
    Ok(())
}
