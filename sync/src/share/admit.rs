//! What a log's reader lets in. It may face a liar: nothing is believed that the chain, the state and
//! the facts do not bear out.
//!
//! Signatures are judged first, by [`SignedHead::verify`](crate::log::head::SignedHead::verify); here is
//! what a validly signed batch may still do wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::apply;
use super::decide::{accepted_once, described, room, stored, ungranted};
use super::terms::{FORMAT, SignedTerms};
use super::{Fact, Facts, Header, Hold, ItemFact, Key, Kind, Log, Policy, Put, State};
use crate::blob::Digest;
use crate::evidence::{File, Item};
use crate::id::EvidenceId;
use crate::log::Side;
use crate::log::entry::{Body, Entry, StoredItem};
use crate::log::head::Head;
use crate::refusal::Refusal;

/// What is to be done with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Apply it.
    Apply,
    /// It is held already.
    Known,
    /// It is critical and can't be read: pause the share, keeping what earlier batches brought.
    Pause,
    /// Another entry has its number: freeze the share, keeping both heads as proof.
    Freeze,
}

/// The hash of an entry that is held already, by its log and number: of every one up to the header's
/// points.
pub type Known<'a> = &'a dyn Fn(Side, u64) -> Option<[u8; 32]>;

/// Judges one entry that arrived under a verified head and chains up to it.
///
/// # Errors
/// A [`Refusal`] where it can't be let in; nothing changes then.
pub fn admit(
    header: &Header,
    facts: &dyn Facts,
    entry: &Entry,
    known: Known<'_>,
) -> Result<Admission, Refusal> {
    if entry.share != header.share {
        return Err(Refusal::Malformed);
    }
    let held = header.log(entry.side).point;
    if entry.number <= held.count {
        let same = known(entry.side, entry.number) == Some(entry.hash);
        return Ok(if same {
            Admission::Known
        } else {
            Admission::Freeze
        });
    }
    if entry.number != held.count + 1 {
        return Err(Refusal::Gap {
            expected: held.count + 1,
        });
    }
    if entry.previous != held.hash {
        return Ok(Admission::Freeze);
    }
    seen(header, entry, known)?;
    allowed(header, facts, entry)
}

