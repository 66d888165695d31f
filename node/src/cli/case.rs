//! Cases.

use clap::Subcommand;
use interdocket_sync::id::EvidenceId;

use super::client::Client;
use super::error::Error;
use super::evidence::{Tags, tag};
use super::names::Names;
use super::retention::{Why, kept};
use super::table::{Table, count, size, time};
use super::{Context, Range, name};
use crate::actions;
use crate::actions::case::{self, Case, Page};
use crate::actions::evidence::{Exclude, Include};
use crate::actions::retention;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a case.
    #[command(
        after_help = "Example:\n  interdocket case create 2026-17 --title 'Fire at the harbour'"
    )]
    Create {
        /// The number by which people know it, unique on this node.
        number: String,
        /// What it is about, on one line.
        #[arg(long, default_value = "")]
        title: String,
        /// What it is about, at length.
        #[arg(long, default_value = "")]
        description: String,
        /// The name of somebody whom it is about; once for each.
        #[arg(long = "target", value_name = "NAME")]
        targets: Vec<String>,
    },
    /// List cases, in the order in which they were made.
    #[command(after_help = "Example:\n  interdocket case list --limit 20")]
    List(Range),
    /// Show a case.
    #[command(after_help = "Example:\n  interdocket case show 2026-17")]
    Show {
        /// Its number or id.
        case: String,
    },
    /// Change a case; what is left out stays.
    #[command(
        after_help = "Example:\n  interdocket case edit 2026-17 --title 'Arson at the harbour'"
    )]
    Edit {
        /// Its number or id.
        case: String,
        /// The new number.
        #[arg(long)]
        number: Option<String>,
        /// The new title.
        #[arg(long)]
        title: Option<String>,
        /// The new description.
        #[arg(long)]
        description: Option<String>,
    },
    /// Change the tags of a case. Shares that go on follow.
    #[command(after_help = "Example:\n  interdocket case tag 2026-17 --add arson")]
    Tag {
        /// Its number or id.
        case: String,
        #[command(flatten)]
        tags: Tags,
    },
    /// Set who of this organisation works on a case: users, groups and units. Nothing of it leaves the node by that.
    #[command(
        after_help = "Example:\n  interdocket case access 2026-17 --add 'Kim Berg' --add 'Car 12' --remove 4711"
    )]
    Access {
        /// Its number or id.
        case: String,
        /// A user or group who has access from now on: name, e-mail address or number on the badge; repeat it for more.
        #[arg(long, value_name = "NAME")]
        add: Vec<String>,
        /// A user or group who has not any more; repeat it for more.
        #[arg(long, value_name = "NAME")]
        remove: Vec<String>,
    },
    /// Set who a case is assigned to. They have access to it, with all that who made it may do; who is not assigned
    /// any more has no access any more.
    #[command(after_help = "Example:\n  interdocket case assign 2026-17 'Kim Berg' 4711")]
    Assign {
        /// Its number or id.
        case: String,
        /// Users, the first one first: names, e-mail addresses or numbers on badges; nobody where left out.
        users: Vec<String>,
    },
    /// Find whom a case can be assigned to.
    #[command(after_help = "Example:\n  interdocket case assignable 2026-17 --find berg")]
    Assignable {
        /// Its number or id.
        case: String,
        /// Only those with this in their name or e-mail address.
        #[arg(long, value_name = "TEXT")]
        find: Option<String>,
        #[command(flatten)]
        range: Range,
    },
    #[command(flatten)]
    Contents(Contents),
    /// Open a closed case again.
    #[command(after_help = "Example:\n  interdocket case reopen 2026-17")]
    Reopen {
        /// Its number or id.
        case: String,
    },
    /// Close a case: nothing is added to it any more.
    #[command(after_help = "Example:\n  interdocket case close 2026-17")]
    Close {
        /// Its number or id.
        case: String,
    },
    /// Set the retention policy of a case.
    #[command(after_help = "Example:\n  interdocket case retain 2026-17 '10 years'")]
    Retain {
        /// Its number or id.
        case: String,
        /// The policy's name or id; 'Until Manually Deleted' is always there.
        policy: String,
    },
    /// Put a case on legal hold: nothing of it is deleted, whoever wants that.
    #[command(after_help = "Example:\n  interdocket case hold 2026-17 --reason 'Appeal 4 R 7/26'")]
    Hold {
        /// Its number or id.
        case: String,
        #[command(flatten)]
        why: Why,
    },
    /// Release a case from legal hold.
    #[command(after_help = "Example:\n  interdocket case release 2026-17 --reason 'Appeal over'")]
    Release {
        /// Its number or id.
        case: String,
        #[command(flatten)]
        why: Why,
    },
    /// Queue a case for deletion, with all its evidence.
    #[command(after_help = "Example:\n  interdocket case delete 2026-17 --reason 'Expunged'")]
    Delete {
        /// Its number or id.
        case: String,
        #[command(flatten)]
        why: Why,
    },
    /// Take a case back from deletion.
    #[command(after_help = "Example:\n  interdocket case keep 2026-17 --reason 'Order withdrawn'")]
    Keep {
        /// Its number or id.
        case: String,
        #[command(flatten)]
        why: Why,
    },
}

