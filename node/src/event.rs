//! Events: what a record of the journal says happened, with the values of that moment.
//!
//! The record is the audit. An event is written as CBOR, by the names of its fields, so that later
//! releases read older journals; nothing else is kept of what it says but what the projection makes
//! of it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::Item;
use interdocket_sync::id::{CaseId, EvidenceId, InvitationId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::{Side, entry as log_entry};
use interdocket_sync::pairing::Inviter;
use interdocket_sync::share::Policy;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::partner::{Kind, OrganisationRole};
use crate::actions::share::Scope;
use crate::actions::user::Role;
use crate::actions::{Actor, Way};
use crate::blobs::Place;
use crate::journal::Draft;
use crate::keyring::KeyId;

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
    /// Sealed files were erased: they were withdrawn, or the share was revoked.
    SealedErased(SealedErased),
    /// Somebody, or the node by itself, wants a share imported.
    ImportAsked(ShareId),
    /// An import has brought all that was granted, or was refused.
    ImportEnded(ImportEnded),
    /// A case of this node's own was made of a shared one.
    CaseImported(CaseImported),
    /// Items of a share became this node's own.
    EvidenceImported(EvidenceImported),
    /// A recipient at a partner opened a read session.
    SessionOpened(SessionOpened),
    /// A read session ended.
    SessionClosed(SessionClosed),
    /// Something was refused to somebody who asked.
    Refused(Refused),
    /// This node was made from a backup of itself.
    NodeRestored(NodeRestored),
    /// A backup was begun; it holds this record.
    BackupBegun(BackupBegun),
}

/// This node was made from a backup of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRestored {
    /// When the backup was made.
    pub made_at: DateTime<Utc>,
    /// The highest incarnation that anybody reported before; 0 where nobody was asked. The new one is
    /// above it, and above the one in the backup.
    pub above: u64,
}

/// A backup was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupBegun {
    /// The folder on the node's machine.
    pub folder: String,
}

/// The node began its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeMade {
    /// The organisation's id.
    pub organisation: OrganisationId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: OrganisationRole,
}

/// The machine's clock is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSuspected {
    /// What it says.
    pub says: DateTime<Utc>,
    /// What it should say, by the journal or by a clock that does not jump.
    pub expected: DateTime<Utc>,
}

/// A user was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAdded {
    /// The user's id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
}

/// A token was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenMade {
    /// The token's holder.
    pub user: Uuid,
    /// SHA-256 of the token.
    pub hash: Sha256,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}

/// An invitation to pair was made or tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationMade {
    /// Its id.
    pub id: InvitationId,
    /// How far it is; its secret is not in there.
    pub inviter: Inviter,
}

/// An organisation was met in the pairing ceremony.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerMet {
    /// Its id.
    pub organisation: OrganisationId,
    /// The name that it gave itself.
    pub name: String,
    /// What it does.
    pub role: OrganisationRole,
    /// Its root's certificate, DER.
    pub root: Bytes,
    /// Where it can be dialled.
    pub address: Option<String>,
    /// The words that both administrators compare.
    pub words: Vec<String>,
}

/// Kinds of shares were enabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerEnabled {
    /// The partner.
    pub organisation: OrganisationId,
    /// What may be sent to it.
    pub send: BTreeSet<Kind>,
    /// What may come from it.
    pub receive: BTreeSet<Kind>,
}

/// What advanced shares with a partner allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySet {
    /// The partner.
    pub organisation: OrganisationId,
    /// From now on; shares that were made before keep theirs.
    pub policy: Policy,
}

/// A case was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseMade {
    /// Its id.
    pub id: CaseId,
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
}

/// A case was edited: the values from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseEdited {
    /// Its id.
    pub id: CaseId,
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
}

/// Evidence was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceAdded {
    /// Its id.
    pub id: EvidenceId,
    /// The case.
    pub case: CaseId,
    /// What it is.
    pub title: String,
    /// The folder inside the case.
    pub folder: String,
    /// Its file.
    pub file: AddedFile,
}

/// Evidence was described anew: the values from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceEdited {
    /// Its id.
    pub id: EvidenceId,
    /// The case that it belongs to.
    pub case: CaseId,
    /// What it is.
    pub title: String,
    /// The folder inside the case.
    pub folder: String,
}

/// A file that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedFile {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Names it everywhere.
    pub blake3: Digest,
    /// From the same pass.
    pub sha256: Sha256,
}

/// Bytes that are new on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBlob {
    /// Names them.
    pub blake3: Digest,
    /// How many.
    pub size: u64,
    /// Where they lie.
    pub place: Place,
    /// Computed here, or as their source says.
    pub sha256: Sha256,
    /// Whether SHA-256 was computed here.
    pub compared: bool,
}

