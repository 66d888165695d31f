//! What each event says, with the values of that moment.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::Item;
use interdocket_sync::id::{CaseId, EvidenceId, InvitationId, ShareId, TargetId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::{Side, entry as log_entry};
use interdocket_sync::metadata::Tag;
use interdocket_sync::pairing::Inviter;
use interdocket_sync::share::Policy;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::link::LinkId;
use crate::actions::partner::{Kind, OrganisationRole};
use crate::actions::share::{Attachment, Scope, SetId};
use crate::blobs::Place;
use crate::features::Features;

use super::{Bytes, SealedText};

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

/// This node was made from a backup of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRestored {
    /// When the backup was made.
    pub made_at: DateTime<Utc>,
    /// The highest incarnation that anybody reported before; 0 where nobody was asked. The new one is
    /// above it, and above the one in the backup.
    pub above: u64,
}

/// A partner showed what this node signed and does not hold: its past came back, as of a machine that was
/// set back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRewound {
    /// Who showed it.
    pub partner: OrganisationId,
    /// The incarnation under which it was signed, where that is stated: the new one is above it.
    pub above: u64,
    /// The signed head, revocation or countersignature of one.
    pub shown: Bytes,
}

/// A backup was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupBegun {
    /// The folder on the node's machine.
    pub folder: String,
}

/// The machine's clock is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSuspected {
    /// What it says.
    pub says: DateTime<Utc>,
    /// What it should say, by the journal or by a clock that does not jump.
    pub expected: DateTime<Utc>,
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

/// A partner handed over to another root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerHandedOver {
    /// The partner.
    pub organisation: OrganisationId,
    /// The new root's certificate, by the one before, DER.
    pub root: Bytes,
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

/// The features that a partner has, as it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerFeatures {
    /// The partner.
    pub organisation: OrganisationId,
    /// Those that matter to its partners.
    pub features: Features,
}

/// A partner asked whether people are known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientsAsked {
    /// The partner.
    pub partner: OrganisationId,
    /// The names of users and groups that it was told.
    pub known: Vec<String>,
    /// How many it asked for who are nobody here.
    pub unknown: u32,
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

/// Who has access to a case was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessChanged {
    /// The case.
    pub case: CaseId,
    /// Users and groups who have access from now on.
    pub added: Vec<Uuid>,
    /// Users and groups who have not any more.
    pub removed: Vec<Uuid>,
}

/// Who a case is assigned to was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseAssigned {
    /// The case.
    pub case: CaseId,
    /// Users, from now on, the first one first.
    pub assignees: Vec<Uuid>,
}

/// A target of a case: the values from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetEdited {
    /// The case.
    pub case: CaseId,
    /// The target.
    pub target: TargetId,
    /// The name.
    pub name: String,
    /// What is known of it.
    pub description: String,
}

/// A target was taken out of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRemoved {
    /// The case.
    pub case: CaseId,
    /// The target.
    pub target: TargetId,
}

/// Which targets a share has was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareTargets {
    /// The share.
    pub share: ShareId,
    /// Targets that it has from now on.
    pub added: Vec<TargetId>,
    /// Targets that it has not any more.
    pub removed: Vec<TargetId>,
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

/// Somebody here wants a share imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportAsked {
    /// The share.
    pub share: ShareId,
    /// The recipient of the share that they are or belong to.
    pub recipient: String,
    /// Only these items; all of it where empty.
    pub evidence: Vec<EvidenceId>,
}

