//! The engine that tests own: what is applied, what would survive power loss, and faults.
//!
//! Invariant: deterministic by the seeds handed in; of what was not synced a power cut keeps some
//! first applies, each whole.
//!
//! Not here: damage to single values.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::engine::{Engine, Error, Op, Pair, Stats, Tree, check, sensible};
use crate::disk::Dice;

/// An engine in memory with a live and a durable image.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    live: Image,
    kept: Image,
    pending: Vec<(u64, Vec<Op>)>,
    capacity: Option<u64>,
    left: Option<u64>,
    stopped: bool,
    touched: u64,
}

#[derive(Debug, Default, Clone)]
struct Image {
    trees: [BTreeMap<Vec<u8>, Vec<u8>>; Tree::ALL.len()],
    applied: u64,
}

impl Image {
    fn apply(&mut self, applied: u64, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Put(tree, key, value) => {
                    self.trees[*tree as usize].insert(key.clone(), value.clone());
                }
                Op::Delete(tree, key) => {
                    self.trees[*tree as usize].remove(key);
                }
            }
        }
        self.applied = applied;
    }

    fn bytes(&self) -> u64 {
        let pairs = self.trees.iter().flatten();
        pairs
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum()
    }
}

impl Memory {
    /// Brings the engine to a state in which it may be after power was lost and has returned.
    pub fn power_cut(&self, seed: u64) {
        let mut state = self.lock();
        let pending = std::mem::take(&mut state.pending);
        let until = Dice::new(seed).below(pending.len() + 1);
        for (applied, ops) in &pending[..until] {
            state.kept.apply(*applied, ops);
        }
        state.live = state.kept.clone();
        state.left = None;
        state.stopped = false;
    }

    /// Lets `calls` more calls succeed; the next one fails, and so does every one behind it.
    pub fn fail_after(&self, calls: u64) {
        self.lock().left = Some(calls);
    }

    /// Limits the bytes of all keys and values together; `None` takes the limit away.
    pub fn limit(&self, capacity: Option<u64>) {
        self.lock().capacity = capacity;
    }

    /// How many keys were looked up, pairs read, and changes applied so far.
    pub fn touched(&self) -> u64 {
        self.lock().touched
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Result<MutexGuard<'_, State>, Error> {
        let mut state = self.lock();
        if state.stopped {
            return Err(Error::Stopped);
        }
        match &mut state.left {
            Some(0) => {
                state.stopped = true;
                return Err(Error::Failed(io::Error::other("injected failure")));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }
}

impl Engine for Memory {
    fn apply(&self, applied: u64, ops: &[Op]) -> Result<(), Error> {
        check(ops)?;
        let mut state = self.begin()?;
        if let Some(capacity) = state.capacity {
            let mut after = state.live.clone();
            after.apply(applied, ops);
            if after.bytes() > capacity.max(state.live.bytes()) {
                return Err(Error::Full);
            }
        }
        state.live.apply(applied, ops);
        state.touched += ops.len() as u64;
        state.pending.push((applied, ops.to_vec()));
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        let mut state = self.begin()?;
        for (applied, ops) in std::mem::take(&mut state.pending) {
            state.kept.apply(applied, &ops);
        }
        Ok(())
    }

    fn applied(&self) -> Result<u64, Error> {
        Ok(self.begin()?.live.applied)
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut state = self.begin()?;
        state.touched += 1;
        Ok(state.live.trees[tree as usize].get(key).cloned())
    }

    fn scan(
        &self,
        tree: Tree,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, Error> {
        let mut state = self.begin()?;
        if !sensible(from, to) {
            return Ok(Vec::new());
        }
        let pairs = state.live.trees[tree as usize].range::<[u8], _>((from, to));
        let pairs = pairs.map(|(key, value)| (key.clone(), value.clone()));
        let pairs: Vec<Pair> = pairs.take(limit).collect();
        state.touched += 1 + pairs.len() as u64;
        Ok(pairs)
    }

    fn stats(&self) -> Stats {
        Stats {
            bytes: self.lock().live.bytes(),
            stray: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_some_first_applies_whole() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let engine = Memory::default();
            for seq in 1..=6_u64 {
                let key = seq.to_be_bytes().to_vec();
                let ops = [
                    Op::Put(Tree::Feed, key.clone(), vec![1]),
                    Op::Put(Tree::Index, key, vec![2]),
                ];
                engine.apply(seq, &ops).unwrap();
                if seq == 2 {
                    engine.sync().unwrap();
                }
            }
            engine.power_cut(seed);
            let applied = engine.applied().unwrap();
            assert!((2..=6).contains(&applied));
            for tree in [Tree::Feed, Tree::Index] {
                let pairs = engine
                    .scan(tree, Bound::Unbounded, Bound::Unbounded, 10)
                    .unwrap();
                assert_eq!(pairs.len() as u64, applied);
            }
            seen.insert(applied);
        }
        assert_eq!(seen.len(), 5);
    }

    /// fault E4
    #[test]
    fn a_failure_stops_the_engine_until_it_is_opened_again() {
        let engine = Memory::default();
        engine.fail_after(1);
        engine.apply(1, &[]).unwrap();
        assert!(matches!(engine.sync(), Err(Error::Failed(_))));
        assert!(matches!(engine.apply(2, &[]), Err(Error::Stopped)));
        engine.power_cut(0);
        engine.apply(1, &[]).unwrap();
    }

    /// fault E3
    #[test]
    fn a_full_disk_refuses_an_apply_as_a_whole() {
        let engine = Memory::default();
        engine.limit(Some(10));
        let put = |size| Op::Put(Tree::Entity, vec![1], vec![0; size]);
        assert!(matches!(
            engine.apply(1, &[put(3), put(30)]),
            Err(Error::Full)
        ));
        assert_eq!(engine.applied().unwrap(), 0);
        assert_eq!(engine.get(Tree::Entity, &[1]).unwrap(), None);
        engine.apply(1, &[put(9)]).unwrap();
        assert_eq!(engine.stats().bytes, 10);
    }
}
