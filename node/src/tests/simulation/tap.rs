//! The tap on the wire: what each message says is held against what its sender may tell.

use interdocket_sync::blob::Digest;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{Body, Entry};
use interdocket_sync::refusal::{Fault, Refusal};
use interdocket_sync::wire::batch::Batch;
use uuid::Uuid;

use super::ledger::Once;
use super::net::Message;
use super::oracle::Deal;
use super::plan::Odd;
use super::site::Process;
use super::world::{SECOND, World};
use crate::actions::session::Reader;
use crate::event::Refused;
use crate::store::entity::BlobState;
use crate::store::{table, view};

/// What is planted in texts and bytes, so that it is known where it turns up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Canary {
    /// Of an item of evidence.
    Item(usize),
    /// Of a case.
    Case(usize),
}

impl Canary {
    /// As it is planted: the number stands there twice, as pieces of two canaries side by side are none.
    pub(super) fn text(self) -> String {
        match self {
            Self::Item(number) => format!("cnry{:06}", (number + 1) * TWICE),
            Self::Case(number) => format!("cnrc{:06}", (number + 1) * TWICE),
        }
    }
}

/// Three digits times this are the same three digits twice.
const TWICE: usize = 1001;

/// The canaries in some bytes.
pub(super) fn canaries(bytes: &[u8]) -> Vec<Canary> {
    let mut found = Vec::new();
    for place in memchr(bytes) {
        let Some(text) = bytes.get(place..place + 10) else {
            continue;
        };
        let number = std::str::from_utf8(&text[4..]).ok();
        let number = number.and_then(|digits| digits.parse::<usize>().ok());
        let number = number.filter(|number| *number > 0 && number % TWICE == 0);
        let number = number.map(|number| number / TWICE - 1);
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

/// Something of a share is about to leave its owner: not after somebody was told that it is revoked or
/// suspended, or that its partner is, nor while the clock is not trusted. What was told at one of two machines
/// the other one does not know.
pub(super) fn leaves(world: &World, me: &Process, to: OrganisationId, share: ShareId, what: &str) {
    if revoked(world, share) {
        world.fail(format!("revoked: {what} leaves through {share}"));
    }
    if world.oracle.borrow().odd(me.id) {
        return;
    }
    let standing = world.standing.borrow();
    let other = world.site(to);
    if standing.partners.contains(&(me.site, other.number)) {
        let name = other.name;
        world.fail(format!(
            "suspended: {what} leaves to {name}, which is not sent to"
        ));
    }
    if standing.shares.contains(&share) {
        world.fail(format!("suspended: {what} leaves through {share}"));
    }
    timely(world, me, what);
}

/// Whether somebody was told that a share is revoked.
fn revoked(world: &World, share: ShareId) -> bool {
    let oracle = world.oracle.borrow();
    let doubled = |deal: &Deal| oracle.odd.get(&world.sites[deal.owner].id) == Some(&Odd::Doubled);
    let revoked = |deal: &Deal| deal.revoked && !doubled(deal);
    oracle.deal(share).is_some_and(revoked)
}

fn timely(world: &World, me: &Process, what: &str) {
    if me.suspects() {
        let name = world.sites[me.site].name;
        world.fail(format!(
            "time: {what} leaves {name}, which suspects its clock"
        ));
    }
}

/// Something is about to be told in a read session: it is on record, and its reader is a recipient.
pub(super) fn read(world: &World, me: &Process, session: Uuid, reader: &Reader, what: &str) {
    leaves(world, me, reader.partner, reader.share, what);
    if world.oracle.borrow().odd(me.id) {
        return;
    }
    let name = world.sites[me.site].name;
    let mut ledgers = world.ledgers.borrow_mut();
    ledgers[me.site].follow(me);
    if ledgers[me.site].lacks(me, &Once::Opened(session)) {
        world.fail(format!(
            "recorded: {what} leaves {name} in a session that is not on record"
        ));
    }
    let standing = world.standing.borrow();
    if standing.excludes(reader.share, &reader.recipient) {
        let who = &reader.recipient;
        world.fail(format!(
            "recipients: {what} of {} leaves for {who}",
            reader.share
        ));
    }
}

/// A blob's bytes are about to be served: not where they are known to be damaged.
pub(super) fn serves(world: &World, me: &Process, digest: Digest) {
    let blob = me.read(|view| view.get(&table::BLOB, &digest));
    if let Ok(Some(blob)) = blob
        && blob.state == BlobState::Damaged
    {
        let name = world.sites[me.site].name;
        world.fail(format!("damaged: {name} serves {digest}"));
    }
    if me.vault.rotten.borrow().contains(&digest) {
        let shown = (me.site, digest);
        world.oracle.borrow_mut().shown.insert(shown);
    }
}

/// A partner is about to be told that something is refused: that is on record.
pub(super) fn refuses(world: &World, me: &Process, refused: &Refused) {
    let Some(partner) = refused
        .partner
        .filter(|_| !me.failed.get() && !me.mute.get() && !world.oracle.borrow().odd(me.id))
    else {
        return;
    };
    let mut ledgers = world.ledgers.borrow_mut();
    ledgers[me.site].follow(me);
    let said = (partner, refused.action.clone(), refused.reason.clone());
    if ledgers[me.site].whole(me) && !ledgers[me.site].refused.contains(&said) {
        let name = world.sites[me.site].name;
        world.fail(format!(
            "recorded: {name} refuses {refused:?}, and it is not on record"
        ));
    }
}

/// Files are asked for: none that this owner delivered before and that is here.
pub(super) fn asks(world: &World, me: &Process, owner: OrganisationId, digest: Digest) {
    let held = me.read(|view| {
        let blob = view.get(&table::BLOB, &digest)?;
        let whole = blob.is_some_and(|blob| blob.state != BlobState::Damaged);
        Ok::<_, view::Error>(whole && view.has(&table::DELIVERED, &(owner, digest))?)
    });
    // What was planned before it came another way may be asked for once more.
    let oracle = world.oracle.borrow();
    let kept = oracle.kept.get(&(me.site, owner, digest));
    let long = kept.is_some_and(|at| at + 240 * SECOND < world.now()) && !oracle.odd(me.id);
    if long && matches!(held, Ok(true)) {
        let name = world.sites[me.site].name;
        world.fail(format!(
            "again: {name} asks for {digest}, which this owner delivered"
        ));
    }
}

/// A batch is about to be delivered.
pub(super) fn delivered(
    world: &World,
    me: &Process,
    to: OrganisationId,
    batch: &Batch,
    lease: bool,
) {
    let cut = (me.site, world.site(to).number);
    let odd = world.oracle.borrow().odd(me.id);
    if !odd {
        recorded(world, me, batch);
        timely(world, me, "a batch");
    }
    if !odd && world.standing.borrow().cut.contains(&cut) {
        let name = world.site(to).name;
        world.fail(format!("suspended: a batch leaves to {name}"));
    }
    let said = |body: &Body| {
        !matches!(
            body,
            Body::Revoked(_) | Body::Suspended(_) | Body::Resumed(_)
        )
    };
    let owner = batch.head.head.side == Side::Owner;
    let revoked = revoked(world, batch.share);
    if revoked && owner && (lease || batch.entries.iter().any(|entry| said(&entry.body))) {
        world.fail(format!("revoked: an entry leaves through {}", batch.share));
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

/// What is delivered is durable and on record; and the journal's head that is signed with it is one that it had.
fn recorded(world: &World, me: &Process, batch: &Batch) {
    let name = world.sites[me.site].name;
    let mut ledgers = world.ledgers.borrow_mut();
    let ledger = &mut ledgers[me.site];
    ledger.follow(me);
    let lacks = |entry: &Entry| {
        let once = Once::Entry(entry.share, entry.side, entry.number);
        ledger.lacks(me, &once)
    };
    if batch.entries.iter().any(lacks) {
        let share = batch.share;
        world.fail(format!(
            "recorded: {name} delivers of {share} what is not on record"
        ));
    }
    if !me.failed.get() && !me.settled() {
        world.fail(format!(
            "recorded: {name} delivers before its journal is durable"
        ));
    }
    let signed = batch.head.head.journal;
    let known = ledger.heads.get(&signed.count);
    if known.is_some_and(|hash| *hash != signed.hash) {
        let count = signed.count;
        world.fail(format!(
            "recorded: {name} signed another journal of {count} records"
        ));
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
