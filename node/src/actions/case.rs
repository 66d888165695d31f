//! Cases: making, listing, showing, editing and closing them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{self, Context, Decided, Effect, bounded, broken, filled, line};
use super::{
    Caller, Change, Error, ErrorKind, Query, exchange, metadata, people, reach, retention, target,
    user,
};
use crate::access::GUEST;
use crate::event::{
    AccessChanged, CaseAssigned, CaseEdited, CaseMade, CaseNumbered, Event, Matter, TagsChanged,
};
use crate::store::view::View;
use crate::store::{entity, table};

/// Makes a case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Create {
    /// The number by which people know it, unique on this node.
    pub number: String,
    /// What it is about, on one line.
    #[serde(default)]
    pub title: String,
    /// What it is about, at length.
    #[serde(default)]
    pub description: String,
    /// The names of those whom it is about.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// Lists cases, in the order in which they were made.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows a case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// Its id or number.
    pub case: String,
}

/// Changes number, title or description of a case; what is left out stays.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// Its id or number.
    pub case: String,
    /// The new number.
    #[serde(default)]
    pub number: Option<String>,
    /// The new title.
    #[serde(default)]
    pub title: Option<String>,
    /// The new description.
    #[serde(default)]
    pub description: Option<String>,
}

/// Sets who of this organisation works on a case: whoever has access does all that their role allows. Nothing of
/// the case leaves the node by that.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    /// Its id or number.
    pub case: String,
    /// Users and groups who have access from now on: names, e-mail addresses or numbers on badges.
    #[serde(default)]
    pub add: Vec<String>,
    /// Users and groups who have not any more.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// Changes the tags of a case. Shares that go on follow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Tag {
    /// Its id or number.
    pub case: String,
    /// What it has from now on.
    #[serde(default)]
    pub add: Vec<String>,
    /// What it has not any more.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// Sets who a case is assigned to. They have access to it, with all that who made it may do; who is not assigned
/// any more has no access any more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Assign {
    /// Its id or number.
    pub case: String,
    /// Users, the first one first: names, e-mail addresses or numbers on badges; nobody where empty.
    #[serde(default)]
    pub users: Vec<String>,
}

/// Finds whom a case can be assigned to: users who are not disabled.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Assignable {
    /// Its id or number.
    pub case: String,
    /// Only those with this in their name or e-mail address, whatever its case.
    #[serde(default)]
    pub find: Option<String>,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Somebody to whom a case can be assigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The number on the badge; empty where there is none.
    pub badge: String,
}

/// A page of people.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct People {
    /// By name.
    pub people: Vec<Person>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

/// Opens a closed case again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Reopen {
    /// Its id or number.
    pub case: String,
}

/// Closes a case: nothing is added to it any more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Close {
    /// Its id or number.
    pub case: String,
}

/// A case as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// Its id on this node.
    #[schemars(with = "uuid::Uuid")]
    pub id: CaseId,
    /// The number by which people know it.
    pub number: String,
    /// What it is about, on one line.
    pub title: String,
    /// What it is about, at length.
    pub description: String,
    /// Whether it is open or closed.
    pub state: State,
    /// When it was made on this node.
    pub created_at: DateTime<Utc>,
    /// Who made it; nobody where it was received.
    pub created_by: Option<String>,
    /// Who it is assigned to, the first one first.
    pub assignees: Vec<String>,
    /// How many items of evidence it has.
    pub evidence: u64,
    /// How many bytes their files have.
    pub bytes: u64,
    /// From whom it was received, where it was.
    pub origin: Option<Origin>,
    /// The users and groups who have access to it, by name; administrators and auditors have to every case.
    pub access: Vec<String>,
    /// Its tags.
    pub tags: Vec<metadata::Labelled>,
    /// Its retention policy; none as long as cases of this organisation have none of their own.
    pub retention: Option<String>,
    /// Until when that keeps the last of its evidence; none where it is kept until it is deleted by hand.
    pub retention_until: Option<DateTime<Utc>>,
    /// The legal hold that keeps it.
    pub hold: Option<retention::Held>,
    /// When it is deleted with all its evidence, where it is queued for that.
    pub queued_for_deletion_on: Option<DateTime<Utc>>,
}

/// Whether a case takes evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Evidence can be added.
    Open,
    /// Nothing is added any more.
    Closed,
}

/// From whom a case or evidence was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The organisation that shared it.
    #[schemars(with = "String")]
    pub organisation: OrganisationId,
    /// The share by which it came.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Its id there.
    pub id: Uuid,
}

/// A page of cases.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The cases.
    pub cases: Vec<Case>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

