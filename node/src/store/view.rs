//! Reading and changing tables: a view over the engine and over what has been changed but is not
//! applied yet.
//!
//! The writer changes a view while it decides, so that the next decision sees the last; everybody else
//! reads the engine as it is, which is only ever durable state.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::{self, Engine, Op, Pair, Tree};
use super::table::{Key, Table};

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// A value is not of its table: the database is of another shape.
    #[error("a value of the database does not belong into its table: rebuild it")]
    Shape,
}

/// An engine with a lock around its changes, so that what is read together belongs together.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    changes: Arc<RwLock<()>>,
}

impl Store {
    /// Wraps an engine.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self {
            engine,
            changes: Arc::default(),
        }
    }

    /// The state as of now; nothing is applied while it is held. Short.
    pub fn read(&self) -> Reading<'_> {
        let guard = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        Reading {
            store: self,
            _guard: guard,
        }
    }

    /// Applies the changes of one record.
    ///
    /// # Errors
    /// Those of [`Engine::apply`].
    pub fn apply(&self, applied: u64, ops: &[Op]) -> Result<(), engine::Error> {
        let _guard = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        self.engine.apply(applied, ops)
    }

    /// The engine itself.
    pub fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }
}

/// A consistent reading of the engine.
pub struct Reading<'a> {
    store: &'a Store,
    _guard: RwLockReadGuard<'a, ()>,
}

impl Reading<'_> {
    /// The tables.
    pub fn view(&self) -> View<'_> {
        View {
            engine: self.store.engine(),
            changes: None,
        }
    }
}

/// Changes that are not applied yet.
#[derive(Default)]
pub struct Changes {
    held: BTreeMap<At, Held>,
    ops: Vec<Op>,
    undo: Vec<(At, Option<Held>)>,
}

/// A key in its tree.
type At = (Tree, Vec<u8>);
/// The value under it, none where it was deleted.
type Held = Option<Vec<u8>>;

impl Changes {
    /// Takes the changes since the last call, in order.
    pub fn take(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.ops)
    }

    /// Puts a value.
    pub fn put<K: Key, V: Serialize>(&mut self, table: &Table<K, V>, key: &K, value: &V) {
        let key = table.key(key);
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).expect("a Vec takes every byte");
        self.hold((table.tree, key.clone()), Some(bytes.clone()));
        self.ops.push(Op::Put(table.tree, key, bytes));
    }

    /// Removes a key.
    pub fn delete<K: Key, V>(&mut self, table: &Table<K, V>, key: &K) {
        let key = table.key(key);
        self.hold((table.tree, key.clone()), None);
        self.ops.push(Op::Delete(table.tree, key));
    }

    /// Keeps everything up to here, whatever is undone later.
    pub fn settle(&mut self) {
        self.undo.clear();
    }

    /// Takes everything back that was changed since the last [`Changes::settle`].
    pub fn undo(&mut self) {
        for (at, before) in self.undo.drain(..).rev() {
            match before {
                Some(before) => self.held.insert(at, before),
                None => self.held.remove(&at),
            };
        }
        self.ops.clear();
    }

    fn hold(&mut self, at: At, value: Held) {
        let before = self.held.insert(at.clone(), value);
        self.undo.push((at, before));
    }
}

/// The tables as they are, or as they will be.
#[derive(Clone, Copy)]
pub struct View<'a> {
    engine: &'a dyn Engine,
    changes: Option<&'a Changes>,
}

impl<'a> View<'a> {
    /// The engine with changes on top.
    pub fn over(engine: &'a dyn Engine, changes: &'a Changes) -> Self {
        Self {
            engine,
            changes: Some(changes),
        }
    }

    /// The value under a key.
    ///
    /// # Errors
    /// [`Error`] where the engine fails or holds something else.
    pub fn get<K: Key, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, Error> {
        let key = table.key(key);
        let bytes = match self
            .changes
            .and_then(|changes| changes.held.get(&(table.tree, key.clone())))
        {
            Some(held) => held.clone(),
            None => self.engine.get(table.tree, &key)?,
        };
        bytes.map(|bytes| read(&bytes)).transpose()
    }

    /// Whether there is something under a key.
    ///
    /// # Errors
    /// Those of [`View::get`].
    pub fn has<K: Key, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<bool, Error> {
        let key = table.key(key);
        match self
            .changes
            .and_then(|changes| changes.held.get(&(table.tree, key.clone())))
        {
            Some(held) => Ok(held.is_some()),
            None => Ok(self.engine.get(table.tree, &key)?.is_some()),
        }
    }

    /// Up to `limit` rows whose keys begin with `outer`, in order, behind the key `after`.
    ///
    /// # Errors
    /// Those of [`View::get`].
    pub fn page<K: Key, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        outer: &impl Key,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, Error> {
        let mut prefix = vec![table.prefix];
        outer.write(&mut prefix);
        let after = after.map(|key| table.key(key));
        let rows = self.rows(table.tree, &prefix, after.as_deref(), limit)?;
        rows.into_iter()
            .map(|(key, value)| {
                let mut rest = key.get(1..).ok_or(Error::Shape)?;
                Ok((K::read(&mut rest).ok_or(Error::Shape)?, read(&value)?))
            })
            .collect()
    }

    fn rows(
        &self,
        tree: Tree,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, Error> {
        let Some(changes) = self.changes.filter(|changes| !changes.held.is_empty()) else {
            return Ok(self.engine.page(tree, prefix, after, limit)?);
        };
        let from = (tree, after.unwrap_or(prefix).to_vec());
        let held: Vec<_> = changes
            .held
            .range(from..)
            .take_while(|((of, key), _)| *of == tree && key.starts_with(prefix))
            .filter(|((_, key), _)| after.is_none_or(|after| key.as_slice() > after))
            .collect();
        // Each held change can hide at most one row of the engine.
        let rows = self
            .engine
            .page(tree, prefix, after, limit.saturating_add(held.len()))?;
        let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = rows.into_iter().collect();
        for ((_, key), value) in held {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(rows.into_iter().take(limit).collect())
    }
}

impl<K: Key, V> Table<K, V> {
    fn key(&self, key: &K) -> Vec<u8> {
        let mut bytes = vec![self.prefix];
        key.write(&mut bytes);
        bytes
    }
}

fn read<V: DeserializeOwned>(bytes: &[u8]) -> Result<V, Error> {
    ciborium::from_reader(bytes).map_err(|_| Error::Shape)
}
