//! A share: two logs with one meaning.
//!
//! Three functions carry its life. [`decide`](decide::decide) turns a command into entries, at the log's
//! writer; [`admit`](admit::admit) judges entries at their reader, who may face a liar;
//! [`apply`](apply::apply) gives the next header and facts and cannot fail. The header is small and of
//! fixed size, what a share lists is keyed facts: nothing here grows with the size of a share.
//!
//! | state | meaning | what the owner may write | what the partner may write |
//! |---|---|---|---|
//! | offered | terms and offer are written | all that its kind has, but ended | accepted or declined |
//! | accepted | the partner wants it | all that its kind has | stored, imported |
//! | ended | no updates any more | nothing | stored, for what was listed before |
//! | cancelled | nothing more is sent | nothing | nothing, but what it wrote before it knew |
//! | revoked | it is over | nothing | imported, where it was granted before; purged |
//!
//! An offer that was declined is over: its owner writes nothing once it knows. Whatever became of a copy that was
//! accepted, its owner may ask for it back, and the partner may answer.
//!
//! A share of any state that goes on can be suspended and resumed by its owner. Only an advanced share has
//! changes, withdrawals, grants and imports; a reference lists nothing; a copy is reshared, ended or cancelled, the
//! others are given other recipients, and revoked.
//!
//! Folding the owner's log and then the partner's gives what both nodes hold, in whatever order they came
//! by the entries: an admitted entry builds on nothing but what its writer had seen of the other log.
//!
//! Where a share is kept, and what else its organisations know of it, is not here.

pub mod admit;
pub mod apply;
pub mod decide;
pub mod revocation;
pub mod status;
pub mod terms;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::blob::Digest;
use crate::copy::Field;
use crate::evidence::{File, Item};
use crate::id::{EvidenceId, ShareId};
use crate::identity::OrganisationId;
use crate::log::entry::DeclineReason;
use crate::log::{Point, Side};
use crate::metadata::{Metadata, Tag, Value};

/// What kind of share it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Read at the owner until then; nothing of it is kept by the partner.
    Reference(DateTime<Utc>),
    /// A copy that becomes the partner's own.
    Copy,
    /// Follows the case while it is shared, as its owner's policy has it.
    Advanced(Policy),
}

impl Kind {
    /// Until when it can be used; none where no time is set.
    pub const fn until(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Reference(until) => Some(until),
            Self::Copy | Self::Advanced(_) => None,
        }
    }

    /// Whether the partner's node keeps its files, and states that it has stored them.
    pub const fn kept(self) -> bool {
        match self {
            Self::Reference(_) => false,
            Self::Copy => true,
            Self::Advanced(policy) => matches!(policy.mode, Mode::Synchronised),
        }
    }
}

/// What an advanced share lets the partner do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Where its files are.
    pub mode: Mode,
    /// Whether people there may keep what they read.
    pub download: bool,
    /// Whether the owner grants imports.
    pub import: bool,
    /// Whether recipients may add people of their own organisation.
    pub onward: bool,
}

/// Where the files of an advanced share are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// At the owner; they are read there.
    Live,
    /// At the partner as well, sealed under the lease.
    Synchronised,
}

/// What both logs together say of a share; of fixed size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The share.
    pub share: ShareId,
    /// Whose case it is.
    pub owner: OrganisationId,
    /// With whom it is shared.
    pub partner: OrganisationId,
    /// What kind it is.
    pub kind: Kind,
    /// Names the signed terms.
    #[serde(with = "crate::hex")]
    pub terms: [u8; 32],
    /// Where its life stands.
    pub state: State,
    /// Whether its owner has suspended it.
    pub suspended: bool,
    /// Whether it was revoked: by the owner's log, or by a revocation that came without it.
    pub revoked: bool,
    /// What keeps it from moving.
    pub hold: Hold,
    /// The owner's log.
    pub owner_log: Log,
    /// The partner's log.
    pub partner_log: Log,
    /// The entry of the owner's log with the case as it is now.
    pub case: u64,
    /// The entry of the owner's log with the recipients as they are now.
    pub recipients: u64,
    /// How many a copy was addressed to so far: nobody is taken away. 0 in other kinds.
    pub addressed: u32,
    /// Whom the partner added to them.
    pub onward: Onward,
    /// What the owner lets the partner import.
    pub grants: Grants,
    /// What the owner discloses.
    pub listed: Totals,
    /// What the partner stated that it holds, of that.
    pub stored: Totals,
    /// What the partner stated that it made its own by an import, withdrawn or not.
    pub imported: Totals,
    /// The entry of the partner's log that says it is purged; 0 where none does.
    pub purged: u64,
    /// Why the partner does not want it; nothing where it has not said so.
    pub declined: Option<DeclineReason>,
    /// Whether the owner asks for its copy back.
    pub recall: Recall,
    /// The number of the last whole update; 0 before the first.
    pub update: u32,
    /// Whether something was disclosed, changed or withdrawn after the last whole update.
    pub open: bool,
}

/// The last entry of the partner's log that says who of its people may use the share as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onward {
    /// The entry; 0 where none does.
    pub entry: u64,
    /// How far the owner's log went for its writer.
    pub seen: u64,
}

