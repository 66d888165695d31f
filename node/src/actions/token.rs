//! Tokens: what proves to the API that a program or person is a user.

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use uuid::Uuid;

use super::decide::{self, Context, Decided, broken};
use super::{Caller, Change, Error, ErrorKind, Query, people, role};
use crate::event::{Event, TokenMade, TokenRevoked};
use crate::store::view::View;
use crate::store::{entity, table};

/// Makes a token for a user. It is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The user: name, e-mail address, number on the badge, or id.
    pub user: String,
    /// After how many days it stops being valid, 1 to 365; 90 where left out.
    #[serde(default)]
    pub days: Option<u32>,
}

/// Lists the tokens of a user that are valid, without what proves them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// The user: name, e-mail address, number on the badge, or id.
    pub user: String,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Revokes a token: from now on it proves nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Revoke {
    /// The token's id.
    pub token: Uuid,
}

/// A token, shown once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Issued {
    /// By which it is revoked.
    pub id: Uuid,
    /// What the caller sends as `Authorization: Bearer ...`.
    pub token: String,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}

/// A token as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// By which it is revoked.
    pub id: Uuid,
    /// Whose it is.
    pub user: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}

/// A page of tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// In the order in which they were made.
    pub tokens: Vec<Token>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

impl Change for Add {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Issued>, Error> {
        let (user, found) = people::user(&context.view, &self.user)?;
        people::member(&found)?;
        people::able(&found)?;
        // Whoever holds the token is that user.
        context.grants(&role::held(&context.view, &found.role)?)?;
        let days = self.days.unwrap_or(90);
        if !(1..=365).contains(&days) {
            let message = format!("a token cannot be valid for {days} days");
            return Err(Error::new(ErrorKind::Invalid, message).hint("choose 1 to 365 days"));
        }
        let mut secret = [0; 32];
        (context.chance)(&mut secret);
        let token = format!("{PREFIX}{}", Digest(secret));
        let made = TokenMade {
            id: context.id(),
            user,
            hash: hash(&token),
            expires_at: context.now + TimeDelta::days(i64::from(days)),
        };
        let issued = Issued {
            id: made.id,
            token,
            expires_at: made.expires_at,
        };
        Ok(Decided::new(vec![Event::TokenMade(made)], move |_| {
            Ok(issued)
        }))
    }
}

impl Change for Revoke {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Token>, Error> {
        let id = self.token;
        let hash = context.view.get(&table::TOKEN_HASH, &id)?;
        let Some(hash) = hash else {
            let message = format!("there is no token {id}");
            return Err(Error::new(ErrorKind::NotFound, message)
                .hint("list a user's: interdocket token list USER"));
        };
        let token = held(&context.view, &hash)?;
        let shown = Token::of(&context.view, id, &token)?;
        let user = token.user;
        let revoked = TokenRevoked { id, user, hash };
        Ok(Decided::new(vec![Event::TokenRevoked(revoked)], |_| {
            Ok(shown)
        }))
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, now: DateTime<Utc>) -> Result<Page, Error> {
        let limit = decide::limit(self.limit)?;
        let (user, _) = people::user(view, &self.user)?;
        let after: Option<Uuid> = decide::after(self.after.as_deref())?;
        let after = after.map(|token| (user, token));
        let rows = view.page(&table::USER_TOKEN, &user, after.as_ref(), limit)?;
        let last = rows.last().map(|((_, id), ())| id.to_string());
        let next = last.filter(|_| rows.len() == limit);
        let mut tokens = Vec::with_capacity(rows.len());
        for ((_, id), ()) in rows {
            let hash = view.get(&table::TOKEN_HASH, &id)?;
            let hash = hash.ok_or_else(|| broken("a token is missing"))?;
            let token = held(view, &hash)?;
            if token.expires_at > now {
                tokens.push(Token::of(view, id, &token)?);
            }
        }
        Ok(Page { tokens, next })
    }
}

fn held(view: &View<'_>, hash: &Sha256) -> Result<entity::Token, Error> {
    let token = view.get(&table::TOKEN, hash)?;
    token.ok_or_else(|| broken("a token is missing"))
}

impl Token {
    fn of(view: &View<'_>, id: Uuid, token: &entity::Token) -> Result<Self, Error> {
        Ok(Self {
            id,
            user: people::of(view, token.user)?,
            made_at: token.made_at,
            expires_at: token.expires_at,
        })
    }
}

/// What is kept of a token.
pub fn hash(token: &str) -> Sha256 {
    Sha256(sha2::Sha256::digest(token).into())
}

/// What every token begins with, so that one that leaked is recognised.
const PREFIX: &str = "interdocket_";
