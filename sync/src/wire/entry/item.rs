//! Items, files and cases: what is listed of them, and how they read.

use interdocket_proto::v1;
use prost::Message as _;

use super::text::OVERHEAD;
use super::{Malformed, WHAT, all, array, time};
use crate::blob::{Digest, Sha256};
use crate::copy::Field;
use crate::evidence::{File, FileKind, Item};
use crate::id::{EvidenceId, TargetId};
use crate::identity::OrganisationId;
use crate::log::entry::{CaseInfo, ItemChange, Target};
use crate::metadata::{Metadata, Tag, Value};

pub(crate) fn write_info(info: &CaseInfo) -> v1::CaseInfo {
    let target = |target: &Target| v1::Target {
        id: target.id.as_bytes().to_vec().into(),
        name: target.name.clone(),
        description: target.description.clone(),
    };
    v1::CaseInfo {
        number: info.number.clone(),
        title: info.title.clone(),
        description: info.description.clone(),
        targets: info.targets.iter().map(target).collect(),
        tags: info.tags.iter().map(write_tag).collect(),
    }
}

pub(crate) fn read_info(info: Option<v1::CaseInfo>) -> Result<CaseInfo, Malformed> {
    let info = info.ok_or(Malformed("a case"))?;
    let target = |target: v1::Target| {
        Ok(Target {
            id: TargetId::from_slice(&target.id).map_err(|_| Malformed("a target"))?,
            name: target.name,
            description: target.description,
        })
    };
    Ok(CaseInfo {
        number: info.number,
        title: info.title,
        description: info.description,
        targets: all(info.targets, target)?,
        tags: all(info.tags, read_tag)?,
    })
}

/// An item as it is listed; its text is apart.
pub(super) fn write_listed(item: &Item) -> v1::Item {
    v1::Item {
        evidence: item.evidence.as_bytes().to_vec().into(),
        files: item.files.iter().map(write_file).collect(),
        text: None,
    }
}

pub(super) fn write_item_text(item: &Item) -> v1::ItemText {
    let file = |file: &File| v1::FileText {
        name: file.name.clone(),
        format: file.format.clone(),
    };
    v1::ItemText {
        title: item.title.clone(),
        folder: item.folder.clone(),
        metadata: Some(write_metadata(&item.metadata)),
        added_at: item.added_at.timestamp_micros(),
        added_by: Some(write_value(&item.added_by)),
        files: item.files.iter().map(file).collect(),
    }
}

pub(crate) fn write_item(item: &Item) -> v1::Item {
    v1::Item {
        text: Some(write_item_text(item)),
        ..write_listed(item)
    }
}

/// An item that is listed, with its text where that is there.
pub(super) fn read_listed(item: v1::Item, text: Option<v1::ItemText>) -> Result<Item, Malformed> {
    let evidence = EvidenceId::from_slice(&item.evidence).map_err(|_| WHAT)?;
    let files: Vec<File> = all(item.files, read_file)?;
    let Some(text) = text else {
        return Ok(Item::outline(evidence, files));
    };
    if text.files.len() != files.len() {
        return Err(WHAT);
    }
    let named = |(file, text): (File, v1::FileText)| File {
        name: text.name,
        format: text.format,
        ..file
    };
    Ok(Item {
        evidence,
        title: text.title,
        folder: text.folder,
        added_at: time(text.added_at)?,
        added_by: read_value(text.added_by)?,
        files: files.into_iter().zip(text.files).map(named).collect(),
        metadata: read_metadata(text.metadata)?,
    })
}

pub(crate) fn read_item(mut item: v1::Item) -> Result<Item, Malformed> {
    let text = item.text.take().ok_or(WHAT)?;
    read_listed(item, Some(text))
}

pub(super) fn write_change_text(change: &ItemChange) -> v1::ItemText {
    v1::ItemText {
        title: change.title.clone(),
        folder: change.folder.clone(),
        metadata: Some(write_metadata(&change.metadata)),
        ..v1::ItemText::default()
    }
}

pub(super) fn read_change(
    evidence: EvidenceId,
    text: Option<v1::ItemText>,
) -> Result<ItemChange, Malformed> {
    let text = text.unwrap_or_default();
    Ok(ItemChange {
        evidence,
        title: text.title,
        folder: text.folder,
        metadata: read_metadata(text.metadata)?,
    })
}