/// What is in a case.
#[derive(Debug, Subcommand)]
pub(super) enum Contents {
    /// Put evidence of other cases into a case as well, or into another folder of it. It stays one item.
    #[command(
        after_help = "Example:\n  interdocket case include 2026-18 0197a3e4-5b6c-7d8e-9f00-112233445566 --folder calls"
    )]
    Include {
        /// The case's number or id.
        case: String,
        /// The evidence, by id.
        #[arg(required = true)]
        evidence: Vec<EvidenceId>,
        /// The folder inside the case; the top where left out.
        #[arg(long, default_value = "")]
        folder: String,
    },
    /// Take evidence out of a case that is in another one as well.
    #[command(
        after_help = "Example:\n  interdocket case exclude 2026-18 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Exclude {
        /// The case's number or id.
        case: String,
        /// The evidence, by id.
        #[arg(required = true)]
        evidence: Vec<EvidenceId>,
    },
}

impl Contents {
    async fn run(self, client: &Client) -> Result<Case, actions::Error> {
        match self {
            Self::Include {
                case,
                evidence,
                folder,
            } => {
                let request = Include {
                    case,
                    evidence,
                    folder,
                };
                client.call(&request).await
            }
            Self::Exclude { case, evidence } => client.call(&Exclude { case, evidence }).await,
        }
    }
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let case = match self {
            Self::List(range) => return list(context, range).await,
            Self::Create {
                number,
                title,
                description,
                targets,
            } => {
                let request = case::Create {
                    number,
                    title,
                    description,
                    targets,
                };
                client.call(&request).await?
            }
            Self::Show { case } => client.call(&case::Show { case }).await?,
            Self::Edit {
                case,
                number,
                title,
                description,
            } => {
                let request = case::Edit {
                    case,
                    number,
                    title,
                    description,
                };
                client.call(&request).await?
            }
            Self::Tag { case, tags } => {
                let Tags { add, remove } = tags;
                client.call(&case::Tag { case, add, remove }).await?
            }
            Self::Access { case, add, remove } => {
                client.call(&case::Access { case, add, remove }).await?
            }
            Self::Assign { case, users } => client.call(&case::Assign { case, users }).await?,
            Self::Assignable { case, find, range } => {
                return assignable(context, case, find, range).await;
            }
            Self::Contents(command) => command.run(client).await?,
            Self::Reopen { case } => client.call(&case::Reopen { case }).await?,
            Self::Close { case } => client.call(&case::Close { case }).await?,
            Self::Retain { case, policy } => {
                client.call(&retention::Retain { case, policy }).await?
            }
            Self::Hold { case, why } => {
                let reason = why.reason;
                client.call(&retention::HoldCase { case, reason }).await?
            }
            Self::Release { case, why } => {
                let reason = why.reason;
                let release = retention::ReleaseCase { case, reason };
                client.call(&release).await?
            }
            Self::Delete { case, why } => {
                let reason = why.reason;
                client.call(&retention::DeleteCase { case, reason }).await?
            }
            Self::Keep { case, why } => {
                let reason = why.reason;
                client.call(&retention::KeepCase { case, reason }).await?
            }
        };
        reply(context, &case).await
    }
}

async fn reply(context: &Context, case: &Case) -> Result<(), Error> {
    let names = Names::known(context, case.origin.is_some()).await;
    context.out.reply(case, |case| show(case, &names))
}

async fn assignable(
    context: &Context,
    case: String,
    find: Option<String>,
    range: Range,
) -> Result<(), Error> {
    let mut shown = case::People {
        people: Vec::new(),
        next: range.after,
    };
    loop {
        let request = case::Assignable {
            case: case.clone(),
            find: find.clone(),
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.people.extend(page.people);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        let mut table = Table::new(["name", "e-mail", "badge"]);
        for person in &page.people {
            table.row([&person.name, &person.email, &person.badge]);
        }
        context.out.more(page.next.as_deref());
        table.to_string()
    })
}

async fn list(context: &Context, range: Range) -> Result<(), Error> {
    let mut shown = Page {
        cases: Vec::new(),
        next: range.after,
    };
    loop {
        let request = case::List {
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.cases.extend(page.cases);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        let mut table = Table::new([
            "number", "title", "state", "evidence", "size", "made", "from",
        ]);
        for case in &page.cases {
            let from = if case.origin.is_some() {
                "partner"
            } else {
                "-"
            };
            table.row([
                &case.number,
                &case.title,
                &name(&case.state),
                &case.evidence.to_string(),
                &size(case.bytes),
                &time(case.created_at),
                from,
            ]);
        }
        context.out.more(page.next.as_deref());
        table.to_string()
    })
}

fn show(case: &Case, names: &Names) -> String {
    let mut table = Table::pairs();
    table.row(["Number", &case.number]);
    table.row(["Title", &case.title]);
    table.row(["Description", &case.description]);
    table.row(["State", &name(&case.state)]);
    table.row(["Made", &time(case.created_at)]);
    table.row(["Made by", case.created_by.as_deref().unwrap_or_default()]);
    table.row(["Assigned to", &case.assignees.join(", ")]);
    let evidence = count(case.evidence, "item", "items");
    table.row(["Evidence", &format!("{evidence}, {}", size(case.bytes))]);
    let tags: Vec<String> = case.tags.iter().map(tag).collect();
    table.row(["Tags", &tags.join(", ")]);
    table.row(["Access", &case.access.join(", ")]);
    if let Some(policy) = &case.retention {
        table.row(["Retention", policy]);
    }
    kept(
        &mut table,
        case.retention_until,
        case.hold.as_ref(),
        case.queued_for_deletion_on,
    );
    table.row(["Id", &case.id.to_string()]);
    if let Some(origin) = &case.origin {
        table.row(["From", &names.of(&origin.organisation)]);
        table.row(["By share", &origin.share.to_string()]);
    }
    table.to_string()
}
