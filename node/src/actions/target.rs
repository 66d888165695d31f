//! Targets: whom a case is about.

use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, ShareId, TargetId};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{self, Context, Decided, Effect, bounded, filled, line};
use super::{Caller, Change, Error, ErrorKind, Query, exchange};
use crate::event::{Event, TargetEdited, TargetRemoved};
use crate::store::view::View;
use crate::store::{entity, table};

/// Adds a target to a case. Shares that take in new targets have it by themselves, others not.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The case's id or number.
    pub case: String,
    /// The name.
    pub name: String,
    /// What is known of it.
    #[serde(default)]
    pub description: String,
}

/// Changes what is said of a target; what is left out stays.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// The case's id or number.
    pub case: String,
    /// The target's id.
    #[schemars(with = "uuid::Uuid")]
    pub target: TargetId,
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
    /// What is known of it.
    #[serde(default)]
    pub description: Option<String>,
}

/// Takes a target out of a case, and out of its shares.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Remove {
    /// The case's id or number.
    pub case: String,
    /// The target's id.
    #[schemars(with = "uuid::Uuid")]
    pub target: TargetId,
}

/// Lists the targets of a case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// The case's id or number.
    pub case: String,
}

/// A target as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Stays the same for as long as the target exists.
    #[schemars(with = "uuid::Uuid")]
    pub id: TargetId,
    /// The name.
    pub name: String,
    /// What is known of it.
    pub description: String,
    /// When it was added to the case here.
    pub added_at: DateTime<Utc>,
    /// The share by which it came; none where it was added here.
    #[schemars(with = "Option<uuid::Uuid>")]
    pub share: Option<ShareId>,
}

/// The targets of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Targets {
    /// In the order of their ids; those that were added here in the order in which they were.
    pub targets: Vec<Target>,
}

impl Change for Add {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Targets>, Error> {
        let (case, _) = decide::case(&context.view, &self.case)?;
        let held = context
            .view
            .page(&table::TARGET, &case, None, limits::TARGETS_MAX)?;
        if held.len() == limits::TARGETS_MAX {
            let message = format!("this case has {} targets already", limits::TARGETS_MAX);
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("take one out: interdocket target remove CASE TARGET"));
        }
        let target = TargetId::new(context.id());
        let added = added(case, target, &self.name, &self.description)?;
        decided(context, case, added)
    }
}

/// The targets that a new case begins with, by their names.
///
/// # Errors
/// [`Error`] where a name is none, or they are more than a case has.
pub fn first(
    context: &mut Context<'_>,
    case: CaseId,
    names: &[String],
) -> Result<Vec<Event>, Error> {
    if names.len() > limits::TARGETS_MAX {
        let message = format!("a case has at most {} targets", limits::TARGETS_MAX);
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let id = |_: &String| TargetId::new(context.id());
    let mut ids: Vec<_> = names.iter().map(id).collect();
    // They are listed by their ids, and ids of one moment come in no order.
    ids.sort_unstable();
    let added = |(name, id): (&String, TargetId)| added(case, id, name, "");
    names.iter().zip(ids).map(added).collect()
}

fn added(case: CaseId, target: TargetId, named: &str, described: &str) -> Result<Event, Error> {
    Ok(Event::TargetAdded(TargetEdited {
        case,
        target,
        name: name(named)?,
        description: description(described)?,
    }))
}

impl Change for Edit {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Targets>, Error> {
        let (case, _) = decide::case(&context.view, &self.case)?;
        let held = find(&context.view, case, self.target)?;
        let edited = TargetEdited {
            case,
            target: self.target,
            name: name(self.name.as_deref().unwrap_or(&held.name))?,
            description: description(self.description.as_deref().unwrap_or(&held.description))?,
        };
        decided(context, case, Event::TargetEdited(edited))
    }
}

impl Change for Remove {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Targets>, Error> {
        let (case, _) = decide::case(&context.view, &self.case)?;
        find(&context.view, case, self.target)?;
        let removed = TargetRemoved {
            case,
            target: self.target,
        };
        decided(context, case, Event::TargetRemoved(removed))
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Targets, Error> {
        let (case, _) = decide::case(view, &self.case)?;
        listed(view, case)
    }
}

fn decided(context: &Context<'_>, case: CaseId, event: Event) -> Result<Decided<Targets>, Error> {
    let mut decided = Decided::new(vec![event], move |view| listed(view, case));
    for partner in exchange::following(&context.view, &[case])? {
        decided = decided.then(Effect::Nudge(partner));
    }
    Ok(decided)
}

fn name(text: &str) -> Result<String, Error> {
    filled("name", line("name", text, limits::TARGET_NAME_MAX)?)
}

fn description(text: &str) -> Result<String, Error> {
    bounded("description", text.trim(), limits::TARGET_DESCRIPTION_MAX)
}

/// A target of a case.
///
/// # Errors
/// `NotFound` where it has none with this id.
pub fn find(view: &View<'_>, case: CaseId, id: TargetId) -> Result<entity::Target, Error> {
    view.get(&table::TARGET, &(case, id))?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("this case has no target {id}"))
            .hint("list them: interdocket target list CASE")
    })
}

fn listed(view: &View<'_>, case: CaseId) -> Result<Targets, Error> {
    let rows = view.page(&table::TARGET, &case, None, limits::TARGETS_MAX)?;
    let target = |((_, id), target): ((CaseId, TargetId), entity::Target)| Target {
        id,
        name: target.name,
        description: target.description,
        added_at: target.added_at,
        share: target.share,
    };
    Ok(Targets {
        targets: rows.into_iter().map(target).collect(),
    })
}
