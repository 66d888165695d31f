//! Groups of users; units are groups as well, under a name of their own.

use clap::Subcommand;

use super::Context;
use super::error::Error;
use super::table::{Table, time};
use crate::actions::group::{self, Kind};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add one, which can be a recipient and can be given access.
    #[command(
        after_help = "Example:\n  interdocket group add Homicide\n  interdocket unit add 'Car 12'"
    )]
    Add {
        /// The name: no user, group or unit is called so.
        name: String,
    },
    /// List them.
    #[command(after_help = "Example:\n  interdocket group list\n  interdocket unit list")]
    List,
    /// Show who is in it.
    #[command(
        after_help = "Example:\n  interdocket group show Homicide\n  interdocket unit show 'Car 12'"
    )]
    Show {
        /// Its name or id.
        group: String,
    },
    /// Change who is in it. It counts at once, also for what was shared with it before.
    #[command(
        after_help = "Example:\n  interdocket group edit Homicide --add 'Kim Berg' --remove 4711\n  \
                      interdocket unit edit 'Car 12' --add 'Kim Berg'"
    )]
    Edit {
        /// Its name or id.
        group: String,
        /// A user who comes in: name, e-mail address or number on the badge; repeat it for more.
        #[arg(long, value_name = "USER")]
        add: Vec<String>,
        /// A user who goes out; repeat it for more.
        #[arg(long, value_name = "USER")]
        remove: Vec<String>,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context, kind: Kind) -> Result<(), Error> {
        match self {
            Self::Add { name } => {
                let group = context.client.call(&group::Add { name, kind }).await?;
                context.out.reply(&group, |group| {
                    format!("Added {}.", crate::text::display(&group.name))
                })
            }
            Self::List => {
                let kind = Some(kind);
                let groups = context.client.call(&group::List { kind }).await?;
                context.out.reply(&groups, |groups| {
                    let mut table = Table::new(["name", "members", "made", "id"]);
                    for group in &groups.groups {
                        table.row([
                            &group.name,
                            &group.members.to_string(),
                            &time(group.made_at),
                            &group.id.to_string(),
                        ]);
                    }
                    table.to_string()
                })
            }
            Self::Show { group } => show(context, group).await,
            Self::Edit { group, add, remove } => {
                let request = group::Edit { group, add, remove };
                let edited = context.client.call(&request).await?;
                show(context, edited.group.id.to_string()).await
            }
        }
    }
}

async fn show(context: &Context, group: String) -> Result<(), Error> {
    let page = |after| group::Show {
        group: group.clone(),
        after,
        limit: Some(1000),
    };
    let mut shown = context.client.call(&page(None)).await?;
    while let Some(after) = shown.next.take() {
        let more = context.client.call(&page(Some(after))).await?;
        shown.names.extend(more.names);
        shown.next = more.next;
    }
    context.out.reply(&shown, |shown| {
        let mut table = Table::new(["name", "in"]);
        for name in &shown.names {
            table.row([name, &shown.group.name]);
        }
        table.to_string()
    })
}
