//! What an entry means: the next header and facts. It cannot fail: only what was decided or admitted is
//! applied.

use std::collections::BTreeMap;

use super::terms::SignedTerms;
use super::{
    BlobFact, Fact, Facts, Grants, Header, Hold, ItemFact, Key, Kind, Log, Onward, Put, Recall,
    State, Totals,
};
use crate::copy::Field;
use crate::evidence::Item;
use crate::id::EvidenceId;
use crate::log::entry::{Body, Entry, ItemChange, StoredItem};
use crate::metadata::{Metadata, Tag, Value};

/// The header of a share before its first entry.
pub fn open(terms: &SignedTerms) -> Header {
    Header {
        share: terms.terms.share,
        owner: terms.terms.owner,
        partner: terms.terms.partner,
        kind: terms.terms.kind,
        terms: terms.digest(),
        state: State::Offered,
        suspended: false,
        revoked: false,
        hold: Hold::Free,
        owner_log: Log::default(),
        partner_log: Log::default(),
        case: 0,
        recipients: 0,
        addressed: 0,
        onward: Onward::default(),
        grants: Grants::default(),
        listed: Totals::default(),
        stored: Totals::default(),
        imported: Totals::default(),
        purged: 0,
        declined: None,
        recall: Recall::default(),
        update: 0,
        open: false,
    }
}

/// The header after a revocation that came by itself.
#[must_use]
pub fn revoked(header: &Header) -> Header {
    let mut next = header.clone();
    next.revoked = true;
    next
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
    let mut changes = Changes {
        facts,
        puts: BTreeMap::new(),
        number: entry.number,
        seen: entry.other.count,
    };
    match &entry.body {
        Body::Offered(_, offered) => {
            // Of what lives, names may be kept redacted, and others take their place.
            if next.kind == Kind::Copy {
                next.addressed = count(&offered.recipients);
            }
            next.case = entry.number;
            next.recipients = entry.number;
            // That a case has nothing yet is said as well: else it would never be known to be whole.
            next.open = matches!(next.kind, Kind::Advanced(_));
        }
        Body::EvidenceAdded(items) => changes.added(&mut next, items),
        Body::EvidenceChanged(items) => changes.changed(&mut next, items),
        Body::EvidenceWithdrawn(items) => changes.withdrawn(&mut next, items),
        Body::CaseChanged(..) => {
            next.case = entry.number;
            next.open = true;
        }
        Body::RecipientsChanged(..) => next.recipients = entry.number,
        Body::Reshared(_, said) => {
            next.addressed = next.addressed.saturating_add(count(&said.recipients));
        }
        Body::RecallAsked(..) => next.recall.asked = entry.number,
        Body::RecallAnswered(_, answer) => {
            next.recall.answer(entry, answer.granted);
        }
        Body::Declined(_, reason) => next.declined = Some(*reason),
        Body::ImportGranted(_) => {
            next.grants.add(entry.number);
        }
        Body::Suspended(_) => next.suspended = true,
        Body::Resumed(_) => next.suspended = false,
        Body::Listed(_, update) => {
            next.update = *update;
            next.open = false;
        }
        Body::Ended(_) => next.state = State::Ended,
        Body::Cancelled(_) => next.state = State::Cancelled { at: entry.number },
        Body::Revoked(_) => {
            next.state = State::Revoked { at: entry.number };
            next.revoked = true;
        }
        // A share that was ended, cancelled or revoked meanwhile does not come back to life.
        Body::Accepted(_) if next.state == State::Offered => next.state = State::Accepted,
        Body::Accepted(_) | Body::Unread => {}
        Body::Stored(items) => changes.stored(&mut next, items),
        Body::Imported(items) => changes.imported(&mut next, items),
        Body::Purged(_) => next.purged = entry.number,
        Body::SharedOnward(..) => {
            next.onward = Onward {
                entry: entry.number,
                seen: entry.other.count,
            };
        }
    }
    (next, changes.puts.into_iter().collect())
}

impl Grants {
    const fn add(&mut self, entry: u64) {
        if self.first == 0 {
            self.first = entry;
        }
        self.last = entry;
    }
}

impl Recall {
    const fn answer(&mut self, entry: &Entry, granted: bool) {
        self.answered = entry.number;
        self.seen = entry.other.count;
        self.granted = granted;
    }
}

fn count(recipients: &[String]) -> u32 {
    u32::try_from(recipients.len()).unwrap_or(u32::MAX)
}

/// What one entry does to the facts.
struct Changes<'a> {
    facts: &'a dyn Facts,
    puts: BTreeMap<Key, Fact>,
    number: u64,
    /// How much of the other log its writer had seen.
    seen: u64,
}

impl Facts for Changes<'_> {
    fn fact(&self, key: &Key) -> Option<Fact> {
        let put = self.puts.get(key).cloned();
        put.or_else(|| self.facts.fact(key))
    }
}

