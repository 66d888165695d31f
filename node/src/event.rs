//! Events: what a record of the journal says happened, with the values of that moment.
//!
//! The record is the audit. An event is written as CBOR, by the names of its fields, so that later
//! releases read older journals; nothing else is kept of what it says but what the projection makes
//! of it.

mod body;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::OrganisationId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::{Actor, Way};
use crate::journal::Draft;
use crate::keyring::KeyId;

pub use self::body::{
    AccessChanged, AddedFile, BackupBegun, BlobCompared, CaseEdited, CaseImported, CaseMade,
    CaseUpdated, ClockSuspected, EvidenceAdded, EvidenceEdited, EvidenceImported, EvidenceOpened,
    EvidenceReceived, EvidenceSealed, ExternalOpened, GroupChanged, GroupMade, HeadCountersigned,
    ImportAsked, ImportEnded, InvitationMade, LogReceived, LogRecovered, LogWritten, NodeMade,
    NodeRestored, NodeRewound, PartnerEnabled, PartnerHandedOver, PartnerMet, PartnerRecovered,
    PolicySet, RecipientsAsked, Refused, RevocationCountersigned, RevocationReceived, SealedErased,
    SealedPart, SessionClosed, SessionEnd, SessionOpened, ShareFrozen, ShareMade, ShareRevoked,
    ShareTargets, ShareWidened, StoredBlob, TargetEdited, TargetRemoved, TokenMade, UserAdded,
    UserEdited,
};

/// What a record says: who had it done, by which way, and what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who had it done; for a partner's call, as the partner's organisation says, or nobody.
    pub actor: Option<Actor>,
    /// By which way.
    pub way: Way,
    /// What happened.
    pub event: Event,
}

