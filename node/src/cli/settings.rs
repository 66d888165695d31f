//! Settings of the organisation.

use clap::Subcommand;

use super::Context;
use super::error::Error;
use super::table::Table;
use crate::actions::settings::{self, Settings};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what is set.
    #[command(after_help = "Example:\n  interdocket settings show")]
    Show,
    /// Set what is named; the rest stays.
    #[command(after_help = "Example:\n  interdocket settings set --restrict-edit true")]
    Set {
        /// Whether a case is changed only by who made it, who is assigned to it, and who reaches every case.
        #[arg(long, value_name = "BOOL")]
        restrict_edit: Option<bool>,
        /// What is shown before anybody signs in; empty for the text that every node has.
        #[arg(long, value_name = "TEXT")]
        banner: Option<String>,
        /// How many days lie between that something is queued for deletion and that it is deleted; 0 for at once.
        #[arg(long, value_name = "DAYS")]
        deletion_days: Option<u32>,
        /// Whether there is a portal: where guests sign in and read what was disclosed to them.
        #[arg(long, value_name = "BOOL")]
        disclosure_portal: Option<bool>,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let settings = match self {
            Self::Show => context.client.call(&settings::Show {}).await?,
            Self::Set {
                restrict_edit,
                banner,
                deletion_days,
                disclosure_portal,
            } => {
                let request = settings::Set {
                    restrict_edit,
                    banner,
                    deletion_days,
                    disclosure_portal,
                };
                context.client.call(&request).await?
            }
        };
        context.out.reply(&settings, table)
    }
}

fn table(settings: &Settings) -> String {
    let mut table = Table::new(["setting", "value"]);
    table.row(["restrict edit", &settings.restrict_edit.to_string()]);
    let banner = match settings.banner.is_empty() {
        true => "as on every node",
        false => &settings.banner,
    };
    table.row(["banner", banner]);
    table.row(["deletion days", &settings.deletion_days.to_string()]);
    let portal = settings.disclosure_portal.to_string();
    table.row(["disclosure portal", &portal]);
    table.to_string()
}
