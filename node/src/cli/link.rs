//! Download links.

use clap::Subcommand;
use interdocket_sync::id::EvidenceId;

use super::error::Error;
use super::table::{Table, count, time};
use super::{Context, Range, name, named};
use crate::actions::link::{self, Link, LinkId};
use crate::actions::share::Attachment;
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a link from which whoever holds it downloads a case, or part of it, as a ZIP. It is shown this once.
    #[command(after_help = "Example:\n  interdocket link create 2026-17 --days 14 --downloads 3")]
    Create {
        /// The case's number or id.
        case: String,
        /// For how many days it works.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=365))]
        days: u32,
        /// How often it may be used; as often as one likes where left out. What goes on with a download that broke off
        /// counts as well.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        downloads: Option<u32>,
        /// Only this item of evidence; repeat it for more. The entire case where nothing is chosen.
        #[arg(long, value_name = "ID")]
        evidence: Vec<EvidenceId>,
        /// Only what lies in this folder or below; repeat it for more.
        #[arg(long = "folder", value_name = "FOLDER")]
        folders: Vec<String>,
        /// What goes along with the evidence; repeat it for more.
        #[arg(long = "attach", value_name = "WHAT", value_parser = named::<Attachment>(["audit_trail", "notes", "markers", "transcripts"]))]
        attachments: Vec<Attachment>,
    },
    /// List download links, of a case or of all.
    #[command(after_help = "Example:\n  interdocket link list 2026-17")]
    List {
        /// The case's number or id.
        case: Option<String>,
        #[command(flatten)]
        range: Range,
    },
    /// Revoke a link: it opens nothing any more, and what is being downloaded is cut off.
    #[command(
        after_help = "Example:\n  interdocket link revoke 019c9f0e-7d4f-7a52-a19c-cb71b1f92f4b"
    )]
    Revoke {
        /// The link's id, as `link list` shows it.
        link: LinkId,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        match self {
            Self::Create {
                case,
                days,
                downloads,
                evidence,
                folders,
                attachments,
            } => {
                let create = link::Create {
                    case,
                    days,
                    downloads,
                    evidence,
                    folders,
                    attachments: attachments.into_iter().collect(),
                };
                let made = context.client.call(&create).await?;
                context.out.note(
                    "This link is shown only now. Whoever has it can download these files, without signing in.",
                );
                context.out.reply(&made, |made| {
                    context.out.note(&format!(
                        "{}, {}; it works until {}. Its id is {}.",
                        count(made.link.files, "file", "files"),
                        count(made.link.bytes, "byte", "bytes"),
                        time(made.link.expires_at),
                        made.link.id
                    ));
                    text::display(&made.url).into_owned()
                })
            }
            Self::List { case, range } => list(context, case, range).await,
            Self::Revoke { link } => {
                let revoked = context.client.call(&link::Revoke { link }).await?;
                context.out.reply(&revoked, |link| {
                    let number = text::display(&link.case_number);
                    format!("Revoked a download link of case {number}.")
                })
            }
        }
    }
}

async fn list(context: &Context, case: Option<String>, range: Range) -> Result<(), Error> {
    let mut links: Vec<Link> = Vec::new();
    let mut next = range.after;
    loop {
        let request = link::List {
            case: case.clone(),
            after: next,
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        links.extend(page.links);
        next = page.next;
        if next.is_none() || range.limit.is_some() {
            break;
        }
    }
    let page = link::Page { links, next };
    context.out.reply(&page, |page| {
        let mut table = Table::new([
            "id",
            "case",
            "state",
            "until",
            "downloads",
            "files",
            "made by",
        ]);
        for link in &page.links {
            table.row([
                &link.id.to_string(),
                &link.case_number,
                &name(&link.state),
                &time(link.expires_at),
                &downloads(link),
                &link.files.to_string(),
                &link.made_by,
            ]);
        }
        table.to_string()
    })?;
    context.out.more(page.next.as_deref());
    Ok(())
}

fn downloads(link: &Link) -> String {
    match link.most {
        Some(most) => format!("{} of {most}", link.downloads),
        None => link.downloads.to_string(),
    }
}
