//! Users: who may ask this node for something.

use chrono::{DateTime, Utc};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{Context, Decided, Effect, broken, filled, line};
use super::{Caller, Change, Error, ErrorKind, Query, people, role};
use crate::event::{Event, UserAdded, UserEdited};
use crate::store::view::View;
use crate::store::{entity, table};

/// Adds a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The name, unique on this node.
    pub name: String,
    /// The role: what the user may do.
    pub role: String,
    /// The e-mail address; empty where there is none.
    #[serde(default)]
    pub email: String,
    /// The number on the badge; empty where there is none.
    #[serde(default)]
    pub badge: String,
}

/// Changes what is said of a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// The user: name, e-mail address, number on the badge, or id.
    pub user: String,
    /// The role: what the user may do; as it is where left out.
    #[serde(default)]
    pub role: Option<String>,
    /// The e-mail address, empty for none; as it is where left out.
    #[serde(default)]
    pub email: Option<String>,
    /// The number on the badge, empty for none; as it is where left out.
    #[serde(default)]
    pub badge: Option<String>,
}

/// Lists users.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// A user as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Stays the same for as long as the user exists.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The role: what the user may do.
    pub role: String,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The number on the badge; empty where there is none.
    pub badge: String,
    /// When the user was added.
    pub added_at: DateTime<Utc>,
}

/// All users.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Users {
    /// By name.
    pub users: Vec<User>,
}

impl Change for Add {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<User>, Error> {
        // People are addressed by it.
        let name = filled("name", line("name", &self.name, limits::RECIPIENT_MAX)?)?;
        let email = email(&self.email)?;
        let badge = line("badge", &self.badge, limits::BADGE_MAX)?;
        let (role, permissions) = role::named(&context.view, &self.role)?;
        context.grants(&permissions)?;
        let id = context.id();
        people::free(&context.view, id, [&name, &email, &badge])?;
        let added = UserAdded {
            id,
            name,
            role,
            email,
            badge,
        };
        Ok(Decided::new(vec![Event::UserAdded(added)], move |view| {
            shown(view, id)
        }))
    }
}

impl Change for Edit {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<User>, Error> {
        let (id, user) = people::user(&context.view, &self.user)?;
        let email = self.email.as_deref().map(email).transpose()?;
        let badge = self.badge.as_deref();
        let badge = badge.map(|badge| line("badge", badge, limits::BADGE_MAX));
        let role = match &self.role {
            Some(role) => {
                let (role, permissions) = role::named(&context.view, role)?;
                context.grants(&permissions)?;
                context.grants(&role::held(&context.view, &user.role)?)?;
                role
            }
            None => user.role,
        };
        let edited = UserEdited {
            id,
            role,
            email: email.unwrap_or(user.email),
            badge: badge.transpose()?.unwrap_or(user.badge),
        };
        people::free(&context.view, id, [&edited.email, &edited.badge])?;
        Ok(
            Decided::new(vec![Event::UserEdited(edited)], move |view| shown(view, id))
                .then(Effect::Recheck),
        )
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Users, Error> {
        let mut users = Vec::new();
        for (id, user) in view.page(&table::USER, &(), None, usize::MAX)? {
            users.push(User::of(id, user));
        }
        users.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Users { users })
    }
}

fn shown(view: &View<'_>, id: Uuid) -> Result<User, Error> {
    let user = view.get(&table::USER, &id)?;
    Ok(User::of(
        id,
        user.ok_or_else(|| broken("a user is missing"))?,
    ))
}

fn email(text: &str) -> Result<String, Error> {
    let email = line("e-mail address", text, limits::RECIPIENT_MAX)?;
    let parts = email.split_once('@');
    if email.is_empty() || parts.is_some_and(|(who, place)| !who.is_empty() && !place.is_empty()) {
        return Ok(email);
    }
    let message = format!("\"{email}\" is no e-mail address");
    Err(Error::new(ErrorKind::Invalid, message).hint("write it as name@example.org"))
}

impl User {
    fn of(id: Uuid, user: entity::User) -> Self {
        Self {
            id,
            name: user.name,
            role: user.role,
            email: user.email,
            badge: user.badge,
            added_at: user.added_at,
        }
    }
}
