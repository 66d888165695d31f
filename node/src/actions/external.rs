//! External cases: what partners share with people here, read at its owner or sealed under a lease.
//!
//! Nobody but those to whom a share is addressed reads it; where that can't be told, that is nobody.

mod run;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::Item as Described;
use interdocket_sync::id::{EvidenceId, ShareId, TargetId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::entry::{self as log_entry, CaseInfo};
use interdocket_sync::share::decide::Command;
use interdocket_sync::share::{Hold, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{self, Context, Decided, Effect, broken};
use super::partner::Kind;
use super::share::{Policy, Revocation, Status, Totals};
use super::{Caller, Error, ErrorKind, metadata, people, share};
use crate::access;
use crate::event::{Event, ExternalOpened};
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};

/// Lists the external cases that are addressed to the caller; to an administrator, all of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows an external case with its evidence, as its owner has it now.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many items of evidence, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Opens a file of an external case, or a part of it, for reading; its bytes follow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Get {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// The evidence's id at its owner.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// Which of its files, from 0.
    #[serde(default)]
    pub file: u32,
    /// The first byte.
    #[serde(default)]
    pub from: u64,
    /// The byte after the last; the end of the file where not said.
    #[serde(default)]
    pub to: Option<u64>,
    /// Whether the file is to be kept; else it is looked at.
    #[serde(default)]
    pub download: bool,
}

/// Imports what an external case has by now: it becomes this node's own as soon as its owner has granted
/// that.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Import {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Only these items; where empty all that is new, and how the case is described.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
}

/// Sets who of this organisation may use an external case besides its recipients, where its owner's policy lets
/// recipients say so.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Onward {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Users and groups of this node: names, e-mail addresses or numbers on badges; nobody where empty.
    #[serde(default)]
    pub recipients: Vec<String>,
}

/// An external case as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct External {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// The organisation that owns the case.
    #[schemars(with = "String")]
    pub owner: OrganisationId,
    /// The name it has here.
    pub owner_name: String,
    /// A reference or an advanced share.
    pub kind: Kind,
    /// How it stands.
    pub status: Status,
    /// What it allows, where it is an advanced share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// When it was offered.
    pub offered_at: DateTime<Utc>,
    /// Until when it can be used, where it is for a number of days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked, and what is known of that; nothing where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
    /// Whether it is addressed to the caller.
    pub addressed: bool,
    /// Whether what it says is sealed, as its owner's lease has run out.
    pub locked: bool,
    /// The people who may use it; nobody where it is locked.
    pub recipients: Vec<String>,
    /// The people here whom they added.
    pub onward: Vec<String>,
    /// The message to them.
    pub message: String,
    /// The case at its owner: as it is now, or as it was offered; none where it is locked.
    pub case: Option<Case>,
    /// What the owner discloses; nothing where it is read at the owner only.
    pub listed: Totals,
    /// What of it was imported.
    pub imported: Totals,
}

/// How a case is described at its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Whom it is about, as far as that is shared.
    pub targets: Vec<Target>,
    /// Its tags.
    pub tags: Vec<metadata::Labelled>,
}

/// Whom an external case is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The target's id at the owner.
    #[schemars(with = "uuid::Uuid")]
    pub id: TargetId,
    /// The name.
    pub name: String,
    /// What is known of it.
    pub description: String,
}

/// A page of external cases.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The external cases.
    pub external: Vec<External>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

/// An external case with some of its evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// The external case.
    #[serde(flatten)]
    pub external: External,
    /// Evidence, in the order of its ids.
    pub items: Vec<Item>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
    /// What waits to be imported, where imports are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<Updates>,
}

/// What waits to be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Updates {
    /// Items of evidence that were not imported.
    pub evidence: u64,
    /// Whether the case was described anew since it was imported.
    pub case: bool,
}

