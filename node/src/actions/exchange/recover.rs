//! A node that came back from its past: finding out, and taking back what its partners hold.
//!
//! What it wrote itself counts by its own signature, and is let in by the same rules as at the reader.

use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::entry::Body;
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::receipt::Countersignature;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::share::{self as sync, Hold, admit, apply};
use interdocket_sync::wire::batch::Batch;

use super::{
    Known, Taken, accept, admitted, gone, header as begun, number, offered, receive, record,
    refuse, untold, whole,
};
use crate::actions::Error;
use crate::actions::case::numbered;
use crate::actions::decide::{self, Context, Decided, Effect};
use crate::actions::partner::Kind;
use crate::event::{
    Bytes, CaseMade, Event, LogRecovered, NodeRewound, PartnerRecovered, RevocationCountersigned,
    ShareRevoked,
};
use crate::rules;
use crate::seal::Seal;
use crate::store::project::recovers;
use crate::store::table;
use crate::store::view::View;

/// What a partner gives back of a share.
pub enum Given {
    /// Entries of this node's own log, which the partner countersigned.
    Own(Batch, Countersignature),
    /// Entries of the partner's log.
    Theirs(Batch),
}

/// Begins a new incarnation where a partner shows a head that this node signed, under this incarnation or
/// a later one, and does not hold. Its signature was judged. `known` gives hashes of entries that are held.
///
/// # Errors
/// [`Error`] where the tables fail, or an entry that is held can't be read now.
pub fn rewound(
    context: &mut Context<'_>,
    partner: OrganisationId,
    shown: &SignedHead,
    known: Known<'_>,
) -> Result<Decided<bool>, Error> {
    let node = context.node()?;
    let head = &shown.head;
    let same = head.incarnation == node.incarnation;
    let held = known(head.side, head.point.count)? == Some(head.point.hash);
    if head.incarnation < node.incarnation || (same && held) {
        return Ok(Decided::new(Vec::new(), |_| Ok(false)));
    }
    tracing::warn!(%partner, "this node came back from its past: it signed what it does not hold");
    let event = NodeRewound {
        partner,
        above: head.incarnation,
        shown: Bytes(shown.bytes.clone()),
    };
    let effects = everywhere(&context.view, partner)?;
    Ok(Decided {
        events: vec![Event::NodeRewound(event)],
        effects,
        reply: Box::new(|_| Ok(true)),
    })
}

/// What one partner showed holds for all: each is asked for what it holds, also where nothing else is to be done
/// with it.
fn everywhere(view: &View<'_>, shown_by: OrganisationId) -> Result<Vec<Effect>, Error> {
    let partners = view.page(&table::PARTNER, &(), None, usize::MAX)?;
    let others = partners.into_iter().map(|(partner, _)| partner);
    let others = others.filter(|partner| *partner != shown_by);
    Ok([Effect::Recheck]
        .into_iter()
        .chain(others.map(Effect::Greet))
        .collect())
}

/// Takes a revocation that this node signed or countersigned and does not hold, and begins a new incarnation
/// unless it knows already that it came back from its past. Both signatures were judged.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn forgotten(
    context: &mut Context<'_>,
    partner: OrganisationId,
    revocation: &SignedRevocation,
    countersignature: &Countersignature,
) -> Result<Decided<bool>, Error> {
    let said = &revocation.revocation;
    let own = said.owner == context.node()?.organisation;
    let (mut events, mut effects) = if own {
        let taken = revoked_before(context, revocation, countersignature)?;
        (taken.events, taken.effects)
    } else {
        let taken = receive(context, revocation)?;
        (taken.events, taken.effects)
    };
    let rewound = !events.is_empty() && !recovers(&context.view, partner, said.share)?;
    if rewound {
        tracing::warn!(%partner, "this node came back from its past: it forgot a revocation");
        let event = NodeRewound {
            partner,
            above: 0,
            shown: Bytes(match own {
                true => revocation.bytes.clone(),
                false => countersignature.bytes.clone(),
            }),
        };
        events.insert(0, Event::NodeRewound(event));
        effects.extend(everywhere(&context.view, partner)?);
    }
    Ok(Decided {
        events,
        effects,
        reply: Box::new(move |_| Ok(rewound)),
    })
}

