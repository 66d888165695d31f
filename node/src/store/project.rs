//! From events to tables: what the present state is, given that something happened.
//!
//! Only what is in the journal counts: no clock, no chance, no other file. So the database can be
//! dropped and built again.

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::log::entry::{Body, Entry as LogEntry, Offered};
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::log::{Point, Side};
use interdocket_sync::share::apply::{self, apply};
use interdocket_sync::share::status;
use interdocket_sync::share::terms::SignedTerms;
use interdocket_sync::share::{Fact, Facts, Hold, Key, State as ShareState};
use interdocket_sync::wire::Malformed;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::Engine;
use super::entity::{self, BlobState};
use super::table::{self, Table};
use super::view::{self, Changes, View};
use crate::actions::case::Origin;
use crate::actions::partner::State;
use crate::blobs::Place;
use crate::event::{
    CaseEdited, CaseMade, Entry, Event, EvidenceAdded, EvidenceReceived, HeadCountersigned,
    LogReceived, LogWritten, PartnerEnabled, PartnerMet, ShareMade, ShareWidened, TokenMade,
    UserAdded,
};

/// The version of the tables: a database of another one is built again.
pub const SHAPE: u32 = 2;

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
    };
    for subject in entry.event.subjects() {
        step.put(&table::ABOUT, &(subject, meta.seq), &());
    }
    step.event(entry)
}

