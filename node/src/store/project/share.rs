//! What events say of shares: their logs, what waits, what is wanted, and what a received share becomes.
//!
//! What a partner lets this node see under a lease comes redacted: of such a share there is no text in the
//! tables.

mod copy;
mod facts;
mod import;
mod recover;
mod scope;

use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::log::entry::{Body, Entry as LogEntry};
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::log::{Point, Side};
use interdocket_sync::share::apply::{self, apply};
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::share::terms::SignedTerms;
use interdocket_sync::share::{Fact, Hold, Key, Kind, Mode, Policy, State, status};

use super::super::{entity, table};
use super::{Error, Step};
use crate::actions::partner::{Kind as PartnerKind, OrganisationRole};
use crate::actions::share::Scope;
use crate::event::{
    Bytes, CaseReceived, Entry, HeadCountersigned, LogReceived, LogWritten,
    RevocationCountersigned, RevocationReceived, ShareMade, ShareRevoked,
};
use crate::rules;
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

pub use self::facts::ShareFacts;
pub use self::recover::recovers;

impl Step<'_> {
    pub(super) fn share_made(&mut self, made: &ShareMade, entry: &Entry) -> Result<(), Error> {
        let terms = SignedTerms::read(&made.terms.0)?;
        // Each share of a set says the same of it: where one record can't be read, the others tell.
        let set = entity::Set {
            case: made.case,
            kind: PartnerKind::of(terms.terms.kind),
            made_by: entry
                .actor
                .as_ref()
                .map(|actor| actor.name.clone())
                .unwrap_or_default(),
            made_at: self.meta.at,
            message: made.message.clone(),
            all_targets: made.all_targets,
            units: made.units.clone(),
        };
        self.put(&table::SET, &made.set, &set);
        let seq = self.meta.seq;
        self.put(&table::SET_SHARE, &(made.set, seq), &made.share);
        for target in &made.targets {
            self.put(&table::CHOSEN_TARGET, &(made.share, *target), &());
        }
        let share = entity::Share {
            header: apply::open(&terms),
            case: Some(made.case),
            scope: made.scope.clone(),
            all_targets: made.all_targets,
            recipients: made.recipients.clone(),
            attachments: made.attachments.clone(),
            set: Some(made.set),
            offered_at: self.meta.at,
            made: self.meta.seq,
            waiting: 0,
            case_waiting: false,
            behind_since: None,
            wanted: 0,
            revocation: None,
            frozen: None,
            imported_case: 0,
            pending: false,
            finalised: false,
        };
        self.put(&table::CASE_SHARE, &(made.case, made.share), &());
        self.put(
            &table::PARTNER_SHARE,
            &(terms.terms.partner, made.share),
            &(),
        );
        self.message(made.share, &made.message);
        self.keep(&share);
        Ok(())
    }

    /// Beside its share, which has to fit a value whatever becomes of it.
    fn message(&mut self, share: ShareId, message: &String) {
        if !message.is_empty() {
            self.put(&table::MESSAGE, &share, message);
        }
    }

    pub(super) fn log_written(&mut self, written: &LogWritten) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &written.share)?;
        let head = SignedHead::read(&written.head.0)?.head;
        self.entries(&mut share, &written.entries, head.incarnation)?;
        self.batch(written.share, written.side, head.point);
        self.outgoing(written.side, &mut share);
        if written.side == Side::Partner {
            // What it states is not wanted any more.
            self.incoming(Side::Owner, &share);
        }
        self.keep(&share);
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
        self.witnessed(&head)?;
        self.incoming(received.side, &share);
        self.keep(&share);
        Ok(())
    }

    /// A share that a partner offers begins; with a copy, a case of this node's own.
    fn share_received(
        &mut self,
        received: &LogReceived,
        terms: &SignedTerms,
    ) -> Result<entity::Share, Error> {
        let first = received
            .entries
            .first()
            .ok_or(Error::Dangling(self.meta.seq))?;
        let Body::Offered(_, offered) = LogEntry::kept(&first.0)?.body else {
            return Err(Error::Dangling(self.meta.seq));
        };
        let owner = terms.terms.owner;
        let case = match terms.terms.kind {
            Kind::Copy if !received.pending => {
                let case = CaseId::received(received.share, offered.case);
                self.put(&table::CASE_SHARE, &(case, received.share), &());
                Some(case)
            }
            _ => None,
        };
        self.put(&table::PARTNER_SHARE, &(owner, received.share), &());
        if matches!(terms.terms.kind, Kind::Advanced(_)) && !received.pending {
            self.put(&table::FOLLOWED, &(owner, received.share), &());
        }
        self.message(received.share, &offered.message);
        let mut header = apply::open(terms);
        let revoked = self.view().get(&table::REVOKED, &(owner, received.share))?;
        header.revoked = revoked.is_some();
        #[cfg(test)]
        if planted(Bug::RevocationForgotten) {
            header.revoked = false;
        }
        if recovers(&self.view(), owner, received.share)? {
            header.hold = Hold::Recovering;
            self.put(&table::RECOVER, &(owner, received.share), &());
        }
        let share = entity::Share {
            header,
            case,
            scope: Scope::Entire,
            all_targets: false,
            recipients: offered.recipients.clone(),
            attachments: Default::default(),
            set: None,
            offered_at: self.meta.at,
            made: self.meta.seq,
            waiting: 0,
            case_waiting: false,
            behind_since: None,
            wanted: 0,
            revocation: revoked.map(|record| entity::Revocation {
                at: self.meta.at,
                record,
                countersigned: Some(record),
            }),
            frozen: None,
            imported_case: 0,
            pending: received.pending,
            finalised: false,
        };
        if share.pending {
            self.pending(&share, &offered);
        }
        Ok(share)
    }

    pub(super) fn case_received(&mut self, received: &CaseReceived) -> Result<(), Error> {
        let id = received.case;
        if let Some(made) = &received.made {
            self.case_made(made, Some(received.origin.clone()), None)?;
        }
        self.targets_received(id, received.origin.share, &received.targets)?;
        self.tagged(id.uuid(), &received.tags);
        self.access_of_recipients(id, &received.recipients)
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
            let entry = LogEntry::kept(&bytes.0)?;
            let facts = ShareFacts::new(self.view(), share.header.share);
            let (header, puts) = apply(&share.header, &facts, &entry, incarnation);
            facts.done()?;
            share.header = header;
            for (key, fact) in puts {
                self.fact(share, received, entry.side, key, &fact)?;
            }
            self.said(share, node.role, received, &entry)?;
        }
        Ok(())
    }

    /// What an entry changes beyond header and facts.
    fn said(
        &mut self,
        share: &mut entity::Share,
        role: OrganisationRole,
        received: bool,
        entry: &LogEntry,
    ) -> Result<(), Error> {
        let key = (share.header.owner, share.header.share);
        if share.header.kind == Kind::Copy {
            self.said_of_copy(share, entry)?;
        }
        match &entry.body {
            Body::RecipientsChanged(_, recipients) => share.recipients.clone_from(recipients),
            Body::SharedOnward(_, names) => self.put(&table::ONWARD, &share.header.share, names),
            Body::CaseChanged(..) if !received => share.case_waiting = false,
            // What arrives late of a share that was purged is imported no more.
            Body::Listed(..) if received && share.header.purged == 0 && !share.pending => {
                if let Kind::Advanced(policy) = share.header.kind
                    && rules::imports(role, policy)
                {
                    let import = entity::Import {
                        through: entry.number,
                        by: None,
                        recipient: String::new(),
                        only: Vec::new(),
                    };
                    self.put(&table::IMPORT, &key, &import);
                }
            }
            Body::Declined(..) | Body::Cancelled(_) => self.looked_at(share),
            Body::Revoked(_) if received => {
                self.looked_at(share);
                self.over(share);
            }
            Body::Purged(_) if !self.recovering => self.changes.delete(&table::PURGE, &key),
            _ if self.recovering => self.said_before(share, received, entry),
            _ => {}
        }
        Ok(())
    }

    fn fact(
        &mut self,
        share: &mut entity::Share,
        received: bool,
        side: Side,
        key: Key,
        fact: &Fact,
    ) -> Result<(), Error> {
        let id = share.header.share;
        if let (Key::Item(evidence), Fact::Item(item)) = (&key, fact) {
            let row = (id, *evidence);
            if received {
                let before = self.view().has(&table::WANTED, &row)?;
                let lost = item.stored != 0 && (self.recovering || (before && self.lost(row)?));
                let wanted = (item.stored == 0 || lost)
                    && item.withdrawn == 0
                    && keeps(share.header.kind)
                    && !self.deleted(share, *evidence)?;
                match (before, wanted) {
                    (false, true) => {
                        self.put(&table::WANTED, &row, &());
                        share.wanted += 1;
                    }
                    (true, false) => {
                        self.changes.delete(&table::WANTED, &row);
                        share.wanted = share.wanted.saturating_sub(1);
                    }
                    _ => {}
                }
            } else if side == Side::Owner && self.recovering {
                self.listed_before(share, *evidence)?;
            } else if side == Side::Owner {
                self.settle(share, *evidence)?;
            }
        }
        if let (Key::Blob(digest), Fact::Blob(blob)) = (&key, fact)
            && received
        {
            // Bytes that nothing lists any more are to be erased, if they do not come back.
            let row = (share.header.owner, id, *digest);
            match blob.uses {
                0 => self.put(&table::ERASING, &row, &()),
                _ => self.changes.delete(&table::ERASING, &row),
            }
        }
        self.put(&table::FACT, &(id, key), fact);
        Ok(())
    }

    /// Whether what an item of a copy became here was deleted, or the case with it: it is not brought back.
    pub(super) fn deleted(
        &self,
        share: &entity::Share,
        evidence: EvidenceId,
    ) -> Result<bool, Error> {
        if share.header.kind != Kind::Copy {
            return Ok(false);
        }
        let row = (share.header.share, evidence);
        let item = self.view().get(&table::BECAME, &row)?;
        let ids = [item.map(EvidenceId::uuid), share.case.map(CaseId::uuid)];
        for id in ids.into_iter().flatten() {
            if self.view().has(&table::GONE, &id)? {
                return Ok(true);
            }
        }
        Ok(false)
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
        self.keep(&share);
        Ok(())
    }

    pub(super) fn hold(&mut self, id: ShareId, frozen: bool) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &id)?;
        share.header.hold = match frozen {
            true => Hold::Frozen,
            false => Hold::Paused,
        };
        if frozen {
            share.frozen = Some(self.meta.seq);
            // Nothing moves until people have looked at it: nobody is to try again and again.
            let header = &share.header;
            // A revocation goes out whatever became of the logs.
            let unsaid = share
                .revocation
                .is_some_and(|said| said.countersigned.is_none());
            for other in [header.owner, header.partner] {
                if !unsaid {
                    self.changes.delete(&table::OUTBOX, &(other, id));
                }
                self.changes.delete(&table::FETCH, &(other, id));
                self.changes.delete(&table::IMPORT, &(other, id));
                self.changes.delete(&table::RECOVER, &(other, id));
            }
        }
        self.keep(&share);
        Ok(())
    }

    pub(super) fn share_revoked(&mut self, revoked: &ShareRevoked) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &revoked.share)?;
        let said = SignedRevocation::read(&revoked.revocation.0)?.revocation;
        share.header.revoked = true;
        share.revocation = Some(entity::Revocation {
            at: said.at,
            record: self.meta.seq,
            countersigned: None,
        });
        self.outgoing(Side::Owner, &mut share);
        self.keep(&share);
        Ok(())
    }

    pub(super) fn revocation_received(
        &mut self,
        received: &RevocationReceived,
    ) -> Result<(), Error> {
        let said = SignedRevocation::read(&received.revocation.0)?;
        let seq = self.meta.seq;
        self.put(&table::REVOKED, &(received.owner, received.share), &seq);
        self.partner(received.owner, |partner| partner.revoked = Some(seq))?;
        let share = self.view().get(&table::SHARE, &received.share)?;
        let Some(mut share) = share.filter(|share| said.covers(&share.header)) else {
            return Ok(());
        };
        share.revocation = Some(entity::Revocation {
            at: said.revocation.at,
            record: seq,
            countersigned: Some(seq),
        });
        share.header = apply::revoked(&share.header);
        self.looked_at(&mut share);
        self.over(&share);
        self.keep(&share);
        Ok(())
    }

    pub(super) fn revocation_countersigned(
        &mut self,
        countersigned: &RevocationCountersigned,
    ) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &countersigned.share)?;
        let seq = self.meta.seq;
        if let Some(revocation) = &mut share.revocation {
            revocation.countersigned = Some(seq);
        }
        self.partner(share.header.partner, |partner| {
            partner.countersigned = Some(seq);
        })?;
        self.outgoing(Side::Owner, &mut share);
        self.keep(&share);
        Ok(())
    }

    /// A received share is over: what is here of it goes, but for imports.
    fn over(&mut self, share: &entity::Share) {
        let key = (share.header.owner, share.header.share);
        self.changes.delete(&table::FETCH, &key);
        self.changes.delete(&table::FOLLOWED, &key);
        if share.header.purged == 0 && share.header.partner_log.point.count > 0 {
            self.put(&table::PURGE, &key, &());
        }
    }

    /// Keeps the outbox: whether something waits for the other side, and since when.
    pub(super) fn outgoing(&mut self, own: Side, share: &mut entity::Share) {
        if !share.header.open_to_owner() {
            share.waiting = 0;
            share.case_waiting = false;
        }
        let partner = match own {
            Side::Owner => share.header.partner,
            Side::Partner => share.header.owner,
        };
        let key = (partner, share.header.share);
        #[cfg(test)]
        if planted(Bug::BehindForever) {
            return self.put(&table::OUTBOX, &key, &());
        }
        if !waits(own, share) {
            share.behind_since = None;
            self.changes.delete(&table::OUTBOX, &key);
            return;
        }
        if share.behind_since.is_none() {
            share.behind_since = Some(self.meta.at);
        }
        #[cfg(test)]
        if planted(Bug::OutboxForgotten) && share.header.owner_log.point.count > 3 {
            return self.changes.delete(&table::OUTBOX, &key);
        }
        self.put(&table::OUTBOX, &key, &());
    }

    /// Keeps the list of shares from which something is to be read.
    pub(super) fn incoming(&mut self, theirs: Side, share: &entity::Share) {
        if theirs != Side::Owner {
            return;
        }
        let key = (share.header.owner, share.header.share);
        // A copy is read into a case.
        let placed = share.case.is_some() || share.header.kind != Kind::Copy;
        let reading = placed
            && !share.header.revoked
            && matches!(share.header.state, State::Accepted | State::Ended);
        if share.wanted > 0 && reading {
            self.put(&table::FETCH, &key, &());
        } else {
            self.changes.delete(&table::FETCH, &key);
        }
    }
}

/// Whether something of a share waits for the other side.
fn waits(own: Side, share: &entity::Share) -> bool {
    let header = &share.header;
    if header.hold == Hold::Closed {
        return false;
    }
    if own == Side::Partner {
        return status::behind(header, own, 0) > 0;
    }
    if let Some(revocation) = share.revocation {
        return revocation.countersigned.is_none() || status::behind(header, own, 0) > 0;
    }
    if header.suspended {
        return status::behind(header, own, 0) > 0;
    }
    let listing = header.open && header.open_to_owner();
    status::behind(header, own, share.waits()) > 0 || listing
}

/// Whether the files of a share are kept at the partner.
const fn keeps(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Copy
            | Kind::Advanced(Policy {
                mode: Mode::Synchronised,
                ..
            })
    )
}
