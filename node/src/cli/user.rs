//! Users.

use clap::Subcommand;

use super::Context;
use super::error::Error;
use super::table::{Table, time};
use crate::actions::user;
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user.
    #[command(after_help = "Example:\n  interdocket user add 'Kim Berg' --role investigator")]
    Add {
        /// The name, unique on this node.
        name: String,
        /// The role: administrator, investigator, auditor, or one of your own.
        #[arg(long)]
        role: String,
        /// The e-mail address.
        #[arg(long, default_value_t, hide_default_value = true)]
        email: String,
        /// The number on the badge.
        #[arg(long, default_value_t, hide_default_value = true)]
        badge: String,
    },
    /// Change what is said of a user.
    #[command(after_help = "Example:\n  interdocket user edit 'Kim Berg' --badge 4711")]
    Edit {
        /// The user: name, e-mail address or number on the badge.
        user: String,
        /// The role: what the user may do.
        #[arg(long)]
        role: Option<String>,
        /// The e-mail address; empty for none.
        #[arg(long)]
        email: Option<String>,
        /// The number on the badge; empty for none.
        #[arg(long)]
        badge: Option<String>,
    },
    /// List users.
    #[command(after_help = "Example:\n  interdocket user list")]
    List,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        match self {
            Self::Add {
                name,
                role,
                email,
                badge,
            } => {
                let request = user::Add {
                    name,
                    role,
                    email,
                    badge,
                };
                let user = context.client.call(&request).await?;
                context.out.reply(&user, |user| {
                    format!(
                        "Added {}, {}.",
                        text::display(&user.name),
                        text::display(&user.role)
                    )
                })
            }
            Self::Edit {
                user,
                role,
                email,
                badge,
            } => {
                let request = user::Edit {
                    user,
                    role,
                    email,
                    badge,
                };
                let user = context.client.call(&request).await?;
                context.out.reply(&user, |user| {
                    format!("Changed {}.", text::display(&user.name))
                })
            }
            Self::List => {
                let users = context.client.call(&user::List {}).await?;
                context.out.reply(&users, table)
            }
        }
    }
}

fn table(users: &user::Users) -> String {
    let mut table = Table::new(["name", "role", "e-mail", "badge", "added", "id"]);
    for user in &users.users {
        table.row([
            &user.name,
            &user.role,
            &user.email,
            &user.badge,
            &time(user.added_at),
            &user.id.to_string(),
        ]);
    }
    table.to_string()
}
