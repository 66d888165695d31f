//! What was written, received and countersigned in a share's logs, read back from the journal.

use std::cell::RefCell;

use interdocket_sync::id::ShareId;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::Entry as LogEntry;
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::receipt::{Countersignature, Receipt};
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::share::terms::SignedTerms;
use interdocket_sync::wire::batch::Batch;

use crate::actions::Error;
use crate::actions::decide::broken;
use crate::actions::share::Fork;
use crate::event::{Entry, Event};
use crate::journal::{Body, Position, Reader};
use crate::seal::Seal;
use crate::store::table;
use crate::store::view::View;
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// The event of a record.
///
/// # Errors
/// [`Error`] where there is none that can be read.
pub fn event(view: &View<'_>, journal: &Reader, seq: u64) -> Result<Event, Error> {
    let offset = view
        .get(&table::POSITION, &seq)?
        .ok_or_else(|| broken("a record's place in the journal is missing"))?;
    let record = journal.read(Position { seq, offset }).map_err(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the journal can't be read"
        );
        broken("the journal can't be read")
    })?;
    let Body::Open(body) = record.body else {
        return Err(broken("a record's body was erased or is damaged"));
    };
    Ok(Entry::read(&body, journal.keyring())
        .map_err(|_| broken("a record is of a newer release"))?
        .event)
}

/// Hashes of the entries that are held of one share; the last batch that was looked at is kept, as
/// its neighbours are asked for next.
pub struct Hashes<'a> {
    view: View<'a>,
    journal: &'a Reader,
    share: ShareId,
    last: RefCell<Option<(Side, Vec<LogEntry>)>>,
}

impl<'a> Hashes<'a> {
    /// Those of a share.
    pub fn new(view: View<'a>, journal: &'a Reader, share: ShareId) -> Self {
        Self {
            view,
            journal,
            share,
            last: RefCell::default(),
        }
    }

    /// The hash of an entry; none where it is not held.
    ///
    /// # Errors
    /// [`Error`] where the journal can't be read, or does not have the entry yet.
    pub fn hash(&self, side: Side, number: u64) -> Result<Option<[u8; 32]>, Error> {
        #[cfg(test)]
        if planted(Bug::HeldForgotten) {
            return Ok(None);
        }
        let find = |entries: &[LogEntry]| {
            let found = entries.iter().find(|entry| entry.number == number);
            found.map(|entry| entry.hash)
        };
        let mut last = self.last.borrow_mut();
        if let Some((_, entries)) = last.as_ref().filter(|(of, _)| *of == side)
            && let Some(hash) = find(entries)
        {
            return Ok(Some(hash));
        }
        let read = batch_with(&self.view, self.journal, self.share, side, number)?;
        let entries = read.map(|(_, entries)| entries).unwrap_or_default();
        let hash = find(&entries);
        *last = Some((side, entries));
        Ok(hash)
    }
}

/// The batch of this node's log that begins with, or contains, an entry; none after the last.
///
/// # Errors
/// [`Error`] where the journal can't be read.
pub fn batch(
    view: &View<'_>,
    journal: &Reader,
    share: ShareId,
    side: Side,
    number: u64,
) -> Result<Option<Batch>, Error> {
    let Some((head, entries)) = batch_with(view, journal, share, side, number)? else {
        return Ok(None);
    };
    let first = entries.first().is_some_and(|entry| entry.number == 1);
    let terms = match first && side == Side::Owner {
        true => Some(terms(view, journal, share)?),
        false => None,
    };
    Ok(Some(Batch {
        share,
        terms,
        entries,
        head,
    }))
}

fn batch_with(
    view: &View<'_>,
    journal: &Reader,
    share: ShareId,
    side: Side,
    number: u64,
) -> Result<Option<(SignedHead, Vec<LogEntry>)>, Error> {
    let before = (share, side, number.saturating_sub(1));
    let rows = view.page(&table::BATCH, &(share, side), Some(&before), 1)?;
    let Some((_, seq)) = rows.into_iter().next() else {
        return Ok(None);
    };
    let (head, entries) = match event(view, journal, seq)? {
        Event::LogWritten(written) => (written.head, written.entries),
        Event::LogReceived(received) => (received.head, received.entries),
        Event::LogRecovered(recovered) => (recovered.head, recovered.entries),
        _ => return Err(broken("a record of a log is something else")),
    };
    let unreadable = |_| broken("what was signed can't be read back");
    let entries = entries
        .iter()
        .map(|entry| LogEntry::kept(&entry.0))
        .collect::<Result<_, _>>();
    Ok(Some((
        SignedHead::read(&head.0).map_err(unreadable)?,
        entries.map_err(unreadable)?,
    )))
}

/// What this node gives back of a share to a partner that lost it.
pub struct Returned {
    /// Entries of either log, whole.
    pub batch: Batch,
    /// With entries of the partner's log: this node's countersignature.
    pub countersignature: Option<Countersignature>,
}

