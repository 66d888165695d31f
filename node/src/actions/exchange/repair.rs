//! What is damaged here and a partner owes: what of it can be read again, and what is recorded then.
//!
//! Who shares a file owes its bytes as long as the share lists them. What nobody owes stays damaged until it
//! is taken in again or restored from a backup.

use std::collections::BTreeMap;

use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::{File, FileKind};
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::share::{Fact, Facts as _, Hold, Key};

use crate::actions::Error;
use crate::actions::decide::{self, Context, Decided, Effect, broken};
use crate::blobs::Placed;
use crate::event::{Event, SealedErased, StoredBlob};
use crate::store::entity::BlobState;
use crate::store::project::ShareFacts;
use crate::store::table;
use crate::store::view::View;

/// Damaged files of this node's own that a partner owes, by a share that lists them.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn owed(view: &View<'_>, partner: OrganisationId) -> Result<Vec<(ShareId, Vec<File>)>, Error> {
    let mut damaged = BTreeMap::new();
    for (digest, ()) in view.page(&table::DAMAGED, &(), None, DAMAGED)? {
        let blob = view.get(&table::BLOB, &digest)?;
        let blob = blob.ok_or_else(|| broken("a damaged blob is missing"))?;
        let file = File {
            name: String::new(),
            size: blob.size,
            blake3: digest,
            sha256: blob.sha256,
            kind: FileKind::Original,
            format: String::new(),
        };
        damaged.insert(digest, file);
    }
    let mut owed = Vec::new();
    let mut after = None;
    while !damaged.is_empty() {
        let page = view.page(&table::PARTNER_SHARE, &partner, after.as_ref(), PAGE)?;
        let Some((last, ())) = page.last() else { break };
        after = Some(*last);
        for ((_, share), ()) in page {
            let listed = listed(view, partner, share, &damaged)?;
            damaged.retain(|digest, _| !listed.iter().any(|file| file.blake3 == *digest));
            for files in listed.chunks(limits::READ_FILES_MAX) {
                owed.push((share, files.to_vec()));
            }
        }
    }
    Ok(owed)
}

/// Which of these files the owner of a share gives now.
fn listed(
    view: &View<'_>,
    owner: OrganisationId,
    share: ShareId,
    files: &BTreeMap<Digest, File>,
) -> Result<Vec<File>, Error> {
    let header = decide::share(view, share)?.header;
    let ready = header.partner_log.countersigned > 0 && header.hold == Hold::Free;
    if header.owner != owner || !ready {
        return Ok(Vec::new());
    }
    let facts = ShareFacts::new(*view, share);
    let serves = |file: &&File| {
        facts
            .blob(file.blake3)
            .is_some_and(|blob| header.serves(blob))
    };
    let listed = files.values().filter(serves).cloned().collect();
    facts.done()?;
    Ok(listed)
}

/// Records bytes that came again in the place of damaged ones.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn repaired(context: &mut Context<'_>, placed: &[Placed]) -> Result<Decided<()>, Error> {
    let mut stored = Vec::new();
    for placed in placed {
        let blob = context.view.get(&table::BLOB, &placed.digest)?;
        let Some(blob) = blob.filter(|blob| blob.state == BlobState::Damaged) else {
            continue;
        };
        stored.push(StoredBlob {
            blake3: placed.digest,
            size: placed.size,
            place: placed.place,
            sha256: blob.sha256,
            compared: false,
        });
    }
    let events = match stored.is_empty() {
        true => Vec::new(),
        false => vec![Event::BlobsStored(stored)],
    };
    Ok(Decided::new(events, |_| Ok(())))
}

/// Items of a share whose files are sealed here and that have this file.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn having(view: &View<'_>, share: ShareId, file: Digest) -> Result<Vec<EvidenceId>, Error> {
    let facts = ShareFacts::new(*view, share);
    let (mut having, mut after) = (Vec::new(), None);
    loop {
        let page = view.page(&table::FACT, &share, after.as_ref(), PAGE)?;
        let Some(((share, last), _)) = page.last() else {
            break;
        };
        after = Some((*share, *last));
        for ((_, key), fact) in page {
            let (Key::Item(evidence), Fact::Item(item)) = (key, fact) else {
                continue;
            };
            let has = |place| {
                let listed = facts.file(evidence, place);
                listed.is_some_and(|listed| listed.blake3 == file)
            };
            if item.stored != 0 && item.withdrawn == 0 && (0..item.files).any(has) {
                having.push(evidence);
            }
        }
    }
    facts.done()?;
    Ok(having)
}

/// Records that a sealed file was erased for being damaged, and has its items read again where the share
/// goes on.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub fn spoiled(
    context: &mut Context<'_>,
    id: ShareId,
    file: Digest,
    having: &[EvidenceId],
) -> Result<Decided<()>, Error> {
    let header = decide::share(&context.view, id)?.header;
    let mut files = vec![file];
    let mut events = Vec::new();
    let lives = if header.lives() { having } else { &[] };
    let mut parts = lives.chunks(limits::ENTRY_ITEMS_MAX);
    loop {
        let again = parts.next();
        if files.is_empty() && again.is_none() {
            break;
        }
        events.push(Event::SealedErased(SealedErased {
            share: id,
            files: std::mem::take(&mut files),
            again: again.unwrap_or_default().to_vec(),
        }));
    }
    Ok(Decided::new(events, |_| Ok(())).then(Effect::Nudge(header.owner)))
}

/// Damaged blobs that are looked at together.
const DAMAGED: usize = 1024;
/// Shares, or items of one, that are looked at together.
const PAGE: usize = 256;
