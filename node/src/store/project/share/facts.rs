//! The facts of a share as the tables hold them.

use std::cell::RefCell;

use interdocket_sync::id::ShareId;
use interdocket_sync::share::{Fact, Facts, Key};

use crate::store::table;
use crate::store::view::{self, View};

/// The facts of one share, read from the tables.
pub struct ShareFacts<'a> {
    view: View<'a>,
    share: ShareId,
    failed: RefCell<Option<view::Error>>,
}

impl<'a> ShareFacts<'a> {
    /// The facts of a share.
    pub fn new(view: View<'a>, share: ShareId) -> Self {
        Self {
            view,
            share,
            failed: Default::default(),
        }
    }

    /// Says whether all reads went well: a fact that could not be read looks like one that is not there.
    ///
    /// # Errors
    /// The first error of a read.
    pub fn done(self) -> Result<(), view::Error> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }
}

impl Facts for ShareFacts<'_> {
    fn fact(&self, key: &Key) -> Option<Fact> {
        self.view
            .get(&table::FACT, &(self.share, *key))
            .unwrap_or_else(|error| {
                self.failed.borrow_mut().get_or_insert(error);
                None
            })
    }
}
