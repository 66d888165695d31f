//! The bytes of a simulated node: durable when a commit returns, lost in a crash before it, and never more
//! than there is room for.
//!
//! The store of blobs itself lies on a real disk and has tests of its own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use interdocket_sync::blob::Digest;

use crate::blobs::{Place, Placed};

/// What one node's disk holds of blobs.
#[derive(Debug, Default, Clone)]
pub(super) struct Vault {
    held: RefCell<BTreeMap<Place, (Digest, Vec<u8>)>>,
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

    /// Says whether there is room for more.
    pub(super) fn limit(&self, full: bool) {
        self.full.set(full);
    }

    /// Shows all that is held.
    pub(super) fn each(&self, mut show: impl FnMut(&[u8])) {
        for (_, bytes) in self.held.borrow().values() {
            show(bytes);
        }
    }
}

/// Names bytes.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}
