//! Events: what a record of the journal says happened, with the values of that moment.
//!
//! The record is the audit. An event is written as CBOR, by the names of its fields, so that later
//! releases read older journals; nothing else is kept of what it says but what the projection makes
//! of it.

mod body;
mod disclosure;
mod evidence;
mod incoming;
mod link;
mod people;
mod retention;
mod text;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::OrganisationId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::settings::Settings;
use crate::actions::{Actor, Way};
use crate::features::Features;
use crate::journal::Draft;
use crate::keyring::{KeyId, Keyring};

pub use self::body::{
    AccessChanged, BackupBegun, Became, BlobCompared, CaseAssigned, CaseEdited, CaseImported,
    CaseMade, CaseUpdated, ClockSuspected, EvidenceImported, EvidenceReceived, EvidenceSealed,
    ExternalOpened, HeadCountersigned, ImportAsked, ImportEnded, InvitationMade, LogReceived,
    LogRecovered, LogWritten, NodeMade, NodeRestored, NodeRewound, PartnerEnabled, PartnerFeatures,
    PartnerHandedOver, PartnerMet, PartnerRecovered, PolicySet, RecipientsAsked, Refused,
    RevocationCountersigned, RevocationReceived, SealedErased, SealedPart, SessionClosed,
    SessionEnd, SessionOpened, ShareFrozen, ShareMade, ShareRevoked, ShareTargets, ShareWidened,
    StoredBlob, TargetEdited, TargetRemoved,
};
pub use self::disclosure::{
    CaseDisclosed, Disclosed, DisclosureMade, DisclosureOpened, DisclosureWidened,
    EvidenceDisclosed,
};
pub use self::evidence::{
    AddedFile, AttachmentsMade, EvidenceAdded, EvidenceEdited, EvidenceExcluded, EvidenceIncluded,
    EvidenceOpened, EvidenceViewed, FileAttached, MarkerSet, NoteAdded, RenditionMade, TagsChanged,
    Watermark,
};
pub use self::incoming::{CaseReceived, InboundSet, ShareFinalised};
pub use self::link::{
    DownloadBegun, DownloadEnd, DownloadEnded, LinkFilled, LinkMade, LinkRevoked, Linked,
    LinkedFile,
};
pub use self::people::{
    GroupChanged, GroupMade, PasswordSet, Proof, RoleSet, Secret, SignedIn, SignedOut,
    SignedOutFor, TokenMade, TokenRevoked, UserAdded, UserDisabled, UserEdited, UserEnrolled,
    UserLocked,
};
pub use self::retention::{
    CaseErased, CaseNumbered, CaseRetained, DeletionQueued, ErasedFile, ErasureDone,
    EvidenceErased, ItemsErased, Matter, Reasoned, RetentionSet, Why,
};
pub use self::text::{Error as SealError, Parted, SealedText};

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

/// Every event: its type, its number in a record's header, what the audit calls it, the key under which its body
/// is sealed (one per case, item of evidence, share and user, so that each can be erased), and what it is about:
/// what is about evidence is about its cases as well, and that is not said here.
///
/// A number is never used again for another event.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($what:ty), $number:literal, $text:literal, $value:pat => $key:expr, $about:expr;)*) => {
        /// What happened.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Event {
            $($(#[$doc])* $name($what),)*
        }

        impl Event {
            /// The number of its type in a record's header.
            pub const fn number(&self) -> u16 {
                match self {
                    $(Self::$name(_) => $number,)*
                }
            }

            /// The name of a type, by its number: what the audit shows, readable even when the body is erased.
            pub const fn name(number: u16) -> &'static str {
                match number {
                    $($number => $text,)*
                    _ => "of a newer release",
                }
            }

            /// The key under which its body is sealed.
            #[expect(unused_variables, reason = "what the node's own key seals needs no look at it")]
            pub fn key(&self) -> KeyId {
                match self {
                    $(Self::$name($value) => $key,)*
                }
            }

            /// What it is about: by these ids the audit finds it.
            pub fn subjects(&self) -> Vec<Uuid> {
                match self {
                    $(Self::$name($value) => Vec::from($about),)*
                }
            }
        }
    };
}

