//! Entries: a header that the chain covers, and a body that it only commits to.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Point, Side};
use crate::blob::Digest;
use crate::evidence::Item;
use crate::id::{ActorId, CaseId, EvidenceId, ShareId, TargetId};
use crate::limits;
use crate::metadata::{self, Metadata, Tag};
use crate::refusal::Refusal;
use crate::share::Totals;
use crate::wire;

/// Somebody for whom an organisation speaks; asserted by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Stays the same for as long as the organisation knows them.
    pub id: ActorId,
    /// The name at that moment.
    pub name: String,
    /// The number on their badge at that moment; empty where they have none.
    pub badge: String,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Owner: here is a share under these terms, by their SHA-256, and the case that it is about.
    Offered([u8; 32], Offered),
    /// Owner: this evidence is disclosed.
    EvidenceAdded(Vec<Item>),
    /// Owner: what was disclosed so far is whole, and makes this update, from 1.
    Listed(Actor, u32),
    /// Owner: no updates any more.
    Ended(Actor),
    /// Owner: nothing more is sent.
    Cancelled(Actor),
    /// Owner: how these items are described from now on.
    EvidenceChanged(Vec<ItemChange>),
    /// Owner: these items are not shared any more.
    EvidenceWithdrawn(Vec<EvidenceId>),
    /// Owner: how the case is described from now on.
    CaseChanged(Actor, CaseInfo),
    /// Owner: who may use the share from now on.
    RecipientsChanged(Actor, Vec<String>),
    /// Owner: what is listed so far may become the partner's own; at whose request.
    ImportGranted(Actor),
    /// Owner: nothing can be read or is sent for now.
    Suspended(Actor),
    /// Owner: the suspension is over.
    Resumed(Actor),
    /// Owner: the share is over.
    Revoked(Actor),
    /// Owner: these people should have the copy as well, from the next update on.
    Reshared(Actor, Reshared),
    /// Owner: please destroy the copy, for this reason.
    RecallAsked(Actor, String),
    /// Partner: the share is wanted; by nobody where by standing acceptance.
    Accepted(Option<Actor>),
    /// Partner: these items are whole, verified and durable.
    Stored(Vec<StoredItem>),
    /// Partner: these items are its own now, whole, verified and durable.
    Imported(Vec<StoredItem>),
    /// Partner: nothing of the revoked share is here any more but what was imported.
    Purged(Purged),
    /// Partner: who of its own people may use the share as well from now on.
    SharedOnward(Actor, Vec<String>),
    /// Partner: the answer to the last recall.
    RecallAnswered(Actor, RecallAnswer),
    /// Partner: the share is not wanted.
    Declined(Actor, DeclineReason),
    /// Evidence that was narrowed before it was sent, or of a type that is not known here.
    Unread,
}

/// The first entry of an owner's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Who offers.
    pub actor: Actor,
    /// The case's id at its owner.
    pub case: CaseId,
    /// How it is described there.
    pub info: CaseInfo,
    /// The people who should have it, as the partner knows them.
    pub recipients: Vec<String>,
    /// A message to them.
    pub message: String,
}

/// How a case is described at its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseInfo {
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Whom it is about, as far as that is shared.
    pub targets: Vec<Target>,
    /// Its tags, each text once, in their order.
    pub tags: Vec<Tag>,
}

/// Whom a case is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The target's id at the owner.
    pub id: TargetId,
    /// The name.
    pub name: String,
    /// What is known of it.
    pub description: String,
}

/// How an item is described from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemChange {
    /// The evidence's id at its owner.
    pub evidence: EvidenceId,
    /// What it is, on one line.
    pub title: String,
    /// The folder inside the case.
    pub folder: String,
    /// What else is said of it.
    pub metadata: Metadata,
}

/// People who should have a copy as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reshared {
    /// As the partner knows them; at least one.
    pub recipients: Vec<String>,
    /// A message to them.
    pub message: String,
}

/// What a partner says to a recall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallAnswer {
    /// Whether it will destroy the copy.
    pub granted: bool,
    /// Why, or why not.
    pub reason: String,
}

/// Why a partner does not want a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// It was meant for somebody else.
    Misdirected,
    /// It is not needed, or is there already.
    Unneeded,
    /// The partner may not take it.
    NotAllowed,
    /// Not as it is: the owner is to be in touch.
    Unclear,
}

/// What a partner erased after a revocation, and what stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// What was erased.
    pub erased: Totals,
    /// What stays, because an earlier grant made it the partner's own.
    pub kept: Totals,
}