/// Bytes that were signed elsewhere or are no text: as they are in the journal, base64 for people.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Bytes(#[serde(with = "serde_bytes")] pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(&BASE64_STANDARD.encode(&self.0));
        }
        serializer.serialize_bytes(&self.0)
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The node began its life.
    NodeMade(NodeMade),
    /// The machine's clock jumped, or is behind the journal: what depends on time waits.
    ClockSuspected(ClockSuspected),
    /// An administrator found the clock to be right.
    ClockConfirmed(DateTime<Utc>),
    /// A user was added.
    UserAdded(UserAdded),
    /// What is said of a user was changed.
    UserEdited(UserEdited),
    /// A group was made.
    GroupMade(GroupMade),
    /// Who is in a group was changed.
    GroupChanged(GroupChanged),
    /// A token was made.
    TokenMade(TokenMade),
    /// An invitation to pair was made.
    InvitationMade(InvitationMade),
    /// Somebody tried an invitation: it was begun, used up, or the secret was wrong.
    InvitationTried(InvitationMade),
    /// An organisation was met in the pairing ceremony.
    PartnerMet(PartnerMet),
    /// The words were found to be the same.
    PartnerConfirmed(OrganisationId),
    /// Kinds of shares were enabled.
    PartnerEnabled(PartnerEnabled),
    /// What advanced shares with a partner allow was set.
    PolicySet(PolicySet),
    /// A partner asked whether people are known here.
    RecipientsAsked(RecipientsAsked),
    /// A partner handed over to another root.
    PartnerHandedOver(PartnerHandedOver),
    /// A partner was suspended.
    PartnerSuspended(OrganisationId),
    /// A partner was resumed.
    PartnerResumed(OrganisationId),
    /// A partner was removed.
    PartnerRemoved(OrganisationId),
    /// A case was made.
    CaseMade(CaseMade),
    /// A case was edited.
    CaseEdited(CaseEdited),
    /// Who has access to a case was changed.
    AccessChanged(AccessChanged),
    /// A target was added to a case.
    TargetAdded(TargetEdited),
    /// What is said of a target was changed.
    TargetEdited(TargetEdited),
    /// A target was taken out of a case.
    TargetRemoved(TargetRemoved),
    /// Which targets a share has was changed.
    ShareTargets(ShareTargets),
    /// A case was closed.
    CaseClosed(CaseId),
    /// Evidence was taken in.
    EvidenceAdded(EvidenceAdded),
    /// Evidence was described anew.
    EvidenceEdited(EvidenceEdited),
    /// A file of evidence was opened for reading.
    EvidenceOpened(EvidenceOpened),
    /// SHA-256 of a received file was compared.
    BlobCompared(BlobCompared),
    /// A blob's bytes were found damaged.
    BlobDamaged(Digest),
    /// Bytes that are new on this node are durable. Apart from what names them, so that erasing that
    /// does not lose them for others.
    BlobsStored(Vec<StoredBlob>),
    /// A share was made.
    ShareMade(ShareMade),
    /// Evidence was chosen for a share; it is disclosed when the partner can take it.
    ShareWidened(ShareWidened),
    /// Evidence was taken out of a share; it is withdrawn when the partner can take that.
    ShareNarrowed(ShareWidened),
    /// What waited to be disclosed came to nothing.
    ShareSettled(ShareWidened),
    /// A share was revoked.
    ShareRevoked(ShareRevoked),
    /// A partner's revocation was received and countersigned.
    RevocationReceived(RevocationReceived),
    /// The partner countersigned this node's revocation.
    RevocationCountersigned(RevocationCountersigned),
    /// Entries of this node's log of a share were written.
    LogWritten(LogWritten),
    /// Entries of the partner's log of a share were admitted and countersigned.
    LogReceived(LogReceived),
    /// Entries of this node's log that it had lost came back from the partner.
    LogRecovered(LogRecovered),
    /// All that the partner holds of a share is here again: it goes on.
    ShareRecovered(ShareId),
    /// An administrator has a share go on with what is here of it.
    ShareReleased(ShareId),
    /// A revoked share is over as it is: what one side lost of its logs is not brought any more.
    ShareClosed(ShareId),
    /// Every share that a partner knows of was asked for.
    PartnerRecovered(PartnerRecovered),
    /// The partner countersigned this node's log.
    HeadCountersigned(HeadCountersigned),
    /// The partner showed two histories; both heads are kept.
    ShareFrozen(ShareFrozen),
    /// The partner's log has a critical entry of an unknown type.
    SharePaused(ShareId),
    /// Files of a received share are verified and durable here.
    EvidenceReceived(EvidenceReceived),
    /// Files of a synchronised share are verified and durable here, sealed under its lease.
    EvidenceSealed(EvidenceSealed),
    /// Sealed files were erased: they were withdrawn or damaged, or the share was revoked.
    SealedErased(SealedErased),
    /// Somebody, or the node by itself, wants a share imported.
    ImportAsked(ImportAsked),
    /// An import has brought all that was granted, or was refused.
    ImportEnded(ImportEnded),
    /// A case of this node's own was made of a shared one.
    CaseImported(CaseImported),
    /// Somebody took over how the owner of an imported case describes it.
    CaseUpdated(CaseUpdated),
    /// Items of a share became this node's own.
    EvidenceImported(EvidenceImported),
    /// A recipient at a partner opened a read session.
    SessionOpened(SessionOpened),
    /// A read session ended.
    SessionClosed(SessionClosed),
    /// Something was refused to somebody who asked.
    Refused(Refused),
    /// Somebody here reads a partner's case at its owner.
    ExternalOpened(ExternalOpened),
    /// This node was made from a backup of itself.
    NodeRestored(NodeRestored),
    /// A partner proved that this node came back from its past.
    NodeRewound(NodeRewound),
    /// The organisation stands under another root: its certificate by the one before, DER.
    RootHandedOver(Bytes),
    /// A backup was begun; it holds this record.
    BackupBegun(BackupBegun),
}

/// Why a record's body is no event of this release.
#[derive(Debug, thiserror::Error)]
#[error("the record's body is no event that this release can read")]
pub struct Unreadable(#[source] ciborium::de::Error<std::io::Error>);

impl Entry {
    /// The record's body.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes).expect("a Vec takes every byte");
        bytes
    }

    /// Reads a record's body.
    ///
    /// # Errors
    /// [`Unreadable`] where a newer release wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        ciborium::from_reader(bytes).map_err(Unreadable)
    }

    /// What the journal takes.
    pub fn draft(&self) -> Draft {
        Draft {
            kind: self.event.number(),
            key: self.event.key(),
            body: self.encode(),
        }
    }
}

