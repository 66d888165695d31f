//! What was acknowledged survives (S7): commands that people were told of, receipts that were given, and
//! revocations that were countersigned.

use interdocket_sync::log::Side;
use interdocket_sync::share::Hold;

use super::{Broken, Seen, State};
use crate::actions::Error;
use crate::federation::history::Hashes;
use crate::store::table;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    // A machine that was set back and only took things in since is found by what comes next.
    let knows = |state: &&State<'_>| {
        let id = state.site.id;
        !seen.early(id) && !seen.oracle.behind(id)
    };
    commands(seen)?;
    deals(seen)?;
    for ((site, share, side), (count, hash)) in &seen.oracle.receipts {
        let Some(state) = seen.of(*site).filter(knows) else {
            continue;
        };
        let name = state.site.name;
        let Some(held) = state.shares.get(share) else {
            if seen.oracle.odd(state.site.id) && seen.oracle.lost(*share) {
                continue;
            }
            return Err(format!(
                "{name} gave a receipt of {share} and does not know it"
            ));
        };
        if seen.oracle.forks(&held.header) || held.header.hold == Hold::Closed {
            continue;
        }
        if seen.oracle.odd(state.site.id) && super::keyless(&state.process, &held.header) {
            continue;
        }
        // Of a receipt that got lost before it came back from its past nobody knows, once the share is revoked.
        let other = held.other(state.site.id);
        let mut others = seen.states.iter().filter(|there| there.site.id == other);
        let proven = others.any(|there| {
            let held = there.shares.get(share);
            held.is_some_and(|held| held.header.log(*side).countersigned >= *count)
        });
        if seen.oracle.odd(state.site.id) && held.header.revoked && !proven {
            continue;
        }
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
        let Some(state) = seen.of(*site).filter(knows) else {
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
    state: &State<'_>,
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
        let (Some(id), Some(state)) = (item.id.filter(|_| !item.lost), seen.of(item.site)) else {
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
        let links = state.process.read(|view| {
            let rows = view.page(&table::EVIDENCE_CASE, &id, None, usize::MAX)?;
            let cases = rows.into_iter().map(|((_, case), ())| case);
            let links = cases.map(|case| view.get(&table::CASE_EVIDENCE, &(case, id)));
            links.collect::<Result<Vec<_>, _>>()
        });
        let lies = |folder: &String| {
            let mut links = links.iter().flatten().flatten();
            links.any(|link| link.folder == *folder)
        };
        let folder = item.folder.as_ref().is_none_or(lies);
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
        if deal.lost || seen.early(state.site.id) {
            continue;
        }
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
