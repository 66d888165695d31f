//! The portal: where guests read what was disclosed to them.
//!
//! Invariant: whether a guest may is asked at every call, and again before every piece of a file once anything
//! changed. What they may not read looks like what does not exist. Each look is recorded before anything is told.

mod run;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::EvidenceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{self, Context, Decided, broken};
use super::disclosure::DisclosureId;
use super::evidence::{FileKind, Purpose};
use super::external::Case;
use super::{Error, ErrorKind, metadata, settings};
use crate::blobs::Placed;
use crate::event::{self, CaseDisclosed, DisclosureOpened, Event, EvidenceDisclosed};
use crate::federation::history;
use crate::node::{Node, timely};
use crate::signin::prove;
use crate::store::entity::{self, BlobState};
use crate::store::table;
use crate::store::view::View;

/// Lists what was disclosed to the guest who asks.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows what was disclosed to the guest who asks, with its evidence. Each look at it is recorded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// The disclosure's id.
    pub disclosure: DisclosureId,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many items of evidence, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Opens a file that was disclosed to the guest who asks; its bytes follow. Each opening is recorded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Get {
    /// The disclosure's id.
    pub disclosure: DisclosureId,
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// Which of its files, from 0, as they were disclosed.
    #[serde(default)]
    pub file: u32,
    /// What for; to be kept, where left out.
    #[serde(default)]
    pub purpose: Purpose,
}

/// What was disclosed, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disclosure {
    /// Its id.
    pub disclosure: DisclosureId,
    /// The organisation that disclosed it.
    pub organisation: String,
    /// How the case was described then.
    pub case: Case,
    /// The message to its guests.
    pub message: String,
    /// When it was disclosed first.
    pub made_at: DateTime<Utc>,
    /// Until when it can be read, where that is for a number of days.
    pub expires_at: Option<DateTime<Utc>>,
    /// How many items of evidence it has.
    pub evidence: u64,
}

/// A page of what was disclosed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// In the order in which it was.
    pub disclosures: Vec<Disclosure>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

/// What was disclosed, with some of its evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// What was disclosed.
    #[serde(flatten)]
    pub disclosure: Disclosure,
    /// Evidence, in the order of its ids.
    pub items: Vec<Item>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

/// An item of evidence as it was disclosed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// What it is, on one line.
    pub title: String,
    /// The folder inside the case; empty for the top.
    pub folder: String,
    /// When it was taken in first.
    pub added_at: DateTime<Utc>,
    /// Who added it there.
    pub added_by: metadata::Value,
    /// What else is said of it.
    pub metadata: metadata::Metadata,
    /// Its files.
    pub files: Vec<File>,
}

/// A file of an item that was disclosed.
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
    /// What it is to its evidence.
    pub kind: FileKind,
    /// Its media type; empty where its name does not say.
    pub format: String,
    /// What is to be shown beside it, where that is video whose watermark was not drawn.
    pub watermark: Option<String>,
}

/// The name of the action that opens a file; it has a route of its own, as bytes follow.
pub const GET: &str = "portal.get";

/// Refuses what needs a portal where there is none.
///
/// # Errors
/// `Conflict`.
pub fn set_up(view: &View<'_>) -> Result<(), Error> {
    if settings::of(view)?.disclosure_portal {
        return Ok(());
    }
    let message = "this node has no portal, in which guests read";
    Err(Error::new(ErrorKind::Conflict, message).hint(
        "ask your administrator to set it up: interdocket settings set --disclosure-portal true",
    ))
}

/// The node itself.
///
/// # Errors
/// [`Error`] where the tables fail.
pub(super) fn node(view: &View<'_>) -> Result<entity::Node, Error> {
    view.get(&table::NODE, &())?
        .ok_or_else(|| broken("the node's own record is missing"))
}

