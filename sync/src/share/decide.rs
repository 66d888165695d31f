//! What a log's writer may write: a command gives entries, or is refused.
//!
//! Everything that is written here is let in by an honest reader, and no entry is over a bound.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::admit::{same, whole};
use super::{Facts, Header, Hold, ItemFact, Kind, Policy, State, Totals};
use crate::evidence::Item;
use crate::id::EvidenceId;
use crate::limits;
use crate::log::Side;
use crate::log::entry::{
    Actor, Body, CaseInfo, DeclineReason, Entry, ItemChange, Offered, Place, Purged, RecallAnswer,
    Reshared, StoredItem, message, recipients,
};
use crate::refusal::Refusal;
use crate::wire;

/// What a writer wants its log to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Owner: here is a share, and the case that it is about.
    Offer(Offered),
    /// Owner: disclose these items. What is listed already is left out; what was withdrawn comes back as
    /// it was.
    Add(Vec<Item>),
    /// Owner: describe these items anew.
    Change(Vec<ItemChange>),
    /// Owner: share these items no more. What is not listed is left out.
    Withdraw(Vec<EvidenceId>),
    /// Owner: describe the case anew.
    ChangeCase(Actor, CaseInfo),
    /// Owner: who may use the share from now on.
    ChangeRecipients(Actor, Vec<String>),
    /// Owner: these people should have the copy as well.
    Reshare(Actor, Reshared),
    /// Owner: please destroy the copy.
    Recall(Actor, String),
    /// Owner: what is listed so far may be imported.
    Grant(Actor),
    /// Owner: nothing can be read or is sent for now.
    Suspend(Actor),
    /// Owner: the suspension is over.
    Resume(Actor),
    /// Owner: the share is over.
    Revoke(Actor),
    /// Owner: what was disclosed so far is whole.
    List(Actor),
    /// Owner: no updates any more; what was disclosed so far is whole.
    End(Actor),
    /// Owner: nothing more is sent. Whether something is still under way is for the node to say: it knows
    /// what waits.
    Cancel(Actor),
    /// Partner: the share is wanted.
    Accept(Option<Actor>),
    /// Partner: the share is not wanted.
    Decline(Actor, DeclineReason),
    /// Partner: what becomes of a copy that its owner asks for back.
    AnswerRecall(Actor, RecallAnswer),
    /// Partner: these items are whole, verified and durable. What is stated already or withdrawn is left
    /// out.
    Store(Vec<StoredItem>),
    /// Partner: these items are its own now. What is stated already is left out.
    Import(Vec<StoredItem>),
    /// Partner: so much was erased after the revocation.
    Purge(Totals),
    /// Partner: who of its own people may use the share as well from now on.
    ShareOnward(Actor, Vec<String>),
}

impl Command {
    /// The log in which it is written.
    pub const fn side(&self) -> Side {
        match self {
            Self::Accept(_)
            | Self::Decline(..)
            | Self::AnswerRecall(..)
            | Self::Store(_)
            | Self::Import(_)
            | Self::Purge(_)
            | Self::ShareOnward(..) => Side::Partner,
            _ => Side::Owner,
        }
    }

    const fn actor(&self) -> Option<&Actor> {
        match self {
            Self::Offer(offered) => Some(&offered.actor),
            Self::List(actor)
            | Self::End(actor)
            | Self::Cancel(actor)
            | Self::ChangeCase(actor, _)
            | Self::ChangeRecipients(actor, _)
            | Self::Reshare(actor, _)
            | Self::Recall(actor, _)
            | Self::Decline(actor, _)
            | Self::AnswerRecall(actor, _)
            | Self::ShareOnward(actor, _)
            | Self::Grant(actor)
            | Self::Suspend(actor)
            | Self::Resume(actor)
            | Self::Revoke(actor) => Some(actor),
            Self::Accept(actor) => actor.as_ref(),
            Self::Add(_)
            | Self::Change(_)
            | Self::Withdraw(_)
            | Self::Store(_)
            | Self::Import(_)
            | Self::Purge(_) => None,
        }
    }

    /// Whether it ends the share for good: that is allowed whatever keeps the share from moving.
    const fn ends(&self) -> bool {
        matches!(self, Self::End(_) | Self::Cancel(_) | Self::Revoke(_))
    }
}

/// Turns a command into the next entries of the writer's log; none where nothing would change.
///
/// # Errors
/// [`Refusal::State`] where the share's state does not allow it; [`Refusal::Incarnation`] where it is being
/// recovered; [`Refusal::Frozen`] or [`Refusal::Newer`] where it is frozen or paused, but for ending,
/// cancelling and revoking;
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
        // A log that may be longer than it is here would fork.
        Hold::Recovering => return Err(Refusal::Incarnation),
        Hold::Closed => return Err(Refusal::State),
        _ if command.ends() => {}
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
    match command.side() {
        Side::Owner => disclose(header, facts, command),
        Side::Partner => answer(header, facts, command),
    }
}

