//! What a log's writer may write: a command gives entries, or is refused.

use chrono::{DateTime, Utc};

use super::{Facts, Header, Hold, State};
use crate::evidence::Item;
use crate::limits;
use crate::log::Side;
use crate::log::entry::{Actor, Body, Entry, Place, StoredItem};
use crate::refusal::Refusal;
use crate::wire;

/// What a writer wants its log to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Owner: disclose these items. What is listed already is left out.
    Add(Vec<Item>),
    /// Owner: what was disclosed so far is whole.
    List(Actor),
    /// Owner: no updates any more.
    End(Actor),
    /// Owner: nothing more is sent.
    Cancel(Actor),
    /// Partner: the share is wanted.
    Accept(Option<Actor>),
    /// Partner: these items are whole, verified and durable.
    Store(Vec<StoredItem>),
}

impl Command {
    /// The log in which it is written.
    pub const fn side(&self) -> Side {
        match self {
            Self::Add(_) | Self::List(_) | Self::End(_) | Self::Cancel(_) => Side::Owner,
            Self::Accept(_) | Self::Store(_) => Side::Partner,
        }
    }
}

/// Turns a command into the next entries of the writer's log; none where nothing would change.
///
/// # Errors
/// [`Refusal::State`] where the share's state does not allow it, [`Refusal::Frozen`] where it is frozen,
/// [`Refusal::NotShared`] for items that are not listed, [`Refusal::Limit`] over a bound.
pub fn decide(
    header: &Header,
    facts: &dyn Facts,
    command: Command,
    now: DateTime<Utc>,
    salt: &mut dyn FnMut() -> [u8; 16],
) -> Result<Vec<Entry>, Refusal> {
    if header.hold != Hold::Free {
        return Err(Refusal::Frozen);
    }
    let side = command.side();
    let bodies = bodies(header, facts, command)?;
    let mut after = header.log(side).point;
    let entries = bodies.into_iter().map(|body| {
        let other = header.log(side.other()).point;
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
    match (command, header.state) {
        (Command::Add(items), State::Offered | State::Accepted) => add(facts, items),
        (Command::List(_), State::Offered | State::Accepted) if !header.open => Ok(Vec::new()),
        (Command::List(actor), State::Offered | State::Accepted) => {
            let update = header.update.checked_add(1).ok_or(Refusal::Limit)?;
            Ok(vec![Body::Listed(actor, update)])
        }
        (Command::End(actor), State::Accepted) => Ok(vec![Body::Ended(actor)]),
        (Command::Cancel(actor), State::Offered | State::Accepted) => {
            Ok(vec![Body::Cancelled(actor)])
        }
        (Command::Accept(actor), State::Offered) => Ok(vec![Body::Accepted(actor)]),
        (Command::Accept(_), State::Accepted | State::Ended) => Ok(Vec::new()),
        (Command::Store(items), State::Accepted | State::Ended) => store(facts, items),
        _ => Err(Refusal::State),
    }
}

/// Splits items into entries by the bounds on both their number and their bytes.
fn add(facts: &dyn Facts, items: Vec<Item>) -> Result<Vec<Body>, Refusal> {
    let mut bodies = Vec::new();
    let mut open = Vec::new();
    let mut bytes = 0;
    for item in items {
        item.check()?;
        if facts.item(item.evidence).is_some() {
            continue;
        }
        let size = wire::entry::size(&item);
        if size > limits::ENTRY_BODY_MAX {
            return Err(Refusal::Limit);
        }
        let full = open.len() == limits::ENTRY_ITEMS_MAX || bytes + size > limits::ENTRY_BODY_MAX;
        if full {
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
    let mut new = Vec::with_capacity(items.len());
    for item in items {
        if stored(facts, &item)? {
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

/// Whether a statement that an item is stored says something new; refused where it is not the listed
/// item with exactly its listed digests.
pub(super) fn stored(facts: &dyn Facts, item: &StoredItem) -> Result<bool, Refusal> {
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
    Ok(listed.stored == 0)
}
