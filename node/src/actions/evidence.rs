//! Evidence: taking files in, listing, showing and reading them.

use std::path::Path;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::case::Origin;
use super::decide::{self, Context, Decided, Effect, bounded, broken, filled, line};
use super::{Caller, Change, Error, ErrorKind, Query, exchange};
use crate::blobs::{Place, Placed};
use crate::event::{AddedFile, Event, EvidenceAdded, EvidenceEdited, EvidenceOpened, StoredBlob};
use crate::store::entity::{self, BlobState};
use crate::store::table;
use crate::store::view::View;

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
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows one item of evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
}

/// Describes evidence anew: its title, or its folder; what is left out stays. Shares that go on follow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// The new title.
    #[serde(default)]
    pub title: Option<String>,
    /// The new folder inside the case; empty for the top.
    #[serde(default)]
    pub folder: Option<String>,
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
}

/// One item of evidence as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Its id on this node.
    #[schemars(with = "uuid::Uuid")]
    pub id: EvidenceId,
    /// The case that it belongs to.
    #[schemars(with = "uuid::Uuid")]
    pub case: CaseId,
    /// What it is, on one line.
    pub title: String,
    /// The folder inside the case; empty for the top.
    pub folder: String,
    /// When this node took it in.
    pub added_at: DateTime<Utc>,
    /// Who added it; for what was received, as the sender's organisation says.
    pub added_by: String,
    /// Its files.
    pub files: Vec<File>,
    /// From whom it was received, where it was.
    pub origin: Option<Origin>,
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
                name: self.name,
                size: self.size,
                blake3: self.blake3,
                sha256: self.sha256,
            },
        };
        let stored = self.place.map(|place| {
            Event::BlobsStored(vec![StoredBlob {
                blake3: self.blake3,
                size: self.size,
                place,
                sha256: self.sha256,
                compared: true,
            }])
        });
        let events = stored.into_iter().chain([Event::EvidenceAdded(added)]);
        let mut decided = Decided::new(events.collect(), move |view| shown(view, id));
        for partner in exchange::following(&context.view, case)? {
            decided = decided.then(Effect::Nudge(partner));
        }
        Ok(decided)
    }
}

impl Change for Edit {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        let view = &context.view;
        let evidence = view
            .get(&table::EVIDENCE, &id)?
            .ok_or_else(|| missing(id))?;
        decide::whole(view, evidence.case.uuid())?;
        let folder = self.folder.unwrap_or_else(|| evidence.folder.clone());
        let title = self.title.unwrap_or_else(|| evidence.title.clone());
        Taken::check("file", &folder, Some(&title))?;
        let title = filled("title", line("title", &title, limits::TITLE_MAX)?)?;
        if (&title, &folder) == (&evidence.title, &evidence.folder) {
            return Ok(Decided::new(Vec::new(), move |view| shown(view, id)));
        }
        let mut decided = Decided::new(
            vec![Event::EvidenceEdited(EvidenceEdited {
                id,
                case: evidence.case,
                title,
                folder,
            })],
            move |view| shown(view, id),
        )
        .then(Effect::Recheck);
        for partner in exchange::following(&context.view, evidence.case)? {
            decided = decided.then(Effect::Nudge(partner));
        }
        Ok(decided)
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
        let evidence = view
            .get(&table::EVIDENCE, &self.evidence)?
            .ok_or_else(|| self.missing())?;
        decide::whole(view, evidence.case.uuid())?;
        let file = view
            .get(&table::FILE, &(self.evidence, self.file))?
            .ok_or_else(|| self.missing())?;
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
            case: evidence.case,
            file: self.file,
            blake3: file.blake3,
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
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Evidence, Error> {
        let evidence = view
            .get(&table::EVIDENCE, &self.evidence)?
            .ok_or_else(|| missing(self.evidence))?;
        Evidence::of(view, self.evidence, evidence)
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Page, Error> {
        let (case, _) = decide::case(view, &self.case)?;
        let limit = decide::limit(self.limit)?;
        let after: Option<EvidenceId> = decide::after(self.after.as_deref())?;
        let after = after.map(|id| (case, id));
        let rows = view.page(&table::CASE_EVIDENCE, &case, after.as_ref(), limit)?;
        let next = (rows.len() == limit).then(|| rows.last().map(|((_, id), ())| id.to_string()));
        let mut page = Page {
            evidence: Vec::with_capacity(rows.len()),
            next: next.flatten(),
        };
        for ((_, id), ()) in rows {
            page.evidence.push(shown(view, id)?);
        }
        Ok(page)
    }
}

impl Evidence {
    fn of(view: &View<'_>, id: EvidenceId, evidence: entity::Evidence) -> Result<Self, Error> {
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
            });
        }
        Ok(Self {
            id,
            case: evidence.case,
            title: evidence.title,
            folder: evidence.folder,
            added_at: evidence.added_at,
            added_by: evidence.added_by,
            files,
            origin: evidence.origin,
        })
    }
}

fn shown(view: &View<'_>, id: EvidenceId) -> Result<Evidence, Error> {
    let evidence = view
        .get(&table::EVIDENCE, &id)?
        .ok_or_else(|| broken("an item of evidence is missing"))?;
    Evidence::of(view, id, evidence)
}
