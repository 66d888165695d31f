//! What the logs of two nodes do with each other: disclosing, delivering, taking in and stating what is
//! stored. Done by timers and partners' calls, through the same door as everything else.

use std::cell::RefCell;
use std::collections::BTreeMap;

use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::{File, Item};
use interdocket_sync::id::{ActorId, EvidenceId, ShareId};
use interdocket_sync::identity::{OrganisationId, Verifier};
use interdocket_sync::limits;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{Actor, Entry, StoredItem};
use interdocket_sync::log::head::{Head, SignedHead};
use interdocket_sync::receipt::{Countersignature, Receipt};
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::decide::{Command, decide};
use interdocket_sync::share::terms::SignedTerms;
use interdocket_sync::share::{self as sync, Facts, Header, Hold, admit, apply};
use interdocket_sync::wire::batch::Batch;

use super::decide::{Context, Decided, Effect, broken};
use super::partner::Kind;
use super::{Error, ErrorKind};
use crate::blobs::Placed;
use crate::event::{
    Bytes, Event, EvidenceReceived, HeadCountersigned, LogReceived, LogWritten, ShareFrozen,
    StoredBlob,
};
use crate::rules;
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};

/// Writes the next entries of this node's log of a share, as far as evidence waits: one batch.
/// Answers whether there were any.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub fn disclose(context: &mut Context<'_>, id: ShareId) -> Result<Decided<bool>, Error> {
    let share = super::decide::share(&context.view, id)?;
    super::decide::whole(&context.view, id.uuid())?;
    super::decide::whole(&context.view, share.case.uuid())?;
    let node = context.node()?;
    if !matches!(
        share.header.state,
        sync::State::Offered | sync::State::Accepted
    ) {
        return Ok(Decided::new(Vec::new(), |_| Ok(false)));
    }
    // What was chosen while sending was enabled waits until it is enabled again.
    let partner = context.view.get(&table::PARTNER, &share.header.partner)?;
    if partner.is_none_or(|partner| rules::sending(&partner, Kind::Copy).is_some()) {
        return Ok(Decided::new(Vec::new(), |_| Ok(false)));
    }
    let facts = ShareFacts::new(context.view, id);
    let waiting = context
        .view
        .page(&table::WAITING, &id, None, DISCLOSE_MAX)?;
    let mut items = Vec::with_capacity(waiting.len());
    for ((_, evidence), ()) in &waiting {
        items.push(item(&context.view, *evidence)?);
    }
    let command = match items.is_empty() {
        true => Command::List(actor(context)?),
        false => Command::Add(items),
    };
    let mut entries = entries(context, &share.header, &facts, command)?;
    facts.done()?;
    // Items with many files fill more entries than one head may cover: the rest waits for the next.
    entries.truncate(limits::BATCH_ENTRIES_MAX);
    let events: Vec<Event> = written(context, &share.header, &node, entries)
        .into_iter()
        .collect();
    let wrote = !events.is_empty();
    Ok(Decided::new(events, move |_| Ok(wrote)))
}

