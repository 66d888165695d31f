//! Features of the organisation.

use clap::Subcommand;

use super::error::Error;
use super::table::Table;
use super::{Context, named};
use crate::actions::feature::{self, Listed};
use crate::features::Feature;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List every feature, whether it is on, and what it is for.
    #[command(after_help = "Example:\n  interdocket feature list")]
    List,
    /// Enable features; partners learn of it at once.
    #[command(
        after_help = "Example:\n  interdocket feature enable case_share case_sharing_by_reference"
    )]
    Enable {
        /// Which ones.
        #[arg(required = true, value_name = "FEATURE", value_parser = named::<Feature>(NAMES))]
        features: Vec<Feature>,
    },
    /// Disable features: no new share that needs them is made or taken, those that there are go on.
    #[command(after_help = "Example:\n  interdocket feature disable advanced_sharing")]
    Disable {
        /// Which ones.
        #[arg(required = true, value_name = "FEATURE", value_parser = named::<Feature>(NAMES))]
        features: Vec<Feature>,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let listed = match self {
            Self::List => client.call(&feature::List {}).await?,
            Self::Enable { features } => {
                let features = features.into_iter().collect();
                client.call(&feature::Enable { features }).await?
            }
            Self::Disable { features } => {
                let features = features.into_iter().collect();
                client.call(&feature::Disable { features }).await?
            }
        };
        context.out.reply(&listed, table)
    }
}

fn table(listed: &Listed) -> String {
    let mut table = Table::new(["feature", "on", "what it is for"]);
    for feature in &listed.features {
        let on = ["no", "yes"][usize::from(feature.enabled)];
        table.row([feature.name.name(), on, &feature.meaning]);
    }
    table.to_string()
}

/// The features, as the API names them.
const NAMES: [&str; Feature::ALL.len()] = {
    let mut names = [""; Feature::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Feature::ALL[at].name();
        at += 1;
    }
    names
};
