//! Which cases somebody reaches: those to which they, or a group that they are in, have access. What is out of
//! reach looks like what does not exist.

use std::collections::BTreeSet;

use interdocket_sync::copy::Field;
use interdocket_sync::id::{CaseId, EvidenceId};
use uuid::Uuid;

use super::decide::{self, Context, broken, whole};
use super::{About, Caller, Error, ErrorKind, disclosure, evidence, link, people, settings};
use crate::access::{self, Permissions};
use crate::store::entity::Known;
use crate::store::table;
use crate::store::view::View;

/// Who asks, as far as that says what they reach.
#[derive(Debug, Clone)]
pub struct Reader {
    user: Uuid,
    permissions: Permissions,
}

impl From<&Caller> for Reader {
    fn from(caller: &Caller) -> Self {
        Self {
            user: caller.actor.id,
            permissions: caller.permissions.clone(),
        }
    }
}

impl From<&Context<'_>> for Reader {
    fn from(context: &Context<'_>) -> Self {
        Self {
            // Nobody reaches nothing.
            user: context
                .actor
                .as_ref()
                .map_or_else(Uuid::nil, |actor| actor.id),
            permissions: context.held.clone(),
        }
    }
}

/// Refuses what is out of somebody's reach, as if it did not exist; and to change a case, where only some people may
/// and they are none of them.
///
/// # Errors
/// `NotFound`, `Forbidden`.
pub fn check(
    view: &View<'_>,
    reader: impl Into<Reader>,
    action: &str,
    about: &About,
) -> Result<(), Error> {
    let reader = &reader.into();
    if access::reaches_all(&reader.permissions) {
        return Ok(());
    }
    if let About::Share(id) = about
        && access::sees_offers(&reader.permissions)
        && view.has(&table::PENDING, id)?
    {
        return Ok(());
    }
    let (found, missing) = match about {
        About::Nothing => return Ok(()),
        About::Case(name) => {
            let (id, _) = decide::case(view, name)?;
            (Some(id), decide::no_case(name))
        }
        About::Evidence(id) => return of_evidence(view, reader, action, *id),
        About::Disclosure(id) => {
            let found = view.get(&table::DISCLOSURE, id)?;
            (found.map(|found| found.case), disclosure::missing(*id))
        }
        // What nothing here came of is an external case: its recipients have commands of their own.
        About::Share(id) => (decide::share(view, *id)?.case, decide::no_share(*id)),
        About::Link(id) => (Some(link::link(view, *id)?.case), link::no_link(*id)),
    };
    match found {
        Some(id) if case(view, reader, id)? => edits(view, reader, action, &[id]),
        _ => Err(missing),
    }
}

/// Whoever reaches a case that evidence is in reaches the evidence, and changes it who may change such a case.
fn of_evidence(
    view: &View<'_>,
    reader: &Reader,
    action: &str,
    id: EvidenceId,
) -> Result<(), Error> {
    let mut found = among(view, reader, id)?;
    if found.is_empty() && of_group(view, reader, id)? {
        found = evidence::cases(view, id)?;
    }
    match found.is_empty() {
        true => Err(evidence::missing(id)),
        false => edits(view, reader, action, &found),
    }
}

/// The cases that evidence is in, as far as somebody reaches them.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn among(view: &View<'_>, reader: &Reader, id: EvidenceId) -> Result<Vec<CaseId>, Error> {
    let mut reached = Vec::new();
    for id in evidence::cases(view, id)? {
        if case(view, reader, id)? {
            reached.push(id);
        }
    }
    Ok(reached)
}

/// Whether it is evidence of a group that somebody is in: they reach it by itself, whatever case it is in.
fn of_group(view: &View<'_>, reader: &Reader, id: EvidenceId) -> Result<bool, Error> {
    let fields = view.get(&table::FIELDS, &id)?.unwrap_or_default();
    let group = fields.get(&Field::EvidenceGroup);
    // A group of another organisation is nobody here, whoever has its name.
    let Some(own) = group.filter(|group| group.organisation.is_none()) else {
        return Ok(false);
    };
    let Some(Known::Group(group)) = people::known(view, &own.text)? else {
        return Ok(false);
    };
    Ok(groups(view, reader)?.contains(&group))
}

/// Refuses to change something of these cases, where only some people may and this one may in none of them.
fn edits(view: &View<'_>, reader: &Reader, action: &str, cases: &[CaseId]) -> Result<(), Error> {
    if !access::edits(action) || !settings::of(view)?.restrict_edit {
        return Ok(());
    }
    let mut numbers = Vec::new();
    for id in cases {
        let held = view.get(&table::CASE, id)?;
        let held = held.ok_or_else(|| broken("a case is missing"))?;
        if held.made_by(reader.user) || held.assignees.contains(&reader.user) {
            return Ok(());
        }
        if case(view, reader, *id)? {
            numbers.push(format!("\"{}\"", held.number));
        }
    }
    let which = match numbers.is_empty() {
        true => "that it is in".to_owned(),
        false => numbers.join(" or "),
    };
    let message =
        format!("only who made case {which}, who is assigned to it and administrators change it");
    Err(Error::new(ErrorKind::Forbidden, message)
        .hint("ask one of them to assign it to you: interdocket case assign CASE USER"))
}

/// Whether somebody reaches a case.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn case(view: &View<'_>, reader: &Reader, id: CaseId) -> Result<bool, Error> {
    if access::reaches_all(&reader.permissions) {
        return Ok(true);
    }
    for who in groups(view, reader)? {
        if view.has(&table::ACCESS, &(id, who))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Cases that somebody reaches, in the order of their ids, behind `after`.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn cases(
    view: &View<'_>,
    reader: &Reader,
    after: Option<CaseId>,
    limit: usize,
) -> Result<Vec<CaseId>, Error> {
    if access::reaches_all(&reader.permissions) {
        let rows = view.page(&table::CASE, &(), after.as_ref(), limit)?;
        return Ok(rows.into_iter().map(|(id, _)| id).collect());
    }
    let mut cases = BTreeSet::new();
    for who in groups(view, reader)? {
        let after = after.map(|case| (who, case));
        let rows = view.page(&table::REACHED, &who, after.as_ref(), limit)?;
        cases.extend(rows.into_iter().map(|((_, case), ())| case));
    }
    Ok(cases.into_iter().take(limit).collect())
}

/// Somebody, and the groups that they are in.
fn groups(view: &View<'_>, reader: &Reader) -> Result<Vec<Uuid>, Error> {
    let user = reader.user;
    let rows = view.page(&table::IN_GROUP, &user, None, usize::MAX)?;
    let groups = rows.into_iter().map(|((_, group), ())| group);
    // Who is in a group can't be told where a record about it can't be read.
    let groups = groups.filter(|group| whole(view, *group).is_ok());
    Ok(std::iter::once(user).chain(groups).collect())
}
