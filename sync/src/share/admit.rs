//! What a log's reader lets in. It may face a liar: nothing is believed that the chain, the state and
//! the facts do not bear out.
//!
//! Signatures are judged first, by [`SignedHead::verify`](crate::log::head::SignedHead::verify); here is
//! what a validly signed batch may still do wrong.

use std::collections::BTreeMap;

use super::apply::apply;
use super::decide::stored;
use super::{Fact, Facts, Header, Hold, Key, Put, State};
use crate::blob::Digest;
use crate::evidence::Item;
use crate::log::Side;
use crate::log::entry::{Body, Entry};
use crate::log::head::Head;
use crate::refusal::Refusal;

/// What is to be done with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Apply it.
    Apply,
    /// It is held already.
    Known,
    /// It is critical and of an unknown type: pause the share, keeping what came before.
    Pause,
    /// Another entry has its number: freeze the share, keeping both heads as proof.
    Freeze,
}

/// The hash of an entry that is held already, by its log and number.
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

/// Judges a head against the log as it is held, before its entries.
///
/// # Errors
/// [`Refusal::Malformed`] for parties that are not the share's, [`Refusal::Incarnation`] where the
/// writer's node is another than wrote the log so far.
pub fn head(header: &Header, head: &Head) -> Result<(), Refusal> {
    if (head.share, head.owner, head.partner) != (header.share, header.owner, header.partner) {
        return Err(Refusal::Malformed);
    }
    let log = header.log(head.side);
    if log.incarnation != 0 && head.incarnation != log.incarnation {
        return Err(Refusal::Incarnation);
    }
    if head.incarnation == 0 {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

/// The writer can't have seen more of our log than there is, nor another one.
fn seen(header: &Header, entry: &Entry, known: Known<'_>) -> Result<(), Refusal> {
    let side = entry.side.other();
    let ours = header.log(side).point;
    let hash = match entry.other.count {
        0 => Some([0; 32]),
        count if count == ours.count => Some(ours.hash),
        count if count < ours.count => known(side, count),
        _ => None,
    };
    if hash == Some(entry.other.hash) {
        Ok(())
    } else {
        Err(Refusal::Malformed)
    }
}

fn allowed(header: &Header, facts: &dyn Facts, entry: &Entry) -> Result<Admission, Refusal> {
    if entry.body == Body::Unread {
        return Ok(if entry.critical {
            Admission::Pause
        } else {
            Admission::Apply
        });
    }
    let opening = matches!(entry.body, Body::Offered(_) | Body::Accepted(_));
    if opening != (entry.number == 1) {
        return Err(Refusal::State);
    }
    let told = match header.state {
        State::Cancelled { at } => entry.other.count >= at,
        State::Offered | State::Accepted | State::Ended => false,
    };
    match &entry.body {
        Body::Offered(_) => {}
        Body::EvidenceAdded(items) if open(header) => whole(facts, items)?,
        Body::Listed(_, update)
            if open(header) && header.update.checked_add(1) == Some(*update) => {}
        Body::Ended(_) if header.state == State::Accepted => {}
        Body::Cancelled(_) if open(header) => {}
        Body::Accepted(_) if !told => {}
        Body::Stored(items) if !told => {
            for item in items {
                stored(facts, item)?;
            }
        }
        _ => return Err(Refusal::State),
    }
    Ok(Admission::Apply)
}

/// One digest has one size, everywhere in a share.
fn whole(facts: &dyn Facts, items: &[Item]) -> Result<(), Refusal> {
    let mut sizes: BTreeMap<Digest, u64> = BTreeMap::new();
    for file in items.iter().flat_map(|item| &item.files) {
        let held = facts.blob(file.blake3).map(|blob| blob.size);
        let size = held.unwrap_or_else(|| *sizes.entry(file.blake3).or_insert(file.size));
        if size != file.size {
            return Err(Refusal::Malformed);
        }
    }
    if items.is_empty() {
        Err(Refusal::Malformed)
    } else {
        Ok(())
    }
}

const fn open(header: &Header) -> bool {
    matches!(header.state, State::Offered | State::Accepted)
}

/// What a whole batch does to a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The entries that are new and were applied.
    pub applied: Vec<Entry>,
    /// The header after them.
    pub header: Header,
    /// The facts that changed.
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
    if header.hold == Hold::Frozen {
        return Err(Refusal::Frozen);
    }
    head(header, signed)?;
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
                overlay.puts.extend(puts.iter().cloned());
                admitted.puts.extend(puts);
                admitted.header = next;
                admitted.applied.push(entry.clone());
            }
            Admission::Pause => return Ok(held(header, Hold::Paused)),
            Admission::Freeze => return Ok(held(header, Hold::Frozen)),
        }
    }
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