/// Judges terms that came with a batch; where the share is not held yet, against the header that they
/// open.
///
/// # Errors
/// [`Refusal::Format`] for a format that is not known here, [`Refusal::Malformed`] where the share is held
/// under other terms.
pub fn terms(header: &Header, signed: &SignedTerms) -> Result<(), Refusal> {
    if signed.terms.format != FORMAT {
        return Err(Refusal::Format);
    }
    if signed.digest() != header.terms {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

/// Judges a head against the log as it is held, before its entries.
///
/// # Errors
/// [`Refusal::NotShared`] where its parties do not share this, as if it were unknown;
/// [`Refusal::Malformed`] without an incarnation; [`Refusal::Incarnation`] where the writer's node has been
/// replaced by a later one, which wrote to the log.
pub fn head(header: &Header, head: &Head) -> Result<(), Refusal> {
    let ours = (header.share, header.owner, header.partner);
    if (head.share, head.owner, head.partner) != ours {
        return Err(Refusal::NotShared);
    }
    if head.incarnation == 0 {
        return Err(Refusal::Malformed);
    }
    if head.incarnation < header.log(head.side).incarnation {
        return Err(Refusal::Incarnation);
    }
    Ok(())
}

/// The writer can't have seen more of our log than there is, nor another one, nor less than before.
fn seen(header: &Header, entry: &Entry, known: Known<'_>) -> Result<(), Refusal> {
    let side = entry.side.other();
    let ours = header.log(side).point;
    let hash = match entry.other.count {
        count if count < header.log(entry.side).seen => None,
        0 => Some([0; 32]),
        count if count == ours.count => Some(ours.hash),
        count => known(side, count),
    };
    if hash == Some(entry.other.hash) {
        Ok(())
    } else {
        Err(Refusal::Malformed)
    }
}

fn allowed(header: &Header, facts: &dyn Facts, entry: &Entry) -> Result<Admission, Refusal> {
    let opening = matches!(
        entry.body,
        Body::Offered(..) | Body::Accepted(_) | Body::Declined(..)
    );
    match entry.body {
        // Without an offer that can be read there is no share to pause.
        Body::Unread if entry.critical && header.owner_log == Log::default() => {
            return Err(Refusal::Newer);
        }
        Body::Unread if entry.critical => return Ok(Admission::Pause),
        Body::Unread if entry.number > 1 => return Ok(Admission::Apply),
        _ if opening != (entry.number == 1) => return Err(Refusal::State),
        _ => {}
    }
    match entry.side {
        Side::Owner => disclosing(header, facts, entry)?,
        Side::Partner => answering(header, facts, entry)?,
    }
    Ok(Admission::Apply)
}

/// What an owner says.
fn disclosing(header: &Header, facts: &dyn Facts, entry: &Entry) -> Result<(), Refusal> {
    let seen = entry.other.count;
    let advanced = matches!(header.kind, Kind::Advanced(_));
    let copy = header.kind == Kind::Copy;
    // That a partner has declined, its first entry says.
    let declined = header.declined.is_some() && seen > 0;
    // What a partner was told by a revocation alone, its owner's log may say later or never.
    let open = matches!(header.state, State::Offered | State::Accepted) && !declined;
    let lists = open && !header.suspended && (copy || advanced);
    match &entry.body {
        Body::Offered(terms, _) if *terms == header.terms => {}
        Body::Offered(..) => return Err(Refusal::Malformed),
        Body::EvidenceAdded(items) if lists => disclosed(facts, items)?,
        Body::EvidenceChanged(changes) if lists && advanced => {
            once(changes.iter().map(|change| change.evidence))?;
            for change in changes {
                described(facts, change.evidence)?;
            }
        }
        Body::EvidenceWithdrawn(ids) if open && advanced => {
            once(ids.iter().copied())?;
            for id in ids {
                described(facts, *id)?;
            }
        }
        Body::CaseChanged(..) if lists && advanced => {}
        Body::RecipientsChanged(..) if open && !copy => {}
        Body::Reshared(_, said) if lists && copy => room(header, said)?,
        // Once more only after the answer was known.
        Body::RecallAsked(..) if header.recallable() && seen > 0 => {
            if seen < header.recall.answered {
                return Err(Refusal::State);
            }
        }
        Body::ImportGranted(_) if granted(header, seen) => {}
        Body::Suspended(_) if open && !header.suspended => {}
        Body::Resumed(_) if open && header.suspended => {}
        Body::Revoked(_) if open && !copy => {}
        Body::Listed(_, update) if lists && header.open => {
            if header.update.checked_add(1) != Some(*update) {
                return Err(Refusal::State);
            }
        }
        Body::Ended(_) if copy && header.state == State::Accepted && seen > 0 => {
            // An ended copy is not resumed, and what is open would never be an update.
            if header.suspended || header.open {
                return Err(Refusal::State);
            }
        }
        Body::Cancelled(_) if open && copy => {}
        _ => return Err(Refusal::State),
    }
    Ok(())
}

/// What a partner says.
fn answering(header: &Header, facts: &dyn Facts, entry: &Entry) -> Result<(), Refusal> {
    let seen = entry.other.count;
    let advanced = matches!(header.kind, Kind::Advanced(_));
    let told = match header.state {
        State::Cancelled { at } | State::Revoked { at } => seen >= at,
        State::Offered | State::Accepted | State::Ended => false,
    };
    let began = accepted_once(header);
    match &entry.body {
        Body::Accepted(_) | Body::Declined(..) if !told && seen > 0 => {}
        Body::RecallAnswered(..) if header.recall.waits() && seen >= header.recall.asked => {}
        Body::Stored(items) if !told && header.kind.kept() && header.purged == 0 => {
            stated(facts, items, seen)?;
        }
        Body::Imported(items) if advanced && header.purged == 0 => {
            imported(header, facts, items, seen)?;
        }
        // What is kept is what it stated itself, in this very log.
        Body::Purged(purged) if header.revoked && began && header.purged == 0 => {
            if purged.kept != header.imported {
                return Err(Refusal::Malformed);
            }
        }
        Body::SharedOnward(..) if !told && header.shares_onward() => {}
        _ => return Err(Refusal::State),
    }
    Ok(())
}

/// The owner grants by its policy what it had not granted, to a partner that has accepted.
fn granted(header: &Header, seen: u64) -> bool {
    let policy = matches!(header.kind, Kind::Advanced(Policy { import: true, .. }));
    let accepted = header.state == State::Accepted && seen > 0;
    policy && !header.suspended && accepted && ungranted(header)
}

/// Something is disclosed, each item once, and none that is listed. One that was withdrawn may come back,
/// as the very item that it was.
fn disclosed(facts: &dyn Facts, items: &[Item]) -> Result<(), Refusal> {
    once(items.iter().map(|item| item.evidence))?;
    for item in items {
        let Some(before) = facts.item(item.evidence) else {
            continue;
        };
        if before.withdrawn == 0 {
            return Err(Refusal::Malformed);
        }
        same(facts, &before, item)?;
    }
    whole(facts, items)
}

/// An item that was withdrawn comes back with the files that it had.
pub(super) fn same(facts: &dyn Facts, before: &ItemFact, item: &Item) -> Result<(), Refusal> {
    let digests = |file: &File| (file.blake3, file.sha256);
    let files = (0..before.files).map(|place| facts.file(item.evidence, place));
    let before = files.map(|file| file.as_ref().map(digests));
    if before.eq(item.files.iter().map(|file| Some(digests(file)))) {
        Ok(())
    } else {
        Err(Refusal::Malformed)
    }
}

/// Something is said, and about each item once.
fn once(ids: impl Iterator<Item = EvidenceId>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for id in ids {
        count += 1;
        seen.insert(id);
    }
    if count == 0 || seen.len() != count {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

/// Something is stated, of each item once in a log, and of none that its writer had not seen listed.
fn stated(facts: &dyn Facts, items: &[StoredItem], seen: u64) -> Result<(), Refusal> {
    once(items.iter().map(|item| item.evidence))?;
    for item in items {
        let listed = stored(facts, item)?;
        let gone = listed.withdrawn != 0 && listed.withdrawn <= seen;
        if listed.stored != 0 || listed.first > seen || gone {
            return Err(Refusal::Malformed);
        }
    }
    Ok(())
}

/// Only what a grant that its writer had seen made the partner's own, whatever was withdrawn or revoked
/// since.
fn imported(
    header: &Header,
    facts: &dyn Facts,
    items: &[StoredItem],
    seen: u64,
) -> Result<(), Refusal> {
    once(items.iter().map(|item| item.evidence))?;
    if header.grants.first == 0 || header.grants.first > seen {
        return Err(Refusal::State);
    }
    for item in items {
        let listed = stored(facts, item)?;
        // It was granted as it is listed now, or before it was withdrawn.
        let known = listed.listed <= seen || (listed.granted != 0 && listed.first <= seen);
        if listed.imported != 0 || !known || !header.importable(&listed) {
            return Err(Refusal::Malformed);
        }
    }
    Ok(())
}

/// One digest has one size, everywhere in a share.
pub(super) fn whole(facts: &dyn Facts, items: &[Item]) -> Result<(), Refusal> {
    let mut sizes: BTreeMap<Digest, u64> = BTreeMap::new();
    for file in items.iter().flat_map(|item| &item.files) {
        let held = facts.blob(file.blake3).map(|blob| blob.size);
        let size = held.unwrap_or_else(|| *sizes.entry(file.blake3).or_insert(file.size));
        if size != file.size {
            return Err(Refusal::Malformed);
        }
    }
    Ok(())
}

/// What a whole batch does to a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The entries that are new and were applied.
    pub applied: Vec<Entry>,
    /// The header after them.
    pub header: Header,
    /// The facts that changed, each once.
    pub puts: Vec<Put>,
}

/// Judges a whole batch under a verified head: all of it is let in, or the share pauses or freezes, or
/// nothing changes.
///
/// # Errors
/// A [`Refusal`] where it can't be let in; nothing changes then.
pub fn batch(
    header: &Header,
    facts: &dyn Facts,
    entries: &[Entry],
    signed: &Head,
    known: Known<'_>,
) -> Result<Admitted, Refusal> {
    head(header, signed)?;
    match header.hold {
        Hold::Frozen => return Err(Refusal::Frozen),
        Hold::Closed => return Err(Refusal::NotShared),
        Hold::Free | Hold::Paused | Hold::Recovering => {}
    }
    chained(entries, signed)?;
    let mut overlay = Overlay {
        base: facts,
        puts: BTreeMap::new(),
    };
    let mut admitted = Admitted {
        applied: Vec::new(),
        header: header.clone(),
        puts: Vec::new(),
    };
    for entry in entries {
        match admit(&admitted.header, &overlay, entry, known)? {
            Admission::Known => {}
            Admission::Apply => {
                let (next, puts) = apply(&admitted.header, &overlay, entry, signed.incarnation);
                overlay.puts.extend(puts);
                admitted.header = next;
                admitted.applied.push(entry.clone());
            }
            Admission::Pause => return Ok(held(header, Hold::Paused)),
            Admission::Freeze => return Ok(held(header, Hold::Frozen)),
        }
    }
    // What could not be read before was read now.
    if !admitted.applied.is_empty() && header.hold == Hold::Paused {
        admitted.header.hold = Hold::Free;
    }
    admitted.puts = overlay.puts.into_iter().collect();
    Ok(admitted)
}

fn held(header: &Header, hold: Hold) -> Admitted {
    let mut header = header.clone();
    header.hold = hold;
    Admitted {
        applied: Vec::new(),
        header,
        puts: Vec::new(),
    }
}

/// The entries follow each other up to the signed head: so a fork that they show is proven by it.
fn chained(entries: &[Entry], signed: &Head) -> Result<(), Refusal> {
    let follow = entries.windows(2).all(|pair| {
        pair[0].number.checked_add(1) == Some(pair[1].number) && pair[1].previous == pair[0].hash
    });
    let covered = entries
        .last()
        .is_some_and(|last| last.point() == signed.point);
    let ours = entries.iter().all(|entry| entry.side == signed.side);
    if follow && covered && ours {
        Ok(())
    } else {
        Err(Refusal::Malformed)
    }
}

struct Overlay<'a> {
    base: &'a dyn Facts,
    puts: BTreeMap<Key, Fact>,
}

impl Facts for Overlay<'_> {
    fn fact(&self, key: &Key) -> Option<Fact> {
        self.puts.get(key).cloned().or_else(|| self.base.fact(key))
    }
}
