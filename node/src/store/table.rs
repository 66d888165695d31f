//! Tables: what the projection keeps, each with its key and its value.
//!
//! Keys sort as they are read: fixed widths, big-endian, the outer part first. Values are CBOR. Which
//! event changes which table is in `project`.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::copy::Field;
use interdocket_sync::id::{CaseId, EvidenceId, InvitationId, ShareId, TargetId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::metadata::Value;
use interdocket_sync::pairing::Inviter;
use interdocket_sync::share;
use uuid::Uuid;

use super::engine::Tree;
use super::entity;
use crate::actions::disclosure::DisclosureId;
use crate::actions::evidence::MarkerKind;
use crate::actions::link::LinkId;
use crate::actions::share::SetId;
use crate::event::LinkedFile;

/// A table with its key and value.
pub struct Table<K, V> {
    pub(super) tree: Tree,
    pub(super) prefix: u8,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Table<K, V> {
    const fn new(tree: Tree, prefix: u8) -> Self {
        Self {
            tree,
            prefix,
            types: PhantomData,
        }
    }
}

/// What can be a key, or the outer part of one.
pub trait Key {
    /// Appends its bytes, in the order in which they sort.
    fn write(&self, to: &mut Vec<u8>);

    /// Takes its bytes off the front; none where there are too few.
    fn read(from: &mut &[u8]) -> Option<Self>
    where
        Self: Sized;
}

macro_rules! fixed {
    ($($type:ty, $len:literal, $value:ident => $bytes:expr, $raw:ident => $back:expr;)*) => {$(
        impl Key for $type {
            fn write(&self, to: &mut Vec<u8>) {
                let $value = self;
                to.extend_from_slice(&$bytes);
            }

            fn read(from: &mut &[u8]) -> Option<Self> {
                let ($raw, rest) = from.split_first_chunk::<$len>()?;
                *from = rest;
                Some($back)
            }
        }
    )*};
}

fixed! {
    CaseId, 16, id => *id.as_bytes(), raw => Self::new(Uuid::from_bytes(*raw));
    EvidenceId, 16, id => *id.as_bytes(), raw => Self::new(Uuid::from_bytes(*raw));
    DisclosureId, 16, id => *id.uuid().as_bytes(), raw => Self::new(Uuid::from_bytes(*raw));
    LinkId, 16, id => *id.uuid().as_bytes(), raw => Self::new(Uuid::from_bytes(*raw));
    SetId, 16, id => *id.uuid().as_bytes(), raw => Self::new(Uuid::from_bytes(*raw));
    TargetId, 16, id => *id.as_bytes(), raw => Self::new(Uuid::from_bytes(*raw));
    ShareId, 16, id => *id.as_bytes(), raw => Self::new(Uuid::from_bytes(*raw));
    InvitationId, 16, id => *id.as_bytes(), raw => Self::new(Uuid::from_bytes(*raw));
    Uuid, 16, id => *id.as_bytes(), raw => Self::from_bytes(*raw);
    OrganisationId, 32, id => *id.as_bytes(), raw => Self::from_bytes(*raw);
    Digest, 32, digest => digest.0, raw => Self(*raw);
    Sha256, 32, digest => digest.0, raw => Self(*raw);
    u64, 8, number => number.to_be_bytes(), raw => Self::from_be_bytes(*raw);
    u32, 4, number => number.to_be_bytes(), raw => Self::from_be_bytes(*raw);
}

impl Key for () {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl Key for Side {
    fn write(&self, to: &mut Vec<u8>) {
        to.push(match self {
            Self::Owner => 1,
            Self::Partner => 2,
        });
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let (first, rest) = from.split_first()?;
        *from = rest;
        match first {
            1 => Some(Self::Owner),
            2 => Some(Self::Partner),
            _ => None,
        }
    }
}

/// Takes all that is left: only the last part of a key.
impl Key for String {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.as_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let text = Self::from_utf8(from.to_vec()).ok()?;
        *from = &[];
        Some(text)
    }
}

impl Key for share::Key {
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Item(evidence) => (1_u8, evidence).write(to),
            Self::File(evidence, place) => (2_u8, (*evidence, *place)).write(to),
            Self::Blob(digest) => (3_u8, digest).write(to),
            Self::Fields(evidence) => (4_u8, evidence).write(to),
            Self::Tag(evidence, place) => (5_u8, (*evidence, *place)).write(to),
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let (first, rest) = from.split_first()?;
        *from = rest;
        match first {
            1 => EvidenceId::read(from).map(Self::Item),
            2 => {
                <(EvidenceId, u32)>::read(from).map(|(evidence, place)| Self::File(evidence, place))
            }
            3 => Digest::read(from).map(Self::Blob),
            4 => EvidenceId::read(from).map(Self::Fields),
            5 => {
                <(EvidenceId, u32)>::read(from).map(|(evidence, place)| Self::Tag(evidence, place))
            }
            _ => None,
        }
    }
}

impl Key for u8 {
    fn write(&self, to: &mut Vec<u8>) {
        to.push(*self);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let (first, rest) = from.split_first()?;
        *from = rest;
        Some(*first)
    }
}

impl<K: Key> Key for &K {
    fn write(&self, to: &mut Vec<u8>) {
        (*self).write(to);
    }

    fn read(_: &mut &[u8]) -> Option<Self> {
        None
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn write(&self, to: &mut Vec<u8>) {
        self.0.write(to);
        self.1.write(to);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn write(&self, to: &mut Vec<u8>) {
        self.0.write(to);
        self.1.write(to);
        self.2.write(to);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?, C::read(from)?))
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty, $tree:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        pub const $name: Table<$key, $value> = Table::new(Tree::$tree, $prefix);
    )*};
}

