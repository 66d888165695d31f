//! Everything has its effect at most once (S8): no entry, revocation or file that came again, late or to a node
//! that was started meanwhile, is in a journal twice.

use std::collections::BTreeSet;

use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::Entry as LogEntry;

use super::{Broken, Seen, State};
use crate::event::{Became, Bytes, Entry, Event};
use crate::journal::Body;

/// What happens once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Once {
    Entry(ShareId, Side, u64),
    Revocation(OrganisationId, ShareId),
    Received(ShareId, EvidenceId),
    Session(uuid::Uuid),
    Closed(uuid::Uuid),
    Shared(ShareId),
    Frozen(ShareId),
}

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    seen.states.iter().try_for_each(once)
}

fn once(state: &State<'_>) -> Broken {
    let mut done = BTreeSet::new();
    for record in state.process.journal.scan(0, None).map_while(Result::ok) {
        let Body::Open(body) = &record.body else {
            continue;
        };
        let Ok(entry) = Entry::decode(body) else {
            continue;
        };
        for effect in effects(&entry.event) {
            if !done.insert(effect) {
                let name = state.site.name;
                return Err(format!(
                    "{name} has {effect:?} twice, again in {}",
                    record.position.seq
                ));
            }
        }
    }
    Ok(())
}

fn effects(event: &Event) -> Vec<Once> {
    let entries = |share: ShareId, side: Side, entries: &[Bytes]| {
        let read = entries
            .iter()
            .filter_map(|entry| LogEntry::kept(&entry.0).ok());
        read.map(|entry| Once::Entry(share, side, entry.number))
            .collect()
    };
    match event {
        Event::LogWritten(log) => entries(log.share, log.side, &log.entries),
        Event::LogReceived(log) => entries(log.share, log.side, &log.entries),
        Event::LogRecovered(log) => entries(log.share, log.side, &log.entries),
        Event::RevocationReceived(said) => vec![Once::Revocation(said.owner, said.share)],
        Event::ShareMade(made) => vec![Once::Shared(made.share)],
        Event::ShareFrozen(frozen) => vec![Once::Frozen(frozen.share)],
        Event::SessionOpened(opened) => vec![Once::Session(opened.session)],
        Event::SessionClosed(closed) => vec![Once::Closed(closed.session)],
        Event::EvidenceReceived(received) => {
            let item = |item: &Became| Once::Received(received.share, item.origin);
            received.items.iter().map(item).collect()
        }
        _ => Vec::new(),
    }
}
