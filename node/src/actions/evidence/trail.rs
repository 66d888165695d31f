//! The audit trail of evidence: what was done with it, as people read it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Sha256;
use interdocket_sync::copy::Field;
use interdocket_sync::evidence::FileKind;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::note::{self, MarkerIs};
use super::{Evidence, missing, shown, whole};
use crate::actions::decide::{self, Context, Decided, broken};
use crate::actions::reach::Reader;
use crate::actions::share::Attachment;
use crate::actions::{Actor, Error, people};
use crate::blobs::Placed;
use crate::event::{AddedFile, AttachmentsMade, Event, EvidenceViewed, StoredBlob};
use crate::store::view::View;
use crate::store::{entity, table};

/// Shows what was done with evidence on this node.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Trail {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
}

/// The audit trail of an item of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditTrail {
    /// The evidence.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// The serial number of the device that recorded it; none where that is not known.
    pub serial_number: Option<String>,
    /// How often people looked at what is said of it.
    pub page_views: u64,
    /// How often a file was opened to be kept.
    pub file_downloads: u64,
    /// How often a file was opened to be played.
    pub video_playbacks: u64,
    /// When one of these happened last.
    pub last_viewed_or_downloaded_on: Option<DateTime<Utc>>,
    /// Whether confidential activity is among the events.
    pub confidential_activity: Confidential,
    /// How many records the journal had, and the hash of the last one.
    pub journal: JournalHead,
    /// What happened, the earliest first.
    pub events: Vec<TrailEvent>,
}

/// Whether confidential activity is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidential {
    /// All of it.
    Included,
    /// None of it.
    NotIncluded,
}

/// How far a journal went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalHead {
    /// Records.
    pub records: u64,
    /// SHA-256 of the chain.
    #[schemars(with = "String")]
    pub hash: Sha256,
}

/// One event of an audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrailEvent {
    /// From 1, without gaps.
    #[serde(rename = "#")]
    pub number: u64,
    /// The day, UTC.
    pub date: String,
    /// The time of the day, UTC.
    pub time: String,
    /// Who, with the number on their badge; the node itself where it was nobody.
    pub user: String,
    /// What they did.
    pub activity: String,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To be kept.
    #[default]
    Download,
    /// To be played.
    Playback,
}

/// Records that somebody looked at what is said of evidence, and answers that.
///
/// # Errors
/// [`Error`] where there is none.
pub fn view(
    context: &Context<'_>,
    id: EvidenceId,
    confidential: bool,
) -> Result<Decided<Evidence>, Error> {
    whole(&context.view, id)?;
    let viewed = EvidenceViewed {
        evidence: id,
        confidential,
    };
    let events = vec![Event::EvidenceViewed(viewed)];
    let reader = Reader::from(context);
    Ok(Decided::new(events, move |view| shown(view, &reader, id)))
}

/// The head of an audit trail, without its events.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn head(view: &View<'_>, id: EvidenceId, journal: JournalHead) -> Result<AuditTrail, Error> {
    let fields = view.get(&table::FIELDS, &id)?.unwrap_or_default();
    let views = view.get(&table::VIEWS, &id)?.unwrap_or_default();
    Ok(AuditTrail {
        evidence: id,
        serial_number: fields
            .get(&Field::DeviceSerial)
            .map(|value| value.text.clone()),
        page_views: views.pages,
        file_downloads: views.downloads,
        video_playbacks: views.playbacks,
        last_viewed_or_downloaded_on: views.last,
        confidential_activity: Confidential::Included,
        journal,
        events: Vec::new(),
    })
}

/// One event as the trail has it.
pub fn event(number: u64, at: DateTime<Utc>, actor: Option<&Actor>, activity: &str) -> TrailEvent {
    TrailEvent {
        number,
        date: at.format("%Y-%m-%d").to_string(),
        time: at.format("%H:%M:%S%.6f").to_string(),
        user: actor.map_or_else(|| "this node".to_owned(), |actor| people::named(actor).text),
        activity: activity.to_owned(),
    }
}

