//! What people note of evidence, and places in it that are marked.

use chrono::{DateTime, Utc};
use interdocket_sync::id::EvidenceId;
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::whole;
use crate::actions::decide::{Context, Decided, bounded, filled, line};
use crate::actions::{Change, Error, ErrorKind, metadata};
use crate::event::{Event, MarkerSet, NoteAdded};
use crate::store::view::View;
use crate::store::{entity, table};

/// Notes something of evidence. Notes are not changed; another one says what was wrong.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AddNote {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// What.
    pub text: String,
}

/// Lists what was noted of evidence: here, and at the source that it came from, where that sent it along.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Notes {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: metadata::Value,
    /// What.
    pub text: String,
}

/// Notes, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Noted {
    /// At most 256 of each organisation.
    pub notes: Vec<Note>,
}

/// Marks a place in evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SetMarker {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// How far into the recording it is, in milliseconds.
    pub position: u64,
    /// What is there.
    pub title: String,
    /// Who or what marks it; a person, where left out.
    #[serde(default)]
    pub kind: MarkerKind,
}

/// Takes a marker away.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RemoveMarker {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// How far into the recording it is, in milliseconds.
    pub position: u64,
    /// What is there.
    pub title: String,
}

/// Lists the places in evidence that are marked: here, and at the source that it came from, where that sent them
/// along.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Markers {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
}

/// A place that is marked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Marker {
    /// How far into the recording it is, in milliseconds.
    pub position: u64,
    /// What is there.
    pub title: String,
    /// Who or what marked it.
    pub kind: MarkerKind,
    /// What it is: a bookmark of the file, which goes along in copies, or a marker of it, which does not.
    pub is: MarkerIs,
}

/// Markers, by their places.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Marked {
    /// At most 4,096 of each organisation.
    pub markers: Vec<Marker>,
}

/// Who or what marked a place.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MarkerKind {
    /// A person, in the evidence system.
    #[default]
    Manual,
    /// A person, while an interview was recorded.
    Interview,
    /// The recording's own chapters.
    Chapter,
    /// A transcription, by itself.
    Transcription,
    /// A device that was switched on or off.
    Signal,
}

/// What a marker is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MarkerIs {
    /// It goes along in copies.
    FileBookmark,
    /// It does not.
    FileMarker,
}

impl MarkerKind {
    /// What such a marker is.
    pub const fn is(self) -> MarkerIs {
        match self {
            Self::Manual | Self::Interview | Self::Chapter | Self::Transcription => {
                MarkerIs::FileBookmark
            }
            Self::Signal => MarkerIs::FileMarker,
        }
    }
}

impl Change for AddNote {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Noted>, Error> {
        let (id, view) = (self.evidence, &context.view);
        whole(view, id)?;
        let text = filled("note", bounded("note", self.text.trim(), NOTE_MAX)?)?;
        if view.page(&table::NOTE, &id, None, NOTES_MAX)?.len() == NOTES_MAX {
            let message = format!("this evidence has {NOTES_MAX} notes already");
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("add a text as evidence of its own: interdocket evidence add CASE FILE"));
        }
        let added = NoteAdded { evidence: id, text };
        Ok(Decided::new(vec![Event::NoteAdded(added)], move |view| {
            Ok(Noted {
                notes: notes(view, id)?,
            })
        }))
    }
}

impl Change for SetMarker {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Marked>, Error> {
        let (id, view) = (self.evidence, &context.view);
        whole(view, id)?;
        let title = line("title", &self.title, limits::TAG_MAX)?;
        let title = filled("title", title)?;
        let held = view.page(&table::MARKER, &id, None, MARKERS_MAX)?;
        if held.len() == MARKERS_MAX {
            let message = format!("this evidence has {MARKERS_MAX} markers already");
            return Err(Error::new(ErrorKind::Invalid, message).hint("take some away first"));
        }
        let set = MarkerSet {
            evidence: id,
            position: self.position,
            title,
            kind: self.kind,
        };
        Ok(Decided::new(vec![Event::MarkerSet(set)], move |view| {
            Ok(Marked {
                markers: markers(view, id)?,
            })
        }))
    }
}

impl Change for RemoveMarker {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Marked>, Error> {
        let (id, view) = (self.evidence, &context.view);
        whole(view, id)?;
        let key = (id, self.position, self.title.clone());
        let kind = view.get(&table::MARKER, &key)?.ok_or_else(|| {
            let message = format!("nothing says \"{}\" at {} ms", self.title, self.position);
            Error::new(ErrorKind::NotFound, message)
                .hint("list the markers: interdocket evidence markers EVIDENCE")
        })?;
        let removed = MarkerSet {
            evidence: id,
            position: self.position,
            title: self.title,
            kind,
        };
        let events = vec![Event::MarkerRemoved(removed)];
        Ok(Decided::new(events, move |view| {
            Ok(Marked {
                markers: markers(view, id)?,
            })
        }))
    }
}

/// What was noted of evidence here.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn notes(view: &View<'_>, id: EvidenceId) -> Result<Vec<Note>, Error> {
    let rows = view.page(&table::NOTE, &id, None, NOTES_MAX)?;
    let note = |note: entity::Note| Note {
        at: note.at,
        by: metadata::Value::of(note.by),
        text: note.text,
    };
    Ok(rows.into_iter().map(|(_, row)| note(row)).collect())
}

/// Places in evidence that are marked here.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn markers(view: &View<'_>, id: EvidenceId) -> Result<Vec<Marker>, Error> {
    let rows = view.page(&table::MARKER, &id, None, MARKERS_MAX)?;
    let marker = |((_, position, title), kind): ((EvidenceId, u64, String), MarkerKind)| Marker {
        position,
        title,
        kind,
        is: kind.is(),
    };
    Ok(rows.into_iter().map(marker).collect())
}

/// Bytes of a note: a page; longer texts are files.
pub const NOTE_MAX: usize = 2048;

/// Notes of one item: all of them are shown together.
pub const NOTES_MAX: usize = 256;

/// Markers of one item: those of a long interview.
pub const MARKERS_MAX: usize = 4096;
