//! Whom people mean: the users and groups of this node, by name, e-mail address or the number on a badge.
//!
//! Nobody is called as somebody else is: a recipient is one user, or one group.

use interdocket_sync::metadata::Value;
use uuid::Uuid;

use super::decide::whole;
use super::{Actor, Error, ErrorKind};
use crate::store::entity::{self, Known};
use crate::store::table;
use crate::store::view::View;

/// How whoever owns the local socket is called: in records, and by partners. No user and no group is.
pub const OWNER: &str = "administrator";

/// What a name, an address or a number is looked up by: whatever its case and the space around it.
pub fn called(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Who is called so; nobody where nobody is.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn known(view: &View<'_>, text: &str) -> Result<Option<Known>, Error> {
    Ok(view.get(&table::KNOWN, &called(text))?)
}

/// Somebody of this organisation as evidence names them: with the number on their badge.
pub fn named(actor: &Actor) -> Value {
    let text = match actor.badge.as_str() {
        "" => actor.name.clone(),
        badge => format!("{} ({badge})", actor.name),
    };
    Value {
        text,
        organisation: None,
    }
}

/// The name of whoever of this organisation is called so and is not disabled; none where nobody is.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn name(view: &View<'_>, text: &str) -> Result<Option<String>, Error> {
    let found = match known(view, text)? {
        Some(Known::User(id)) => {
            let user = view.get(&table::USER, &id)?;
            let active = user.filter(|user| user.disabled_at.is_none() && !user.guest());
            active.map(|user| user.name)
        }
        Some(Known::Group(id)) => view.get(&table::GROUP, &id)?.map(|group| group.name),
        None if called(text) == OWNER => Some(OWNER.to_owned()),
        None => None,
    };
    Ok(found)
}

/// The names of users and groups, each once.
///
/// # Errors
/// `NotFound` for the first that nobody has.
pub fn names(view: &View<'_>, texts: &[String]) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for text in texts {
        let name = name(view, text)?.ok_or_else(|| nobody(text))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The name of a user or group; the id where the record about them can't be read: that closes nothing else.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn of(view: &View<'_>, id: Uuid) -> Result<String, Error> {
    if let Some(user) = view.get(&table::USER, &id)? {
        return Ok(user.name);
    }
    let group = view.get(&table::GROUP, &id)?;
    Ok(group.map_or_else(|| id.to_string(), |group| group.name))
}

/// Users and groups of this organisation, each once.
///
/// # Errors
/// `NotFound` for the first text that nobody is called by, `Conflict` for one that a guest is.
pub fn ids(view: &View<'_>, texts: &[String]) -> Result<Vec<Uuid>, Error> {
    let id = |text: &String| match known(view, text)? {
        Some(Known::User(id) | Known::Group(id)) => Ok(id),
        None => Err(nobody(text)),
    };
    let mut ids: Vec<Uuid> = Vec::new();
    for id in texts.iter().map(id) {
        let id = id?;
        if let Some(user) = view.get(&table::USER, &id)? {
            member(&user)?;
        }
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The same, of those who may be given something.
///
/// # Errors
/// Also `Conflict` for the first that is disabled.
pub fn active(view: &View<'_>, texts: &[String]) -> Result<Vec<Uuid>, Error> {
    let ids = ids(view, texts)?;
    for id in &ids {
        if let Some(user) = view.get(&table::USER, id)? {
            able(&user)?;
        }
    }
    Ok(ids)
}

/// Refuses what would be given to a user who is disabled.
///
/// # Errors
/// `Conflict`.
pub fn able(user: &entity::User) -> Result<(), Error> {
    if user.disabled_at.is_none() {
        return Ok(());
    }
    let message = format!("{} is disabled", user.name);
    Err(Error::new(ErrorKind::Conflict, message)
        .hint("choose somebody else, or enable them: interdocket user enable USER"))
}

/// Refuses what is for people of this organisation, where it would be given to a guest.
///
/// # Errors
/// `Conflict`.
pub fn member(user: &entity::User) -> Result<(), Error> {
    if !user.guest() {
        return Ok(());
    }
    let message = format!(
        "{} is a guest, who has what is disclosed to them",
        user.name
    );
    Err(Error::new(ErrorKind::Conflict, message)
        .hint("disclose something: interdocket disclosure make CASE --guest NAME"))
}

fn nobody(text: &str) -> Error {
    let message = format!("there is no user or group \"{}\"", text.trim());
    Error::new(ErrorKind::NotFound, message)
        .hint("list them: interdocket user list, interdocket group list")
}

/// A user, by anything that they are called or by id.
///
/// # Errors
/// `NotFound` where there is none.
pub fn user(view: &View<'_>, text: &str) -> Result<(Uuid, entity::User), Error> {
    let id = match known(view, text)? {
        Some(Known::User(id)) => Some(id),
        Some(Known::Group(_)) => None,
        None => text.parse().ok(),
    };
    let user = id.map(|id| view.get(&table::USER, &id)).transpose()?;
    match (id, user.flatten()) {
        (Some(id), Some(user)) => Ok((id, user)),
        _ => Err(
            Error::new(ErrorKind::NotFound, format!("there is no user \"{text}\""))
                .hint("list them: interdocket user list"),
        ),
    }
}

/// A group, by name or id.
///
/// # Errors
/// `NotFound` where there is none.
pub fn group(view: &View<'_>, text: &str) -> Result<(Uuid, entity::Group), Error> {
    let id = match known(view, text)? {
        Some(Known::Group(id)) => Some(id),
        Some(Known::User(_)) => None,
        None => text.parse().ok(),
    };
    let group = id.map(|id| view.get(&table::GROUP, &id)).transpose()?;
    match (id, group.flatten()) {
        (Some(id), Some(group)) => Ok((id, group)),
        _ => Err(
            Error::new(ErrorKind::NotFound, format!("there is no group \"{text}\""))
                .hint("list them: interdocket group list"),
        ),
    }
}

/// Refuses what somebody else than `id` is called already.
///
/// # Errors
/// `Conflict`.
pub fn free<'a>(
    view: &View<'_>,
    id: Uuid,
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<(), Error> {
    for text in texts.into_iter().filter(|text| !text.is_empty()) {
        if called(text) == OWNER {
            let message = format!("\"{OWNER}\" is whoever runs this node");
            return Err(Error::new(ErrorKind::Conflict, message).hint("choose another one"));
        }
        match known(view, text)? {
            Some(Known::User(other) | Known::Group(other)) if other != id => {
                let name = of(view, other)?;
                let message = format!("\"{name}\" is called \"{text}\" already");
                return Err(Error::new(ErrorKind::Conflict, message)
                    .hint("nobody can be called as somebody else is: choose another one"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The first of these recipients that somebody is or belongs to; none where they are not addressed.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn addressed(
    view: &View<'_>,
    recipients: &[String],
    actor: &Actor,
) -> Result<Option<String>, Error> {
    for recipient in recipients {
        let is = match known(view, recipient)? {
            Some(Known::User(id)) => id == actor.id,
            Some(Known::Group(id)) => {
                whole(view, id).is_ok() && view.has(&table::MEMBER, &(id, actor.id))?
            }
            // Whoever owns the local socket is no user.
            None => called(recipient) == called(&actor.name),
        };
        if is {
            return Ok(Some(recipient.clone()));
        }
    }
    Ok(None)
}
