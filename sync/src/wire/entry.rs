//! Entries on the wire.

use interdocket_proto::v1;
use prost::Message as _;

use super::head::{side, side_number};
use super::{Malformed, array, time};
use crate::blob::{Digest, Sha256};
use crate::evidence::{File, Item};
use crate::id::{ActorId, CaseId, EvidenceId, ShareId};
use crate::limits;
use crate::log::entry::{Actor, Body, Entry, Offered, Place, StoredItem, commitment, hash};
use crate::log::{Point, Side};

const WHAT: Malformed = Malformed("an entry");

pub(crate) fn encode(place: &Place, body: Body, salt: &[u8; 16]) -> Entry {
    let (kind, payload) = write(&body);
    let header = v1::EntryHeader {
        share: place.share.as_bytes().to_vec().into(),
        side: side_number(place.side),
        number: place.after.count + 1,
        previous: place.after.hash.to_vec().into(),
        other_count: place.other.count,
        other_hash: place.other.hash.to_vec().into(),
        at: place.at.timestamp_micros(),
        r#type: kind as i32,
        critical: true,
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
        at: place.at,
        kind: kind as i32,
        critical: true,
        body,
        bytes: message.encode_to_vec(),
        hash,
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Entry, Malformed> {
    let message = v1::Entry::decode(bytes).map_err(|_| WHAT)?;
    let header = v1::EntryHeader::decode(message.header.clone()).map_err(|_| WHAT)?;
    let side = side(header.side)?;
    let withheld = message.salt.is_empty() && message.body.is_empty();
    if message.body.len() > limits::ENTRY_BODY_MAX || header.number == 0 {
        return Err(WHAT);
    }
    if !withheld && header.commitment != commitment(&message.salt, &message.body).as_slice() {
        return Err(Malformed("an entry: its body does not match its header"));
    }
    let body = if withheld {
        Body::Unread
    } else {
        read(header.r#type, side, &message.body)?
    };
    Ok(Entry {
        share: ShareId::from_slice(&header.share).map_err(|_| WHAT)?,
        side,
        number: header.number,
        previous: array(&header.previous, "a hash")?,
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

fn write(body: &Body) -> (v1::EntryType, Vec<u8>) {
    use v1::EntryType as Type;
    match body {
        Body::Offered(offered) => (Type::Offered, write_offered(offered).encode_to_vec()),
        Body::EvidenceAdded(items) => {
            let items = items.iter().map(write_item).collect();
            (
                Type::EvidenceAdded,
                v1::EvidenceAdded { items }.encode_to_vec(),
            )
        }
        Body::Listed(actor, update) => {
            let listed = v1::Listed {
                actor: Some(write_actor(actor)),
                update: *update,
            };
            (Type::Listed, listed.encode_to_vec())
        }
        Body::Ended(actor) => (
            Type::Ended,
            v1::Ended {
                actor: Some(write_actor(actor)),
            }
            .encode_to_vec(),
        ),
        Body::Cancelled(actor) => (
            Type::Cancelled,
            v1::Cancelled {
                actor: Some(write_actor(actor)),
            }
            .encode_to_vec(),
        ),
        Body::Accepted(actor) => {
            let actor = actor.as_ref().map(write_actor);
            (Type::Accepted, v1::Accepted { actor }.encode_to_vec())
        }
        Body::Stored(items) => {
            let items = items.iter().map(write_stored).collect();
            (Type::Stored, v1::Stored { items }.encode_to_vec())
        }
        Body::Unread => (Type::Unspecified, Vec::new()),
    }
}

/// A type that is not known, or that stands in the wrong log, is unread: admission judges it.
fn read(kind: i32, side: Side, body: &[u8]) -> Result<Body, Malformed> {
    use v1::EntryType as Type;
    let Ok(kind) = Type::try_from(kind) else {
        return Ok(Body::Unread);
    };
    let body = match (side, kind) {
        (Side::Owner, Type::Offered) => Body::Offered(read_offered(message(body)?)?),
        (Side::Owner, Type::EvidenceAdded) => {
            let added: v1::EvidenceAdded = message(body)?;
            if added.items.len() > limits::ENTRY_ITEMS_MAX {
                return Err(WHAT);
            }
            Body::EvidenceAdded(
                added
                    .items
                    .into_iter()
                    .map(read_item)
                    .collect::<Result<_, _>>()?,
            )
        }
        (Side::Owner, Type::Listed) => {
            let listed: v1::Listed = message(body)?;
            Body::Listed(read_actor(listed.actor)?, listed.update)
        }
        (Side::Owner, Type::Ended) => Body::Ended(read_actor(message::<v1::Ended>(body)?.actor)?),
        (Side::Owner, Type::Cancelled) => {
            Body::Cancelled(read_actor(message::<v1::Cancelled>(body)?.actor)?)
        }
        (Side::Partner, Type::Accepted) => {
            let actor = message::<v1::Accepted>(body)?.actor;
            Body::Accepted(actor.map(|actor| read_actor(Some(actor))).transpose()?)
        }
        (Side::Partner, Type::Stored) => {
            let stored: v1::Stored = message(body)?;
            if stored.items.len() > limits::ENTRY_ITEMS_MAX {
                return Err(WHAT);
            }
            Body::Stored(
                stored
                    .items
                    .into_iter()
                    .map(read_stored)
                    .collect::<Result<_, _>>()?,
            )
        }
        _ => Body::Unread,
    };
    Ok(body)
}

fn message<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, Malformed> {
    M::decode(bytes).map_err(|_| WHAT)
}

fn write_actor(actor: &Actor) -> v1::Actor {
    v1::Actor {
        id: actor.id.as_bytes().to_vec().into(),
        name: actor.name.clone(),
    }
}

fn read_actor(actor: Option<v1::Actor>) -> Result<Actor, Malformed> {
    let actor = actor.ok_or(Malformed("an actor"))?;
    let id = ActorId::from_slice(&actor.id).map_err(|_| Malformed("an actor"))?;
    Ok(Actor {
        id,
        name: bounded(actor.name, limits::ACTOR_NAME_MAX)?,
    })
}

fn write_offered(offered: &Offered) -> v1::Offered {
    v1::Offered {
        actor: Some(write_actor(&offered.actor)),
        case: offered.case.as_bytes().to_vec().into(),
        case_number: offered.number.clone(),
        case_title: offered.title.clone(),
        case_description: offered.description.clone(),
        recipients: offered.recipients.clone(),
        message: offered.message.clone(),
    }
}

fn read_offered(offered: v1::Offered) -> Result<Offered, Malformed> {
    let recipients = offered.recipients;
    let long = |recipient: &String| recipient.len() > limits::RECIPIENT_MAX;
    if recipients.len() > limits::RECIPIENTS_MAX || recipients.iter().any(long) {
        return Err(WHAT);
    }
    Ok(Offered {
        actor: read_actor(offered.actor)?,
        case: CaseId::from_slice(&offered.case).map_err(|_| WHAT)?,
        number: bounded(offered.case_number, limits::NUMBER_MAX)?,
        title: bounded(offered.case_title, limits::TITLE_MAX)?,
        description: bounded(offered.case_description, limits::DESCRIPTION_MAX)?,
        recipients,
        message: bounded(offered.message, limits::MESSAGE_TEXT_MAX)?,
    })
}

fn bounded(text: String, max: usize) -> Result<String, Malformed> {
    if text.len() > max {
        Err(WHAT)
    } else {
        Ok(text)
    }
}

fn write_item(item: &Item) -> v1::Item {
    v1::Item {
        evidence: item.evidence.as_bytes().to_vec().into(),
        title: item.title.clone(),
        folder: item.folder.clone(),
        added_at: item.added_at.timestamp_micros(),
        added_by: item.added_by.clone(),
        files: item.files.iter().map(write_file).collect(),
    }
}

fn read_item(item: v1::Item) -> Result<Item, Malformed> {
    let item = Item {
        evidence: EvidenceId::from_slice(&item.evidence).map_err(|_| WHAT)?,
        title: item.title,
        folder: item.folder,
        added_at: time(item.added_at)?,
        added_by: item.added_by,
        files: item
            .files
            .into_iter()
            .map(read_file)
            .collect::<Result<_, _>>()?,
    };
    item.check().map_err(|_| WHAT)?;
    Ok(item)
}

fn write_file(file: &File) -> v1::File {
    v1::File {
        name: file.name.clone(),
        size: file.size,
        blake3: file.blake3.0.to_vec().into(),
        sha256: file.sha256.0.to_vec().into(),
    }
}

fn read_file(file: v1::File) -> Result<File, Malformed> {
    Ok(File {
        name: file.name,
        size: file.size,
        blake3: Digest(array(&file.blake3, "a digest")?),
        sha256: Sha256(array(&file.sha256, "a digest")?),
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
