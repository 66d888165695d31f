//! Evidence: taking files in, listing, showing and reading them.

mod attach;
mod describe;
mod include;
mod multicam;
pub mod note;
pub mod rendition;
pub mod trail;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::copy::Field;
use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::{evidence as told, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::case::Origin;
use super::decide::{self, Context, Decided, Effect, bounded, broken, filled, line};
use super::reach::{self, Reader};
use super::{Caller, Error, ErrorKind, Query, exchange, metadata, retention};
use crate::blobs::{Place, Placed};
use crate::event::{AddedFile, Event, EvidenceAdded, EvidenceOpened, Matter, StoredBlob};
use crate::store::entity::{self, BlobState};
use crate::store::table;
use crate::store::view::View;

pub use self::attach::{Attach, Attachable, Attached};
pub use self::describe::{Edit, Tag};
pub use self::include::{Exclude, Include};
pub use self::multicam::{Camera, Cameras, Multicam};
pub use self::note::{AddNote, MarkerKind, Markers, Notes, RemoveMarker, SetMarker};
pub use self::rendition::{Rendition, RenditionState};
pub use self::trail::{Purpose, Trail};

/// Adds one file that lies on the node's machine to a case, as one item of evidence. Only over the
/// local socket; elsewhere a file is sent as the body of the request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The case's id or number.
    pub case: String,
    /// The file.
    pub path: std::path::PathBuf,
    /// The name it gets; the file's own where left out.
    #[serde(default)]
    pub name: Option<String>,
    /// The folder inside the case, parts separated by `/`; empty for the top.
    #[serde(default)]
    pub folder: String,
    /// What it is, on one line; the file's name where left out.
    #[serde(default)]
    pub title: Option<String>,
}

/// Adds the body of a request to a case, as one item of evidence with one file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Upload {
    /// The case's id or number.
    pub case: String,
    /// The file's name.
    pub name: String,
    /// The folder inside the case, parts separated by `/`; empty for the top.
    #[serde(default)]
    pub folder: String,
    /// What it is, on one line; the file's name where left out.
    #[serde(default)]
    pub title: Option<String>,
}

/// Lists the evidence of a case, in the order in which it was added.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// The case's id or number.
    pub case: String,
    /// Only what has no category.
    #[serde(default)]
    pub uncategorised: bool,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// Look at so many at most, 1 to 1,000; 100 where not said. What is not asked for is left out.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows one item of evidence. Each look at it is recorded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// Whether only who may see confidential activity is shown that somebody looked.
    #[serde(default)]
    pub confidential: bool,
}

/// Opens one file of evidence for reading; its bytes follow. Each opening is recorded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Get {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// Which of its files, from 0.
    #[serde(default)]
    pub file: u32,
    /// Whether video that was received is read as it came, without its watermark. This needs the permission
    /// `evidence.original`.
    #[serde(default)]
    pub original: bool,
    /// What for; to be kept, where left out.
    #[serde(default)]
    pub purpose: Purpose,
    /// Whether only who may see confidential activity is shown it.
    #[serde(default)]
    pub confidential: bool,
}

/// One item of evidence as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Its id on this node.
    #[schemars(with = "uuid::Uuid")]
    pub id: EvidenceId,
    /// The cases that it is in, as far as the caller reaches them.
    pub cases: Vec<InCase>,
    /// What it is, on one line.
    pub title: String,
    /// The folder inside the case that is listed, else inside the first of its cases; empty for the top.
    pub folder: String,
    /// When this node took it in.
    pub added_at: DateTime<Utc>,
    /// When the node that took it in first did.
    pub uploaded_at: DateTime<Utc>,
    /// Who added it there; for what was received, as the sender's organisation says.
    pub added_by: metadata::Value,
    /// What else is said of it.
    pub metadata: metadata::Metadata,
    /// For what was received, how each piece of it got here.
    pub provenance: BTreeMap<String, metadata::HowCopied>,
    /// Its files.
    pub files: Vec<File>,
    /// What is read instead of files that are video and were received.
    pub renditions: Vec<Rendition>,
    /// From whom it was received, where it was.
    pub origin: Option<Origin>,
    /// Until when the retention policies of its cases keep it; none where that is until it is deleted by hand.
    pub retention_until: Option<DateTime<Utc>>,
    /// The legal hold that keeps it: its own, or that of one of `cases`.
    pub hold: Option<retention::Held>,
    /// When it is deleted, where it is queued for that.
    pub queued_for_deletion_on: Option<DateTime<Utc>>,
}

