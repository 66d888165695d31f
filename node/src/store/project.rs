//! From events to tables: what the present state is, given that something happened.
//!
//! Only what is in the journal counts: no clock, no chance, no other file. So the database can be
//! dropped and built again.

mod cases;
mod disclosure;
mod evidence;
mod link;
mod people;
mod retention;
mod share;
mod target;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::wire::Malformed;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::Engine;
use super::entity::{self, BlobState};
use super::table::{self, Table};
use super::view::{self, Changes, View};
use crate::actions::Actor;
use crate::actions::case::Origin;
use crate::actions::evidence::Purpose;
use crate::actions::partner::{Inbound, State};
use crate::actions::settings::Settings;
use crate::event::{
    CaseEdited, CaseMade, Entry, Event, PartnerEnabled, PartnerMet, StoredBlob, subject,
};
use crate::features::{Feature, Features};

#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

pub(crate) use self::retention::micros;
pub use self::share::{ShareFacts, recovers};

/// The version of the tables: a database of another one is built again.
pub const SHAPE: u32 = 27;

/// Why an event could not be projected: the journal contradicts itself, or the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed.
    #[error(transparent)]
    View(#[from] view::Error),
    /// An event speaks of something that no earlier one made.
    #[error(
        "record {0} speaks of something that no earlier record made: the journal or this release is wrong"
    )]
    Dangling(u64),
    /// What was signed cannot be read back.
    #[error("what a partner signed cannot be read back from the journal")]
    Malformed(#[from] Malformed),
}

/// What a record says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Meta {
    /// Its number.
    pub seq: u64,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

/// Changes the tables by one event.
///
/// # Errors
/// [`Error`]; the node stops then, as its state can't be told any more.
pub fn project(
    engine: &dyn Engine,
    changes: &mut Changes,
    meta: Meta,
    entry: &Entry,
) -> Result<(), Error> {
    let mut step = Step {
        engine,
        changes,
        meta,
        recovering: false,
    };
    step.event(entry)?;
    for about in entry.event.subjects() {
        step.put(&table::ABOUT, &(about, meta.seq), &());
        // What happened to evidence is also about its cases.
        for case in step.cases_of(EvidenceId::new(about))? {
            step.put(&table::ABOUT, &(case.uuid(), meta.seq), &());
        }
        // What happened in a share is also about the partner with whom it is.
        let Some(share) = step.view().get(&table::SHARE, &ShareId::new(about))? else {
            continue;
        };
        let own = step.get(&table::NODE, &())?.organisation;
        let partner = subject(share.other(own));
        step.put(&table::ABOUT, &(partner, meta.seq), &());
    }
    Ok(())
}

/// A name that nobody has: this one, or with the first free number behind it. Found in a number of
/// steps that a partner who takes the same name again and again can't make large.
///
/// # Errors
/// [`view::Error`] where the tables can't be read.
pub fn free<V: DeserializeOwned>(
    view: &View<'_>,
    table: &Table<String, V>,
    name: &str,
) -> Result<String, view::Error> {
    let numbered = |number: u64| match number {
        1 => name.to_owned(),
        number => format!("{name} ({number})"),
    };
    let (mut taken, mut free) = (0, 1);
    while view.has(table, &numbered(free))? {
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        match view.has(table, &numbered(middle))? {
            true => taken = middle,
            false => free = middle,
        }
    }
    Ok(numbered(free))
}

struct Step<'a> {
    engine: &'a dyn Engine,
    changes: &'a mut Changes,
    meta: Meta,
    /// Whether entries are applied that this node wrote and had lost.
    recovering: bool,
}

