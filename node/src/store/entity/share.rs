//! What the tables hold of shares, and of what is imported from them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::share::Header;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::Actor;
use crate::actions::partner::Kind;
use crate::actions::share::{Attachment, Scope, SetId};
use crate::blobs::Place;

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
    /// What goes along with its evidence; at the partner nothing.
    pub attachments: BTreeSet<Attachment>,
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
    /// Whether it was offered to this node and an administrator has not looked at it.
    pub pending: bool,
    /// Whether an administrator here took it, and said who works on it.
    pub finalised: bool,
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

/// People who joined a copy later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshare {
    /// Who added them, as its owner says.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// They, as the partner knows them.
    pub recipients: Vec<String>,
    /// The message to them.
    pub message: String,
    /// The last update before.
    pub after_update: u32,
}

/// A whole update of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Who made it, as its owner says.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The last recall of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recalled {
    /// Who asked, as its owner says.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// What the partner answered.
    pub answer: Option<Answered>,
}

/// The answer to a recall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Who answered, as the partner says.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether the partner will destroy what it has.
    pub granted: bool,
    /// Why, or why not.
    pub reason: String,
}

/// An offer that waits for an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The case's number at its owner; empty where that is sealed.
    pub number: String,
    /// Its title there.
    pub title: String,
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
    use interdocket_sync::log::entry::DeclineReason;
    use interdocket_sync::share::{self, Grants, Hold, Log, Onward, Policy, Recall, State, Totals};

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
            kind: share::Kind::Advanced(Policy {
                mode: share::Mode::Synchronised,
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
            addressed: u32::MAX,
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
            declined: Some(DeclineReason::Misdirected),
            recall: Recall {
                asked: u64::MAX,
                answered: u64::MAX,
                seen: u64::MAX,
                granted: false,
            },
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
            attachments: Attachment::ALL.into(),
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
            pending: false,
            finalised: false,
        };
        let length = bytes(&share);
        assert!(length <= engine::VALUE, "{length}");
    }

    /// What is said of a copy beside its share.
    #[test]
    fn reshares_and_recalls_of_the_largest_bounds_fit_a_value() {
        let name = || "x".repeat(limits::ACTOR_NAME_MAX);
        let text = || "x".repeat(limits::MESSAGE_TEXT_MAX);
        let at = DateTime::<Utc>::MAX_UTC;
        let reshare = Reshare {
            by: name(),
            at,
            recipients: vec!["x".repeat(limits::RECIPIENT_MAX); limits::RECIPIENTS_MAX],
            message: text(),
            after_update: u32::MAX,
        };
        let answer = Answered {
            by: name(),
            at,
            granted: false,
            reason: text(),
        };
        let recalled = Recalled {
            by: name(),
            at,
            reason: text(),
            answer: Some(answer),
        };
        assert!(bytes(&reshare) <= engine::VALUE && bytes(&recalled) <= engine::VALUE);
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