/// A case that evidence is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InCase {
    /// The case's id.
    #[schemars(with = "uuid::Uuid")]
    pub case: CaseId,
    /// Its number.
    pub number: String,
    /// The folder inside it; empty for the top.
    pub folder: String,
}

/// One file of an item of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3, by which the file is named everywhere.
    #[schemars(with = "String")]
    pub blake3: Digest,
    /// SHA-256, from the pass that first took the file in.
    #[schemars(with = "String")]
    pub sha256: Sha256,
    /// How it stands with the bytes.
    pub state: FileState,
    /// What it is to its evidence.
    pub kind: FileKind,
    /// Its media type; empty where its name does not say.
    pub format: String,
}

/// What a file is to its evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// The evidence itself.
    Original,
    /// Where the device was while it recorded.
    GpsTrack,
    /// What is said in it.
    Transcript,
    /// What was done with it at its source.
    AuditTrail,
    /// What people noted at its source.
    Notes,
    /// Places in it that were marked at its source.
    Markers,
}

/// How it stands with the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Both digests were computed or compared on this node.
    Verified,
    /// BLAKE3 was verified; SHA-256 is about to be compared.
    Stored,
    /// The bytes are those of the BLAKE3, but their SHA-256 is not the one that the source signed.
    Differs,
    /// The bytes on disk do not match; they are never served.
    Damaged,
}

/// A page of evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The evidence.
    pub evidence: Vec<Evidence>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

/// The name of the action that opens evidence; it has a route of its own, as bytes follow.
pub const GET: &str = "evidence.get";

/// Says which case evidence is for, and refuses a closed one, before any byte is read.
///
/// # Errors
/// [`Error`] where there is none, or it is closed.
pub fn intake(view: &View<'_>, case: &str) -> Result<CaseId, Error> {
    let (id, case) = decide::case(view, case)?;
    decide::whole(view, id.uuid())?;
    if retention::queued(view, id.uuid())?.is_some() {
        let message = format!("case \"{}\" is queued for deletion", case.number);
        return Err(Error::new(ErrorKind::Conflict, message)
            .hint("take it back first: interdocket case keep CASE --reason WHY"));
    }
    if case.open {
        return Ok(id);
    }
    let message = format!("case \"{}\" is closed", case.number);
    Err(Error::new(ErrorKind::Conflict, message).hint("add the evidence to an open case"))
}

/// Evidence whose one file is taken in: its bytes are durable, or held already.
pub struct Taken {
    /// The case's id or number.
    pub case: String,
    /// The file's name.
    pub name: String,
    /// The folder inside the case.
    pub folder: String,
    /// What it is; the file's name where not said.
    pub title: Option<String>,
    /// Its bytes.
    pub size: u64,
    /// Their name.
    pub blake3: Digest,
    /// From the same pass.
    pub sha256: Sha256,
    /// Where they lie; none where this node held them already.
    pub place: Option<Place>,
}

