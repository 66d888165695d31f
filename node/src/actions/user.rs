//! Users: who may ask this node for something, and the tokens that prove it.

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use uuid::Uuid;

use super::decide::{Context, Decided, Effect, broken, filled, line};
use super::{Caller, Change, Error, ErrorKind, Query, people, role};
use crate::event::{Event, TokenMade, UserAdded, UserEdited};
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

/// Makes a token for a user. It is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// The user: name, e-mail address, number on the badge, or id.
    pub user: String,
    /// After how many days it stops being valid, 1 to 365; 90 where left out.
    #[serde(default)]
    pub days: Option<u32>,
}

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

/// A token, shown once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Issued {
    /// What the caller sends as `Authorization: Bearer ...`.
    pub token: String,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
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

impl Change for Token {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Issued>, Error> {
        let (user, found) = people::user(&context.view, &self.user)?;
        // Whoever holds the token is that user.
        context.grants(&role::held(&context.view, &found.role)?)?;
        let days = self.days.unwrap_or(90);
        if !(1..=365).contains(&days) {
            let message = format!("a token cannot be valid for {days} days");
            return Err(Error::new(ErrorKind::Invalid, message).hint("choose 1 to 365 days"));
        }
        let mut secret = [0; 32];
        (context.chance)(&mut secret);
        let token = format!("{TOKEN_PREFIX}{}", Digest(secret));
        let expires_at = context.now + TimeDelta::days(i64::from(days));
        let made = TokenMade {
            user,
            hash: hash(&token),
            expires_at,
        };
        let issued = Issued { token, expires_at };
        Ok(Decided::new(vec![Event::TokenMade(made)], move |_| {
            Ok(issued)
        }))
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

/// What is kept of a token.
pub fn hash(token: &str) -> Sha256 {
    Sha256(sha2::Sha256::digest(token).into())
}

/// What every token begins with, so that one that leaked is recognised.
const TOKEN_PREFIX: &str = "interdocket_";