/// The batch of either log that this node wrote or took in next, behind these entries of the owner's and the
/// partner's log, and of each log up to these at most. Entries that are sealed are opened with the seal;
/// none where all was given, and nothing of a batch where it can't be opened.
///
/// # Errors
/// [`Error`] where the journal can't be read.
pub fn returned(
    view: &View<'_>,
    journal: &Reader,
    share: ShareId,
    from: [u64; 2],
    most: [u64; 2],
    seal: Option<&Seal>,
) -> Result<Option<Option<Returned>>, Error> {
    let sides = [Side::Owner, Side::Partner];
    let mut next: Option<(u64, Side)> = None;
    for (place, side) in sides.into_iter().enumerate() {
        if from[place] >= most[place] {
            continue;
        }
        let before = (share, side, from[place]);
        let rows = view.page(&table::BATCH, &(share, side), Some(&before), 1)?;
        // As they were recorded here, each finds what it builds on.
        let row = rows.into_iter().next().map(|(_, seq)| (seq, side));
        next = match (next, row) {
            (Some(next), Some(row)) => Some(next.min(row)),
            (next, row) => next.or(row),
        };
    }
    let Some((seq, side)) = next else {
        return Ok(None);
    };
    let (head, entries, sealed, countersignature) = match event(view, journal, seq)? {
        Event::LogWritten(event) => (event.head, event.entries, Vec::new(), None),
        Event::LogReceived(event) => (
            event.head,
            event.entries,
            event.sealed,
            Some(event.countersignature),
        ),
        Event::LogRecovered(event) => (event.head, event.entries, Vec::new(), None),
        _ => return Err(broken("a record of a log is something else")),
    };
    let unreadable = |_| broken("what was signed can't be read back");
    let mut whole = Vec::with_capacity(entries.len());
    for (place, bytes) in entries.iter().enumerate() {
        let plain = match sealed.get(place) {
            None => Some(bytes.0.clone()),
            Some(sealed) => {
                let about = LogEntry::kept(&bytes.0).map_err(unreadable)?.hash;
                seal.and_then(|seal| seal.open(&about, &sealed.0))
            }
        };
        let Some(plain) = plain else {
            return Ok(Some(None));
        };
        whole.push(LogEntry::read(&plain).map_err(unreadable)?);
    }
    let first = whole.first().is_some_and(|entry| entry.number == 1);
    let terms = match first && side == Side::Owner {
        true => Some(terms(view, journal, share)?),
        false => None,
    };
    let countersignature = countersignature
        .map(|bytes| Countersignature::read(&bytes.0).map_err(unreadable))
        .transpose()?;
    Ok(Some(Some(Returned {
        batch: Batch {
            share,
            terms,
            entries: whole,
            head: SignedHead::read(&head.0).map_err(unreadable)?,
        },
        countersignature,
    })))
}

fn terms(view: &View<'_>, journal: &Reader, share: ShareId) -> Result<SignedTerms, Error> {
    let made = crate::actions::decide::share(view, share)?.made;
    let bytes = match event(view, journal, made)? {
        Event::ShareMade(made) => Some(made.terms),
        Event::LogReceived(received) => received.terms,
        Event::LogRecovered(recovered) => recovered.terms,
        _ => None,
    };
    let bytes = bytes.ok_or_else(|| broken("a share's terms are missing"))?;
    SignedTerms::read(&bytes.0).map_err(|_| broken("what was signed can't be read back"))
}

/// A share's revocation and how the partner countersigned it; none where it was not revoked by itself.
///
/// # Errors
/// [`Error`] where the journal can't be read.
pub fn revocation_proof(
    view: &View<'_>,
    journal: &Reader,
    share: ShareId,
) -> Result<Option<(SignedRevocation, Option<Countersignature>)>, Error> {
    let Some(known) = crate::actions::decide::share(view, share)?.revocation else {
        return Ok(None);
    };
    proof(view, journal, known.record, known.countersigned).map(Some)
}

/// What was signed of a revocation by one record, and countersigned by another one or the same.
///
/// # Errors
/// [`Error`] where the journal can't be read.
pub fn proof(
    view: &View<'_>,
    journal: &Reader,
    record: u64,
    countersigned: Option<u64>,
) -> Result<(SignedRevocation, Option<Countersignature>), Error> {
    let said = revocation(view, journal, record)?;
    let Some(record) = countersigned else {
        return Ok((said, None));
    };
    let bytes = match event(view, journal, record)? {
        Event::RevocationCountersigned(event) => event.countersignature,
        Event::RevocationReceived(event) => event.countersignature,
        _ => return Err(broken("a revocation's record is something else")),
    };
    let read = Countersignature::read(&bytes.0);
    let read = read.map_err(|_| broken("what was signed can't be read back"))?;
    Ok((said, Some(read)))
}

