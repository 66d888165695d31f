//! Deleting by hand: what is to be deleted is queued first, and can be taken back until its time comes.

use chrono::TimeDelta;
use interdocket_sync::id::{CaseId, EvidenceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hold::{held, hold};
use super::{item, reason};
use crate::actions::case::{self, Case};
use crate::actions::decide::{self, Context, Decided};
use crate::actions::evidence::{self, Evidence};
use crate::actions::reach::{self, Reader};
use crate::actions::{Change, Error, ErrorKind};
use crate::event::{DeletionQueued, Event, Matter, Reasoned, Why};
use crate::store::table;
use crate::store::view::View;

/// Queues a case for deletion, with all its evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeleteCase {
    /// Its id or number.
    pub case: String,
    /// Why.
    pub reason: String,
}

/// Takes a case back from being deleted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct KeepCase {
    /// Its id or number.
    pub case: String,
    /// Why.
    pub reason: String,
}

/// Queues evidence for deletion.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeleteEvidence {
    /// Its id.
    #[schemars(with = "Uuid")]
    pub evidence: EvidenceId,
    /// Why.
    pub reason: String,
}

/// Takes evidence back from being deleted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct KeepEvidence {
    /// Its id.
    #[schemars(with = "Uuid")]
    pub evidence: EvidenceId,
    /// Why.
    pub reason: String,
}

impl Change for DeleteCase {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, case) = decide::case(&context.view, &self.case)?;
        if let Some(share) = shared(&context.view, id)? {
            let message = format!("case \"{}\" is shared: share {share} goes on", case.number);
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("end a copy: interdocket share end SHARE")
                .hint("revoke what is read or followed: interdocket share revoke SHARE"));
        }
        let what = Matter::Case(id);
        let events = queue(context, what, &self.reason)?;
        Ok(Decided::new(events, move |view| case::shown(view, id)))
    }
}

impl Change for KeepCase {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, _) = decide::case(&context.view, &self.case)?;
        let what = Matter::Case(id);
        let events = keep(&context.view, what, &self.reason)?;
        Ok(Decided::new(events, move |view| case::shown(view, id)))
    }
}

impl Change for DeleteEvidence {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        item(&context.view, id)?;
        let what = Matter::Evidence(id);
        let events = queue(context, what, &self.reason)?;
        let reader = Reader::from(&*context);
        Ok(Decided::new(events, move |view| {
            evidence::shown(view, &reader, id)
        }))
    }
}

impl Change for KeepEvidence {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        item(&context.view, id)?;
        let what = Matter::Evidence(id);
        let events = keep(&context.view, what, &self.reason)?;
        let reader = Reader::from(&*context);
        Ok(Decided::new(events, move |view| {
            evidence::shown(view, &reader, id)
        }))
    }
}

fn queue(context: &Context<'_>, what: Matter, why: &str) -> Result<Vec<Event>, Error> {
    let reason = reason(why)?;
    if held(&context.view, what)? {
        return Err(held_by(context, what)?);
    }
    // Once is enough; what retention deletes some day may be deleted earlier.
    let asked = |why: &Why| matches!(why, Why::Asked { .. });
    let queued = context.view.get(&table::QUEUED, &what.id())?;
    if queued.is_some_and(|queued| asked(&queued.why)) {
        return Ok(Vec::new());
    }
    let days = context.node()?.settings.deletion_days;
    let queued = DeletionQueued {
        what,
        on: context.now + TimeDelta::days(days.into()),
        why: Why::Asked {
            by: context.actor.clone(),
            reason,
        },
    };
    Ok(vec![Event::DeletionQueued(queued)])
}

/// That something is on legal hold; why, where who asks reaches what is.
fn held_by(context: &Context<'_>, what: Matter) -> Result<Error, Error> {
    let reached = match what {
        Matter::Case(_) => Vec::new(),
        Matter::Evidence(evidence) => reach::among(&context.view, &context.into(), evidence)?,
    };
    let message = match hold(&context.view, what, &reached)? {
        Some(held) => format!("this is on legal hold: {}", held.reason),
        None => "this is on legal hold".to_owned(),
    };
    Ok(Error::new(ErrorKind::Conflict, message).hint("it is kept until the hold is released"))
}

fn keep(view: &View<'_>, what: Matter, why: &str) -> Result<Vec<Event>, Error> {
    let reason = reason(why)?;
    let conflict = |message: &str| Error::new(ErrorKind::Conflict, message);
    let Some(queued) = view.get(&table::QUEUED, &what.id())? else {
        return Err(conflict("this is not queued for deletion by itself")
            .hint("see what is: interdocket retention due"));
    };
    if queued.why == Why::Retention {
        return Err(
            conflict("the retention policies of its cases have it deleted")
                .hint("set another one: interdocket case retain CASE POLICY")
                .hint("or put it on legal hold: interdocket evidence hold EVIDENCE --reason WHY"),
        );
    }
    Ok(vec![Event::DeletionUndone(Reasoned { what, reason })])
}

/// A share of this node's own that a case has and that goes on.
///
/// # Errors
/// [`Error`] where the tables fail.
pub(super) fn shared(
    view: &View<'_>,
    case: CaseId,
) -> Result<Option<interdocket_sync::id::ShareId>, Error> {
    let own = super::node(view)?.organisation;
    for ((_, id), ()) in view.page(&table::CASE_SHARE, &case, None, usize::MAX)? {
        let header = decide::share(view, id)?.header;
        if header.owner == own && header.open_to_owner() {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
