//! How long things are kept, what is queued for deletion, and what is left of what was deleted.
//!
//! Invariant: what is erased leaves the same tables whether its records can still be read or not. A rebuild finds
//! them unreadable as soon as their key is destroyed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use interdocket_sync::copy::Field;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::log::Side;
use interdocket_sync::metadata::Value;
use interdocket_sync::share::{Fact, Facts as _, Key, Kind};
use uuid::Uuid;

use super::{Error, ShareFacts, Step};
use crate::actions::Actor;
use crate::actions::share::Scope;
use crate::event::{
    CaseErased, CaseNumbered, DeletionQueued, ErasureDone, EvidenceErased, ItemsErased, Matter,
    Reasoned, RetentionSet, Watermark,
};
use crate::keyring::KeyId;
use crate::store::{entity, table};

impl Matter {
    /// The id of what it is.
    pub const fn id(self) -> Uuid {
        match self {
            Self::Case(case) => case.uuid(),
            Self::Evidence(evidence) => evidence.uuid(),
        }
    }
}

/// A time as a part of a key.
pub(crate) fn micros(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp_micros()).unwrap_or_default()
}

impl Step<'_> {
    pub(super) fn retention_removed(&mut self, removed: &RetentionSet) -> Result<(), Error> {
        self.changes.delete(&table::RETENTION, &removed.id);
        let mut node = self.get(&table::NODE, &())?;
        node.retention = node.retention.filter(|default| *default != removed.id);
        self.put(&table::NODE, &(), &node);
        Ok(())
    }

    pub(super) fn hold_placed(&mut self, held: &Reasoned, by: Option<Actor>) {
        let hold = entity::Hold {
            at: self.meta.at,
            by,
            reason: held.reason.clone(),
        };
        self.put(&table::HELD, &held.what.id(), &hold);
    }

    pub(super) fn deletion_queued(&mut self, queued: &DeletionQueued) -> Result<(), Error> {
        let id = queued.what.id();
        self.unqueue(id)?;
        let row = entity::Queued {
            what: queued.what,
            on: queued.on,
            why: queued.why.clone(),
        };
        self.put(&table::QUEUED, &id, &row);
        self.put(&table::QUEUE, &(micros(queued.on), id), &());
        Ok(())
    }

    pub(super) fn unqueue(&mut self, id: Uuid) -> Result<(), Error> {
        if let Some(queued) = self.view().get(&table::QUEUED, &id)? {
            self.changes.delete(&table::QUEUED, &id);
            self.changes.delete(&table::QUEUE, &(micros(queued.on), id));
        }
        Ok(())
    }

    pub(super) fn case_numbered(&mut self, numbered: &CaseNumbered) {
        if let Some(before) = &numbered.before {
            self.changes.delete(&table::CASE_NUMBER, before);
        }
        self.put(&table::CASE_NUMBER, &numbered.number, &numbered.case);
    }

    /// Keeps evidence of a case by its date.
    pub(super) fn dated(&mut self, case: CaseId, id: EvidenceId, at: DateTime<Utc>) {
        let at = micros(at);
        self.put(&table::OLDEST, &(case, at, id), &());
        self.put(&table::LATEST, &(case, u64::MAX - at, id), &());
    }

    pub(super) fn undated(&mut self, case: CaseId, id: EvidenceId, at: DateTime<Utc>) {
        let at = micros(at);
        self.changes.delete(&table::OLDEST, &(case, at, id));
        self.changes
            .delete(&table::LATEST, &(case, u64::MAX - at, id));
    }

    /// The date of evidence: when it was recorded, where that is said, else when it was taken in first. None is
    /// later than that it came here, whatever its source says.
    pub(super) fn date(
        &mut self,
        id: EvidenceId,
        fields: &BTreeMap<Field, Value>,
    ) -> Result<(), Error> {
        let mut evidence = self.get(&table::EVIDENCE, &id)?;
        let said = fields.get(&Field::RecordedOn);
        let said = said.and_then(|value| DateTime::parse_from_rfc3339(&value.text).ok());
        let at = said.map_or(evidence.uploaded_at, |said| said.with_timezone(&Utc));
        let at = at.min(evidence.added_at);
        if at != evidence.dated_at {
            for case in self.cases_of(id)? {
                self.undated(case, id, evidence.dated_at);
                self.dated(case, id, at);
            }
            evidence.dated_at = at;
            self.put(&table::EVIDENCE, &id, &evidence);
        }
        Ok(())
    }

    pub(super) fn evidence_erased(&mut self, erased: &EvidenceErased) -> Result<(), Error> {
        let id = erased.evidence;
        let bytes = self.files_erased(erased)?;
        if let Some(evidence) = self.view().get(&table::EVIDENCE, &id)? {
            for case in self.cases_of(id)? {
                self.out_of(case, id, &evidence, bytes)?;
            }
            self.changes.delete(&table::EVIDENCE, &id);
            self.changes.delete(&table::FIELDS, &id);
        }
        self.brought(erased)?;
        self.unshared(erased)?;
        let cases: Vec<Uuid> = erased.cases.iter().map(|case| case.uuid()).collect();
        self.forget(id.uuid(), &cases)?;
        self.put(&table::DOOMED_KEY, &id.uuid(), &());
        Ok(())
    }

    /// The shares that brought erased evidence do not bring it back; others do, as another record.
    fn brought(&mut self, erased: &EvidenceErased) -> Result<(), Error> {
        let Some(origin) = &erased.origin else {
            return Ok(());
        };
        let there = EvidenceId::new(origin.id);
        let row = (origin.organisation, there);
        if self.view().get(&table::ORIGIN, &row)? == Some(erased.evidence) {
            self.changes.delete(&table::ORIGIN, &row);
        }
        for share in &erased.brought {
            self.put(&table::BECAME, &(*share, there), &erased.evidence);
            self.item_untold(*share, there)?;
        }
        Ok(())
    }

    /// Lets go of the files of erased evidence; gives their bytes.
    fn files_erased(&mut self, erased: &EvidenceErased) -> Result<u64, Error> {
        let rows = self
            .view()
            .page(&table::FILE, &erased.evidence, None, usize::MAX)?;
        let mut bytes: u64 = 0;
        for (row, file) in rows {
            self.changes.delete(&table::FILE, &row);
            self.blob(file.blake3, |blob| blob.uses = blob.uses.saturating_sub(1))?;
            bytes = bytes.saturating_add(file.size);
        }
        for (row, _) in self
            .view()
            .page(&table::NOTE, &erased.evidence, None, usize::MAX)?
        {
            self.changes.delete(&table::NOTE, &row);
        }
        for (row, _) in self
            .view()
            .page(&table::MARKER, &erased.evidence, None, usize::MAX)?
        {
            self.changes.delete(&table::MARKER, &row);
        }
        self.changes.delete(&table::VIEWS, &erased.evidence);
        self.attachments_erased(erased)?;
        self.undisclosed(erased.evidence)?;
        self.unlinked(erased)?;
        self.renditions_erased(erased.evidence)?;
        for file in &erased.files {
            if let Some(origin) = &erased.origin {
                let row = (origin.organisation, file.blake3);
                self.changes.delete(&table::DELIVERED, &row);
            }
            let held = self.view().get(&table::BLOB, &file.blake3)?;
            if let Some(blob) = held.filter(|_| file.last) {
                self.changes.delete(&table::BLOB, &file.blake3);
                self.changes.delete(&table::UNCOMPARED, &file.blake3);
                self.changes.delete(&table::DAMAGED, &file.blake3);
                let unused = entity::Unused {
                    size: blob.size,
                    place: blob.place,
                };
                self.put(&table::DOOMED_BLOB, &file.blake3, &unused);
            }
        }
        Ok(bytes)
    }

    /// Lets go of what was made to go along with erased evidence.
    fn attachments_erased(&mut self, erased: &EvidenceErased) -> Result<(), Error> {
        for case in &erased.cases {
            for share in self.own_shares(*case)? {
                let key = (share.header.share, erased.evidence);
                self.changes.delete(&table::PREPARED, &key);
                for (row, file) in self.view().page(&table::ATTACHED, &key, None, usize::MAX)? {
                    self.changes.delete(&table::ATTACHED, &row);
                    self.blob(file.blake3, |blob| blob.uses = blob.uses.saturating_sub(1))?;
                }
            }
        }
        Ok(())
    }

    /// Lets go of what was drawn of erased evidence, and of what still was to be.
    fn renditions_erased(&mut self, id: EvidenceId) -> Result<(), Error> {
        for table in [&table::RENDERING, &table::OVERLAID] {
            for (row, _) in self.view().page(table, &id, None, usize::MAX)? {
                self.changes.delete(table, &row);
            }
        }
        let rows = self.view().page(&table::RENDITION, &id, None, usize::MAX)?;
        for (row, rendition) in rows {
            self.changes.delete(&table::RENDITION, &row);
            if let Watermark::Drawn(file) = rendition.watermark {
                self.blob(file.blake3, |blob| blob.uses = blob.uses.saturating_sub(1))?;
            }
        }
        Ok(())
    }

    /// Takes away what is kept of anything that can be deleted, but for that it was.
    fn forget(&mut self, id: Uuid, cases: &[Uuid]) -> Result<(), Error> {
        for (row, _) in self.view().page(&table::LABEL, &id, None, usize::MAX)? {
            self.changes.delete(&table::LABEL, &row);
        }
        self.changes.delete(&table::HELD, &id);
        self.unqueue(id)?;
        // What is about it is about its cases, also where a rebuild can't read it any more; of several it can't tell
        // any more either which of them it was in by then.
        if cases.len() > 1 || self.view().has(&table::LOST, &id)? {
            for ((_, seq), ()) in self.view().page(&table::ABOUT, &id, None, usize::MAX)? {
                for case in cases {
                    self.put(&table::ABOUT, &(*case, seq), &());
                }
            }
            self.changes.delete(&table::LOST, &id);
        }
        self.gone(id);
        Ok(())
    }

    /// Shares have nothing of erased evidence any more: who follows learns that it was withdrawn; what was delivered
    /// stays the partner's.
    fn unshared(&mut self, erased: &EvidenceErased) -> Result<(), Error> {
        let evidence = erased.evidence;
        for case in &erased.cases {
            self.changes.delete(&table::LEFT_CASE, &(evidence, *case));
            for mut share in self.own_shares(*case)? {
                let id = share.header.share;
                self.out_of_share(&mut share, evidence)?;
                if matches!(share.header.kind, Kind::Advanced(_)) {
                    // Since when something waits can't depend on what is unreadable.
                    share.behind_since = None;
                }
                self.outgoing(Side::Owner, &mut share);
                self.keep(&share);
                self.blank(id, evidence)?;
            }
        }
        Ok(())
    }

    /// Takes the texts of an item out of what a share says of it; what is counted stays.
    pub(super) fn blank(&mut self, share: ShareId, evidence: EvidenceId) -> Result<(), Error> {
        let facts = ShareFacts::new(self.view(), share);
        let item = facts.item(evidence);
        let files = item.as_ref().map_or(0, |item| item.files);
        let files: Vec<_> = (0..files)
            .filter_map(|place| Some((place, facts.file(evidence, place)?)))
            .collect();
        facts.done()?;
        let Some(mut item) = item else {
            return Ok(());
        };
        for place in 0..item.tags {
            let row = (share, Key::Tag(evidence, place));
            self.changes.delete(&table::FACT, &row);
        }
        self.changes
            .delete(&table::FACT, &(share, Key::Fields(evidence)));
        item.title.clear();
        item.folder.clear();
        item.added_at = DateTime::UNIX_EPOCH;
        item.added_by = Value::default();
        item.tags = 0;
        let row = (share, Key::Item(evidence));
        self.put(&table::FACT, &row, &Fact::Item(item));
        for (place, mut file) in files {
            file.name.clear();
            file.format.clear();
            let row = (share, Key::File(evidence, place));
            self.put(&table::FACT, &row, &Fact::File(file));
        }
        Ok(())
    }

    /// A received share tells nothing of an item any more.
    fn item_untold(&mut self, share: ShareId, there: EvidenceId) -> Result<(), Error> {
        let key = EvidenceId::received(share, there);
        self.put(&table::DOOMED_KEY, &key.uuid(), &());
        self.blank(share, there)
    }

    /// What a share lists and is no evidence here tells nothing any more. Of a copy it is not wanted either: should
    /// its case be kept after all, no record may begin whose key is destroyed.
    pub(super) fn items_erased(&mut self, erased: &ItemsErased) -> Result<(), Error> {
        let id = erased.share;
        let mut share = self.get(&table::SHARE, &id)?;
        let own = self.get(&table::NODE, &())?.organisation;
        for item in &erased.items {
            if share.header.owner == own {
                self.blank(id, *item)?;
                continue;
            }
            self.item_untold(id, *item)?;
            let here = EvidenceId::received(id, *item);
            self.put(&table::BECAME, &(id, *item), &here);
            self.gone(here.uuid());
            let row = (id, *item);
            if self.view().has(&table::WANTED, &row)? {
                self.changes.delete(&table::WANTED, &row);
                share.wanted = share.wanted.saturating_sub(1);
            }
        }
        self.incoming(Side::Owner, &share);
        self.keep(&share);
        Ok(())
    }

    /// Keeps that something was deleted.
    fn gone(&mut self, id: Uuid) {
        let gone = entity::Gone {
            at: self.meta.at,
            record: self.meta.seq,
        };
        self.put(&table::GONE, &id, &gone);
    }

    /// A share tells nothing of its case any more.
    fn untold(&mut self, id: ShareId) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &id)?;
        if let Scope::Folders(folders) = &mut share.scope {
            folders.clear();
        }
        self.keep(&share);
        if let Some(set) = share.set {
            let mut said = self.get(&table::SET, &set)?;
            said.message.clear();
            self.put(&table::SET, &set, &said);
        }
        self.changes.delete(&table::MESSAGE, &id);
        for (row, mut said) in self.view().page(&table::RESHARE, &id, None, usize::MAX)? {
            said.message.clear();
            self.put(&table::RESHARE, &row, &said);
        }
        self.put(&table::DOOMED_KEY, &KeyId::texts(id).0, &());
        Ok(())
    }

    pub(super) fn case_erased(&mut self, erased: &CaseErased) -> Result<(), Error> {
        let id = erased.case;
        for ((_, who), ()) in self.view().page(&table::ACCESS, &id, None, usize::MAX)? {
            self.changes.delete(&table::ACCESS, &(id, who));
            self.changes.delete(&table::REACHED, &(who, id));
        }
        for (row, _) in self.view().page(&table::TARGET, &id, None, usize::MAX)? {
            self.changes.delete(&table::TARGET, &row);
        }
        self.case_undisclosed(id)?;
        self.links_erased(id)?;
        self.changes.delete(&table::CASE_NUMBER, &erased.number);
        self.changes.delete(&table::CASE, &id);
        self.forget(id.uuid(), &[id.uuid()])?;
        self.put(&table::DOOMED_KEY, &id.uuid(), &());
        if let Some(import) = erased.import {
            let mut share = self.get(&table::SHARE, &import)?;
            share.case = Some(id);
            share.imported_case = 0;
            self.keep(&share);
            self.put(&table::CASE_SHARE, &(id, import), &());
        }
        let rows = self
            .view()
            .page(&table::CASE_SHARE, &id, None, usize::MAX)?;
        for ((_, share), ()) in rows {
            self.untold(share)?;
            self.over_here(share)?;
        }
        Ok(())
    }

    /// The case of a share is gone: nothing of it waits any more, and nothing is wanted.
    fn over_here(&mut self, id: ShareId) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &id)?;
        let own = self.get(&table::NODE, &())?.organisation;
        if share.header.owner == own {
            share.behind_since = None;
            self.outgoing(Side::Owner, &mut share);
            self.keep(&share);
            return Ok(());
        }
        if share.header.kind != Kind::Copy {
            return Ok(());
        }
        for (row, ()) in self.view().page(&table::WANTED, &id, None, usize::MAX)? {
            self.changes.delete(&table::WANTED, &row);
        }
        share.wanted = 0;
        self.changes
            .delete(&table::FETCH, &(share.header.owner, id));
        self.keep(&share);
        Ok(())
    }

    pub(super) fn erasure_done(&mut self, done: &ErasureDone) {
        for key in &done.keys {
            self.changes.delete(&table::DOOMED_KEY, key);
        }
        for digest in &done.blobs {
            self.changes.delete(&table::DOOMED_BLOB, digest);
        }
    }
}
