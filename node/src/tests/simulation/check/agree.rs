//! Both sides' fold of both logs agree once everything has settled (L4), each database is what its journal
//! makes of it, and each header is what its logs amount to.

use std::collections::BTreeMap;
use std::sync::Arc;

use interdocket_sync::share::{Fact, Header, Key};

use super::{Broken, Seen, State};
use crate::journal::Journal;
use crate::keyring::Keyring;
use crate::store::memory::Memory;
use crate::store::table;
use crate::store::view::Store;
use crate::tests::bench::dump;
use crate::writer::catch_up;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for owner in &seen.states {
        rebuilt(owner)?;
        for (id, share) in &owner.shares {
            if share.header.owner != owner.site.id || seen.oracle.excused(&share.header) {
                continue;
            }
            if seen.oracle.odd(owner.site.id) && super::keyless(&owner.process, &share.header) {
                continue;
            }
            let partner = seen.states.iter();
            let partner = partner
                .clone()
                .find(|state| state.site.id == share.header.partner);
            let Some((partner, held)) =
                partner.and_then(|partner| Some((partner, partner.shares.get(id)?)))
            else {
                continue;
            };
            let ends = [plain(&share.header), plain(&held.header)];
            if ends[0] != ends[1] {
                return Err(format!("both sides of {id} differ: {ends:#?}"));
            }
            if facts(owner, *id) != facts(partner, *id) {
                return Err(format!("what both sides of {id} know of items differs"));
            }
        }
    }
    Ok(())
}

/// A header without what only one side knows.
fn plain(header: &Header) -> Header {
    let mut plain = header.clone();
    plain.owner_log.countersigned = 0;
    plain.partner_log.countersigned = 0;
    // A revocation that came by itself says what the log says, too.
    if plain.revoked {
        plain.owner_log = Default::default();
        plain.partner_log = Default::default();
        plain.state = interdocket_sync::share::State::Offered;
        plain.suspended = false;
        plain.open = false;
        plain.case = 0;
        plain.recipients = 0;
        plain.update = 0;
        plain.listed = Default::default();
        plain.stored = Default::default();
        plain.imported = Default::default();
        plain.grants = Default::default();
        plain.onward = Default::default();
        plain.purged = 0;
        plain.hold = interdocket_sync::share::Hold::Free;
    }
    plain
}

/// What is known of items, without texts: those are sealed at the partner of an advanced share.
fn facts(state: &State<'_>, share: interdocket_sync::id::ShareId) -> BTreeMap<Key, Fact> {
    let header = &state.shares[&share].header;
    if header.revoked {
        return BTreeMap::new();
    }
    let rows = state
        .process
        .read(|view| view.page(&table::FACT, &share, None, usize::MAX));
    let rows = rows.unwrap_or_default().into_iter();
    let said = |fact: &Fact| matches!(fact, Fact::Fields(_) | Fact::Tag(_));
    rows.filter(|(_, fact)| !said(fact))
        .map(|((_, key), mut fact)| {
            match &mut fact {
                Fact::Item(item) => {
                    item.title.clear();
                    item.folder.clear();
                    item.added_by = Default::default();
                    item.tags = 0;
                    item.added_at = chrono::DateTime::UNIX_EPOCH;
                }
                Fact::File(file) => {
                    file.name.clear();
                    file.format.clear();
                }
                Fact::Blob(_) | Fact::Fields(_) | Fact::Tag(_) => {}
            }
            (key, fact)
        })
        .collect()
}

/// The database is what a rebuild makes of the journal.
fn rebuilt(state: &State<'_>) -> Broken {
    let disks = state.site.disks.borrow();
    let text = |error: &dyn std::error::Error| error.to_string();
    let ring = Arc::new(disks.keyring.copy());
    let ring = Keyring::open(ring, &state.site.master(), crate::chance::fill);
    let ring = ring.map_err(|error| text(&error))?;
    let journal = Journal::open(Arc::new(disks.journal.copy()), Arc::new(ring));
    let journal = journal.map_err(|error| text(&error))?;
    let engine = Arc::<Memory>::default();
    let caught = catch_up(&journal, &Store::new(engine.clone()), &mut |_, _| {});
    caught.map_err(|error| text(&error))?;
    if dump(&engine) != dump(&disks.engine) {
        return Err(format!(
            "{}'s database is not what its journal makes",
            state.site.name
        ));
    }
    Ok(())
}
