//! Rows point at what is there (S18): every use of a blob is counted, every index has its entity, and what is
//! sealed belongs to a share.

use std::collections::{BTreeMap, BTreeSet};

use interdocket_sync::blob::Digest;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::share::Key;

use super::{Broken, Seen, State};
use crate::store::table;
use crate::store::view::Error;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    seen.states.iter().try_for_each(|state| {
        uses(state)?;
        cases(state)?;
        indexes(state)
    })
}

/// A blob has as many uses as files name it.
fn uses(state: &State<'_>) -> Broken {
    let (process, name) = (&state.process, state.site.name);
    let files = process.read(|view| view.page(&table::FILE, &(), None, usize::MAX));
    let mut named: BTreeMap<Digest, u64> = BTreeMap::new();
    for ((evidence, _), file) in files.unwrap_or_default() {
        *named.entry(file.blake3).or_default() += 1;
        let known = process.read(|view| view.has(&table::EVIDENCE, &evidence));
        if known.ok() == Some(false) {
            return Err(format!(
                "{name} has a file of {evidence}, which is not there"
            ));
        }
    }
    let blobs = process.read(|view| view.page(&table::BLOB, &(), None, usize::MAX));
    for (digest, blob) in blobs.unwrap_or_default() {
        let count = named.get(&digest).copied().unwrap_or(0);
        if blob.uses != count {
            let uses = blob.uses;
            return Err(format!(
                "{name} counts {uses} uses of {digest}, and has {count}"
            ));
        }
    }
    Ok(())
}

/// A case has the evidence that it counts, and evidence the cases that have it.
fn cases(state: &State<'_>) -> Broken {
    let (process, name) = (&state.process, state.site.name);
    let cases = process.read(|view| view.page(&table::CASE, &(), None, usize::MAX));
    for (id, case) in cases.unwrap_or_default() {
        let rows = process.read(|view| view.page(&table::CASE_EVIDENCE, &id, None, usize::MAX));
        let rows = rows.unwrap_or_default();
        if rows.len() as u64 != case.evidence {
            let (counted, there) = (case.evidence, rows.len());
            return Err(format!(
                "{name} counts {counted} items in {id}, and has {there}"
            ));
        }
        for ((_, evidence), _) in rows {
            let known = process.read(|view| view.has(&table::EVIDENCE_CASE, &(evidence, id)));
            if known.ok() == Some(false) {
                return Err(format!("{name} lists {evidence} in {id}, where it is not"));
            }
        }
    }
    let rows = process.read(|view| view.page(&table::EVIDENCE_CASE, &(), None, usize::MAX));
    let mut placed = BTreeSet::new();
    for ((evidence, case), ()) in rows.unwrap_or_default() {
        let known = process.read(|view| {
            let listed = view.has(&table::CASE_EVIDENCE, &(case, evidence))?;
            Ok::<_, Error>(listed && view.has(&table::EVIDENCE, &evidence)?)
        });
        if known.is_ok_and(|known| !known) {
            return Err(format!(
                "{name} has {evidence} in {case}, which does not list it"
            ));
        }
        placed.insert(evidence);
    }
    let all = process.read(|view| view.page(&table::EVIDENCE, &(), None, usize::MAX));
    for (evidence, _) in all.unwrap_or_default() {
        if !placed.contains(&evidence) {
            return Err(format!("{name} has {evidence} in no case"));
        }
    }
    Ok(())
}

/// What is noted of a share is of one that is there, and sealed bytes are known by both their names.
fn indexes(state: &State<'_>) -> Broken {
    let (process, name) = (&state.process, state.site.name);
    let mut of = Vec::new();
    macro_rules! shares {
        ($($table:ident: $share:expr;)*) => {$(
            let rows = process.read(|view| view.page(&table::$table, &(), None, usize::MAX));
            let share = $share;
            of.extend(rows.unwrap_or_default().iter().map(|(key, _)| (stringify!($table), share(key))));
        )*};
    }
    shares! {
        FACT: |key: &(ShareId, Key)| key.0;
        WAITING: |key: &(ShareId, EvidenceId)| key.0;
        WANTED: |key: &(ShareId, EvidenceId)| key.0;
        SELECTED: |key: &(ShareId, EvidenceId)| key.0;
        SEALED: |key: &(ShareId, Digest, u32)| key.0;
        BATCH: |key: &(ShareId, Side, u64)| key.0;
        RECEIPT: |key: &(ShareId, Side, u64)| key.0;
        OUTBOX: |key: &(OrganisationId, ShareId)| key.1;
        FETCH: |key: &(OrganisationId, ShareId)| key.1;
        FOLLOWED: |key: &(OrganisationId, ShareId)| key.1;
        PARTNER_SHARE: |key: &(OrganisationId, ShareId)| key.1;
    }
    if let Some((table, share)) = of
        .iter()
        .find(|(_, share)| !state.shares.contains_key(share))
    {
        return Err(format!("{name} has {table} of {share}, which is not there"));
    }
    let sealed = process.read(|view| view.page(&table::SEALED, &(), None, usize::MAX));
    for ((share, file, _), part) in sealed.unwrap_or_default() {
        let known = process.read(|view| view.get(&table::SEALED_BLOB, &part.blake3));
        if known.is_ok_and(|known| known != Some(share)) {
            return Err(format!(
                "{name} has sealed bytes of {file} of {share} twice"
            ));
        }
    }
    Ok(())
}