/// Takes what a partner gives back of a share that is being recovered, its signatures judged. It is let in,
/// or freezes the share where it is another history than the one here.
///
/// # Errors
/// [`Error`] where the tables fail, or an entry that is held can't be read now.
pub fn recover(
    context: &mut Context<'_>,
    partner: OrganisationId,
    given: Given,
    known: Known<'_>,
    lease: Option<&Seal>,
) -> Result<Decided<Taken>, Error> {
    let node = context.node()?;
    let known_partner = context.view.get(&table::PARTNER, &partner)?;
    if !known_partner.is_some_and(|known| rules::trusts(&known)) {
        return Ok(refuse(Refusal::Suspended));
    }
    let (batch, own) = match given {
        Given::Own(batch, countersignature) => (batch, Some(countersignature)),
        Given::Theirs(batch) => (batch, None),
    };
    let found = context.view.get(&table::SHARE, &batch.share)?;
    let lost = found.is_none();
    let case = found.as_ref().and_then(|share| share.case);
    let (mut header, terms) = match (found, &batch.terms, &own) {
        (Some(share), _, _) => (share.header, None),
        (None, Some(terms), Some(_)) => (apply::open(terms), Some(terms.clone())),
        _ => match begun(context, &node, partner, &batch)? {
            Ok(begun) if recovers(&context.view, partner, batch.share)? => begun,
            Ok(_) => return Ok(refuse(Refusal::NotShared)),
            Err(refusal) => return Ok(refuse(refusal)),
        },
    };
    if lost {
        header.hold = Hold::Recovering;
    }
    let writer = if own.is_some() {
        node.organisation
    } else {
        partner
    };
    let head = &batch.head.head;
    let parties = [header.owner, header.partner];
    let ours = parties.contains(&partner) && parties.contains(&node.organisation);
    if !ours || header.side(writer) != Some(head.side) {
        return Ok(refuse(Refusal::NotShared));
    }
    if header.hold != Hold::Recovering {
        return Ok(refuse(Refusal::State));
    }
    // What this node wrote it can read.
    if own.is_some() && batch.entries.iter().any(|entry| entry.body == Body::Unread) {
        return Ok(refuse(Refusal::Malformed));
    }
    let admitted = match admitted(context, &header, &batch, known)? {
        Ok(admitted) => admitted,
        Err(refused) => return Ok(refused),
    };
    let Some(countersignature) = own else {
        return record(context, &node, &admitted, batch, terms, lease);
    };
    let view = &context.view;
    let case = case.or_else(|| offered(&admitted).map(|offered| offered.case));
    let gone = gone(view, case)?;
    let mut events = match lost && !gone {
        true => case_lost(view, &admitted)?,
        false => Vec::new(),
    };
    if !admitted.applied.is_empty() {
        events.push(Event::LogRecovered(LogRecovered {
            share: batch.share,
            side: head.side,
            terms: terms.map(|terms| Bytes(terms.bytes)),
            entries: match gone {
                true => untold(&admitted.applied),
                false => whole(&admitted.applied),
            },
            texts: Vec::new(),
            head: Bytes(batch.head.bytes.clone()),
            countersignature: Bytes(countersignature.bytes.clone()),
        }));
    }
    Ok(Decided::new(events, |_| Ok(Ok(countersignature))))
}

/// The case of a share that this node made and does not know any more, where that is not here either.
fn case_lost(view: &View<'_>, admitted: &admit::Admitted) -> Result<Vec<Event>, Error> {
    let Some(offered) = offered(admitted) else {
        return Ok(Vec::new());
    };
    if view.has(&table::CASE, &offered.case)? {
        return Ok(Vec::new());
    }
    let made = CaseMade {
        id: offered.case,
        number: number(view, offered.case, &offered.info.number)?,
        title: offered.info.title.clone(),
        description: offered.info.description.clone(),
    };
    Ok(vec![
        numbered(made.id, None, &made.number),
        Event::CaseMade(made),
    ])
}

