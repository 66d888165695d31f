//! What becomes of a received share's evidence: copies and imports are this node's own, the rest stays
//! sealed.

use interdocket_sync::evidence::Item;
use interdocket_sync::id::CaseId;
use interdocket_sync::metadata::Value;
use interdocket_sync::share::{Facts as _, Hold, Kind};

use super::{ShareFacts, Step};
use crate::actions::Actor;
use crate::actions::case::Origin;
use crate::event::{
    Became, CaseImported, CaseUpdated, EvidenceImported, EvidenceReceived, EvidenceSealed,
    ImportAsked, ImportEnded, SealedErased,
};
use crate::rules;
use crate::store::project::Error;
use crate::store::{entity, table};

impl Step<'_> {
    /// What this node holds of a received copy becomes its own evidence.
    pub(in super::super) fn evidence_received(
        &mut self,
        received: &EvidenceReceived,
    ) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &received.share)?;
        let case = share.case.ok_or(Error::Dangling(self.meta.seq))?;
        for became in &received.items {
            let origin = &became.origin;
            let facts = ShareFacts::new(self.view(), received.share);
            let item = facts.item(*origin);
            let metadata = item.as_ref().map(|item| facts.metadata(*origin, item));
            let metadata = metadata.unwrap_or_default();
            let files: Option<Vec<_>> = item.as_ref().and_then(|item| {
                (0..item.files)
                    .map(|place| facts.file(*origin, place))
                    .collect()
            });
            facts.done()?;
            let (Some(item), Some(files)) = (item, files) else {
                return Err(Error::Dangling(self.meta.seq));
            };
            let item = Item {
                evidence: *origin,
                title: item.title,
                folder: item.folder,
                added_at: item.added_at,
                added_by: item.added_by,
                metadata,
                files,
            };
            self.own(&share, case, item, *became)?;
        }
        let origins: Vec<_> = received.items.iter().map(|item| item.origin).collect();
        self.again(&mut share, &origins)?;
        // The statement that they are stored follows in the same group of records; the last one of
        // them finds nothing wanted any more. What was stated before, and lost, is not wanted already.
        let mut unsaid = 0;
        for evidence in &origins {
            let row = (received.share, *evidence);
            unsaid += u64::from(self.view().has(&table::WANTED, &row)?);
        }
        if share.wanted <= unsaid {
            self.changes
                .delete(&table::FETCH, &(share.header.owner, received.share));
        }
        Ok(())
    }

    /// What its owner erased before it was told how it reads is known by its digests, and by when it came.
    fn untitled(&self, item: &mut Item) {
        // A name that is told is never empty.
        if item.files.iter().any(|file| !file.name.is_empty()) {
            return;
        }
        for file in &mut item.files {
            file.name = file.blake3.to_string();
        }
        if let Some(first) = item.files.first() {
            item.title.clone_from(&first.name);
        }
        item.added_at = self.meta.at;
    }

    /// An item of a share becomes evidence of this node's own. Where a record of it is here already, it has that in
    /// one more case, with what files are new; it stays described as it is.
    fn own(
        &mut self,
        share: &entity::Share,
        case: CaseId,
        mut item: Item,
        became: Became,
    ) -> Result<(), Error> {
        self.untitled(&mut item);
        let (header, id) = (&share.header, became.id);
        self.put(&table::BECAME, &(header.share, item.evidence), &id);
        let known = self.view().get(&table::EVIDENCE, &id)?;
        let new = known.is_none();
        let mut evidence = known.unwrap_or_else(|| self.evidence_of(share, &item));
        let held = self.view().page(&table::FILE, &id, None, usize::MAX)?;
        let mut grown: u64 = 0;
        for file in &item.files {
            self.put(&table::DELIVERED, &(header.owner, file.blake3), &());
            let same = |held: &entity::File| (held.blake3, held.kind) == (file.blake3, file.kind);
            if held.iter().any(|(_, held)| same(held)) {
                continue;
            }
            let place = evidence.files;
            self.file(id, place, file)?;
            self.watermarked(header.owner, &item, (id, place), file)?;
            evidence.files += 1;
            grown = grown.saturating_add(file.size);
        }
        self.put(&table::EVIDENCE, &id, &evidence);
        if new {
            self.metadata_received(id, &item.metadata)?;
        }
        if !became.apart {
            self.put(&table::ORIGIN, &(header.owner, item.evidence), &id);
        }
        self.grown(id, grown)?;
        match self.view().has(&table::CASE_EVIDENCE, &(case, id))? {
            true => Ok(()),
            false => self.included(case, id, &item.folder),
        }
    }

    /// What is kept of an item of a share that becomes a new record, but for its files.
    fn evidence_of(&self, share: &entity::Share, item: &Item) -> entity::Evidence {
        let header = &share.header;
        entity::Evidence {
            title: item.title.clone(),
            added_at: self.meta.at,
            uploaded_at: item.added_at,
            dated_at: item.added_at.min(self.meta.at),
            added_by: Value {
                text: item.added_by.text.clone(),
                organisation: item.added_by.organisation.or(Some(header.owner)),
            },
            files: 0,
            origin: Some(Origin {
                organisation: header.owner,
                share: header.share,
                id: item.evidence.uuid(),
            }),
        }
    }

    pub(in super::super) fn evidence_sealed(
        &mut self,
        sealed: &EvidenceSealed,
    ) -> Result<(), Error> {
        for part in &sealed.parts {
            let kept = entity::Sealed {
                blake3: part.blake3,
                size: part.size,
                place: part.place,
            };
            self.put(&table::SEALED, &(sealed.share, part.file, part.part), &kept);
            self.put(&table::SEALED_BLOB, &part.blake3, &sealed.share);
        }
        if !sealed.again.is_empty() {
            let mut share = self.get(&table::SHARE, &sealed.share)?;
            self.again(&mut share, &sealed.again)?;
        }
        Ok(())
    }

    pub(in super::super) fn sealed_erased(&mut self, erased: &SealedErased) -> Result<(), Error> {
        let header = self.get(&table::SHARE, &erased.share)?.header;
        let owner = header.owner;
        for file in &erased.files {
            let key = (erased.share, *file);
            let parts = self.view().page(&table::SEALED, &key, None, usize::MAX)?;
            for (part, sealed) in parts {
                self.changes.delete(&table::SEALED, &part);
                self.changes.delete(&table::SEALED_BLOB, &sealed.blake3);
            }
            self.changes
                .delete(&table::ERASING, &(owner, erased.share, *file));
        }
        self.wanted_again(erased.share, &erased.again)?;
        let left = self.view().page(&table::SEALED, &erased.share, None, 1)?;
        let stated = header.purged != 0 || header.hold == Hold::Closed;
        if stated && left.is_empty() {
            self.changes.delete(&table::PURGE, &(owner, erased.share));
        }
        Ok(())
    }

    pub(in super::super) fn import_asked(
        &mut self,
        asked: &ImportAsked,
        by: Option<&Actor>,
    ) -> Result<(), Error> {
        let share = self.get(&table::SHARE, &asked.share)?;
        let import = entity::Import {
            through: share.header.owner_log.point.count,
            by: by.cloned(),
            recipient: asked.recipient.clone(),
            only: asked.evidence.clone(),
        };
        self.put(&table::IMPORT, &(share.header.owner, asked.share), &import);
        Ok(())
    }

    pub(in super::super) fn import_ended(&mut self, ended: &ImportEnded) -> Result<(), Error> {
        let share = self.get(&table::SHARE, &ended.share)?;
        let key = (share.header.owner, ended.share);
        let asked = self.view().get(&table::IMPORT, &key)?;
        let Some(asked) = asked.filter(|asked| asked.through <= ended.through) else {
            return Ok(());
        };
        self.changes.delete(&table::IMPORT, &key);
        // What somebody asked for took the place of what this node does by itself.
        let role = self.get(&table::NODE, &())?.role;
        if let Kind::Advanced(policy) = share.header.kind
            && rules::imports(role, policy)
            && asked.by.is_some()
        {
            let import = entity::Import {
                by: None,
                recipient: String::new(),
                only: Vec::new(),
                ..asked
            };
            self.put(&table::IMPORT, &key, &import);
        }
        Ok(())
    }

    pub(in super::super) fn case_imported(&mut self, imported: &CaseImported) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &imported.share)?;
        let made = &imported.case;
        let origin = Origin {
            organisation: share.header.owner,
            share: imported.share,
            id: imported.origin.uuid(),
        };
        self.case_made(made, Some(origin), None)?;
        self.targets_received(made.id, imported.share, &imported.targets)?;
        self.tagged(made.id.uuid(), &imported.tags);
        self.access_of_recipients(made.id, &imported.recipients)?;
        let key = (share.header.owner, imported.share);
        let asked = self.view().get(&table::IMPORT, &key)?;
        self.access_of_maker(made.id, asked.and_then(|asked| asked.by).as_ref())?;
        self.put(&table::CASE_SHARE, &(made.id, imported.share), &());
        share.case = Some(made.id);
        share.imported_case = share.header.case;
        self.keep(&share);
        Ok(())
    }

    pub(in super::super) fn case_updated(&mut self, updated: &CaseUpdated) -> Result<(), Error> {
        self.case_edited(&updated.case)?;
        self.targets_received(updated.case.id, updated.share, &updated.targets)?;
        self.tagged(updated.case.id.uuid(), &updated.tags);
        let mut share = self.get(&table::SHARE, &updated.share)?;
        share.imported_case = updated.described;
        self.keep(&share);
        Ok(())
    }

    pub(in super::super) fn evidence_imported(
        &mut self,
        imported: &EvidenceImported,
    ) -> Result<(), Error> {
        let mut share = self.get(&table::SHARE, &imported.share)?;
        let item = imported.item.clone();
        self.own(&share, imported.case, item, imported.became)?;
        // Where a node imports by itself nothing is sealed beside: what it had lost is here again.
        let role = self.get(&table::NODE, &())?.role;
        if matches!(share.header.kind, Kind::Advanced(policy) if rules::imports(role, policy)) {
            self.again(&mut share, &[imported.item.evidence])?;
        }
        Ok(())
    }
}
