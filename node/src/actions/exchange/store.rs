//! What a partner records when files of a received share are verified and durable.

use std::collections::{BTreeMap, BTreeSet};

use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::File;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::limits;
use interdocket_sync::log::entry::StoredItem;
use interdocket_sync::share::decide::{Command, decide as next};
use interdocket_sync::share::{Facts as _, Header};

use super::{salt, written};
use crate::actions::decide::{self, Context, Decided, Effect, broken};
use crate::actions::{Error, evidence};
use crate::blobs::Placed;
use crate::event::{Became, Event, EvidenceReceived, EvidenceSealed, SealedPart, StoredBlob};
use crate::seal;
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};

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
    let share = decide::share(&context.view, id)?;
    decide::whole(&context.view, id.uuid())?;
    if share.case.is_none() {
        // It waits for an administrator: there is no case yet.
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let node = context.node()?;
    let facts = ShareFacts::new(context.view, id);
    let places: BTreeMap<Digest, &Placed> = placed.iter().map(|blob| (blob.digest, blob)).collect();
    let mut fresh: BTreeMap<Digest, StoredBlob> = BTreeMap::new();
    let mut items = Vec::new();
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
        items.push(became(&context.view, &share.header, *evidence, &files)?);
        stored.push(StoredItem {
            evidence: *evidence,
            files: files.iter().map(|file| file.blake3).collect(),
        });
    }
    let Ok(entries) = next(
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
    if items.is_empty() {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let received = EvidenceReceived { share: id, items };
    let mut events = Vec::new();
    if !fresh.is_empty() {
        events.push(Event::BlobsStored(fresh.into_values().collect()));
    }
    events.push(Event::EvidenceReceived(received));
    events.extend(written(context, &share.header, &node, entries));
    Ok(Decided::new(events, |_| Ok(())).then(Effect::Nudge(share.header.owner)))
}

/// Which evidence here an item of a share becomes: what is here of it already, where its owner shared it before.
pub(super) fn became(
    view: &View<'_>,
    header: &Header,
    origin: EvidenceId,
    files: &[File],
) -> Result<Became, Error> {
    let known = view.get(&table::ORIGIN, &(header.owner, origin))?;
    let room = match known {
        Some(known) => room(view, known, files)?,
        None => false,
    };
    Ok(Became {
        origin,
        id: match known {
            Some(known) if room => known,
            _ => EvidenceId::received(header.share, origin),
        },
        apart: known.is_some() && !room,
    })
}

/// Whether evidence can be in one more case, with these files.
fn room(view: &View<'_>, id: EvidenceId, files: &[File]) -> Result<bool, Error> {
    let held = view.page(&table::FILE, &id, None, usize::MAX)?;
    let same =
        |held: &entity::File, file: &File| (held.blake3, held.kind) == (file.blake3, file.kind);
    let new = |file: &&File| !held.iter().any(|(_, held)| same(held, file));
    let all = held.len() + files.iter().filter(new).count();
    Ok(all <= limits::ITEM_FILES_MAX && evidence::cases(view, id)?.len() < evidence::CASES_MAX)
}

pub(super) fn stored_blob(placed: &Placed, file: &File) -> StoredBlob {
    StoredBlob {
        blake3: placed.digest,
        size: placed.size,
        place: placed.place,
        sha256: file.sha256,
        compared: false,
    }
}

/// Whether this node holds these bytes, as far as it knows undamaged.
pub(super) fn held(view: &View<'_>, digest: &Digest) -> Result<bool, Error> {
    let blob = view.get(&table::BLOB, digest)?;
    Ok(blob.is_some_and(|blob| blob.state != entity::BlobState::Damaged))
}

/// Records parts of files that are durable here, sealed under a share's lease, and states in this node's
/// log which items they make whole. Items that are not wanted any more are left out.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub fn seal(
    context: &mut Context<'_>,
    id: ShareId,
    evidence: &[EvidenceId],
    parts: Vec<SealedPart>,
) -> Result<Decided<()>, Error> {
    let share = decide::share(&context.view, id)?;
    decide::whole(&context.view, id.uuid())?;
    let node = context.node()?;
    if !share.header.lives() {
        // Revoked, suspended or frozen meanwhile: what arrived is no more than its ciphertext.
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let facts = ShareFacts::new(context.view, id);
    let fresh: BTreeSet<(Digest, u32)> = parts.iter().map(|part| (part.file, part.part)).collect();
    let mut stored: Vec<StoredItem> = Vec::new();
    let mut again = Vec::new();
    for evidence in evidence {
        if !context.view.has(&table::WANTED, &(id, *evidence))? {
            continue;
        }
        let stated = facts.item(*evidence).is_some_and(|item| item.stored != 0);
        let files = files(&facts, *evidence)
            .ok_or_else(|| broken("an item of a share, or a file of it, is missing"))?;
        let mut whole = true;
        for file in &files {
            for part in 0..seal::parts(file.size) {
                whole &= fresh.contains(&(file.blake3, part))
                    || context.view.has(&table::SEALED, &(id, file.blake3, part))?;
            }
        }
        if whole && stated {
            again.push(*evidence);
        } else if whole {
            stored.push(StoredItem {
                evidence: *evidence,
                files: files.iter().map(|file| file.blake3).collect(),
            });
        }
    }
    let stated = next(
        &share.header,
        &facts,
        Command::Store(stored),
        context.now,
        &mut salt(context.chance),
    );
    facts.done()?;
    let mut events = Vec::new();
    if !parts.is_empty() || !again.is_empty() {
        let sealed = EvidenceSealed {
            share: id,
            parts,
            again,
        };
        events.push(Event::EvidenceSealed(sealed));
    }
    events.extend(written(
        context,
        &share.header,
        &node,
        stated.unwrap_or_default(),
    ));
    // Where nothing came, its owner has nothing to hear: else what can't be had would be asked for at once.
    let news = !events.is_empty();
    let decided = Decided::new(events, |_| Ok(()));
    Ok(match news {
        true => decided.then(Effect::Nudge(share.header.owner)),
        false => decided,
    })
}

/// The files of a listed item.
pub(super) fn files(facts: &ShareFacts<'_>, evidence: EvidenceId) -> Option<Vec<File>> {
    let item = facts.item(evidence)?;
    (0..item.files)
        .map(|place| facts.file(evidence, place))
        .collect()
}