/// An item of evidence of an external case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Its id at its owner.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// What it is, on one line.
    pub title: String,
    /// The folder inside the case; empty for the top.
    pub folder: String,
    /// When its owner took it in.
    pub added_at: DateTime<Utc>,
    /// Who added it, as its owner says.
    pub added_by: metadata::Value,
    /// What else is said of it.
    pub metadata: metadata::Metadata,
    /// Its files.
    pub files: Vec<File>,
    /// Whether it was imported.
    pub imported: bool,
}

/// A file of an item of evidence of an external case.
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
}

/// The name of the action that opens a file; it has a route of its own, as bytes follow.
pub const GET: &str = "external.get";

/// What a share says to people, as far as it can be read now.
#[derive(Debug, Clone, Default)]
struct Said {
    case: Option<CaseInfo>,
    recipients: Option<Vec<String>>,
    onward: Vec<String>,
    message: String,
}

/// A share that was received and lives at its owner. What else a share is looks like none: not everybody here
/// reaches it.
///
/// # Errors
/// `NotFound` where there is none.
fn received(view: &View<'_>, id: ShareId) -> Result<entity::Share, Error> {
    let share = view.get(&table::SHARE, &id)?.ok_or_else(|| absent(id))?;
    let node = view
        .get(&table::NODE, &())?
        .ok_or_else(|| broken("the node's own record is missing"))?;
    let header = &share.header;
    if header.partner != node.organisation || Kind::of(header.kind) == Kind::Copy {
        return Err(absent(id));
    }
    // What nobody has taken is nobody's to see here: administrators find it among the shares.
    if share.pending || header.declined.is_some() {
        return Err(absent(id));
    }
    decide::whole(view, id.uuid())?;
    Ok(share)
}

fn absent(id: ShareId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("there is no external case {id}"),
    )
    .hint("list them: interdocket external list; own shares and copies: interdocket share list")
}

/// Refuses what can't be read by anybody now, with what to do about it.
fn usable(share: &entity::Share, now: DateTime<Utc>) -> Result<(), Error> {
    let header = &share.header;
    let refuse =
        |message: &str, hint: &str| Err(Error::new(ErrorKind::Conflict, message).hint(hint));
    let again = "ask its owner to share it again";
    match header.state {
        _ if header.revoked => refuse("its owner has revoked this share", again),
        _ if header.expired(now) => refuse("the time of this share is up", again),
        _ if header.suspended => refuse(
            "its owner has suspended this share",
            "ask its owner when it goes on",
        ),
        _ if header.hold == Hold::Frozen => refuse(
            "this share is frozen: two histories of it exist",
            "ask an administrator to look at it: interdocket share show SHARE",
        ),
        _ if header.hold == Hold::Recovering => refuse(
            "this node was restored: its owner has not said yet how this share stands",
            "wait for contact; see: interdocket partner doctor PARTNER",
        ),
        State::Offered => refuse(
            "this share is not accepted yet",
            "ask an administrator whether it is enabled: interdocket partner show PARTNER",
        ),
        _ => Ok(()),
    }
}

/// As which of its recipients somebody may use a share; none where it is not addressed to them. Recipients
/// that can't be read are nobody, and so is whom nobody could have added.
fn recipient(view: &View<'_>, said: &Said, caller: &Caller) -> Result<Option<String>, Error> {
    let Some(recipients) = said.recipients.as_ref().filter(|named| !named.is_empty()) else {
        return Ok(None);
    };
    match people::addressed(view, recipients, &caller.actor)? {
        Some(recipient) => Ok(Some(recipient)),
        None => people::addressed(view, &said.onward, &caller.actor),
    }
}

/// Why a share can't be used by somebody who is none of its recipients.
fn unaddressed(said: &Said) -> Error {
    if said.recipients.is_none() {
        return Error::new(
            ErrorKind::Unavailable,
            "this share is locked: its owner's lease has run out",
        )
        .hint("it is renewed with the next contact; see: interdocket partner doctor PARTNER");
    }
    let message = "this share is not addressed to you";
    Error::new(ErrorKind::Forbidden, message)
        .hint("ask its owner to add you to its recipients, by the name that you have here")
}

