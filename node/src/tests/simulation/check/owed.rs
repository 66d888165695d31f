//! Everything that was owed arrives once faults stop (L1, L2): what a share covers is at the partner, and
//! nothing else is listed; a revocation is known there, and stated to be purged.

use std::collections::BTreeSet;

use interdocket_sync::id::EvidenceId;
use interdocket_sync::share::{Fact, Hold, Key, Mode, State as Life};

use super::super::oracle::Deal;
use super::{Broken, Seen, State};
use crate::actions::partner::{Kind, OrganisationRole};
use crate::federation::sealed;
use crate::keyring::KeyId;
use crate::store::entity::Share;
use crate::store::table;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for deal in &seen.oracle.deals {
        let ends = [seen.of(deal.owner), seen.of(deal.partner)];
        let (Some(id), [Some(owner), Some(partner)]) = (deal.share, ends) else {
            continue;
        };
        let name = partner.site.name;
        let Some(held) = partner.shares.get(&id) else {
            // What was revoked or cancelled before it was offered need not arrive, nor what its owner lost.
            let behind = seen.oracle.behind(partner.site.id);
            if deal.stopped || deal.lost || behind || seen.oracle.odd(owner.site.id) {
                continue;
            }
            return Err(format!("{name} does not know {id}"));
        };
        // What an owner lost with its past it is not always given back.
        let odd = seen.oracle.odd(owner.site.id);
        if odd && !owner.shares.contains_key(&id) && seen.oracle.lost(id) {
            continue;
        }
        if deal.revoked {
            // A machine that was set back does not know what it told its people and never heard of again.
            match seen.oracle.behind(owner.site.id) || seen.oracle.behind(partner.site.id) {
                true => {}
                false => revoked(name, owner, held)?,
            }
            continue;
        }
        let keyless = odd && super::keyless(&owner.process, &held.header);
        // Who lost that a share was suspended does not know that it is to go on.
        let idle = odd && held.header.suspended;
        let excused = seen.oracle.excused(&held.header) || keyless || idle;
        if deal.stopped || excused || deal.kind == Kind::Reference {
            continue;
        }
        if !matches!(held.header.state, Life::Accepted | Life::Ended) {
            return Err(format!("{name} has not accepted {id}"));
        }
        listed(seen, deal, partner, held)?;
    }
    Ok(())
}

fn revoked(name: &str, owner: &State<'_>, held: &Share) -> Broken {
    let id = held.header.share;
    if !held.header.revoked {
        return Err(format!("{name} does not know that {id} was revoked"));
    }
    let known = owner.shares.get(&id).and_then(|share| share.revocation);
    if known.is_none_or(|revocation| revocation.countersigned.is_none()) {
        return Err(format!(
            "{} has no receipt for the revocation of {id}",
            owner.site.name
        ));
    }
    if owner.process.keyring.key(KeyId::lease(id)).is_some() {
        return Err(format!("{} still has the key of {id}", owner.site.name));
    }
    let header = &held.header;
    if header.partner_log.point.count > 0 && header.purged == 0 && header.hold != Hold::Closed {
        return Err(format!("{name} has not purged {id}"));
    }
    Ok(())
}

/// What is listed there is what the share amounts to, and it is there.
fn listed(seen: &Seen<'_>, deal: &Deal, partner: &State<'_>, held: &Share) -> Broken {
    let (id, name) = (held.header.share, partner.site.name);
    let (covers, unsure) = deal.amounts(&seen.oracle.items);
    let ids = |of: &BTreeSet<usize>| -> BTreeSet<EvidenceId> {
        of.iter()
            .filter_map(|item| seen.oracle.items[*item].id)
            .collect()
    };
    let (covers, unsure) = (ids(&covers), ids(&unsure));
    let rows = partner
        .process
        .read(|view| view.page(&table::FACT, &id, None, usize::MAX));
    let rows = rows.unwrap_or_default();
    let there: BTreeSet<EvidenceId> = rows
        .iter()
        .filter_map(|((_, key), fact)| match (key, fact) {
            (Key::Item(evidence), Fact::Item(item)) if item.withdrawn == 0 => Some(*evidence),
            _ => None,
        })
        .collect();
    if let Some(missing) = covers
        .difference(&there)
        .find(|item| !unsure.contains(item))
    {
        return Err(format!("{name} was never told of {missing} of {id}"));
    }
    // Of items that nobody was told of nothing is certain.
    let known: BTreeSet<EvidenceId> = seen
        .oracle
        .items
        .iter()
        .filter_map(|item| item.id)
        .collect();
    let more = there.difference(&covers);
    let more = more.filter(|item| !unsure.contains(item) && known.contains(item));
    if let Some(more) = more.clone().next() {
        return Err(format!(
            "{name} has {more} listed in {id}, which does not cover it"
        ));
    }
    for item in &seen.oracle.items {
        let held_there = |evidence: &EvidenceId| there.contains(evidence) && !item.lost;
        let Some(evidence) = item.id.filter(held_there) else {
            continue;
        };
        // What went bad at either end is owed no more.
        let rots = |state: &State<'_>| state.process.vault.rotten.borrow().contains(&item.digest);
        let bad = rots(partner) || seen.of(deal.owner).is_some_and(rots);
        if !bad && !brought(deal, partner, held, evidence, item.digest) {
            return Err(format!("{name} has not got {evidence} of {id}"));
        }
    }
    Ok(())
}

/// Whether the bytes of an item are where they belong.
fn brought(
    deal: &Deal,
    partner: &State<'_>,
    held: &Share,
    evidence: EvidenceId,
    digest: interdocket_sync::blob::Digest,
) -> bool {
    let id = held.header.share;
    let own = || {
        let became = partner.process.read(|view| {
            let became = view.get(&table::BECAME, &(id, evidence))?;
            became.map_or(Ok(false), |became| view.has(&table::EVIDENCE, &became))
        });
        became.ok() == Some(true) && partner.bytes(digest).is_some()
    };
    let interdocket_sync::share::Kind::Advanced(policy) = held.header.kind else {
        return deal.kind != Kind::Copy || own();
    };
    let justice = partner.site.role == OrganisationRole::Justice;
    if justice && policy.import {
        return own();
    }
    if policy.mode == Mode::Live {
        return true;
    }
    let whole = partner.process.read(|view| {
        let file = interdocket_sync::evidence::File {
            name: String::new(),
            size: 1,
            blake3: digest,
            sha256: interdocket_sync::blob::Sha256(digest.0),
            kind: Default::default(),
            format: String::new(),
        };
        sealed::whole(view, id, &file)
    });
    matches!(whole, Ok(true)) || own()
}
