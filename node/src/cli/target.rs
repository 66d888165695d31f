//! Targets of cases.

use clap::Subcommand;
use interdocket_sync::id::TargetId;

use super::Context;
use super::error::Error;
use super::table::{Table, time};
use crate::actions::target::{self, Targets};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a target to a case. Shares that take in new targets have it by themselves.
    #[command(
        after_help = "Example:\n  interdocket target add 2026-17 'Rae Lind' --description 'Skipper of the Aurora'"
    )]
    Add {
        /// The case's number or id.
        case: String,
        /// The name.
        name: String,
        /// What is known of it.
        #[arg(long, default_value = "")]
        description: String,
    },
    /// List the targets of a case.
    #[command(after_help = "Example:\n  interdocket target list 2026-17")]
    List {
        /// The case's number or id.
        case: String,
    },
    /// Change what is said of a target; what is left out stays.
    #[command(
        after_help = "Example:\n  interdocket target edit 2026-17 0197a3e4-5b6c-7d8e-9f00-112233445566 --name 'Rae Lund'"
    )]
    Edit {
        /// The case's number or id.
        case: String,
        /// The target's id.
        target: TargetId,
        /// The name.
        #[arg(long)]
        name: Option<String>,
        /// What is known of it.
        #[arg(long)]
        description: Option<String>,
    },
    /// Take a target out of a case, and out of its shares.
    #[command(
        after_help = "Example:\n  interdocket target remove 2026-17 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Remove {
        /// The case's number or id.
        case: String,
        /// The target's id.
        target: TargetId,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let targets = match self {
            Self::Add {
                case,
                name,
                description,
            } => {
                let request = target::Add {
                    case,
                    name,
                    description,
                };
                client.call(&request).await?
            }
            Self::List { case } => client.call(&target::List { case }).await?,
            Self::Edit {
                case,
                target,
                name,
                description,
            } => {
                let request = target::Edit {
                    case,
                    target,
                    name,
                    description,
                };
                client.call(&request).await?
            }
            Self::Remove { case, target } => client.call(&target::Remove { case, target }).await?,
        };
        context.out.reply(&targets, table)
    }
}

fn table(targets: &Targets) -> String {
    let mut table = Table::new(["id", "name", "description", "added", "from"]);
    for target in &targets.targets {
        let from = match target.share {
            Some(_) => "partner",
            None => "-",
        };
        table.row([
            &target.id.to_string(),
            &target.name,
            &target.description,
            &time(target.added_at),
            from,
        ]);
    }
    table.to_string()
}
