//! What the tables hold: the present state, as far as it follows from the journal.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::share::{Header, Policy};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Permissions;
use crate::actions::Actor;
use crate::actions::case::Origin;
use crate::actions::group::Kind as GroupKind;
use crate::actions::partner::{Kind, OrganisationRole, State};
use crate::actions::settings::Settings;
use crate::actions::share::{Scope, SetId};
use crate::blobs::Place;
use crate::event::Bytes;

/// The node itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The organisation's id.
    pub organisation: OrganisationId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: OrganisationRole,
    /// Counts up with each restore; from 1.
    pub incarnation: u64,
    /// Since when its clock is not to be trusted; nothing where it is.
    pub suspect: Option<DateTime<Utc>>,
    /// What counts for everybody of the organisation.
    pub settings: Settings,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// The name of the role.
    pub role: String,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The number on the badge; empty where there is none.
    pub badge: String,
    /// When the user was added.
    pub added_at: DateTime<Utc>,
}

/// A role of this organisation's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its id.
    pub id: Uuid,
    /// The name as it is written.
    pub name: String,
    /// What it holds.
    pub permissions: Permissions,
    /// How many users have it.
    pub holders: u64,
}

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: GroupKind,
    /// How many users are in it.
    pub members: u64,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

/// Whom a case is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The name.
    pub name: String,
    /// What is known of it.
    pub description: String,
    /// When it was added here.
    pub added_at: DateTime<Utc>,
    /// The share by which it came; none where it was added here.
    pub share: Option<ShareId>,
}

/// Who is called by a name, an e-mail address or the number on a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// A user.
    User(Uuid),
    /// A group.
    Group(Uuid),
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its holder.
    pub user: Uuid,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}

/// A partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// The name it has here.
    pub name: String,
    /// What it does.
    pub role: OrganisationRole,
    /// How far trust goes.
    pub state: State,
    /// Its first root's certificate, DER.
    pub root: Bytes,
    /// The newest root that it handed over to, DER.
    pub later: Option<Bytes>,
    /// Where it can be dialled.
    pub address: Option<String>,
    /// The words to compare, until they are confirmed.
    pub words: Vec<String>,
    /// What may be sent to it.
    pub send: BTreeSet<Kind>,
    /// What may come from it.
    pub receive: BTreeSet<Kind>,
    /// What advanced shares with it allow; none can be made without.
    pub policy: Option<Policy>,
    /// Whether it may know shares that this node, which came back from its past, does not know any more.
    pub recover: bool,
    /// The latest head that it signed.
    pub witness: Option<Witness>,
    /// The record of the latest revocation that it countersigned.
    pub countersigned: Option<u64>,
    /// The record of the latest revocation that it signed.
    pub revoked: Option<u64>,
}

/// The latest head that a partner signed: the last one of its latest incarnation, by its own journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Witness {
    /// The incarnation.
    pub incarnation: u64,
    /// How many records its journal had.
    pub count: u64,
    /// The record with the head.
    pub record: u64,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Whether evidence can be added.
    pub open: bool,
    /// When it was made here.
    pub created_at: DateTime<Utc>,
    /// Who made it, with the values of that moment; nobody where it was received.
    pub creator: Option<Actor>,
    /// Who it is assigned to, the first one first.
    pub assignees: Vec<Uuid>,
    /// Items of evidence.
    pub evidence: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// From whom it was received.
    pub origin: Option<Origin>,
}

impl Case {
    /// Whether this user made it.
    pub fn made_by(&self, user: Uuid) -> bool {
        self.creator
            .as_ref()
            .is_some_and(|creator| creator.id == user)
    }
}

/// An item of evidence, but for its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The case.
    pub case: CaseId,
    /// What it is.
    pub title: String,
    /// The folder inside the case.
    pub folder: String,
    /// When this node took it in.
    pub added_at: DateTime<Utc>,
    /// Who added it.
    pub added_by: String,
    /// How many files it has.
    pub files: u32,
    /// From whom it was received.
    pub origin: Option<Origin>,
}

/// A file of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Names it everywhere.
    pub blake3: Digest,
    /// As its source signed it, or as this node computed it.
    pub sha256: Sha256,
}

/// A blob that this node holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Bytes.
    pub size: u64,
    /// Where it lies.
    pub place: Place,
    /// As its source says, or as computed here.
    pub sha256: Sha256,
    /// How it stands.
    pub state: BlobState,
    /// How many files are it.
    pub uses: u64,
}

/// How it stands with a blob's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobState {
    /// BLAKE3 was verified.
    Stored,
    /// SHA-256 was computed or compared, too.
    Compared,
    /// The bytes do not match.
    Damaged,
}

/// A share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// What both logs say.
    pub header: Header,
    /// The case here: the shared one, or what became of it; none where nothing of it is this node's own.
    pub case: Option<CaseId>,
    /// What of the case is shared; at the partner, nothing but how it was chosen.
    pub scope: Scope,
    /// Whether all targets of the case are shared, also later ones; else those that were chosen.
    pub all_targets: bool,
    /// The people who should have it; nobody where that is sealed under a lease.
    pub recipients: Vec<String>,
    /// The share set it was made in; none where it was received, or came back from its partner.
    pub set: Option<SetId>,
    /// When it was offered.
    pub offered_at: DateTime<Utc>,
    /// The record with the signed terms.
    pub made: u64,
    /// Items that wait to be disclosed, changed or withdrawn.
    pub waiting: u64,
    /// Whether the case waits to be described anew.
    pub case_waiting: bool,
    /// Since when the oldest change waits.
    pub behind_since: Option<DateTime<Utc>>,
    /// Items that this node, the partner, still wants.
    pub wanted: u64,
    /// How it was revoked.
    pub revocation: Option<Revocation>,
    /// The record with the other history, where it is frozen.
    pub frozen: Option<u64>,
    /// The entry of the owner's log with the case as it was when it was imported; 0 where it was not.
    #[serde(default)]
    pub imported_case: u64,
}

