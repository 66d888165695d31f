//! The bytes of a simulated node: durable when a commit returns, lost in a crash before it, and never more
//! than there is room for.
//!
//! The store of blobs itself lies on a real disk and has tests of its own.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use interdocket_sync::blob::Digest;
use interdocket_sync::id::ShareId;

use crate::blobs::{Place, Placed};

/// What one node's disk holds of blobs.
#[derive(Debug, Default, Clone)]
pub(super) struct Vault {
    held: RefCell<BTreeMap<Place, (Digest, Vec<u8>)>>,
    /// Files of shares that are arriving, as far as they are durable.
    begun: RefCell<BTreeMap<(ShareId, Digest), Vec<u8>>>,
    /// Bytes that are not what was written.
    pub(super) rotten: RefCell<BTreeSet<Digest>>,
    next: Cell<u32>,
    full: Cell<bool>,
}

impl Vault {
    /// Makes bytes durable; none where there is no room.
    pub(super) fn commit(&self, bytes: Vec<u8>) -> Option<Placed> {
        if self.full.get() {
            return None;
        }
        let offset = self.next.get();
        self.next.set(offset + 1);
        let (digest, size) = (digest(&bytes), bytes.len() as u64);
        let place = Place::Pack { number: 0, offset };
        self.held.borrow_mut().insert(place, (digest, bytes));
        Some(Placed {
            digest,
            size,
            place,
        })
    }

    /// The bytes at a place, where they have this name.
    pub(super) fn read(&self, digest: Digest, place: Place) -> Option<Vec<u8>> {
        let held = self.held.borrow();
        let (of, bytes) = held.get(&place)?;
        (*of == digest).then(|| bytes.clone())
    }

    pub(super) fn delete(&self, place: Place) {
        self.held.borrow_mut().remove(&place);
    }

    /// What arrived of a file before.
    pub(super) fn begun(&self, share: ShareId, digest: Digest) -> Vec<u8> {
        let begun = self.begun.borrow();
        begun.get(&(share, digest)).cloned().unwrap_or_default()
    }

    /// Keeps what arrived of a file; false where there is no room.
    pub(super) fn keep(&self, share: ShareId, digest: Digest, bytes: &[u8]) -> bool {
        if !self.full.get() {
            let mut begun = self.begun.borrow_mut();
            begun.insert((share, digest), bytes.to_vec());
        }
        !self.full.get()
    }

    /// Removes what arrived of a file.
    pub(super) fn forget(&self, share: ShareId, digest: Digest) {
        self.begun.borrow_mut().remove(&(share, digest));
    }

    /// Removes what arrived of files that are not among these; gives which.
    pub(super) fn sweep(&self, wanted: &BTreeSet<(ShareId, Digest)>) -> Vec<(ShareId, Digest)> {
        let mut begun = self.begun.borrow_mut();
        let before: Vec<(ShareId, Digest)> = begun.keys().copied().collect();
        begun.retain(|file, _| wanted.contains(file));
        let gone = before.into_iter().filter(|file| !begun.contains_key(file));
        gone.collect()
    }

    /// The files that are arriving.
    pub(super) fn arriving(&self) -> Vec<(ShareId, Digest)> {
        self.begun.borrow().keys().copied().collect()
    }

    /// Changes a bit of what is held, behind everyone's back.
    pub(super) fn rot(&self, digest: Digest, place: Place, pick: usize) {
        let mut held = self.held.borrow_mut();
        if let Some((_, bytes)) = held.get_mut(&place).filter(|held| !held.1.is_empty()) {
            let byte = pick % bytes.len();
            // No text has such a byte.
            bytes[byte] ^= 0x80;
            self.rotten.borrow_mut().insert(digest);
        }
    }

    /// Says whether there is room for more.
    pub(super) fn limit(&self, full: bool) {
        self.full.set(full);
    }

    /// Shows all that is held.
    pub(super) fn each(&self, mut show: impl FnMut(&[u8])) {
        for (_, bytes) in self.held.borrow().values() {
            show(bytes);
        }
        self.begun.borrow().values().for_each(|bytes| show(bytes));
    }
}

/// Names bytes.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}