/// What people did, where the name of the event alone does not say it; and whether that is confidential.
pub fn activity(event: &Event) -> (Option<&'static str>, bool) {
    match event {
        Event::EvidenceOpened(opened) => {
            let what = match opened.purpose {
                Purpose::Download => "file downloaded",
                Purpose::Playback => "video played",
            };
            (Some(what), opened.confidential)
        }
        Event::EvidenceViewed(viewed) => (None, viewed.confidential),
        Event::DisclosureOpened(opened) => {
            let what = match opened.purpose {
                Purpose::Download => "file downloaded by a guest",
                Purpose::Playback => "video played by a guest",
            };
            (Some(what), false)
        }
        _ => (None, false),
    }
}

/// Whether an event is told to nobody to whom something of this case is given: that evidence is in other cases, and who
/// read it there.
pub fn inward(event: &Event, case: Option<CaseId>) -> bool {
    let of = match event {
        Event::EvidenceIncluded(_) | Event::EvidenceExcluded(_) => return true,
        Event::EvidenceDisclosed(said) => said.case,
        Event::DisclosureOpened(opened) => opened.case,
        Event::LinkFilled(filled) => filled.case,
        _ => return false,
    };
    Some(of) != case
}

/// What is to be made of an item before a share discloses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The evidence.
    pub evidence: EvidenceId,
    /// The case as whose evidence it is given.
    pub case: Option<CaseId>,
    /// Its audit trail.
    pub trail: bool,
    /// Its notes, whole; empty where they do not go along.
    pub notes: Vec<note::Note>,
    /// Its markers.
    pub markers: Vec<note::Marker>,
}

impl Wanted {
    fn any(&self) -> bool {
        self.trail || !self.notes.is_empty() || !self.markers.is_empty()
    }
}

/// What of an item goes along with these attachments beside its own files, where there is anything.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn wanted(
    view: &View<'_>,
    attachments: &BTreeSet<Attachment>,
    own: OrganisationId,
    case: Option<CaseId>,
    evidence: EvidenceId,
) -> Result<Option<Wanted>, Error> {
    let has = |attachment| attachments.contains(&attachment);
    let mut wanted = Wanted {
        evidence,
        case,
        trail: has(Attachment::AuditTrail),
        notes: Vec::new(),
        markers: Vec::new(),
    };
    if has(Attachment::Notes) {
        wanted.notes = note::notes(view, evidence)?;
        for note in &mut wanted.notes {
            note.by.organisation.get_or_insert(own);
        }
    }
    if has(Attachment::Markers) {
        wanted.markers = note::markers(view, evidence)?;
        wanted
            .markers
            .retain(|marker| marker.is == MarkerIs::FileBookmark);
    }
    Ok(wanted.any().then_some(wanted))
}

/// Whether an item can't be disclosed in a share before what goes along with it is made.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn unprepared(
    view: &View<'_>,
    share: &entity::Share,
    evidence: EvidenceId,
) -> Result<bool, Error> {
    if share.attachments.is_empty() || view.has(&table::EVIDENCE, &evidence).is_ok_and(|has| !has) {
        return Ok(false);
    }
    let key = (share.header.share, evidence);
    let owner = share.header.owner;
    let wanted = || wanted(view, &share.attachments, owner, share.case, evidence);
    Ok(!view.has(&table::PREPARED, &key)? && wanted()?.is_some())
}

/// What is to be made for the items that wait in a share: a few at once.
///
/// # Errors
/// [`Error`] where the share is gone.
pub fn due(view: &View<'_>, id: ShareId) -> Result<Vec<Wanted>, Error> {
    let share = decide::share(view, id)?;
    let mut due = Vec::new();
    if share.attachments.is_empty() || !share.header.open_to_owner() {
        return Ok(due);
    }
    for ((_, evidence), ()) in view.page(&table::WAITING, &id, None, limits::ENTRY_ITEMS_MAX)? {
        if view.has(&table::PREPARED, &(id, evidence))? {
            continue;
        }
        let owner = share.header.owner;
        let wanted = wanted(view, &share.attachments, owner, share.case, evidence);
        due.extend(wanted?);
        if due.len() == DUE_MAX {
            break;
        }
    }
    Ok(due)
}