/// Records that somebody reads, before anything is asked of the owner.
fn open(share: ShareId, download: bool) -> Decided<()> {
    let opened = Event::ExternalOpened(ExternalOpened { share, download });
    Decided::new(vec![opened], |_| Ok(()))
}

/// Records that somebody wants what a share has imported.
fn import(
    context: &mut Context<'_>,
    id: ShareId,
    evidence: Vec<EvidenceId>,
    said: &Said,
    caller: &Caller,
) -> Result<Decided<()>, Error> {
    let share = received(&context.view, id)?;
    usable(&share, context.now)?;
    let recipient = recipient(&context.view, said, caller)?;
    let recipient = recipient.ok_or_else(|| unaddressed(said))?;
    super::exchange::ask(context, id, recipient, evidence)
}

/// Says who of this organisation may use a share as well. `known` is the entry with the recipients of whom the
/// caller is one: a newer one may have taken that away.
fn onward(
    context: &mut Context<'_>,
    id: ShareId,
    known: u64,
    people: &[String],
) -> Result<Decided<()>, Error> {
    let share = received(&context.view, id)?;
    usable(&share, context.now)?;
    if share.header.recipients != known {
        let message = "the recipients of this share were just changed";
        return Err(Error::new(ErrorKind::Conflict, message)
            .hint("see who they are: interdocket external show SHARE"));
    }
    let names = people::names(&context.view, &share::bounded_recipients(people)?)?;
    let node = context.node()?;
    let actor = super::exchange::actor(context)?;
    let facts = ShareFacts::new(context.view, id);
    let command = Command::ShareOnward(actor, names);
    let entries = super::exchange::entries(context, &share.header, &facts, command)?;
    let written = super::exchange::written(context, &share.header, &node, entries);
    Ok(Decided::new(written.into_iter().collect(), |_| Ok(()))
        .then(Effect::Recheck)
        .then(Effect::Nudge(share.header.owner)))
}

/// A share as it is listed to a caller; none where it is not for this caller to see.
fn listed(
    view: &View<'_>,
    share: &entity::Share,
    said: Said,
    caller: &Caller,
    now: DateTime<Utc>,
) -> Result<Option<External>, Error> {
    let header = &share.header;
    let of = share::shown(view, header.share, now)?;
    let addressed = recipient(view, &said, caller)?.is_some();
    if !addressed && !access::sees_all_external(&caller.permissions) {
        return Ok(None);
    }
    let case = said.case.map(Case::of);
    Ok(Some(External {
        share: header.share,
        owner: header.owner,
        owner_name: of.partner_name,
        kind: of.kind,
        status: of.status,
        policy: of.policy,
        offered_at: of.offered_at,
        expires_at: of.expires_at,
        revocation: of.revocation,
        addressed,
        locked: said.recipients.is_none(),
        recipients: said.recipients.unwrap_or_default(),
        onward: said.onward,
        message: said.message,
        case,
        listed: of.listed,
        imported: of.imported,
    }))
}

impl Case {
    /// As a case is described.
    pub(super) fn of(info: CaseInfo) -> Self {
        let target = |target: log_entry::Target| Target {
            id: target.id,
            name: target.name,
            description: target.description,
        };
        Self {
            number: info.number,
            title: info.title,
            description: info.description,
            targets: info.targets.into_iter().map(target).collect(),
            tags: info.tags.into_iter().map(metadata::Labelled::of).collect(),
        }
    }
}

impl Item {
    fn of(item: Described, imported: bool) -> Self {
        let file = |file: interdocket_sync::evidence::File| File {
            name: file.name,
            size: file.size,
            blake3: file.blake3,
            sha256: file.sha256,
        };
        Self {
            evidence: item.evidence,
            title: item.title,
            folder: item.folder,
            added_at: item.added_at,
            added_by: metadata::Value::of(item.added_by),
            metadata: metadata::Metadata::told(item.metadata),
            files: item.files.into_iter().map(file).collect(),
            imported,
        }
    }
}
