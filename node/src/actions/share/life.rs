//! What the owner does with a share: adding to it, narrowing it, and the ways it stops.

use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::share::decide::Command;
use interdocket_sync::share::revocation::Revocation;
use interdocket_sync::share::{self as sync, Facts as _, Header, status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::offer::{WIDENED_MAX, bounded_recipients, choose, sendable, widened, with};
use super::{Scope, Share, shown};
use crate::actions::decide::{self, Context, Decided, Effect};
use crate::actions::partner::Kind;
use crate::actions::{Change, Error, ErrorKind, exchange};
use crate::event::{Bytes, Event, ShareRevoked, ShareWidened};
use crate::store::project::ShareFacts;
use crate::store::{entity, table};

/// Adds evidence to a share: to a copy what was added to the case since, to others what is named.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Only these items; everything that the case has and the share has not where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
}

/// Takes selected evidence out of a reference or an advanced share.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Withdraw {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// These items.
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
}

/// Sets who at the partner may use a reference or an advanced share: nobody else, and nobody where empty.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Recipients {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// As the partner knows them.
    pub recipients: Vec<String>,
}

/// Ends a copy: no updates any more. What the partner has stays the partner's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// Cancels a copy that is under way: nothing more is sent. What the partner already held whole when
/// the cancellation reached it stays the partner's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// Revokes a reference or an advanced share, for good and at once. What was imported stays.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Revoke {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// Suspends a share: nothing can be read or is sent until it is resumed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Suspend {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// Resumes a suspended share.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Resume {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// Has a share go on that is being recovered, with what is here of it: for a partner that can't give back
/// what it holds. Where it holds more, the share freezes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

impl Change for Release {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = decide::share(&context.view, self.share)?;
        if share.header.hold != sync::Hold::Recovering {
            let message = "this share does not wait for what its partner holds";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("look at it: interdocket share show SHARE"));
        }
        let other = share.other(context.node()?.organisation);
        let (id, now) = (self.share, context.now);
        Ok(Decided::new(vec![Event::ShareReleased(id)], move |view| {
            shown(view, id, now)
        })
        .then(Effect::Recheck)
        .then(Effect::Nudge(other)))
    }
}

impl Change for Add {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let (share, case) = open(context, self.share)?;
        let partner = share.header.partner;
        let kind = Kind::of(share.header.kind);
        let known = with(context, partner)?;
        sendable(&context.node()?, &known, kind)?;
        if kind != Kind::Copy && share.scope != Scope::Selected {
            let message = "what this share covers is added to it by itself";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("share what else is needed: interdocket share advanced"));
        }
        let chosen = choose(&context.view, case, &self.evidence, &[])?;
        let fresh = fresh(context, &share, chosen)?;
        let (id, now) = (self.share, context.now);
        Ok(
            Decided::new(widened(id, &fresh), move |view| shown(view, id, now))
                .then(Effect::Nudge(partner)),
        )
    }
}

/// Those of these items that were not chosen for a share before.
pub(super) fn fresh(
    context: &Context<'_>,
    share: &entity::Share,
    chosen: Vec<EvidenceId>,
) -> Result<Vec<EvidenceId>, Error> {
    let id = share.header.share;
    let facts = ShareFacts::new(context.view, id);
    let mut fresh = Vec::new();
    for evidence in chosen {
        let key = (id, evidence);
        let chosen = match Kind::of(share.header.kind) {
            Kind::Copy => {
                context.view.has(&table::WAITING, &key)? || facts.item(evidence).is_some()
            }
            Kind::Reference | Kind::Advanced => context.view.has(&table::SELECTED, &key)?,
        };
        if !chosen {
            fresh.push(evidence);
        }
    }
    facts.done()?;
    Ok(fresh)
}

impl Change for Withdraw {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let (share, _) = open(context, self.share)?;
        if share.header.kind == sync::Kind::Copy {
            let message = "this is a copy: what was sent is the partner's own";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("to stop updates, end it: interdocket share end SHARE"));
        }
        if share.scope != Scope::Selected {
            let message = "nothing was selected in this share: it covers all, or folders";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("put the evidence into another folder, or revoke the share"));
        }
        let mut chosen = Vec::new();
        for evidence in self.evidence {
            if !context
                .view
                .has(&table::SELECTED, &(self.share, evidence))?
            {
                let message = format!("evidence {evidence} is not in this share");
                return Err(Error::new(ErrorKind::NotFound, message)
                    .hint("look at it: interdocket share show SHARE"));
            }
            chosen.push(evidence);
        }
        let record = |evidence: &[EvidenceId]| {
            Event::ShareNarrowed(ShareWidened {
                share: self.share,
                evidence: evidence.to_vec(),
            })
        };
        let events = chosen.chunks(WIDENED_MAX).map(record).collect();
        let (id, now) = (self.share, context.now);
        Ok(Decided::new(events, move |view| shown(view, id, now))
            .then(Effect::Recheck)
            .then(Effect::Nudge(share.header.partner)))
    }
}

impl Change for Recipients {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let (share, _) = open(context, self.share)?;
        if share.header.kind == sync::Kind::Copy {
            let message = "this is a copy: it is given to more people, and taken from nobody";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("add people: interdocket share reshare SHARE --recipient NAME"));
        }
        let recipients = bounded_recipients(&self.recipients)?;
        let actor = exchange::actor(context)?;
        let command = Command::ChangeRecipients(actor, recipients);
        last(context, self.share, &share, command)
    }
}