/// The last recall of a copy, and the last answer to one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// The entry of the owner's log that asks; 0 where none does.
    pub asked: u64,
    /// The entry of the partner's log that answers; 0 where none does.
    pub answered: u64,
    /// How far the owner's log went for its writer.
    pub seen: u64,
    /// Whether the partner will destroy what it has.
    pub granted: bool,
}

impl Recall {
    /// Whether the last one was not answered yet.
    pub const fn waits(&self) -> bool {
        self.seen < self.asked
    }
}

/// The first and the last entry of the owner's log that grants an import; 0 where none does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// The first.
    pub first: u64,
    /// The last: what was listed before it, and not withdrawn, may be imported.
    pub last: u64,
}

/// One of the two logs as it is held here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// How far it goes.
    pub point: Point,
    /// How far the other log went for the writer of its last entry.
    pub seen: u64,
    /// The incarnation of its writer under which it was written; 0 before the first entry.
    pub incarnation: u64,
    /// Up to where its reader countersigned it.
    pub countersigned: u64,
    /// When its last entry was written, by its writer's clock.
    pub at: DateTime<Utc>,
}

/// Where the life of a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The partner has not accepted.
    Offered,
    /// The partner wants it.
    Accepted,
    /// No updates any more.
    Ended,
    /// Nothing more is sent, since this entry of the owner's log.
    Cancelled {
        /// The number of the entry.
        at: u64,
    },
    /// It is over, since this entry of the owner's log.
    Revoked {
        /// The number of the entry.
        at: u64,
    },
}

/// What keeps a share from moving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Nothing.
    Free,
    /// Two histories for one place were shown; people must look at it.
    Frozen,
    /// A critical entry is of a type that is not known here.
    Paused,
    /// This node came back from its past, and has not taken back yet what the other side holds.
    Recovering,
    /// It was revoked, and what one side lost of the logs is not brought any more.
    Closed,
}

/// How much; sums of what was stated: they stop at the largest number and never wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Items of evidence.
    pub evidence: u64,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Totals {
    fn add(&mut self, item: &ItemFact) {
        self.evidence = self.evidence.saturating_add(1);
        self.files = self.files.saturating_add(item.files.into());
        self.bytes = self.bytes.saturating_add(item.bytes);
    }

    fn subtract(&mut self, item: &ItemFact) {
        self.evidence = self.evidence.saturating_sub(1);
        self.files = self.files.saturating_sub(item.files.into());
        self.bytes = self.bytes.saturating_sub(item.bytes);
    }
}

impl Header {
    /// One of its logs.
    pub const fn log(&self, side: Side) -> &Log {
        match side {
            Side::Owner => &self.owner_log,
            Side::Partner => &self.partner_log,
        }
    }

    pub(crate) const fn log_mut(&mut self, side: Side) -> &mut Log {
        match side {
            Side::Owner => &mut self.owner_log,
            Side::Partner => &mut self.partner_log,
        }
    }

    /// The log that this organisation writes; none where it is no party.
    pub fn side(&self, organisation: OrganisationId) -> Option<Side> {
        match organisation {
            id if id == self.owner => Some(Side::Owner),
            id if id == self.partner => Some(Side::Partner),
            _ => None,
        }
    }

    /// Whether all that was disclosed was made an update, and the partner has stated that it holds what
    /// it is to hold.
    pub fn whole(&self) -> bool {
        !self.open && (!self.kind.kept() || self.stored == self.listed)
    }

    /// Whether it lives: it was accepted, and nothing has ended, suspended or stopped it. Whether its time
    /// is up is another question: [`Header::expired`].
    pub fn lives(&self) -> bool {
        matches!(self.hold, Hold::Free | Hold::Paused)
            && !self.revoked
            && !self.suspended
            && matches!(self.state, State::Accepted | State::Ended)
    }

    /// Whether its time is up.
    pub fn expired(&self, now: DateTime<Utc>) -> bool {
        matches!(self.kind, Kind::Reference(until) if until <= now)
    }

    /// Whether the owner sends these bytes to the partner's node, which keeps them.
    pub fn serves(&self, blob: BlobFact) -> bool {
        let granted = matches!(self.kind, Kind::Advanced(_)) && blob.listed <= self.grants.last;
        (self.kind.kept() || granted) && blob.uses > 0 && self.lives()
    }

    /// Whether an item may become the partner's own by an import.
    pub const fn importable(&self, item: &ItemFact) -> bool {
        let now = item.withdrawn == 0 && item.listed <= self.grants.last;
        now || item.granted != 0
    }

    /// Whether its policy lets recipients add people of their own organisation.
    pub const fn shares_onward(&self) -> bool {
        matches!(self.kind, Kind::Advanced(Policy { onward: true, .. }))
    }

    /// Whether those whom the partner added count: it knew the recipients as they are now. Else whoever was
    /// added by one who is no recipient any more would go on.
    pub const fn counts_onward(&self) -> bool {
        self.onward.entry != 0 && self.onward.seen >= self.recipients
    }