/// A file of evidence was opened for reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceOpened {
    /// The evidence.
    pub evidence: EvidenceId,
    /// The case that it belongs to.
    pub case: CaseId,
    /// Which of its files.
    pub file: u32,
    /// The file's digest.
    pub blake3: Digest,
}

/// SHA-256 of a received file was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobCompared {
    /// The blob.
    pub blake3: Digest,
    /// What its bytes have.
    pub sha256: Sha256,
}

/// A share was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareMade {
    /// The share.
    pub share: ShareId,
    /// The case that is shared.
    pub case: CaseId,
    /// The signed terms.
    pub terms: Bytes,
    /// What of the case is shared.
    pub scope: Scope,
    /// The people who should have it.
    pub recipients: Vec<String>,
    /// The message to them.
    pub message: String,
}

/// Evidence was chosen for a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareWidened {
    /// The share.
    pub share: ShareId,
    /// What was chosen.
    pub evidence: Vec<EvidenceId>,
}

/// A share was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareRevoked {
    /// The share.
    pub share: ShareId,
    /// The signed revocation.
    pub revocation: Bytes,
}

/// A partner's revocation was received and countersigned, whatever is held of the share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationReceived {
    /// The share.
    pub share: ShareId,
    /// The organisation that revoked it.
    pub owner: OrganisationId,
    /// The signed revocation.
    pub revocation: Bytes,
    /// This node's countersignature.
    pub countersignature: Bytes,
}

/// The partner countersigned this node's revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationCountersigned {
    /// The share.
    pub share: ShareId,
    /// The partner's countersignature.
    pub countersignature: Bytes,
}

/// Entries of this node's log were written, all under one head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogWritten {
    /// The share.
    pub share: ShareId,
    /// Which of its logs.
    pub side: Side,
    /// The entries, as they go on the wire.
    pub entries: Vec<Bytes>,
    /// The signed head.
    pub head: Bytes,
}

/// Entries of the partner's log were admitted and countersigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReceived {
    /// The share.
    pub share: ShareId,
    /// Which of its logs.
    pub side: Side,
    /// With the first entries of an owner's log.
    pub terms: Option<Bytes>,
    /// The new entries: as they came, or redacted where they are sealed apart.
    pub entries: Vec<Bytes>,
    /// The same entries as they came, sealed under the share's lease; none where they are above.
    #[serde(default)]
    pub sealed: Vec<Bytes>,
    /// The signed head.
    pub head: Bytes,
    /// This node's countersignature.
    pub countersignature: Bytes,
}

/// The partner countersigned this node's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadCountersigned {
    /// The share.
    pub share: ShareId,
    /// Which of its logs.
    pub side: Side,
    /// Up to which entry.
    pub count: u64,
    /// The head that was countersigned.
    pub head: Bytes,
    /// The partner's countersignature.
    pub countersignature: Bytes,
}

/// The partner showed two histories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareFrozen {
    /// The share.
    pub share: ShareId,
    /// Which of its logs.
    pub side: Side,
    /// How many entries of it are held here.
    pub held: u64,
    /// The other history's entries.
    pub entries: Vec<Bytes>,
    /// The other history's signed head.
    pub head: Bytes,
}

/// Files of a received share are verified and durable here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceReceived {
    /// The share.
    pub share: ShareId,
    /// The items, by their ids at the owner.
    pub evidence: Vec<EvidenceId>,
}

/// Files of a synchronised share are verified and durable here, sealed under its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceSealed {
    /// The share.
    pub share: ShareId,
    /// The parts of files that are new under it.
    pub parts: Vec<SealedPart>,
}

/// A part of a sealed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPart {
    /// Names the file.
    pub file: Digest,
    /// Which of its parts, from 0.
    pub part: u32,
    /// Names the sealed bytes.
    pub blake3: Digest,
    /// How many they are.
    pub size: u64,
    /// Where they lie.
    pub place: Place,
}

/// Sealed files were erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedErased {
    /// The share.
    pub share: ShareId,
    /// The files.
    pub files: Vec<Digest>,
}

/// An import has brought all that was granted, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportEnded {
    /// The share.
    pub share: ShareId,
    /// Up to which entry of the owner's log.
    pub through: u64,
    /// Why the owner did not grant it; nothing where it did.
    pub refused: Option<String>,
}

/// A case of this node's own was made of a shared one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseImported {
    /// The share.
    pub share: ShareId,
    /// The case at its owner.
    pub origin: CaseId,
    /// The case here, with the values of that moment.
    pub case: CaseMade,
}

