//! What the logs of two nodes do with each other: disclosing, delivering, taking in and stating what is
//! stored. Done by timers and partners' calls, through the same door as everything else.

mod disclose;
mod import;
mod recover;
mod repair;
mod revoke;
mod store;

use std::cell::RefCell;

use interdocket_sync::id::{ActorId, CaseId, ShareId};
use interdocket_sync::identity::{OrganisationId, Verifier};
use interdocket_sync::limits;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{Actor, Body, Entry, Offered, Subject};
use interdocket_sync::log::head::{Head, SignedHead};
use interdocket_sync::receipt::{Countersignature, Receipt};
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::decide::{Command, decide};
use interdocket_sync::share::terms::SignedTerms;
use interdocket_sync::share::{self as sync, Facts, Header, Hold, admit, apply};
use interdocket_sync::wire::batch::Batch;

use super::case::{Origin, numbered};
use super::decide::{Context, Decided, Effect};
use super::partner::Kind;
use super::{Error, ErrorKind};
use crate::event::{
    Bytes, CaseMade, CaseReceived, Event, HeadCountersigned, LogReceived, LogWritten, ShareFrozen,
};
use crate::rules;
use crate::seal::Seal;
use crate::store::project::{ShareFacts, free, recovers};
use crate::store::view::View;
use crate::store::{entity, table};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

pub use self::disclose::{covered, disclose, following, info, item, tags, targets};
pub use self::import::{
    NAMED_MAX, Source, ask, delivered, describe, ended, grant, import, importable, own_already,
};
pub use self::recover::{
    Given, close, forgotten, given_up, listed, recover, recovered, revoked_before, rewound,
};
pub use self::repair::{having, owed, repaired, spoiled};
pub use self::revoke::{countersigned as revocation_countersigned, erased, purge, receive};
pub use self::store::{seal, store};

