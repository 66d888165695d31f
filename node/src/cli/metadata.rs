//! Metadata: which fields there are, and what becomes of each.

use clap::Subcommand;

use super::error::Error;
use super::table::Table;
use super::{Context, name};
use crate::actions::metadata::{List, Pieces};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List every piece of metadata, how it is written, and what a copy has of it.
    #[command(after_help = "Example:\n  interdocket metadata list")]
    List,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let Self::List = self;
        let pieces = context.client.call(&List {}).await?;
        context.out.reply(&pieces, table)
    }
}

fn table(pieces: &Pieces) -> String {
    let mut table = Table::new(["name", "written as", "in a copy", "how", "note"]);
    for piece in &pieces.metadata {
        let way = piece.way.as_ref().map(name).unwrap_or_default();
        table.row([
            &piece.name,
            piece.written.as_deref().unwrap_or_default(),
            &piece.rule,
            &way,
            &piece.note,
        ]);
    }
    table.to_string()
}
