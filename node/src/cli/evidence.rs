//! Evidence: adding files and folders, listing, showing, reading.

pub(super) mod add;
mod get;
mod keeping;
mod note;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use interdocket_sync::copy::Field;
use interdocket_sync::id::{CaseId, EvidenceId};

use super::client::Client;
use super::error::Error;
use super::names::Names;
use super::retention::kept;
use super::table::{Table, size, time};
use super::{Context, Range, name, named};
use crate::actions;
use crate::actions::evidence::{self, Evidence, Page};
use crate::actions::metadata;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add files and folders to a case; each file becomes one item of evidence.
    Add(add::Add),
    /// List the evidence of a case, in the order in which it was added.
    #[command(after_help = "Example:\n  interdocket evidence list 2026-17")]
    List {
        /// The case's number or id.
        case: String,
        /// Only what has no category.
        #[arg(long)]
        uncategorised: bool,
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
        /// The new folder inside a case; empty for the top.
        #[arg(long)]
        folder: Option<String>,
        /// The number or id of that case, where it is in several.
        #[arg(long, requires = "folder")]
        case: Option<String>,
        /// A field with its new value, as `device_model='Body 4'`; repeat it for more. Which there are:
        /// `interdocket metadata list`.
        #[arg(long, value_name = "FIELD=VALUE", value_parser = field)]
        set: Vec<(String, String)>,
        /// A field that is to have no value any more; repeat it for more.
        #[arg(long, value_name = "FIELD")]
        unset: Vec<String>,
    },
    /// Change tags, categories and custom metadata of evidence. Shares that go on follow.
    #[command(
        after_help = "Example:\n  interdocket evidence tag 0197a3e4-5b6c-7d8e-9f00-112233445566 --kind category --add Homicide"
    )]
    Tag {
        /// Its id.
        evidence: EvidenceId,
        /// As what; custom metadata is written name=value.
        #[arg(long, default_value = "tag", value_parser = named::<metadata::Kind>(KINDS))]
        kind: metadata::Kind,
        #[command(flatten)]
        tags: Tags,
    },
    /// Add a file to evidence that is there: a GPS track, or a transcript. What was shared before stays without it.
    #[command(
        after_help = "Example:\n  interdocket evidence attach 0197a3e4-5b6c-7d8e-9f00-112233445566 transcript.vtt --kind transcript"
    )]
    Attach {
        /// The evidence's id.
        evidence: EvidenceId,
        /// The file.
        path: PathBuf,
        /// What the file is to it.
        #[arg(long, value_parser = named::<evidence::Attachable>(ATTACHABLE))]
        kind: evidence::Attachable,
        /// The name it gets; the file's own where left out.
        #[arg(long)]
        name: Option<String>,
    },
    /// Show recordings of one event together: those that have the field multicam in common.
    #[command(
        after_help = "Example:\n  interdocket evidence multicam 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Multicam {
        /// The id of one of them.
        evidence: EvidenceId,
    },
    /// What people noted of evidence.
    #[command(subcommand)]
    Note(note::Note),
    /// Places in evidence that are marked.
    #[command(subcommand)]
    Marker(note::Marker),
    /// Show what was done with evidence on this node.
    #[command(
        after_help = "Example:\n  interdocket evidence trail 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Trail {
        /// Its id.
        evidence: EvidenceId,
    },
    /// How long it is kept.
    #[command(flatten)]
    Keeping(keeping::Command),
    /// Read a file of evidence; the node records it.
    Get(get::Get),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let shown = match self {
            Self::Add(add) => return add.run(context).await,
            Self::List {
                case,
                uncategorised,
                range,
            } => return list(context, case, uncategorised, range).await,
            Self::Get(get) => return get.run(context).await,
            Self::Note(note) => return note.run(context).await,
            Self::Marker(marker) => return marker.run(context).await,
            Self::Trail { evidence } => return note::trail(context, evidence).await,
            Self::Multicam { evidence } => {
                let cameras = client.call(&evidence::Multicam { evidence }).await?;
                return context.out.reply(&cameras, multicam);
            }
            Self::Show { evidence } => client.call(&look(evidence)).await?,
            Self::Edit {
                evidence,
                title,
                folder,
                case,
                set,
                unset,
            } => {
                let fields = fields(set, unset);
                let request = evidence::Edit {
                    evidence,
                    title,
                    folder,
                    case,
                    fields,
                };
                client.call(&request).await?
            }
            Self::Keeping(command) => command.run(client).await?,
            Self::Tag {
                evidence,
                kind,
                tags: Tags { add, remove },
            } => {
                let request = evidence::Tag {
                    evidence,
                    kind,
                    add,
                    remove,
                };
                client.call(&request).await?
            }
            Self::Attach {
                evidence,
                path,
                kind,
                name,
            } => {
                let path = absolute(&path)?;
                let request = evidence::Attach {
                    evidence,
                    kind,
                    path,
                    name,
                };
                client.call(&request).await?
            }
        };
        let names = Names::known(context, shown.origin.is_some()).await;
        context.out.reply(&shown, |shown| show(shown, &names))
    }
}

/// What something is labelled with, and not any more.
#[derive(Debug, clap::Args)]
pub(super) struct Tags {
    /// What it has from now on; repeat it for more.
    #[arg(long, value_name = "TEXT")]
    pub(super) add: Vec<String>,
    /// What it has not any more; repeat it for more.
    #[arg(long, value_name = "TEXT")]
    pub(super) remove: Vec<String>,
}

