//! Renditions of video that was received: what its watermark says, and what is read instead of the original. The
//! original never changes; drawing is in `jobs::watermark`.

use std::collections::BTreeMap;

use interdocket_sync::copy::Field;
use interdocket_sync::evidence::{self as told, FileKind};
use interdocket_sync::id::EvidenceId;
use interdocket_sync::limits;
use interdocket_sync::metadata::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Evidence, File, FileState};
use crate::actions::Error;
use crate::actions::decide::{Context, Decided, broken};
use crate::blobs::Placed;
use crate::event::{AddedFile, Event, RenditionMade, StoredBlob, Watermark};
use crate::store::entity::{self, BlobState};
use crate::store::table;
use crate::store::view::View;

/// The media type of what is drawn.
pub const FORMAT: &str = "video/x-matroska";

/// A file of evidence with the watermark that it has where it was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rendition {
    /// Which of the evidence's files.
    pub file: u32,
    /// What the watermark says, on a few lines.
    pub text: String,
    /// How it stands with it.
    pub state: RenditionState,
    /// What that means for whoever plays the file, and what to do.
    pub notice: String,
    /// What is read instead of the original; none where the text stands beside it.
    pub made: Option<File>,
}

/// How it stands with a watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenditionState {
    /// It is in the picture of a file of its own.
    Rendered,
    /// It is to be shown beside the video.
    Overlay,
}

impl Evidence {
    /// The rendition of one of its files, where that has one.
    pub fn rendition(&self, file: u32) -> Option<&Rendition> {
        self.renditions
            .iter()
            .find(|rendition| rendition.file == file)
    }
}

/// Whether a file that is received gets a watermark.
pub fn video(file: &told::File) -> bool {
    file.kind == FileKind::Original && file.format.starts_with("video/")
}

/// What the watermark of a file says: from whom it is, and of what was copied when and by what it was recorded.
pub fn text(source: &str, fields: &BTreeMap<Field, Value>) -> String {
    let field = |name: &str, field| {
        let value = fields.get(&field)?;
        Some(format!("{name} {}", value.text))
    };
    let lines = [
        Some(format!("From {source}")),
        field("Recorded", Field::RecordedOn),
        field("Model", Field::DeviceModel),
        field("Serial", Field::DeviceSerial),
    ];
    let plain = |line: String| line.chars().filter(|c| !c.is_control()).collect::<String>();
    let lines: Vec<_> = lines.into_iter().flatten().map(plain).collect();
    lines.join("\n")
}

/// What is read instead of a file, where its watermark is drawn.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn drawn(view: &View<'_>, key: (EvidenceId, u32)) -> Result<Option<entity::File>, Error> {
    let rendition = view.get(&table::RENDITION, &key)?;
    Ok(rendition.and_then(|rendition| match rendition.watermark {
        Watermark::Drawn(added) => Some(entity::File {
            name: added.name,
            size: added.size,
            blake3: added.blake3,
            sha256: added.sha256,
            kind: added.kind,
            format: added.format,
        }),
        Watermark::Unavailable | Watermark::Failed => None,
    }))
}

/// The renditions of an item, also those that are still to be made.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn shown(view: &View<'_>, id: EvidenceId) -> Result<Vec<Rendition>, Error> {
    let mut shown = Vec::new();
    for ((_, file), text) in view.page(&table::RENDERING, &id, None, limits::ITEM_FILES_MAX)? {
        shown.push(overlay(file, text, WAITING));
    }
    for ((_, file), made) in view.page(&table::RENDITION, &id, None, limits::ITEM_FILES_MAX)? {
        shown.push(match made.watermark {
            Watermark::Drawn(added) => Rendition {
                file,
                text: made.text,
                state: RenditionState::Rendered,
                notice: RENDERED.to_owned(),
                made: Some(as_shown(view, added)?),
            },
            Watermark::Unavailable => overlay(file, made.text, UNAVAILABLE),
            Watermark::Failed => overlay(file, made.text, FAILED),
        });
    }
    shown.sort_by_key(|rendition| rendition.file);
    Ok(shown)
}

fn overlay(file: u32, text: String, notice: &str) -> Rendition {
    Rendition {
        file,
        text,
        state: RenditionState::Overlay,
        notice: notice.to_owned(),
        made: None,
    }
}

fn as_shown(view: &View<'_>, added: AddedFile) -> Result<File, Error> {
    let blob = view.get(&table::BLOB, &added.blake3)?;
    let whole = blob.is_some_and(|blob| blob.state != BlobState::Damaged);
    Ok(File {
        name: added.name,
        size: added.size,
        blake3: added.blake3,
        sha256: added.sha256,
        state: match whole {
            true => FileState::Verified,
            false => FileState::Damaged,
        },
        kind: super::FileKind::of(added.kind),
        format: added.format,
    })
}

/// A file whose watermark is to be drawn: its name, and where its bytes lie; nothing where they are damaged.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn source(view: &View<'_>, key: (EvidenceId, u32)) -> Result<Option<(String, Placed)>, Error> {
    let Some(file) = view.get(&table::FILE, &key)? else {
        return Ok(None);
    };
    let blob = view.get(&table::BLOB, &file.blake3)?;
    let whole = blob.filter(|blob| blob.state != BlobState::Damaged);
    Ok(whole.map(|blob| {
        let placed = Placed {
            digest: file.blake3,
            size: file.size,
            place: blob.place,
        };
        (file.name, placed)
    }))
}

/// Records what became of a watermark, with the bytes that are new here.
///
/// # Errors
/// [`Error`] where there is no such evidence.
pub fn made(
    context: &Context<'_>,
    (evidence, file): (EvidenceId, u32),
    text: String,
    watermark: Watermark,
    stored: Option<StoredBlob>,
) -> Result<Decided<()>, Error> {
    if !context.view.has(&table::EVIDENCE, &evidence)? {
        return Err(broken("an item of evidence is missing"));
    }
    let made = RenditionMade {
        evidence,
        file,
        text,
        watermark,
    };
    let stored = stored.map(|stored| Event::BlobsStored(vec![stored]));
    let events = stored.into_iter().chain([Event::RenditionMade(made)]);
    Ok(Decided::new(events.collect(), |_| Ok(())))
}

const RENDERED: &str = "The watermark is in the picture; the original stays as it was received.";
const WAITING: &str =
    "The watermark is not in the picture yet: it is about to be drawn. Show it beside the video.";
const UNAVAILABLE: &str = "The watermark is not in the picture, as ffmpeg is not installed on this node: show it beside \
     the video. To have it drawn, install ffmpeg, or name it in interdocket.toml under [watermark].";
const FAILED: &str =
    "The watermark is not in the picture, as ffmpeg could not draw it: show it beside the video.";