/// What an owner may say.
fn disclose(header: &Header, facts: &dyn Facts, command: Command) -> Result<Vec<Body>, Refusal> {
    let advanced = matches!(header.kind, Kind::Advanced(_));
    let copy = header.kind == Kind::Copy;
    let lists = (copy || advanced) && !header.suspended;
    let open = header.open_to_owner();
    match command {
        Command::Add(items) if open && lists => add(facts, items),
        Command::Change(changes) if open && lists && advanced => change(facts, changes),
        Command::Withdraw(ids) if open && advanced => Ok(withdraw(facts, ids)),
        Command::ChangeCase(actor, info) if open && lists && advanced => {
            info.check()?;
            only(Body::CaseChanged(actor, info))
        }
        // Who has a copy has it for good: people are only added.
        Command::ChangeRecipients(actor, names) if open && !copy => {
            recipients(&names)?;
            only(Body::RecipientsChanged(actor, names))
        }
        Command::Reshare(actor, said) if open && lists && copy => {
            said.check()?;
            room(header, &said)?;
            only(Body::Reshared(actor, said))
        }
        Command::Recall(actor, reason) if header.recallable() => {
            message(&reason)?;
            only(Body::RecallAsked(actor, reason))
        }
        Command::Grant(actor) if grantable(header) => match ungranted(header) {
            true => only(Body::ImportGranted(actor)),
            false => Ok(Vec::new()),
        },
        Command::Suspend(actor) if open => match header.suspended {
            true => Ok(Vec::new()),
            false => only(Body::Suspended(actor)),
        },
        Command::Resume(actor) if open => match header.suspended {
            true => only(Body::Resumed(actor)),
            false => Ok(Vec::new()),
        },
        Command::Revoke(_) if header.revoked => Ok(Vec::new()),
        Command::Revoke(actor) if open && !copy => only(Body::Revoked(actor)),
        Command::List(actor) if open && lists => list(header, actor),
        // What was disclosed by then would never arrive: an ended copy is not resumed.
        Command::End(actor) if copy && header.state == State::Accepted && !header.suspended => {
            let mut bodies = list(header, actor.clone())?;
            bodies.push(Body::Ended(actor));
            Ok(bodies)
        }
        Command::Cancel(actor) if open && copy => only(Body::Cancelled(actor)),
        _ => Err(Refusal::State),
    }
}

/// What a partner may say.
fn answer(header: &Header, facts: &dyn Facts, command: Command) -> Result<Vec<Body>, Refusal> {
    let cancelled = matches!(header.state, State::Cancelled { .. });
    let stopped = header.revoked || cancelled || header.declined.is_some();
    match command {
        Command::Accept(actor) if header.state == State::Offered && !stopped => {
            only(Body::Accepted(actor))
        }
        Command::Accept(_) if !stopped => Ok(Vec::new()),
        Command::Decline(actor, reason) if !accepted_once(header) && !stopped => {
            only(Body::Declined(actor, reason))
        }
        Command::AnswerRecall(actor, answer) if header.recall.waits() => {
            message(&answer.reason)?;
            only(Body::RecallAnswered(actor, answer))
        }
        Command::Store(items) if accepted(header) && header.kind.kept() && !stopped => {
            let unsaid = |item: &ItemFact| item.stored == 0 && item.withdrawn == 0;
            Ok(split(new(facts, items, &unsaid)?, Body::Stored))
        }
        Command::ShareOnward(actor, names)
            if accepted(header) && header.shares_onward() && !header.suspended && !stopped =>
        {
            recipients(&names)?;
            only(Body::SharedOnward(actor, names))
        }
        Command::Import(items) if header.purged == 0 => import(header, facts, items),
        Command::Purge(erased) if header.revoked && accepted_once(header) => match header.purged {
            0 => only(Body::Purged(Purged {
                erased,
                kept: header.imported,
            })),
            _ => Ok(Vec::new()),
        },
        _ => Err(Refusal::State),
    }
}

fn only(body: Body) -> Result<Vec<Body>, Refusal> {
    Ok(vec![body])
}

const fn accepted(header: &Header) -> bool {
    matches!(header.state, State::Accepted | State::Ended)
}

/// Whether the partner's log has begun, as its first entry accepts or declines.
pub(super) const fn accepted_once(header: &Header) -> bool {
    header.partner_log.point.count > 0
}

/// Whether a copy can be addressed to so many more.
pub(super) fn room(header: &Header, said: &Reshared) -> Result<(), Refusal> {
    match header.addressed as usize + said.recipients.len() {
        0..=limits::RECIPIENTS_MAX => Ok(()),
        _ => Err(Refusal::Limit),
    }
}

