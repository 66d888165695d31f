//! Evidence: adding files and folders, listing, showing, reading.

pub(super) mod add;
mod get;

use clap::Subcommand;
use interdocket_sync::id::{CaseId, EvidenceId};

use super::client::Client;
use super::error::Error;
use super::table::{Table, size, time};
use super::{Context, Range, name};
use crate::actions;
use crate::actions::evidence::{self, Evidence, Page};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add files and folders to a case; each file becomes one item of evidence.
    Add(add::Add),
    /// List the evidence of a case, in the order in which it was added.
    #[command(after_help = "Example:\n  interdocket evidence list 2026-17")]
    List {
        /// The case's number or id.
        case: String,
        #[command(flatten)]
        range: Range,
    },
    /// Show an item of evidence.
    #[command(
        after_help = "Example:\n  interdocket evidence show 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Show {
        /// Its id.
        evidence: EvidenceId,
    },
    /// Describe evidence anew; what is left out stays. Shares that go on follow.
    #[command(
        after_help = "Example:\n  interdocket evidence edit 0197a3e4-5b6c-7d8e-9f00-112233445566 --title 'Statement of A. Berg' --folder statements"
    )]
    Edit {
        /// Its id.
        evidence: EvidenceId,
        /// The new title.
        #[arg(long)]
        title: Option<String>,
        /// The new folder inside the case; empty for the top.
        #[arg(long)]
        folder: Option<String>,
    },
    /// Read a file of evidence; the node records it.
    Get(get::Get),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        match self {
            Self::Add(add) => add.run(context).await,
            Self::List { case, range } => list(context, case, range).await,
            Self::Show { evidence } => {
                let evidence = context.client.call(&evidence::Show { evidence }).await?;
                context.out.reply(&evidence, show)
            }
            Self::Edit {
                evidence,
                title,
                folder,
            } => {
                let request = evidence::Edit {
                    evidence,
                    title,
                    folder,
                };
                context
                    .out
                    .reply(&context.client.call(&request).await?, show)
            }
            Self::Get(get) => get.run(context).await,
        }
    }
}

/// Lists all evidence of a case, page by page.
pub(super) async fn all(client: &Client, case: CaseId) -> Result<Vec<Evidence>, actions::Error> {
    let mut items = Vec::new();
    let mut request = evidence::List {
        case: case.to_string(),
        after: None,
        limit: Some(1000),
    };
    loop {
        let page = client.call(&request).await?;
        items.extend(page.evidence);
        if page.next.is_none() {
            return Ok(items);
        }
        request.after = page.next;
    }
}

async fn list(context: &Context, case: String, range: Range) -> Result<(), Error> {
    let mut shown = Page {
        evidence: Vec::new(),
        next: range.after,
    };
    loop {
        let request = evidence::List {
            case: case.clone(),
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.evidence.extend(page.evidence);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        context.out.more(page.next.as_deref());
        table(&page.evidence)
    })
}

/// Shows items of evidence, one a row.
pub(super) fn table(items: &[Evidence]) -> String {
    let mut table = Table::new(["id", "folder", "title", "files", "size", "added"]);
    for item in items {
        table.row([
            &item.id.to_string(),
            &item.folder,
            &item.title,
            &item.files.len().to_string(),
            &size(item.files.iter().map(|file| file.size).sum()),
            &time(item.added_at),
        ]);
    }
    table.to_string()
}

fn show(item: &Evidence) -> String {
    let mut table = Table::pairs();
    table.row(["Title", &item.title]);
    table.row(["Folder", &item.folder]);
    table.row(["Added", &time(item.added_at)]);
    table.row(["By", &item.added_by]);
    table.row(["Id", &item.id.to_string()]);
    table.row(["Case", &item.case.to_string()]);
    if let Some(origin) = &item.origin {
        table.row(["From", &origin.organisation.to_string()]);
    }
    for (number, file) in item.files.iter().enumerate() {
        table.row([&format!("File {number}"), &file.name]);
        table.row([
            "  Size",
            &format!("{} ({} bytes)", size(file.size), file.size),
        ]);
        table.row(["  State", &name(&file.state)]);
        table.row(["  SHA-256", &file.sha256.to_string()]);
        table.row(["  BLAKE3", &file.blake3.to_string()]);
    }
    table.to_string()
}