/// Items of a share became this node's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceImported {
    /// The share.
    pub share: ShareId,
    /// The case here.
    pub case: CaseId,
    /// The items, with their ids at the owner.
    pub items: Vec<Item>,
}

/// A recipient at a partner opened a read session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// The session.
    pub session: Uuid,
    /// The share.
    pub share: ShareId,
    /// The partner that asserts who it is.
    pub partner: OrganisationId,
    /// Who reads, as the partner says.
    pub recipient: log_entry::Actor,
    /// Whether files may be kept.
    pub download: bool,
}

/// A read session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClosed {
    /// The session.
    pub session: Uuid,
    /// The share.
    pub share: ShareId,
    /// Bytes of files that were sent.
    pub bytes: u64,
    /// How many ranges were asked for.
    pub ranges: u64,
    /// Why it ended.
    pub reason: SessionEnd,
}

/// Why a read session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// The reader closed it.
    Closed,
    /// Nothing was asked for in a while.
    Idle,
    /// What was allowed was not allowed any more.
    Stopped,
    /// The node was stopped.
    Interrupted,
}

/// Something was refused to somebody who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Who asked: a partner, where it was one.
    pub partner: Option<OrganisationId>,
    /// What was asked for: an action's or call's name.
    pub action: String,
    /// The share that was named, if any.
    pub share: Option<ShareId>,
    /// Why not.
    pub reason: String,
    /// How many times in a row.
    pub count: u64,
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
            Self::InvitationMade(_) => 20,
            Self::InvitationTried(_) => 21,
            Self::PartnerMet(_) => 22,
            Self::PartnerConfirmed(_) => 23,
            Self::PartnerEnabled(_) => 24,
            Self::PartnerSuspended(_) => 25,
            Self::PartnerResumed(_) => 26,
            Self::PartnerRemoved(_) => 27,
            Self::CaseMade(_) => 40,
            Self::CaseEdited(_) => 41,
            Self::CaseClosed(_) => 42,
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
            Self::ClockSuspected(_) => 90,
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
            Self::SessionOpened(_) => 81,
            Self::SessionClosed(_) => 82,
            Self::NodeRestored(_) => 92,
            Self::BackupBegun(_) => 96,
        }
    }

    /// The name of a type, by its number: what the audit shows, readable even when the body is erased.
    pub const fn name(number: u16) -> &'static str {
        match number {
            1 => "node made",
            10 => "user added",
            11 => "token made",
            20 => "invitation made",
            21 => "invitation tried",
            22 => "partner met",
            23 => "partner confirmed",
            24 => "partner enabled",
            25 => "partner suspended",
            26 => "partner resumed",
            27 => "partner removed",
            40 => "case made",
            41 => "case edited",
            42 => "case closed",
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
            90 => "clock suspected",
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
            81 => "read session opened",
            82 => "read session closed",
            92 => "node restored",
            96 => "backup begun",
            _ => "of a newer release",
        }
    }

    /// The key under which its body is sealed: one per case, share and user, so that each can be erased.
    pub const fn key(&self) -> KeyId {
        match self {
            Self::UserAdded(user) => KeyId(user.id),
            Self::TokenMade(token) => KeyId(token.user),
            Self::CaseMade(case) => KeyId(case.id.uuid()),
            Self::CaseEdited(case) => KeyId(case.id.uuid()),
            Self::CaseClosed(case) => KeyId(case.uuid()),
            Self::EvidenceAdded(evidence) => KeyId(evidence.case.uuid()),
            Self::EvidenceOpened(opened) => KeyId(opened.case.uuid()),
            Self::ShareMade(share) => KeyId(share.share.uuid()),
            Self::ShareWidened(share) => KeyId(share.share.uuid()),
            Self::LogWritten(log) => KeyId(log.share.uuid()),
            Self::LogReceived(log) => KeyId(log.share.uuid()),
            Self::HeadCountersigned(head) => KeyId(head.share.uuid()),
            Self::ShareFrozen(share) => KeyId(share.share.uuid()),
            Self::SharePaused(share) => KeyId(share.uuid()),
            Self::EvidenceReceived(received) => KeyId(received.share.uuid()),
            Self::EvidenceEdited(edited) => KeyId(edited.case.uuid()),
            Self::ShareNarrowed(share) | Self::ShareSettled(share) => KeyId(share.share.uuid()),
            Self::EvidenceSealed(sealed) => KeyId(sealed.share.uuid()),
            Self::SealedErased(erased) => KeyId(erased.share.uuid()),
            Self::ImportAsked(share) => KeyId(share.uuid()),
            Self::ImportEnded(ended) => KeyId(ended.share.uuid()),
            // An import is this node's own, whatever becomes of the share.
            Self::CaseImported(imported) => KeyId(imported.case.id.uuid()),
            Self::EvidenceImported(imported) => KeyId(imported.case.uuid()),
            Self::SessionOpened(session) => KeyId(session.share.uuid()),
            Self::SessionClosed(session) => KeyId(session.share.uuid()),
            // Revocations outlive everything that is known of a share.
            Self::ShareRevoked(_)
            | Self::RevocationReceived(_)
            | Self::RevocationCountersigned(_)
            | Self::PolicySet(_)
            | Self::ClockSuspected(_)
            | Self::ClockConfirmed(_)
            | Self::NodeMade(_)
            | Self::InvitationMade(_)
            | Self::InvitationTried(_)
            | Self::PartnerMet(_)
            | Self::PartnerConfirmed(_)
            | Self::PartnerEnabled(_)
            | Self::PartnerSuspended(_)
            | Self::PartnerResumed(_)
            | Self::PartnerRemoved(_)
            | Self::BlobCompared(_)
            | Self::BlobDamaged(_)
            | Self::BlobsStored(_)
            | Self::Refused(_)
            | Self::NodeRestored(_)
            | Self::BackupBegun(_) => KeyId::NODE,
        }
    }

    /// What it is about: by these ids the audit finds it.
    pub fn subjects(&self) -> Vec<Uuid> {
        match self {
            Self::NodeMade(_)
            | Self::ClockSuspected(_)
            | Self::ClockConfirmed(_)
            | Self::BlobCompared(_)
            | Self::BlobDamaged(_)
            | Self::BlobsStored(_)
            | Self::NodeRestored(_)
            | Self::BackupBegun(_) => Vec::new(),
            Self::UserAdded(user) => vec![user.id],
            Self::TokenMade(token) => vec![token.user],
            Self::InvitationMade(invitation) | Self::InvitationTried(invitation) => {
                vec![invitation.id.uuid()]
            }
            Self::PartnerMet(met) => vec![subject(met.organisation)],
            Self::PartnerEnabled(enabled) => vec![subject(enabled.organisation)],
            Self::PartnerConfirmed(id)
            | Self::PartnerSuspended(id)
            | Self::PartnerResumed(id)
            | Self::PartnerRemoved(id) => vec![subject(*id)],
            Self::CaseMade(case) => vec![case.id.uuid()],
            Self::CaseEdited(case) => vec![case.id.uuid()],
            Self::CaseClosed(case) => vec![case.uuid()],
            Self::EvidenceAdded(added) => vec![added.id.uuid(), added.case.uuid()],
            Self::EvidenceOpened(opened) => vec![opened.evidence.uuid(), opened.case.uuid()],
            Self::ShareMade(share) => vec![share.share.uuid(), share.case.uuid()],
            Self::ShareWidened(share) => vec![share.share.uuid()],
            Self::LogWritten(log) => vec![log.share.uuid()],
            Self::LogReceived(log) => vec![log.share.uuid()],
            Self::HeadCountersigned(head) => vec![head.share.uuid()],
            Self::ShareFrozen(share) => vec![share.share.uuid()],
            Self::SharePaused(share) => vec![share.uuid()],
            Self::EvidenceReceived(received) => vec![received.share.uuid()],
            Self::PolicySet(set) => vec![subject(set.organisation)],
            Self::EvidenceEdited(edited) => vec![edited.id.uuid(), edited.case.uuid()],
            Self::ShareNarrowed(share) | Self::ShareSettled(share) => vec![share.share.uuid()],
            Self::ShareRevoked(revoked) => vec![revoked.share.uuid()],
            Self::RevocationReceived(revocation) => vec![revocation.share.uuid()],
            Self::RevocationCountersigned(revocation) => vec![revocation.share.uuid()],
            Self::EvidenceSealed(sealed) => vec![sealed.share.uuid()],
            Self::SealedErased(erased) => vec![erased.share.uuid()],
            Self::ImportAsked(share) => vec![share.uuid()],
            Self::ImportEnded(ended) => vec![ended.share.uuid()],
            Self::CaseImported(imported) => {
                vec![imported.case.id.uuid(), imported.share.uuid()]
            }
            Self::EvidenceImported(imported) => {
                vec![imported.case.uuid(), imported.share.uuid()]
            }
            Self::SessionOpened(session) => vec![session.share.uuid(), subject(session.partner)],
            Self::SessionClosed(session) => vec![session.share.uuid()],
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
