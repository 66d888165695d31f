//! How long things are kept: retention policies, and what is about to be deleted.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::error::Error;
use super::table::{Table, time};
use super::{Context, Range};
use crate::actions::retention::{self, Held, Listed, Page};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the retention policies.
    #[command(after_help = "Example:\n  interdocket retention list")]
    List,
    /// Add a retention policy.
    #[command(after_help = "Example:\n  interdocket retention add '10 years' --days 3652")]
    Add {
        /// Its name.
        name: String,
        /// For how many days evidence is kept, from when it was recorded.
        #[arg(long)]
        days: u32,
    },
    /// Change a retention policy. It counts at once for all cases that have it.
    #[command(after_help = "Example:\n  interdocket retention edit '10 years' --days 3653")]
    Edit {
        /// Its name or id.
        policy: String,
        /// The new name.
        #[arg(long)]
        name: Option<String>,
        /// The new number of days.
        #[arg(long)]
        days: Option<u32>,
    },
    /// Remove a retention policy: what cases have that had it is kept until it is deleted by hand.
    #[command(after_help = "Example:\n  interdocket retention remove '10 years'")]
    Remove {
        /// Its name or id.
        policy: String,
    },
    /// Set the retention policy that cases get when they are made here or received.
    #[command(after_help = "Example:\n  interdocket retention default '10 years'")]
    Default {
        /// Its name or id; where left out, they are kept until they are deleted by hand.
        policy: Option<String>,
    },
    /// List what is about to be deleted, when, and why.
    #[command(after_help = "Example:\n  interdocket retention due --limit 20")]
    Due(Range),
}

/// Why something is done.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// Why: it stays on record.
    #[arg(long)]
    pub(super) reason: String,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let listed = match self {
            Self::Due(range) => return due(context, range).await,
            Self::List => client.call(&retention::List {}).await?,
            Self::Add { name, days } => client.call(&retention::Add { name, days }).await?,
            Self::Edit { policy, name, days } => {
                client.call(&retention::Edit { policy, name, days }).await?
            }
            Self::Remove { policy } => client.call(&retention::Remove { policy }).await?,
            Self::Default { policy } => client.call(&retention::SetDefault { policy }).await?,
        };
        context.out.reply(&listed, policies)
    }
}

fn policies(listed: &Listed) -> String {
    let mut table = Table::new(["policy", "days", "default"]);
    for policy in &listed.policies {
        let days = policy.days.map(|days| days.to_string());
        let default = if policy.default { "yes" } else { "" };
        table.row([&policy.name, days.as_deref().unwrap_or("-"), default]);
    }
    table.to_string()
}

async fn due(context: &Context, range: Range) -> Result<(), Error> {
    let mut shown = Page {
        due: Vec::new(),
        next: range.after,
    };
    loop {
        let request = retention::Due {
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.due.extend(page.due);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        let mut table = Table::new([
            "on",
            "case",
            "what",
            "id",
            "by",
            "reason",
            "held",
            "waits for",
        ]);
        for due in &page.due {
            let id = due.evidence.map(|id| id.to_string());
            let waits = due.waits_for.map(|share| format!("share {share}"));
            table.row([
                &time(due.on),
                &due.case_number,
                &due.title,
                id.as_deref().unwrap_or("all of it"),
                due.by.as_deref().unwrap_or("-"),
                &due.reason,
                if due.held { "yes" } else { "" },
                waits.as_deref().unwrap_or_default(),
            ]);
        }
        context.out.more(page.next.as_deref());
        table.to_string()
    })
}

/// Shows how long something is kept.
pub(super) fn kept(
    table: &mut Table,
    until: Option<DateTime<Utc>>,
    hold: Option<&Held>,
    queued: Option<DateTime<Utc>>,
) {
    if let Some(until) = until {
        table.row(["Kept until", &time(until)]);
    }
    if let Some(hold) = hold {
        let by = hold.by.as_deref().unwrap_or("nobody");
        let hold = format!("{}, by {by}: {}", time(hold.at), hold.reason);
        table.row(["Legal hold", &hold]);
    }
    if let Some(queued) = queued {
        table.row(["Deleted on", &time(queued)]);
    }
}
