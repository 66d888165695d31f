//! Entries on the wire.

mod item;
mod text;

use interdocket_proto::v1;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use self::text::Texts;
use super::head::{side, side_number};
use super::{Malformed, array, micros, time};
use crate::blob::Digest;
use crate::id::{ActorId, CaseId, EvidenceId, ShareId};
use crate::limits;
use crate::log::entry::{
    Actor, Body, CaseInfo, DeclineReason, Entry, ItemChange, Offered, Place, Purged, RecallAnswer,
    Reshared, StoredItem, Subject, Text, commitment, hash, message as bounded, recipients,
};
use crate::log::{Point, Side};
use crate::refusal::Refusal;
use crate::share::Totals;

pub(crate) use self::item::{change_size, read_info, read_item, size, write_info, write_item};

const WHAT: Malformed = Malformed("an entry");

/// Writes an entry, and gives it as its reader will see it: times are cut to what the wire holds.
pub(crate) fn encode(place: &Place, mut body: Body, seed: &[u8; 16]) -> Entry {
    if let Body::EvidenceAdded(items) = &mut body {
        for item in items {
            item.added_at = micros(item.added_at);
        }
    }
    let (kind, critical) = (kind(&body) as i32, critical(&body));
    let texts = text::of(&body).into_iter().enumerate();
    let mut message = v1::Entry {
        header: Default::default(),
        salt: text::salt(seed, 0).to_vec().into(),
        body: write(&body).into(),
        texts: texts
            .map(|(place, text)| text::write(text, seed, place))
            .collect(),
    };
    let commitment = commit(&message).expect("what was just written is whole");
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
        commitment: commitment.to_vec().into(),
    }
    .encode_to_vec();
    let hash = hash(&header);
    message.header = header.into();
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

