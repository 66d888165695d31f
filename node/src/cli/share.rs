//! Shares: sending copies, watching them arrive, adding to them, ending and cancelling them.

use std::time::Duration;

use clap::{Args, Subcommand};
use interdocket_sync::id::{EvidenceId, ShareId};

use super::client::Client;
use super::error::Error;
use super::out::Out;
use super::table::{Table, behind, count, size, time};
use super::{Context, Range, name};
use crate::actions::share::{self, Direction, Page, Share, Status, Totals};
use crate::actions::{self, ErrorKind};
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Share a copy of a case, or of part of it, with a partner.
    #[command(
        after_help = "Example:\n  interdocket share copy 2026-17 --partner 'South Police' --folder photos --wait"
    )]
    Copy(Copy),
    /// List shares.
    #[command(after_help = "Example:\n  interdocket share list --partner 'South Police'")]
    List {
        /// Only those of this case, by number or id.
        #[arg(long)]
        case: Option<String>,
        /// Only those with this partner, by name or id.
        #[arg(long)]
        partner: Option<String>,
        #[command(flatten)]
        range: Range,
    },
    /// Show a share with its receipts.
    #[command(
        after_help = "Example:\n  interdocket share show 0197a3e4-5b6c-7d8e-9f00-112233445566 --wait"
    )]
    Show {
        /// Its id.
        share: ShareId,
        /// Wait until the partner holds everything.
        #[arg(long)]
        wait: bool,
    },
    /// Update a copy with evidence that was added since: only additions, never changes.
    #[command(
        after_help = "Example:\n  interdocket share add 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Add {
        /// The share's id.
        share: ShareId,
        /// Only this item; repeat it for more. Everything new where left out.
        #[arg(long, value_name = "ID")]
        evidence: Vec<EvidenceId>,
        /// Wait until the partner holds everything.
        #[arg(long)]
        wait: bool,
    },
    /// End a copy: no updates any more. What the partner has stays the partner's.
    #[command(
        after_help = "Example:\n  interdocket share end 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    End {
        /// The share's id.
        share: ShareId,
    },
    /// Cancel a copy that is under way: nothing more is sent.
    #[command(
        after_help = "Example:\n  interdocket share cancel 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Cancel {
        /// The share's id.
        share: ShareId,
    },
}

/// What is shared, and with whom.
#[derive(Debug, Args)]
pub(super) struct Copy {
    /// The case's number or id.
    case: String,
    /// The partner's name or id.
    #[arg(long, value_name = "NAME")]
    partner: String,
    /// Only this item of evidence; repeat it for more. The entire case where nothing is chosen.
    #[arg(long, value_name = "ID")]
    evidence: Vec<EvidenceId>,
    /// Only what lies in this folder or below; repeat it for more.
    #[arg(long = "folder", value_name = "FOLDER")]
    folders: Vec<String>,
    /// Somebody there who should have it, as the partner knows them; repeat it for more.
    #[arg(long = "recipient", value_name = "NAME")]
    recipients: Vec<String>,
    /// A message to them.
    #[arg(long, default_value = "")]
    message: String,
    /// Wait until the partner holds everything.
    #[arg(long)]
    wait: bool,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let (share, wait) = match self {
            Self::List {
                case,
                partner,
                range,
            } => return list(context, case, partner, range).await,
            Self::Copy(copy) => {
                let request = share::Copy {
                    case: copy.case,
                    partner: copy.partner,
                    evidence: copy.evidence,
                    folders: copy.folders,
                    recipients: copy.recipients,
                    message: copy.message,
                };
                (client.call(&request).await?, copy.wait)
            }
            Self::Show { share, wait } => (client.call(&share::Show { share }).await?, wait),
            Self::Add {
                share,
                evidence,
                wait,
            } => (client.call(&share::Add { share, evidence }).await?, wait),
            Self::End { share } => (client.call(&share::End { share }).await?, false),
            Self::Cancel { share } => (client.call(&share::Cancel { share }).await?, false),
        };
        if !wait {
            return context.out.reply(&share, show);
        }
        let share = delivered(client, context.out, share).await?;
        context.out.reply(&share, show)
    }
}

