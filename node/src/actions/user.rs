//! Users: who may ask this node for something, and the tokens that prove it.

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use uuid::Uuid;

use super::decide::{Context, Decided, broken, filled, line};
use super::{Change, Error, ErrorKind, Query};
use crate::event::{Event, TokenMade, UserAdded};
use crate::store::view::View;
use crate::store::{entity, table};

/// Adds a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The name, unique on this node.
    pub name: String,
    /// What the user may do.
    pub role: Role,
}

/// Lists users.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// Makes a token for a user. It is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// The user's name.
    pub user: String,
    /// After how many days it stops being valid, 1 to 365; 90 where left out.
    #[serde(default)]
    pub days: Option<u32>,
}

/// What a user may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Cases, evidence and shares.
    Investigator,
    /// Reading, and the audit.
    Auditor,
}

/// A user as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Stays the same for as long as the user exists.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
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
        let name = filled("name", line("name", &self.name, limits::ACTOR_NAME_MAX)?)?;
        if context.view.has(&table::USER_NAME, &name)? {
            let message = format!("there is a user \"{name}\" already");
            return Err(Error::new(ErrorKind::Conflict, message).hint("choose another name"));
        }
        let id = context.id();
        let added = UserAdded {
            id,
            name,
            role: self.role,
        };
        Ok(Decided::new(vec![Event::UserAdded(added)], move |view| {
            let user = view
                .get(&table::USER, &id)?
                .ok_or_else(|| broken("a user is missing"))?;
            Ok(User::of(id, user))
        }))
    }
}

impl Change for Token {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Issued>, Error> {
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no user \"{}\"", self.user),
            )
            .hint("list them: interdocket user list")
        };
        let user = context
            .view
            .get(&table::USER_NAME, &self.user)?
            .ok_or_else(missing)?;
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
    fn answer(&self, view: &View<'_>, _: DateTime<Utc>) -> Result<Users, Error> {
        let mut users = Vec::new();
        for (_, id) in view.page(&table::USER_NAME, &(), None, usize::MAX)? {
            let user = view
                .get(&table::USER, &id)?
                .ok_or_else(|| broken("a user is missing"))?;
            users.push(User::of(id, user));
        }
        Ok(Users { users })
    }
}

impl User {
    fn of(id: Uuid, user: entity::User) -> Self {
        Self {
            id,
            name: user.name,
            role: user.role,
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
