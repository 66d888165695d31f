//! Which cases somebody reaches: those to which they, or a group that they are in, have access. What is out of
//! reach looks like what does not exist.

use std::collections::BTreeSet;

use interdocket_sync::copy::Field;
use interdocket_sync::id::CaseId;
use uuid::Uuid;

use super::decide::{self, broken, whole};
use super::{About, Caller, Error, ErrorKind, disclosure, evidence, people, settings};
use crate::access;
use crate::store::entity::Known;
use crate::store::table;
use crate::store::view::View;

/// Refuses what is out of a caller's reach, as if it did not exist; and to change a case, where only some people may
/// and the caller is none of them.
///
/// # Errors
/// `NotFound`, `Forbidden`.
pub fn check(view: &View<'_>, caller: &Caller, action: &str, about: &About) -> Result<(), Error> {
    if access::reaches_all(&caller.permissions) {
        return Ok(());
    }
    if let About::Share(id) = about
        && access::sees_offers(&caller.permissions)
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
        About::Evidence(id) => {
            let found = view.get(&table::EVIDENCE, id)?;
            (found.map(|found| found.case), evidence::missing(*id))
        }
        About::Disclosure(id) => {
            let found = view.get(&table::DISCLOSURE, id)?;
            (found.map(|found| found.case), disclosure::missing(*id))
        }
        // What nothing here came of is an external case: its recipients have commands of their own.
        About::Share(id) => (decide::share(view, *id)?.case, decide::no_share(*id)),
    };
    match found {
        Some(id) if case(view, caller, id)? || of_group(view, caller, about)? => {
            edits(view, caller, action, id)
        }
        _ => Err(missing),
    }
}

/// Whether it is evidence of a group that somebody is in: they reach it by itself, whatever case it is in.
fn of_group(view: &View<'_>, caller: &Caller, about: &About) -> Result<bool, Error> {
    let About::Evidence(id) = about else {
        return Ok(false);
    };
    let fields = view.get(&table::FIELDS, id)?.unwrap_or_default();
    let group = fields.get(&Field::EvidenceGroup);
    // A group of another organisation is nobody here, whoever has its name.
    let Some(own) = group.filter(|group| group.organisation.is_none()) else {
        return Ok(false);
    };
    let Some(Known::Group(group)) = people::known(view, &own.text)? else {
        return Ok(false);
    };
    Ok(groups(view, caller)?.contains(&group))
}

fn edits(view: &View<'_>, caller: &Caller, action: &str, id: CaseId) -> Result<(), Error> {
    if !access::edits(action) || !settings::of(view)?.restrict_edit {
        return Ok(());
    }
    let case = view.get(&table::CASE, &id)?;
    let case = case.ok_or_else(|| broken("a case is missing"))?;
    let who = caller.actor.id;
    if case.made_by(who) || case.assignees.contains(&who) {
        return Ok(());
    }
    let message = format!(
        "only who made case \"{}\", who is assigned to it and administrators change it",
        case.number
    );
    Err(Error::new(ErrorKind::Forbidden, message)
        .hint("ask one of them to assign it to you: interdocket case assign CASE USER"))
}

/// Whether somebody reaches a case.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn case(view: &View<'_>, caller: &Caller, id: CaseId) -> Result<bool, Error> {
    if access::reaches_all(&caller.permissions) {
        return Ok(true);
    }
    for who in groups(view, caller)? {
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
    caller: &Caller,
    after: Option<CaseId>,
    limit: usize,
) -> Result<Vec<CaseId>, Error> {
    if access::reaches_all(&caller.permissions) {
        let rows = view.page(&table::CASE, &(), after.as_ref(), limit)?;
        return Ok(rows.into_iter().map(|(id, _)| id).collect());
    }
    let mut cases = BTreeSet::new();
    for who in groups(view, caller)? {
        let after = after.map(|case| (who, case));
        let rows = view.page(&table::REACHED, &who, after.as_ref(), limit)?;
        cases.extend(rows.into_iter().map(|((_, case), ())| case));
    }
    Ok(cases.into_iter().take(limit).collect())
}

/// Somebody, and the groups that they are in.
fn groups(view: &View<'_>, caller: &Caller) -> Result<Vec<Uuid>, Error> {
    let user = caller.actor.id;
    let rows = view.page(&table::IN_GROUP, &user, None, usize::MAX)?;
    let groups = rows.into_iter().map(|((_, group), ())| group);
    // Who is in a group can't be told where a record about it can't be read.
    let groups = groups.filter(|group| whole(view, *group).is_ok());
    Ok(std::iter::once(user).chain(groups).collect())
}