struct Step<'a> {
    engine: &'a dyn Engine,
    changes: &'a mut Changes,
    meta: Meta,
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

    fn event(&mut self, entry: &Entry) -> Result<(), Error> {
        match &entry.event {
            Event::NodeMade(made) => {
                let node = entity::Node {
                    organisation: made.organisation,
                    name: made.name.clone(),
                    role: made.role,
                    incarnation: 1,
                };
                self.put(&table::NODE, &(), &node);
                Ok(())
            }
            Event::UserAdded(user) => self.user_added(user),
            Event::TokenMade(token) => self.token_made(token),
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
            Event::PartnerSuspended(id) => {
                self.partner(*id, |partner| partner.state = State::Suspended)
            }
            Event::PartnerResumed(id) => self.partner(*id, |partner| partner.state = State::Active),
            Event::PartnerRemoved(id) => {
                let partner = self.get(&table::PARTNER, id)?;
                self.changes.delete(&table::PARTNER_NAME, &partner.name);
                self.changes.delete(&table::PARTNER, id);
                Ok(())
            }
            Event::CaseMade(case) => self.case_made(case, None),
            Event::CaseEdited(case) => self.case_edited(case),
            Event::CaseClosed(id) => {
                let mut case = self.get(&table::CASE, id)?;
                case.open = false;
                self.put(&table::CASE, id, &case);
                Ok(())
            }
            Event::EvidenceAdded(added) => self.evidence_added(added, entry),
            Event::BlobCompared(compared) => self.blob_compared(compared.blake3, compared.sha256),
            Event::BlobDamaged(digest) => {
                self.changes.delete(&table::UNCOMPARED, digest);
                self.blob(*digest, |blob| blob.state = BlobState::Damaged)
            }
            Event::ShareMade(made) => self.share_made(made),
            Event::ShareWidened(widened) => self.share_widened(widened),
            Event::LogWritten(written) => self.log_written(written),
            Event::LogReceived(received) => self.log_received(received),
            Event::HeadCountersigned(head) => self.head_countersigned(head),
            Event::ShareFrozen(frozen) => self.hold(frozen.share, true),
            Event::SharePaused(share) => self.hold(*share, false),
            Event::EvidenceReceived(received) => self.evidence_received(received),
            Event::EvidenceOpened(_) | Event::Refused(_) => Ok(()),
        }
    }

    /// A name that nobody has: this one, or with the first free number behind it. Found in a number of
    /// steps that a partner who takes the same name again and again can't make large.
    fn free<V: DeserializeOwned>(
        &self,
        table: &Table<String, V>,
        name: &str,
    ) -> Result<String, Error> {
        let numbered = |number: u64| match number {
            1 => name.to_owned(),
            number => format!("{name} ({number})"),
        };
        let (mut taken, mut free) = (0, 1);
        while self.view().has(table, &numbered(free))? {
            (taken, free) = (free, free * 2);
        }
        while free - taken > 1 {
            let middle = taken + (free - taken) / 2;
            match self.view().has(table, &numbered(middle))? {
                true => taken = middle,
                false => free = middle,
            }
        }
        Ok(numbered(free))
    }

    fn user_added(&mut self, user: &UserAdded) -> Result<(), Error> {
        let added = entity::User {
            name: user.name.clone(),
            role: user.role,
            added_at: self.meta.at,
        };
        self.put(&table::USER, &user.id, &added);
        self.put(&table::USER_NAME, &user.name, &user.id);
        Ok(())
    }

    fn token_made(&mut self, token: &TokenMade) -> Result<(), Error> {
        let made = entity::Token {
            user: token.user,
            expires_at: token.expires_at,
        };
        self.put(&table::TOKEN, &token.hash, &made);
        Ok(())
    }

    fn partner_met(&mut self, met: &PartnerMet) -> Result<(), Error> {
        if let Some(old) = self.view().get(&table::PARTNER, &met.organisation)? {
            self.changes.delete(&table::PARTNER_NAME, &old.name);
        }
        let name = self.free(&table::PARTNER_NAME, &met.name)?;
        let partner = entity::Partner {
            name: name.clone(),
            role: met.role,
            state: State::Unconfirmed,
            root: met.root.clone(),
            address: met.address.clone(),
            words: met.words.clone(),
            send: Default::default(),
            receive: Default::default(),
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

    fn case_made(&mut self, made: &CaseMade, origin: Option<Origin>) -> Result<(), Error> {
        let case = entity::Case {
            number: made.number.clone(),
            title: made.title.clone(),
            description: made.description.clone(),
            open: true,
            created_at: self.meta.at,
            evidence: 0,
            bytes: 0,
            origin,
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
        Ok(())
    }

    fn evidence_added(&mut self, added: &EvidenceAdded, entry: &Entry) -> Result<(), Error> {
        let file = &added.file;
        let size = file.size;
        let evidence = entity::Evidence {
            case: added.case,
            title: added.title.clone(),
            folder: added.folder.clone(),
            added_at: self.meta.at,
            added_by: entry
                .actor
                .as_ref()
                .map(|actor| actor.name.clone())
                .unwrap_or_default(),
            files: 1,
            origin: None,
        };
        let kept = entity::File {
            name: file.name.clone(),
            size,
            blake3: file.blake3,
            sha256: file.sha256,
        };
        self.put(&table::EVIDENCE, &added.id, &evidence);
        self.put(&table::FILE, &(added.id, 0), &kept);
        self.used(&kept, file.place, BlobState::Compared)?;
        self.counted(added.case, added.id, size)
    }

    /// Counts a new item into its case.
    fn counted(&mut self, id: CaseId, evidence: EvidenceId, bytes: u64) -> Result<(), Error> {
        self.put(&table::CASE_EVIDENCE, &(id, evidence), &());
        let mut case = self.get(&table::CASE, &id)?;
        case.evidence += 1;
        case.bytes = case.bytes.saturating_add(bytes);
        self.put(&table::CASE, &id, &case);
        Ok(())
    }

    /// Counts one more use of a blob; the first one says where it lies.
    fn used(
        &mut self,
        file: &entity::File,
        place: Option<Place>,
        state: BlobState,
    ) -> Result<(), Error> {
        let held = self.view().get(&table::BLOB, &file.blake3)?;
        let blob = match (held, place) {
            // Where bytes came again after they were found damaged, the new ones count.
            (Some(held), Some(place)) if held.state == BlobState::Damaged => entity::Blob {
                place,
                state,
                uses: held.uses + 1,
                ..held
            },
            (Some(held), _) => entity::Blob {
                uses: held.uses + 1,
                ..held
            },
            (None, Some(place)) => entity::Blob {
                size: file.size,
                place,
                sha256: file.sha256,
                state,
                uses: 1,
            },
            (None, None) => return Err(Error::Dangling(self.meta.seq)),
        };
        if blob.state == BlobState::Stored {
            self.put(&table::UNCOMPARED, &file.blake3, &());
        }
        self.put(&table::BLOB, &file.blake3, &blob);
        Ok(())
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

    fn share_made(&mut self, made: &ShareMade) -> Result<(), Error> {
        let terms = SignedTerms::read(&made.terms.0)?;
        let share = entity::Share {
            header: apply::open(&terms),
            case: made.case,
            recipients: made.recipients.clone(),
            message: made.message.clone(),
            offered_at: self.meta.at,
            made: self.meta.seq,
            waiting: 0,
            behind_since: None,
            wanted: 0,
        };
        self.put(&table::CASE_SHARE, &(made.case, made.share), &());
        self.put(
            &table::PARTNER_SHARE,
            &(terms.terms.partner, made.share),
            &(),
        );
        self.put(&table::SHARE, &made.share, &share);
        Ok(())
    }

    fn share_widened(&mut self, widened: &ShareWidened) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &widened.share)?;
        for evidence in &widened.evidence {
            self.put(&table::WAITING, &(widened.share, *evidence), &());
        }
        share.waiting += widened.evidence.len() as u64;
        self.outgoing(Side::Owner, &mut share);
        self.put(&table::SHARE, &widened.share, &share);
        Ok(())
    }

    fn log_written(&mut self, written: &LogWritten) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &written.share)?;
        let head = SignedHead::read(&written.head.0)?.head;
        self.entries(&mut share, &written.entries, head.incarnation)?;
        self.batch(written.share, written.side, head.point);
        self.outgoing(written.side, &mut share);
        self.put(&table::SHARE, &written.share, &share);
        Ok(())
    }

    fn log_received(&mut self, received: &LogReceived) -> Result<(), Error> {
        let head = SignedHead::read(&received.head.0)?.head;
        let mut share = match &received.terms {
            Some(terms) => self.share_received(received, &SignedTerms::read(&terms.0)?)?,
            None => self.get(&table::SHARE, &received.share)?,
        };
        // What paused the share is known by now: an upgrade reads what the release before could not.
        if share.header.hold == Hold::Paused {
            share.header.hold = Hold::Free;
        }
        self.entries(&mut share, &received.entries, head.incarnation)?;
        let log = match received.side {
            Side::Owner => &mut share.header.owner_log,
            Side::Partner => &mut share.header.partner_log,
        };
        log.countersigned = log.countersigned.max(head.point.count);
        self.batch(received.share, received.side, head.point);
        self.put(
            &table::RECEIPT,
            &(received.share, received.side, head.point.count),
            &self.meta.seq.clone(),
        );
        self.incoming(received.side, &share);
        self.put(&table::SHARE, &received.share, &share);
        Ok(())
    }

    /// A share that a partner offers begins, and with it a case of this node's own.
    fn share_received(
        &mut self,
        received: &LogReceived,
        terms: &SignedTerms,
    ) -> Result<entity::Share, Error> {
        let first = received
            .entries
            .first()
            .ok_or(Error::Dangling(self.meta.seq))?;
        let Body::Offered(_, offered) = LogEntry::read(&first.0)?.body else {
            return Err(Error::Dangling(self.meta.seq));
        };
        let owner = terms.terms.owner;
        let case = CaseId::received(received.share, offered.case);
        self.case_received(case, &offered, received.share, owner)?;
        self.put(&table::CASE_SHARE, &(case, received.share), &());
        self.put(&table::PARTNER_SHARE, &(owner, received.share), &());
        Ok(entity::Share {
            header: apply::open(terms),
            case,
            recipients: offered.recipients,
            message: offered.message,
            offered_at: self.meta.at,
            made: self.meta.seq,
            waiting: 0,
            behind_since: None,
            wanted: 0,
        })
    }

    fn case_received(
        &mut self,
        id: CaseId,
        offered: &Offered,
        share: ShareId,
        organisation: interdocket_sync::identity::OrganisationId,
    ) -> Result<(), Error> {
        let number = self.free(&table::CASE_NUMBER, &offered.number)?;
        let made = CaseMade {
            id,
            number,
            title: offered.title.clone(),
            description: offered.description.clone(),
        };
        let origin = Origin {
            organisation,
            share,
            id: offered.case.uuid(),
        };
        self.case_made(&made, Some(origin))
    }

    /// Applies entries of either log to header and facts.
    fn entries(
        &mut self,
        share: &mut entity::Share,
        entries: &[crate::event::Bytes],
        incarnation: u64,
    ) -> Result<(), Error> {
        let node = self.get(&table::NODE, &())?;
        let received = node.organisation == share.header.partner;
        for bytes in entries {
            let entry = LogEntry::read(&bytes.0)?;
            let facts = ShareFacts::new(self.view(), share.header.share);
            let (header, puts) = apply(&share.header, &facts, &entry, incarnation);
            facts.done()?;
            share.header = header;
            for (key, fact) in puts {
                self.fact(share, received, key, &fact);
            }
        }
        Ok(())
    }

    fn fact(&mut self, share: &mut entity::Share, received: bool, key: Key, fact: &Fact) {
        let id = share.header.share;
        if let (Key::Item(evidence), Fact::Item(item)) = (&key, fact) {
            match (item.stored, received) {
                (0, true) => {
                    self.put(&table::WANTED, &(id, *evidence), &());
                    share.wanted += 1;
                }
                (0, false) => {
                    self.changes.delete(&table::WAITING, &(id, *evidence));
                    share.waiting = share.waiting.saturating_sub(1);
                }
                (_, true) => {
                    self.changes.delete(&table::WANTED, &(id, *evidence));
                    share.wanted = share.wanted.saturating_sub(1);
                }
                (_, false) => {}
            }
        }
        self.put(&table::FACT, &(id, key), fact);
    }

    fn batch(&mut self, share: ShareId, side: Side, point: Point) {
        let seq = self.meta.seq;
        self.put(&table::BATCH, &(share, side, point.count), &seq);
    }

    fn head_countersigned(&mut self, head: &HeadCountersigned) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &head.share)?;
        let log = match head.side {
            Side::Owner => &mut share.header.owner_log,
            Side::Partner => &mut share.header.partner_log,
        };
        log.countersigned = log.countersigned.max(head.count);
        let seq = self.meta.seq;
        self.put(&table::RECEIPT, &(head.share, head.side, head.count), &seq);
        self.outgoing(head.side, &mut share);
        self.put(&table::SHARE, &head.share, &share);
        Ok(())
    }

    fn hold(&mut self, id: ShareId, frozen: bool) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &id)?;
        share.header.hold = match frozen {
            true => Hold::Frozen,
            false => Hold::Paused,
        };
        if frozen {
            // Nothing moves until people have looked at it: nobody is to try again and again.
            let header = &share.header;
            for other in [header.owner, header.partner] {
                self.changes.delete(&table::OUTBOX, &(other, id));
                self.changes.delete(&table::FETCH, &(other, id));
            }
        }
        self.put(&table::SHARE, &id, &share);
        Ok(())
    }

    /// Keeps the outbox: whether something waits for the other side, and since when.
    fn outgoing(&mut self, own: Side, share: &mut entity::Share) {
        if !matches!(
            share.header.state,
            ShareState::Offered | ShareState::Accepted
        ) {
            share.waiting = 0;
        }
        let partner = match own {
            Side::Owner => share.header.partner,
            Side::Partner => share.header.owner,
        };
        let key = (partner, share.header.share);
        let listing = own == Side::Owner && share.header.open;
        if status::behind(&share.header, own, share.waiting) == 0 && !listing {
            share.behind_since = None;
            self.changes.delete(&table::OUTBOX, &key);
            return;
        }
        if share.behind_since.is_none() {
            share.behind_since = Some(self.meta.at);
        }
        self.put(&table::OUTBOX, &key, &());
    }

    /// Keeps the list of shares from which something is to be read.
    fn incoming(&mut self, theirs: Side, share: &entity::Share) {
        if theirs != Side::Owner {
            return;
        }
        let key = (share.header.owner, share.header.share);
        let reading = matches!(
            share.header.state,
            ShareState::Offered | ShareState::Accepted | ShareState::Ended
        );
        if share.wanted > 0 && reading {
            self.put(&table::FETCH, &key, &());
        } else {
            self.changes.delete(&table::FETCH, &key);
        }
    }

    /// What this node holds of a received share becomes its own evidence.
    fn evidence_received(&mut self, received: &EvidenceReceived) -> Result<(), Error> {
        let share = self.get(&table::SHARE, &received.share)?;
        let places: std::collections::BTreeMap<Digest, Place> = received
            .blobs
            .iter()
            .map(|(digest, _, place)| (*digest, *place))
            .collect();
        for origin in &received.evidence {
            let facts = ShareFacts::new(self.view(), received.share);
            let item = facts.item(*origin);
            let files: Option<Vec<_>> = item.as_ref().and_then(|item| {
                (0..item.files)
                    .map(|place| facts.file(*origin, place))
                    .collect()
            });
            facts.done()?;
            let (Some(item), Some(files)) = (item, files) else {
                return Err(Error::Dangling(self.meta.seq));
            };
            let id = EvidenceId::received(received.share, *origin);
            let evidence = entity::Evidence {
                case: share.case,
                title: item.title,
                folder: item.folder,
                added_at: self.meta.at,
                added_by: item.added_by,
                files: item.files,
                origin: Some(Origin {
                    organisation: share.header.owner,
                    share: received.share,
                    id: origin.uuid(),
                }),
            };
            self.put(&table::EVIDENCE, &id, &evidence);
            for (place, file) in (0..).zip(files) {
                let kept = entity::File {
                    name: file.name,
                    size: file.size,
                    blake3: file.blake3,
                    sha256: file.sha256,
                };
                self.put(&table::FILE, &(id, place), &kept);
                self.put(&table::DELIVERED, &(share.header.owner, file.blake3), &());
                self.used(&kept, places.get(&file.blake3).copied(), BlobState::Stored)?;
            }
            self.counted(share.case, id, item.bytes)?;
        }
        // The statement that they are stored follows in the same group of records; the last one of
        // them finds nothing wanted any more.
        if share.wanted <= received.evidence.len() as u64 {
            self.changes
                .delete(&table::FETCH, &(share.header.owner, received.share));
        }
        Ok(())
    }
}

/// The facts of one share, read from the tables.
pub struct ShareFacts<'a> {
    view: View<'a>,
    share: ShareId,
    failed: std::cell::RefCell<Option<view::Error>>,
}

impl<'a> ShareFacts<'a> {
    /// The facts of a share.
    pub fn new(view: View<'a>, share: ShareId) -> Self {
        Self {
            view,
            share,
            failed: Default::default(),
        }
    }

    /// Says whether all reads went well: a fact that could not be read looks like one that is not there.
    ///
    /// # Errors
    /// The first error of a read.
    pub fn done(self) -> Result<(), view::Error> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }
}

impl Facts for ShareFacts<'_> {
    fn fact(&self, key: &Key) -> Option<Fact> {
        self.view
            .get(&table::FACT, &(self.share, *key))
            .unwrap_or_else(|error| {
                self.failed.borrow_mut().get_or_insert(error);
                None
            })
    }
}
