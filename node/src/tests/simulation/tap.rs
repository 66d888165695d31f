//! The tap on the wire: what each message says is held against what its sender may tell.

use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{Body, Entry};
use interdocket_sync::refusal::{Fault, Refusal};
use interdocket_sync::wire::batch::Batch;

use super::net::Message;
use super::oracle::Deal;
use super::plan::Odd;
use super::site::Process;
use super::world::World;

/// What is planted in texts and bytes, so that it is known where it turns up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Canary {
    /// Of an item of evidence.
    Item(usize),
    /// Of a case.
    Case(usize),
}

impl Canary {
    /// As it is planted.
    pub(super) fn text(self) -> String {
        match self {
            Self::Item(number) => format!("cnry{number:06}"),
            Self::Case(number) => format!("cnrc{number:06}"),
        }
    }
}

/// The canaries in some bytes.
pub(super) fn canaries(bytes: &[u8]) -> Vec<Canary> {
    let mut found = Vec::new();
    for place in memchr(bytes) {
        let Some(text) = bytes.get(place..place + 10) else {
            continue;
        };
        let number = std::str::from_utf8(&text[4..]).ok();
        let number = number.and_then(|digits| digits.parse().ok());
        match (&text[..4], number) {
            (b"cnry", Some(number)) => found.push(Canary::Item(number)),
            (b"cnrc", Some(number)) => found.push(Canary::Case(number)),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn memchr(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes
        .windows(3)
        .enumerate()
        .filter(|(_, window)| window == b"cnr")
        .map(|(place, _)| place)
}

/// A message is on the wire.
pub(super) fn seen(world: &World, message: &Message) {
    super::twin::hears(world, message);
    let oracle = world.oracle.borrow();
    let [from, to] = [message.from, message.to].map(|site| world.sites[site].origin);
    // Who lies shows what it likes: what comes of it is looked for in stores.
    if world.oracle.borrow().odd.get(&world.sites[from].id) == Some(&Odd::Lies) {
        return;
    }
    for canary in canaries(&message.bytes) {
        let tells = match canary {
            Canary::Item(item) => oracle.tells(from, to, item),
            Canary::Case(case) => oracle.tells_case(from, to, case),
        };
        if !tells {
            let (from, to) = (world.sites[message.from].name, world.sites[message.to].name);
            world.fail(format!("scope: {from} tells {to} of {}", canary.text()));
        }
    }
}

/// Something of a share is about to leave its owner: not after somebody was told that it is revoked. What
/// was told at one of two machines the other one does not know.
pub(super) fn leaves(world: &World, share: ShareId, what: &str) {
    let oracle = world.oracle.borrow();
    let doubled = |deal: &Deal| oracle.odd.get(&world.sites[deal.owner].id) == Some(&Odd::Doubled);
    let revoked = |deal: &&Deal| deal.revoked && !doubled(deal);
    if oracle.deal(share).filter(revoked).is_some() {
        world.fail(format!("revoked: {what} leaves through {share}"));
    }
}

/// A batch is about to be delivered.
pub(super) fn delivered(world: &World, me: &Process, batch: &Batch, lease: bool) {
    let said = |body: &Body| {
        !matches!(
            body,
            Body::Revoked(_) | Body::Suspended(_) | Body::Resumed(_)
        )
    };
    let owner = batch.head.head.side == Side::Owner;
    if owner && (lease || batch.entries.iter().any(|entry| said(&entry.body))) {
        leaves(world, batch.share, "an entry");
    }
    let head = &batch.head.head;
    world.note(format_args!(
        "{} delivers {} {:?} {} to {}: {}",
        world.sites[me.site].name,
        batch.share,
        head.side,
        batch.entries.first().map_or(0, |entry| entry.number),
        head.point.count,
        words(&batch.entries),
    ));
    let mut oracle = world.oracle.borrow_mut();
    if oracle.odd(me.id) {
        return;
    }
    for entry in &batch.entries {
        let at = (entry.share, entry.side, entry.number);
        let held = *oracle.entries.entry(at).or_insert(entry.hash);
        if held != entry.hash {
            let name = world.sites[me.site].name;
            world.fail(format!("forks: {name} wrote entry {at:?} twice"));
        }
    }
}

/// What entries say, in a word each.
fn words(entries: &[Entry]) -> String {
    let word = |entry: &Entry| {
        let text = format!("{:?}", entry.body);
        text.split('(').next().unwrap_or_default().to_owned()
    };
    entries.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A partner refused something: an honest node is never refused as one that is at fault.
pub(super) fn refused(world: &World, me: &Process, partner: OrganisationId, refused: Refusal) {
    let odd = [me.id, partner].map(|id| world.oracle.borrow().odd.get(&id).copied());
    let honest = |odd: &Option<Odd>| odd.is_none_or(|odd| odd == Odd::Restored);
    if refused.fault() == Fault::Asking && odd.iter().all(honest) {
        let (name, other) = (world.sites[me.site].name, world.site(partner).name);
        world.fail(format!("{other} blames {name}: {}", refused.name()));
    }
}