impl Change for End {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = own(context, self.share)?;
        let header = &share.header;
        if header.kind != sync::Kind::Copy {
            return Err(Error::new(ErrorKind::Conflict, "only a copy is ended")
                .hint("to stop this share, revoke it: interdocket share revoke SHARE"));
        }
        if header.state == sync::State::Offered {
            let message = "the partner has not accepted this copy yet";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("to stop it, cancel it: interdocket share cancel SHARE"));
        }
        if header.suspended {
            let message = "this copy is suspended: what was disclosed would never arrive";
            return Err(Error::new(ErrorKind::Conflict, message).hint(
                "resume it first, or cancel it: interdocket share resume SHARE, share cancel SHARE",
            ));
        }
        if share.waits() > 0 {
            let (one, many) = (
                "change of this copy still waits",
                "changes of this copy still wait",
            );
            let message = decide::count(share.waits(), one, many);
            return Err(Error::new(ErrorKind::Conflict, message).hint(
                "wait until the partner has them, or cancel: interdocket share cancel SHARE",
            ));
        }
        let actor = exchange::actor(context)?;
        last(context, self.share, &share, Command::End(actor))
    }
}

impl Change for Cancel {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = own(context, self.share)?;
        if share.header.kind != sync::Kind::Copy {
            return Err(Error::new(ErrorKind::Conflict, "only a copy is cancelled")
                .hint("to stop this share, revoke it: interdocket share revoke SHARE"));
        }
        let stands = status::status(&share.header, share.waits(), context.now);
        if stands == status::Status::Complete {
            let message = "this copy is complete: it is the partner's own now";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("to stop updates, end it: interdocket share end SHARE"));
        }
        let actor = exchange::actor(context)?;
        last(context, self.share, &share, Command::Cancel(actor))
    }
}

impl Change for Revoke {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = own(context, self.share)?;
        let header = &share.header;
        if header.kind == sync::Kind::Copy {
            let message = "this is a copy: it is the partner's own and can't be revoked";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("stop what is under way, or updates: interdocket share cancel, share end"));
        }
        let (id, now) = (self.share, context.now);
        if header.revoked {
            return Ok(Decided::new(Vec::new(), move |view| shown(view, id, now)));
        }
        let revocation = Revocation {
            share: id,
            owner: header.owner,
            partner: header.partner,
            at: now,
        }
        .sign(context.signer);
        let revoked = ShareRevoked {
            share: id,
            revocation: Bytes(revocation.bytes),
        };
        let mut events = vec![Event::ShareRevoked(revoked)];
        // The statement stands by itself; what a log can't take any more it need not say.
        let node = context.node()?;
        let facts = ShareFacts::new(context.view, id);
        let actor = exchange::actor(context)?;
        if let Ok(entries) = exchange::entries(context, header, &facts, Command::Revoke(actor)) {
            events.extend(exchange::written(context, header, &node, entries));
        }
        Ok(Decided::new(events, move |view| shown(view, id, now))
            .then(Effect::Recheck)
            .then(Effect::Unlend(id))
            .then(Effect::Nudge(header.partner)))
    }
}

impl Change for Suspend {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let (share, _) = open(context, self.share)?;
        let actor = exchange::actor(context)?;
        last(context, self.share, &share, Command::Suspend(actor))
    }
}

impl Change for Resume {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let (share, _) = open(context, self.share)?;
        let actor = exchange::actor(context)?;
        last(context, self.share, &share, Command::Resume(actor))
    }
}

/// Writes one entry that is said at once, whatever else waits.
pub(super) fn last(
    context: &mut Context<'_>,
    id: ShareId,
    share: &entity::Share,
    command: Command,
) -> Result<Decided<Share>, Error> {
    let node = context.node()?;
    let facts = ShareFacts::new(context.view, id);
    let entries = exchange::entries(context, &share.header, &facts, command)?;
    let events = exchange::written(context, &share.header, &node, entries);
    let now = context.now;
    Ok(Decided::new(events.into_iter().collect(), move |view| {
        shown(view, id, now)
    })
    .then(Effect::Recheck)
    .then(Effect::Nudge(share.other(node.organisation))))
}

/// The share and its case, where this node owns it and it goes on.
pub(super) fn open(
    context: &Context<'_>,
    id: ShareId,
) -> Result<(entity::Share, interdocket_sync::id::CaseId), Error> {
    let share = own(context, id)?;
    if !share.header.open_to_owner() {
        return Err(over(&share.header));
    }
    let case = share
        .case
        .ok_or_else(|| decide::broken("a share's case is missing"))?;
    Ok((share, case))
}

/// The share, where this node owns it.
pub(super) fn own(context: &Context<'_>, id: ShareId) -> Result<entity::Share, Error> {
    let share = decide::share(&context.view, id)?;
    decide::whole(&context.view, id.uuid())?;
    if share.header.owner == context.node()?.organisation {
        return Ok(share);
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "this share was received: only its owner changes it",
    ))
}

fn over(header: &Header) -> Error {
    let message = match header.state {
        _ if header.revoked => "this share was revoked",
        sync::State::Cancelled { .. } => "this copy was cancelled",
        _ if header.declined.is_some() => "the partner has declined this share",
        _ => "this copy was ended",
    };
    Error::new(ErrorKind::Conflict, message).hint("share again: interdocket share --help")
}