impl Event {
    /// The number of its type in a record's header; never used again for another.
    pub const fn number(&self) -> u16 {
        match self {
            Self::NodeMade(_) => 1,
            Self::UserAdded(_) => 10,
            Self::TokenMade(_) => 11,
            Self::UserEdited(_) => 12,
            Self::GroupMade(_) => 13,
            Self::GroupChanged(_) => 14,
            Self::InvitationMade(_) => 20,
            Self::InvitationTried(_) => 21,
            Self::PartnerMet(_) => 22,
            Self::PartnerConfirmed(_) => 23,
            Self::PartnerEnabled(_) => 24,
            Self::PartnerSuspended(_) => 25,
            Self::PartnerHandedOver(_) => 31,
            Self::PartnerResumed(_) => 26,
            Self::PartnerRemoved(_) => 27,
            Self::CaseMade(_) => 40,
            Self::CaseEdited(_) => 41,
            Self::CaseClosed(_) => 42,
            Self::AccessChanged(_) => 43,
            Self::TargetAdded(_) => 44,
            Self::TargetEdited(_) => 45,
            Self::TargetRemoved(_) => 46,
            Self::ShareTargets(_) => 47,
            Self::EvidenceAdded(_) => 50,
            Self::EvidenceOpened(_) => 51,
            Self::BlobCompared(_) => 52,
            Self::BlobDamaged(_) => 53,
            Self::BlobsStored(_) => 54,
            Self::ShareMade(_) => 60,
            Self::ShareWidened(_) => 61,
            Self::LogWritten(_) => 62,
            Self::LogReceived(_) => 63,
            Self::HeadCountersigned(_) => 64,
            Self::ShareFrozen(_) => 65,
            Self::SharePaused(_) => 66,
            Self::EvidenceReceived(_) => 67,
            Self::Refused(_) => 80,
            Self::PolicySet(_) => 28,
            Self::RecipientsAsked(_) => 30,
            Self::ClockSuspected(_) => 90,
            Self::NodeRestored(_) => 92,
            Self::NodeRewound(_) => 93,
            Self::LogRecovered(_) => 84,
            Self::ShareRecovered(_) => 85,
            Self::ShareReleased(_) => 86,
            Self::ShareClosed(_) => 87,
            Self::PartnerRecovered(_) => 29,
            Self::BackupBegun(_) => 96,
            Self::RootHandedOver(_) => 97,
            Self::ClockConfirmed(_) => 91,
            Self::EvidenceEdited(_) => 55,
            Self::ShareNarrowed(_) => 68,
            Self::ShareSettled(_) => 69,
            Self::ShareRevoked(_) => 70,
            Self::RevocationReceived(_) => 71,
            Self::RevocationCountersigned(_) => 72,
            Self::EvidenceSealed(_) => 73,
            Self::SealedErased(_) => 74,
            Self::ImportAsked(_) => 75,
            Self::ImportEnded(_) => 76,
            Self::CaseImported(_) => 77,
            Self::EvidenceImported(_) => 78,
            Self::CaseUpdated(_) => 79,
            Self::SessionOpened(_) => 81,
            Self::SessionClosed(_) => 82,
            Self::ExternalOpened(_) => 83,
        }
    }

