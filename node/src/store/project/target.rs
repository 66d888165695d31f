//! Whom cases are about, and which shares have that.

use interdocket_sync::id::{CaseId, ShareId, TargetId};
use interdocket_sync::limits;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry;
use interdocket_sync::share::Kind;

use super::{Error, Step};
use crate::event::{ShareTargets, TargetEdited, TargetRemoved};
use crate::store::{entity, table};

impl Step<'_> {
    pub(super) fn target_edited(&mut self, edited: &TargetEdited) -> Result<(), Error> {
        let key = (edited.case, edited.target);
        let held = self.view().get(&table::TARGET, &key)?;
        let target = entity::Target {
            name: edited.name.clone(),
            description: edited.description.clone(),
            added_at: held.as_ref().map_or(self.meta.at, |held| held.added_at),
            share: held.and_then(|held| held.share),
        };
        self.put(&table::TARGET, &key, &target);
        self.target_followed(edited.case, edited.target)
    }

    pub(super) fn target_removed(&mut self, removed: &TargetRemoved) -> Result<(), Error> {
        self.changes
            .delete(&table::TARGET, &(removed.case, removed.target));
        self.target_followed(removed.case, removed.target)
    }

    /// What is said of a target goes along in the advanced shares that have it, and in no other.
    fn target_followed(&mut self, case: CaseId, target: TargetId) -> Result<(), Error> {
        for mut share in self.following(case)? {
            let chosen = (share.header.share, target);
            if share.all_targets || self.view().has(&table::CHOSEN_TARGET, &chosen)? {
                self.case_waits(&mut share);
            }
        }
        Ok(())
    }

    pub(super) fn share_targets(&mut self, changed: &ShareTargets) -> Result<(), Error> {
        for target in &changed.removed {
            self.changes
                .delete(&table::CHOSEN_TARGET, &(changed.share, *target));
        }
        for target in &changed.added {
            self.put(&table::CHOSEN_TARGET, &(changed.share, *target), &());
        }
        let mut share = self.get(&table::SHARE, &changed.share)?;
        // A reference is read as it is.
        if matches!(share.header.kind, Kind::Advanced(_)) {
            self.case_waits(&mut share);
        }
        Ok(())
    }

    pub(super) fn case_waits(&mut self, share: &mut entity::Share) {
        share.case_waiting = true;
        self.outgoing(Side::Owner, share);
        self.keep(share);
    }

    /// What a share says of targets replaces what it said before; those that were added here stay. A case has so
    /// many: what a partner says beyond is left out.
    pub(super) fn targets_received(
        &mut self,
        case: CaseId,
        share: ShareId,
        targets: &[entry::Target],
    ) -> Result<(), Error> {
        let held = self.view().page(&table::TARGET, &case, None, usize::MAX)?;
        let (before, own): (Vec<_>, Vec<_>) = held
            .into_iter()
            .partition(|(_, target)| target.share == Some(share));
        for (key, _) in &before {
            self.changes.delete(&table::TARGET, key);
        }
        let room = limits::TARGETS_MAX.saturating_sub(own.len());
        for target in targets.iter().take(room) {
            let id = TargetId::received(share, target.id);
            let known = before.iter().find(|((_, before), _)| *before == id);
            let received = entity::Target {
                name: target.name.clone(),
                description: target.description.clone(),
                added_at: known.map_or(self.meta.at, |(_, target)| target.added_at),
                share: Some(share),
            };
            self.put(&table::TARGET, &(case, id), &received);
        }
        Ok(())
    }
}
