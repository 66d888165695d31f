//! Users: who may ask this node for something.

use chrono::{DateTime, Utc};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{Context, Decided, Effect, broken, filled, line};
use super::{Caller, Change, Error, ErrorKind, Query, Way, decide, people, portal, role};
use crate::access::GUEST;
use crate::event::{Event, UserAdded, UserDisabled, UserEdited};
use crate::store::view::View;
use crate::store::{entity, table};

/// Adds a user, or a guest where that is the role.
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
    /// The name; as it is where left out. The former one stays theirs: nobody else is ever called so.
    #[serde(default)]
    pub name: Option<String>,
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

/// Disables a user: from now on they do nothing, are given nothing and are found as recipients by nobody. What they
/// did stays on record, and nobody else is called as they are.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Disable {
    /// The user: name, e-mail address, number on the badge, or id.
    pub user: String,
}

/// Enables a user again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Enable {
    /// The user: name, e-mail address, number on the badge, or id.
    pub user: String,
}

/// Lists users by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
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
    /// When they last called, to the day, or were added or enabled: who does not call for 90 days is disabled.
    pub seen_at: DateTime<Utc>,
    /// Since when they may do nothing; nothing where they may do what their role allows.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when they can't sign in, after too many wrong tries.
    pub locked_at: Option<DateTime<Utc>>,
    /// Whether they have a password and an authenticator.
    pub enrolled: bool,
}

/// A page of users.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Users {
    /// By name.
    pub users: Vec<User>,
    /// Where the next page continues; none after the last. A page can have fewer than were asked for and not be the
    /// last one: what does not fit `find` was looked at as well.
    pub next: Option<String>,
}

impl Change for Add {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<User>, Error> {
        // People are addressed by it.
        let name = filled("name", line("name", &self.name, limits::RECIPIENT_MAX)?)?;
        let email = email(&self.email)?;
        let badge = line("badge", &self.badge, limits::BADGE_MAX)?;
        let (role, permissions) = role::named(&context.view, &self.role)?;
        context.grants(&permissions)?;
        if role == GUEST {
            portal::set_up(&context.view)?;
        }
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
        let name = self.name.as_deref().unwrap_or(&user.name);
        let name = filled("name", line("name", name, limits::RECIPIENT_MAX)?)?;
        let email = self.email.as_deref().map(email).transpose()?;
        let badge = self.badge.as_deref();
        let badge = badge.map(|badge| line("badge", badge, limits::BADGE_MAX));
        let role = match &self.role {
            Some(role) => {
                let (role, permissions) = role::named(&context.view, role)?;
                context.grants(&permissions)?;
                stays(&user, &role)?;
                context.grants(&role::held(&context.view, &user.role)?)?;
                role
            }
            None => user.role,
        };
        let edited = UserEdited {
            id,
            name,
            role,
            email: email.unwrap_or(user.email),
            badge: badge.transpose()?.unwrap_or(user.badge),
        };
        people::free(
            &context.view,
            id,
            [&edited.name, &edited.email, &edited.badge],
        )?;
        Ok(
            Decided::new(vec![Event::UserEdited(edited)], move |view| shown(view, id))
                .then(Effect::Recheck),
        )
    }
}

impl Change for Disable {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<User>, Error> {
        let (user, found) = people::user(&context.view, &self.user)?;
        context.grants(&role::held(&context.view, &found.role)?)?;
        // Somebody has to be left who can enable people from afar; whoever owns the socket always can.
        if context.way != Way::Socket && last(&context.view, user)? {
            let message = format!("{} is the last administrator", found.name);
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("give somebody else the role first: interdocket user edit USER --role administrator")
                .hint("or do it as the user who runs the node, on its machine"));
        }
        let idle = false;
        let events = match found.disabled_at {
            Some(_) => Vec::new(),
            None => vec![Event::UserDisabled(UserDisabled { user, idle })],
        };
        Ok(Decided::new(events, move |view| shown(view, user)).then(Effect::Recheck))
    }
}

impl Change for Enable {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<User>, Error> {
        let (id, found) = people::user(&context.view, &self.user)?;
        context.grants(&role::held(&context.view, &found.role)?)?;
        let events = match found.disabled_at {
            Some(_) => vec![Event::UserEnabled(id)],
            None => Vec::new(),
        };
        Ok(Decided::new(events, move |view| shown(view, id)))
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Users, Error> {
        let limit = decide::limit(self.limit)?;
        search(
            view,
            self.find.as_deref(),
            self.after.clone(),
            limit,
            |_| true,
        )
    }
}

/// Users whom `keep` keeps and who have this in their name or e-mail address, behind the name `after`. Looks at a
/// bounded number of users, so that it takes no longer where there are more.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn search(
    view: &View<'_>,
    find: Option<&str>,
    after: Option<String>,
    limit: usize,
    keep: impl Fn(&User) -> bool,
) -> Result<Users, Error> {
    let find = people::called(find.unwrap_or_default());
    let fits = |user: &User| {
        let is = |text: &str| text.to_lowercase().contains(&find);
        find.is_empty() || is(&user.name) || is(&user.email)
    };
    let rows = view.page(&table::USER_NAME, &(), after.as_ref(), LOOKED_AT)?;
    let last = rows.last().map(|(name, _)| name.clone());
    let mut next = last.filter(|_| rows.len() == LOOKED_AT);
    let mut users = Vec::new();
    for (name, id) in rows {
        let user = shown(view, id)?;
        if !fits(&user) || !keep(&user) {
            continue;
        }
        users.push(user);
        if users.len() == limit {
            next = Some(name);
            break;
        }
    }
    Ok(Users { users, next })
}

/// Whether somebody is the last administrator who is not disabled.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn last(view: &View<'_>, user: Uuid) -> Result<bool, Error> {
    let rows = view.page(&table::ADMINISTRATOR, &(), None, 2)?;
    Ok(matches!(rows.as_slice(), [(only, ())] if *only == user))
}

/// A user as shown.
///
/// # Errors
/// [`Error`] where there is none.
pub fn shown(view: &View<'_>, id: Uuid) -> Result<User, Error> {
    let user = view.get(&table::USER, &id)?;
    let user = user.ok_or_else(|| broken("a user is missing"))?;
    Ok(User::of(id, user, view.has(&table::CREDENTIAL, &id)?))
}

/// Refuses to make a user of a guest, or a guest of a user: what they were given as the one, they would have as the other.
fn stays(user: &entity::User, role: &str) -> Result<(), Error> {
    if user.guest() == (role == GUEST) {
        return Ok(());
    }
    let name = &user.name;
    let message = match user.guest() {
        true => format!("{name} is a guest, and becomes no user of this node"),
        false => format!("{name} is a user of this node, and becomes no guest"),
    };
    Err(Error::new(ErrorKind::Conflict, message)
        .hint("add them once more by another name: interdocket user add NAME --role ROLE"))
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
    fn of(id: Uuid, user: entity::User, enrolled: bool) -> Self {
        Self {
            id,
            name: user.name,
            role: user.role,
            email: user.email,
            badge: user.badge,
            added_at: user.added_at,
            seen_at: user.seen_at,
            disabled_at: user.disabled_at,
            locked_at: user.locked_at,
            enrolled,
        }
    }
}

/// Users who are looked at for one page.
const LOOKED_AT: usize = 4096;