/// What the header of an entry says of the rest of it.
pub(crate) fn commit(message: &v1::Entry) -> Result<[u8; 32], Malformed> {
    // Of one length always: else bytes could move between salt and body under one commitment.
    let salt = message.salt.as_ref().try_into().map_err(|_| WHAT)?;
    let mut texts = Sha256::new();
    for text in &message.texts {
        texts.update(text::commitment(text)?);
    }
    Ok(commitment(salt, &texts.finalize().into(), &message.body))
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Entry, Malformed> {
    parse(bytes, false)
}

pub(crate) fn kept(bytes: &[u8]) -> Result<Entry, Malformed> {
    parse(bytes, true)
}

/// Takes texts out of an entry that was read.
pub(crate) fn part(entry: &Entry, apart: &dyn Fn(Subject) -> bool) -> (Vec<u8>, Vec<Text>) {
    let mut message = v1::Entry::decode(entry.bytes.as_slice()).unwrap_or_default();
    let mut taken = Vec::new();
    // Of what is not known here, nobody can say what a text is about: it goes with the case.
    let unread = std::iter::repeat(Subject::Case);
    let subjects = text::subjects(&entry.body).into_iter().chain(unread);
    for (place, (text, subject)) in message.texts.iter_mut().zip(subjects).enumerate() {
        if !text::here(text) || !apart(subject) {
            continue;
        }
        if let Ok(erased) = text::erased(text) {
            let bytes = std::mem::replace(text, erased).encode_to_vec();
            taken.push(Text {
                place,
                subject,
                bytes,
            });
        }
    }
    (message.encode_to_vec(), taken)
}

/// Puts texts back into an entry from which they were taken.
pub(crate) fn join(bytes: &[u8], texts: &[(usize, Vec<u8>)]) -> Result<Vec<u8>, Malformed> {
    let mut message: v1::Entry = message(bytes)?;
    for (place, text) in texts {
        let room = message.texts.get_mut(*place).ok_or(WHAT)?;
        *room = self::message(text)?;
    }
    Ok(message.encode_to_vec())
}

fn parse(bytes: &[u8], ours: bool) -> Result<Entry, Malformed> {
    let message: v1::Entry = message(bytes)?;
    let header: v1::EntryHeader = self::message(&message.header)?;
    let side = side(header.side)?;
    let previous = array(&header.previous, "a hash")?;
    let told = message
        .texts
        .iter()
        .map(|text| text::OVERHEAD + text.text.len());
    if message.header.len() > limits::ENTRY_HEADER_MAX
        || message.body.len() + told.sum::<usize>() > limits::ENTRY_BODY_MAX
        || header.number == 0
        || (header.number == 1) != (previous == [0; 32])
    {
        return Err(WHAT);
    }
    let committed: [u8; 32] = array(&header.commitment, "a commitment")?;
    let bare = message.salt.is_empty() && message.body.is_empty() && message.texts.is_empty();
    let body = if bare && withholds(header.r#type, side) {
        Body::Unread
    } else {
        if committed != commit(&message)? {
            return Err(Malformed("an entry: its body does not match its header"));
        }
        let here: Vec<bool> = message.texts.iter().map(text::here).collect();
        let body = read(header.r#type, side, &message.body, message.texts)?;
        if !ours {
            check(&body, &here).map_err(|_| WHAT)?;
        }
        body
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
        Body::Offered(terms, offered) => v1::Offered {
            actor: write_only(&offered.actor),
            case: offered.case.as_bytes().to_vec().into(),
            terms: terms.to_vec().into(),
        }
        .encode_to_vec(),
        Body::EvidenceAdded(items) => {
            let items = items.iter().map(item::write_listed).collect();
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
        | Body::Revoked(actor) => v1::Ended {
            actor: Some(write_actor(actor)),
        }
        .encode_to_vec(),
        Body::EvidenceChanged(changes) => {
            let ids = changes.iter().map(|change| change.evidence.as_bytes());
            let evidence = ids.map(|id| id.to_vec().into()).collect();
            v1::EvidenceChanged { evidence }.encode_to_vec()
        }
        Body::EvidenceWithdrawn(ids) => {
            let evidence = ids.iter().map(|id| id.as_bytes().to_vec().into()).collect();
            v1::EvidenceWithdrawn { evidence }.encode_to_vec()
        }
        Body::CaseChanged(actor, _)
        | Body::RecipientsChanged(actor, _)
        | Body::Reshared(actor, _)
        | Body::RecallAsked(actor, _) => v1::CaseChanged {
            actor: write_only(actor),
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

/// An actor whose name and badge are in a text.
fn write_only(actor: &Actor) -> Option<v1::Actor> {
    Some(v1::Actor {
        id: actor.id.as_bytes().to_vec().into(),
        ..v1::Actor::default()
    })
}

/// Ended, Cancelled, ImportGranted, Suspended, Resumed and Revoked say who, in one and the same field; so do
/// CaseChanged, RecipientsChanged, Reshared and RecallAsked, by the id only.
fn only_actor(body: &[u8]) -> Result<Actor, Malformed> {
    read_actor(message::<v1::Ended>(body)?.actor)
}

/// An actor as a text has them, and what else is said there.
fn read_people(
    actor: Actor,
    text: Option<v1::PeopleText>,
) -> Result<(Actor, Vec<String>, String), Malformed> {
    let text = text.unwrap_or_default();
    let actor = Actor {
        id: actor.id,
        name: text.name,
        badge: text.badge,
    };
    actor.check().map_err(|_| Malformed("an actor"))?;
    Ok((actor, text.recipients, text.reason))
}

/// Holds a body to the bounds; `here` says which of its texts are there. How people read is always told: without
/// it nobody could use what is shared.
fn check(body: &Body, here: &[bool]) -> Result<(), Refusal> {
    let subjects = text::subjects(body);
    if (subjects.iter().zip(here)).any(|(subject, here)| *subject == Subject::People && !here) {
        return Err(Refusal::Malformed);
    }
    match body {
        Body::Offered(_, offered) => offered.check(),
        Body::EvidenceAdded(items) => {
            let mut items = items.iter().zip(here);
            items.try_for_each(|(item, here)| match here {
                true => item.check(),
                false => item.check_files(),
            })
        }
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
fn read(kind: i32, side: Side, body: &[u8], texts: Vec<v1::Text>) -> Result<Body, Malformed> {
    use v1::EntryType as Type;
    let Ok(kind) = Type::try_from(kind) else {
        return Ok(Body::Unread);
    };
    let mut texts = Texts::new(texts);
    let body = match (side, kind) {
        (Side::Owner, Type::Offered) => read_offered(message(body)?, &mut texts)?,
        (Side::Owner, Type::EvidenceAdded) => {
            let added: v1::EvidenceAdded = message(body)?;
            let item = |item| item::read_listed(item, texts.next()?);
            Body::EvidenceAdded(all(added.items, item)?)
        }
        (Side::Owner, Type::Listed) => {
            let listed: v1::Listed = message(body)?;
            Body::Listed(read_actor(listed.actor)?, listed.update)
        }
        (Side::Owner, Type::Ended) => Body::Ended(only_actor(body)?),
        (Side::Owner, Type::Cancelled) => Body::Cancelled(only_actor(body)?),
        (Side::Owner, Type::EvidenceChanged) => {
            let changed: v1::EvidenceChanged = message(body)?;
            let change = |id| item::read_change(evidence(id)?, texts.next()?);
            Body::EvidenceChanged(all(changed.evidence, change)?)
        }
        (Side::Owner, Type::EvidenceWithdrawn) => {
            let withdrawn: v1::EvidenceWithdrawn = message(body)?;
            Body::EvidenceWithdrawn(all(withdrawn.evidence, evidence)?)
        }
        (Side::Owner, Type::CaseChanged) => {
            let (info, _) = read_case(texts.next()?)?;
            let (actor, ..) = read_people(only_actor(body)?, texts.next()?)?;
            Body::CaseChanged(actor, info)
        }
        (Side::Owner, Type::RecipientsChanged) => {
            let (actor, names, _) = read_people(only_actor(body)?, texts.next()?)?;
            Body::RecipientsChanged(actor, names)
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
            let text: Option<v1::CaseText> = texts.next()?;
            let message = text.map(|text| text.message).unwrap_or_default();
            let (actor, recipients, _) = read_people(only_actor(body)?, texts.next()?)?;
            Body::Reshared(
                actor,
                Reshared {
                    recipients,
                    message,
                },
            )
        }
        (Side::Owner, Type::RecallAsked) => {
            let (actor, _, reason) = read_people(only_actor(body)?, texts.next()?)?;
            Body::RecallAsked(actor, reason)
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
    texts.end()?;
    Ok(body)
}

fn read_offered(offered: v1::Offered, texts: &mut Texts) -> Result<Body, Malformed> {
    let terms = array(&offered.terms, "a digest of terms")?;
    let (info, message) = read_case(texts.next()?)?;
    let (actor, recipients, _) = read_people(read_actor(offered.actor)?, texts.next()?)?;
    let offered = Offered {
        actor,
        case: CaseId::from_slice(&offered.case).map_err(|_| WHAT)?,
        info,
        recipients,
        message,
    };
    Ok(Body::Offered(terms, offered))
}

/// How a case reads, and what is said along with it.
fn read_case(text: Option<v1::CaseText>) -> Result<(CaseInfo, String), Malformed> {
    let Some(text) = text else {
        return Ok(<_>::default());
    };
    Ok((read_info(text.info)?, text.message))
}

fn evidence(id: prost::bytes::Bytes) -> Result<EvidenceId, Malformed> {
    EvidenceId::from_slice(&id).map_err(|_| WHAT)
}

/// As many as one entry holds.
fn all<M, T>(
    messages: Vec<M>,
    read: impl FnMut(M) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
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