/// Records what was made, with the bytes that are new here.
///
/// # Errors
/// [`Error`] where the share is gone.
pub fn made(
    context: &Context<'_>,
    share: ShareId,
    items: Vec<(EvidenceId, Vec<AddedFile>)>,
    stored: Vec<StoredBlob>,
) -> Result<Decided<()>, Error> {
    decide::share(&context.view, share)?;
    let mut events = Vec::new();
    if !stored.is_empty() {
        events.push(Event::BlobsStored(stored));
    }
    events.push(Event::AttachmentsMade(AttachmentsMade { share, items }));
    Ok(Decided::new(events, |_| Ok(())))
}

/// Whether a file of evidence goes along in a copy with these attachments.
pub fn goes(attachments: &BTreeSet<Attachment>, kind: FileKind) -> bool {
    let needed = match kind {
        FileKind::Original | FileKind::GpsTrack => return true,
        FileKind::Transcript => Attachment::Transcripts,
        FileKind::AuditTrail => Attachment::AuditTrail,
        FileKind::Notes => Attachment::Notes,
        FileKind::Markers => Attachment::Markers,
    };
    attachments.contains(&needed)
}

/// Reads back the notes of another organisation: whoever it is, they are its own.
pub fn notes_of(bytes: &[u8], source: OrganisationId) -> Vec<note::Note> {
    let read: Result<note::Noted, _> = serde_json::from_slice(bytes);
    let mut notes = read.unwrap_or_default().notes;
    // No node makes longer ones.
    notes.retain(|note| {
        note.text.len() <= note::NOTE_MAX && note.by.text.len() <= limits::ADDED_BY_MAX
    });
    notes.truncate(note::NOTES_MAX);
    for note in &mut notes {
        note.by.organisation.get_or_insert(source);
    }
    notes
}

/// Reads back the markers of another organisation: they are bookmarks of the file.
pub fn markers_of(bytes: &[u8]) -> Vec<note::Marker> {
    let read: Result<note::Marked, _> = serde_json::from_slice(bytes);
    let mut markers = read.unwrap_or_default().markers;
    markers.retain(|marker| marker.title.len() <= limits::TAG_MAX);
    markers.truncate(note::MARKERS_MAX);
    for marker in &mut markers {
        marker.is = MarkerIs::FileBookmark;
    }
    markers
}

/// Where files of this kind that came along with evidence lie, and from whom they came.
///
/// # Errors
/// [`Error`] where there is no such evidence.
pub fn came_along(
    view: &View<'_>,
    id: EvidenceId,
    kind: FileKind,
) -> Result<Vec<(Placed, OrganisationId)>, Error> {
    let evidence = view.get(&table::EVIDENCE, &id)?;
    let evidence = evidence.ok_or_else(|| missing(id))?;
    let Some(origin) = evidence.origin else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for (_, file) in view.page(&table::FILE, &id, None, limits::ITEM_FILES_MAX)? {
        if file.kind != kind || file.size > DOCUMENT_MAX {
            continue;
        }
        let blob = view.get(&table::BLOB, &file.blake3)?;
        let blob = blob.ok_or_else(|| broken("a file's bytes are not recorded"))?;
        if blob.state == entity::BlobState::Damaged {
            continue;
        }
        let placed = Placed {
            digest: file.blake3,
            size: file.size,
            place: blob.place,
        };
        files.push((placed, origin.organisation));
    }
    Ok(files)
}

/// Items for which something is made in one step: each takes a look at the journal.
const DUE_MAX: usize = 64;

/// Bytes of a document that is read as a whole: more than all notes or markers have.
pub const DOCUMENT_MAX: u64 = 4 * 1024 * 1024;
