//! What is recorded is there (S6, S18): every blob and every sealed part has its bytes, and each file its
//! blob.

use super::{Broken, Seen};
use crate::store::entity::BlobState;
use crate::store::table;

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for state in &seen.states {
        let (process, name) = (&state.process, state.site.name);
        let blobs = process.read(|view| view.page(&table::BLOB, &(), None, usize::MAX));
        for (digest, blob) in blobs.unwrap_or_default() {
            let read = process.vault.read(digest, blob.place);
            let same = read.is_some_and(|bytes| super::super::vault::digest(&bytes) == digest);
            let rots = process.vault.rotten.borrow().contains(&digest);
            if blob.state != BlobState::Damaged && !same && !rots {
                return Err(format!("{name} has no bytes for blob {digest}"));
            }
        }
        let files = process.read(|view| view.page(&table::FILE, &(), None, usize::MAX));
        for ((evidence, _), file) in files.unwrap_or_default() {
            let blob = process.read(|view| view.has(&table::BLOB, &file.blake3));
            if blob.ok() == Some(false) {
                return Err(format!("{name} has evidence {evidence} without its bytes"));
            }
        }
        let parts = process.read(|view| view.page(&table::SEALED, &(), None, usize::MAX));
        for ((share, file, part), sealed) in parts.unwrap_or_default() {
            let erased =
                process.read(|view| view.has(&table::PURGE, &(owner(state, share), share)));
            let erasing =
                process.read(|view| view.has(&table::ERASING, &(owner(state, share), share, file)));
            let goes = [erased, erasing]
                .into_iter()
                .any(|row| row.ok() != Some(false));
            if !goes && process.vault.read(sealed.blake3, sealed.place).is_none() {
                return Err(format!(
                    "{name} has no bytes for part {part} of {file} of {share}"
                ));
            }
        }
    }
    Ok(())
}

fn owner(
    state: &super::State<'_>,
    share: interdocket_sync::id::ShareId,
) -> interdocket_sync::identity::OrganisationId {
    let share = state.shares.get(&share);
    share.map_or(state.site.id, |share| share.header.owner)
}