impl Changes<'_> {
    fn put(&mut self, evidence: EvidenceId, item: ItemFact) {
        self.puts.insert(Key::Item(evidence), Fact::Item(item));
    }

    /// Keeps what is said of an item now, in place of what was.
    fn described(&mut self, evidence: EvidenceId, item: &mut ItemFact, metadata: &Metadata) {
        let key = Key::Fields(evidence);
        if !metadata.fields.is_empty() || self.fact(&key).is_some() {
            let fields = Fact::Fields(metadata.fields.clone());
            self.puts.insert(key, fields);
        }
        let before = std::mem::take(&mut item.tags);
        for tag in &metadata.tags {
            let key = Key::Tag(evidence, item.tags);
            self.puts.insert(key, Fact::Tag(tag.clone()));
            item.tags += 1;
        }
        for place in item.tags..before {
            let gone = Tag {
                text: String::new(),
                from: Field::Tags,
            };
            let key = Key::Tag(evidence, place);
            self.puts.insert(key, Fact::Tag(gone));
        }
    }

    fn added(&mut self, header: &mut Header, items: &[Item]) {
        for item in items {
            let before = self.item(item.evidence);
            if before.as_ref().is_some_and(|before| before.withdrawn == 0) {
                continue;
            }
            let mut fact = ItemFact::new(item, self.number);
            if let Some(before) = before {
                fact.first = before.first;
                fact.granted = before.granted;
                fact.imported = before.imported;
                fact.tags = before.tags;
            }
            self.described(item.evidence, &mut fact, &item.metadata);
            header.listed.add(&fact);
            header.open = true;
            self.put(item.evidence, fact);
            for (place, file) in (0..).zip(&item.files) {
                let fact = Fact::File(file.clone());
                self.puts.insert(Key::File(item.evidence, place), fact);
                let used = self.blob(file.blake3).filter(|blob| blob.uses > 0);
                let blob = BlobFact {
                    size: file.size,
                    uses: used.map_or(1, |blob| blob.uses.saturating_add(1)),
                    listed: used.map_or(self.number, |blob| blob.listed),
                };
                self.puts.insert(Key::Blob(file.blake3), Fact::Blob(blob));
            }
        }
    }

    fn changed(&mut self, header: &mut Header, changes: &[ItemChange]) {
        for change in changes {
            let Some(mut item) = self.item(change.evidence) else {
                continue;
            };
            item.title.clone_from(&change.title);
            item.folder.clone_from(&change.folder);
            item.described = self.number;
            header.open = true;
            self.described(change.evidence, &mut item, &change.metadata);
            self.put(change.evidence, item);
        }
    }

    fn withdrawn(&mut self, header: &mut Header, evidence: &[EvidenceId]) {
        for evidence in evidence {
            let Some(mut item) = self.item(*evidence).filter(|item| item.withdrawn == 0) else {
                continue;
            };
            header.listed.subtract(&item);
            header.open = true;
            if item.stored != 0 {
                header.stored.subtract(&item);
            }
            if item.listed <= header.grants.last {
                item.granted = header.grants.last;
            }
            item.withdrawn = self.number;
            // It is nobody's to read any more.
            item.title.clear();
            item.folder.clear();
            item.added_by = Value::default();
            self.described(*evidence, &mut item, &Metadata::default());
            let files = item.files;
            self.put(*evidence, item);
            for place in 0..files {
                let file = self.file(*evidence, place);
                let Some((mut file, mut blob)) = file.and_then(|file| {
                    let blob = self.blob(file.blake3)?;
                    Some((file, blob))
                }) else {
                    continue;
                };
                blob.uses = blob.uses.saturating_sub(1);
                self.puts.insert(Key::Blob(file.blake3), Fact::Blob(blob));
                file.name.clear();
                file.format.clear();
                self.puts
                    .insert(Key::File(*evidence, place), Fact::File(file));
            }
        }
    }

    /// A statement about an item that was withdrawn and listed again meanwhile is about the past.
    fn stored(&mut self, header: &mut Header, items: &[StoredItem]) {
        for stored in items {
            let Some(mut item) = self.item(stored.evidence) else {
                continue;
            };
            if self.held(header, &mut item) {
                self.put(stored.evidence, item);
            }
        }
    }

    fn held(&self, header: &mut Header, item: &mut ItemFact) -> bool {
        if item.stored != 0 || item.listed > self.seen {
            return false;
        }
        if item.withdrawn == 0 {
            header.stored.add(item);
        }
        item.stored = self.number;
        true
    }

    fn imported(&mut self, header: &mut Header, items: &[StoredItem]) {
        for imported in items {
            let Some(mut item) = self.item(imported.evidence) else {
                continue;
            };
            if item.imported != 0 {
                continue;
            }
            header.imported.add(&item);
            item.imported = self.number;
            // What is its own is held there as well, where files are kept.
            if header.kind.kept() {
                self.held(header, &mut item);
            }
            self.put(imported.evidence, item);
        }
    }
}
