//! Notes and markers of evidence, and its audit trail.

use clap::Subcommand;
use interdocket_sync::id::EvidenceId;

use super::valued;
use crate::actions::evidence::note::{Marked, MarkerKind, Noted};
use crate::actions::evidence::trail::AuditTrail;
use crate::actions::evidence::{AddNote, Markers, Notes, RemoveMarker, SetMarker, Trail};
use crate::cli::error::Error;
use crate::cli::names::Names;
use crate::cli::table::{Table, maybe_time, time};
use crate::cli::{Context, name, named};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Note {
    /// Note something. Notes are not changed; another one says what was wrong.
    #[command(
        after_help = "Example:\n  interdocket evidence note add 0197a3e4-5b6c-7d8e-9f00-112233445566 'The plate can be read at 0:12'"
    )]
    Add {
        /// The evidence's id.
        evidence: EvidenceId,
        /// What.
        text: String,
    },
    /// List what was noted, also at the source that the evidence came from, where that sent it along.
    #[command(
        after_help = "Example:\n  interdocket evidence note list 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    List {
        /// The evidence's id.
        evidence: EvidenceId,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Marker {
    /// Mark a place.
    #[command(
        after_help = "Example:\n  interdocket evidence marker set 0197a3e4-5b6c-7d8e-9f00-112233445566 12000 'Number plate'"
    )]
    Set {
        /// The evidence's id.
        evidence: EvidenceId,
        /// How far into the recording it is, in milliseconds.
        position: u64,
        /// What is there.
        title: String,
        /// Who or what marks it.
        #[arg(long, default_value = "manual", value_parser = named::<MarkerKind>(KINDS))]
        kind: MarkerKind,
    },
    /// Take a marker away.
    #[command(
        after_help = "Example:\n  interdocket evidence marker remove 0197a3e4-5b6c-7d8e-9f00-112233445566 12000 'Number plate'"
    )]
    Remove {
        /// The evidence's id.
        evidence: EvidenceId,
        /// How far into the recording it is, in milliseconds.
        position: u64,
        /// What is there.
        title: String,
    },
    /// List the places that are marked, also at the source that the evidence came from, where that sent them along.
    #[command(
        after_help = "Example:\n  interdocket evidence marker list 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    List {
        /// The evidence's id.
        evidence: EvidenceId,
    },
}

impl Note {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let noted = match self {
            Self::Add { evidence, text } => context.client.call(&AddNote { evidence, text }).await,
            Self::List { evidence } => context.client.call(&Notes { evidence }).await,
        };
        let noted = noted?;
        let mut writers = noted.notes.iter().map(|note| &note.by);
        let received = writers.any(|by| by.organisation.is_some());
        let names = Names::known(context, received).await;
        context.out.reply(&noted, |noted| notes(noted, &names))
    }
}

impl Marker {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let marked = match self {
            Self::Set {
                evidence,
                position,
                title,
                kind,
            } => {
                let request = SetMarker {
                    evidence,
                    position,
                    title,
                    kind,
                };
                client.call(&request).await
            }
            Self::Remove {
                evidence,
                position,
                title,
            } => {
                let request = RemoveMarker {
                    evidence,
                    position,
                    title,
                };
                client.call(&request).await
            }
            Self::List { evidence } => client.call(&Markers { evidence }).await,
        };
        context.out.reply(&marked?, markers)
    }
}

pub(super) async fn trail(context: &Context, evidence: EvidenceId) -> Result<(), Error> {
    let trail = context.client.call(&Trail { evidence }).await?;
    context.out.reply(&trail, shown)
}

fn notes(noted: &Noted, names: &Names) -> String {
    let mut table = Table::new(["at", "by", "note"]);
    for note in &noted.notes {
        table.row([&time(note.at), &valued(&note.by, names), &note.text]);
    }
    table.to_string()
}

fn markers(marked: &Marked) -> String {
    let mut table = Table::new(["at", "title", "by", "is"]);
    for marker in &marked.markers {
        table.row([
            &format!("{} ms", marker.position),
            &marker.title,
            &name(&marker.kind),
            &name(&marker.is),
        ]);
    }
    table.to_string()
}

fn shown(trail: &AuditTrail) -> String {
    let mut head = Table::pairs();
    head.row([
        "Serial number",
        trail.serial_number.as_deref().unwrap_or_default(),
    ]);
    head.row(["Page views", &trail.page_views.to_string()]);
    head.row(["File downloads", &trail.file_downloads.to_string()]);
    head.row(["Video playbacks", &trail.video_playbacks.to_string()]);
    let last = maybe_time(trail.last_viewed_or_downloaded_on);
    head.row(["Last viewed or downloaded on", &last]);
    let confidential = name(&trail.confidential_activity);
    head.row(["Confidential activity", &confidential]);
    let mut events = Table::new(["#", "Date", "Time", "User", "Activity"]);
    for event in &trail.events {
        events.row([
            &event.number.to_string(),
            &event.date,
            &event.time,
            &event.user,
            &event.activity,
        ]);
    }
    format!("{head}\n\n{events}")
}

const KINDS: [&str; 5] = ["manual", "interview", "chapter", "transcription", "signal"];