/// Waits until the partner holds everything, and shows how far it is.
pub(super) async fn delivered(
    client: &Client,
    out: Out,
    mut share: Share,
) -> Result<Share, actions::Error> {
    let bar = out.bytes(share.listed.bytes, "Delivering");
    loop {
        match share.status {
            Status::Processing => {}
            // With its receipts, which only this action gives.
            Status::Complete => {
                bar.finish_and_clear();
                return client.call(&share::Show { share: share.id }).await;
            }
            other => {
                bar.finish_and_clear();
                return Err(stopped(&share, other));
            }
        }
        bar.set_length(share.listed.bytes);
        bar.set_position(share.stored.bytes);
        tokio::time::sleep(POLL).await;
        share = client.call(&share::Show { share: share.id }).await?;
    }
}

fn stopped(share: &Share, status: Status) -> actions::Error {
    let message = format!(
        "the copy for {} will not become complete: it is {}",
        share.partner_name,
        name(&status)
    );
    let error = actions::Error::new(ErrorKind::Conflict, message);
    error.hint(format!("see more: interdocket share show {}", share.id))
}

async fn list(
    context: &Context,
    case: Option<String>,
    partner: Option<String>,
    range: Range,
) -> Result<(), Error> {
    let mut shown = Page {
        shares: Vec::new(),
        next: range.after,
    };
    loop {
        let request = share::List {
            case: case.clone(),
            partner: partner.clone(),
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.shares.extend(page.shares);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        context.out.more(page.next.as_deref());
        let mut table = Table::new([
            "id", "kind", "way", "partner", "case", "status", "stored", "waiting",
        ]);
        for share in &page.shares {
            let (stored, listed) = (share.stored.files, share.listed.files);
            table.row([
                &share.id.to_string(),
                &name(&share.kind),
                way(share.direction),
                &share.partner_name,
                share.case_number.as_deref().unwrap_or("-"),
                &name(&share.status),
                &format!("{stored} of {listed} files"),
                &behind(share.behind, share.behind_since),
            ]);
        }
        table.to_string()
    })
}

fn show(share: &Share) -> String {
    let mut table = Table::pairs();
    table.row(["Id", &share.id.to_string()]);
    table.row(["Kind", &name(&share.kind)]);
    table.row(["Way", way(share.direction)]);
    table.row(["Partner", &share.partner_name]);
    table.row(["Case", share.case_number.as_deref().unwrap_or("-")]);
    table.row(["Status", &name(&share.status)]);
    table.row(["Offered", &time(share.offered_at)]);
    table.row(["Recipients", &share.recipients.join(", ")]);
    table.row(["Message", &share.message]);
    table.row(["Disclosed", &totals(share.listed)]);
    table.row(["Partner holds", &totals(share.stored)]);
    table.row(["Waiting", &behind(share.behind, share.behind_since)]);
    if let Some(refusal) = &share.refusal {
        table.row(["Not taken", refusal]);
    }
    let mut shown = table.to_string();
    let receipts = receipts(share);
    if !receipts.is_empty() {
        shown += &format!("Receipts\n{receipts}");
    }
    shown
}

/// Shows the receipts of a share, one a line.
pub(super) fn receipts(share: &Share) -> String {
    let mut shown = String::new();
    for receipt in &share.receipts {
        shown += &format!(
            "  {} log, {} up to {}: signed {}, countersigned {}\n",
            text::display(&receipt.log),
            count(receipt.count, "entry", "entries"),
            text::display(&receipt.hash),
            time(receipt.signed_at),
            time(receipt.countersigned_at),
        );
    }
    shown
}

fn totals(totals: Totals) -> String {
    format!(
        "{}, {}, {}",
        count(totals.evidence, "item", "items"),
        count(totals.files, "file", "files"),
        size(totals.bytes)
    )
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Sent => "to",
        Direction::Received => "from",
    }
}

/// Between two looks at a share that is being delivered.
const POLL: Duration = Duration::from_millis(300);