impl Step<'_> {
    fn view(&self) -> View<'_> {
        View::over(self.engine, self.changes)
    }

    fn put<K: table::Key, V: Serialize>(&mut self, table: &Table<K, V>, key: &K, value: &V) {
        self.changes.put(table, key, value);
    }

    fn get<K: table::Key, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<V, Error> {
        self.view()
            .get(table, key)?
            .ok_or(Error::Dangling(self.meta.seq))
    }

    #[expect(clippy::too_many_lines, reason = "a line or two for each event")]
    fn event(&mut self, entry: &Entry) -> Result<(), Error> {
        match &entry.event {
            Event::NodeMade(made) => {
                let node = entity::Node {
                    organisation: made.organisation,
                    name: made.name.clone(),
                    role: made.role,
                    incarnation: 1,
                    suspect: None,
                    settings: Settings::default(),
                    features: Features::new(),
                    retention: None,
                };
                self.put(&table::NODE, &(), &node);
                Ok(())
            }
            Event::ClockSuspected(suspected) => self.clock(Some(suspected.expected)),
            Event::ClockConfirmed(_) => self.clock(None),
            Event::UserAdded(user) => self.user_added(user),
            Event::UserEdited(user) => self.user_edited(user),
            Event::UserDisabled(disabled) => self.user(disabled.user, |user, at| {
                user.disabled_at = Some(at);
            }),
            Event::UserEnabled(id) => self.user(*id, |user, at| {
                user.disabled_at = None;
                user.seen_at = at;
            }),
            Event::UserSeen(id) => self.user(*id, |user, at| user.seen_at = at),
            Event::UserLocked(locked) => self.user(locked.user, |user, at| {
                user.locked_at = Some(at);
            }),
            Event::UserUnlocked(id) => self.user(*id, |user, _| user.locked_at = None),
            Event::UserEnrolled(enrolled) => self.user_enrolled(enrolled),
            Event::PasswordSet(set) => self.password_set(set),
            Event::SignedIn(session) => self.signed_in(session),
            Event::RoleSet(role) => self.role_set(role),
            Event::RoleRemoved(role) => self.role_removed(role),
            Event::GroupMade(group) => self.group_made(group),
            Event::GroupChanged(changed) => self.group_changed(changed),
            Event::TokenMade(token) => self.token_made(token),
            Event::TokenRevoked(token) => self.token_revoked(token),
            Event::InvitationMade(invitation) | Event::InvitationTried(invitation) => {
                self.put(&table::INVITATION, &invitation.id, &invitation.inviter);
                Ok(())
            }
            Event::PartnerMet(met) => self.partner_met(met),
            Event::PartnerConfirmed(id) => self.partner(*id, |partner| {
                partner.state = State::Active;
                partner.words.clear();
            }),
            Event::PartnerEnabled(PartnerEnabled {
                organisation,
                send,
                receive,
            }) => self.partner(*organisation, |partner| {
                partner.send.clone_from(send);
                partner.receive.clone_from(receive);
            }),
            Event::InboundSet(set) => self.partner(set.organisation, |partner| {
                partner.inbound = set.inbound;
            }),
            Event::ShareFinalised(finalised) => self.share_finalised(finalised),
            Event::CaseReceived(received) => self.case_received(received),
            Event::ItemsErased(erased) => self.items_erased(erased),
            Event::PolicySet(set) => self.partner(set.organisation, |partner| {
                partner.policy = Some(set.policy)
            }),
            Event::PartnerFeatures(said) => self.partner(said.organisation, |partner| {
                partner.features = Some(said.features.clone());
            }),
            Event::PartnerSuspended(id) => {
                self.partner(*id, |partner| partner.state = State::Suspended)
            }
            Event::PartnerHandedOver(handed) => self.partner(handed.organisation, |partner| {
                partner.later = Some(handed.root.clone());
            }),
            Event::PartnerResumed(id) => self.partner(*id, |partner| partner.state = State::Active),
            Event::PartnerRemoved(id) => {
                let partner = self.get(&table::PARTNER, id)?;
                self.changes.delete(&table::PARTNER_NAME, &partner.name);
                self.changes.delete(&table::PARTNER, id);
                Ok(())
            }
            Event::CaseMade(case) => {
                self.case_made(case, None, entry.actor.clone())?;
                self.access_of_maker(case.id, entry.actor.as_ref())
            }
            Event::TargetAdded(target) | Event::TargetEdited(target) => self.target_edited(target),
            Event::TargetRemoved(removed) => self.target_removed(removed),
            Event::ShareTargets(changed) => self.share_targets(changed),
            Event::AccessChanged(changed) => {
                self.access_changed(changed);
                Ok(())
            }
            Event::CaseNumbered(numbered) => {
                self.case_numbered(numbered);
                Ok(())
            }
            Event::CaseEdited(case) => self.case_edited(case),
            Event::CaseClosed(id) => self.case(*id, |case| case.open = false),
            Event::CaseReopened(id) => self.case(*id, |case| case.open = true),
            Event::CaseAssigned(assigned) => self.case(assigned.case, |case| {
                case.assignees.clone_from(&assigned.assignees);
            }),
            Event::SettingsSet(settings) => {
                let mut node = self.get(&table::NODE, &())?;
                node.settings = settings.clone();
                self.put(&table::NODE, &(), &node);
                Ok(())
            }
            Event::FeaturesSet(features) => {
                let mut node = self.get(&table::NODE, &())?;
                node.features.clone_from(features);
                self.put(&table::NODE, &(), &node);
                Ok(())
            }
            Event::EvidenceAdded(added) => self.evidence_added(added, entry),
            Event::BlobCompared(compared) => self.blob_compared(compared.blake3, compared.sha256),
            Event::BlobsStored(stored) => stored.iter().try_for_each(|blob| self.blob_stored(blob)),
            Event::BlobDamaged(digest) => {
                self.changes.delete(&table::UNCOMPARED, digest);
                self.put(&table::DAMAGED, digest, &());
                self.blob(*digest, |blob| blob.state = BlobState::Damaged)
            }
            Event::ShareMade(made) => self.share_made(made, entry),
            Event::ShareWidened(widened) => self.share_widened(widened),
            Event::LogWritten(written) => self.log_written(written),
            Event::LogReceived(received) => self.log_received(received),
            Event::HeadCountersigned(head) => self.head_countersigned(head),
            Event::ShareFrozen(frozen) => self.hold(frozen.share, true),
            Event::SharePaused(share) => self.hold(*share, false),
            Event::EvidenceReceived(received) => self.evidence_received(received),
            Event::EvidenceEdited(edited) => self.evidence_edited(edited),
            Event::EvidenceIncluded(included) => {
                self.included(included.case, included.evidence, &included.folder)
            }
            Event::EvidenceExcluded(excluded) => self.evidence_excluded(*excluded),
            Event::EvidenceViewed(viewed) => self.viewed(viewed.evidence, |views| views.pages += 1),
            Event::EvidenceOpened(opened) => {
                self.viewed(opened.evidence, |views| match opened.purpose {
                    Purpose::Download => views.downloads += 1,
                    Purpose::Playback => views.playbacks += 1,
                })
            }
            Event::NoteAdded(note) => self.note_added(note, entry),
            Event::MarkerSet(marker) => {
                let key = (marker.evidence, marker.position, marker.title.clone());
                self.put(&table::MARKER, &key, &marker.kind);
                Ok(())
            }
            Event::MarkerRemoved(marker) => {
                let key = (marker.evidence, marker.position, marker.title.clone());
                self.changes.delete(&table::MARKER, &key);
                Ok(())
            }
            Event::AttachmentsMade(made) => self.attachments_made(made),
            Event::RenditionMade(made) => self.rendition_made(made),
            Event::TagsChanged(changed) => self.tags_changed(changed),
            Event::FileAttached(attached) => self.file_attached(attached),
            Event::ShareNarrowed(narrowed) => self.share_narrowed(narrowed),
            Event::ShareSettled(settled) => self.share_settled(settled),
            Event::ShareRevoked(revoked) => self.share_revoked(revoked),
            Event::RevocationReceived(received) => self.revocation_received(received),
            Event::RevocationCountersigned(signed) => self.revocation_countersigned(signed),
            Event::EvidenceSealed(sealed) => self.evidence_sealed(sealed),
            Event::SealedErased(erased) => self.sealed_erased(erased),
            Event::ImportAsked(asked) => self.import_asked(asked, entry.actor.as_ref()),
            Event::ImportEnded(ended) => self.import_ended(ended),
            Event::CaseImported(imported) => self.case_imported(imported),
            Event::CaseUpdated(updated) => self.case_updated(updated),
            Event::EvidenceImported(imported) => self.evidence_imported(imported),
            Event::SessionOpened(opened) => {
                let session = entity::Session {
                    share: opened.share,
                };
                self.put(&table::SESSION, &opened.session, &session);
                Ok(())
            }
            Event::SessionClosed(closed) => {
                self.changes.delete(&table::SESSION, &closed.session);
                Ok(())
            }
            Event::NodeRestored(restored) => self.anew(restored.above),
            Event::NodeRewound(rewound) => self.anew(rewound.above),
            Event::PartnerRecovered(recovered) => self.partner_recovered(recovered),
            Event::LogRecovered(recovered) => self.log_recovered(recovered),
            Event::ShareRecovered(share) | Event::ShareReleased(share) => self.recovered(*share),
            Event::ShareClosed(share) => self.closed(*share),
            Event::RetentionSet(set) => {
                let policy = entity::Retention {
                    name: set.name.clone(),
                    days: set.days,
                };
                self.put(&table::RETENTION, &set.id, &policy);
                Ok(())
            }
            Event::RetentionRemoved(removed) => self.retention_removed(removed),
            Event::RetentionDefault(default) => {
                let mut node = self.get(&table::NODE, &())?;
                node.retention = *default;
                self.put(&table::NODE, &(), &node);
                Ok(())
            }
            Event::CaseRetained(retained) => {
                self.case(retained.case, |case| case.retention = retained.policy)
            }
            Event::HoldPlaced(held) => {
                self.hold_placed(held, entry.actor.clone());
                Ok(())
            }
            Event::HoldLifted(lifted) => {
                self.changes.delete(&table::HELD, &lifted.what.id());
                Ok(())
            }
            Event::DeletionQueued(queued) => self.deletion_queued(queued),
            Event::DeletionUndone(undone) => self.unqueue(undone.what.id()),
            Event::EvidenceErased(erased) => self.evidence_erased(erased),
            Event::CaseErased(erased) => self.case_erased(erased),
            Event::DisclosureMade(made) => {
                self.disclosure_made(made, entry.actor.clone());
                Ok(())
            }
            Event::CaseDisclosed(said) => self.case_disclosed(said),
            Event::DisclosureWidened(widened) => self.disclosure_widened(widened),
            Event::EvidenceDisclosed(said) => self.evidence_disclosed(said),
            Event::DisclosureEnded(ended) => self.disclosure_ended(ended),
            Event::ErasureDone(done) => {
                self.erasure_done(done);
                Ok(())
            }
            Event::LinkMade(made) => {
                self.link_made(made, entry.actor.clone());
                Ok(())
            }
            Event::LinkFilled(filled) => self.link_filled(filled),
            Event::LinkRevoked(revoked) => self.link_revoked(revoked),
            Event::DownloadBegun(begun) => self.download_begun(begun),
            Event::DownloadEnded(ended) => {
                self.download_ended(ended);
                Ok(())
            }
            Event::DisclosureViewed(_)
            | Event::DisclosureOpened(_)
            | Event::Refused(_)
            | Event::EnrolmentMade(_)
            | Event::SignedOut(_)
            | Event::RecipientsAsked(_)
            | Event::ExternalOpened(_)
            | Event::RootHandedOver(_)
            | Event::BackupBegun(_) => Ok(()),
        }
    }

    /// A name that nobody has: this one, or with the first free number behind it.
    fn free<V: DeserializeOwned>(
        &self,
        table: &Table<String, V>,
        name: &str,
    ) -> Result<String, Error> {
        Ok(free(&self.view(), table, name)?)
    }

    fn clock(&mut self, suspect: Option<DateTime<Utc>>) -> Result<(), Error> {
        let mut node = self.get(&table::NODE, &())?;
        node.suspect = match suspect {
            Some(expected) => node.suspect.or(Some(expected)),
            None => None,
        };
        self.put(&table::NODE, &(), &node);
        Ok(())
    }

    fn partner_met(&mut self, met: &PartnerMet) -> Result<(), Error> {
        let node = self.get(&table::NODE, &())?;
        let old = self.view().get(&table::PARTNER, &met.organisation)?;
        if let Some(old) = &old {
            self.changes.delete(&table::PARTNER_NAME, &old.name);
        }
        let name = self.free(&table::PARTNER_NAME, &met.name)?;
        let partner = entity::Partner {
            name: name.clone(),
            role: met.role,
            state: State::Unconfirmed,
            root: met.root.clone(),
            later: None,
            address: met.address.clone(),
            words: met.words.clone(),
            send: Default::default(),
            receive: Default::default(),
            policy: None,
            features: None,
            inbound: Inbound::default(),
            recover: old.as_ref().map_or(node.incarnation > 1, |old| old.recover),
            witness: old.as_ref().and_then(|old| old.witness),
            countersigned: old.as_ref().and_then(|old| old.countersigned),
            revoked: old.and_then(|old| old.revoked),
        };
        self.put(&table::PARTNER, &met.organisation, &partner);
        self.put(&table::PARTNER_NAME, &name, &met.organisation);
        Ok(())
    }

    fn partner(
        &mut self,
        id: interdocket_sync::identity::OrganisationId,
        change: impl FnOnce(&mut entity::Partner),
    ) -> Result<(), Error> {
        let mut partner = self.get(&table::PARTNER, &id)?;
        change(&mut partner);
        self.put(&table::PARTNER, &id, &partner);
        Ok(())
    }

    /// Changes a case; where nothing is left of it but what is said under other keys, nothing.
    fn case(&mut self, id: CaseId, change: impl FnOnce(&mut entity::Case)) -> Result<(), Error> {
        if let Some(mut case) = self.view().get(&table::CASE, &id)? {
            change(&mut case);
            self.put(&table::CASE, &id, &case);
        }
        Ok(())
    }

    fn case_made(
        &mut self,
        made: &CaseMade,
        origin: Option<Origin>,
        creator: Option<Actor>,
    ) -> Result<(), Error> {
        let node = self.get(&table::NODE, &())?;
        let case = entity::Case {
            number: made.number.clone(),
            title: made.title.clone(),
            description: made.description.clone(),
            open: true,
            created_at: self.meta.at,
            creator,
            assignees: Vec::new(),
            evidence: 0,
            bytes: 0,
            origin,
            // As long as cases have no policies of their own, none is waiting for the day when they have.
            retention: node
                .retention
                .filter(|_| node.features.contains(&Feature::ConfigurableCaseRetention)),
        };
        self.put(&table::CASE, &made.id, &case);
        self.put(&table::CASE_NUMBER, &made.number, &made.id);
        Ok(())
    }

    fn case_edited(&mut self, edited: &CaseEdited) -> Result<(), Error> {
        let mut case = self.get(&table::CASE, &edited.id)?;
        self.changes.delete(&table::CASE_NUMBER, &case.number);
        case.number.clone_from(&edited.number);
        case.title.clone_from(&edited.title);
        case.description.clone_from(&edited.description);
        self.put(&table::CASE_NUMBER, &case.number, &edited.id);
        self.put(&table::CASE, &edited.id, &case);
        self.case_followed(edited.id)
    }

    /// Keeps where new bytes lie. Where they came again after they were found damaged, the new ones
    /// count.
    fn blob_stored(&mut self, stored: &StoredBlob) -> Result<(), Error> {
        let held = self.view().get(&table::BLOB, &stored.blake3)?;
        if held
            .as_ref()
            .is_some_and(|held| held.state != BlobState::Damaged)
        {
            return Ok(());
        }
        self.changes.delete(&table::DAMAGED, &stored.blake3);
        let state = match stored.compared {
            true => BlobState::Compared,
            false => BlobState::Stored,
        };
        let blob = entity::Blob {
            size: stored.size,
            place: stored.place,
            sha256: stored.sha256,
            state,
            uses: held.map_or(0, |held| held.uses),
        };
        if state == BlobState::Stored {
            self.put(&table::UNCOMPARED, &stored.blake3, &());
        }
        self.put(&table::BLOB, &stored.blake3, &blob);
        Ok(())
    }

    /// Counts one more use of a blob.
    fn used(&mut self, digest: Digest) -> Result<(), Error> {
        #[cfg(test)]
        if planted(Bug::UseUncounted) {
            return self.blob(digest, |blob| blob.uses = 1);
        }
        self.blob(digest, |blob| blob.uses += 1)
    }

    fn blob(
        &mut self,
        digest: Digest,
        change: impl FnOnce(&mut entity::Blob),
    ) -> Result<(), Error> {
        let mut blob = self.get(&table::BLOB, &digest)?;
        change(&mut blob);
        self.put(&table::BLOB, &digest, &blob);
        Ok(())
    }

    fn blob_compared(&mut self, digest: Digest, sha256: Sha256) -> Result<(), Error> {
        self.changes.delete(&table::UNCOMPARED, &digest);
        self.blob(digest, |blob| {
            blob.sha256 = sha256;
            blob.state = BlobState::Compared;
        })
    }
}
