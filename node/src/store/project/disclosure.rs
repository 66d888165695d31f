//! What was disclosed to guests.

use interdocket_sync::id::{CaseId, EvidenceId};

use super::{Error, Step};
use crate::actions::Actor;
use crate::actions::disclosure::DisclosureId;
use crate::event::{
    CaseDisclosed, Disclosed, DisclosureMade, DisclosureWidened, EvidenceDisclosed,
};
use crate::store::{entity, table};

impl Step<'_> {
    pub(super) fn disclosure_made(&mut self, made: &DisclosureMade, by: Option<Actor>) {
        let id = made.disclosure;
        let disclosure = entity::Disclosure {
            case: made.case,
            by,
            made_at: self.meta.at,
            guests: made.guests.clone(),
            scope: made.scope.clone(),
            attachments: made.attachments.clone(),
            until: made.until,
            ended_at: None,
            said: None,
            evidence: 0,
            deleted: 0,
        };
        self.put(&table::DISCLOSURE, &id, &disclosure);
        self.put(&table::CASE_DISCLOSURE, &(made.case, id), &());
        for guest in &made.guests {
            self.put(&table::GUEST_DISCLOSURE, &(*guest, id), &());
        }
    }

    pub(super) fn case_disclosed(&mut self, said: &CaseDisclosed) -> Result<(), Error> {
        let record = self.meta.seq;
        self.disclosure(said.disclosure, |held| held.said = Some(record))
    }

    pub(super) fn disclosure_widened(&mut self, widened: &DisclosureWidened) -> Result<(), Error> {
        let id = widened.disclosure;
        for evidence in &widened.evidence {
            // What is said of it comes in a record of its own, which may be gone.
            let nothing = entity::Disclosed::default();
            self.put(&table::DISCLOSED, &(id, *evidence), &nothing);
            self.put(&table::EVIDENCE_DISCLOSURE, &(*evidence, id), &());
        }
        self.disclosure(id, |held| held.evidence += widened.evidence.len() as u64)
    }

    pub(super) fn evidence_disclosed(&mut self, said: &EvidenceDisclosed) -> Result<(), Error> {
        for digest in &said.made {
            self.used(*digest)?;
        }
        let disclosed = entity::Disclosed {
            record: Some(self.meta.seq),
            made: said.made.clone(),
        };
        let row = (said.disclosure, said.item.evidence);
        self.put(&table::DISCLOSED, &row, &disclosed);
        Ok(())
    }

    pub(super) fn disclosure_ended(&mut self, ended: &Disclosed) -> Result<(), Error> {
        let at = self.meta.at;
        self.disclosure(ended.disclosure, |held| {
            held.ended_at = held.ended_at.or(Some(at));
        })
    }

    /// Nothing is said of erased evidence to guests any more.
    pub(super) fn undisclosed(&mut self, evidence: EvidenceId) -> Result<(), Error> {
        let view = self.view();
        let rows = view.page(&table::EVIDENCE_DISCLOSURE, &evidence, None, usize::MAX)?;
        for (row, ()) in rows {
            let (_, id) = row;
            self.changes.delete(&table::EVIDENCE_DISCLOSURE, &row);
            for digest in self.get(&table::DISCLOSED, &(id, evidence))?.made {
                self.blob(digest, |blob| blob.uses = blob.uses.saturating_sub(1))?;
            }
            let nothing = entity::Disclosed::default();
            self.put(&table::DISCLOSED, &(id, evidence), &nothing);
            self.disclosure(id, |held| held.deleted += 1)?;
        }
        Ok(())
    }

    /// Nothing is said of an erased case to guests any more.
    pub(super) fn case_undisclosed(&mut self, case: CaseId) -> Result<(), Error> {
        let view = self.view();
        let rows = view.page(&table::CASE_DISCLOSURE, &case, None, usize::MAX)?;
        for ((_, id), ()) in rows {
            self.disclosure(id, |held| held.said = None)?;
        }
        Ok(())
    }

    fn disclosure(
        &mut self,
        id: DisclosureId,
        change: impl FnOnce(&mut entity::Disclosure),
    ) -> Result<(), Error> {
        let mut disclosure = self.get(&table::DISCLOSURE, &id)?;
        change(&mut disclosure);
        self.put(&table::DISCLOSURE, &id, &disclosure);
        Ok(())
    }
}