    /// The name of a type, by its number: what the audit shows, readable even when the body is erased.
    pub const fn name(number: u16) -> &'static str {
        match number {
            1 => "node made",
            10 => "user added",
            11 => "token made",
            12 => "user edited",
            13 => "group made",
            14 => "group changed",
            20 => "invitation made",
            21 => "invitation tried",
            22 => "partner met",
            23 => "partner confirmed",
            24 => "partner enabled",
            25 => "partner suspended",
            31 => "root of a partner handed over",
            26 => "partner resumed",
            27 => "partner removed",
            40 => "case made",
            41 => "case edited",
            42 => "case closed",
            43 => "access changed",
            44 => "target added",
            45 => "target edited",
            46 => "target removed",
            47 => "targets of a share changed",
            50 => "evidence added",
            51 => "evidence opened",
            52 => "blob compared",
            53 => "blob damaged",
            54 => "blobs stored",
            60 => "share made",
            61 => "share widened",
            62 => "log written",
            63 => "log received",
            64 => "head countersigned",
            65 => "share frozen",
            66 => "share paused",
            67 => "evidence received",
            80 => "refused",
            28 => "policy set",
            30 => "recipients asked for",
            90 => "clock suspected",
            92 => "node restored",
            93 => "node rewound",
            84 => "log recovered",
            85 => "share recovered",
            86 => "share released",
            29 => "partner recovered",
            96 => "backup begun",
            97 => "root handed over",
            91 => "clock confirmed",
            55 => "evidence edited",
            68 => "share narrowed",
            69 => "share settled",
            70 => "share revoked",
            71 => "revocation received",
            72 => "revocation countersigned",
            73 => "evidence sealed",
            74 => "sealed files erased",
            75 => "import asked",
            76 => "import ended",
            77 => "case imported",
            78 => "evidence imported",
            79 => "case updated",
            81 => "read session opened",
            82 => "read session closed",
            83 => "external case opened",
            _ => "of a newer release",
        }
    }

    /// The key under which its body is sealed: one per case, share and user, so that each can be erased.
    pub const fn key(&self) -> KeyId {
        match self {
            Self::UserAdded(user) => KeyId(user.id),
            Self::UserEdited(user) => KeyId(user.id),
            Self::GroupMade(group) => KeyId(group.id),
            Self::GroupChanged(changed) => KeyId(changed.group),
            Self::TokenMade(token) => KeyId(token.user),
            Self::CaseMade(case) => KeyId(case.id.uuid()),
            Self::CaseEdited(case) => KeyId(case.id.uuid()),
            Self::CaseClosed(case) => KeyId(case.uuid()),
            Self::AccessChanged(changed) => KeyId(changed.case.uuid()),
            Self::TargetAdded(target) | Self::TargetEdited(target) => KeyId(target.case.uuid()),
            Self::TargetRemoved(removed) => KeyId(removed.case.uuid()),
            Self::ShareTargets(changed) => KeyId(changed.share.uuid()),
            Self::EvidenceAdded(evidence) => KeyId(evidence.case.uuid()),
            Self::EvidenceOpened(opened) => KeyId(opened.case.uuid()),
            Self::ShareMade(share) => KeyId(share.share.uuid()),
            Self::ShareWidened(share) => KeyId(share.share.uuid()),
            Self::LogWritten(log) => KeyId(log.share.uuid()),
            Self::LogReceived(log) => KeyId(log.share.uuid()),
            Self::HeadCountersigned(head) => KeyId(head.share.uuid()),
            Self::LogRecovered(log) => KeyId(log.share.uuid()),
            Self::ShareRecovered(share) | Self::ShareReleased(share) | Self::ShareClosed(share) => {
                KeyId(share.uuid())
            }
            Self::ShareFrozen(share) => KeyId(share.share.uuid()),
            Self::SharePaused(share) => KeyId(share.uuid()),
            Self::EvidenceReceived(received) => KeyId(received.share.uuid()),
            Self::EvidenceEdited(edited) => KeyId(edited.case.uuid()),
            Self::ShareNarrowed(share) | Self::ShareSettled(share) => KeyId(share.share.uuid()),
            Self::EvidenceSealed(sealed) => KeyId(sealed.share.uuid()),
            Self::SealedErased(erased) => KeyId(erased.share.uuid()),
            Self::ImportAsked(asked) => KeyId(asked.share.uuid()),
            Self::ImportEnded(ended) => KeyId(ended.share.uuid()),
            // An import is this node's own, whatever becomes of the share.
            Self::CaseUpdated(updated) => KeyId(updated.case.id.uuid()),
            Self::CaseImported(imported) => KeyId(imported.case.id.uuid()),
            Self::EvidenceImported(imported) => KeyId(imported.case.uuid()),
            Self::SessionOpened(session) => KeyId(session.share.uuid()),
            Self::SessionClosed(session) => KeyId(session.share.uuid()),
            Self::ExternalOpened(opened) => KeyId(opened.share.uuid()),
            // Revocations outlive everything that is known of a share.
            Self::ShareRevoked(_)
            | Self::RevocationReceived(_)
            | Self::RevocationCountersigned(_)
            | Self::PolicySet(_)
            | Self::RecipientsAsked(_)
            | Self::ClockSuspected(_)
            | Self::ClockConfirmed(_)
            | Self::NodeRestored(_)
            | Self::NodeRewound(_)
            | Self::PartnerRecovered(_)
            | Self::BackupBegun(_)
            | Self::RootHandedOver(_)
            | Self::NodeMade(_)
            | Self::InvitationMade(_)
            | Self::InvitationTried(_)
            | Self::PartnerMet(_)
            | Self::PartnerConfirmed(_)
            | Self::PartnerEnabled(_)
            | Self::PartnerHandedOver(_)
            | Self::PartnerSuspended(_)
            | Self::PartnerResumed(_)
            | Self::PartnerRemoved(_)
            | Self::BlobCompared(_)
            | Self::BlobDamaged(_)
            | Self::BlobsStored(_)
            | Self::Refused(_) => KeyId::NODE,
        }
    }

    /// What it is about: by these ids the audit finds it.
    #[expect(clippy::too_many_lines, reason = "a line or two for each event")]
    pub fn subjects(&self) -> Vec<Uuid> {
        match self {
            Self::NodeMade(_)
            | Self::ClockSuspected(_)
            | Self::ClockConfirmed(_)
            | Self::NodeRestored(_)
            | Self::BackupBegun(_)
            | Self::RootHandedOver(_)
            | Self::BlobCompared(_)
            | Self::BlobDamaged(_)
            | Self::BlobsStored(_) => Vec::new(),
            Self::UserAdded(user) => vec![user.id],
            Self::UserEdited(user) => vec![user.id],
            Self::GroupMade(group) => vec![group.id],
            Self::GroupChanged(changed) => {
                let mut about = vec![changed.group];
                about.extend(changed.added.iter().chain(&changed.removed));
                about
            }
            Self::TokenMade(token) => vec![token.user],
            Self::InvitationMade(invitation) | Self::InvitationTried(invitation) => {
                vec![invitation.id.uuid()]
            }
            Self::PartnerMet(met) => vec![subject(met.organisation)],
            Self::PartnerEnabled(enabled) => vec![subject(enabled.organisation)],
            Self::PartnerHandedOver(handed) => vec![subject(handed.organisation)],
            Self::PartnerConfirmed(id)
            | Self::PartnerSuspended(id)
            | Self::PartnerResumed(id)
            | Self::PartnerRemoved(id) => vec![subject(*id)],
            Self::CaseMade(case) => vec![case.id.uuid()],
            Self::TargetAdded(target) | Self::TargetEdited(target) => {
                vec![target.case.uuid(), target.target.uuid()]
            }
            Self::TargetRemoved(removed) => vec![removed.case.uuid(), removed.target.uuid()],
            Self::ShareTargets(changed) => vec![changed.share.uuid()],
            Self::AccessChanged(changed) => {
                let mut about = vec![changed.case.uuid()];
                about.extend(changed.added.iter().chain(&changed.removed));
                about
            }
            Self::CaseEdited(case) => vec![case.id.uuid()],
            Self::CaseClosed(case) => vec![case.uuid()],
            Self::EvidenceAdded(added) => vec![added.id.uuid(), added.case.uuid()],
            Self::EvidenceOpened(opened) => vec![opened.evidence.uuid(), opened.case.uuid()],
            Self::ShareMade(share) => {
                vec![share.share.uuid(), share.set.uuid(), share.case.uuid()]
            }
            Self::ShareWidened(share) => vec![share.share.uuid()],
            Self::LogWritten(log) => vec![log.share.uuid()],
            Self::LogReceived(log) => vec![log.share.uuid()],
            Self::HeadCountersigned(head) => vec![head.share.uuid()],
            Self::LogRecovered(log) => vec![log.share.uuid()],
            Self::ShareRecovered(share) | Self::ShareReleased(share) | Self::ShareClosed(share) => {
                vec![share.uuid()]
            }
            Self::NodeRewound(rewound) => vec![subject(rewound.partner)],
            Self::PartnerRecovered(recovered) => vec![subject(recovered.partner)],
            Self::ShareFrozen(share) => vec![share.share.uuid()],
            Self::SharePaused(share) => vec![share.uuid()],
            Self::EvidenceReceived(received) => vec![received.share.uuid()],
            Self::PolicySet(set) => vec![subject(set.organisation)],
            Self::RecipientsAsked(asked) => vec![subject(asked.partner)],
            Self::EvidenceEdited(edited) => vec![edited.id.uuid(), edited.case.uuid()],
            Self::ShareNarrowed(share) | Self::ShareSettled(share) => vec![share.share.uuid()],
            Self::ShareRevoked(revoked) => vec![revoked.share.uuid()],
            Self::RevocationReceived(revocation) => vec![revocation.share.uuid()],
            Self::RevocationCountersigned(revocation) => vec![revocation.share.uuid()],
            Self::EvidenceSealed(sealed) => vec![sealed.share.uuid()],
            Self::SealedErased(erased) => vec![erased.share.uuid()],
            Self::ImportAsked(asked) => vec![asked.share.uuid()],
            Self::ImportEnded(ended) => vec![ended.share.uuid()],
            Self::CaseImported(imported) => {
                vec![imported.case.id.uuid(), imported.share.uuid()]
            }
            Self::CaseUpdated(updated) => {
                vec![updated.case.id.uuid(), updated.share.uuid()]
            }
            Self::EvidenceImported(imported) => {
                vec![imported.case.uuid(), imported.share.uuid()]
            }
            Self::SessionOpened(session) => vec![session.share.uuid(), subject(session.partner)],
            Self::SessionClosed(session) => vec![session.share.uuid()],
            Self::ExternalOpened(opened) => vec![opened.share.uuid()],
            Self::Refused(refused) => {
                let partner = refused.partner.map(subject);
                partner
                    .into_iter()
                    .chain(refused.share.map(ShareId::uuid))
                    .collect()
            }
        }
    }
}

