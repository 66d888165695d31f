//! Entries: a header that the chain covers, and a body that it only commits to.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Point, Side};
use crate::blob::Digest;
use crate::evidence::Item;
use crate::id::{ActorId, CaseId, EvidenceId, ShareId};
use crate::limits;
use crate::refusal::Refusal;
use crate::wire;

/// Somebody for whom an organisation speaks; asserted by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Stays the same for as long as the organisation knows them.
    pub id: ActorId,
    /// The name at that moment.
    pub name: String,
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
    /// Partner: the share is wanted; by nobody where by standing acceptance.
    Accepted(Option<Actor>),
    /// Partner: these items are whole, verified and durable.
    Stored(Vec<StoredItem>),
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
    /// Its number there.
    pub number: String,
    /// Its title there.
    pub title: String,
    /// Its description there.
    pub description: String,
    /// The people who should have it, as the partner knows them.
    pub recipients: Vec<String>,
    /// A message to them.
    pub message: String,
}

impl Actor {
    /// Holds an actor to the bounds.
    ///
    /// # Errors
    /// [`Refusal::Limit`] where the name is too long.
    pub const fn check(&self) -> Result<(), Refusal> {
        if self.name.len() > limits::ACTOR_NAME_MAX {
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
        let lengths = [
            (self.number.len(), limits::NUMBER_MAX),
            (self.title.len(), limits::TITLE_MAX),
            (self.description.len(), limits::DESCRIPTION_MAX),
            (self.message.len(), limits::MESSAGE_TEXT_MAX),
            (self.recipients.len(), limits::RECIPIENTS_MAX),
        ];
        let long = |recipient: &String| recipient.len() > limits::RECIPIENT_MAX;
        if lengths.iter().any(|(len, max)| len > max) || self.recipients.iter().any(long) {
            return Err(Refusal::Limit);
        }
        Ok(())
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
    /// Writes the next entry of a log. The salt is 16 random bytes.
    pub fn new(place: &Place, body: Body, salt: [u8; 16]) -> Self {
        wire::entry::encode(place, body, &salt)
    }

    /// Reads an entry as it stands on the wire.
    ///
    /// # Errors
    /// [`wire::Malformed`] where it cannot be read, contradicts its commitment or is over a bound.
    pub fn read(bytes: &[u8]) -> Result<Self, wire::Malformed> {
        wire::entry::decode(bytes)
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

/// What a header says of a body.
pub(crate) fn commitment(salt: &[u8; 16], body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"interdocket body v0\n");
    hash.update(salt);
    hash.update(body);
    hash.finalize().into()
}
