//! Disclosures: what of cases guests read in the portal of this node.

use clap::{Args, Subcommand};
use interdocket_sync::id::EvidenceId;

use super::error::Error;
use super::table::{Table, maybe_time, size, time};
use super::{Context, Range, name, named};
use crate::actions::disclosure::{self, Disclosure, DisclosureId, Page, Shown};
use crate::actions::portal::Item;
use crate::actions::share::{Attachment, Scope, Targets};
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Disclose a case, or part of it, to guests: what a copy of it would have now.
    Make(Make),
    /// Add evidence to a disclosure, as it is now: what is new in what was chosen first, or what is named.
    #[command(
        after_help = "Example:\n  interdocket disclosure update 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Update {
        /// The disclosure's id.
        disclosure: DisclosureId,
        /// This item of evidence; repeat it for more.
        #[arg(long, value_name = "ID")]
        evidence: Vec<EvidenceId>,
        /// What lies in this folder or below; repeat it for more.
        #[arg(long = "folder", value_name = "FOLDER")]
        folders: Vec<String>,
    },
    /// End a disclosure: from now on nobody reads it.
    #[command(
        after_help = "Example:\n  interdocket disclosure end 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    End {
        /// The disclosure's id.
        disclosure: DisclosureId,
    },
    /// List disclosures.
    #[command(after_help = "Example:\n  interdocket disclosure list --case 2026-17")]
    List {
        /// Only those of this case, by number or id.
        #[arg(long)]
        case: Option<String>,
        #[command(flatten)]
        range: Range,
    },
    /// Show a disclosure with its evidence, as guests see it.
    #[command(
        after_help = "Example:\n  interdocket disclosure show 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Show {
        /// The disclosure's id.
        disclosure: DisclosureId,
        #[command(flatten)]
        range: Range,
    },
}

/// What is disclosed, and to whom.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  interdocket disclosure make 2026-17 --guest 'Dee Lund' --folder photos --days 30"
)]
pub(super) struct Make {
    /// The case's number or id.
    case: String,
    /// A guest, by name or e-mail address; repeat it for more.
    #[arg(long = "guest", value_name = "NAME", required = true)]
    guests: Vec<String>,
    /// For how many days; until it is ended, where left out.
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// Only this item of evidence; repeat it for more. The entire case where nothing is chosen.
    #[arg(long, value_name = "ID")]
    evidence: Vec<EvidenceId>,
    /// Only what lies in this folder or below; repeat it for more.
    #[arg(long = "folder", value_name = "FOLDER")]
    folders: Vec<String>,
    /// Which targets of the case: all, present ones, or none. Where left out, all of them with the entire case, else
    /// none. None is added later.
    #[arg(long, value_parser = named::<Targets>(["all", "present", "none"]))]
    targets: Option<Targets>,
    /// What goes along with the evidence; repeat it for more. Where left out, markers only.
    #[arg(long = "attach", value_name = "WHAT", value_parser = named::<Attachment>(["audit_trail", "notes", "markers", "transcripts"]))]
    attachments: Vec<Attachment>,
    /// A message to the guests.
    #[arg(long, default_value = "")]
    message: String,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let disclosure = match self {
            Self::List { case, range } => return list(context, case, range).await,
            Self::Show { disclosure, range } => return show(context, disclosure, range).await,
            Self::Make(make) => client.call(&make.request()).await?,
            Self::Update {
                disclosure,
                evidence,
                folders,
            } => {
                let request = disclosure::Update {
                    disclosure,
                    evidence,
                    folders,
                };
                client.call(&request).await?
            }
            Self::End { disclosure } => client.call(&disclosure::End { disclosure }).await?,
        };
        context
            .out
            .reply(&disclosure, |disclosure| pairs(disclosure).to_string())
    }
}

impl Make {
    fn request(self) -> disclosure::Make {
        disclosure::Make {
            case: self.case,
            guests: self.guests,
            days: self.days,
            evidence: self.evidence,
            folders: self.folders,
            targets: self.targets,
            message: self.message,
            attachments: (!self.attachments.is_empty())
                .then(|| self.attachments.into_iter().collect()),
        }
    }
}

async fn list(context: &Context, case: Option<String>, range: Range) -> Result<(), Error> {
    let mut shown = Page {
        disclosures: Vec::new(),
        next: range.after,
    };
    loop {
        let request = disclosure::List {
            case: case.clone(),
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.disclosures.extend(page.disclosures);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        context.out.more(page.next.as_deref());
        let names = [
            "id", "case", "guests", "status", "evidence", "made", "until",
        ];
        let mut table = Table::new(names);
        for one in &page.disclosures {
            table.row([
                &one.id.to_string(),
                one.case_number.as_deref().unwrap_or("(deleted)"),
                &one.guests.join(", "),
                &name(&one.status),
                &evidence(one),
                &time(one.made_at),
                &maybe_time(one.expires_at),
            ]);
        }
        table.to_string()
    })
}

async fn show(context: &Context, disclosure: DisclosureId, range: Range) -> Result<(), Error> {
    let mut request = disclosure::Show {
        disclosure,
        after: range.after,
        limit: Some(range.limit.unwrap_or(1000)),
    };
    let mut shown = context.client.call(&request).await?;
    while shown.next.is_some() && range.limit.is_none() {
        request.after = shown.next.take();
        let page = context.client.call(&request).await?;
        shown.items.extend(page.items);
        shown.next = page.next;
    }
    context.out.reply(&shown, |shown: &Shown| {
        context.out.more(shown.next.as_deref());
        pairs(&shown.disclosure).to_string() + &items(&shown.items)
    })
}

fn pairs(one: &Disclosure) -> Table {
    let mut table = Table::pairs();
    table.row(["Id", &one.id.to_string()]);
    let case = one.case_number.as_deref().unwrap_or("(deleted)");
    table.row(["Case", case]);
    table.row(["Guests", &one.guests.join(", ")]);
    table.row(["Status", &name(&one.status)]);
    let by = one.made_by.as_deref().unwrap_or("-");
    table.row(["Made", &format!("{} by {by}", time(one.made_at))]);
    if let Some(until) = one.expires_at {
        table.row(["Until", &time(until)]);
    }
    if let Some(ended) = one.ended_at {
        table.row(["Ended", &time(ended)]);
    }
    let scope = match &one.scope {
        Scope::Entire => "the entire case".to_owned(),
        Scope::Folders(folders) => format!("folders: {}", folders.join(", ")),
        Scope::Selected => "selected evidence".to_owned(),
    };
    table.row(["Scope", &scope]);
    let attachments: Vec<String> = one.attachments.iter().map(name).collect();
    table.row(["Attached", &attachments.join(", ")]);
    table.row(["Evidence", &evidence(one)]);
    table
}

fn evidence(one: &Disclosure) -> String {
    let items = super::table::count(one.evidence, "item", "items");
    match one.deleted {
        0 => items,
        deleted => format!("{items}, {deleted} of them deleted since"),
    }
}

fn items(items: &[Item]) -> String {
    let mut table = Table::new(["evidence", "folder", "title", "file", "size"]);
    for item in items {
        for file in &item.files {
            table.row([
                &item.evidence.to_string(),
                &item.folder,
                &item.title,
                &text::display(&file.name),
                &size(file.size),
            ]);
        }
    }
    table.to_string()
}
