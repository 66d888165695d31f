//! The cases that evidence is in, and the evidence of cases.
//!
//! Invariant: evidence that is here is in a case, and in each of them once.

use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::log::Side;
use interdocket_sync::share::{Facts as _, Kind};

use super::evidence::event;
use super::{Error, ShareFacts, Step};
use crate::event::EvidenceExcluded;
use crate::store::{entity, table};

impl Step<'_> {
    /// The cases that evidence is in; none of what is no evidence.
    pub(super) fn cases_of(&self, id: EvidenceId) -> Result<Vec<CaseId>, Error> {
        let rows = self
            .view()
            .page(&table::EVIDENCE_CASE, &id, None, usize::MAX)?;
        Ok(rows.into_iter().map(|((_, case), ())| case).collect())
    }

    /// Puts evidence into a case, or into another folder of it: the shares of that case follow, and no others.
    pub(super) fn included(
        &mut self,
        case: CaseId,
        id: EvidenceId,
        folder: &str,
    ) -> Result<(), Error> {
        let row = (case, id);
        let new = !self.view().has(&table::CASE_EVIDENCE, &row)?;
        let link = entity::InCase {
            folder: folder.to_owned(),
        };
        self.put(&table::CASE_EVIDENCE, &row, &link);
        if new {
            let evidence = self.get(&table::EVIDENCE, &id)?;
            self.put(&table::EVIDENCE_CASE, &(id, case), &());
            self.changes.delete(&table::LEFT_CASE, &(id, case));
            self.dated(case, id, evidence.dated_at);
            let fields = self.view().get(&table::FIELDS, &id)?.unwrap_or_default();
            if let Some(event) = event(&fields) {
                self.put(&table::MULTICAM, &(case, event, id), &());
            }
            let bytes = self.bytes(id)?;
            self.case(case, |case| {
                case.evidence += 1;
                case.bytes = case.bytes.saturating_add(bytes);
            })?;
        }
        self.followed_in(case, id, folder)
    }

    /// Bytes of the files of evidence.
    fn bytes(&self, id: EvidenceId) -> Result<u64, Error> {
        let files = self.view().page(&table::FILE, &id, None, usize::MAX)?;
        let sizes = files.iter().map(|(_, file)| file.size);
        Ok(sizes.fold(0, u64::saturating_add))
    }

    /// Evidence has more files: its cases grow.
    pub(super) fn grown(&mut self, id: EvidenceId, bytes: u64) -> Result<(), Error> {
        for case in self.cases_of(id)? {
            self.case(case, |case| case.bytes = case.bytes.saturating_add(bytes))?;
        }
        Ok(())
    }

    pub(super) fn evidence_excluded(&mut self, excluded: EvidenceExcluded) -> Result<(), Error> {
        let (case, id) = (excluded.case, excluded.evidence);
        if let Some(evidence) = self.view().get(&table::EVIDENCE, &id)? {
            let bytes = self.bytes(id)?;
            self.out_of(case, id, &evidence, bytes)?;
            if let Some(origin) = evidence.origin.filter(|_| excluded.deleted) {
                self.blank_received(case, id, EvidenceId::new(origin.id))?;
            }
        }
        self.put(&table::LEFT_CASE, &(id, case), &());
        for mut share in self.own_shares(case)? {
            let share_id = share.header.share;
            self.out_of_share(&mut share, id)?;
            self.outgoing(Side::Owner, &mut share);
            self.keep(&share);
            if excluded.deleted {
                self.blank(share_id, id)?;
            }
        }
        Ok(())
    }

    /// Takes the texts of an item out of what the shares that brought it into a case say of it.
    fn blank_received(
        &mut self,
        case: CaseId,
        id: EvidenceId,
        origin: EvidenceId,
    ) -> Result<(), Error> {
        let rows = self
            .view()
            .page(&table::CASE_SHARE, &case, None, usize::MAX)?;
        for ((_, share), ()) in rows {
            if self.view().get(&table::BECAME, &(share, origin))? == Some(id) {
                self.blank(share, origin)?;
            }
        }
        Ok(())
    }

    /// Takes evidence off what a case has.
    pub(super) fn out_of(
        &mut self,
        case: CaseId,
        id: EvidenceId,
        evidence: &entity::Evidence,
        bytes: u64,
    ) -> Result<(), Error> {
        if !self.view().has(&table::CASE_EVIDENCE, &(case, id))? {
            return Ok(());
        }
        let fields = self.view().get(&table::FIELDS, &id)?.unwrap_or_default();
        if let Some(event) = event(&fields) {
            self.changes.delete(&table::MULTICAM, &(case, event, id));
        }
        self.undated(case, id, evidence.dated_at);
        self.changes.delete(&table::CASE_EVIDENCE, &(case, id));
        self.changes.delete(&table::EVIDENCE_CASE, &(id, case));
        self.case(case, |case| {
            case.evidence = case.evidence.saturating_sub(1);
            case.bytes = case.bytes.saturating_sub(bytes);
        })
    }

    /// A share of this node's own has an item no more: who follows learns that it was withdrawn; what was delivered
    /// stays the partner's.
    pub(super) fn out_of_share(
        &mut self,
        share: &mut entity::Share,
        id: EvidenceId,
    ) -> Result<(), Error> {
        self.changes
            .delete(&table::SELECTED, &(share.header.share, id));
        let facts = ShareFacts::new(self.view(), share.header.share);
        let listed = facts.item(id).filter(|item| item.withdrawn == 0);
        facts.done()?;
        self.settle(share, id)?;
        let follows = matches!(share.header.kind, Kind::Advanced(_));
        if follows && listed.is_some() && share.header.open_to_owner() {
            self.wait(share, id)?;
        }
        Ok(())
    }

    /// The shares of this node's own that a case has or had.
    pub(super) fn own_shares(&self, case: CaseId) -> Result<Vec<entity::Share>, Error> {
        let own = self.get(&table::NODE, &())?.organisation;
        let rows = self
            .view()
            .page(&table::CASE_SHARE, &case, None, usize::MAX)?;
        let mut shares = Vec::new();
        for ((_, id), ()) in rows {
            let share = self.get(&table::SHARE, &id)?;
            if share.header.owner == own {
                shares.push(share);
            }
        }
        Ok(shares)
    }
}
