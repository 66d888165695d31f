//! Roles and what they hold.

use clap::Subcommand;
use clap::builder::TypedValueParser;

use super::error::Error;
use super::table::Table;
use super::{Context, named};
use crate::access::{Permission, Permissions};
use crate::actions::role::{self, Role};
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a role. Nobody can give what they do not hold.
    #[command(
        after_help = "Example:\n  interdocket role add Clerk --permission case.view --permission evidence.view"
    )]
    Add {
        /// The name: no other role is called so.
        name: String,
        /// What it holds; repeat it for more.
        #[arg(long, required = true, value_name = "PERMISSION", value_parser = permission())]
        permission: Vec<Permission>,
    },
    /// Change what a role holds. It counts at once, for everybody who has it.
    #[command(after_help = "Example:\n  interdocket role edit Clerk --add evidence.add")]
    Edit {
        /// The role's name.
        role: String,
        /// What it holds from now on; repeat it for more.
        #[arg(long, value_name = "PERMISSION", value_parser = permission())]
        add: Vec<Permission>,
        /// What it does not hold any more; repeat it for more.
        #[arg(long, value_name = "PERMISSION", value_parser = permission())]
        remove: Vec<Permission>,
    },
    /// List roles with what they hold.
    #[command(after_help = "Example:\n  interdocket role list")]
    List,
    /// Remove a role that nobody has.
    #[command(after_help = "Example:\n  interdocket role remove Clerk")]
    Remove {
        /// The role's name.
        role: String,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        match self {
            Self::Add { name, permission } => {
                let permissions = set(permission);
                let added = context
                    .client
                    .call(&role::Add { name, permissions })
                    .await?;
                context.out.reply(&added, |role| {
                    format!("Added the role {}.", text::display(&role.name))
                })
            }
            Self::Edit { role, add, remove } => {
                let (add, remove) = (set(add), set(remove));
                let edited = context
                    .client
                    .call(&role::Edit { role, add, remove })
                    .await?;
                context.out.reply(&edited, |role| table([role]))
            }
            Self::List => {
                let roles = context.client.call(&role::List {}).await?;
                context.out.reply(&roles, |roles| table(&roles.roles))
            }
            Self::Remove { role } => {
                let removed = context.client.call(&role::Remove { role }).await?;
                context.out.reply(&removed, |role| {
                    format!("Removed the role {}.", text::display(&role.name))
                })
            }
        }
    }
}

fn set(permissions: Vec<Permission>) -> Permissions {
    permissions.into_iter().collect()
}

fn table<'a>(roles: impl IntoIterator<Item = &'a Role>) -> String {
    let mut table = Table::new(["role", "permission", "lets people"]);
    for role in roles {
        for permission in &role.permissions {
            table.row([&role.name, permission.name(), permission.meaning()]);
        }
    }
    table.to_string()
}

fn permission() -> impl TypedValueParser<Value = Permission> {
    named::<Permission>(Permission::ALL.iter().map(|permission| permission.name()))
}