impl Change for Create {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let number = filled("number", line("number", &self.number, limits::NUMBER_MAX)?)?;
        free(context, &number)?;
        let id = CaseId::new(context.id());
        let made = CaseMade {
            id,
            number,
            title: line("title", &self.title, limits::TITLE_MAX)?,
            description: bounded("description", &self.description, limits::DESCRIPTION_MAX)?,
        };
        let mut events = vec![numbered(id, None, &made.number), Event::CaseMade(made)];
        events.extend(target::first(context, id, &self.targets)?);
        Ok(Decided::new(events, move |view| shown(view, id)))
    }
}

impl Change for Edit {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, case) = decide::case(&context.view, &self.case)?;
        let number = self.number.as_deref().unwrap_or(&case.number);
        let number = filled("number", line("number", number, limits::NUMBER_MAX)?)?;
        if number != case.number {
            free(context, &number)?;
        }
        let title = self.title.as_deref().unwrap_or(&case.title);
        let description = self.description.as_deref().unwrap_or(&case.description);
        let edited = CaseEdited {
            id,
            number,
            title: line("title", title, limits::TITLE_MAX)?,
            description: bounded("description", description, limits::DESCRIPTION_MAX)?,
        };
        let mut events = Vec::new();
        if edited.number != case.number {
            events.push(numbered(id, Some(case.number.clone()), &edited.number));
        }
        events.push(Event::CaseEdited(edited));
        let mut decided = Decided::new(events, move |view| shown(view, id));
        for partner in exchange::following(&context.view, &[id])? {
            decided = decided.then(Effect::Nudge(partner));
        }
        Ok(decided)
    }
}

impl Change for Tag {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, _) = decide::case(&context.view, &self.case)?;
        let held = metadata::labels(&context.view, id.uuid())?;
        let kind = metadata::Kind::Tag;
        let (added, removed) =
            metadata::change(&held, kind, &self.add, &self.remove, metadata::CASE)?;
        if added.is_empty() && removed.is_empty() {
            return Ok(Decided::new(Vec::new(), move |view| shown(view, id)));
        }
        let changed = TagsChanged {
            what: Matter::Case(id),
            kind: kind.field(),
            added,
            removed,
        };
        let events = vec![Event::TagsChanged(changed)];
        let mut decided = Decided::new(events, move |view| shown(view, id));
        for partner in exchange::following(&context.view, &[id])? {
            decided = decided.then(Effect::Nudge(partner));
        }
        Ok(decided)
    }
}

impl Change for Access {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, case) = decide::case(&context.view, &self.case)?;
        let added = people::active(&context.view, &self.add)?;
        let removed = people::ids(&context.view, &self.remove)?;
        let mut events = access(&context.view, id, &added, &removed)?;
        // Only who has access is assigned: so these are never more than those.
        let stays = |who: &&Uuid| added.contains(who) || !removed.contains(who);
        let assignees: Vec<Uuid> = case.assignees.iter().filter(stays).copied().collect();
        if assignees != case.assignees {
            events.push(Event::CaseAssigned(CaseAssigned {
                case: id,
                assignees,
            }));
        }
        Ok(Decided::new(events, move |view| shown(view, id)))
    }
}

/// What is recorded where users and groups are given access to a case, and others lose it; nothing where nobody is.
///
/// # Errors
/// `Invalid` where they would be too many.
pub fn access(
    view: &View<'_>,
    case: CaseId,
    added: &[Uuid],
    removed: &[Uuid],
) -> Result<Vec<Event>, Error> {
    if added.is_empty() && removed.is_empty() {
        return Ok(Vec::new());
    }
    let most = added.len().max(removed.len());
    if most > ACCESS_MAX {
        let message = format!("{most} users and groups are more than {ACCESS_MAX} at once");
        return Err(Error::new(ErrorKind::Invalid, message).hint("do it in several steps"));
    }
    let held = view.page(&table::ACCESS, &case, None, ACCESS_MAX)?;
    let mut after: BTreeSet<Uuid> = held.into_iter().map(|((_, who), ())| who).collect();
    after.retain(|who| !removed.contains(who));
    after.extend(added);
    if after.len() > ACCESS_MAX {
        let message =
            format!("more than {ACCESS_MAX} users and groups would have access to this case");
        return Err(Error::new(ErrorKind::Invalid, message).hint("give access to a group"));
    }
    Ok(vec![Event::AccessChanged(AccessChanged {
        case,
        added: added.to_vec(),
        removed: removed.to_vec(),
    })])
}

impl Change for Close {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, case) = decide::case(&context.view, &self.case)?;
        let events = if case.open {
            vec![Event::CaseClosed(id)]
        } else {
            Vec::new()
        };
        Ok(Decided::new(events, move |view| shown(view, id)))
    }
}

impl Change for Reopen {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, case) = decide::case(&context.view, &self.case)?;
        let events = match case.open {
            true => Vec::new(),
            false => vec![Event::CaseReopened(id)],
        };
        Ok(Decided::new(events, move |view| shown(view, id)))
    }
}

