//! The places in which somebody who connects shakes hands, before it is known who that is.
//!
//! Invariant: there are so many and no more. No one source takes more than half of those that are for everybody;
//! some more are for sources from which a partner was let in before, so that strangers, however many, do not
//! keep out those. Addresses are not trusted with more than that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::source::Source;

/// All places; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Places for everybody.
    open: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    by_source: BTreeMap<Source, usize>,
    /// Where partners came from, with the turn in which each was seen last.
    known: BTreeMap<Source, u64>,
    turn: u64,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    source: Source,
}

impl Places {
    /// Begins with so many for everybody, and a quarter more for partners.
    pub(super) fn new(open: usize) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared { open, state }))
    }

    /// Takes a place, where there is one.
    pub(super) fn take(&self, source: Source) -> Option<Place> {
        let mut state = self.lock();
        let mine = state.by_source.get(&source).copied().unwrap_or_default();
        let open = self.0.open;
        let reserved = match state.known.contains_key(&source) {
            true => open.div_ceil(4),
            false => 0,
        };
        if mine >= open.div_ceil(2) || state.taken >= open + reserved {
            return None;
        }
        state.taken += 1;
        *state.by_source.entry(source).or_default() += 1;
        let places = self.clone();
        Some(Place { places, source })
    }

    /// Notes where a partner came from, or was reached. Where these are too many, the one seen longest ago is
    /// forgotten.
    pub(super) fn met(&self, source: Source) {
        let mut state = self.lock();
        state.turn += 1;
        let turn = state.turn;
        state.known.insert(source, turn);
        if state.known.len() > KNOWN {
            let oldest = state.known.iter().min_by_key(|(_, turn)| **turn);
            if let Some(oldest) = oldest.map(|(source, _)| *source) {
                state.known.remove(&oldest);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .expect("nobody panics while holding the places")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.taken -= 1;
        if let Some(mine) = state.by_source.get_mut(&self.source) {
            *mine -= 1;
            if *mine == 0 {
                state.by_source.remove(&self.source);
            }
        }
    }
}

/// Sources of partners that are remembered.
const KNOWN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> Source {
        Source::of(std::net::IpAddr::V4(number.into()))
    }

    /// fault B13
    #[test]
    fn strangers_leave_places_for_whom_was_let_in_before() {
        let places = Places::new(8);
        places.met(source(1));
        let strangers: Vec<_> = (100..200).filter_map(|n| places.take(source(n))).collect();
        assert_eq!(strangers.len(), 8);
        let partner: Vec<_> = (0..8).filter_map(|_| places.take(source(1))).collect();
        assert_eq!(partner.len(), 2);
        drop(strangers);
        assert!(places.take(source(100)).is_some());
    }

    /// fault B13
    #[test]
    fn one_source_leaves_half_of_the_places_to_others() {
        let places = Places::new(8);
        let held: Vec<_> = (0..100).filter_map(|_| places.take(source(1))).collect();
        assert_eq!(held.len(), 4);
        assert!(places.take(source(2)).is_some());
        drop(held);
        assert!(places.take(source(1)).is_some());
        assert!(places.lock().by_source.is_empty() && places.lock().taken == 0);
    }

    #[test]
    fn sources_are_remembered_up_to_a_bound() {
        let places = Places::new(8);
        for number in 0..3000 {
            places.met(source(0));
            places.met(source(number));
        }
        let state = places.lock();
        assert_eq!(state.known.len(), KNOWN);
        assert!(state.known.contains_key(&source(0)) && state.known.contains_key(&source(2999)));
        assert!(!state.known.contains_key(&source(1)));
    }
}