/// Takes a partner's countersignature of this node's log.
///
/// # Errors
/// [`Error`] where the share is gone.
pub fn countersigned(context: &mut Context<'_>, receipt: &Receipt) -> Result<Decided<()>, Error> {
    let head = &receipt.head.head;
    let share = super::decide::share(&context.view, head.share)?;
    if share.header.log(head.side).countersigned >= head.point.count {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let count = head.point.count;
    #[cfg(test)]
    let count = count + u64::from(planted(Bug::ReceiptAhead));
    let event = HeadCountersigned {
        share: head.share,
        side: head.side,
        count,
        head: Bytes(receipt.head.bytes.clone()),
        countersignature: Bytes(receipt.countersignature.bytes.clone()),
    };
    let decided = Decided::new(vec![Event::HeadCountersigned(event)], |_| Ok(()));
    Ok(match head.side {
        Side::Owner => decided,
        // The owner serves from the acceptance on: what is wanted can be read now.
        Side::Partner => decided.then(Effect::Nudge(share.header.owner)),
    })
}

/// Judges the signatures of a batch, before its turn: that is what takes time.
///
/// # Errors
/// [`Refusal::Signature`]; [`Refusal::NotShared`] where another organisation than the caller wrote it.
pub fn verify(
    batch: &Batch,
    caller: OrganisationId,
    verifier: &dyn Verifier,
) -> Result<(), Refusal> {
    if batch.head.head.writer() != caller {
        return Err(Refusal::NotShared);
    }
    batch
        .head
        .verify(verifier)
        .map_err(|_| Refusal::Signature)?;
    match &batch.terms {
        Some(terms) if terms.terms.owner != caller => Err(Refusal::NotShared),
        Some(terms) => terms.verify(verifier).map_err(|_| Refusal::Signature),
        None => Ok(()),
    }
}

/// The hash of an entry that is held, by its log and number.
pub type Known<'a> = &'a dyn Fn(Side, u64) -> Result<Option<[u8; 32]>, Error>;

/// What became of a partner's batch.
pub type Taken = Result<Countersignature, Refusal>;

/// Takes a partner's batch whose signatures hold: its entries are admitted and countersigned, or it is
/// refused. `known` gives hashes of entries that are held, `lease` is what seals an advanced share.
///
/// # Errors
/// [`Error`] where the tables fail, or an entry that is held can't be read now: what can't be compared
/// is no fork.
pub fn take(
    context: &mut Context<'_>,
    caller: OrganisationId,
    batch: Batch,
    known: Known<'_>,
    lease: Option<&Seal>,
) -> Result<Decided<Taken>, Error> {
    let node = context.node()?;
    let partner = context.view.get(&table::PARTNER, &caller)?;
    let Some(partner) = partner.filter(rules::trusts) else {
        return Ok(refuse(Refusal::Suspended));
    };
    let (header, terms) = match header(context, &node, caller, &batch)? {
        Ok(found) => found,
        Err(refusal) => return Ok(refuse(refusal)),
    };
    if let Some(terms) = &terms {
        let kind = Kind::of(terms.terms.kind);
        if !rules::receives(&node, &partner, kind) {
            return Ok(refuse(Refusal::NotEnabled));
        }
        // It may be one that was accepted before this node came back from its past.
        if recovers(&context.view, caller, batch.share)? {
            return Ok(refuse(Refusal::Busy).then(Effect::Nudge(caller)));
        }
    }
    if header.hold == Hold::Recovering {
        return Ok(refuse(Refusal::Busy).then(Effect::Nudge(caller)));
    }
    match admitted(context, &header, &batch, known)? {
        Ok(admitted) => record(context, &node, &admitted, batch, terms, lease),
        Err(refused) => Ok(refused),
    }
}

/// Lets a batch in whose signatures hold, or gives what is answered instead.
fn admitted(
    context: &Context<'_>,
    header: &Header,
    batch: &Batch,
    known: Known<'_>,
) -> Result<Result<admit::Admitted, Decided<Taken>>, Error> {
    super::decide::whole(&context.view, batch.share.uuid())?;
    if let Some(Err(refusal)) = batch
        .terms
        .as_ref()
        .map(|terms| admit::terms(header, terms))
    {
        return Ok(Err(refuse(refusal)));
    }
    let facts = ShareFacts::new(context.view, batch.share);
    let unread = RefCell::new(None);
    let read = |side: Side, number: u64| {
        known(side, number).unwrap_or_else(|error| {
            unread.borrow_mut().get_or_insert(error);
            None
        })
    };
    let outcome = admit::batch(header, &facts, &batch.entries, &batch.head.head, &read);
    facts.done()?;
    if let Some(error) = unread.into_inner() {
        return Err(error);
    }
    let admitted = match outcome {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(Err(refuse(refusal))),
    };
    Ok(match admitted.header.hold {
        #[cfg(test)]
        Hold::Frozen if planted(Bug::ForkForgotten) => Err(refuse(Refusal::Fork)),
        Hold::Frozen => Err(frozen(header, batch)),
        Hold::Paused => {
            let events = match header.hold {
                Hold::Free => vec![Event::SharePaused(batch.share)],
                _ => Vec::new(),
            };
            Err(Decided::new(events, |_| Ok(Err(Refusal::Newer))))
        }
        Hold::Free | Hold::Recovering | Hold::Closed => Ok(admitted),
    })
}

/// Records and countersigns what was let in.
fn record(
    context: &mut Context<'_>,
    node: &entity::Node,
    admitted: &admit::Admitted,
    batch: Batch,
    terms: Option<SignedTerms>,
    lease: Option<&Seal>,
) -> Result<Decided<Taken>, Error> {
    let caller = batch.head.head.writer();
    let countersignature = Countersignature::new(&batch.head, context.now, context.signer);
    if admitted.applied.is_empty() {
        return Ok(Decided::new(Vec::new(), |_| Ok(Ok(countersignature))));
    }
    let pending = match context.view.get(&table::SHARE, &batch.share)? {
        Some(share) => share.pending,
        None => {
            let partner = context.view.get(&table::PARTNER, &caller)?;
            partner.is_some_and(|partner| rules::finalises(&partner))
        }
    };
    let side = batch.head.head.side;
    let text = |entry: &Entry| entry.body.redacted() != entry.body;
    let advanced = side == Side::Owner && matches!(admitted.header.kind, sync::Kind::Advanced(_));
    let sealing = advanced && admitted.applied.iter().any(text);
    // Without its lease an honest owner sends nothing of such a share.
    let lease = match (sealing, lease) {
        (true, None) => return Ok(refuse(Refusal::Malformed)),
        (true, lease) => lease,
        (false, _) => None,
    };
    let held = context.view.get(&table::SHARE, &batch.share)?;
    let gone = gone(&context.view, held.and_then(|share| share.case))?;
    let (entries, sealed) = match (lease, gone) {
        (None, true) => (untold(&admitted.applied), Vec::new()),
        _ => kept(context, &admitted.applied, lease),
    };
    let mut events = match &terms {
        Some(terms) if !pending => case_received(&context.view, terms, admitted)?,
        _ => Vec::new(),
    };
    let received = LogReceived {
        share: batch.share,
        side,
        pending: pending && terms.is_some(),
        terms: terms.map(|terms| Bytes(terms.bytes)),
        entries,
        texts: Vec::new(),
        sealed,
        head: Bytes(batch.head.bytes),
        countersignature: Bytes(countersignature.bytes.clone()),
    };
    #[cfg(test)]
    if planted(Bug::CountersignedUnrecorded) && admitted.header.owner_log.point.count > 1 {
        return Ok(Decided::new(Vec::new(), move |_| Ok(Ok(countersignature))));
    }
    events.push(Event::LogReceived(received));
    if !pending {
        events.extend(accept(context, node, &admitted.header)?);
    }
    Ok(Decided::new(events, move |_| Ok(Ok(countersignature)))
        .then(Effect::Recheck)
        .then(Effect::Nudge(caller)))
}

/// The case that begins with a copy.
fn case_received(
    view: &View<'_>,
    terms: &SignedTerms,
    admitted: &admit::Admitted,
) -> Result<Vec<Event>, Error> {
    let terms = &terms.terms;
    let (sync::Kind::Copy, Some(offered)) = (terms.kind, offered(admitted)) else {
        return Ok(Vec::new());
    };
    let made = received(view, terms.share, offered)?;
    let number = numbered(made.id, None, &made.number);
    let received = CaseReceived {
        case: made.id,
        origin: Origin {
            organisation: terms.owner,
            share: terms.share,
            id: offered.case.uuid(),
        },
        made: Some(made),
        targets: offered.info.targets.clone(),
        tags: offered.info.tags.clone(),
        recipients: offered.recipients.clone(),
    };
    Ok(vec![number, Event::CaseReceived(received)])
}

/// The case that a copy becomes here.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn received(view: &View<'_>, share: ShareId, offered: &Offered) -> Result<CaseMade, Error> {
    let id = CaseId::received(share, offered.case);
    Ok(CaseMade {
        id,
        number: number(view, id, &offered.info.number)?,
        title: offered.info.title.clone(),
        description: offered.info.description.clone(),
    })
}

