//! External cases: listing, showing, reading and importing what partners share with people here.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use interdocket_sync::id::{EvidenceId, ShareId};

use super::error::Error;
use super::evidence::warn;
use super::save::{Part, save};
use super::share::{revocation, totals, words};
use super::table::{Table, size, time};
use super::{Context, Range, name};
use crate::actions::external::{self, External, Page, Shown};
use crate::actions::share::Status;
use crate::actions::{self, ErrorKind};
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the cases that partners share with people here, as references or advanced shares.
    #[command(after_help = "Example:\n  interdocket external list")]
    List {
        #[command(flatten)]
        range: Range,
    },
    /// Show an external case with its evidence.
    #[command(
        after_help = "Example:\n  interdocket external show 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Show {
        /// The share's id.
        share: ShareId,
        #[command(flatten)]
        range: Range,
    },
    /// Read a file of an external case. What is read at its owner is on record at both nodes, what is sealed
    /// here at this one.
    Get(Get),
    /// Import an external case, or what is new of it, where its owner's policy has that.
    #[command(
        after_help = "Example:\n  interdocket external import 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Import {
        /// The share's id.
        share: ShareId,
        /// Only this item; repeat it for more.
        #[arg(long, value_name = "ID")]
        evidence: Vec<EvidenceId>,
    },
    /// Set who here may use an external case besides its recipients, where its owner's policy lets recipients say
    /// so; without anybody, its recipients only.
    #[command(
        after_help = "Example:\n  interdocket external onward 0197a3e4-5b6c-7d8e-9f00-112233445566 --recipient 'Bea Holm'"
    )]
    Onward {
        /// The share's id.
        share: ShareId,
        /// A user or group of this node: name, e-mail address or number on the badge; repeat it for more.
        #[arg(long = "recipient", value_name = "NAME")]
        recipients: Vec<String>,
    },
}

/// Reads a file of an external case, or a part of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  interdocket external get 0197a3e4-5b6c-7d8e-9f00-112233445566 0197a3e4-5b6c-7d8e-9f00-112233445577")]
pub(super) struct Get {
    /// The share's id.
    share: ShareId,
    /// The evidence's id at its owner.
    evidence: EvidenceId,
    /// Which of its files, from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    file: u32,
    /// Only from this byte on.
    #[arg(long, value_name = "BYTE", default_value_t = 0)]
    from: u64,
    /// Only up to this byte, which is left out.
    #[arg(long, value_name = "BYTE")]
    to: Option<u64>,
    /// Look at it: on standard output, and kept nowhere.
    #[arg(long, conflicts_with = "output")]
    view: bool,
    /// Where to: a file, a folder, or `-` for standard output; here, under its own name where left
    /// out.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        match self {
            Self::List { range } => list(context, range).await,
            Self::Show { share, range } => show(context, share, range).await,
            Self::Get(get) => get.run(context).await,
            Self::Import { share, evidence } => {
                let request = external::Import { share, evidence };
                let external = context.client.call(&request).await?;
                context.out.note(
                    "Asked for. What its owner grants becomes a case of this node as it arrives.",
                );
                context
                    .out
                    .reply(&external, |external| pairs(external).to_string())
            }
            Self::Onward { share, recipients } => {
                let request = external::Onward { share, recipients };
                let external = context.client.call(&request).await?;
                context
                    .out
                    .reply(&external, |external| pairs(external).to_string())
            }
        }
    }
}