    /// Whether the owner can still say something in it.
    pub const fn open_to_owner(&self) -> bool {
        !self.revoked
            && self.declined.is_none()
            && matches!(self.state, State::Offered | State::Accepted)
    }

    /// Whether the partner has a copy that its owner may ask for back: it was not asked yet, or said no.
    pub fn recallable(&self) -> bool {
        let had =
            self.kind == Kind::Copy && self.declined.is_none() && self.partner_log.point.count > 0;
        had && !self.recall.waits() && !self.recall.granted
    }

    /// Whether what the owner's log says from an entry on may still be told: of what was not sent before a
    /// revocation, only that it is over.
    pub const fn tells(&self, from: u64) -> bool {
        match self.state {
            _ if !self.revoked => true,
            State::Revoked { at } => from >= at,
            _ => false,
        }
    }
}

/// What both logs say of one thing that a share lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// An item of evidence.
    Item(ItemFact),
    /// One file of an item.
    File(File),
    /// Bytes that some item of the share lists.
    Blob(BlobFact),
    /// The fields of an item.
    Fields(BTreeMap<Field, Value>),
    /// One tag of an item; none any more where that is empty.
    Tag(Tag),
}

/// Under what a fact is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// An item of evidence, by its id at the owner.
    Item(EvidenceId),
    /// One file of an item, by its place from 0.
    File(EvidenceId, u32),
    /// Bytes, by their digest.
    Blob(Digest),
    /// The fields of an item; none where it has none.
    Fields(EvidenceId),
    /// One tag of an item, by its place from 0.
    Tag(EvidenceId, u32),
}

/// An item of evidence that a share lists, but for its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemFact {
    /// What it is, on one line.
    pub title: String,
    /// The folder inside the case.
    pub folder: String,
    /// When its owner took it in.
    pub added_at: DateTime<Utc>,
    /// Who added it, as the owner says.
    pub added_by: Value,
    /// How many files it has.
    pub files: u32,
    /// How many tags it has.
    pub tags: u32,
    /// Their bytes.
    pub bytes: u64,
    /// The entry of the owner's log that listed it first.
    pub first: u64,
    /// The entry of the owner's log that lists it: the last one, where it was withdrawn in between.
    pub listed: u64,
    /// The entry of the owner's log that describes it as it is now.
    pub described: u64,
    /// The entry of the owner's log that withdraws it; 0 where none does.
    pub withdrawn: u64,
    /// The last grant that covered it when it was withdrawn; 0 where none did.
    pub granted: u64,
    /// The entry of the partner's log that says it is stored, or imported where its share keeps files at
    /// the partner; 0 where none does.
    pub stored: u64,
    /// The entry of the partner's log that says it is imported; 0 where none does.
    pub imported: u64,
}

/// Bytes that items of a share list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobFact {
    /// How many.
    pub size: u64,
    /// How many files of items that are not withdrawn.
    pub uses: u64,
    /// The entry of the owner's log that lists the first of these uses.
    pub listed: u64,
}

/// The facts of one share as they are kept.
pub trait Facts {
    /// The fact under this key.
    fn fact(&self, key: &Key) -> Option<Fact>;

    /// An item of evidence that the share lists.
    fn item(&self, evidence: EvidenceId) -> Option<ItemFact> {
        match self.fact(&Key::Item(evidence))? {
            Fact::Item(item) => Some(item),
            _ => None,
        }
    }

    /// A file of an item.
    fn file(&self, evidence: EvidenceId, place: u32) -> Option<File> {
        match self.fact(&Key::File(evidence, place))? {
            Fact::File(file) => Some(file),
            _ => None,
        }
    }

    /// What is said of an item beyond its title and folder.
    fn metadata(&self, evidence: EvidenceId, item: &ItemFact) -> Metadata {
        let fields = match self.fact(&Key::Fields(evidence)) {
            Some(Fact::Fields(fields)) => fields,
            _ => BTreeMap::new(),
        };
        let tag = |place| match self.fact(&Key::Tag(evidence, place))? {
            Fact::Tag(tag) => Some(tag),
            _ => None,
        };
        Metadata {
            fields,
            tags: (0..item.tags).filter_map(tag).collect(),
        }
    }

    /// Bytes that the share lists.
    fn blob(&self, digest: Digest) -> Option<BlobFact> {
        match self.fact(&Key::Blob(digest))? {
            Fact::Blob(blob) => Some(blob),
            _ => None,
        }
    }
}

/// A fact to be kept from now on.
pub type Put = (Key, Fact);

impl ItemFact {
    /// An item as this entry of the owner's log lists it.
    pub(crate) fn new(item: &Item, listed: u64) -> Self {
        Self {
            title: item.title.clone(),
            folder: item.folder.clone(),
            added_at: item.added_at,
            added_by: item.added_by.clone(),
            files: u32::try_from(item.files.len()).unwrap_or(u32::MAX),
            tags: 0,
            bytes: item.bytes(),
            first: listed,
            listed,
            described: listed,
            withdrawn: 0,
            granted: 0,
            stored: 0,
            imported: 0,
        }
    }
}
