//! What was acknowledged survives (S7): commands that people were told of, receipts that were given, and
//! revocations that were countersigned.

use interdocket_sync::log::Side;

use super::{Broken, Seen};
use crate::actions::Error;
use crate::federation::history::Hashes;
use crate::store::table;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    commands(seen)?;
    deals(seen)?;
    for ((site, share, side), (count, hash)) in &seen.oracle.receipts {
        let Some(state) = seen.of(*site) else {
            continue;
        };
        let name = state.site.name;
        let Some(held) = state.shares.get(share) else {
            return Err(format!(
                "{name} gave a receipt of {share} and does not know it"
            ));
        };
        let point = held.header.log(*side).point;
        let same = match point.count == *count {
            true => Some(point.hash),
            // Where the disk fails just now, nobody can say.
            false => match hash_of(state, *share, *side, *count) {
                Ok(hash) => hash,
                Err(_) => continue,
            },
        };
        if point.count < *count || same != Some(*hash) {
            return Err(format!(
                "{name} gave a receipt of {share} {side:?} up to {count} and holds {}",
                point.count
            ));
        }
    }
    for (site, owner, share) in &seen.oracle.revocations {
        let Some(state) = seen.of(*site) else {
            continue;
        };
        let held = state
            .process
            .read(|view| view.has(&table::REVOKED, &(*owner, *share)));
        if held.ok() == Some(false) {
            let name = state.site.name;
            return Err(format!(
                "{name} countersigned the revocation of {share} and lost it"
            ));
        }
    }
    Ok(())
}

fn hash_of(
    state: &super::State<'_>,
    share: interdocket_sync::id::ShareId,
    side: Side,
    count: u64,
) -> Result<Option<[u8; 32]>, Error> {
    state.process.read(|view| {
        let hashes = Hashes::new(*view, &state.process.journal, share);
        hashes.hash(side, count)
    })
}

fn commands(seen: &Seen<'_>) -> Broken {
    for (number, item) in seen.oracle.items.iter().enumerate() {
        let (Some(id), Some(state)) = (item.id, seen.of(item.site)) else {
            continue;
        };
        let name = state.site.name;
        let held = state.process.read(|view| view.get(&table::EVIDENCE, &id));
        let Ok(held) = held else {
            continue;
        };
        let Some(held) = held else {
            return Err(format!("{name} lost item {number}"));
        };
        let title = item.title.as_ref().is_none_or(|title| *title == held.title);
        let folder = item
            .folder
            .as_ref()
            .is_none_or(|folder| *folder == held.folder);
        if !title || !folder {
            return Err(format!("{name} lost how item {number} was described last"));
        }
    }
    Ok(())
}

fn deals(seen: &Seen<'_>) -> Broken {
    for deal in &seen.oracle.deals {
        let (Some(share), Some(state)) = (deal.share, seen.of(deal.owner)) else {
            continue;
        };
        let name = state.site.name;
        let Some(held) = state.shares.get(&share) else {
            return Err(format!("{name} lost {share}"));
        };
        if deal.revoked && !held.header.revoked {
            return Err(format!("{name} forgot that {share} was revoked"));
        }
    }
    Ok(())
}