/// Takes a partner's countersignature of this node's log.
///
/// # Errors
/// [`Error`] where the share is gone.
pub fn countersigned(context: &mut Context<'_>, receipt: &Receipt) -> Result<Decided<()>, Error> {
    let head = &receipt.head.head;
    let share = super::decide::share(&context.view, head.share)?;
    if share.header.log(head.side).countersigned >= head.point.count {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let event = HeadCountersigned {
        share: head.share,
        side: head.side,
        count: head.point.count,
        head: Bytes(receipt.head.bytes.clone()),
        countersignature: Bytes(receipt.countersignature.bytes.clone()),
    };
    let decided = Decided::new(vec![Event::HeadCountersigned(event)], |_| Ok(()));
    Ok(match head.side {
        Side::Owner => decided,
        // The owner serves from the acceptance on: what is wanted can be read now.
        Side::Partner => decided.then(Effect::Nudge(share.header.owner)),
    })
}

/// Judges the signatures of a batch, before its turn: that is what takes time.
///
/// # Errors
/// [`Refusal::Signature`]; [`Refusal::NotShared`] where another organisation than the caller wrote it.
pub fn verify(
    batch: &Batch,
    caller: OrganisationId,
    verifier: &dyn Verifier,
) -> Result<(), Refusal> {
    if batch.head.head.writer() != caller {
        return Err(Refusal::NotShared);
    }
    batch
        .head
        .verify(verifier)
        .map_err(|_| Refusal::Signature)?;
    match &batch.terms {
        Some(terms) if terms.terms.owner != caller => Err(Refusal::NotShared),
        Some(terms) => terms.verify(verifier).map_err(|_| Refusal::Signature),
        None => Ok(()),
    }
}

/// The hash of an entry that is held, by its log and number.
pub type Known<'a> = &'a dyn Fn(Side, u64) -> Result<Option<[u8; 32]>, Error>;

/// What became of a partner's batch.
pub type Taken = Result<Countersignature, Refusal>;

/// Takes a partner's batch whose signatures hold: its entries are admitted and countersigned, or it is
/// refused. `known` gives hashes of entries that are held.
///
/// # Errors
/// [`Error`] where the tables fail, or an entry that is held can't be read now: what can't be compared
/// is no fork.
pub fn take(
    context: &mut Context<'_>,
    caller: OrganisationId,
    batch: Batch,
    known: Known<'_>,
) -> Result<Decided<Taken>, Error> {
    let node = context.node()?;
    let partner = context.view.get(&table::PARTNER, &caller)?;
    let Some(partner) = partner.filter(rules::trusts) else {
        return Ok(refuse(Refusal::Suspended));
    };
    let (header, terms) = match header(context, &node, &partner, caller, &batch)? {
        Ok(found) => found,
        Err(refusal) => return Ok(refuse(refusal)),
    };
    super::decide::whole(&context.view, batch.share.uuid())?;
    if let Some(Err(refusal)) = batch
        .terms
        .as_ref()
        .map(|terms| admit::terms(&header, terms))
    {
        return Ok(refuse(refusal));
    }
    let facts = ShareFacts::new(context.view, batch.share);
    let unread = RefCell::new(None);
    let read = |side: Side, number: u64| {
        known(side, number).unwrap_or_else(|error| {
            unread.borrow_mut().get_or_insert(error);
            None
        })
    };
    let outcome = admit::batch(&header, &facts, &batch.entries, &batch.head.head, &read);
    facts.done()?;
    if let Some(error) = unread.into_inner() {
        return Err(error);
    }
    let admitted = match outcome {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(refuse(refusal)),
    };
    match admitted.header.hold {
        Hold::Frozen => return Ok(frozen(&header, batch)),
        Hold::Paused => {
            let paused = header.hold == Hold::Paused;
            let events = match paused {
                true => Vec::new(),
                false => vec![Event::SharePaused(batch.share)],
            };
            return Ok(Decided::new(events, |_| Ok(Err(Refusal::Newer))));
        }
        Hold::Free => {}
    }
    let countersignature = Countersignature::new(&batch.head, context.now, context.signer);
    if admitted.applied.is_empty() {
        return Ok(Decided::new(Vec::new(), |_| Ok(Ok(countersignature))));
    }
    let side = batch.head.head.side;
    let received = LogReceived {
        share: batch.share,
        side,
        terms: terms.map(|terms| Bytes(terms.bytes)),
        entries: admitted
            .applied
            .iter()
            .map(|entry| Bytes(entry.bytes.clone()))
            .collect(),
        head: Bytes(batch.head.bytes),
        countersignature: Bytes(countersignature.bytes.clone()),
    };
    let mut events = vec![Event::LogReceived(received)];
    events.extend(accept(context, &node, &admitted.header)?);
    Ok(Decided::new(events, move |_| Ok(Ok(countersignature)))
        .then(Effect::Recheck)
        .then(Effect::Nudge(caller)))
}

/// The share that a batch belongs to; where it begins one, its verified terms as well. Unknown shares
/// and those of others look the same.
fn header(
    context: &Context<'_>,
    node: &entity::Node,
    partner: &entity::Partner,
    caller: OrganisationId,
    batch: &Batch,
) -> Result<Result<(Header, Option<SignedTerms>), Refusal>, Error> {
    let side = batch.head.head.side;
    if let Some(share) = context.view.get(&table::SHARE, &batch.share)? {
        let theirs = share.header.side(caller) == Some(side);
        return Ok(if theirs {
            Ok((share.header, None))
        } else {
            Err(Refusal::NotShared)
        });
    }
    let Some(terms) = &batch.terms else {
        return Ok(Err(Refusal::NotShared));
    };
    let said = &terms.terms;
    if side != Side::Owner || said.share != batch.share || said.partner != node.organisation {
        return Ok(Err(Refusal::NotShared));
    }
    if !rules::receives(partner, Kind::Copy) {
        return Ok(Err(Refusal::NotEnabled));
    }
    Ok(Ok((apply::open(terms), Some(terms.clone()))))
}

/// The administrator's standing acceptance, written with the offer itself.
fn accept(
    context: &mut Context<'_>,
    node: &entity::Node,
    header: &Header,
) -> Result<Option<Event>, Error> {
    if header.partner != node.organisation || header.partner_log.point.count > 0 {
        return Ok(None);
    }
    let facts = ShareFacts::new(context.view, header.share);
    // An offer that was cancelled before it arrived needs no answer.
    let Ok(entries) = decide(
        header,
        &facts,
        Command::Accept(None),
        context.now,
        &mut salt(context.chance),
    ) else {
        return Ok(None);
    };
    Ok(written(context, header, node, entries))
}

fn frozen(header: &Header, batch: Batch) -> Decided<Taken> {
    let side = batch.head.head.side;
    let event = ShareFrozen {
        share: batch.share,
        side,
        held: header.log(side).point.count,
        entries: batch
            .entries
            .into_iter()
            .map(|entry| Bytes(entry.bytes))
            .collect(),
        head: Bytes(batch.head.bytes),
    };
    Decided::new(vec![Event::ShareFrozen(event)], |_| Ok(Err(Refusal::Fork))).then(Effect::Recheck)
}

fn refuse(refusal: Refusal) -> Decided<Taken> {
    Decided::new(Vec::new(), move |_| Ok(Err(refusal)))
}

/// Records that items of a received share are whole and durable here, and states so in this node's
/// log. Items that are not wanted any more are left out, and so are those whose bytes are neither
/// `placed` nor held.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub fn store(
    context: &mut Context<'_>,
    id: ShareId,
    evidence: &[EvidenceId],
    placed: &[Placed],
) -> Result<Decided<()>, Error> {
    let share = super::decide::share(&context.view, id)?;
    super::decide::whole(&context.view, id.uuid())?;
    let node = context.node()?;
    let facts = ShareFacts::new(context.view, id);
    let places: BTreeMap<Digest, &Placed> = placed.iter().map(|blob| (blob.digest, blob)).collect();
    let mut fresh: BTreeMap<Digest, StoredBlob> = BTreeMap::new();
    let mut wanted = Vec::new();
    let mut stored: Vec<StoredItem> = Vec::new();
    for evidence in evidence {
        if !context.view.has(&table::WANTED, &(id, *evidence))? {
            continue;
        }
        let item = facts
            .item(*evidence)
            .ok_or_else(|| broken("an item of a share is missing"))?;
        let files = (0..item.files).map(|place| facts.file(*evidence, place));
        let files: Option<Vec<File>> = files.collect();
        let files = files.ok_or_else(|| broken("a file of a share is missing"))?;
        let mut whole = true;
        for file in &files {
            whole &= places.contains_key(&file.blake3) || held(&context.view, &file.blake3)?;
        }
        if !whole {
            continue;
        }
        fresh.extend(files.iter().filter_map(|file| {
            let placed = places.get(&file.blake3)?;
            Some((file.blake3, stored_blob(placed, file)))
        }));
        wanted.push(*evidence);
        stored.push(StoredItem {
            evidence: *evidence,
            files: files.iter().map(|file| file.blake3).collect(),
        });
    }
    let Ok(entries) = decide(
        &share.header,
        &facts,
        Command::Store(stored),
        context.now,
        &mut salt(context.chance),
    ) else {
        // Cancelled or frozen meanwhile: what arrived is not made visible.
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    };
    facts.done()?;
    if entries.is_empty() {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let received = EvidenceReceived {
        share: id,
        evidence: wanted,
    };
    let mut events = Vec::new();
    if !fresh.is_empty() {
        events.push(Event::BlobsStored(fresh.into_values().collect()));
    }
    events.push(Event::EvidenceReceived(received));
    events.extend(written(context, &share.header, &node, entries));
    Ok(Decided::new(events, |_| Ok(())).then(Effect::Nudge(share.header.owner)))
}

fn stored_blob(placed: &Placed, file: &File) -> StoredBlob {
    StoredBlob {
        blake3: placed.digest,
        size: placed.size,
        place: placed.place,
        sha256: file.sha256,
        compared: false,
    }
}

/// Whether this node holds these bytes, as far as it knows undamaged.
fn held(view: &View<'_>, digest: &Digest) -> Result<bool, Error> {
    let blob = view.get(&table::BLOB, digest)?;
    Ok(blob.is_some_and(|blob| blob.state != entity::BlobState::Damaged))
}

/// Who acts, as the other organisation is told: the user by name, or the organisation itself.
///
/// # Errors
/// [`Error`] where the node's own record is missing.
pub fn actor(context: &Context<'_>) -> Result<Actor, Error> {
    if let Some(actor) = &context.actor {
        return Ok(Actor {
            id: ActorId::new(actor.id),
            name: actor.name.clone(),
        });
    }
    let node = context.node()?;
    let id = ActorId::new(crate::event::subject(node.organisation));
    let name = node.name.chars().take(limits::ACTOR_NAME_MAX / 4).collect();
    Ok(Actor { id, name })
}

/// The next entries of this node's log.
///
/// # Errors
/// [`Error`] with what a person should know where the share does not allow it.
pub fn entries(
    context: &mut Context<'_>,
    header: &Header,
    facts: &dyn Facts,
    command: Command,
) -> Result<Vec<Entry>, Error> {
    decide(
        header,
        facts,
        command,
        context.now,
        &mut salt(context.chance),
    )
    .map_err(|refusal| {
        let message = match refusal {
            Refusal::Frozen => "this share is frozen: two histories of it exist",
            Refusal::Limit => "an item of evidence is over a limit of what can be shared",
            _ => "the state of this share does not allow that any more",
        };
        Error::new(ErrorKind::Conflict, message).hint("look at it: interdocket share show SHARE")
    })
}

/// The record of entries that were written, under one signed head; none where there are none.
pub fn written(
    context: &Context<'_>,
    header: &Header,
    node: &entity::Node,
    entries: Vec<Entry>,
) -> Option<Event> {
    let last = entries.last()?;
    let head = Head {
        share: header.share,
        owner: header.owner,
        partner: header.partner,
        side: last.side,
        incarnation: node.incarnation,
        point: last.point(),
        journal: context.journal,
        at: context.now,
    };
    let side = last.side;
    let SignedHead { bytes, .. } = head.sign(context.signer);
    Some(Event::LogWritten(LogWritten {
        share: header.share,
        side,
        entries: entries
            .into_iter()
            .map(|entry| Bytes(entry.bytes))
            .collect(),
        head: Bytes(bytes),
    }))
}

/// An item of evidence as it is described to a partner.
fn item(view: &View<'_>, id: EvidenceId) -> Result<Item, Error> {
    let evidence = view
        .get(&table::EVIDENCE, &id)?
        .ok_or_else(|| broken("an item of evidence is missing"))?;
    let rows = view.page(&table::FILE, &id, None, limits::ITEM_FILES_MAX)?;
    let file = |file: entity::File| File {
        name: file.name,
        size: file.size,
        blake3: file.blake3,
        sha256: file.sha256,
    };
    Ok(Item {
        evidence: id,
        title: evidence.title,
        folder: evidence.folder,
        added_at: evidence.added_at,
        added_by: evidence.added_by,
        files: rows.into_iter().map(|(_, row)| file(row)).collect(),
    })
}

fn salt(chance: &mut dyn FnMut(&mut [u8])) -> impl FnMut() -> [u8; 16] {
    move || {
        let mut salt = [0; 16];
        chance(&mut salt);
        salt
    }
}

/// Items disclosed in one step: bounded by what one step of either node's database takes.
const DISCLOSE_MAX: usize = limits::ENTRY_ITEMS_MAX;
