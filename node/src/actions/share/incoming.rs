//! What partners offer where an administrator looks at it first: finalising it, or declining it.

use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{Body, DeclineReason, Offered};
use interdocket_sync::share as sync;
use interdocket_sync::share::Hold;
use interdocket_sync::share::decide::Command;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::life::last;
use super::{Share, shown};
use crate::actions::case::{Origin, numbered};
use crate::actions::decide::{self, Context, Decided, Effect, broken};
use crate::actions::{Caller, Change, Error, ErrorKind, Run, exchange, people};
use crate::event::{CaseReceived, Event, ShareFinalised};
use crate::federation::history;
use crate::node::Node;
use crate::store::entity;
use crate::store::project::ShareFacts;

/// Finalises what a partner offers: from then on it is taken. A copy becomes a new case, or evidence of one that is
/// here; nobody but those who are named, and administrators, sees it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Finalise {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// The case here that gets the evidence of a copy, by id or number; a new one where left out.
    #[serde(default)]
    pub case: Option<String>,
    /// Users and groups who work on the case of a copy from now on: names, e-mail addresses or numbers on badges.
    #[serde(default)]
    pub access: Vec<String>,
}

/// Declines what a partner offers: nothing of it is taken, and the partner is told why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Decline {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Why.
    pub reason: Reason,
}

/// Why a share is declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was meant for somebody else.
    Misdirected,
    /// It is not needed, or is here already.
    Unneeded,
    /// This organisation may not take it.
    NotAllowed,
    /// Not as it is: its owner is to be in touch.
    Unclear,
}

impl Reason {
    /// As the log has it.
    pub const fn of(reason: DeclineReason) -> Self {
        match reason {
            DeclineReason::Misdirected => Self::Misdirected,
            DeclineReason::Unneeded => Self::Unneeded,
            DeclineReason::NotAllowed => Self::NotAllowed,
            DeclineReason::Unclear => Self::Unclear,
        }
    }

    const fn said(self) -> DeclineReason {
        match self {
            Self::Misdirected => DeclineReason::Misdirected,
            Self::Unneeded => DeclineReason::Unneeded,
            Self::NotAllowed => DeclineReason::NotAllowed,
            Self::Unclear => DeclineReason::Unclear,
        }
    }
}

impl Run for Finalise {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Share, Error> {
        node.permit(caller, &self).await?;
        let (of, id) = (node.clone(), self.share);
        let offered = node.read(move |view| {
            pending(&decide::share(view, id)?)?;
            let batch = history::batch(view, &of.parts().journal, id, Side::Owner, 1)?;
            let first = batch.and_then(|batch| batch.entries.into_iter().next());
            match first.map(|entry| entry.body) {
                Some(Body::Offered(_, offered)) => Ok(offered),
                _ => Err(broken("the offer of a share is missing")),
            }
        });
        let offered = offered.await?;
        node.decide(Some(caller.actor.clone()), caller.way, move |context| {
            self.finalise(context, offered)
        })
        .await
    }
}

impl Finalise {
    /// Decides, given what was offered.
    ///
    /// # Errors
    /// [`Error`] where nothing waits, or what is named does not hold.
    pub(crate) fn finalise(
        self,
        context: &mut Context<'_>,
        offered: Offered,
    ) -> Result<Decided<Share>, Error> {
        let share = decide::share(&context.view, self.share)?;
        decide::whole(&context.view, self.share.uuid())?;
        pending(&share)?;
        let header = &share.header;
        let node = context.node()?;
        let copy = header.kind == sync::Kind::Copy;
        if !copy && (self.case.is_some() || !self.access.is_empty()) {
            let message = "only a copy becomes a case here: this share is for those whom it names";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("finalise it alone: interdocket share finalise SHARE"));
        }
        let existing = match &self.case {
            Some(name) => Some(existing(context, name)?),
            None => None,
        };
        let mut events = Vec::new();
        let made = match copy && existing.is_none() {
            true => Some(exchange::received(&context.view, self.share, &offered)?),
            false => None,
        };
        let case = existing.or_else(|| made.as_ref().map(|made| made.id));
        let finalised = ShareFinalised {
            share: self.share,
            case,
            made: made.is_some(),
            access: people::ids(&context.view, &self.access)?,
        };
        if let Some(case) = case {
            events.extend(made.as_ref().map(|made| numbered(case, None, &made.number)));
            events.push(Event::CaseReceived(CaseReceived {
                case,
                origin: Origin {
                    organisation: header.owner,
                    share: self.share,
                    id: offered.case.uuid(),
                },
                tags: match made {
                    Some(_) => offered.info.tags,
                    None => Vec::new(),
                },
                made,
                targets: offered.info.targets,
                recipients: Vec::new(),
            }));
        }
        let facts = ShareFacts::new(context.view, self.share);
        let command = Command::Accept(Some(exchange::actor(context)?));
        let entries = exchange::entries(context, header, &facts, command)?;
        events.push(Event::ShareFinalised(finalised));
        events.extend(exchange::written(context, header, &node, entries));
        let (id, now) = (self.share, context.now);
        Ok(Decided::new(events, move |view| shown(view, id, now))
            .then(Effect::Recheck)
            .then(Effect::Nudge(header.owner)))
    }
}

impl Change for Decline {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = decide::share(&context.view, self.share)?;
        decide::whole(&context.view, self.share.uuid())?;
        pending(&share)?;
        let actor = exchange::actor(context)?;
        let command = Command::Decline(actor, self.reason.said());
        last(context, self.share, &share, command)
    }
}

/// A case of this node that takes evidence.
fn existing(context: &Context<'_>, name: &str) -> Result<CaseId, Error> {
    let (id, case) = decide::case(&context.view, name)?;
    decide::whole(&context.view, id.uuid())?;
    if case.open {
        return Ok(id);
    }
    let message = format!("case \"{}\" is closed", case.number);
    Err(Error::new(ErrorKind::Conflict, message)
        .hint("open it again: interdocket case reopen CASE"))
}

fn pending(share: &entity::Share) -> Result<(), Error> {
    if share.pending && matches!(share.header.hold, Hold::Free | Hold::Paused) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "this share does not wait to be finalised",
    )
    .hint("list those that do: interdocket share list --pending"))
}
