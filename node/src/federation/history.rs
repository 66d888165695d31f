//! What was written, received and countersigned in a share's logs, read back from the journal.

use std::cell::RefCell;

use interdocket_sync::evidence::Item;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{Body as Said, CaseInfo, Entry as LogEntry};
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::receipt::{Countersignature, Receipt};
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::share::terms::SignedTerms;
use interdocket_sync::share::{Header, ItemFact};
use interdocket_sync::wire::batch::Batch;

use crate::actions::Error;
use crate::actions::decide::broken;
use crate::event::{Entry, Event};
use crate::journal::{Body, Position, Reader};
use crate::seal::Seal;
use crate::store::table;
use crate::store::view::View;

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
    Ok(Entry::decode(&body)
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

fn terms(view: &View<'_>, journal: &Reader, share: ShareId) -> Result<SignedTerms, Error> {
    let made = crate::actions::decide::share(view, share)?.made;
    let bytes = match event(view, journal, made)? {
        Event::ShareMade(made) => Some(made.terms),
        Event::LogReceived(received) => received.terms,
        _ => None,
    };
    let bytes = bytes.ok_or_else(|| broken("a share's terms are missing"))?;
    SignedTerms::read(&bytes.0).map_err(|_| broken("what was signed can't be read back"))
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

/// The case of a received share as its owner describes it, with its id there; none where that can't be
/// opened.
///
/// # Errors
/// [`Error`] where the journal can't be read.
pub fn case(
    view: &View<'_>,
    journal: &Reader,
    header: &Header,
    seal: Option<&Seal>,
) -> Result<Option<(CaseId, CaseInfo)>, Error> {
    let first = opened(view, journal, header.share, 1, seal)?;
    let Some(Said::Offered(_, offered)) = first.map(|entry| entry.body) else {
        return Ok(None);
    };
    if header.case <= 1 {
        return Ok(Some((offered.case, offered.info)));
    }
    let changed = opened(view, journal, header.share, header.case, seal)?;
    Ok(changed.and_then(|entry| match entry.body {
        Said::CaseChanged(_, info) => Some((offered.case, info)),
        _ => None,
    }))
}

/// What the owner's log of a received share says of items, opened with its seal; neighbours stand in one
/// entry, so the last one is kept.
pub struct Texts<'a> {
    view: View<'a>,
    journal: &'a Reader,
    share: ShareId,
    seal: Option<&'a Seal>,
    last: RefCell<Option<LogEntry>>,
}

impl<'a> Texts<'a> {
    /// Those of a share.
    pub fn new(
        view: View<'a>,
        journal: &'a Reader,
        share: ShareId,
        seal: Option<&'a Seal>,
    ) -> Self {
        Self {
            view,
            journal,
            share,
            seal,
            last: RefCell::default(),
        }
    }

    /// An item as its owner describes it now; none where that can't be opened.
    ///
    /// # Errors
    /// [`Error`] where the journal can't be read.
    pub fn item(&self, evidence: EvidenceId, fact: &ItemFact) -> Result<Option<Item>, Error> {
        let listed = self.with(fact.listed, |body| match body {
            Said::EvidenceAdded(items) => {
                items.iter().find(|item| item.evidence == evidence).cloned()
            }
            _ => None,
        })?;
        let Some(mut item) = listed else {
            return Ok(None);
        };
        if fact.described != fact.listed {
            let described = self.with(fact.described, |body| {
                let (title, folder) = body.describes(evidence)?;
                Some((title.to_owned(), folder.to_owned()))
            })?;
            let Some((title, folder)) = described else {
                return Ok(None);
            };
            (item.title, item.folder) = (title, folder);
        }
        Ok(Some(item))
    }

    fn with<T>(&self, number: u64, find: impl Fn(&Said) -> Option<T>) -> Result<Option<T>, Error> {
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|entry| entry.number != number) {
            *last = opened(&self.view, self.journal, self.share, number, self.seal)?;
        }
        Ok(last.as_ref().and_then(|entry| find(&entry.body)))
    }
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
        _ => return Err(broken("a receipt's record is something else")),
    };
    let unreadable = |_| broken("what was signed can't be read back");
    Ok(Receipt {
        head: SignedHead::read(&head.0).map_err(unreadable)?,
        countersignature: Countersignature::read(&countersignature.0).map_err(unreadable)?,
    })
}