impl Share {
    /// The organisation with which this one shares it.
    pub fn other(&self, own: OrganisationId) -> OrganisationId {
        match self.header.owner == own {
            true => self.header.partner,
            false => self.header.owner,
        }
    }

    /// How many changes its owner still has to disclose.
    pub fn waits(&self) -> u64 {
        self.waiting + u64::from(self.case_waiting)
    }
}

/// What the shares of a set have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// The case that is shared.
    pub case: CaseId,
    /// What kind its shares are.
    pub kind: Kind,
    /// Who made it.
    pub made_by: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// The message to the recipients.
    pub message: String,
    /// Whether targets that are added to the case later are shared by themselves.
    pub all_targets: bool,
    /// Units and groups to which the case was given together with it.
    pub units: Vec<Uuid>,
}

/// How a share was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// When, as the revocation says.
    pub at: DateTime<Utc>,
    /// The record with the signed revocation.
    pub record: u64,
    /// The record with the partner's countersignature of it; where it was received, the same one.
    pub countersigned: Option<u64>,
}

/// A share from a partner that is to be imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Up to which entry of the owner's log.
    pub through: u64,
    /// Who asked; nobody where the node does it by itself.
    pub by: Option<Actor>,
    /// The recipient of the share that they are or belong to; empty where that is nobody.
    pub recipient: String,
    /// Only these items; all of it where empty.
    pub only: Vec<EvidenceId>,
}

/// A part of a file that is sealed under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Names the sealed bytes.
    pub blake3: Digest,
    /// How many they are.
    pub size: u64,
    /// Where it lies.
    pub place: Place,
}

/// A read session of a recipient at a partner, as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The share.
    pub share: ShareId,
}

#[cfg(test)]
mod tests {
    use interdocket_sync::limits;
    use interdocket_sync::log::Point;
    use interdocket_sync::share::{Grants, Hold, Kind, Log, Mode, Onward, Policy, State, Totals};

    use super::*;
    use crate::actions::exchange::NAMED_MAX;
    use crate::actions::share::{FOLDERS_BYTES_MAX, FOLDERS_MAX};
    use crate::store::engine;

    fn bytes(value: &impl Serialize) -> usize {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes.len()
    }

    /// A header in which nothing is small.
    fn largest() -> Header {
        let log = Log {
            point: Point {
                count: u64::MAX,
                hash: [u8::MAX; 32],
            },
            seen: u64::MAX,
            incarnation: u64::MAX,
            countersigned: u64::MAX,
            at: DateTime::<Utc>::MAX_UTC,
        };
        let totals = Totals {
            evidence: u64::MAX,
            files: u64::MAX,
            bytes: u64::MAX,
        };
        let (one, other) = ([u8::MAX; 32], [u8::MAX - 1; 32]);
        Header {
            share: ShareId::new(Uuid::max()),
            owner: OrganisationId::from_bytes(one),
            partner: OrganisationId::from_bytes(other),
            kind: Kind::Advanced(Policy {
                mode: Mode::Synchronised,
                download: false,
                import: false,
                onward: false,
            }),
            terms: one,
            state: State::Cancelled { at: u64::MAX },
            suspended: false,
            revoked: false,
            hold: Hold::Recovering,
            owner_log: log,
            partner_log: log,
            case: u64::MAX,
            recipients: u64::MAX,
            onward: Onward {
                entry: u64::MAX,
                seen: u64::MAX,
            },
            grants: Grants {
                first: u64::MAX,
                last: u64::MAX,
            },
            listed: totals,
            stored: totals,
            imported: totals,
            purged: u64::MAX,
            update: u32::MAX,
            open: false,
        }
    }

    /// However far its logs go, and whatever becomes of it: else a share could be made that can't be stopped.
    #[test]
    fn a_share_of_the_largest_bounds_fits_a_value_for_as_long_as_it_lives() {
        let folders = vec!["x".repeat(FOLDERS_BYTES_MAX / FOLDERS_MAX); FOLDERS_MAX];
        let share = Share {
            header: largest(),
            case: Some(CaseId::new(Uuid::max())),
            scope: Scope::Folders(folders),
            all_targets: false,
            recipients: vec!["x".repeat(limits::RECIPIENT_MAX); limits::RECIPIENTS_MAX],
            set: Some(SetId::new(Uuid::max())),
            offered_at: DateTime::<Utc>::MAX_UTC,
            made: u64::MAX,
            waiting: u64::MAX,
            case_waiting: false,
            behind_since: Some(DateTime::<Utc>::MAX_UTC),
            wanted: u64::MAX,
            revocation: Some(Revocation {
                at: DateTime::<Utc>::MAX_UTC,
                record: u64::MAX,
                countersigned: Some(u64::MAX),
            }),
            frozen: Some(u64::MAX),
            imported_case: u64::MAX,
        };
        let length = bytes(&share);
        assert!(length <= engine::VALUE, "{length}");
    }

    #[test]
    fn an_import_of_the_largest_bounds_fits_a_value() {
        let import = Import {
            through: u64::MAX,
            by: Some(Actor {
                id: Uuid::max(),
                name: "x".repeat(limits::ACTOR_NAME_MAX),
                badge: "x".repeat(limits::BADGE_MAX),
            }),
            recipient: "x".repeat(limits::RECIPIENT_MAX),
            only: vec![EvidenceId::new(Uuid::max()); NAMED_MAX],
        };
        let length = bytes(&import);
        assert!(length <= engine::VALUE, "{length}");
    }
}