tables! {
    /// The node itself.
    NODE: () => entity::Node, Entity 1;
    /// Users.
    USER: Uuid => entity::User, Entity 2;
    /// Tokens, by their hash.
    TOKEN: Sha256 => entity::Token, Entity 3;
    /// Invitations.
    INVITATION: InvitationId => Inviter, Entity 4;
    /// Partners.
    PARTNER: OrganisationId => entity::Partner, Entity 5;
    /// Cases.
    CASE: CaseId => entity::Case, Entity 6;
    /// Evidence.
    EVIDENCE: EvidenceId => entity::Evidence, Entity 7;
    /// Files of evidence, by their place.
    FILE: (EvidenceId, u32) => entity::File, Entity 8;
    /// Renditions of files of evidence, by their place.
    RENDITION: (EvidenceId, u32) => entity::Rendition, Entity 44;
    /// What is said of evidence beyond its title.
    FIELDS: EvidenceId => BTreeMap<Field, Value>, Entity 18;
    /// Blobs.
    BLOB: Digest => entity::Blob, Entity 9;
    /// Shares.
    SHARE: ShareId => entity::Share, Entity 10;
    /// The message to the recipients of a share; nothing where there is none.
    MESSAGE: ShareId => String, Entity 16;
    /// How users sign in.
    CREDENTIAL: Uuid => entity::Credential, Entity 20;
    /// Groups of users.
    GROUP: Uuid => entity::Group, Entity 12;
    /// Roles of this organisation's own, by name in small letters.
    ROLE: String => entity::Role, Entity 17;
    /// Whom the partner of a share added to its recipients.
    ONWARD: ShareId => Vec<String>, Entity 13;
    /// Share sets.
    SET: SetId => entity::Set, Entity 14;
    /// Who joined copies later, by the entry that says so.
    RESHARE: (ShareId, u64) => entity::Reshare, Entity 40;
    /// The whole updates of copies.
    UPDATE: (ShareId, u32) => entity::Update, Entity 41;
    /// The last recall of a copy.
    RECALLED: ShareId => entity::Recalled, Entity 42;
    /// Offers that wait for an administrator of this node.
    PENDING: ShareId => entity::Pending, Entity 43;
    /// What was disclosed to guests.
    DISCLOSURE: DisclosureId => entity::Disclosure, Entity 90;
    /// The items of disclosures.
    DISCLOSED: (DisclosureId, EvidenceId) => entity::Disclosed, Entity 91;
    /// What both logs of a share say of what it lists.
    FACT: (ShareId, share::Key) => share::Fact, Entity 11;

    /// Retention policies.
    RETENTION: Uuid => entity::Retention, Entity 50;
    /// Cases and evidence that are on legal hold.
    HELD: Uuid => entity::Hold, Entity 51;
    /// Cases and evidence that are queued for deletion.
    QUEUED: Uuid => entity::Queued, Entity 52;
    /// Cases and evidence that were deleted.
    GONE: Uuid => entity::Gone, Entity 53;

    /// The same in the order in which they are deleted: by microseconds since 1970.
    QUEUE: (u64, Uuid) => (), Index 70;
    /// The evidence of a case by its date, in microseconds since 1970.
    OLDEST: (CaseId, u64, EvidenceId) => (), Index 71;
    /// The same with the latest first.
    LATEST: (CaseId, u64, EvidenceId) => (), Index 72;
    /// Keys of what was erased that are still to be destroyed.
    DOOMED_KEY: Uuid => (), Index 73;
    /// Bytes of what was erased that are still to be deleted.
    DOOMED_BLOB: Digest => entity::Unused, Index 74;

    /// The disclosures of a case.
    CASE_DISCLOSURE: (CaseId, DisclosureId) => (), Index 92;
    /// The disclosures that are for a guest.
    GUEST_DISCLOSURE: (Uuid, DisclosureId) => (), Index 93;
    /// The disclosures that an item of evidence is in.
    EVIDENCE_DISCLOSURE: (EvidenceId, DisclosureId) => (), Index 94;

    /// Users and groups by all that they are called, in small letters.
    KNOWN: String => entity::Known, Index 1;
    /// Users by name, in small letters.
    USER_NAME: String => Uuid, Index 40;
    /// Users of the role that every node has for administrators, but for those who are disabled.
    ADMINISTRATOR: Uuid => (), Index 41;
    /// Who is in which group.
    MEMBER: (Uuid, Uuid) => (), Index 27;
    /// The groups that somebody is in.
    IN_GROUP: (Uuid, Uuid) => (), Index 28;
    /// Tokens by their ids.
    TOKEN_HASH: Uuid => Sha256, Index 34;
    /// The tokens of a user.
    USER_TOKEN: (Uuid, Uuid) => (), Index 35;
    /// Whom cases are about.
    TARGET: (CaseId, TargetId) => entity::Target, Entity 15;
    /// Targets that were chosen for a share by themselves.
    CHOSEN_TARGET: (ShareId, TargetId) => (), Index 32;
    /// Users and groups who have access to a case.
    ACCESS: (CaseId, Uuid) => (), Index 29;
    /// The cases to which a user or group has access.
    REACHED: (Uuid, CaseId) => (), Index 30;
    /// Partners by name.
    PARTNER_NAME: String => OrganisationId, Index 2;
    /// Cases by number.
    CASE_NUMBER: String => CaseId, Index 3;
    /// The evidence of a case.
    CASE_EVIDENCE: (CaseId, EvidenceId) => entity::InCase, Index 4;
    /// The cases of evidence.
    EVIDENCE_CASE: (EvidenceId, CaseId) => (), Index 80;
    /// Cases that evidence was taken out of: their shares may still say something of it.
    LEFT_CASE: (EvidenceId, CaseId) => (), Index 81;
    /// The record here of what another organisation shared as its evidence, by its id there.
    ORIGIN: (OrganisationId, EvidenceId) => EvidenceId, Index 82;
    /// Which evidence here an item of a received share became, by its id there; also where that was deleted.
    BECAME: (ShareId, EvidenceId) => EvidenceId, Index 83;
    /// What evidence or a case is labelled with: by the number of the field, and the text.
    LABEL: (Uuid, u32, String) => entity::Label, Index 36;
    /// What was noted of evidence, by the record.
    NOTE: (EvidenceId, u64) => entity::Note, Index 38;
    /// Places in evidence that are marked: how far in, in milliseconds, and what is there.
    MARKER: (EvidenceId, u64, String) => MarkerKind, Index 39;
    /// How often evidence was looked at.
    VIEWS: EvidenceId => entity::Views, Index 43;
    /// Items of a share of which is made what goes along with them: how many files that is.
    PREPARED: (ShareId, EvidenceId) => u32, Index 44;
    /// These files.
    ATTACHED: (ShareId, EvidenceId, u32) => entity::File, Index 45;
    /// Recordings of one event, by the digest of what they have in common.
    MULTICAM: (CaseId, Digest, EvidenceId) => (), Index 37;
    /// The shares of a case.
    CASE_SHARE: (CaseId, ShareId) => (), Index 5;
    /// Those of them that follow the case, as long as they go on.
    FOLLOWING: (CaseId, ShareId) => (), Index 46;
    /// The shares of a set, by the records that made them: in the order in which partners were named.
    SET_SHARE: (SetId, u64) => ShareId, Index 31;
    /// The shares with a partner.
    PARTNER_SHARE: (OrganisationId, ShareId) => (), Index 6;
    /// Evidence that waits to be disclosed in a share.
    WAITING: (ShareId, EvidenceId) => (), Index 7;
    /// Evidence that a share lists and this node, its partner, does not hold.
    WANTED: (ShareId, EvidenceId) => (), Index 8;
    /// Shares that have something for a partner.
    OUTBOX: (OrganisationId, ShareId) => (), Index 9;
    /// Shares from a partner with evidence that is wanted.
    FETCH: (OrganisationId, ShareId) => (), Index 10;
    /// Records that hold the batches of a log, by the number of their last entry.
    BATCH: (ShareId, Side, u64) => u64, Index 11;
    /// Records that hold the countersignatures of a log, by the number of the last entry covered.
    RECEIPT: (ShareId, Side, u64) => u64, Index 12;
    /// What a partner, as an owner, has delivered to this node.
    DELIVERED: (OrganisationId, Digest) => (), Index 13;
    /// Blobs whose SHA-256 is still to be compared.
    UNCOMPARED: Digest => (), Index 14;
    /// Blobs that were found damaged and have not come again.
    DAMAGED: Digest => (), Index 33;
    /// Records about something.
    ABOUT: (Uuid, u64) => (), Index 15;
    /// Cases, shares and users of which a record can't be read, with the first such record.
    LOST: Uuid => u64, Index 16;

    /// Files whose watermark is still to be drawn: what it says.
    RENDERING: (EvidenceId, u32) => String, Index 61;
    /// Files whose watermark is drawn once there is a program that does: what it says.
    OVERLAID: (EvidenceId, u32) => String, Index 62;
    /// What each update of a copy brought.
    UPDATED: (ShareId, u32, EvidenceId) => (), Index 60;
    /// Evidence that was chosen for a share by itself.
    SELECTED: (ShareId, EvidenceId) => (), Index 17;
    /// Files that are sealed under a share's lease, in parts.
    SEALED: (ShareId, Digest, u32) => entity::Sealed, Index 18;
    /// The sealed bytes that `SEALED` names.
    SEALED_BLOB: Digest => ShareId, Index 25;
    /// Sealed files of shares from a partner that were withdrawn: their bytes are still to be erased.
    ERASING: (OrganisationId, ShareId, Digest) => (), Index 19;
    /// Shares from a partner that are to be imported.
    IMPORT: (OrganisationId, ShareId) => entity::Import, Index 20;
    /// Shares from a partner that were revoked and are still to be purged.
    PURGE: (OrganisationId, ShareId) => (), Index 21;
    /// Revocations that were received, with the record of each.
    REVOKED: (OrganisationId, ShareId) => u64, Index 22;
    /// Advanced shares from a partner that go on: their leases are to be renewed.
    FOLLOWED: (OrganisationId, ShareId) => (), Index 24;
    /// Shares of which a partner may hold more than this node, which came back from its past.
    RECOVER: (OrganisationId, ShareId) => (), Index 26;
    /// Read sessions that are open.
    SESSION: Uuid => entity::Session, Index 23;

    /// Download links.
    LINK: LinkId => entity::Link, Entity 95;
    /// Download links by the hashes of their tokens.
    LINK_HASH: Sha256 => LinkId, Index 96;
    /// The download links of a case.
    CASE_LINK: (CaseId, LinkId) => (), Index 97;
    /// What the package of a link has of an item, by the numbers of the files.
    LINKED: (LinkId, EvidenceId, u32) => LinkedFile, Index 98;
    /// Downloads that have not ended, as far as is recorded.
    DOWNLOAD: Uuid => entity::Download, Index 99;

    /// Where records lie in the journal.
    POSITION: u64 => u64, Feed 1;
}