impl Get {
    async fn run(self, context: &Context) -> Result<(), Error> {
        let before = self.evidence.uuid().as_u128().checked_sub(1);
        let request = external::Show {
            share: self.share,
            after: before.map(|before| uuid::Uuid::from_u128(before).to_string()),
            limit: Some(1),
        };
        let shown = context.client.call(&request).await?;
        let status = shown.external.status;
        if !matches!(status, Status::Active | Status::Processing) {
            let message = format!("this share can't be read now: it is {}", name(&status));
            let error = actions::Error::new(ErrorKind::Conflict, message);
            let hint = format!("see more: interdocket external show {}", self.share);
            return Err(error.hint(hint).into());
        }
        let mut items = shown.items.iter();
        let item = items.find(|item| item.evidence == self.evidence);
        if let Some(item) = item {
            warn(context, &item.metadata);
        }
        let file = item.and_then(|item| item.files.get(self.file as usize));
        let Some(file) = file else {
            let message = format!(
                "there is no file {} of evidence {} in this share",
                self.file, self.evidence
            );
            let error = actions::Error::new(ErrorKind::NotFound, message);
            let hint = format!("see what is: interdocket external show {}", self.share);
            return Err(error.hint(hint).into());
        };
        let to = self.to.unwrap_or(file.size);
        let whole = (self.from, to) == (0, file.size);
        let part = Part {
            name: &file.name,
            size: to.saturating_sub(self.from),
            blake3: whole.then_some(file.blake3),
        };
        let target = format!(
            "/v0/external/{}/evidence/{}/files/{}?from={}&to={to}&download={}",
            self.share, self.evidence, self.file, self.from, !self.view
        );
        let output = if self.view {
            Some("-".into())
        } else {
            self.output
        };
        save(context, &part, &target, output, self.force).await
    }
}

async fn list(context: &Context, range: Range) -> Result<(), Error> {
    let mut shown = Page {
        external: Vec::new(),
        next: range.after,
    };
    loop {
        let request = external::List {
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.external.extend(page.external);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        context.out.more(page.next.as_deref());
        let mut table = Table::new(["share", "kind", "owner", "case", "title", "status", "until"]);
        for external in &page.external {
            let case = external.case.as_ref();
            table.row([
                &external.share.to_string(),
                &name(&external.kind),
                &external.owner_name,
                case.map_or_else(|| closed(external), |case| &case.number),
                case.map_or("", |case| &case.title),
                &name(&external.status),
                &super::table::maybe_time(external.expires_at),
            ]);
        }
        table.to_string()
    })
}

async fn show(context: &Context, share: ShareId, range: Range) -> Result<(), Error> {
    let mut request = external::Show {
        share,
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
    context.out.reply(&shown, |shown| {
        context.out.more(shown.next.as_deref());
        pairs(&shown.external).to_string() + &updates(shown) + &items(shown)
    })
}

fn pairs(external: &External) -> Table {
    let mut table = Table::pairs();
    table.row(["Share", &external.share.to_string()]);
    table.row(["Kind", &name(&external.kind)]);
    table.row(["Owner", &external.owner_name]);
    table.row(["Status", &name(&external.status)]);
    match &external.case {
        Some(case) => {
            table.row(["Case", &case.number]);
            table.row(["Title", &case.title]);
            table.row(["Description", &case.description]);
            for target in &case.targets {
                let about = match target.description.is_empty() {
                    true => target.name.clone(),
                    false => format!("{}: {}", target.name, target.description),
                };
                table.row(["Target", &about]);
            }
        }
        None => table.row(["Case", closed(external)]),
    }
    table.row(["Offered", &time(external.offered_at)]);
    if let Some(expires_at) = external.expires_at {
        table.row(["Until", &time(expires_at)]);
    }
    if let Some(policy) = external.policy {
        table.row(["Policy", &words(policy)]);
    }
    if let Some(known) = &external.revocation {
        table.row(["Revoked", &time(known.at)]);
        table.row(["Here", revocation(known.state)]);
    }
    table.row(["Recipients", &external.recipients.join(", ")]);
    if !external.onward.is_empty() {
        table.row(["Added by them", &external.onward.join(", ")]);
    }
    table.row(["Message", &external.message]);
    if external.policy.is_some() {
        table.row(["Disclosed", &totals(external.listed)]);
        table.row(["Imported", &totals(external.imported)]);
    }
    table
}

/// Why nothing of a case is shown.
const fn closed(external: &External) -> &'static str {
    match external.status {
        Status::Revoked => "(revoked)",
        Status::Suspended => "(suspended)",
        Status::Expired => "(expired)",
        _ => "(locked until its owner renews the lease)",
    }
}

fn updates(shown: &Shown) -> String {
    let Some(updates) = shown.updates else {
        return String::new();
    };
    let case = match updates.case {
        true => ", and the case is described anew",
        false => "",
    };
    let items = super::table::count(updates.evidence, "item", "items");
    format!("To be imported: {items}{case}\n")
}

fn items(shown: &Shown) -> String {
    let mut table = Table::new(["evidence", "folder", "title", "file", "size"]);
    for item in &shown.items {
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
