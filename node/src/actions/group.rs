//! Groups: users who are addressed, and given access, together.

use chrono::{DateTime, Utc};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{self, Context, Decided, Effect, broken, filled, line};
use super::{Caller, Change, Error, ErrorKind, Query, people};
use crate::event::{Event, GroupChanged, GroupMade};
use crate::store::view::View;
use crate::store::{entity, table};

/// Adds a group.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The name: no user and no other group of this node is called so.
    pub name: String,
    /// What it is; a group where left out.
    #[serde(default)]
    pub kind: Kind,
}

/// Lists groups.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Only those that are this.
    #[serde(default)]
    pub kind: Option<Kind>,
}

/// Shows who is in a group.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// The group's name or id.
    pub group: String,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many members, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Changes who is in a group.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// The group's name or id.
    pub group: String,
    /// Users who come in: names, e-mail addresses, numbers on badges, or ids.
    #[serde(default)]
    pub add: Vec<String>,
    /// Users who go out.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// What a group is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// People who work together.
    #[default]
    Group,
    /// People and devices in the field.
    Unit,
}

/// A group as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Stays the same for as long as the group exists.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How many users are in it.
    pub members: u64,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

/// All groups.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Groups {
    /// By name.
    pub groups: Vec<Group>,
}

/// A group with some of its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// The group.
    #[serde(flatten)]
    pub group: Group,
    /// Names of users, in the order in which they were added to the node.
    pub names: Vec<String>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

impl Change for Add {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Group>, Error> {
        let name = filled("name", line("name", &self.name, limits::RECIPIENT_MAX)?)?;
        let id = context.id();
        people::free(&context.view, id, [&name])?;
        let made = GroupMade {
            id,
            name,
            kind: self.kind,
        };
        Ok(Decided::new(vec![Event::GroupMade(made)], move |view| {
            found(view, id)
        }))
    }
}

impl Change for Edit {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Shown>, Error> {
        let (group, _) = people::group(&context.view, &self.group)?;
        let most = self.add.len() + self.remove.len();
        if most > USERS_MAX {
            let message = format!("{most} users are more than {USERS_MAX} at once");
            return Err(Error::new(ErrorKind::Invalid, message).hint("do it in several steps"));
        }
        let ids = |names: &[String]| -> Result<Vec<Uuid>, Error> {
            let id = |name: &String| Ok(people::user(&context.view, name)?.0);
            names.iter().map(id).collect()
        };
        let added = ids(&self.add)?;
        people::active(&context.view, &self.add)?;
        let changed = GroupChanged {
            group,
            added,
            removed: ids(&self.remove)?,
        };
        Ok(
            Decided::new(vec![Event::GroupChanged(changed)], move |view| {
                shown(view, group, None, 100)
            })
            .then(Effect::Recheck),
        )
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Groups, Error> {
        let rows = view.page(&table::GROUP, &(), None, usize::MAX)?;
        let groups = rows.into_iter().map(|(id, group)| Group::of(id, group));
        let asked = |group: &Group| self.kind.is_none_or(|kind| kind == group.kind);
        let mut groups: Vec<Group> = groups.filter(asked).collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Groups { groups })
    }
}

impl Query for Show {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Shown, Error> {
        let (id, _) = people::group(view, &self.group)?;
        let after = decide::after(self.after.as_deref())?;
        shown(view, id, after, decide::limit(self.limit)?)
    }
}

fn found(view: &View<'_>, id: Uuid) -> Result<Group, Error> {
    let group = view.get(&table::GROUP, &id)?;
    Ok(Group::of(
        id,
        group.ok_or_else(|| broken("a group is missing"))?,
    ))
}

fn shown(view: &View<'_>, id: Uuid, after: Option<Uuid>, limit: usize) -> Result<Shown, Error> {
    let after = after.map(|user| (id, user));
    let rows = view.page(&table::MEMBER, &id, after.as_ref(), limit)?;
    let last = rows.last().map(|((_, user), ())| user.to_string());
    let next = last.filter(|_| rows.len() == limit);
    let mut names = Vec::with_capacity(rows.len());
    for ((_, user), ()) in rows {
        names.push(people::of(view, user)?);
    }
    Ok(Shown {
        group: found(view, id)?,
        names,
        next,
    })
}

impl Group {
    fn of(id: Uuid, group: entity::Group) -> Self {
        Self {
            id,
            name: group.name,
            kind: group.kind,
            members: group.members,
            made_at: group.made_at,
        }
    }
}

/// Users in one change: one step of the database.
const USERS_MAX: usize = 256;