/// The number that a case gets which another node describes: its id, where that node does not tell any, or not any more.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn number(view: &View<'_>, case: CaseId, said: &str) -> Result<String, Error> {
    let said = match said.is_empty() {
        true => case.to_string(),
        false => said.to_owned(),
    };
    Ok(free(view, &table::CASE_NUMBER, &said)?)
}

/// Whether a case was deleted here: what comes of its shares is not told any more.
fn gone(view: &View<'_>, case: Option<CaseId>) -> Result<bool, Error> {
    case.map_or(Ok(false), |case| Ok(view.has(&table::GONE, &case.uuid())?))
}

/// Entries that tell nothing any more of their case and items but what was listed.
fn untold(entries: &[Entry]) -> Vec<Bytes> {
    let untold = |entry: &Entry| entry.part(&|subject| subject != Subject::People).0;
    entries.iter().map(|entry| Bytes(untold(entry))).collect()
}

fn whole(entries: &[Entry]) -> Vec<Bytes> {
    let whole = entries.iter().map(|entry| entry.bytes.clone());
    whole.map(Bytes).collect()
}

/// The offer, where entries begin with it.
fn offered(admitted: &admit::Admitted) -> Option<&Offered> {
    match admitted.applied.first().map(|entry| &entry.body) {
        Some(Body::Offered(_, offered)) => Some(offered),
        _ => None,
    }
}

/// Entries as they are kept: as they came, or redacted and sealed under a lease.
fn kept(
    context: &mut Context<'_>,
    entries: &[Entry],
    lease: Option<&Seal>,
) -> (Vec<Bytes>, Vec<Bytes>) {
    #[cfg(test)]
    let lease = lease.filter(|_| !planted(Bug::NotRedacted));
    let Some(lease) = lease else {
        return (whole(entries), Vec::new());
    };
    let redacted = entries.iter().map(|entry| Bytes(entry.redacted()));
    let mut sealed = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut nonce = [0; 12];
        (context.chance)(&mut nonce);
        sealed.push(Bytes(lease.close(&entry.hash, &entry.bytes, nonce)));
    }
    (redacted.collect(), sealed)
}

/// The share that a batch belongs to; where it begins one, its verified terms as well. Unknown shares
/// and those of others look the same.
fn header(
    context: &Context<'_>,
    node: &entity::Node,
    caller: OrganisationId,
    batch: &Batch,
) -> Result<Result<(Header, Option<SignedTerms>), Refusal>, Error> {
    let side = batch.head.head.side;
    if let Some(share) = context.view.get(&table::SHARE, &batch.share)? {
        let theirs = share.header.side(caller) == Some(side);
        return Ok(if theirs {
            Ok((share.header, None))
        } else {
            Err(Refusal::NotShared)
        });
    }
    let Some(terms) = &batch.terms else {
        // What was lost with this node's past may yet come back.
        let lost = recovers(&context.view, caller, batch.share)?;
        return Ok(Err(match lost {
            true => Refusal::Busy,
            false => Refusal::NotShared,
        }));
    };
    let said = &terms.terms;
    if side != Side::Owner || said.share != batch.share || said.partner != node.organisation {
        return Ok(Err(Refusal::NotShared));
    }
    let revoked = context.view.has(&table::REVOKED, &(caller, said.share))?;
    #[cfg(test)]
    let revoked = revoked && !planted(Bug::RevocationForgotten);
    if revoked {
        return Ok(Err(Refusal::State));
    }
    Ok(Ok((apply::open(terms), Some(terms.clone()))))
}