/// The first half of an organisation's id, as the audit's index has ids.
pub fn subject(organisation: OrganisationId) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&organisation.as_bytes()[..16]);
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_bytes_are_base64_for_people_and_bytes_in_the_journal() {
        let bytes = Bytes(vec![0, 250, 251, 252]);
        assert_eq!(serde_json::to_value(&bytes).unwrap(), "APr7/A==");
        let mut kept = Vec::new();
        ciborium::into_writer(&bytes, &mut kept).unwrap();
        assert_eq!(kept, [0x44, 0, 250, 251, 252]);
        let read: Bytes = ciborium::from_reader(kept.as_slice()).unwrap();
        assert_eq!(read, bytes);
    }

    #[test]
    fn an_entry_survives_the_journal() {
        let entry = Entry {
            actor: None,
            way: Way::Timer,
            event: Event::CaseClosed(CaseId::new(Uuid::from_u128(7))),
        };
        assert_eq!(Entry::decode(&entry.encode()).unwrap(), entry);
        assert_eq!(Event::name(entry.event.number()), "case closed");
        assert_eq!(entry.event.key(), KeyId(Uuid::from_u128(7)));
    }

    /// A release that is older than the journal refuses it and does not guess.
    #[test]
    fn an_event_of_a_newer_release_is_unreadable() {
        let unknown = serde_json::json!({
            "actor": null, "way": "timer", "event": { "sun_risen": 1 }
        });
        let mut bytes = Vec::new();
        ciborium::into_writer(&unknown, &mut bytes).unwrap();
        assert!(Entry::decode(&bytes).is_err());
        assert_eq!(Event::name(u16::MAX), "of a newer release");
    }
}
