//! What the projection asks of a database, and nothing more.
//!
//! Invariant: an apply is visible and durable as a whole or not at all, together with the number
//! of the journal record that it stands for. An engine never judges what it is told to store.
//!
//! Not here: snapshots across calls (readers that need one take the projection's own lock),
//! conditions, iterators and guards.

use std::io;
use std::ops::Bound;

/// The most bytes that a value may have.
pub const VALUE: usize = 4096;
/// The most bytes that a key may have.
pub const KEY: usize = 512;

/// A key with its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The trees that every engine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tree {
    /// What things are, by their ids.
    Entity,
    /// Where to find them.
    Index,
    /// What changed, in order.
    Feed,
    /// What the projection knows of itself.
    Meta,
}

impl Tree {
    /// All trees, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Entity, Self::Index, Self::Feed, Self::Meta];
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Stores a value under a key, in the place of what was there.
    Put(Tree, Vec<u8>, Vec<u8>),
    /// Removes a key, where it is there.
    Delete(Tree, Vec<u8>),
}

/// What an engine says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// The space it takes, in bytes.
    pub bytes: u64,
    /// Files that must not exist: each is a reason to rebuild.
    pub stray: u64,
}

/// Why an engine does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or a part of this one, has it open.
    #[error("the database is in use by another process: stop that one first")]
    Locked,
    /// It is not what was written; it is moved aside and built again from the journal.
    #[error("the database is damaged ({0}): it has to be built again from the journal")]
    Corrupt(String),
    /// A newer release shaped it.
    #[error("the database has shape {found}, newer than {known}: it has to be built again")]
    NewerShape {
        /// The shape it states.
        found: u32,
        /// The shape that was asked for.
        known: u32,
    },
    /// An older release shaped it.
    #[error("the database has shape {found}, older than {known}: it has to be built again")]
    OlderShape {
        /// The shape it states.
        found: u32,
        /// The shape that was asked for.
        known: u32,
    },
    /// The file system failed.
    #[error("the database cannot be read or created")]
    Io(#[from] io::Error),
}

/// Why an engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key or value is too large; nothing was applied.
    #[error("a {what} has {bytes} bytes, more than {most}")]
    TooLarge {
        /// Which of the two.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// The disk is full; nothing was applied.
    #[error("the disk is full")]
    Full,
    /// A value is not what was written: the database has to be built again from the journal.
    #[error("a value of the database is damaged: it has to be built again from the journal")]
    Damaged,
    /// The engine failed; it does nothing more until it is opened again.
    #[error("the database failed: restart the node")]
    Failed(#[source] io::Error),
    /// The engine failed earlier.
    #[error("the database stopped after a failure: restart the node")]
    Stopped,
}

/// A database beneath the projection.
///
/// Calls block; they are made from threads of their own.
pub trait Engine: Send + Sync + 'static {
    /// Applies changes in their order, and stores `applied` with them.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Full`], [`Error::Failed`], [`Error::Stopped`]; nothing was
    /// applied, but after the last two the engine has to be opened again to know.
    fn apply(&self, applied: u64, ops: &[Op]) -> Result<(), Error>;

    /// Makes everything applied so far durable.
    ///
    /// # Errors
    /// [`Error::Failed`] and [`Error::Stopped`]; the engine has to be opened again.
    fn sync(&self) -> Result<(), Error>;

    /// States the number of the last record applied; 0 before the first.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`], [`Error::Stopped`].
    fn applied(&self) -> Result<u64, Error>;

    /// Gives the value under a key.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`], [`Error::Stopped`].
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Gives up to `limit` pairs between two bounds, by ascending key; not a snapshot.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`], [`Error::Stopped`].
    fn scan(
        &self,
        tree: Tree,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, Error>;

    /// States what it takes.
    fn stats(&self) -> Stats;

    /// Gives up to `limit` pairs whose keys start with `prefix`, behind the key `after`.
    ///
    /// # Errors
    /// Those of [`Engine::scan`].
    fn page(
        &self,
        tree: Tree,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, Error> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let end = end(prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.scan(tree, from, to, limit)
    }
}

/// Gives the first key behind all that start with `prefix`; `None` where there is none.
fn end(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}

/// Checks the sizes of all changes.
pub(crate) fn check(ops: &[Op]) -> Result<(), Error> {
    for op in ops {
        let (key, value) = match op {
            Op::Put(_, key, value) => (key.len(), value.len()),
            Op::Delete(_, key) => (key.len(), 0),
        };
        if key > KEY {
            return Err(Error::TooLarge {
                what: "key",
                bytes: key,
                most: KEY,
            });
        }
        if value > VALUE {
            return Err(Error::TooLarge {
                what: "value",
                bytes: value,
                most: VALUE,
            });
        }
    }
    Ok(())
}

/// Tells whether two bounds can hold a key between them.
pub(super) fn sensible(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Included(from), Bound::Included(to)) => from <= to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to)) => from < to,
    }
}