/// The administrator's standing acceptance, written with the offer itself; not of what waits to be finalised.
fn accept(
    context: &mut Context<'_>,
    node: &entity::Node,
    header: &Header,
) -> Result<Option<Event>, Error> {
    let begins = header.partner == node.organisation && header.partner_log.point.count == 0;
    if !begins || header.hold == Hold::Recovering {
        return Ok(None);
    }
    let facts = ShareFacts::new(context.view, header.share);
    // An offer that was cancelled before it arrived needs no answer.
    let Ok(entries) = decide(
        header,
        &facts,
        Command::Accept(None),
        context.now,
        &mut salt(context.chance),
    ) else {
        return Ok(None);
    };
    Ok(written(context, header, node, entries))
}

fn frozen(header: &Header, batch: &Batch) -> Decided<Taken> {
    let side = batch.head.head.side;
    // Texts are kept where they can be erased only, and the chain proves a fork without them.
    let redacted = batch.entries.iter().map(|entry| Bytes(entry.redacted()));
    let event = ShareFrozen {
        share: batch.share,
        side,
        held: header.log(side).point.count,
        entries: redacted.collect(),
        head: Bytes(batch.head.bytes.clone()),
    };
    Decided::new(vec![Event::ShareFrozen(event)], |_| Ok(Err(Refusal::Fork))).then(Effect::Recheck)
}

fn refuse(refusal: Refusal) -> Decided<Taken> {
    Decided::new(Vec::new(), move |_| Ok(Err(refusal)))
}

/// Who acts, as the other organisation is told: the user by name, or the organisation itself.
///
/// # Errors
/// [`Error`] where the node's own record is missing.
pub fn actor(context: &Context<'_>) -> Result<Actor, Error> {
    if let Some(actor) = &context.actor {
        return Ok(Actor {
            id: ActorId::new(actor.id),
            name: actor.name.clone(),
            badge: actor.badge.clone(),
        });
    }
    let node = context.node()?;
    let id = ActorId::new(crate::event::subject(node.organisation));
    let name = node.name.chars().take(limits::ACTOR_NAME_MAX / 4).collect();
    Ok(Actor {
        id,
        name,
        badge: String::new(),
    })
}

/// The next entries of this node's log.
///
/// # Errors
/// [`Error`] with what a person should know where the share does not allow it.
pub fn entries(
    context: &mut Context<'_>,
    header: &Header,
    facts: &dyn Facts,
    command: Command,
) -> Result<Vec<Entry>, Error> {
    decide(
        header,
        facts,
        command,
        context.now,
        &mut salt(context.chance),
    )
    .map_err(|refusal| {
        let message = match refusal {
            Refusal::Frozen => "this share is frozen: two histories of it exist",
            Refusal::Newer => "this share waits for an upgrade: the partner's node is newer",
            Refusal::Incarnation => {
                "this share waits until its partner has given back what this node may have lost"
            }
            Refusal::Limit => "an item of evidence is over a limit of what can be shared",
            _ => "the state of this share does not allow that any more",
        };
        Error::new(ErrorKind::Conflict, message).hint("look at it: interdocket share show SHARE")
    })
}

/// The record of entries that were written, under one signed head; none where there are none.
pub fn written(
    context: &Context<'_>,
    header: &Header,
    node: &entity::Node,
    entries: Vec<Entry>,
) -> Option<Event> {
    let last = entries.last()?;
    let head = Head {
        share: header.share,
        owner: header.owner,
        partner: header.partner,
        side: last.side,
        incarnation: node.incarnation,
        point: last.point(),
        journal: context.journal,
        at: context.now,
    };
    let side = last.side;
    let SignedHead { bytes, .. } = head.sign(context.signer);
    Some(Event::LogWritten(LogWritten {
        share: header.share,
        side,
        entries: entries
            .into_iter()
            .map(|entry| Bytes(entry.bytes))
            .collect(),
        texts: Vec::new(),
        head: Bytes(bytes),
    }))
}

fn salt(chance: &mut dyn FnMut(&mut [u8])) -> impl FnMut() -> [u8; 16] {
    move || {
        let mut salt = [0; 16];
        chance(&mut salt);
        salt
    }
}
