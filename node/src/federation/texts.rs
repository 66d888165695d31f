//! What the owner of a received share says to people, read back from the journal: texts that are sealed
//! under a lease are in no table.

use std::collections::BTreeMap;

use interdocket_sync::evidence::Item;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::log::entry::{Body, CaseInfo, Entry, Offered};
use interdocket_sync::share::{Header, ItemFact};

use super::history;
use crate::actions::Error;
use crate::actions::decide::broken;
use crate::journal::Reader;
use crate::seal::Seal;
use crate::store::view::View;

/// The entries of one owner's log; those that were opened are kept, as neighbours share them.
pub struct Texts<'a> {
    view: View<'a>,
    journal: &'a Reader,
    share: ShareId,
    seal: Option<&'a Seal>,
    opened: BTreeMap<u64, Option<Entry>>,
}

impl<'a> Texts<'a> {
    /// Those of a share, as far as they open with its seal.
    pub const fn new(
        view: View<'a>,
        journal: &'a Reader,
        share: ShareId,
        seal: Option<&'a Seal>,
    ) -> Self {
        Self {
            view,
            journal,
            share,
            seal,
            opened: BTreeMap::new(),
        }
    }

    /// The offer; none where it can't be opened.
    ///
    /// # Errors
    /// [`Error`] where the journal can't be read.
    pub fn offered(&mut self) -> Result<Option<&Offered>, Error> {
        Ok(self.entry(1)?.and_then(|entry| match &entry.body {
            Body::Offered(_, offered) => Some(offered),
            _ => None,
        }))
    }

    /// The case as it is described now; none where that can't be opened.
    ///
    /// # Errors
    /// [`Error`] where the journal can't be read.
    pub fn case(&mut self, header: &Header) -> Result<Option<CaseInfo>, Error> {
        self.case_at(header.case)
    }

    /// The case as this entry describes it; none where that can't be opened.
    ///
    /// # Errors
    /// [`Error`] where the journal can't be read.
    pub fn case_at(&mut self, number: u64) -> Result<Option<CaseInfo>, Error> {
        Ok(self.entry(number)?.and_then(|entry| match &entry.body {
            Body::Offered(_, offered) => Some(offered.info.clone()),
            Body::CaseChanged(_, info) => Some(info.clone()),
            _ => None,
        }))
    }

    /// The recipients as they are now; none where they can't be opened, which means nobody.
    ///
    /// # Errors
    /// [`Error`] where the journal can't be read.
    pub fn recipients(&mut self, header: &Header) -> Result<Option<Vec<String>>, Error> {
        let entry = self.entry(header.recipients)?;
        Ok(entry.and_then(|entry| match &entry.body {
            Body::Offered(_, offered) => Some(offered.recipients.clone()),
            Body::RecipientsChanged(_, recipients) => Some(recipients.clone()),
            _ => None,
        }))
    }

    /// An item as it is described now; none where that can't be opened.
    ///
    /// # Errors
    /// [`Error`] where the journal can't be read.
    pub fn item(&mut self, evidence: EvidenceId, fact: &ItemFact) -> Result<Option<Item>, Error> {
        let Some(entry) = self.entry(fact.listed)? else {
            return Ok(None);
        };
        let Body::EvidenceAdded(items) = &entry.body else {
            return Err(broken("an item is listed by another entry"));
        };
        let listed = items.iter().find(|item| item.evidence == evidence);
        let mut item = listed
            .cloned()
            .ok_or_else(|| broken("an item is not in the entry that lists it"))?;
        if fact.described == fact.listed {
            return Ok(Some(item));
        }
        let Some(entry) = self.entry(fact.described)? else {
            return Ok(None);
        };
        let Body::EvidenceChanged(changes) = &entry.body else {
            return Err(broken("an item is described by another entry"));
        };
        let change = changes.iter().find(|change| change.evidence == evidence);
        let change =
            change.ok_or_else(|| broken("an item is not in the entry that describes it"))?;
        item.title.clone_from(&change.title);
        item.folder.clone_from(&change.folder);
        item.metadata.clone_from(&change.metadata);
        Ok(Some(item))
    }

    fn entry(&mut self, number: u64) -> Result<Option<&Entry>, Error> {
        if !self.opened.contains_key(&number) {
            let entry = history::opened(&self.view, self.journal, self.share, number, self.seal)?;
            self.opened.insert(number, entry);
        }
        Ok(self.opened.get(&number).and_then(Option::as_ref))
    }
}