/// A look at evidence that everybody may know of.
const fn look(evidence: EvidenceId) -> evidence::Show {
    evidence::Show {
        evidence,
        confidential: false,
    }
}

/// Fields with their new values, and those that are to have none.
fn fields(set: Vec<(String, String)>, unset: Vec<String>) -> BTreeMap<String, Option<String>> {
    let set = set.into_iter().map(|(field, value)| (field, Some(value)));
    let unset = unset.into_iter().map(|field| (field, None));
    set.chain(unset).collect()
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path)
        .map_err(|error| Error::local("the working directory cannot be found", error))
}

/// Reads `field=value`.
fn field(text: &str) -> Result<(String, String), String> {
    let (field, value) = text
        .split_once('=')
        .ok_or_else(|| "write it as FIELD=VALUE".to_owned())?;
    Ok((field.to_owned(), value.to_owned()))
}

fn multicam(shown: &evidence::Cameras) -> String {
    let mut table = Table::new(["id", "begins", "title"]);
    for camera in &shown.cameras {
        table.row([
            &camera.evidence.to_string(),
            &format!("{} ms", camera.offset),
            &camera.title,
        ]);
    }
    table.to_string()
}

/// Lists all evidence of a case, page by page.
pub(super) async fn all(client: &Client, case: CaseId) -> Result<Vec<Evidence>, actions::Error> {
    let mut items = Vec::new();
    let mut request = evidence::List {
        case: case.to_string(),
        uncategorised: false,
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

async fn list(
    context: &Context,
    case: String,
    uncategorised: bool,
    range: Range,
) -> Result<(), Error> {
    let mut shown = Page {
        evidence: Vec::new(),
        next: range.after,
    };
    loop {
        let request = evidence::List {
            case: case.clone(),
            uncategorised,
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

fn show(item: &Evidence, names: &Names) -> String {
    let mut table = Table::pairs();
    table.row(["Title", &item.title]);
    table.row(["Added", &time(item.added_at)]);
    if item.uploaded_at != item.added_at {
        table.row(["Uploaded", &time(item.uploaded_at)]);
    }
    table.row(["By", &valued(&item.added_by, names)]);
    said(&mut table, &item.metadata, names);
    table.row(["Id", &item.id.to_string()]);
    for case in &item.cases {
        table.row(["Case", &case.number]);
        table.row(["  Folder", &case.folder]);
    }
    if let Some(origin) = &item.origin {
        table.row(["From", &names.of(&origin.organisation)]);
    }
    kept(
        &mut table,
        item.retention_until,
        item.hold.as_ref(),
        item.queued_for_deletion_on,
    );
    for (number, file) in item.files.iter().enumerate() {
        table.row([&format!("File {number}"), &file.name]);
        table.row([
            "  Size",
            &format!("{} ({} bytes)", size(file.size), file.size),
        ]);
        if file.kind != evidence::FileKind::Original {
            table.row(["  Is", &name(&file.kind)]);
        }
        if !file.format.is_empty() {
            table.row(["  Format", &file.format]);
        }
        table.row(["  State", &name(&file.state)]);
        table.row(["  SHA-256", &file.sha256.to_string()]);
        table.row(["  BLAKE3", &file.blake3.to_string()]);
        let place = u32::try_from(number).unwrap_or(u32::MAX);
        if let Some(rendition) = item.rendition(place) {
            let lines: Vec<_> = rendition.text.lines().collect();
            table.row(["  Watermark", &lines.join("; ")]);
            table.row(["", &rendition.notice]);
        }
    }
    table.to_string()
}

/// Warns who is about to see what may disturb them.
pub(super) fn warn(context: &Context, metadata: &metadata::Metadata) {
    if metadata.fields.contains_key(Field::SensitiveContent.name()) {
        context
            .out
            .note("Warning: this evidence has sensitive content.");
    }
}

/// What evidence is labelled with.
const KINDS: [&str; 4] = ["tag", "category", "auto_category", "custom"];

/// What people add to it.
const ATTACHABLE: [&str; 2] = ["gps_track", "transcript"];

/// A value, and whose it is where that is another organisation's.
pub(super) fn valued(value: &metadata::Value, names: &Names) -> String {
    match &value.organisation {
        Some(organisation) => format!("{} (of {})", value.text, names.of(organisation)),
        None => value.text.clone(),
    }
}

/// What is said of evidence beyond its title and folder.
pub(super) fn said(table: &mut Table, metadata: &metadata::Metadata, names: &Names) {
    for (field, value) in &metadata.fields {
        table.row([field, &valued(value, names)]);
    }
    let tags = metadata.tags.iter().map(tag);
    let rows = [
        ("categories", metadata.categories.join(", ")),
        ("auto_categories", metadata.auto_categories.join(", ")),
        ("tags", tags.collect::<Vec<_>>().join(", ")),
        ("custom_metadata", metadata.custom.join(", ")),
    ];
    for (name, texts) in rows.iter().filter(|(_, texts)| !texts.is_empty()) {
        table.row([*name, texts]);
    }
}

/// A tag, and what it was where it comes from.
pub(super) fn tag(tag: &metadata::Labelled) -> String {
    match &tag.from {
        Some(from) => format!("{} (from {from})", tag.text),
        None => tag.text.clone(),
    }
}
