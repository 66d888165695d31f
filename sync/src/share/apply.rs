//! What an entry means: the next header and facts. It cannot fail: only what was decided or admitted is
//! applied.

use std::collections::BTreeMap;

use super::terms::SignedTerms;
use super::{BlobFact, Fact, Facts, Header, Hold, ItemFact, Key, Log, Put, State, Totals};
use crate::evidence::Item;
use crate::log::entry::{Body, Entry, StoredItem};

/// The header of a share before its first entry.
pub fn open(terms: &SignedTerms) -> Header {
    Header {
        share: terms.terms.share,
        owner: terms.terms.owner,
        partner: terms.terms.partner,
        kind: terms.terms.kind,
        terms: terms.digest(),
        state: State::Offered,
        hold: Hold::Free,
        owner_log: Log::default(),
        partner_log: Log::default(),
        listed: Totals::default(),
        stored: Totals::default(),
        update: 0,
        open: false,
    }
}

/// Applies the next entry of either log, written under `incarnation`. One that is held already changes
/// nothing.
pub fn apply(
    header: &Header,
    facts: &dyn Facts,
    entry: &Entry,
    incarnation: u64,
) -> (Header, Vec<Put>) {
    let mut next = header.clone();
    let log = next.log_mut(entry.side);
    if entry.number <= log.point.count {
        return (next, Vec::new());
    }
    log.point = entry.point();
    log.seen = entry.other.count;
    log.incarnation = incarnation;
    log.at = entry.at;
    let puts = match &entry.body {
        Body::EvidenceAdded(items) => added(&mut next, facts, items, entry.number),
        Body::Listed(_, update) => {
            next.update = *update;
            next.open = false;
            Vec::new()
        }
        Body::Ended(_) => {
            next.state = State::Ended;
            Vec::new()
        }
        Body::Cancelled(_) => {
            next.state = State::Cancelled { at: entry.number };
            Vec::new()
        }
        Body::Accepted(_) => {
            // A share that was ended or cancelled meanwhile does not come back to life.
            if next.state == State::Offered {
                next.state = State::Accepted;
            }
            Vec::new()
        }
        Body::Stored(items) => stored(&mut next, facts, items, entry.number),
        Body::Offered(..) | Body::Unread => Vec::new(),
    };
    (next, puts)
}

fn added(header: &mut Header, facts: &dyn Facts, items: &[Item], entry: u64) -> Vec<Put> {
    let mut puts = BTreeMap::new();
    for item in items {
        if facts.item(item.evidence).is_some() || puts.contains_key(&Key::Item(item.evidence)) {
            continue;
        }
        header.listed.add(item.files.len() as u64, item.bytes());
        header.open = true;
        let fact = ItemFact::new(item, entry);
        puts.insert(Key::Item(item.evidence), Fact::Item(fact));
        for (place, file) in (0..).zip(&item.files) {
            puts.insert(Key::File(item.evidence, place), Fact::File(file.clone()));
            puts.insert(
                Key::Blob(file.blake3),
                Fact::Blob(BlobFact { size: file.size }),
            );
        }
    }
    puts.into_iter().collect()
}

fn stored(header: &mut Header, facts: &dyn Facts, items: &[StoredItem], entry: u64) -> Vec<Put> {
    let mut puts = BTreeMap::new();
    for item in items {
        let Some(mut listed) = facts.item(item.evidence) else {
            continue;
        };
        if listed.stored != 0 || puts.contains_key(&Key::Item(item.evidence)) {
            continue;
        }
        header.stored.add(u64::from(listed.files), listed.bytes);
        listed.stored = entry;
        puts.insert(Key::Item(item.evidence), Fact::Item(listed));
    }
    puts.into_iter().collect()
}