events! {
    /// The node began its life.
    NodeMade(NodeMade), 1, "node made", _ => KeyId::NODE, [];
    /// The machine's clock jumped, or is behind the journal: what depends on time waits.
    ClockSuspected(ClockSuspected), 90, "clock suspected", _ => KeyId::NODE, [];
    /// An administrator found the clock to be right.
    ClockConfirmed(DateTime<Utc>), 91, "clock confirmed", _ => KeyId::NODE, [];
    /// A user was added.
    UserAdded(UserAdded), 10, "user added", user => KeyId(user.id), [user.id];
    /// What is said of a user was changed.
    UserEdited(UserEdited), 12, "user edited", user => KeyId(user.id), [user.id];
    /// A user was disabled: from now on they may do nothing.
    UserDisabled(UserDisabled), 100, "user disabled", disabled => KeyId(disabled.user), [disabled.user];
    /// A user was enabled again.
    UserEnabled(Uuid), 101, "user enabled", user => KeyId(*user), [*user];
    /// A user called: at most one record a day, so that it is known who is idle.
    UserSeen(Uuid), 102, "user seen", user => KeyId(*user), [*user];
    /// A code was made with which a user enrols.
    EnrolmentMade(Uuid), 103, "enrolment code made", user => KeyId(*user), [*user];
    /// A user set a password and an authenticator.
    UserEnrolled(UserEnrolled), 104, "user enrolled", enrolled => KeyId(enrolled.user), [enrolled.user];
    /// A user set another password.
    PasswordSet(PasswordSet), 105, "password set", set => KeyId(set.user), [set.user];
    /// A user signed in.
    SignedIn(SignedIn), 106, "signed in", session => KeyId(session.user), [session.user, session.session];
    /// A user is signed in no more.
    SignedOut(SignedOut), 107, "signed out", session => KeyId(session.user), [session.user, session.session];
    /// A user was locked after too many wrong tries.
    UserLocked(UserLocked), 108, "user locked", locked => KeyId(locked.user), [locked.user];
    /// An administrator unlocked a user.
    UserUnlocked(Uuid), 109, "user unlocked", user => KeyId(*user), [*user];
    /// A role was added, or what it holds was changed.
    RoleSet(RoleSet), 15, "role set", role => KeyId::NODE, [role.id];
    /// A role was removed.
    RoleRemoved(RoleSet), 16, "role removed", role => KeyId::NODE, [role.id];
    /// A group was made.
    GroupMade(GroupMade), 13, "group made", group => KeyId(group.id), [group.id];
    /// Who is in a group was changed.
    GroupChanged(GroupChanged), 14, "group changed", changed => KeyId(changed.group), with(changed.group, &changed.added, &changed.removed);
    /// A token was made.
    TokenMade(TokenMade), 11, "token made", token => KeyId(token.user), [token.user, token.id];
    /// A token was revoked.
    TokenRevoked(TokenRevoked), 17, "token revoked", token => KeyId(token.user), [token.user, token.id];
    /// An invitation to pair was made.
    InvitationMade(InvitationMade), 20, "invitation made", invitation => KeyId::NODE, [invitation.id.uuid()];
    /// Somebody tried an invitation: it was begun, used up, or the secret was wrong.
    InvitationTried(InvitationMade), 21, "invitation tried", invitation => KeyId::NODE, [invitation.id.uuid()];
    /// An organisation was met in the pairing ceremony.
    PartnerMet(PartnerMet), 22, "partner met", met => KeyId::NODE, [subject(met.organisation)];
    /// The words were found to be the same.
    PartnerConfirmed(OrganisationId), 23, "partner confirmed", id => KeyId::NODE, [subject(*id)];
    /// Kinds of shares were enabled.
    PartnerEnabled(PartnerEnabled), 24, "partner enabled", enabled => KeyId::NODE, [subject(enabled.organisation)];
    /// What advanced shares with a partner allow was set.
    PolicySet(PolicySet), 28, "policy set", set => KeyId::NODE, [subject(set.organisation)];
    /// What becomes of what a partner offers was set.
    InboundSet(InboundSet), 120, "inbound set", set => KeyId::NODE, [subject(set.organisation)];
    /// A partner asked whether people are known here.
    RecipientsAsked(RecipientsAsked), 30, "recipients asked for", asked => KeyId::NODE, [subject(asked.partner)];
    /// A partner handed over to another root.
    PartnerHandedOver(PartnerHandedOver), 31, "root of a partner handed over", handed => KeyId::NODE, [subject(handed.organisation)];
    /// A partner says that it has other features than it was known to have.
    PartnerFeatures(PartnerFeatures), 32, "features of a partner", said => KeyId::NODE, [subject(said.organisation)];
    /// A partner was suspended.
    PartnerSuspended(OrganisationId), 25, "partner suspended", id => KeyId::NODE, [subject(*id)];
    /// A partner was resumed.
    PartnerResumed(OrganisationId), 26, "partner resumed", id => KeyId::NODE, [subject(*id)];
    /// A partner was removed.
    PartnerRemoved(OrganisationId), 27, "partner removed", id => KeyId::NODE, [subject(*id)];
    /// A case was made.
    CaseMade(CaseMade), 40, "case made", case => KeyId(case.id.uuid()), [case.id.uuid()];
    /// A case got a number. Apart, so that it stays taken where nothing else of the case can be read any more.
    CaseNumbered(CaseNumbered), 181, "case numbered", numbered => KeyId::NODE, [numbered.case.uuid()];
    /// A case was edited.
    CaseEdited(CaseEdited), 41, "case edited", case => KeyId(case.id.uuid()), [case.id.uuid()];
    /// Who has access to a case was changed.
    // Who had access, who it was assigned to and who opened what is known by ids, and outlives the case.
    AccessChanged(AccessChanged), 43, "access changed", changed => KeyId::NODE, with(changed.case.uuid(), &changed.added, &changed.removed);
    /// A target was added to a case.
    TargetAdded(TargetEdited), 44, "target added", target => KeyId(target.case.uuid()), [target.case.uuid()];
    /// What is said of a target was changed.
    TargetEdited(TargetEdited), 45, "target edited", target => KeyId(target.case.uuid()), [target.case.uuid()];
    /// A target was taken out of a case.
    TargetRemoved(TargetRemoved), 46, "target removed", removed => KeyId(removed.case.uuid()), [removed.case.uuid()];
    /// Which targets a share has was changed.
    ShareTargets(ShareTargets), 47, "targets of a share changed", changed => KeyId(changed.share.uuid()), [changed.share.uuid()];
    /// A case was closed.
    CaseClosed(CaseId), 42, "case closed", case => KeyId(case.uuid()), [case.uuid()];
    /// A case was opened again.
    CaseReopened(CaseId), 49, "case reopened", case => KeyId(case.uuid()), [case.uuid()];
    /// Who a case is assigned to was set.
    CaseAssigned(CaseAssigned), 48, "case assigned", assigned => KeyId::NODE, with(assigned.case.uuid(), &assigned.assignees, &[]);
    /// What counts for everybody of the organisation was set.
    SettingsSet(Settings), 94, "settings set", _ => KeyId::NODE, [];
    /// What the organisation takes part in was set.
    FeaturesSet(Features), 95, "features set", _ => KeyId::NODE, [];
    /// Evidence was taken in.
    EvidenceAdded(EvidenceAdded), 50, "evidence added", added => KeyId(added.id.uuid()), [added.id.uuid(), added.case.uuid()];
    /// Evidence was described anew.
    EvidenceEdited(EvidenceEdited), 55, "evidence edited", edited => KeyId(edited.id.uuid()), [edited.id.uuid()];
    /// Evidence was put into a case, or into another folder of it.
    EvidenceIncluded(EvidenceIncluded), 200, "evidence put into a case", included => KeyId(included.evidence.uuid()), [included.evidence.uuid(), included.case.uuid()];
    /// Evidence was taken out of a case.
    // By ids only: it is known where the evidence is gone.
    EvidenceExcluded(EvidenceExcluded), 201, "evidence taken out of a case", excluded => KeyId::NODE, [excluded.evidence.uuid(), excluded.case.uuid()];
    /// What evidence or a case is labelled with was changed.
    TagsChanged(TagsChanged), 140, "tags changed", changed => KeyId(changed.what.id()), [changed.what.id()];
    /// A file was added to evidence that was there.
    FileAttached(FileAttached), 141, "file attached", attached => KeyId(attached.evidence.uuid()), [attached.evidence.uuid()];
    /// Somebody looked at what is said of evidence.
    EvidenceViewed(EvidenceViewed), 142, "evidence viewed", viewed => KeyId::NODE, [viewed.evidence.uuid()];
    /// Something was noted of evidence.
    NoteAdded(NoteAdded), 143, "note added", note => KeyId(note.evidence.uuid()), [note.evidence.uuid()];
    /// A place in evidence was marked.
    MarkerSet(MarkerSet), 144, "marker set", marker => KeyId(marker.evidence.uuid()), [marker.evidence.uuid()];
    /// A place in evidence is not marked any more.
    MarkerRemoved(MarkerSet), 145, "marker removed", marker => KeyId(marker.evidence.uuid()), [marker.evidence.uuid()];
    /// What goes along with items of a share beside their own files was made.
    AttachmentsMade(AttachmentsMade), 146, "attachments made", made => KeyId(made.share.uuid()), [made.share.uuid()];
    /// The watermark of a file that was received was drawn into a rendition, or can't be.
    RenditionMade(RenditionMade), 150, "rendition made", made => KeyId(made.evidence.uuid()), [made.evidence.uuid()];
    /// A file of evidence was opened for reading.
    EvidenceOpened(EvidenceOpened), 51, "evidence opened", opened => KeyId::NODE, [opened.evidence.uuid()];
    /// SHA-256 of a received file was compared.
    BlobCompared(BlobCompared), 52, "blob compared", _ => KeyId::NODE, [];
    /// A blob's bytes were found damaged.
    BlobDamaged(Digest), 53, "blob damaged", _ => KeyId::NODE, [];
    /// Bytes that are new on this node are durable. Apart from what names them, so that erasing that
    /// does not lose them for others.
    BlobsStored(Vec<StoredBlob>), 54, "blobs stored", _ => KeyId::NODE, [];
    /// A share was made.
    ShareMade(ShareMade), 60, "share made", share => KeyId(share.share.uuid()), [share.share.uuid(), share.set.uuid(), share.case.uuid()];
    /// An administrator took what a partner offers.
    ShareFinalised(ShareFinalised), 121, "share finalised", finalised => KeyId(finalised.share.uuid()), of_finalised(finalised);
    /// A copy brought a case.
    CaseReceived(CaseReceived), 122, "case received", received => KeyId(received.case.uuid()), [received.case.uuid()];
    /// Evidence was chosen for a share; it is disclosed when the partner can take it.
    ShareWidened(ShareWidened), 61, "share widened", share => KeyId(share.share.uuid()), [share.share.uuid()];
    /// Evidence was taken out of a share; it is withdrawn when the partner can take that.
    ShareNarrowed(ShareWidened), 68, "share narrowed", share => KeyId(share.share.uuid()), [share.share.uuid()];
    /// What waited to be disclosed came to nothing.
    ShareSettled(ShareWidened), 69, "share settled", share => KeyId(share.share.uuid()), [share.share.uuid()];
    /// A share was revoked.
    // Revocations outlive everything that is known of a share.
    ShareRevoked(ShareRevoked), 70, "share revoked", revoked => KeyId::NODE, [revoked.share.uuid()];
    /// A partner's revocation was received and countersigned.
    RevocationReceived(RevocationReceived), 71, "revocation received", revocation => KeyId::NODE, [revocation.share.uuid()];
    /// The partner countersigned this node's revocation.
    RevocationCountersigned(RevocationCountersigned), 72, "revocation countersigned", revocation => KeyId::NODE, [revocation.share.uuid()];
    /// Entries of this node's log of a share were written.
    LogWritten(LogWritten), 62, "log written", log => KeyId(log.share.uuid()), [log.share.uuid()];
    /// Entries of the partner's log of a share were admitted and countersigned.
    LogReceived(LogReceived), 63, "log received", log => KeyId(log.share.uuid()), [log.share.uuid()];
    /// Entries of this node's log that it had lost came back from the partner.
    LogRecovered(LogRecovered), 84, "log recovered", log => KeyId(log.share.uuid()), [log.share.uuid()];
    /// All that the partner holds of a share is here again: it goes on.
    ShareRecovered(ShareId), 85, "share recovered", share => KeyId(share.uuid()), [share.uuid()];
    /// An administrator has a share go on with what is here of it.
    ShareReleased(ShareId), 86, "share released", share => KeyId(share.uuid()), [share.uuid()];
    /// A revoked share is over as it is: what one side lost of its logs is not brought any more.
    ShareClosed(ShareId), 87, "share closed", share => KeyId(share.uuid()), [share.uuid()];
    /// Every share that a partner knows of was asked for.
    PartnerRecovered(PartnerRecovered), 29, "partner recovered", recovered => KeyId::NODE, [subject(recovered.partner)];
    /// The partner countersigned this node's log.
    HeadCountersigned(HeadCountersigned), 64, "head countersigned", head => KeyId(head.share.uuid()), [head.share.uuid()];
    /// The partner showed two histories; both heads are kept.
    ShareFrozen(ShareFrozen), 65, "share frozen", share => KeyId(share.share.uuid()), [share.share.uuid()];
    /// The partner's log has a critical entry of an unknown type.
    SharePaused(ShareId), 66, "share paused", share => KeyId(share.uuid()), [share.uuid()];
    /// Files of a received share are verified and durable here.
    EvidenceReceived(EvidenceReceived), 67, "evidence received", received => KeyId(received.share.uuid()), [received.share.uuid()];
    /// Files of a synchronised share are verified and durable here, sealed under its lease.
    EvidenceSealed(EvidenceSealed), 73, "evidence sealed", sealed => KeyId(sealed.share.uuid()), [sealed.share.uuid()];
    /// Sealed files were erased: they were withdrawn or damaged, or the share was revoked.
    SealedErased(SealedErased), 74, "sealed files erased", erased => KeyId(erased.share.uuid()), [erased.share.uuid()];
    /// Somebody, or the node by itself, wants a share imported.
    ImportAsked(ImportAsked), 75, "import asked", asked => KeyId(asked.share.uuid()), [asked.share.uuid()];
    /// An import has brought all that was granted, or was refused.
    ImportEnded(ImportEnded), 76, "import ended", ended => KeyId(ended.share.uuid()), [ended.share.uuid()];
    /// A case of this node's own was made of a shared one.
    // An import is this node's own, whatever becomes of the share.
    CaseImported(CaseImported), 77, "case imported", imported => KeyId(imported.case.id.uuid()), [imported.case.id.uuid()];
    /// Somebody took over how the owner of an imported case describes it.
    CaseUpdated(CaseUpdated), 79, "case updated", updated => KeyId(updated.case.id.uuid()), [updated.case.id.uuid()];
    /// An item of a share became this node's own: one record each, so that each can be erased.
    EvidenceImported(EvidenceImported), 78, "evidence imported", imported => KeyId(imported.became.id.uuid()), [imported.became.id.uuid(), imported.case.uuid()];
    /// A recipient at a partner opened a read session.
    SessionOpened(SessionOpened), 81, "read session opened", session => KeyId(session.share.uuid()), [session.share.uuid(), subject(session.partner)];
    /// A read session ended.
    SessionClosed(SessionClosed), 82, "read session closed", session => KeyId(session.share.uuid()), [session.share.uuid()];
    /// Something was refused to somebody who asked.
    Refused(Refused), 80, "refused", refused => KeyId::NODE, of_refusal(refused);
    /// Somebody here reads a partner's case at its owner.
    ExternalOpened(ExternalOpened), 83, "external case opened", opened => KeyId(opened.share.uuid()), [opened.share.uuid()];
    /// This node was made from a backup of itself.
    NodeRestored(NodeRestored), 92, "node restored", _ => KeyId::NODE, [];
    /// A partner proved that this node came back from its past.
    NodeRewound(NodeRewound), 93, "node rewound", rewound => KeyId::NODE, [subject(rewound.partner)];
    /// The organisation stands under another root: its certificate by the one before, DER.
    RootHandedOver(Bytes), 97, "root handed over", _ => KeyId::NODE, [];
    /// A retention policy was added, or is another from now on.
    RetentionSet(RetentionSet), 170, "retention policy set", set => KeyId::NODE, [set.id];
    /// A retention policy was removed: cases that had it are kept until they are deleted by hand.
    RetentionRemoved(RetentionSet), 171, "retention policy removed", removed => KeyId::NODE, [removed.id];
    /// The retention policy of cases to come was set; none: they are kept until they are deleted by hand.
    RetentionDefault(Option<Uuid>), 172, "default retention set", default => KeyId::NODE, default.as_slice();
    /// A case got another retention policy.
    CaseRetained(CaseRetained), 173, "retention of a case set", retained => KeyId::NODE, [retained.case.uuid()];
    /// Something was put on legal hold.
    HoldPlaced(Reasoned), 174, "put on legal hold", held => KeyId::NODE, [held.what.id()];
    /// Something was released from legal hold.
    HoldLifted(Reasoned), 175, "released from legal hold", lifted => KeyId::NODE, [lifted.what.id()];
    /// Something was queued for deletion.
    DeletionQueued(DeletionQueued), 176, "queued for deletion", queued => KeyId::NODE, [queued.what.id()];
    /// Something was taken back from being deleted.
    DeletionUndone(Reasoned), 177, "taken back from deletion", kept => KeyId::NODE, [kept.what.id()];
    /// An item of evidence is gone.
    EvidenceErased(EvidenceErased), 178, "evidence erased", erased => KeyId::NODE, of_erased(erased);
    /// What never came of a share, or was lost, is forgotten with its case.
    ItemsErased(ItemsErased), 182, "items of a copy erased", erased => KeyId::NODE, [erased.share.uuid()];
    /// A case is gone.
    CaseErased(CaseErased), 179, "case erased", erased => KeyId::NODE, [erased.case.uuid()];
    /// Keys and bytes of what was erased are destroyed.
    ErasureDone(ErasureDone), 180, "erasure done", done => KeyId::NODE, done.keys.as_slice();
    /// Something of a case is for guests from now on.
    // To whom what was disclosed, and who opened it, is known by ids, and outlives both.
    DisclosureMade(DisclosureMade), 210, "disclosure made", made => KeyId::NODE, with(made.disclosure.uuid(), &made.guests, &[made.case.uuid()]);
    /// What a disclosure says of its case.
    CaseDisclosed(CaseDisclosed), 211, "case disclosed", said => KeyId(said.case.uuid()), [said.case.uuid()];
    /// Evidence is in a disclosure from now on.
    DisclosureWidened(DisclosureWidened), 212, "disclosure widened", widened => KeyId::NODE, [widened.disclosure.uuid(), widened.case.uuid()];
    /// What a disclosure says of an item of evidence: one record each, so that each can be erased.
    EvidenceDisclosed(EvidenceDisclosed), 213, "evidence disclosed", said => KeyId(said.item.evidence.uuid()), [said.item.evidence.uuid(), said.case.uuid()];
    /// A disclosure is over.
    DisclosureEnded(Disclosed), 214, "disclosure ended", ended => KeyId::NODE, [ended.disclosure.uuid(), ended.case.uuid()];
    /// A guest looked at what was disclosed to them.
    DisclosureViewed(Disclosed), 215, "disclosure viewed", viewed => KeyId::NODE, [viewed.disclosure.uuid(), viewed.case.uuid()];
    /// A guest opened a file.
    DisclosureOpened(DisclosureOpened), 216, "file opened by a guest", opened => KeyId::NODE, [opened.disclosure.uuid(), opened.evidence.uuid(), opened.case.uuid()];
    /// A download link was made.
    LinkMade(LinkMade), 220, "download link made", made => KeyId::NODE, [made.link.uuid(), made.case.uuid()];
    /// Files were put into the package of a download link.
    LinkFilled(LinkFilled), 221, "put behind a download link", filled => KeyId::NODE, of_filled(filled);
    /// A download link was revoked.
    LinkRevoked(LinkRevoked), 222, "download link revoked", revoked => KeyId::NODE, [revoked.link.uuid(), revoked.case.uuid()];
    /// Somebody begins to download the package of a link.
    DownloadBegun(DownloadBegun), 223, "download begun", begun => KeyId::NODE, [begun.link.uuid(), begun.case.uuid()];
    /// A download is over.
    DownloadEnded(DownloadEnded), 224, "download ended", ended => KeyId::NODE, [ended.link.uuid(), ended.case.uuid()];
    /// A backup was begun; it holds this record.
    BackupBegun(BackupBegun), 96, "backup begun", _ => KeyId::NODE, [];
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

    /// Reads a record's body, with the texts in it that open.
    ///
    /// # Errors
    /// [`Unreadable`] where a newer release wrote it.
    pub fn read(bytes: &[u8], keyring: &Keyring) -> Result<Self, Unreadable> {
        Ok(Self::decode(bytes)?.joined(keyring))
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

/// The first half of an organisation's id, as the audit's index has ids.
pub fn subject(organisation: OrganisationId) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&organisation.as_bytes()[..16]);
    Uuid::from_bytes(bytes)
}