/// Takes back this node's own revocation of a share, with the partner's countersignature. Both signatures
/// were judged.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn revoked_before(
    context: &mut Context<'_>,
    revocation: &SignedRevocation,
    countersignature: &Countersignature,
) -> Result<Decided<()>, Error> {
    let share = revocation.revocation.share;
    let known = context.view.get(&table::SHARE, &share)?;
    let news =
        known.is_some_and(|known| known.revocation.is_none() && revocation.covers(&known.header));
    if !news {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let revoked = ShareRevoked {
        share,
        revocation: Bytes(revocation.bytes.clone()),
    };
    let countersigned = RevocationCountersigned {
        share,
        countersignature: Bytes(countersignature.bytes.clone()),
    };
    let events = vec![
        Event::ShareRevoked(revoked),
        Event::RevocationCountersigned(countersigned),
    ];
    // The backup brought back the key that was destroyed with it.
    Ok(Decided::new(events, |_| Ok(()))
        .then(Effect::Recheck)
        .then(Effect::Unlend(share)))
}

/// Has a share go on: its partner has given back all that it gives. What was offered meanwhile is accepted.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub fn recovered(
    context: &mut Context<'_>,
    partner: OrganisationId,
    id: ShareId,
) -> Result<Decided<()>, Error> {
    let node = context.node()?;
    let share = decide::share(&context.view, id)?;
    let mut header = share.header;
    let known = context.view.get(&table::PARTNER, &partner)?;
    let takes = known.is_some_and(|known| {
        rules::trusts(&known) && rules::receives(&node, &known, Kind::of(header.kind))
    });
    let mut events = Vec::new();
    if header.hold == Hold::Recovering {
        // Nothing of a revoked advanced share comes back, not even this node's own log, which must not fork.
        let advanced = matches!(header.kind, sync::Kind::Advanced(_));
        if header.partner == node.organisation && advanced && header.revoked {
            events.push(Event::ShareClosed(id));
        } else {
            header.hold = Hold::Free;
            events.push(Event::ShareRecovered(id));
            let accepted = accept(context, &node, &header)?;
            events.extend(accepted.filter(|_| takes && !share.pending));
        }
    }
    Ok(Decided::new(events, |_| Ok(()))
        .then(Effect::Recheck)
        .then(Effect::Nudge(partner))
        .then(Effect::Greet(partner)))
}

/// Leaves a revoked share as it is, where it is countersigned that it is over and the other side takes nothing
/// more.
///
/// # Errors
/// [`Error`] where the share is gone.
pub fn close(context: &mut Context<'_>, id: ShareId) -> Result<Decided<bool>, Error> {
    let share = decide::share(&context.view, id)?;
    let proven = share
        .revocation
        .is_some_and(|revocation| revocation.countersigned.is_some());
    let events = match proven {
        true => vec![Event::ShareClosed(id)],
        false => Vec::new(),
    };
    let closed = !events.is_empty();
    Ok(Decided::new(events, move |_| Ok(closed)))
}

/// Notes that every share that a partner knows of was asked for, and which it can't give back yet.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn listed(
    context: &mut Context<'_>,
    partner: OrganisationId,
    later: Vec<ShareId>,
) -> Result<Decided<()>, Error> {
    let known = context.view.get(&table::PARTNER, &partner)?;
    if later.len() > MISSING_MAX || !known.is_some_and(|known| known.recover) {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let mut missing = Vec::new();
    for share in later {
        if !context.view.has(&table::SHARE, &share)? {
            missing.push(share);
        }
    }
    Ok(missed(partner, missing))
}

/// Notes that a share that is not held will not be given back.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn given_up(
    context: &mut Context<'_>,
    partner: OrganisationId,
    share: ShareId,
) -> Result<Decided<()>, Error> {
    let view = &context.view;
    let rows = view.page(&table::RECOVER, &partner, None, usize::MAX)?;
    let waits = rows.iter().any(|((_, id), ())| *id == share);
    if !waits || view.has(&table::SHARE, &share)? {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let mut missing = Vec::new();
    for ((_, id), ()) in rows {
        if id != share && !view.has(&table::SHARE, &id)? {
            missing.push(id);
        }
    }
    Ok(missed(partner, missing))
}

fn missed(partner: OrganisationId, missing: Vec<ShareId>) -> Decided<()> {
    let event = Event::PartnerRecovered(PartnerRecovered { partner, missing });
    Decided::new(vec![event], |_| Ok(())).then(Effect::Greet(partner))
}

/// Shares that are asked for one by one: with more of them, all are asked for again.
const MISSING_MAX: usize = 1024;
