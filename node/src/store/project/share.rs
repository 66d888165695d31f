//! What events say of shares: their logs, what waits, what is wanted, and what a received share becomes.

use std::cell::RefCell;

use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::entry::{Body, Entry as LogEntry, Offered};
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::log::{Point, Side};
use interdocket_sync::share::apply::{self, apply};
use interdocket_sync::share::status;
use interdocket_sync::share::terms::SignedTerms;
use interdocket_sync::share::{Fact, Facts, Hold, Key, State};

use super::super::entity;
use super::super::table;
use super::super::view::{self, View};
use super::{Error, Step};
use crate::actions::case::Origin;
use crate::event::{
    Bytes, CaseMade, EvidenceReceived, HeadCountersigned, LogReceived, LogWritten, ShareMade,
    ShareWidened,
};

impl Step<'_> {
    pub(super) fn share_made(&mut self, made: &ShareMade) -> Result<(), Error> {
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

    pub(super) fn share_widened(&mut self, widened: &ShareWidened) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &widened.share)?;
        for evidence in &widened.evidence {
            self.put(&table::WAITING, &(widened.share, *evidence), &());
        }
        share.waiting += widened.evidence.len() as u64;
        self.outgoing(Side::Owner, &mut share);
        self.put(&table::SHARE, &widened.share, &share);
        Ok(())
    }

    pub(super) fn log_written(&mut self, written: &LogWritten) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &written.share)?;
        let head = SignedHead::read(&written.head.0)?.head;
        self.entries(&mut share, &written.entries, head.incarnation)?;
        self.batch(written.share, written.side, head.point);
        self.outgoing(written.side, &mut share);
        self.put(&table::SHARE, &written.share, &share);
        Ok(())
    }

    pub(super) fn log_received(&mut self, received: &LogReceived) -> Result<(), Error> {
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
        organisation: OrganisationId,
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
        entries: &[Bytes],
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

    pub(super) fn head_countersigned(&mut self, head: &HeadCountersigned) -> Result<(), Error> {
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

    pub(super) fn hold(&mut self, id: ShareId, frozen: bool) -> Result<(), Error> {
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
        if !matches!(share.header.state, State::Offered | State::Accepted) {
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
            State::Offered | State::Accepted | State::Ended
        );
        if share.wanted > 0 && reading {
            self.put(&table::FETCH, &key, &());
        } else {
            self.changes.delete(&table::FETCH, &key);
        }
    }

    /// What this node holds of a received share becomes its own evidence.
    pub(super) fn evidence_received(&mut self, received: &EvidenceReceived) -> Result<(), Error> {
        let share = self.get(&table::SHARE, &received.share)?;
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
                self.used(file.blake3)?;
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
    failed: RefCell<Option<view::Error>>,
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