impl Actor {
    /// Holds an actor to the bounds.
    ///
    /// # Errors
    /// [`Refusal::Limit`] over one.
    pub const fn check(&self) -> Result<(), Refusal> {
        if self.name.len() > limits::ACTOR_NAME_MAX || self.badge.len() > limits::BADGE_MAX {
            return Err(Refusal::Limit);
        }
        Ok(())
    }
}

impl Offered {
    /// Holds an offer to the bounds.
    ///
    /// # Errors
    /// [`Refusal::Limit`] over one.
    pub fn check(&self) -> Result<(), Refusal> {
        self.actor.check()?;
        self.info.check()?;
        message(&self.message)?;
        recipients(&self.recipients)
    }
}

impl CaseInfo {
    /// Holds it to the bounds.
    ///
    /// # Errors
    /// [`Refusal::Limit`] over one; [`Refusal::Malformed`] where a target is there twice.
    pub fn check(&self) -> Result<(), Refusal> {
        let long = |target: &Target| {
            target.name.len() > limits::TARGET_NAME_MAX
                || target.description.len() > limits::TARGET_DESCRIPTION_MAX
        };
        if self.number.len() > limits::NUMBER_MAX
            || self.title.len() > limits::TITLE_MAX
            || self.description.len() > limits::DESCRIPTION_MAX
            || self.targets.len() > limits::TARGETS_MAX
            || self.targets.iter().any(long)
        {
            return Err(Refusal::Limit);
        }
        let ids: BTreeSet<TargetId> = self.targets.iter().map(|target| target.id).collect();
        if ids.len() != self.targets.len() {
            return Err(Refusal::Malformed);
        }
        metadata::tags(
            &self.tags,
            limits::CASE_TAGS_MAX,
            limits::CASE_TAGS_BYTES_MAX,
        )
    }
}

impl ItemChange {
    /// Holds it to the bounds.
    ///
    /// # Errors
    /// [`Refusal::Limit`] over one; [`Refusal::Malformed`] for metadata that can't be.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.title.len() > limits::TITLE_MAX || self.folder.len() > limits::FOLDER_MAX {
            return Err(Refusal::Limit);
        }
        self.metadata.check()
    }
}

impl Reshared {
    /// Holds it to the bounds.
    ///
    /// # Errors
    /// [`Refusal::Limit`] over one; [`Refusal::Malformed`] where it names nobody.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.recipients.is_empty() {
            return Err(Refusal::Malformed);
        }
        message(&self.message)?;
        recipients(&self.recipients)
    }
}

/// Holds what somebody writes to the other side to its bound.
///
/// # Errors
/// [`Refusal::Limit`] over it.
pub const fn message(text: &str) -> Result<(), Refusal> {
    if text.len() > limits::MESSAGE_TEXT_MAX {
        return Err(Refusal::Limit);
    }
    Ok(())
}

/// Holds recipients to the bounds.
///
/// # Errors
/// [`Refusal::Limit`] over one.
pub fn recipients(recipients: &[String]) -> Result<(), Refusal> {
    let long = |recipient: &String| recipient.len() > limits::RECIPIENT_MAX;
    if recipients.len() > limits::RECIPIENTS_MAX || recipients.iter().any(long) {
        return Err(Refusal::Limit);
    }
    Ok(())
}

impl Body {
    /// Without all that tells people something: what is left says what changes, not how it reads.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let nobody = |actor: &Actor| Actor {
            id: actor.id,
            name: String::new(),
            badge: String::new(),
        };
        match self {
            Self::Offered(terms, offered) => Self::Offered(
                *terms,
                Offered {
                    actor: nobody(&offered.actor),
                    case: offered.case,
                    info: CaseInfo::default(),
                    recipients: Vec::new(),
                    message: String::new(),
                },
            ),
            Self::EvidenceAdded(items) => {
                Self::EvidenceAdded(items.iter().map(Item::redacted).collect())
            }
            Self::EvidenceChanged(changes) => {
                let redacted = |change: &ItemChange| ItemChange {
                    evidence: change.evidence,
                    title: String::new(),
                    folder: String::new(),
                    metadata: Metadata::default(),
                };
                Self::EvidenceChanged(changes.iter().map(redacted).collect())
            }
            Self::CaseChanged(actor, _) => Self::CaseChanged(nobody(actor), CaseInfo::default()),
            Self::RecipientsChanged(actor, _) => Self::RecipientsChanged(nobody(actor), Vec::new()),
            Self::Reshared(actor, _) => Self::Reshared(
                nobody(actor),
                Reshared {
                    recipients: Vec::new(),
                    message: String::new(),
                },
            ),
            Self::RecallAsked(actor, _) => Self::RecallAsked(nobody(actor), String::new()),
            body => body.clone(),
        }
    }
}