impl Taken {
    /// Names, checked, before any byte is read.
    ///
    /// # Errors
    /// [`Error`] for names that no evidence can have.
    pub fn check(name: &str, folder: &str, title: Option<&str>) -> Result<(), Error> {
        filled(
            "file's name",
            bounded("file's name", name, limits::NAME_MAX)?,
        )?;
        bounded("folder", folder, limits::FOLDER_MAX)?;
        let absolute = folder.starts_with('/') || folder.ends_with('/');
        if absolute || folder.split('/').any(|part| part == "." || part == "..") {
            let message = format!("\"{folder}\" is not a folder inside a case");
            return Err(Error::new(ErrorKind::Invalid, message).hint("write it as a/b"));
        }
        title.map_or(Ok(()), |title| {
            line("title", title, limits::TITLE_MAX).map(drop)
        })
    }

    /// Records it.
    ///
    /// # Errors
    /// [`Error`] where the case is gone or closed by now.
    pub fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let case = intake(&context.view, &self.case)?;
        let id = EvidenceId::new(context.id());
        let title = self.title.unwrap_or_else(|| self.name.clone());
        let added = EvidenceAdded {
            id,
            case,
            title: title.chars().filter(|c| !c.is_control()).collect(),
            folder: self.folder,
            file: AddedFile {
                format: format(&self.name),
                name: self.name,
                size: self.size,
                blake3: self.blake3,
                sha256: self.sha256,
                kind: told::FileKind::Original,
            },
        };
        let stored = stored(
            &context.view,
            self.size,
            self.blake3,
            self.sha256,
            self.place,
        )?;
        let events = stored.into_iter().chain([Event::EvidenceAdded(added)]);
        let reader = Reader::from(&*context);
        let mut decided = Decided::new(events.collect(), move |view| shown(view, &reader, id));
        for partner in exchange::following(&context.view, &[case])? {
            decided = decided.then(Effect::Nudge(partner));
        }
        Ok(decided)
    }
}

/// That bytes which are new on this node are durable; nothing where it holds them.
fn stored(
    view: &View<'_>,
    size: u64,
    blake3: Digest,
    sha256: Sha256,
    place: Option<Place>,
) -> Result<Option<Event>, Error> {
    let Some(place) = place else {
        if view.has(&table::BLOB, &blake3)? {
            return Ok(None);
        }
        let message = "evidence with the same bytes was deleted at this very moment";
        return Err(Error::new(ErrorKind::Unavailable, message).hint("try again"));
    };
    let blob = StoredBlob {
        blake3,
        size,
        place,
        sha256,
        compared: true,
    };
    Ok(Some(Event::BlobsStored(vec![blob])))
}

/// The media type of a file, as its name has it; empty where that says nothing.
fn format(name: &str) -> String {
    let format = mime_guess::from_path(name).first_raw().unwrap_or_default();
    match format.len() <= limits::FORMAT_MAX {
        true => format.to_owned(),
        false => String::new(),
    }
}

/// That there is no evidence with this id, or none for this caller.
pub fn missing(id: EvidenceId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no evidence {id}"))
        .hint("list it: interdocket evidence list CASE")
}

/// The name that a file gets where none is said.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

impl Get {
    /// Records that a file is opened, and says where its bytes lie.
    ///
    /// # Errors
    /// [`Error`] where there is no such file, or its bytes are damaged.
    pub fn decide(self, context: &mut Context<'_>) -> Result<Decided<(String, Placed)>, Error> {
        let view = &context.view;
        whole(view, self.evidence).map_err(|error| match error.kind {
            ErrorKind::NotFound => self.missing(),
            _ => error,
        })?;
        let key = (self.evidence, self.file);
        let file = view
            .get(&table::FILE, &key)?
            .ok_or_else(|| self.missing())?;
        let file = match self.original {
            true => file,
            false => rendition::drawn(view, key)?.unwrap_or(file),
        };
        let blob = view
            .get(&table::BLOB, &file.blake3)?
            .ok_or_else(|| broken("a file's bytes are not recorded"))?;
        if blob.state == BlobState::Damaged {
            let message = format!("\"{}\" is damaged on this node's disk", file.name);
            return Err(Error::new(ErrorKind::Unavailable, message)
                .hint("restore it from a backup, or have its source share it again"));
        }
        let opened = EvidenceOpened {
            evidence: self.evidence,
            file: self.file,
            blake3: file.blake3,
            purpose: self.purpose,
            confidential: self.confidential,
        };
        let placed = Placed {
            digest: file.blake3,
            size: file.size,
            place: blob.place,
        };
        let answer = (file.name, placed);
        Ok(Decided::new(
            vec![Event::EvidenceOpened(opened)],
            move |_| Ok(answer),
        ))
    }

