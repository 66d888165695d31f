//! Every node's journal as an auditor reads it: once, record by record, beside what the node makes of it.
//!
//! Invariant: what was read here was durable. It is there, and the same, whenever it is read again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::Entry as LogEntry;
use uuid::Uuid;

use super::site::Process;
use super::start::TOLERANCE;
use crate::event::{Bytes, Entry, Event};
use crate::journal::{Body, Record};

/// Something that is decided once: a second record of it is one too many.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Once {
    /// A share was made.
    Made(ShareId),
    /// A share of the node's own was revoked.
    Revoked(ShareId),
    /// A partner's revocation was received.
    Received(OrganisationId, ShareId),
    /// A read session was opened.
    Opened(Uuid),
    /// A read session ended.
    Closed(Uuid),
    /// An entry of a log was written or received.
    Entry(ShareId, Side, u64),
    /// An item of evidence was added.
    Added(EvidenceId),
}

/// What one node's journal says.
#[derive(Default)]
pub(super) struct Ledger {
    /// A fingerprint of everything up to each record.
    prints: Vec<u64>,
    once: BTreeSet<Once>,
    /// Refusals: to whom, of what, and why.
    pub(super) refused: BTreeSet<(OrganisationId, String, String)>,
    /// The latest time that a record has, and whether the clock was suspected after it.
    latest: Option<DateTime<Utc>>,
    suspects: bool,
    /// Own journal heads that were durable when something was signed.
    pub(super) heads: BTreeMap<u64, [u8; 32]>,
    broken: Option<String>,
}

impl Ledger {
    /// Reads what is new.
    pub(super) fn follow(&mut self, process: &Process) {
        let head = process.head();
        let read = self.prints.len() as u64;
        if head.count > read {
            let records = process.journal.scan(read, None);
            let new: Vec<Record> = records.map_while(Result::ok).collect();
            new.iter().for_each(|record| self.take(record));
        }
        // Where its disk fails just now, nobody can say what else there is.
        if self.whole(process) {
            self.heads.insert(head.count, head.hash);
        }
    }

    /// Reads everything again, as the node was started anew: nothing is gone or different.
    pub(super) fn again(&mut self, process: &Process) {
        let records: Result<Vec<Record>, _> = process.journal.scan(0, None).collect();
        // Where its disk fails already, nobody can say.
        let Ok(records) = records else {
            return;
        };
        let prints = records.iter().take(self.prints.len());
        let prints = prints.scan(0, |print, record| {
            *print = printed(*print, record);
            Some(*print)
        });
        let prints: Vec<u64> = prints.collect();
        let same = prints
            .iter()
            .zip(&self.prints)
            .take_while(|(now, before)| now == before);
        let same = same.count();
        if same < self.prints.len() {
            let (count, held) = (prints.len(), self.prints.len());
            self.complain(format!(
                "of {held} records that were durable {count} are there, and {same} are the same"
            ));
        }
    }

    /// Whether something is surely not on record: where the disk fails just now, nobody can say.
    pub(super) fn lacks(&self, process: &Process, once: &Once) -> bool {
        self.whole(process) && !self.once.contains(once)
    }

    /// Whether all that is durable was read.
    pub(super) fn whole(&self, process: &Process) -> bool {
        process.head().count == self.prints.len() as u64
    }

    /// What does not hold.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    fn complain(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn take(&mut self, record: &Record) {
        let print = printed(self.prints.last().copied().unwrap_or_default(), record);
        self.prints.push(print);
        let Body::Open(body) = &record.body else {
            return;
        };
        let Ok(entry) = Entry::decode(body) else {
            self.complain(format!("record {} can't be decoded", record.position.seq));
            return;
        };
        self.time(record.at, &entry.event);
        self.event(&entry.event, record.position.seq);
    }

    /// Time goes on, or it is on record that the clock is not trusted (S22).
    fn time(&mut self, at: DateTime<Utc>, event: &Event) {
        let before = self.latest.unwrap_or(at);
        let back = before - at > TimeDelta::seconds(TOLERANCE);
        match event {
            Event::ClockSuspected(_) => self.suspects = true,
            Event::ClockConfirmed(_) => {
                self.suspects = false;
                self.latest = Some(at);
                return;
            }
            Event::SessionOpened(_) | Event::ShareMade(_) if self.suspects => {
                self.complain(format!(
                    "{event:?} was decided though the clock is suspected"
                ));
            }
            _ if back && !self.suspects => {
                self.complain(format!("time went from {before} back to {at} unnoticed"));
            }
            _ => {}
        }
        self.latest = Some(before.max(at));
    }

    fn event(&mut self, event: &Event, seq: u64) {
        match event {
            Event::ShareMade(made) => self.once(Once::Made(made.share), seq),
            Event::ShareRevoked(revoked) => self.once(Once::Revoked(revoked.share), seq),
            Event::RevocationReceived(received) => {
                self.once(Once::Received(received.owner, received.share), seq);
            }
            Event::SessionOpened(opened) => self.once(Once::Opened(opened.session), seq),
            Event::SessionClosed(closed) => self.once(Once::Closed(closed.session), seq),
            Event::EvidenceAdded(added) => self.once(Once::Added(added.id), seq),
            Event::LogWritten(written) => self.entries(&written.entries, seq),
            Event::LogReceived(received) => self.entries(&received.entries, seq),
            Event::Refused(refused) => {
                if let Some(partner) = refused.partner {
                    let said = (partner, refused.action.clone(), refused.reason.clone());
                    self.refused.insert(said);
                }
            }
            _ => {}
        }
    }

    fn entries(&mut self, entries: &[Bytes], seq: u64) {
        for entry in entries {
            match LogEntry::kept(&entry.0) {
                Ok(entry) => self.once(Once::Entry(entry.share, entry.side, entry.number), seq),
                Err(_) => self.complain(format!("record {seq} has an entry that can't be read")),
            }
        }
    }

    fn once(&mut self, once: Once, seq: u64) {
        if self.once.contains(&once) {
            self.complain(format!("{once:?} is on record again as {seq}"));
        }
        self.once.insert(once);
    }
}

fn printed(before: u64, record: &Record) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before.to_be_bytes());
    hasher.update(&record.at.timestamp_micros().to_be_bytes());
    hasher.update(&record.kind.to_be_bytes());
    hasher.update(&record.position.seq.to_be_bytes());
    if let Body::Open(body) = &record.body {
        hasher.update(body);
    }
    let mut print = [0; 8];
    hasher.finalize_xof().fill(&mut print);
    u64::from_be_bytes(print)
}
