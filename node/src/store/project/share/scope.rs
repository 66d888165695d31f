//! What a share covers of its case at the owner, and what of that waits to be disclosed.

use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::log::Side;
use interdocket_sync::share::{Facts as _, Kind};

use super::{ShareFacts, Step};
use crate::actions::share::Scope;
use crate::event::ShareWidened;
use crate::rules;
use crate::store::project::Error;
use crate::store::{entity, table};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

impl Step<'_> {
    pub(in super::super) fn share_widened(&mut self, widened: &ShareWidened) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &widened.share)?;
        for evidence in &widened.evidence {
            if share.scope == Scope::Selected {
                self.put(&table::SELECTED, &(widened.share, *evidence), &());
            }
            self.wait(&mut share, *evidence)?;
        }
        self.outgoing(Side::Owner, &mut share);
        self.keep(&share);
        Ok(())
    }

    pub(in super::super) fn share_narrowed(
        &mut self,
        narrowed: &ShareWidened,
    ) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &narrowed.share)?;
        for evidence in &narrowed.evidence {
            self.changes
                .delete(&table::SELECTED, &(narrowed.share, *evidence));
            self.wait(&mut share, *evidence)?;
        }
        self.outgoing(Side::Owner, &mut share);
        self.keep(&share);
        Ok(())
    }

    pub(in super::super) fn share_settled(&mut self, settled: &ShareWidened) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &settled.share)?;
        for evidence in &settled.evidence {
            self.settle(&mut share, *evidence)?;
        }
        self.outgoing(Side::Owner, &mut share);
        self.keep(&share);
        Ok(())
    }

    /// Evidence is described anew: advanced shares of all its cases that cover it, or list it, follow.
    pub(in super::super) fn evidence_followed(
        &mut self,
        evidence: EvidenceId,
    ) -> Result<(), Error> {
        for case in self.cases_of(evidence)? {
            let link = self.get(&table::CASE_EVIDENCE, &(case, evidence))?;
            self.followed_in(case, evidence, &link.folder)?;
        }
        Ok(())
    }

    /// Evidence is new in a case, lies in another folder of it, or is described anew.
    pub(in super::super) fn followed_in(
        &mut self,
        case: CaseId,
        evidence: EvidenceId,
        folder: &str,
    ) -> Result<(), Error> {
        for mut share in self.following(case)? {
            let id = share.header.share;
            let covered = match &share.scope {
                Scope::Entire => true,
                Scope::Folders(folders) => rules::within(folder, folders),
                Scope::Selected => self.view().has(&table::SELECTED, &(id, evidence))?,
            };
            let facts = ShareFacts::new(self.view(), id);
            let item = facts.item(evidence);
            facts.done()?;
            let listed = item.is_some_and(|item| item.withdrawn == 0);
            #[cfg(test)]
            let listed = listed && !planted(Bug::LeavingForgotten);
            if covered || listed {
                self.wait(&mut share, evidence)?;
                self.outgoing(Side::Owner, &mut share);
                self.keep(&share);
            }
        }
        Ok(())
    }

    /// A case is described anew: its advanced shares follow.
    pub(in super::super) fn case_followed(&mut self, case: CaseId) -> Result<(), Error> {
        for mut share in self.following(case)? {
            self.case_waits(&mut share);
        }
        Ok(())
    }

    /// The advanced shares of this node's own that a case has, and that go on.
    pub(in super::super) fn following(&self, case: CaseId) -> Result<Vec<entity::Share>, Error> {
        let mut following = Vec::new();
        let own = self.get(&table::NODE, &())?.organisation;
        let rows = self
            .view()
            .page(&table::FOLLOWING, &case, None, usize::MAX)?;
        for ((_, id), ()) in rows {
            let share = self.get(&table::SHARE, &id)?;
            if share.header.owner == own {
                following.push(share);
            }
        }
        Ok(following)
    }

    /// Keeps a share, and that it follows its case as long as it goes on: of all that a case ever had, few do.
    pub(in super::super) fn keep(&mut self, share: &entity::Share) {
        let header = &share.header;
        self.put(&table::SHARE, &header.share, share);
        let Some(case) = share.case else { return };
        let row = (case, header.share);
        match header.kind {
            Kind::Advanced(_) if header.open_to_owner() => self.put(&table::FOLLOWING, &row, &()),
            Kind::Advanced(_) => self.changes.delete(&table::FOLLOWING, &row),
            Kind::Copy | Kind::Reference(_) => {}
        }
    }

    /// Notes that something of an item is to be disclosed, whatever that will be by then.
    pub(in super::super) fn wait(
        &mut self,
        share: &mut entity::Share,
        evidence: EvidenceId,
    ) -> Result<(), Error> {
        let row = (share.header.share, evidence);
        // A reference discloses nothing: it is read.
        if matches!(share.header.kind, Kind::Reference(_))
            || self.view().has(&table::WAITING, &row)?
        {
            return Ok(());
        }
        self.put(&table::WAITING, &row, &());
        share.waiting += 1;
        Ok(())
    }

    /// An item was disclosed in a past that was lost: what became of it here meanwhile is looked at again.
    pub(super) fn listed_before(
        &mut self,
        share: &mut entity::Share,
        evidence: EvidenceId,
    ) -> Result<(), Error> {
        let here = self.view().has(&table::EVIDENCE, &evidence)?;
        // Also what is not in the case any more: the share tells of it, until it is erased.
        if let Some(case) = share.case.filter(|_| here)
            && !self.view().has(&table::CASE_EVIDENCE, &(case, evidence))?
        {
            self.put(&table::LEFT_CASE, &(evidence, case), &());
        }
        // A copy is the partner's own; of what was lost here nothing is known.
        if share.header.kind == Kind::Copy {
            return self.settle(share, evidence);
        }
        match here && share.scope != Scope::Selected {
            true => self.wait(share, evidence),
            false => Ok(()),
        }
    }

    /// Notes that nothing of an item waits any more.
    pub(in super::super) fn settle(
        &mut self,
        share: &mut entity::Share,
        evidence: EvidenceId,
    ) -> Result<(), Error> {
        let row = (share.header.share, evidence);
        #[cfg(test)]
        if planted(Bug::WaitingForever) && share.header.owner_log.point.count > 4 {
            return Ok(());
        }
        if self.view().has(&table::WAITING, &row)? {
            self.changes.delete(&table::WAITING, &row);
            share.waiting = share.waiting.saturating_sub(1);
        }
        Ok(())
    }
}
