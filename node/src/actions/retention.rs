//! How long the evidence of cases is kept: policies of the organisation, which of them a case has, and until when an
//! item is kept by that. A legal hold beats all.
//!
//! As long as the feature is off, everything is kept until it is deleted by hand, whatever is set.

mod delete;
mod due;
pub mod erase;
mod hold;

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{self, Context, Decided, broken, filled, line};
use super::{Caller, Change, Error, ErrorKind, Query, case, evidence, feature, people};
use crate::event::{CaseRetained, Event, RetentionSet};
use crate::features::Feature;
use crate::store::view::View;
use crate::store::{entity, table};

pub use self::delete::{DeleteCase, DeleteEvidence, KeepCase, KeepEvidence};
pub use self::due::{Due, Page, Subject};
pub use self::hold::{Held, HoldCase, HoldEvidence, ReleaseCase, ReleaseEvidence, held, hold};

/// Lists the retention policies.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// Adds a retention policy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// Its name.
    pub name: String,
    /// For how many days evidence is kept, from when it was recorded.
    pub days: u32,
}

/// Changes a retention policy; what is left out stays. It counts at once for all cases that have it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// Its name or id.
    pub policy: String,
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
    /// The new number of days.
    #[serde(default)]
    pub days: Option<u32>,
}

/// Removes a retention policy: what cases have that had it is kept until it is deleted by hand.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Remove {
    /// Its name or id.
    pub policy: String,
}

/// Sets the retention policy that cases get when they are made here or received.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SetDefault {
    /// Its name or id; where left out, they are kept until they are deleted by hand.
    #[serde(default)]
    pub policy: Option<String>,
}

/// Sets the retention policy of a case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Retain {
    /// The case's id or number.
    pub case: String,
    /// The policy's name or id; `Until Manually Deleted` is always there.
    pub policy: String,
}

/// All retention policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// The policies, the one that is always there first.
    pub policies: Vec<Policy>,
}

/// A retention policy as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// Its id; none for the one that is always there.
    pub id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// For how many days evidence is kept; none where it is kept until it is deleted by hand.
    pub days: Option<u32>,
    /// Whether cases get it when they are made here or received.
    pub default: bool,
}

impl Change for Add {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Listed>, Error> {
        let held = policies(&context.view)?;
        if held.len() >= POLICIES_MAX {
            let message = format!("there are {POLICIES_MAX} retention policies already");
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("remove one: interdocket retention remove POLICY"));
        }
        let id = context.id();
        let set = set(&held, id, &self.name, self.days)?;
        Ok(Decided::new(vec![Event::RetentionSet(set)], |view| {
            listed(view)
        }))
    }
}

impl Change for Edit {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Listed>, Error> {
        let held = policies(&context.view)?;
        let (id, policy) = named(&context.view, &self.policy)?;
        let name = self.name.as_deref().unwrap_or(&policy.name);
        let set = set(&held, id, name, self.days.unwrap_or(policy.days))?;
        let events = match (&set.name, set.days) == (&policy.name, policy.days) {
            true => Vec::new(),
            false => vec![Event::RetentionSet(set)],
        };
        Ok(Decided::new(events, listed))
    }
}

impl Change for Remove {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Listed>, Error> {
        let (id, policy) = named(&context.view, &self.policy)?;
        let removed = RetentionSet {
            id,
            name: policy.name,
            days: policy.days,
        };
        let events = vec![Event::RetentionRemoved(removed)];
        Ok(Decided::new(events, listed))
    }
}

impl Change for SetDefault {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Listed>, Error> {
        let policy = self.policy.as_deref();
        let policy = policy.map(|policy| chosen(&context.view, policy));
        let policy = policy.transpose()?.flatten();
        let events = match policy == context.node()?.retention {
            true => Vec::new(),
            false => vec![Event::RetentionDefault(policy)],
        };
        Ok(Decided::new(events, listed))
    }
}