    fn missing(&self) -> Error {
        let message = format!(
            "there is no file {} of evidence {}",
            self.file, self.evidence
        );
        Error::new(ErrorKind::NotFound, message).hint("list it: interdocket evidence list CASE")
    }
}

impl Query for Show {
    fn answer(&self, view: &View<'_>, who: &Caller, _: DateTime<Utc>) -> Result<Evidence, Error> {
        let evidence = view
            .get(&table::EVIDENCE, &self.evidence)?
            .ok_or_else(|| missing(self.evidence))?;
        Evidence::of(view, &who.into(), self.evidence, evidence)
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, who: &Caller, _: DateTime<Utc>) -> Result<Page, Error> {
        let reader = Reader::from(who);
        let (case, _) = decide::case(view, &self.case)?;
        let limit = decide::limit(self.limit)?;
        let after: Option<EvidenceId> = decide::after(self.after.as_deref())?;
        let after = after.map(|id| (case, id));
        let rows = view.page(&table::CASE_EVIDENCE, &case, after.as_ref(), limit)?;
        let next = (rows.len() == limit).then(|| rows.last().map(|((_, id), _)| id.to_string()));
        let mut page = Page {
            evidence: Vec::with_capacity(rows.len()),
            next: next.flatten(),
        };
        for ((_, id), link) in rows {
            let mut shown = shown(view, &reader, id)?;
            shown.folder = link.folder;
            if !self.uncategorised || shown.metadata.categories.is_empty() {
                page.evidence.push(shown);
            }
        }
        Ok(page)
    }
}

impl Evidence {
    fn of(
        view: &View<'_>,
        reader: &Reader,
        id: EvidenceId,
        evidence: entity::Evidence,
    ) -> Result<Self, Error> {
        let metadata = metadata::Metadata::of(view, id)?;
        let reached = reach::among(view, reader, id)?;
        let cases = reached.iter().map(|case| InCase::of(view, *case, id));
        let cases = cases.collect::<Result<Vec<_>, _>>()?;
        let mut files = Vec::new();
        for (_, file) in view.page(&table::FILE, &id, None, limits::ITEM_FILES_MAX)? {
            let blob = view.get(&table::BLOB, &file.blake3)?;
            files.push(File {
                name: file.name,
                size: file.size,
                blake3: file.blake3,
                sha256: file.sha256,
                state: match blob.map(|blob| (blob.state, blob.sha256)) {
                    Some((BlobState::Compared, computed)) if computed != file.sha256 => {
                        FileState::Differs
                    }
                    Some((BlobState::Compared, _)) => FileState::Verified,
                    Some((BlobState::Stored, _)) => FileState::Stored,
                    Some((BlobState::Damaged, _)) | None => FileState::Damaged,
                },
                kind: FileKind::of(file.kind),
                format: file.format,
            });
        }
        Ok(Self {
            id,
            title: evidence.title,
            folder: cases
                .first()
                .map_or_else(String::new, |case| case.folder.clone()),
            cases,
            added_at: evidence.added_at,
            uploaded_at: evidence.uploaded_at,
            added_by: metadata::Value::of(evidence.added_by),
            provenance: match evidence.origin {
                Some(_) => provenance(&metadata, &files),
                None => BTreeMap::new(),
            },
            metadata,
            files,
            renditions: rendition::shown(view, id)?,
            origin: evidence.origin,
            retention_until: retention::kept(view, id, evidence.dated_at)?,
            hold: retention::hold(view, Matter::Evidence(id), &reached)?,
            queued_for_deletion_on: retention::queued(view, id.uuid())?,
        })
    }
}