/// A disclosure, where this guest may read it now; none where they may not, or there is none.
fn given(
    view: &View<'_>,
    id: DisclosureId,
    guest: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<entity::Disclosure>, Error> {
    let Some(held) = view.get(&table::DISCLOSURE, &id)? else {
        return Ok(None);
    };
    let user = prove::active(view, guest)?;
    let read = held.guests.contains(&guest)
        && user.is_some_and(|user| user.guest())
        && held.ended_at.is_none()
        && held.said.is_some()
        && !held.expired(now)
        && decide::whole(view, held.case.uuid()).is_ok()
        && timely(view).is_ok();
    Ok(Some(held).filter(|_| read))
}

fn absent(id: DisclosureId) -> Error {
    let message = format!("nothing with the id {id} is disclosed to you");
    Error::new(ErrorKind::NotFound, message).hint("see what is: GET /v0/portal")
}

/// Records that a guest looks, before they are shown anything.
fn view(context: &Context<'_>, id: DisclosureId, guest: Uuid) -> Result<Decided<()>, Error> {
    let held = given(&context.view, id, guest, context.now)?.ok_or_else(|| absent(id))?;
    let viewed = event::Disclosed {
        disclosure: id,
        case: held.case,
    };
    let events = vec![Event::DisclosureViewed(viewed)];
    Ok(Decided::new(events, |_| Ok(())))
}

/// A file that a guest may read.
#[derive(Debug, Clone)]
struct Found {
    /// The record in which it stands.
    record: u64,
    /// The file.
    file: File,
    /// Until when it may be read.
    until: Option<DateTime<Utc>>,
}

/// Records that a guest opens a file, and says where its bytes lie.
fn open(
    context: &Context<'_>,
    request: &Get,
    guest: Uuid,
    found: &Found,
) -> Result<Decided<Placed>, Error> {
    let (view, id) = (&context.view, request.disclosure);
    let held = given(view, id, guest, context.now)?.ok_or_else(|| absent(id))?;
    if !stands(view, (id, request.evidence), found.record)? {
        return Err(no_file(request));
    }
    let file = &found.file;
    let blob = view.get(&table::BLOB, &file.blake3)?;
    let blob = blob.filter(|blob| blob.state != BlobState::Damaged);
    let blob = blob.ok_or_else(|| {
        let message = format!("\"{}\" can't be read now", file.name);
        Error::new(ErrorKind::Unavailable, message).hint("ask who disclosed it to you")
    })?;
    let placed = Placed {
        digest: file.blake3,
        size: file.size,
        place: blob.place,
    };
    let opened = DisclosureOpened {
        disclosure: id,
        case: held.case,
        evidence: request.evidence,
        file: request.file,
        blake3: file.blake3,
        purpose: request.purpose,
    };
    let events = vec![Event::DisclosureOpened(opened)];
    Ok(Decided::new(events, move |_| Ok(placed)))
}

/// Whether what is said of an item in this record still is.
fn stands(view: &View<'_>, row: (DisclosureId, EvidenceId), record: u64) -> Result<bool, Error> {
    let disclosed = view.get(&table::DISCLOSED, &row)?;
    let held = disclosed.and_then(|disclosed| disclosed.record);
    Ok(held == Some(record))
}

fn no_file(request: &Get) -> Error {
    let message = format!(
        "there is no file {} of evidence {} in what is disclosed to you",
        request.file, request.evidence
    );
    Error::new(ErrorKind::NotFound, message).hint("see what is: GET /v0/portal/{disclosure}")
}

/// What a record says of an item.
fn said(node: &Node, view: &View<'_>, record: u64) -> Result<EvidenceDisclosed, Error> {
    match history::event(view, &node.parts().journal, record)? {
        Event::EvidenceDisclosed(said) => Ok(said),
        _ => Err(broken("a record says nothing of disclosed evidence")),
    }
}

/// Items of a disclosure as they were disclosed, behind `after`, and where the next page continues.
///
/// # Errors
/// [`Error`] where the journal or the tables fail.
pub(super) fn items(
    node: &Node,
    view: &View<'_>,
    id: DisclosureId,
    after: Option<EvidenceId>,
    limit: usize,
) -> Result<(Vec<Item>, Option<String>), Error> {
    let mut items: Vec<Item> = Vec::new();
    let mut after = after.map(|evidence| (id, evidence));
    loop {
        let rows = view.page(&table::DISCLOSED, &id, after.as_ref(), ROWS)?;
        let whole = rows.len() < ROWS;
        for (row, disclosed) in rows {
            let Some(record) = disclosed.record else {
                continue;
            };
            if items.len() == limit {
                let last = items.last().map(|item| item.evidence.to_string());
                return Ok((items, last));
            }
            items.push(Item::of(said(node, view, record)?));
            after = Some(row);
        }
        if whole {
            return Ok((items, None));
        }
    }
}

/// A disclosure as its guests see it.
fn shown(
    of: &Node,
    view: &View<'_>,
    id: DisclosureId,
    held: &entity::Disclosure,
) -> Result<Disclosure, Error> {
    let record = held.said.ok_or_else(|| absent(id))?;
    let event = history::event(view, &of.parts().journal, record)?;
    let Event::CaseDisclosed(CaseDisclosed { info, message, .. }) = event else {
        return Err(broken("a record says nothing of a disclosed case"));
    };
    Ok(Disclosure {
        disclosure: id,
        organisation: node(view)?.name,
        case: Case::of(info),
        message,
        made_at: held.made_at,
        expires_at: held.until,
        evidence: held.evidence.saturating_sub(held.deleted),
    })
}

impl Item {
    fn of(said: EvidenceDisclosed) -> Self {
        let EvidenceDisclosed {
            item, watermarks, ..
        } = said;
        let files = (0..).zip(item.files);
        let files = files.map(|(place, file)| File::of(file, watermarks.get(&place)));
        Self {
            evidence: item.evidence,
            title: item.title,
            folder: item.folder,
            added_at: item.added_at,
            added_by: metadata::Value::of(item.added_by),
            metadata: metadata::Metadata::told(item.metadata),
            files: files.collect(),
        }
    }
}

impl File {
    fn of(file: interdocket_sync::evidence::File, watermark: Option<&String>) -> Self {
        Self {
            name: file.name,
            size: file.size,
            blake3: file.blake3,
            sha256: file.sha256,
            kind: FileKind::of(file.kind),
            format: file.format,
            watermark: watermark.cloned(),
        }
    }
}

/// Rows that are looked at together.
const ROWS: usize = 256;
