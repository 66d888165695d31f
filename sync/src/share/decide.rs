//! What a log's writer may write: a command gives entries, or is refused.
//!
//! Everything that is written here is let in by an honest reader, and no entry is over a bound.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::admit::whole;
use super::{Facts, Header, Hold, ItemFact, State};
use crate::evidence::Item;
use crate::id::EvidenceId;
use crate::limits;
use crate::log::Side;
use crate::log::entry::{Actor, Body, Entry, Offered, Place, StoredItem};
use crate::refusal::Refusal;
use crate::wire;

/// What a writer wants its log to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Owner: here is a share, and the case that it is about.
    Offer(Offered),
    /// Owner: disclose these items. What is listed already is left out.
    Add(Vec<Item>),
    /// Owner: what was disclosed so far is whole.
    List(Actor),
    /// Owner: no updates any more; what was disclosed so far is whole.
    End(Actor),
    /// Owner: nothing more is sent. Whether something is still under way is for the node to say: it knows
    /// what waits.
    Cancel(Actor),
    /// Partner: the share is wanted.
    Accept(Option<Actor>),
    /// Partner: these items are whole, verified and durable. What is stated already is left out.
    Store(Vec<StoredItem>),
}

impl Command {
    /// The log in which it is written.
    pub const fn side(&self) -> Side {
        match self {
            Self::Offer(_) | Self::Add(_) | Self::List(_) | Self::End(_) | Self::Cancel(_) => {
                Side::Owner
            }
            Self::Accept(_) | Self::Store(_) => Side::Partner,
        }
    }

    const fn actor(&self) -> Option<&Actor> {
        match self {
            Self::Offer(offered) => Some(&offered.actor),
            Self::List(actor) | Self::End(actor) | Self::Cancel(actor) => Some(actor),
            Self::Accept(actor) => actor.as_ref(),
            Self::Add(_) | Self::Store(_) => None,
        }
    }
}

/// Turns a command into the next entries of the writer's log; none where nothing would change.
///
/// # Errors
/// [`Refusal::State`] where the share's state does not allow it; [`Refusal::Frozen`] or
/// [`Refusal::Newer`] where it is frozen or paused, but for ending and cancelling;
/// [`Refusal::NotShared`] for items that are not listed; [`Refusal::Limit`] over a bound;
/// [`Refusal::Malformed`] for what contradicts the share or itself.
pub fn decide(
    header: &Header,
    facts: &dyn Facts,
    command: Command,
    now: DateTime<Utc>,
    salt: &mut dyn FnMut() -> [u8; 16],
) -> Result<Vec<Entry>, Refusal> {
    match header.hold {
        _ if matches!(command, Command::End(_) | Command::Cancel(_)) => {}
        Hold::Free => {}
        Hold::Frozen => return Err(Refusal::Frozen),
        Hold::Paused => return Err(Refusal::Newer),
    }
    command.actor().map_or(Ok(()), Actor::check)?;
    if wire::time(now.timestamp_micros()).is_err() {
        return Err(Refusal::Malformed);
    }
    let side = command.side();
    let other = header.log(side.other()).point;
    let bodies = bodies(header, facts, command)?;
    let mut after = header.log(side).point;
    let entries = bodies.into_iter().map(|body| {
        let place = Place {
            share: header.share,
            side,
            after,
            other,
            at: now,
        };
        let entry = Entry::new(&place, body, salt());
        after = entry.point();
        entry
    });
    Ok(entries.collect())
}

fn bodies(header: &Header, facts: &dyn Facts, command: Command) -> Result<Vec<Body>, Refusal> {
    if header.owner_log.point.count == 0 {
        return match command {
            Command::Offer(offered) => offer(header, offered),
            _ => Err(Refusal::State),
        };
    }
    match (command, header.state) {
        (Command::Add(items), State::Offered | State::Accepted) => add(facts, items),
        (Command::List(actor), State::Offered | State::Accepted) => list(header, actor),
        (Command::End(actor), State::Accepted) => {
            let mut bodies = list(header, actor.clone())?;
            bodies.push(Body::Ended(actor));
            Ok(bodies)
        }
        (Command::Cancel(actor), State::Offered | State::Accepted) => {
            Ok(vec![Body::Cancelled(actor)])
        }
        (Command::Accept(actor), State::Offered) => Ok(vec![Body::Accepted(actor)]),
        (Command::Accept(_), State::Accepted | State::Ended) => Ok(Vec::new()),
        (Command::Store(items), State::Accepted | State::Ended) => store(facts, items),
        _ => Err(Refusal::State),
    }
}

fn offer(header: &Header, offered: Offered) -> Result<Vec<Body>, Refusal> {
    offered.check()?;
    Ok(vec![Body::Offered(header.terms, offered)])
}

fn list(header: &Header, actor: Actor) -> Result<Vec<Body>, Refusal> {
    if !header.open {
        return Ok(Vec::new());
    }
    let update = header.update.checked_add(1).ok_or(Refusal::Limit)?;
    Ok(vec![Body::Listed(actor, update)])
}

/// Splits items into entries by the bounds on both their number and their bytes.
fn add(facts: &dyn Facts, items: Vec<Item>) -> Result<Vec<Body>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut new = Vec::with_capacity(items.len());
    for item in items {
        item.check()?;
        if facts.item(item.evidence).is_some() {
            continue;
        }
        if !seen.insert(item.evidence) {
            return Err(Refusal::Malformed);
        }
        new.push(item);
    }
    whole(facts, &new)?;
    let mut bodies = Vec::new();
    let mut open = Vec::new();
    let mut bytes = 0;
    for item in new {
        let size = wire::entry::size(&item);
        if open.len() == limits::ENTRY_ITEMS_MAX || bytes + size > limits::ENTRY_BODY_MAX {
            bodies.push(Body::EvidenceAdded(std::mem::take(&mut open)));
            bytes = 0;
        }
        bytes += size;
        open.push(item);
    }
    if !open.is_empty() {
        bodies.push(Body::EvidenceAdded(open));
    }
    Ok(bodies)
}

fn store(facts: &dyn Facts, items: Vec<StoredItem>) -> Result<Vec<Body>, Refusal> {
    let mut said = BTreeSet::<EvidenceId>::new();
    let mut new = Vec::with_capacity(items.len());
    for item in items {
        if stored(facts, &item)?.stored == 0 && said.insert(item.evidence) {
            new.push(item);
        }
    }
    // An item has at most 64 digests of 34 bytes: 16 of the largest fit a body with room to spare.
    let mut bodies = Vec::new();
    let mut open: Vec<StoredItem> = Vec::new();
    let mut digests = 0;
    for item in new {
        if open.len() == limits::ENTRY_ITEMS_MAX || digests + item.files.len() > 1024 {
            bodies.push(Body::Stored(std::mem::take(&mut open)));
            digests = 0;
        }
        digests += item.files.len();
        open.push(item);
    }
    if !open.is_empty() {
        bodies.push(Body::Stored(open));
    }
    Ok(bodies)
}

/// The listed item that a statement of storing is about; refused where it is not listed, or not with
/// exactly these digests.
pub(super) fn stored(facts: &dyn Facts, item: &StoredItem) -> Result<ItemFact, Refusal> {
    let listed = facts.item(item.evidence).ok_or(Refusal::NotShared)?;
    if item.files.len() != listed.files as usize {
        return Err(Refusal::Malformed);
    }
    for (place, digest) in (0..).zip(&item.files) {
        let file = facts.file(item.evidence, place).ok_or(Refusal::NotShared)?;
        if file.blake3 != *digest {
            return Err(Refusal::Malformed);
        }
    }
    Ok(listed)
}