/// What froze a share; none where it is not frozen.
///
/// # Errors
/// [`Error`] where the journal can't be read.
pub fn fork(view: &View<'_>, journal: &Reader, share: ShareId) -> Result<Option<Fork>, Error> {
    let Some(record) = crate::actions::decide::share(view, share)?.frozen else {
        return Ok(None);
    };
    let Event::ShareFrozen(frozen) = event(view, journal, record)? else {
        return Err(broken("a record of a log is something else"));
    };
    let unreadable = |_| broken("what was signed can't be read back");
    let hashes = Hashes::new(*view, journal, share);
    let mut entry = frozen.held + 1;
    for bytes in &frozen.entries {
        let other = LogEntry::kept(&bytes.0).map_err(unreadable)?;
        let held = hashes.hash(frozen.side, other.number)?;
        if other.number <= frozen.held && held != Some(other.hash) {
            entry = entry.min(other.number);
        }
    }
    // Where the other history goes on behind what is held, the last entry that is held is not its own.
    let entry = entry.min(frozen.held);
    let held = batch_with(view, journal, share, frozen.side, entry)?;
    let (held, _) = held.ok_or_else(|| broken("what a share's fork is about is missing"))?;
    let shown = SignedHead::read(&frozen.head.0).map_err(unreadable)?;
    Ok(Some(Fork::of(frozen.side, entry, &held, &shown)))
}

/// A revocation that was made or received, read back.
///
/// # Errors
/// [`Error`] where the journal can't be read.
pub fn revocation(
    view: &View<'_>,
    journal: &Reader,
    record: u64,
) -> Result<SignedRevocation, Error> {
    let bytes = match event(view, journal, record)? {
        Event::ShareRevoked(event) => event.revocation,
        Event::RevocationReceived(event) => event.revocation,
        _ => return Err(broken("a revocation's record is something else")),
    };
    SignedRevocation::read(&bytes.0).map_err(|_| broken("what was signed can't be read back"))
}

/// An entry of the owner's log of a received share, opened with its seal where it is sealed; none where it
/// is not held, or can't be opened.
///
/// # Errors
/// [`Error`] where the journal can't be read.
pub fn opened(
    view: &View<'_>,
    journal: &Reader,
    share: ShareId,
    number: u64,
    seal: Option<&Seal>,
) -> Result<Option<LogEntry>, Error> {
    let before = (share, Side::Owner, number.saturating_sub(1));
    let rows = view.page(&table::BATCH, &(share, Side::Owner), Some(&before), 1)?;
    let Some((_, seq)) = rows.into_iter().next() else {
        return Ok(None);
    };
    let (entries, sealed) = match event(view, journal, seq)? {
        Event::LogWritten(written) => (written.entries, Vec::new()),
        Event::LogReceived(received) => (received.entries, received.sealed),
        Event::LogRecovered(recovered) => (recovered.entries, Vec::new()),
        _ => return Err(broken("a record of a log is something else")),
    };
    let unreadable = |_| broken("what was signed can't be read back");
    for (place, bytes) in entries.iter().enumerate() {
        let entry = LogEntry::kept(&bytes.0).map_err(unreadable)?;
        if entry.number != number {
            continue;
        }
        let Some(sealed) = sealed.get(place) else {
            return Ok(Some(entry));
        };
        let plain = seal.and_then(|seal| seal.open(&entry.hash, &sealed.0));
        return plain
            .map(|plain| LogEntry::read(&plain).map_err(unreadable))
            .transpose();
    }
    Ok(None)
}

/// The newest receipts of a share, both logs, newest last.
///
/// # Errors
/// [`Error`] where the journal can't be read.
pub fn receipts(view: &View<'_>, journal: &Reader, share: ShareId) -> Result<Vec<Receipt>, Error> {
    let mut receipts = Vec::new();
    for side in [Side::Owner, Side::Partner] {
        let header = crate::actions::decide::share(view, share)?.header;
        let count = header.log(side).countersigned;
        if let Some(seq) = view.get(&table::RECEIPT, &(share, side, count))? {
            receipts.push(receipt(event(view, journal, seq)?)?);
        }
    }
    Ok(receipts)
}

fn receipt(event: Event) -> Result<Receipt, Error> {
    let (head, countersignature) = match event {
        Event::HeadCountersigned(event) => (event.head, event.countersignature),
        Event::LogReceived(event) => (event.head, event.countersignature),
        Event::LogRecovered(event) => (event.head, event.countersignature),
        _ => return Err(broken("a receipt's record is something else")),
    };
    let unreadable = |_| broken("what was signed can't be read back");
    Ok(Receipt {
        head: SignedHead::read(&head.0).map_err(unreadable)?,
        countersignature: Countersignature::read(&countersignature.0).map_err(unreadable)?,
    })
}