fn write_metadata(metadata: &Metadata) -> v1::Metadata {
    let field = |(field, value): (&Field, &Value)| v1::Field {
        field: field.number(),
        value: Some(write_value(value)),
    };
    v1::Metadata {
        fields: metadata.fields.iter().map(field).collect(),
        tags: metadata.tags.iter().map(write_tag).collect(),
    }
}

/// Fields that a newer release brings are left out; one that is there twice is nobody's.
fn read_metadata(metadata: Option<v1::Metadata>) -> Result<Metadata, Malformed> {
    let metadata = metadata.unwrap_or_default();
    let mut read = Metadata {
        tags: all(metadata.tags, read_tag)?,
        ..Metadata::default()
    };
    for field in all(metadata.fields, Ok)? {
        let Some(known) = Field::numbered(field.field) else {
            continue;
        };
        let value = read_value(field.value)?;
        if read.fields.insert(known, value).is_some() {
            return Err(WHAT);
        }
    }
    Ok(read)
}

fn write_value(value: &Value) -> v1::Value {
    let organisation = value.organisation.map(|id| id.as_bytes().to_vec());
    v1::Value {
        text: value.text.clone(),
        organisation: organisation.unwrap_or_default().into(),
    }
}

fn read_value(value: Option<v1::Value>) -> Result<Value, Malformed> {
    let value = value.unwrap_or_default();
    let organisation = match value.organisation.is_empty() {
        true => None,
        false => Some(array(&value.organisation, "an organisation")?),
    };
    Ok(Value {
        text: value.text,
        organisation: organisation.map(OrganisationId::from_bytes),
    })
}

fn write_tag(tag: &Tag) -> v1::Tag {
    v1::Tag {
        text: tag.text.clone(),
        from: tag.from.number(),
    }
}

/// What a newer release makes a tag of is a tag here.
fn read_tag(tag: v1::Tag) -> Result<Tag, Malformed> {
    Ok(Tag {
        text: tag.text,
        from: Field::numbered(tag.from).unwrap_or(Field::Tags),
    })
}

fn write_file(file: &File) -> v1::File {
    v1::File {
        size: file.size,
        blake3: file.blake3.0.to_vec().into(),
        sha256: file.sha256.0.to_vec().into(),
        kind: write_kind(file.kind).into(),
    }
}

fn read_file(file: v1::File) -> Result<File, Malformed> {
    Ok(File {
        name: String::new(),
        size: file.size,
        blake3: Digest(array(&file.blake3, "a digest")?),
        sha256: Sha256(array(&file.sha256, "a digest")?),
        kind: read_kind(file.kind)?,
        format: String::new(),
    })
}

const fn write_kind(kind: FileKind) -> v1::FileKind {
    match kind {
        FileKind::Original => v1::FileKind::Original,
        FileKind::GpsTrack => v1::FileKind::GpsTrack,
        FileKind::Transcript => v1::FileKind::Transcript,
        FileKind::AuditTrail => v1::FileKind::AuditTrail,
        FileKind::Notes => v1::FileKind::Notes,
        FileKind::Markers => v1::FileKind::Markers,
    }
}

fn read_kind(kind: i32) -> Result<FileKind, Malformed> {
    match v1::FileKind::try_from(kind) {
        Ok(v1::FileKind::Original) => Ok(FileKind::Original),
        Ok(v1::FileKind::GpsTrack) => Ok(FileKind::GpsTrack),
        Ok(v1::FileKind::Transcript) => Ok(FileKind::Transcript),
        Ok(v1::FileKind::AuditTrail) => Ok(FileKind::AuditTrail),
        Ok(v1::FileKind::Notes) => Ok(FileKind::Notes),
        Ok(v1::FileKind::Markers) => Ok(FileKind::Markers),
        Ok(v1::FileKind::Unspecified) | Err(_) => Err(Malformed("a kind of file")),
    }
}

/// Bytes that an item takes in an entry, with room for its own framing.
pub(crate) fn size(item: &Item) -> usize {
    write_listed(item).encoded_len() + write_item_text(item).encoded_len() + 8 + OVERHEAD
}

/// Bytes that a change takes in an entry, with room for its own framing.
pub(crate) fn change_size(change: &ItemChange) -> usize {
    change.evidence.as_bytes().len() + write_change_text(change).encoded_len() + 8 + OVERHEAD
}
