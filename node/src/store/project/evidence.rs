//! Evidence: what it is, what is said of it, and its files.

use std::collections::BTreeMap;

use interdocket_sync::blob::Digest;
use interdocket_sync::copy::Field;
use interdocket_sync::evidence::{File, Item};
use interdocket_sync::id::EvidenceId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::metadata::{Metadata, Tag, Value};
use uuid::Uuid;

use super::{Error, Step};
use crate::actions::evidence::rendition;
use crate::actions::metadata::multicam;
use crate::actions::people;
use crate::event::{
    AttachmentsMade, Entry, EvidenceAdded, EvidenceEdited, FileAttached, Matter, NoteAdded,
    RenditionMade, TagsChanged, Watermark,
};
use crate::store::{entity, table};

impl Step<'_> {
    pub(super) fn evidence_added(
        &mut self,
        added: &EvidenceAdded,
        entry: &Entry,
    ) -> Result<(), Error> {
        let evidence = entity::Evidence {
            title: added.title.clone(),
            added_at: self.meta.at,
            uploaded_at: self.meta.at,
            dated_at: self.meta.at,
            added_by: entry
                .actor
                .as_ref()
                .map_or_else(Value::default, people::named),
            files: 1,
            origin: None,
        };
        self.put(&table::EVIDENCE, &added.id, &evidence);
        self.file(added.id, 0, &added.file.clone().told())?;
        self.included(added.case, added.id, &added.folder)
    }

    pub(super) fn evidence_edited(&mut self, edited: &EvidenceEdited) -> Result<(), Error> {
        let mut evidence = self.get(&table::EVIDENCE, &edited.id)?;
        evidence.title.clone_from(&edited.title);
        self.put(&table::EVIDENCE, &edited.id, &evidence);
        let held = self.view().get(&table::FIELDS, &edited.id)?;
        let mut fields = held.unwrap_or_default();
        for (field, text) in &edited.fields {
            match text {
                Some(text) => drop(fields.insert(*field, Value::from(text.as_str()))),
                None => drop(fields.remove(field)),
            }
        }
        self.fields(edited.id, fields)?;
        self.evidence_followed(edited.id)
    }

    pub(super) fn tags_changed(&mut self, changed: &TagsChanged) -> Result<(), Error> {
        let about = changed.what.id();
        let key = |text: &String| (about, changed.kind.number(), text.clone());
        for text in &changed.removed {
            self.changes.delete(&table::LABEL, &key(text));
        }
        for text in &changed.added {
            let label = entity::Label { from: changed.kind };
            self.put(&table::LABEL, &key(text), &label);
        }
        match changed.what {
            Matter::Case(case) => self.case_followed(case),
            Matter::Evidence(evidence) => self.evidence_followed(evidence),
        }
    }

    pub(super) fn file_attached(&mut self, attached: &FileAttached) -> Result<(), Error> {
        let mut evidence = self.get(&table::EVIDENCE, &attached.evidence)?;
        self.file(
            attached.evidence,
            evidence.files,
            &attached.file.clone().told(),
        )?;
        evidence.files += 1;
        self.put(&table::EVIDENCE, &attached.evidence, &evidence);
        self.grown(attached.evidence, attached.file.size)
    }

    pub(super) fn viewed(
        &mut self,
        id: EvidenceId,
        count: impl FnOnce(&mut entity::Views),
    ) -> Result<(), Error> {
        let mut views = self.view().get(&table::VIEWS, &id)?.unwrap_or_default();
        count(&mut views);
        views.last = Some(self.meta.at);
        self.put(&table::VIEWS, &id, &views);
        Ok(())
    }

    pub(super) fn note_added(&mut self, added: &NoteAdded, entry: &Entry) -> Result<(), Error> {
        let note = entity::Note {
            at: self.meta.at,
            by: entry
                .actor
                .as_ref()
                .map_or_else(Value::default, people::named),
            text: added.text.clone(),
        };
        let seq = self.meta.seq;
        self.put(&table::NOTE, &(added.evidence, seq), &note);
        Ok(())
    }

    pub(super) fn attachments_made(&mut self, made: &AttachmentsMade) -> Result<(), Error> {
        for (evidence, files) in &made.items {
            for (place, added) in (0..).zip(files) {
                let file = added.clone().told();
                let key = (made.share, *evidence, place);
                self.put(&table::ATTACHED, &key, &entity::File::received(&file));
                self.used(file.blake3)?;
            }
            let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
            self.put(&table::PREPARED, &(made.share, *evidence), &count);
        }
        Ok(())
    }

    /// Has a watermark be drawn for a file that was received, where it is video.
    pub(super) fn watermarked(
        &mut self,
        source: OrganisationId,
        item: &Item,
        key: (EvidenceId, u32),
        file: &File,
    ) -> Result<(), Error> {
        if !rendition::video(file) || self.view().has(&table::RENDITION, &key)? {
            return Ok(());
        }
        let partner = self.view().get(&table::PARTNER, &source)?;
        let name = partner.map_or_else(|| source.to_string(), |partner| partner.name);
        let text = rendition::text(&name, &item.metadata.fields);
        self.put(&table::RENDERING, &key, &text);
        Ok(())
    }

    pub(super) fn rendition_made(&mut self, made: &RenditionMade) -> Result<(), Error> {
        let key = (made.evidence, made.file);
        self.changes.delete(&table::RENDERING, &key);
        self.changes.delete(&table::OVERLAID, &key);
        match &made.watermark {
            Watermark::Drawn(file) => self.used(file.blake3)?,
            Watermark::Unavailable => self.put(&table::OVERLAID, &key, &made.text),
            Watermark::Failed => {}
        }
        let rendition = entity::Rendition {
            text: made.text.clone(),
            watermark: made.watermark.clone(),
        };
        self.put(&table::RENDITION, &key, &rendition);
        Ok(())
    }

    /// Keeps what is said of evidence that was received.
    pub(super) fn metadata_received(
        &mut self,
        id: EvidenceId,
        metadata: &Metadata,
    ) -> Result<(), Error> {
        self.tagged(id.uuid(), &metadata.tags);
        self.fields(id, metadata.fields.clone())
    }

    /// Labels evidence or a case with tags that were received.
    pub(super) fn tagged(&mut self, about: Uuid, tags: &[Tag]) {
        for tag in tags {
            let key = (about, Field::Tags.number(), tag.text.clone());
            self.put(&table::LABEL, &key, &entity::Label { from: tag.from });
        }
    }

    /// Keeps the fields of evidence, and what it has in common with other recordings.
    fn fields(&mut self, id: EvidenceId, fields: BTreeMap<Field, Value>) -> Result<(), Error> {
        let held = self.view().get(&table::FIELDS, &id)?;
        if held.is_none() && fields.is_empty() {
            return Ok(());
        }
        for case in self.cases_of(id)? {
            if let Some(before) = held.as_ref().and_then(event) {
                self.changes.delete(&table::MULTICAM, &(case, before, id));
            }
            if let Some(now) = event(&fields) {
                self.put(&table::MULTICAM, &(case, now, id), &());
            }
        }
        self.put(&table::FIELDS, &id, &fields);
        self.date(id, &fields)
    }

    /// Keeps a file of evidence at its place.
    pub(super) fn file(&mut self, id: EvidenceId, place: u32, file: &File) -> Result<(), Error> {
        self.put(&table::FILE, &(id, place), &entity::File::received(file));
        self.used(file.blake3)
    }
}

/// What a recording has in common with others of its event.
pub(super) fn event(fields: &BTreeMap<Field, Value>) -> Option<Digest> {
    let value = fields.get(&Field::Multicam)?;
    Some(multicam(&value.text))
}