impl InCase {
    fn of(view: &View<'_>, case: CaseId, id: EvidenceId) -> Result<Self, Error> {
        let held = view.get(&table::CASE, &case)?;
        let held = held.ok_or_else(|| broken("a case is missing"))?;
        let link = view.get(&table::CASE_EVIDENCE, &(case, id))?;
        let link = link.ok_or_else(|| broken("evidence is not in its case"))?;
        Ok(Self {
            case,
            number: held.number,
            folder: link.folder,
        })
    }
}

impl FileKind {
    /// As it is shown.
    pub(super) const fn of(kind: told::FileKind) -> Self {
        match kind {
            told::FileKind::Original => Self::Original,
            told::FileKind::GpsTrack => Self::GpsTrack,
            told::FileKind::Transcript => Self::Transcript,
            told::FileKind::AuditTrail => Self::AuditTrail,
            told::FileKind::Notes => Self::Notes,
            told::FileKind::Markers => Self::Markers,
        }
    }
}

/// How each piece of metadata that received evidence has got here, by the table of copying.
fn provenance(
    metadata: &metadata::Metadata,
    files: &[File],
) -> BTreeMap<String, metadata::HowCopied> {
    let from = |field: Field| {
        let name = field.name();
        let tag = |tag: &metadata::Labelled| tag.from.as_deref() == Some(name);
        metadata.fields.contains_key(name) || metadata.tags.iter().any(tag)
    };
    let of = |kind: FileKind| files.iter().any(|file| file.kind == kind);
    let has = |field: Field| match field {
        Field::GpsTrack => of(FileKind::GpsTrack),
        Field::Transcript => of(FileKind::Transcript),
        Field::AuditTrail => of(FileKind::AuditTrail),
        Field::Notes => of(FileKind::Notes),
        Field::ManualMarkers | Field::ChapterMarkers | Field::TranscriptionMarkers => {
            of(FileKind::Markers)
        }
        Field::Tags => metadata.tags.iter().any(|tag| tag.from.is_none()),
        Field::Watermark => files.iter().any(|file| file.format.starts_with("video/")),
        field if field.written() || field.labels() => from(field),
        _ => true,
    };
    let way = |field: &Field| {
        let way = field.rule().way().filter(|_| has(*field))?;
        Some((field.name().to_owned(), metadata::HowCopied::of(way)))
    };
    Field::ALL.iter().filter_map(way).collect()
}

pub(super) fn shown(view: &View<'_>, reader: &Reader, id: EvidenceId) -> Result<Evidence, Error> {
    let evidence = view
        .get(&table::EVIDENCE, &id)?
        .ok_or_else(|| broken("an item of evidence is missing"))?;
    Evidence::of(view, reader, id, evidence)
}

/// The cases that evidence is in: at least one, where there is such evidence.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn cases(view: &View<'_>, id: EvidenceId) -> Result<Vec<CaseId>, Error> {
    let rows = view.page(&table::EVIDENCE_CASE, &id, None, usize::MAX)?;
    Ok(rows.into_iter().map(|((_, case), ())| case).collect())
}

/// Evidence of which all that was recorded can be told.
///
/// # Errors
/// `NotFound`; `Unavailable` where a record about it, or about one of its cases, can't be read.
pub fn whole(view: &View<'_>, id: EvidenceId) -> Result<entity::Evidence, Error> {
    decide::whole(view, id.uuid())?;
    let evidence = view.get(&table::EVIDENCE, &id)?;
    let evidence = evidence.ok_or_else(|| missing(id))?;
    for case in cases(view, id)? {
        decide::whole(view, case.uuid())?;
    }
    Ok(evidence)
}

/// Cases of one item of evidence: what happens to it is recorded in the index of each.
pub const CASES_MAX: usize = 64;