/// Whether the owner may grant an import.
pub(super) fn grantable(header: &Header) -> bool {
    let policy = matches!(header.kind, Kind::Advanced(Policy { import: true, .. }));
    policy && !header.revoked && !header.suspended && header.state == State::Accepted
}

/// Whether a grant would say something: the log goes on behind the last one.
pub(super) const fn ungranted(header: &Header) -> bool {
    header.grants.last < header.owner_log.point.count
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
        if let Some(before) = facts.item(item.evidence) {
            if before.withdrawn == 0 {
                continue;
            }
            same(facts, &before, &item)?;
        }
        if !seen.insert(item.evidence) {
            return Err(Refusal::Malformed);
        }
        new.push(item);
    }
    whole(facts, &new)?;
    Ok(pack(new, wire::entry::size, Body::EvidenceAdded))
}

fn change(facts: &dyn Facts, changes: Vec<ItemChange>) -> Result<Vec<Body>, Refusal> {
    let mut seen = BTreeSet::new();
    for change in &changes {
        change.check()?;
        described(facts, change.evidence)?;
        if !seen.insert(change.evidence) {
            return Err(Refusal::Malformed);
        }
    }
    Ok(pack(
        changes,
        wire::entry::change_size,
        Body::EvidenceChanged,
    ))
}

/// An item that is listed now.
pub(super) fn described(facts: &dyn Facts, evidence: EvidenceId) -> Result<ItemFact, Refusal> {
    let listed = facts.item(evidence).filter(|item| item.withdrawn == 0);
    listed.ok_or(Refusal::NotShared)
}

fn withdraw(facts: &dyn Facts, ids: Vec<EvidenceId>) -> Vec<Body> {
    let listed = ids.into_iter().filter(|id| described(facts, *id).is_ok());
    let listed: BTreeSet<EvidenceId> = listed.collect();
    let size = |_: &EvidenceId| 18;
    pack(listed.into_iter().collect(), size, Body::EvidenceWithdrawn)
}

/// Fills entries up to the bounds on number and bytes.
fn pack<T>(items: Vec<T>, size: impl Fn(&T) -> usize, body: fn(Vec<T>) -> Body) -> Vec<Body> {
    let mut bodies = Vec::new();
    let mut open = Vec::new();
    let mut bytes = 0;
    for item in items {
        let size = size(&item);
        if open.len() == limits::ENTRY_ITEMS_MAX || bytes + size > limits::ENTRY_BODY_MAX {
            bodies.push(body(std::mem::take(&mut open)));
            bytes = 0;
        }
        bytes += size;
        open.push(item);
    }
    if !open.is_empty() {
        bodies.push(body(open));
    }
    bodies
}

fn import(
    header: &Header,
    facts: &dyn Facts,
    items: Vec<StoredItem>,
) -> Result<Vec<Body>, Refusal> {
    let items = new(facts, items, &|item| item.imported == 0)?;
    for item in &items {
        let listed = facts.item(item.evidence).ok_or(Refusal::NotShared)?;
        if !header.importable(&listed) {
            return Err(Refusal::State);
        }
    }
    Ok(split(items, Body::Imported))
}

/// The items about which nothing was said yet, each once.
fn new(
    facts: &dyn Facts,
    items: Vec<StoredItem>,
    unsaid: &dyn Fn(&ItemFact) -> bool,
) -> Result<Vec<StoredItem>, Refusal> {
    let mut said = BTreeSet::<EvidenceId>::new();
    let mut new = Vec::with_capacity(items.len());
    for item in items {
        if unsaid(&stored(facts, &item)?) && said.insert(item.evidence) {
            new.push(item);
        }
    }
    Ok(new)
}

/// An item has at most 64 digests of 34 bytes: a body has room for all of 16, and for many with few.
fn split(items: Vec<StoredItem>, body: fn(Vec<StoredItem>) -> Body) -> Vec<Body> {
    pack(items, |item| 24 + item.files.len() * 34, body)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::evidence;

    #[test]
    fn an_entry_is_filled_up_to_its_bound_and_not_beyond() {
        let packed = |items: u128, size: usize| {
            let ids = (0..items).map(evidence).collect();
            pack(ids, |_| size, Body::EvidenceWithdrawn).len()
        };
        let half = limits::ENTRY_BODY_MAX / 2;
        assert_eq!((packed(2, half), packed(3, half)), (1, 2));
        assert_eq!(packed(2, half + 1), 2);
        let most = limits::ENTRY_ITEMS_MAX as u128;
        assert_eq!((packed(most, 1), packed(most + 1, 1)), (1, 2));
    }
}