impl Change for Assign {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, case) = decide::case(&context.view, &self.case)?;
        let mut assignees: Vec<Uuid> = Vec::new();
        for name in &self.users {
            let (user, found) = people::user(&context.view, name)?;
            people::member(&found)?;
            people::able(&found)?;
            if !assignees.contains(&user) {
                assignees.push(user);
            }
        }
        if assignees == case.assignees {
            return Ok(Decided::new(Vec::new(), move |view| shown(view, id)));
        }
        let new = |user: &&Uuid| !case.assignees.contains(user);
        let gone = |user: &&Uuid| !assignees.contains(user) && !case.made_by(**user);
        let added: Vec<Uuid> = assignees.iter().filter(new).copied().collect();
        let removed: Vec<Uuid> = case.assignees.iter().filter(gone).copied().collect();
        let mut events = access(&context.view, id, &added, &removed)?;
        events.push(Event::CaseAssigned(CaseAssigned {
            case: id,
            assignees,
        }));
        Ok(Decided::new(events, move |view| shown(view, id)))
    }
}

impl Query for Assignable {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<People, Error> {
        let limit = decide::limit(self.limit)?;
        let (find, after) = (self.find.as_deref(), self.after.clone());
        let active = |user: &user::User| user.disabled_at.is_none() && user.role != GUEST;
        let found = user::search(view, find, after, limit, active)?;
        let person = |user: user::User| Person {
            name: user.name,
            email: user.email,
            badge: user.badge,
        };
        Ok(People {
            people: found.users.into_iter().map(person).collect(),
            next: found.next,
        })
    }
}

impl Query for Show {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Case, Error> {
        let (id, case) = decide::case(view, &self.case)?;
        Case::of(view, id, case)
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, caller: &Caller, _: DateTime<Utc>) -> Result<Page, Error> {
        let limit = decide::limit(self.limit)?;
        let after: Option<CaseId> = decide::after(self.after.as_deref())?;
        let ids = reach::cases(view, &caller.into(), after, limit)?;
        let next = (ids.len() == limit).then(|| ids.last().map(ToString::to_string));
        let cases = ids.into_iter().map(|id| shown(view, id));
        let cases = cases.collect::<Result<_, _>>()?;
        Ok(Page {
            cases,
            next: next.flatten(),
        })
    }
}

impl Case {
    /// A case as it is shown.
    ///
    /// # Errors
    /// [`Error`] where the tables fail.
    pub fn of(view: &View<'_>, id: CaseId, case: entity::Case) -> Result<Self, Error> {
        let rows = view.page(&table::ACCESS, &id, None, ACCESS_MAX)?;
        let names = rows.into_iter().map(|((_, who), ())| people::of(view, who));
        let mut access = names.collect::<Result<Vec<String>, Error>>()?;
        access.sort();
        let labels = metadata::labels(view, id.uuid())?.into_iter();
        let assignees = case.assignees.iter().map(|who| people::of(view, *who));
        let assignees = assignees.collect::<Result<Vec<String>, Error>>()?;
        Ok(Self {
            id,
            retention: retention::policy(view, &case)?,
            retention_until: retention::case_until(view, id, &case)?,
            hold: retention::hold(view, Matter::Case(id), &[])?,
            queued_for_deletion_on: retention::queued(view, id.uuid())?,
            number: case.number,
            title: case.title,
            description: case.description,
            state: if case.open {
                State::Open
            } else {
                State::Closed
            },
            created_at: case.created_at,
            created_by: case.creator.map(|creator| creator.name),
            assignees,
            evidence: case.evidence,
            bytes: case.bytes,
            origin: case.origin,
            access,
            tags: labels.map(|(_, tag)| metadata::Labelled::of(tag)).collect(),
        })
    }
}

/// That a case has a number.
pub fn numbered(case: CaseId, before: Option<String>, number: &str) -> Event {
    Event::CaseNumbered(CaseNumbered {
        case,
        before,
        number: number.to_owned(),
    })
}

fn free(context: &Context<'_>, number: &String) -> Result<(), Error> {
    if context.view.has(&table::CASE_NUMBER, number)? {
        let message = format!("there is a case \"{number}\" already");
        return Err(Error::new(ErrorKind::Conflict, message).hint("choose another number"));
    }
    Ok(())
}

pub(super) fn shown(view: &View<'_>, id: CaseId) -> Result<Case, Error> {
    let case = view
        .get(&table::CASE, &id)?
        .ok_or_else(|| broken("a case is missing"))?;
    Case::of(view, id, case)
}

/// Users and groups with access to one case: all of them are shown with it.
const ACCESS_MAX: usize = 64;