/// A case that was imported is described as its owner describes it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseUpdated {
    /// The share that it came by.
    pub share: ShareId,
    /// The case here, which keeps its number.
    pub case: CaseEdited,
    /// The entry of the owner's log that describes it so.
    pub described: u64,
    /// Its targets, by their ids at the owner.
    pub targets: Vec<log_entry::Target>,
    /// Its tags.
    pub tags: Vec<Tag>,
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
    /// The share set it was made in.
    pub set: SetId,
    /// The share.
    pub share: ShareId,
    /// The case that is shared.
    pub case: CaseId,
    /// The signed terms.
    pub terms: Bytes,
    /// What of the case is shared.
    pub scope: Scope,
    /// Whether all targets of the case are, also later ones.
    pub all_targets: bool,
    /// Else those that are.
    pub targets: Vec<TargetId>,
    /// Units and groups to which the case was given together with the set.
    pub units: Vec<Uuid>,
    /// The people who should have it.
    pub recipients: Vec<String>,
    /// The message to them.
    pub message: String,
    /// What goes along with its evidence.
    #[serde(default)]
    pub attachments: BTreeSet<Attachment>,
    /// Texts that were sealed apart; none where they are in their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<SealedText>,
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
    /// Texts that were sealed apart; none where they are in their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<SealedText>,
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
    /// Whether what they offer waits for an administrator.
    #[serde(default)]
    pub pending: bool,
    /// The new entries: as they came, or redacted where they are sealed apart.
    pub entries: Vec<Bytes>,
    /// The same entries as they came, sealed under the share's lease; none where they are above.
    #[serde(default)]
    pub sealed: Vec<Bytes>,
    /// The signed head.
    pub head: Bytes,
    /// This node's countersignature.
    pub countersignature: Bytes,
    /// Texts that were sealed apart; none where they are in their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<SealedText>,
}

/// Entries of this node's own log that it had lost: its partner gave them back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecovered {
    /// The share.
    pub share: ShareId,
    /// Which of its logs.
    pub side: Side,
    /// Where this node, the share's owner, did not know it any more.
    pub terms: Option<Bytes>,
    /// The entries, as this node wrote them.
    pub entries: Vec<Bytes>,
    /// The head that this node signed.
    pub head: Bytes,
    /// The partner's countersignature.
    pub countersignature: Bytes,
    /// Texts that were sealed apart; none where they are in their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<SealedText>,
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

/// Every share that a partner knows of was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerRecovered {
    /// The partner.
    pub partner: OrganisationId,
    /// Those that are not held here and that it could not give back yet: they are asked for again.
    pub missing: Vec<ShareId>,
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
    /// The other history's entries; of an advanced share without texts.
    pub entries: Vec<Bytes>,
    /// The other history's signed head.
    pub head: Bytes,
}

/// Files of a received share are verified and durable here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceReceived {
    /// The share.
    pub share: ShareId,
    /// The items.
    pub items: Vec<Became>,
}

/// Which evidence here an item of a share became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Became {
    /// The item's id at its owner.
    pub origin: EvidenceId,
    /// The id here: of the record that is here of it already, or of a new one.
    pub id: EvidenceId,
    /// Whether there is a record of it that has no room, so that this one stands beside it.
    pub apart: bool,
}

/// Files of a synchronised share are verified and durable here, sealed under its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceSealed {
    /// The share.
    pub share: ShareId,
    /// The parts of files that are new under it.
    pub parts: Vec<SealedPart>,
    /// Items that are whole with them and were lost here after it was stated that they are.
    #[serde(default)]
    pub again: Vec<EvidenceId>,
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
    /// Items that are to be read again, as their files were erased for being damaged.
    #[serde(default)]
    pub again: Vec<EvidenceId>,
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
    /// For whom it is, as its owner called them.
    pub recipients: Vec<String>,
    /// The case at its owner.
    pub origin: CaseId,
    /// The case here, with the values of that moment.
    pub case: CaseMade,
    /// Its targets, by their ids at the owner.
    pub targets: Vec<log_entry::Target>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// An item of a share became this node's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceImported {
    /// The share.
    pub share: ShareId,
    /// The case here.
    pub case: CaseId,
    /// The item, with its id at the owner.
    pub item: Item,
    /// Which evidence here it became.
    pub became: Became,
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
    pub actor: log_entry::Actor,
    /// The recipient of the share that they are or belong to, as the partner says.
    pub recipient: String,
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

/// Somebody here reads a partner's case at its owner; what was read is in the owner's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalOpened {
    /// The share.
    pub share: ShareId,
    /// Whether files may be kept.
    pub download: bool,
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
    /// The download link that was used, if any, with its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<(LinkId, CaseId)>,
    /// Why not.
    pub reason: String,
    /// How many times in a row.
    pub count: u64,
}
