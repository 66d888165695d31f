//! What a node that came back from its past does not hold any more: which shares wait for it, and what
//! its own entries mean when a partner gives them back.

use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{Body, Entry as LogEntry};
use interdocket_sync::log::head::{Head, SignedHead};
use interdocket_sync::share::apply;
use interdocket_sync::share::terms::SignedTerms;
use interdocket_sync::share::{Fact, Hold, Key};

use super::Step;
use crate::actions::share::Scope;
use crate::event::{LogRecovered, PartnerRecovered};
use crate::store::project::Error;
use crate::store::view::{self, View};
use crate::store::{entity, table};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// Whether a partner may hold more of a share than this node, which came back from its past.
///
/// # Errors
/// [`view::Error`] where the tables can't be read.
pub fn recovers(
    view: &View<'_>,
    partner: OrganisationId,
    share: ShareId,
) -> Result<bool, view::Error> {
    let known = view.get(&table::PARTNER, &partner)?;
    let recovers = known.is_some_and(|known| known.recover);
    Ok(recovers || view.has(&table::RECOVER, &(partner, share))?)
}

impl Step<'_> {
    /// A new incarnation begins, above this one: nothing moves in any share until its other side has
    /// given back what it holds.
    pub(in super::super) fn anew(&mut self, above: u64) -> Result<(), Error> {
        let mut node = self.get(&table::NODE, &())?;
        node.incarnation = node.incarnation.max(above).saturating_add(1);
        #[cfg(test)]
        if planted(Bug::SameLife) {
            node.incarnation -= 1;
        }
        // What was ended since, or who was disabled, is not known any more.
        node.settings.disclosure_portal = false;
        self.put(&table::NODE, &(), &node);
        let partners = self.view().page(&table::PARTNER, &(), None, usize::MAX)?;
        for (id, mut partner) in partners {
            partner.recover = true;
            self.put(&table::PARTNER, &id, &partner);
        }
        let shares = self.view().page(&table::SHARE, &(), None, usize::MAX)?;
        for (id, mut share) in shares {
            if matches!(share.header.hold, Hold::Frozen | Hold::Closed) {
                continue;
            }
            #[cfg(test)]
            if planted(Bug::NotHeldBack) {
                continue;
            }
            share.header.hold = Hold::Recovering;
            let other = share.other(node.organisation);
            self.put(&table::RECOVER, &(other, id), &());
            self.keep(&share);
        }
        self.links_over()
    }

    /// All that a partner knows of is here, but for some.
    pub(in super::super) fn partner_recovered(
        &mut self,
        recovered: &PartnerRecovered,
    ) -> Result<(), Error> {
        let id = recovered.partner;
        let mut partner = self.get(&table::PARTNER, &id)?;
        partner.recover = false;
        self.put(&table::PARTNER, &id, &partner);
        let rows = self.view().page(&table::RECOVER, &id, None, usize::MAX)?;
        for (row, ()) in rows {
            if !self.view().has(&table::SHARE, &row.1)? {
                self.changes.delete(&table::RECOVER, &row);
            }
        }
        for share in &recovered.missing {
            self.put(&table::RECOVER, &(id, *share), &());
        }
        Ok(())
    }

    /// Keeps the latest head that a partner signed, to show it should it come back from its past.
    pub(super) fn witnessed(&mut self, head: &Head) -> Result<(), Error> {
        let writer = head.writer();
        let Some(mut partner) = self.view().get(&table::PARTNER, &writer)? else {
            return Ok(());
        };
        let witness = Some(entity::Witness {
            incarnation: head.incarnation,
            count: head.journal.count,
            record: self.meta.seq,
        });
        if partner.witness < witness {
            partner.witness = witness;
            self.put(&table::PARTNER, &writer, &partner);
        }
        Ok(())
    }

    pub(in super::super) fn log_recovered(
        &mut self,
        recovered: &LogRecovered,
    ) -> Result<(), Error> {
        let head = SignedHead::read(&recovered.head.0)?.head;
        let mut share = match &recovered.terms {
            Some(terms) => self.share_recovered(recovered, &SignedTerms::read(&terms.0)?)?,
            None => self.get(&table::SHARE, &recovered.share)?,
        };
        self.recovering = true;
        self.entries(&mut share, &recovered.entries, head.incarnation)?;
        let log = match recovered.side {
            Side::Owner => &mut share.header.owner_log,
            Side::Partner => &mut share.header.partner_log,
        };
        log.countersigned = log.countersigned.max(head.point.count);
        self.batch(recovered.share, recovered.side, head.point);
        let seq = self.meta.seq;
        let receipt = (recovered.share, recovered.side, head.point.count);
        self.put(&table::RECEIPT, &receipt, &seq);
        self.keep(&share);
        Ok(())
    }

    /// A share that this node made and does not know any more. What of its case it covered is not known
    /// either: nothing is added to it by itself.
    fn share_recovered(
        &mut self,
        recovered: &LogRecovered,
        terms: &SignedTerms,
    ) -> Result<entity::Share, Error> {
        let dangling = Error::Dangling(self.meta.seq);
        let first = recovered.entries.first().ok_or(dangling)?;
        let Body::Offered(_, offered) = LogEntry::kept(&first.0)?.body else {
            return Err(Error::Dangling(self.meta.seq));
        };
        let id = recovered.share;
        self.message(id, &offered.message);
        let mut header = apply::open(terms);
        header.hold = Hold::Recovering;
        self.put(&table::RECOVER, &(header.partner, id), &());
        self.put(&table::PARTNER_SHARE, &(header.partner, id), &());
        self.put(&table::CASE_SHARE, &(offered.case, id), &());
        Ok(entity::Share {
            header,
            case: Some(offered.case),
            scope: Scope::Selected,
            all_targets: false,
            recipients: offered.recipients,
            attachments: Default::default(),
            set: None,
            offered_at: terms.terms.created,
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
        })
    }

    /// What an own entry that was lost means beyond header and facts.
    pub(super) fn said_before(&mut self, share: &entity::Share, received: bool, entry: &LogEntry) {
        let (owner, id) = (share.header.owner, share.header.share);
        match &entry.body {
            Body::EvidenceWithdrawn(ids) if !received => {
                for evidence in ids {
                    self.changes.delete(&table::SELECTED, &(id, *evidence));
                }
            }
            // What came back with the past is to be erased, or imported, once more.
            Body::Purged(_) => self.put(&table::PURGE, &(owner, id), &()),
            Body::Imported(_) => {
                let import = entity::Import {
                    through: share.header.grants.last,
                    by: None,
                    recipient: String::new(),
                    only: Vec::new(),
                };
                self.put(&table::IMPORT, &(owner, id), &import);
            }
            _ => {}
        }
    }

    /// Whether an item that is wanted was stated to be stored, and lost since.
    pub(super) fn lost(&self, (share, evidence): (ShareId, EvidenceId)) -> Result<bool, Error> {
        let before = self
            .view()
            .get(&table::FACT, &(share, Key::Item(evidence)))?;
        Ok(matches!(before, Some(Fact::Item(item)) if item.stored != 0))
    }

    /// Items were lost here: they are to be read again.
    pub(super) fn wanted_again(
        &mut self,
        share: ShareId,
        evidence: &[EvidenceId],
    ) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &share)?;
        for evidence in evidence {
            let row = (share.header.share, *evidence);
            if !self.view().has(&table::WANTED, &row)? && !self.deleted(&share, *evidence)? {
                self.put(&table::WANTED, &row, &());
                share.wanted += 1;
            }
        }
        self.incoming(Side::Owner, &share);
        self.keep(&share);
        Ok(())
    }

    /// Items that were lost are whole here again.
    pub(super) fn again(
        &mut self,
        share: &mut entity::Share,
        evidence: &[EvidenceId],
    ) -> Result<(), Error> {
        for evidence in evidence {
            let row = (share.header.share, *evidence);
            if self.view().has(&table::WANTED, &row)? && self.lost(row)? {
                self.changes.delete(&table::WANTED, &row);
                share.wanted = share.wanted.saturating_sub(1);
            }
        }
        self.incoming(Side::Owner, share);
        self.keep(share);
        Ok(())
    }

    /// A share goes on.
    pub(in super::super) fn recovered(&mut self, id: ShareId) -> Result<(), Error> {
        let node = self.get(&table::NODE, &())?;
        let mut share = self.get(&table::SHARE, &id)?;
        if share.header.hold == Hold::Recovering {
            share.header.hold = Hold::Free;
        }
        let other = share.other(node.organisation);
        self.changes.delete(&table::RECOVER, &(other, id));
        let own = match other == share.header.partner {
            true => Side::Owner,
            false => Side::Partner,
        };
        self.outgoing(own, &mut share);
        if own == Side::Partner {
            self.incoming(Side::Owner, &share);
        }
        self.keep(&share);
        Ok(())
    }

    /// A revoked share is over as it is.
    pub(in super::super) fn closed(&mut self, id: ShareId) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &id)?;
        if share.header.hold != Hold::Frozen {
            share.header.hold = Hold::Closed;
        }
        share.behind_since = None;
        for other in [share.header.owner, share.header.partner] {
            self.changes.delete(&table::RECOVER, &(other, id));
            self.changes.delete(&table::OUTBOX, &(other, id));
        }
        self.keep(&share);
        Ok(())
    }
}
