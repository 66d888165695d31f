//! Entries on the wire.

use interdocket_proto::v1;
use prost::Message as _;

use super::head::{side, side_number};
use super::{Malformed, array, micros, time};
use crate::blob::{Digest, Sha256};
use crate::copy::Field;
use crate::evidence::{File, FileKind, Item};
use crate::id::{ActorId, CaseId, EvidenceId, ShareId, TargetId};
use crate::identity::OrganisationId;
use crate::limits;
use crate::log::entry::{
    Actor, Body, CaseInfo, DeclineReason, Entry, ItemChange, Offered, Place, Purged, RecallAnswer,
    Reshared, StoredItem, Target, commitment, hash, message as bounded, recipients,
};
use crate::log::{Point, Side};
use crate::metadata::{Metadata, Tag, Value};
use crate::refusal::Refusal;
use crate::share::Totals;

const WHAT: Malformed = Malformed("an entry");

/// Writes an entry, and gives it as its reader will see it: times are cut to what the wire holds.
pub(crate) fn encode(place: &Place, mut body: Body, salt: &[u8; 16]) -> Entry {
    if let Body::EvidenceAdded(items) = &mut body {
        for item in items {
            item.added_at = micros(item.added_at);
        }
    }
    let (kind, critical, payload) = (kind(&body) as i32, critical(&body), write(&body));
    let header = v1::EntryHeader {
        share: place.share.as_bytes().to_vec().into(),
        side: side_number(place.side),
        number: place.after.count + 1,
        previous: place.after.hash.to_vec().into(),
        other_count: place.other.count,
        other_hash: place.other.hash.to_vec().into(),
        at: place.at.timestamp_micros(),
        r#type: kind,
        critical,
        commitment: commitment(salt, &payload).to_vec().into(),
    }
    .encode_to_vec();
    let hash = hash(&header);
    let message = v1::Entry {
        header: header.into(),
        salt: salt.to_vec().into(),
        body: payload.into(),
    };
    Entry {
        share: place.share,
        side: place.side,
        number: place.after.count + 1,
        previous: place.after.hash,
        other: place.other,
        at: micros(place.at),
        kind,
        critical,
        body,
        bytes: message.encode_to_vec(),
        hash,
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Entry, Malformed> {
    let entry = parse(bytes, false)?;
    check(&entry.body).map_err(|_| WHAT)?;
    Ok(entry)
}

pub(crate) fn kept(bytes: &[u8]) -> Result<Entry, Malformed> {
    parse(bytes, true)
}

pub(crate) fn redacted(entry: &Entry) -> Vec<u8> {
    let header = v1::Entry::decode(entry.bytes.as_slice())
        .map(|message| message.header)
        .unwrap_or_default();
    v1::Entry {
        header,
        salt: Default::default(),
        body: write(&entry.body.redacted()).into(),
    }
    .encode_to_vec()
}

fn parse(bytes: &[u8], ours: bool) -> Result<Entry, Malformed> {
    let message = v1::Entry::decode(bytes).map_err(|_| WHAT)?;
    let header = v1::EntryHeader::decode(message.header.clone()).map_err(|_| WHAT)?;
    let side = side(header.side)?;
    let previous = array(&header.previous, "a hash")?;
    if message.header.len() > limits::ENTRY_HEADER_MAX
        || message.body.len() > limits::ENTRY_BODY_MAX
        || header.number == 0
        || (header.number == 1) != (previous == [0; 32])
    {
        return Err(WHAT);
    }
    let committed = array(&header.commitment, "a commitment")?;
    let unsalted = message.salt.is_empty();
    let body = if unsalted && message.body.is_empty() && withholds(header.r#type, side) {
        Body::Unread
    } else if unsalted && ours {
        read(header.r#type, side, &message.body)?
    } else {
        // Of one length always: else bytes could move between salt and body under one commitment.
        let salt = message.salt.as_ref().try_into().map_err(|_| WHAT)?;
        if committed != commitment(salt, &message.body) {
            return Err(Malformed("an entry: its body does not match its header"));
        }
        read(header.r#type, side, &message.body)?
    };
    Ok(Entry {
        share: ShareId::from_slice(&header.share).map_err(|_| WHAT)?,
        side,
        number: header.number,
        previous,
        other: Point {
            count: header.other_count,
            hash: array(&header.other_hash, "a hash")?,
        },
        at: time(header.at)?,
        kind: header.r#type,
        critical: header.critical,
        body,
        hash: hash(&message.header),
        bytes: bytes.to_vec(),
    })
}

const fn kind(body: &Body) -> v1::EntryType {
    use v1::EntryType as Type;
    match body {
        Body::Offered(..) => Type::Offered,
        Body::EvidenceAdded(_) => Type::EvidenceAdded,
        Body::Listed(..) => Type::Listed,
        Body::Ended(_) => Type::Ended,
        Body::Cancelled(_) => Type::Cancelled,
        Body::EvidenceChanged(_) => Type::EvidenceChanged,
        Body::EvidenceWithdrawn(_) => Type::EvidenceWithdrawn,
        Body::CaseChanged(..) => Type::CaseChanged,
        Body::RecipientsChanged(..) => Type::RecipientsChanged,
        Body::ImportGranted(_) => Type::ImportGranted,
        Body::Suspended(_) => Type::Suspended,
        Body::Resumed(_) => Type::Resumed,
        Body::Revoked(_) => Type::Revoked,
        Body::Accepted(_) => Type::Accepted,
        Body::Stored(_) => Type::Stored,
        Body::Imported(_) => Type::Imported,
        Body::Purged(_) => Type::Purged,
        Body::SharedOnward(..) => Type::SharedOnward,
        Body::Reshared(..) => Type::Reshared,
        Body::RecallAsked(..) => Type::RecallAsked,
        Body::RecallAnswered(..) => Type::RecallAnswered,
        Body::Declined(..) => Type::Declined,
        Body::Unread => Type::Unspecified,
    }
}

/// Whether a reader that does not know the type must stop before it. A recall is a wish: whoever can't read it goes on.
const fn critical(body: &Body) -> bool {
    !matches!(body, Body::RecallAsked(..) | Body::RecallAnswered(..))
}

#[expect(clippy::too_many_lines, reason = "a few lines for each type")]
fn write(body: &Body) -> Vec<u8> {
    match body {
        Body::Offered(terms, offered) => write_offered(*terms, offered).encode_to_vec(),
        Body::EvidenceAdded(items) => {
            let items = items.iter().map(write_item).collect();
            v1::EvidenceAdded { items }.encode_to_vec()
        }
        Body::Listed(actor, update) => v1::Listed {
            actor: Some(write_actor(actor)),
            update: *update,
        }
        .encode_to_vec(),
        Body::Ended(actor)
        | Body::Cancelled(actor)
        | Body::ImportGranted(actor)
        | Body::Suspended(actor)
        | Body::Resumed(actor)
        | Body::Revoked(actor) => only(actor),
        Body::EvidenceChanged(changes) => {
            let items = changes.iter().map(write_change).collect();
            v1::EvidenceChanged { items }.encode_to_vec()
        }
        Body::EvidenceWithdrawn(ids) => {
            let evidence = ids.iter().map(|id| id.as_bytes().to_vec().into()).collect();
            v1::EvidenceWithdrawn { evidence }.encode_to_vec()
        }
        Body::CaseChanged(actor, info) => v1::CaseChanged {
            actor: Some(write_actor(actor)),
            info: Some(write_info(info)),
        }
        .encode_to_vec(),
        Body::RecipientsChanged(actor, recipients) => v1::RecipientsChanged {
            actor: Some(write_actor(actor)),
            recipients: recipients.clone(),
        }
        .encode_to_vec(),
        Body::SharedOnward(actor, recipients) => v1::SharedOnward {
            actor: Some(write_actor(actor)),
            recipients: recipients.clone(),
        }
        .encode_to_vec(),
        Body::Accepted(actor) => {
            let actor = actor.as_ref().map(write_actor);
            v1::Accepted { actor }.encode_to_vec()
        }
        Body::Stored(items) => {
            let items = items.iter().map(write_stored).collect();
            v1::Stored { items }.encode_to_vec()
        }
        Body::Imported(items) => {
            let items = items.iter().map(write_stored).collect();
            v1::Imported { items }.encode_to_vec()
        }
        Body::Purged(purged) => v1::Purged {
            erased: Some(write_totals(purged.erased)),
            kept: Some(write_totals(purged.kept)),
        }
        .encode_to_vec(),
        Body::Reshared(actor, said) => v1::Reshared {
            actor: Some(write_actor(actor)),
            recipients: said.recipients.clone(),
            message: said.message.clone(),
        }
        .encode_to_vec(),
        Body::RecallAsked(actor, reason) => v1::RecallAsked {
            actor: Some(write_actor(actor)),
            reason: reason.clone(),
        }
        .encode_to_vec(),
        Body::RecallAnswered(actor, answer) => v1::RecallAnswered {
            actor: Some(write_actor(actor)),
            granted: answer.granted,
            reason: answer.reason.clone(),
        }
        .encode_to_vec(),
        Body::Declined(actor, reason) => v1::Declined {
            actor: Some(write_actor(actor)),
            reason: write_reason(*reason) as i32,
        }
        .encode_to_vec(),
        Body::Unread => Vec::new(),
    }
}

const fn write_reason(reason: DeclineReason) -> v1::DeclineReason {
    match reason {
        DeclineReason::Misdirected => v1::DeclineReason::Misdirected,
        DeclineReason::Unneeded => v1::DeclineReason::Unneeded,
        DeclineReason::NotAllowed => v1::DeclineReason::NotAllowed,
        DeclineReason::Unclear => v1::DeclineReason::Unclear,
    }
}

fn read_reason(reason: i32) -> Result<DeclineReason, Malformed> {
    match v1::DeclineReason::try_from(reason) {
        Ok(v1::DeclineReason::Misdirected) => Ok(DeclineReason::Misdirected),
        Ok(v1::DeclineReason::Unneeded) => Ok(DeclineReason::Unneeded),
        Ok(v1::DeclineReason::NotAllowed) => Ok(DeclineReason::NotAllowed),
        Ok(v1::DeclineReason::Unclear) => Ok(DeclineReason::Unclear),
        Ok(v1::DeclineReason::Unspecified) | Err(_) => Err(Malformed("a reason")),
    }
}

/// Ended, Cancelled, ImportGranted, Suspended, Resumed and Revoked say who, in one and the same field.
fn only(actor: &Actor) -> Vec<u8> {
    v1::Ended {
        actor: Some(write_actor(actor)),
    }
    .encode_to_vec()
}

fn only_actor(body: &[u8]) -> Result<Actor, Malformed> {
    read_actor(message::<v1::Ended>(body)?.actor)
}

/// Holds a body to the bounds.
fn check(body: &Body) -> Result<(), Refusal> {
    match body {
        Body::Offered(_, offered) => offered.check(),
        Body::EvidenceAdded(items) => items.iter().try_for_each(Item::check),
        Body::EvidenceChanged(changes) => changes.iter().try_for_each(ItemChange::check),
        Body::CaseChanged(_, info) => info.check(),
        Body::RecipientsChanged(_, names) | Body::SharedOnward(_, names) => recipients(names),
        Body::Reshared(_, said) => said.check(),
        Body::RecallAsked(_, reason) => bounded(reason),
        Body::RecallAnswered(_, answer) => bounded(&answer.reason),
        _ => Ok(()),
    }
}

/// Only disclosures and unknown types may come without a body: what changes a share's state is said.
fn withholds(kind: i32, side: Side) -> bool {
    use v1::EntryType as Type;
    match Type::try_from(kind) {
        Err(_) => true,
        Ok(kind) => (side, kind) == (Side::Owner, Type::EvidenceAdded),
    }
}

/// A type that is not known is unread: admission judges it. A known one stands in its own log only.
#[expect(clippy::too_many_lines, reason = "a few lines for each type")]
fn read(kind: i32, side: Side, body: &[u8]) -> Result<Body, Malformed> {
    use v1::EntryType as Type;
    let Ok(kind) = Type::try_from(kind) else {
        return Ok(Body::Unread);
    };
    let body = match (side, kind) {
        (Side::Owner, Type::Offered) => read_offered(message(body)?)?,
        (Side::Owner, Type::EvidenceAdded) => {
            let added: v1::EvidenceAdded = message(body)?;
            Body::EvidenceAdded(all(added.items, read_item)?)
        }
        (Side::Owner, Type::Listed) => {
            let listed: v1::Listed = message(body)?;
            Body::Listed(read_actor(listed.actor)?, listed.update)
        }
        (Side::Owner, Type::Ended) => Body::Ended(only_actor(body)?),
        (Side::Owner, Type::Cancelled) => Body::Cancelled(only_actor(body)?),
        (Side::Owner, Type::EvidenceChanged) => {
            let changed: v1::EvidenceChanged = message(body)?;
            Body::EvidenceChanged(all(changed.items, read_change)?)
        }
        (Side::Owner, Type::EvidenceWithdrawn) => {
            let withdrawn: v1::EvidenceWithdrawn = message(body)?;
            let id = |id: prost::bytes::Bytes| EvidenceId::from_slice(&id).map_err(|_| WHAT);
            Body::EvidenceWithdrawn(all(withdrawn.evidence, id)?)
        }
        (Side::Owner, Type::CaseChanged) => {
            let changed: v1::CaseChanged = message(body)?;
            Body::CaseChanged(read_actor(changed.actor)?, read_info(changed.info)?)
        }
        (Side::Owner, Type::RecipientsChanged) => {
            let changed: v1::RecipientsChanged = message(body)?;
            Body::RecipientsChanged(read_actor(changed.actor)?, changed.recipients)
        }
        (Side::Owner, Type::ImportGranted) => Body::ImportGranted(only_actor(body)?),
        (Side::Owner, Type::Suspended) => Body::Suspended(only_actor(body)?),
        (Side::Owner, Type::Resumed) => Body::Resumed(only_actor(body)?),
        (Side::Owner, Type::Revoked) => Body::Revoked(only_actor(body)?),
        (Side::Partner, Type::Accepted) => {
            let actor = message::<v1::Accepted>(body)?.actor;
            Body::Accepted(actor.map(|actor| read_actor(Some(actor))).transpose()?)
        }
        (Side::Partner, Type::Stored) => {
            let stored: v1::Stored = message(body)?;
            Body::Stored(all(stored.items, read_stored)?)
        }
        (Side::Partner, Type::Imported) => {
            let imported: v1::Imported = message(body)?;
            Body::Imported(all(imported.items, read_stored)?)
        }
        (Side::Partner, Type::Purged) => {
            let purged: v1::Purged = message(body)?;
            Body::Purged(Purged {
                erased: read_totals(purged.erased)?,
                kept: read_totals(purged.kept)?,
            })
        }
        (Side::Partner, Type::SharedOnward) => {
            let shared: v1::SharedOnward = message(body)?;
            Body::SharedOnward(read_actor(shared.actor)?, shared.recipients)
        }
        (Side::Owner, Type::Reshared) => {
            let said: v1::Reshared = message(body)?;
            let reshared = Reshared {
                recipients: said.recipients,
                message: said.message,
            };
            Body::Reshared(read_actor(said.actor)?, reshared)
        }
        (Side::Owner, Type::RecallAsked) => {
            let asked: v1::RecallAsked = message(body)?;
            Body::RecallAsked(read_actor(asked.actor)?, asked.reason)
        }
        (Side::Partner, Type::RecallAnswered) => {
            let said: v1::RecallAnswered = message(body)?;
            let answer = RecallAnswer {
                granted: said.granted,
                reason: said.reason,
            };
            Body::RecallAnswered(read_actor(said.actor)?, answer)
        }
        (Side::Partner, Type::Declined) => {
            let declined: v1::Declined = message(body)?;
            Body::Declined(read_actor(declined.actor)?, read_reason(declined.reason)?)
        }
        _ => return Err(Malformed("an entry: its type has no place in this log")),
    };
    Ok(body)
}

/// As many as one entry holds.
fn all<M, T>(messages: Vec<M>, read: fn(M) -> Result<T, Malformed>) -> Result<Vec<T>, Malformed> {
    if messages.len() > limits::ENTRY_ITEMS_MAX {
        return Err(WHAT);
    }
    messages.into_iter().map(read).collect()
}

fn message<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, Malformed> {
    M::decode(bytes).map_err(|_| WHAT)
}

pub(crate) fn write_actor(actor: &Actor) -> v1::Actor {
    v1::Actor {
        id: actor.id.as_bytes().to_vec().into(),
        name: actor.name.clone(),
        badge: actor.badge.clone(),
    }
}

pub(crate) fn read_actor(actor: Option<v1::Actor>) -> Result<Actor, Malformed> {
    let actor = actor.ok_or(Malformed("an actor"))?;
    let id = ActorId::from_slice(&actor.id).map_err(|_| Malformed("an actor"))?;
    let actor = Actor {
        id,
        name: actor.name,
        badge: actor.badge,
    };
    actor.check().map_err(|_| Malformed("an actor"))?;
    Ok(actor)
}

fn write_offered(terms: [u8; 32], offered: &Offered) -> v1::Offered {
    v1::Offered {
        actor: Some(write_actor(&offered.actor)),
        case: offered.case.as_bytes().to_vec().into(),
        info: Some(write_info(&offered.info)),
        recipients: offered.recipients.clone(),
        message: offered.message.clone(),
        terms: terms.to_vec().into(),
    }
}

fn read_offered(offered: v1::Offered) -> Result<Body, Malformed> {
    let terms = array(&offered.terms, "a digest of terms")?;
    let offered = Offered {
        actor: read_actor(offered.actor)?,
        case: CaseId::from_slice(&offered.case).map_err(|_| WHAT)?,
        info: read_info(offered.info)?,
        recipients: offered.recipients,
        message: offered.message,
    };
    Ok(Body::Offered(terms, offered))
}

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

pub(crate) fn write_item(item: &Item) -> v1::Item {
    v1::Item {
        evidence: item.evidence.as_bytes().to_vec().into(),
        title: item.title.clone(),
        folder: item.folder.clone(),
        added_at: item.added_at.timestamp_micros(),
        added_by: Some(write_value(&item.added_by)),
        files: item.files.iter().map(write_file).collect(),
        metadata: Some(write_metadata(&item.metadata)),
    }
}

pub(crate) fn read_item(item: v1::Item) -> Result<Item, Malformed> {
    let item = Item {
        evidence: EvidenceId::from_slice(&item.evidence).map_err(|_| WHAT)?,
        title: item.title,
        folder: item.folder,
        added_at: time(item.added_at)?,
        added_by: read_value(item.added_by)?,
        files: all(item.files, read_file)?,
        metadata: read_metadata(item.metadata)?,
    };
    Ok(item)
}

fn write_change(change: &ItemChange) -> v1::ItemChange {
    v1::ItemChange {
        evidence: change.evidence.as_bytes().to_vec().into(),
        title: change.title.clone(),
        folder: change.folder.clone(),
        metadata: Some(write_metadata(&change.metadata)),
    }
}

fn read_change(change: v1::ItemChange) -> Result<ItemChange, Malformed> {
    Ok(ItemChange {
        evidence: EvidenceId::from_slice(&change.evidence).map_err(|_| WHAT)?,
        title: change.title,
        folder: change.folder,
        metadata: read_metadata(change.metadata)?,
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

const fn write_totals(totals: Totals) -> v1::Totals {
    v1::Totals {
        evidence: totals.evidence,
        files: totals.files,
        bytes: totals.bytes,
    }
}

fn read_totals(totals: Option<v1::Totals>) -> Result<Totals, Malformed> {
    let totals = totals.ok_or(WHAT)?;
    Ok(Totals {
        evidence: totals.evidence,
        files: totals.files,
        bytes: totals.bytes,
    })
}

fn write_file(file: &File) -> v1::File {
    v1::File {
        name: file.name.clone(),
        size: file.size,
        blake3: file.blake3.0.to_vec().into(),
        sha256: file.sha256.0.to_vec().into(),
        kind: write_kind(file.kind).into(),
        format: file.format.clone(),
    }
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

fn read_file(file: v1::File) -> Result<File, Malformed> {
    Ok(File {
        name: file.name,
        size: file.size,
        blake3: Digest(array(&file.blake3, "a digest")?),
        sha256: Sha256(array(&file.sha256, "a digest")?),
        kind: read_kind(file.kind)?,
        format: file.format,
    })
}

fn write_stored(item: &StoredItem) -> v1::StoredItem {
    v1::StoredItem {
        evidence: item.evidence.as_bytes().to_vec().into(),
        blake3: item
            .files
            .iter()
            .map(|digest| digest.0.to_vec().into())
            .collect(),
    }
}

fn read_stored(item: v1::StoredItem) -> Result<StoredItem, Malformed> {
    if item.blake3.len() > limits::ITEM_FILES_MAX {
        return Err(WHAT);
    }
    let digest = |bytes: &prost::bytes::Bytes| array(bytes, "a digest").map(Digest);
    Ok(StoredItem {
        evidence: EvidenceId::from_slice(&item.evidence).map_err(|_| WHAT)?,
        files: item.blake3.iter().map(digest).collect::<Result<_, _>>()?,
    })
}

/// Bytes that an item takes in an entry, with room for its own framing.
pub(crate) fn size(item: &Item) -> usize {
    write_item(item).encoded_len() + 8
}

/// Bytes that a change takes in an entry, with room for its own framing.
pub(crate) fn change_size(change: &ItemChange) -> usize {
    write_change(change).encoded_len() + 8
}