fn with(whole: Uuid, added: &[Uuid], removed: &[Uuid]) -> Vec<Uuid> {
    let parts = added.iter().chain(removed).copied();
    std::iter::once(whole).chain(parts).collect()
}

fn of_finalised(finalised: &ShareFinalised) -> Vec<Uuid> {
    let case = finalised.case.map(CaseId::uuid);
    std::iter::once(finalised.share.uuid())
        .chain(case)
        .collect()
}

fn of_erased(erased: &EvidenceErased) -> Vec<Uuid> {
    let cases = erased.cases.iter().map(|case| case.uuid());
    std::iter::once(erased.evidence.uuid())
        .chain(cases)
        .collect()
}

fn of_filled(filled: &LinkFilled) -> Vec<Uuid> {
    let items = filled.files.iter().map(|(_, file)| file.evidence.uuid());
    let mut subjects: Vec<Uuid> = items.collect();
    subjects.extend([filled.link.uuid(), filled.case.uuid()]);
    subjects.sort_unstable();
    subjects.dedup();
    subjects
}

fn of_refusal(refused: &Refused) -> Vec<Uuid> {
    let partner = refused.partner.map(subject);
    let share = refused.share.map(ShareId::uuid);
    let link = refused.link.map(|(link, case)| [link.uuid(), case.uuid()]);
    let link = link.into_iter().flatten();
    partner.into_iter().chain(share).chain(link).collect()
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