impl Change for Retain {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<case::Case>, Error> {
        feature::require(&context.view, Feature::ConfigurableCaseRetention)?;
        let (id, case) = decide::case(&context.view, &self.case)?;
        let policy = chosen(&context.view, &self.policy)?;
        let retained = CaseRetained { case: id, policy };
        let events = match policy == case.retention {
            true => Vec::new(),
            false => vec![Event::CaseRetained(retained)],
        };
        Ok(Decided::new(events, move |view| case::shown(view, id)))
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Listed, Error> {
        listed(view)
    }
}

/// A policy as it is to be, where it can be.
fn set(
    held: &[(Uuid, entity::Retention)],
    id: Uuid,
    name: &str,
    days: u32,
) -> Result<RetentionSet, Error> {
    let name = filled("name", line("name", name, limits::NAME_MAX)?)?;
    let same = |other: &str| people::called(other) == people::called(&name);
    let mut others = held.iter().filter(|(other, _)| *other != id);
    if same(FOREVER) || others.any(|(_, other)| same(&other.name)) {
        let message = format!("there is a retention policy \"{name}\" already");
        return Err(Error::new(ErrorKind::Conflict, message).hint("choose another name"));
    }
    if days == 0 || days > DAYS_MAX {
        let message = format!("evidence is kept for 1 to {DAYS_MAX} days, not for {days}");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(RetentionSet { id, name, days })
}

fn policies(view: &View<'_>) -> Result<Vec<(Uuid, entity::Retention)>, Error> {
    Ok(view.page(&table::RETENTION, &(), None, POLICIES_MAX)?)
}

fn listed(view: &View<'_>) -> Result<Listed, Error> {
    let default = node(view)?.retention;
    let shown = |(id, policy): (Uuid, entity::Retention)| Policy {
        id: Some(id),
        name: policy.name,
        days: Some(policy.days),
        default: default == Some(id),
    };
    let forever = Policy {
        id: None,
        name: FOREVER.to_owned(),
        days: None,
        default: default.is_none(),
    };
    let policies = policies(view)?.into_iter().map(shown);
    Ok(Listed {
        policies: std::iter::once(forever).chain(policies).collect(),
    })
}

/// The policy with this name or id; none for the one that is always there.
fn chosen(view: &View<'_>, name: &str) -> Result<Option<Uuid>, Error> {
    if people::called(name) == people::called(FOREVER) {
        return Ok(None);
    }
    Ok(Some(named(view, name)?.0))
}

fn named(view: &View<'_>, name: &str) -> Result<(Uuid, entity::Retention), Error> {
    let is = |(id, policy): &(Uuid, entity::Retention)| {
        people::called(&policy.name) == people::called(name) || id.to_string() == name
    };
    policies(view)?.into_iter().find(is).ok_or_else(|| {
        let message = format!("there is no retention policy \"{name}\" that can be changed");
        Error::new(ErrorKind::NotFound, message).hint("list them: interdocket retention list")
    })
}

fn node(view: &View<'_>) -> Result<entity::Node, Error> {
    let node = view.get(&table::NODE, &())?;
    node.ok_or_else(|| broken("the node's own record is missing"))
}

/// For how many days evidence of a case is kept; none where it is until it is deleted by hand.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn days(view: &View<'_>, case: &entity::Case) -> Result<Option<u32>, Error> {
    if !feature::of(view)?.contains(&Feature::ConfigurableCaseRetention) {
        return Ok(None);
    }
    let policy = case.retention.map(|id| view.get(&table::RETENTION, &id));
    Ok(policy.transpose()?.flatten().map(|policy| policy.days))
}

/// The name of the policy of a case; none as long as the feature is off.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn policy(view: &View<'_>, case: &entity::Case) -> Result<Option<String>, Error> {
    if !feature::of(view)?.contains(&Feature::ConfigurableCaseRetention) {
        return Ok(None);
    }
    let policy = case.retention.map(|id| view.get(&table::RETENTION, &id));
    let policy = policy.transpose()?.flatten();
    Ok(Some(
        policy.map_or_else(|| FOREVER.to_owned(), |policy| policy.name),
    ))
}

/// Until when the policy of a case keeps evidence of this date; none where that is until it is deleted by hand.
fn until(
    view: &View<'_>,
    case: &entity::Case,
    dated: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let days = days(view, case)?;
    Ok(days.and_then(|days| dated.checked_add_signed(TimeDelta::days(days.into()))))
}

/// Until when the policy of a case keeps the last of its evidence.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn case_until(
    view: &View<'_>,
    id: CaseId,
    case: &entity::Case,
) -> Result<Option<DateTime<Utc>>, Error> {
    if days(view, case)?.is_none() {
        return Ok(None);
    }
    let latest = view.page(&table::LATEST, &id, None, 1)?;
    let Some(((_, _, evidence), ())) = latest.first() else {
        return Ok(None);
    };
    match view.get(&table::EVIDENCE, evidence)? {
        Some(evidence) => until(view, case, evidence.dated_at),
        None => Ok(None),
    }
}

/// When something is deleted, where it is queued for that.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn queued(view: &View<'_>, id: Uuid) -> Result<Option<DateTime<Utc>>, Error> {
    Ok(view.get(&table::QUEUED, &id)?.map(|queued| queued.on))
}

/// Until when the policies of its cases keep evidence: that which keeps it longest counts; none where that is until it
/// is deleted by hand.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn kept(
    view: &View<'_>,
    id: EvidenceId,
    dated: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut longest = None;
    for case in evidence::cases(view, id)? {
        let case = view.get(&table::CASE, &case)?;
        let case = case.ok_or_else(|| broken("a case is missing"))?;
        match until(view, &case, dated)? {
            Some(until) => longest = longest.max(Some(until)),
            None => return Ok(None),
        }
    }
    Ok(longest)
}

fn item(view: &View<'_>, id: EvidenceId) -> Result<entity::Evidence, Error> {
    let evidence = view.get(&table::EVIDENCE, &id)?;
    evidence.ok_or_else(|| evidence::missing(id))
}

/// Why something is done, as somebody writes it.
fn reason(text: &str) -> Result<String, Error> {
    filled("reason", line("reason", text, limits::TITLE_MAX)?)
}

/// The policy that is always there.
pub const FOREVER: &str = "Until Manually Deleted";
/// The most days that anything here is counted in.
pub const DAYS_MAX: u32 = 36_500;
/// Policies of one organisation: all of them are listed together.
const POLICIES_MAX: usize = 64;
