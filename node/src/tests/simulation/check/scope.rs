//! Nothing outside a share's scope is in a partner's store (S1, S2, A15): canaries are looked for in every
//! table, record and blob. What is read live, or sealed under a lease, is nowhere in the clear.

use std::ops::Bound;
use std::sync::Arc;

use super::super::oracle::{Deal, Oracle};
use super::super::site::{Process, Site};
use super::super::tap::{Canary, canaries};
use super::{Broken, Seen, State};
use crate::actions::partner::{Kind, OrganisationRole};
use crate::journal::Body;
use crate::store::engine::{Engine as _, Tree};

/// How far each node's journal was looked through.
pub(in super::super) type Scanned = std::collections::BTreeMap<usize, u64>;

pub(super) fn check(seen: &Seen<'_>, scanned: &mut Scanned) -> Broken {
    for state in &seen.states {
        let mut found = Vec::new();
        let from = scanned.entry(state.site.number).or_default();
        *from = each(state.site, &state.process, *from, |bytes| {
            found.extend(canaries(bytes));
        });
        found.sort_unstable();
        found.dedup();
        for canary in found {
            if !holds(seen.oracle, state, canary) {
                let name = state.site.name;
                return Err(format!("{name} holds {} in the clear", canary.text()));
            }
        }
    }
    Ok(())
}

/// Shows all that a node holds in the clear: its tables, its blobs, and its records behind one; gives the last.
pub(in super::super) fn each(
    site: &Site,
    process: &Process,
    from: u64,
    mut show: impl FnMut(&[u8]),
) -> u64 {
    let engine = Arc::clone(&site.disks.borrow().engine);
    for tree in Tree::ALL {
        let all = (Bound::Unbounded, Bound::Unbounded);
        let pairs = engine.scan(tree, all.0, all.1, usize::MAX);
        for (_, value) in pairs.unwrap_or_default() {
            show(&value);
        }
    }
    process.vault.each(&mut show);
    let head = process.head().count;
    let records = process.journal.scan(from.min(head), None);
    for record in records.map_while(Result::ok) {
        if let Body::Open(body) = &record.body {
            show(body);
        }
    }
    head
}

/// Whether a node may hold something in the clear: its own, and what became its own.
fn holds(oracle: &Oracle, state: &State<'_>, canary: Canary) -> bool {
    let site = state.site.origin;
    let auto = state.site.role == OrganisationRole::Justice;
    let own = |deal: &Deal| {
        let becomes = match deal.kind {
            Kind::Copy => true,
            Kind::Advanced => deal.wanted || auto,
            Kind::Reference => false,
        };
        deal.partner == site && becomes
    };
    let planted = match canary {
        Canary::Case(case) => case < oracle.cases.len(),
        Canary::Item(item) => item < oracle.items.len(),
    };
    // What a liar made of bytes that arrive may look like one.
    if !planted {
        return true;
    }
    let lies = |site: usize| oracle.liar == Some(site);
    match canary {
        Canary::Case(case) if lies(oracle.cases[case].site) => true,
        Canary::Item(item) if lies(oracle.items[item].site) => true,
        Canary::Case(case) => {
            let outlined = |deal: &Deal| {
                let reference = deal.kind == Kind::Reference && deal.partner == site;
                deal.case == case && (own(deal) || reference)
            };
            // Who lies tells others what it was told.
            let told = |deal: &Deal| deal.case == case && lies(deal.partner);
            let may = |deal: &Deal| outlined(deal) || told(deal);
            oracle.cases[case].site == site || oracle.deals.iter().any(may)
        }
        Canary::Item(item) => {
            let items = 0..oracle.items.len();
            let same = |place: &usize| *place == item || oracle.items[*place].content == item;
            let listed = |deal: &Deal| {
                let mut items = items.clone().filter(same);
                own(deal) && items.any(|place| deal.covered(&oracle.items, place))
            };
            // Who lies tells others what it was told.
            let told = |deal: &Deal| {
                let mut items = items.clone().filter(same);
                lies(deal.partner) && items.any(|place| deal.covered(&oracle.items, place))
            };
            let may = |deal: &Deal| listed(deal) || told(deal);
            oracle.items[item].site == site || oracle.deals.iter().any(may)
        }
    }
}
