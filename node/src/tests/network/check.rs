//! What has to hold: at every moment, within a time of when the network is whole again, and once everything
//! has settled.

mod settled;

use std::time::Duration;

use interdocket_sync::id::ShareId;

use super::World;
use super::people::known;
use crate::actions::partner::State;
use crate::event::Event;
use crate::federation::history;
use crate::node::{Node, timely};
use crate::store::table;

pub(super) use self::settled::{settled, waits};

/// A silent connection is noticed within twice the heartbeat of 10 s.
const NOTICED: Duration = Duration::from_secs(20);
/// Whatever was noticed is mended within this time after it can be.
const MENDED: Duration = Duration::from_secs(10);
/// For the steps of the checks.
const SLACK: Duration = Duration::from_secs(2);
/// How far clocks may be apart for certificates to count, in seconds.
const CLOCKS: u64 = 600;

/// Notes records that were made since.
pub(super) fn records(world: &World, number: usize) {
    let site = &world.sites[number];
    let Some(node) = site.up() else {
        return;
    };
    let parts = node.parts();
    let count = parts.store.engine().applied().unwrap();
    for seq in site.noted.get() + 1..=count {
        let reading = parts.store.read();
        let event = history::event(&reading.view(), &parts.journal, seq);
        let what = event.map_or("erased", |event| Event::name(event.number()));
        world
            .log
            .note(site.name, format_args!("record {seq}: {what}"));
        world.oracle.borrow_mut().figures.records += 1;
    }
    // A crash may take what nobody was told of.
    site.noted.set(count);
}

/// Checks what has to hold at every moment.
pub(super) fn always(world: &World) {
    for number in 0..world.sites.len() {
        records(world, number);
    }
    for one in &world.sites {
        for other in &world.sites[one.number + 1..] {
            if let (Some(a), Some(b)) = (one.up(), other.up()) {
                identity(world, (one.number, &a), (other.number, &b));
                contact(world, (one.number, &a), (other.number, &b));
            }
        }
    }
    let shares: Vec<ShareId> = world.oracle.borrow().deals.keys().copied().collect();
    for share in shares {
        revocation(world, share);
    }
}

/// Who is a partner is so under the root that it has (S14).
fn identity(world: &World, one: (usize, &Node), other: (usize, &Node)) {
    for ((here, node), (there, other)) in [(one, other), (other, one)] {
        let [here, there] = [here, there].map(|number| &world.sites[number]);
        if let Some(partner) = known(node, there.id)
            && partner.root.0 != other.parts().keys.root_der()
        {
            let what = format!("S14: {} has another root of {}", here.name, there.name);
            world.log.fail(what);
        }
    }
}

fn connected(node: &Node, world: &World, other: usize) -> bool {
    let contacts = node.parts().transport.registry().contacts();
    contacts.contains_key(&world.sites[other].id)
}

/// Whether a node takes another one's calls, and goes by its own clock.
fn takes(node: &Node, world: &World, other: usize) -> bool {
    let partner = known(node, world.sites[other].id);
    let active = partner.is_some_and(|partner| partner.state == State::Active);
    active && timely(&node.parts().store.read().view()).is_ok()
}

/// A connection that died without a word is noticed (E13), and there is one again soon after there can be
/// (E12, L10).
fn contact(world: &World, one: (usize, &Node), other: (usize, &Node)) {
    let (now, links) = (world.log.now(), world.links.borrow());
    let both = connected(one.1, world, other.0) && connected(other.1, world, one.0);
    let any = connected(one.1, world, other.0) || connected(other.1, world, one.0);
    let [a, b] = [one.0, other.0].map(|number| world.sites[number].name);
    // A connection counts as silent from what was last taken from it, not from when that came.
    if let Some(cut) = links.cut_since(one.0, other.0)
        && now > cut.max(links.taken(one.0, other.0)) + NOTICED + SLACK
        && any
    {
        let what = format!("E13: {a} and {b} do not notice that they are cut since {cut:?}");
        world.log.fail(what);
    }
    let mut trust = world.trusted.borrow_mut();
    let pair = (one.0, other.0);
    let clocks = [one.0, other.0].map(|number| world.sites[number].watch.off());
    let near = clocks[0].abs_diff(clocks[1]) <= CLOCKS;
    if !near || !takes(one.1, world, other.0) || !takes(other.1, world, one.0) {
        trust.remove(&pair);
        return;
    }
    let since = *trust.entry(pair).or_insert(now);
    let mut lost = world.lost.borrow_mut();
    if any {
        lost.remove(&pair);
    } else {
        lost.entry(pair).or_insert(now);
    }
    let Some(clean) = links.clean_since(one.0, other.0) else {
        return;
    };
    // Who has not noticed yet that the connection died does so first.
    let noticed = lost.get(&pair).is_some_and(|lost| *lost <= clean);
    let notices = if noticed { Duration::ZERO } else { NOTICED };
    let handshakes = world.plan.latency * 10;
    if now > clean.max(since) + notices + MENDED + handshakes + SLACK && !both {
        let what = format!("E12: {a} and {b} are not in contact, and could be since {clean:?}");
        world.log.fail(what);
    }
}

/// A revocation is for good (S5), and is known to a partner soon after it can be (A4).
fn revocation(world: &World, share: ShareId) {
    let (owner, partner, revoked) = {
        let oracle = world.oracle.borrow();
        let deal = &oracle.deals[&share];
        (deal.owner, deal.partner, deal.revoked)
    };
    let Some(revoked) = revoked else {
        return;
    };
    let header = |number: usize| {
        let node = world.sites[number].up()?;
        let reading = node.parts().store.read();
        let share = reading.view().get(&table::SHARE, &share).ok()??;
        Some(share.header)
    };
    if header(owner).is_some_and(|header| !header.revoked) {
        let what = format!("S5: {share} was revoked and is not");
        return world.log.fail(what);
    }
    let trusted = world.trusted.borrow().get(&pair(owner, partner)).copied();
    let clean = world.links.borrow().clean_since(owner, partner);
    let (Some(trusted), Some(clean)) = (trusted, clean) else {
        return;
    };
    let could = clean.max(trusted).max(revoked);
    let late = world.log.now() > could + NOTICED + MENDED * 2 + SLACK;
    if late && header(partner).is_some_and(|header| !header.revoked) {
        let name = world.sites[partner].name;
        let what = format!("A4: {name} does not know that {share} is revoked since {could:?}");
        world.log.fail(what);
    }
}

const fn pair(one: usize, other: usize) -> (usize, usize) {
    if one < other {
        (one, other)
    } else {
        (other, one)
    }
}