/// An item with the digests of its files as they are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredItem {
    /// The evidence's id at its owner.
    pub evidence: EvidenceId,
    /// In the order of its files.
    pub files: Vec<Digest>,
}

/// An entry of a log, with the bytes that were chained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The share that it belongs to.
    pub share: ShareId,
    /// The log that it belongs to.
    pub side: Side,
    /// Its number, from 1.
    pub number: u64,
    /// Hash of the entry before; zeroes for the first.
    pub previous: [u8; 32],
    /// The other log as the writer last saw it.
    pub other: Point,
    /// By the writer's clock.
    pub at: DateTime<Utc>,
    /// The type's number.
    pub kind: i32,
    /// Whether a reader that does not know the type must stop before it.
    pub critical: bool,
    /// What it says.
    pub body: Body,
    /// The message as it stands on the wire; never encoded again.
    pub bytes: Vec<u8>,
    /// Its hash: the next one's `previous`.
    pub hash: [u8; 32],
}

/// What a text of an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The case, and what was said of it.
    Case,
    /// Who acts, and for whom it is.
    People,
    /// An item, by its id at the owner.
    Item(EvidenceId),
}

/// A text that was taken out of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Which of the entry's texts it is, from 0.
    pub place: usize,
    /// What it is about.
    pub subject: Subject,
    /// As it stood there, with its salt.
    pub bytes: Vec<u8>,
}

/// Where an entry stands and when it was written.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The share.
    pub share: ShareId,
    /// The log.
    pub side: Side,
    /// The entry before it.
    pub after: Point,
    /// The other log as the writer sees it.
    pub other: Point,
    /// By the writer's clock.
    pub at: DateTime<Utc>,
}

impl Entry {
    /// Writes the next entry of a log. The seed is 16 random bytes that nothing keeps: all its salts come of it.
    pub fn new(place: &Place, body: Body, seed: [u8; 16]) -> Self {
        wire::entry::encode(place, body, &seed)
    }

    /// Reads an entry as it stands on the wire.
    ///
    /// # Errors
    /// [`wire::Malformed`] where it cannot be read, contradicts its commitment or is over a bound.
    pub fn read(bytes: &[u8]) -> Result<Self, wire::Malformed> {
        wire::entry::decode(bytes)
    }

    /// The entry without any text: it only commits to them.
    pub fn redacted(&self) -> Vec<u8> {
        self.part(&|_| true).0
    }

    /// Takes the texts about these out: the entry that is left, which commits to them, and what was taken, by which
    /// [`Entry::join`] makes it whole again.
    pub fn part(&self, apart: &dyn Fn(Subject) -> bool) -> (Vec<u8>, Vec<Text>) {
        wire::entry::part(self, apart)
    }

    /// An entry with texts put back, each at its place.
    ///
    /// # Errors
    /// [`wire::Malformed`] where one of them can't be read, or has no place there.
    pub fn join(bytes: &[u8], texts: &[(usize, Vec<u8>)]) -> Result<Vec<u8>, wire::Malformed> {
        wire::entry::join(bytes, texts)
    }

    /// Reads an entry with whatever texts it has. Only for what this node kept itself: a partner has to say whom
    /// it speaks of, and within the bounds.
    ///
    /// # Errors
    /// [`wire::Malformed`] where it cannot be read or contradicts its commitment.
    pub fn kept(bytes: &[u8]) -> Result<Self, wire::Malformed> {
        wire::entry::kept(bytes)
    }

    /// Its place in the log.
    pub const fn point(&self) -> Point {
        Point {
            count: self.number,
            hash: self.hash,
        }
    }
}

/// What the chain covers.
pub(crate) fn hash(header: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"interdocket entry v0\n");
    hash.update(header);
    hash.finalize().into()
}

/// What a header says of a body and of its texts.
pub(crate) fn commitment(salt: &[u8; 16], texts: &[u8; 32], body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"interdocket body v0\n");
    hash.update(salt);
    hash.update(texts);
    hash.update(body);
    hash.finalize().into()
}
