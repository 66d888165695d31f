//! Roles: what people are called who may do the same.

use chrono::{DateTime, Utc};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{Context, Decided, Effect, count, filled, line};
use super::people::called;
use super::{Caller, Change, Error, ErrorKind, Query, settings};
use crate::access::{self, Permissions};
use crate::event::{Event, RoleSet};
use crate::store::view::View;
use crate::store::{entity, table};

/// Adds a role.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The name: no other role is called so.
    pub name: String,
    /// What it holds.
    pub permissions: Permissions,
}

/// Changes what a role holds. It counts at once, for everybody who has the role.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// The role's name.
    pub role: String,
    /// Permissions that it holds from now on.
    #[serde(default)]
    pub add: Permissions,
    /// Permissions that it does not hold any more.
    #[serde(default)]
    pub remove: Permissions,
}

/// Removes a role that nobody has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Remove {
    /// The role's name.
    pub role: String,
}

/// Lists roles.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// A role as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether every node has it: then it can't be changed.
    pub built_in: bool,
    /// What it holds.
    pub permissions: Permissions,
}

/// All roles.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Roles {
    /// The built-in ones first, then by name.
    pub roles: Vec<Role>,
}

impl Change for Add {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Role>, Error> {
        let name = filled("name", line("name", &self.name, limits::RECIPIENT_MAX)?)?;
        if found(&context.view, &name)?.is_some() {
            let message = format!("there is a role \"{name}\" already");
            return Err(Error::new(ErrorKind::Conflict, message).hint("choose another name"));
        }
        context.grants(&self.permissions)?;
        let set = RoleSet {
            id: context.id(),
            name,
            permissions: self.permissions,
        };
        Ok(changed(set))
    }
}

impl Change for Edit {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Role>, Error> {
        let (name, role) = own(&context.view, &self.role)?;
        context.grants(&self.add)?;
        let mut permissions = role.permissions;
        permissions.extend(self.add);
        permissions.retain(|permission| !self.remove.contains(permission));
        let set = RoleSet {
            id: role.id,
            name,
            permissions,
        };
        Ok(changed(set).then(Effect::Recheck))
    }
}

impl Change for Remove {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Role>, Error> {
        let (name, role) = own(&context.view, &self.role)?;
        if role.holders > 0 {
            let have = count(role.holders, "user has", "users have");
            let message = format!("{have} the role \"{name}\"");
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("give them another one: interdocket user edit USER --role ROLE"));
        }
        let shown = Role::of(&name, &role);
        let removed = RoleSet {
            id: role.id,
            name,
            permissions: role.permissions,
        };
        Ok(Decided::new(vec![Event::RoleRemoved(removed)], |_| {
            Ok(shown)
        }))
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Roles, Error> {
        let portal = settings::of(view)?.disclosure_portal;
        let given = |role: &&access::BuiltIn| portal || role.name != access::GUEST;
        let built_in = access::BUILT_IN.iter().filter(given);
        let mut roles: Vec<Role> = built_in.map(Role::built_in).collect();
        let own = view.page(&table::ROLE, &(), None, usize::MAX)?;
        roles.extend(own.into_iter().map(|(_, role)| Role::of(&role.name, &role)));
        Ok(Roles { roles })
    }
}

fn changed(set: RoleSet) -> Decided<Role> {
    let shown = Role {
        name: set.name.clone(),
        built_in: false,
        permissions: set.permissions.clone(),
    };
    Decided::new(vec![Event::RoleSet(set)], |_| Ok(shown))
}

/// The name of a role as it is written, and what it holds; none where there is no such role.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn found(view: &View<'_>, name: &str) -> Result<Option<(String, Permissions)>, Error> {
    let name = called(name);
    if let Some(role) = access::built_in(&name) {
        return Ok(Some((name, role.permissions())));
    }
    let role = view.get(&table::ROLE, &name)?;
    Ok(role.map(|role| (role.name, role.permissions)))
}

/// The same, for a request that names one.
///
/// # Errors
/// `NotFound` where there is none.
pub fn named(view: &View<'_>, name: &str) -> Result<(String, Permissions), Error> {
    found(view, name)?.ok_or_else(|| missing(name))
}

/// What somebody of a role may do: nothing where there is no such role.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn held(view: &View<'_>, name: &str) -> Result<Permissions, Error> {
    Ok(found(view, name)?.unwrap_or_default().1)
}

/// A role that this organisation made.
fn own(view: &View<'_>, name: &str) -> Result<(String, entity::Role), Error> {
    if access::built_in(&called(name)).is_some() {
        let message = format!("every node has the role \"{name}\" as it is");
        return Err(Error::new(ErrorKind::Conflict, message)
            .hint("add one of your own: interdocket role add NAME --permission PERMISSION"));
    }
    let role = view.get(&table::ROLE, &called(name))?;
    let role = role.ok_or_else(|| missing(name))?;
    Ok((role.name.clone(), role))
}

fn missing(name: &str) -> Error {
    let message = format!("there is no role \"{}\"", name.trim());
    Error::new(ErrorKind::NotFound, message).hint("list them: interdocket role list")
}

impl Role {
    fn of(name: &str, role: &entity::Role) -> Self {
        Self {
            name: name.to_owned(),
            built_in: false,
            permissions: role.permissions.clone(),
        }
    }

    fn built_in(role: &access::BuiltIn) -> Self {
        Self {
            name: role.name.to_owned(),
            built_in: true,
            permissions: role.permissions(),
        }
    }
}
