//! What people stopped, and were told so: from then on nothing leaves that way, until somebody undoes it.

use std::collections::{BTreeMap, BTreeSet};

use interdocket_sync::id::ShareId;

/// What stands.
#[derive(Default)]
pub(super) struct Standing {
    /// Partners that a node has suspended, or that nothing is sent to: node and partner.
    pub(super) partners: BTreeSet<(usize, usize)>,
    /// Partners that a node has suspended.
    pub(super) cut: BTreeSet<(usize, usize)>,
    /// Shares that are suspended.
    pub(super) shares: BTreeSet<ShareId>,
    /// Whom a share is for; nothing while that is not certain.
    named: BTreeMap<ShareId, Option<Vec<String>>>,
    /// Whom people at the partner may have added to them.
    added: BTreeMap<ShareId, BTreeSet<String>>,
}

impl Standing {
    /// Notes whom a share is for; none while nobody can say.
    pub(super) fn name(&mut self, share: ShareId, recipients: Option<Vec<String>>) {
        self.named.insert(share, recipients);
    }

    /// Notes that people at the partner may have added somebody.
    pub(super) fn add(&mut self, share: ShareId, recipient: &str) {
        self.added
            .entry(share)
            .or_default()
            .insert(recipient.to_owned());
    }

    /// Notes that a partner may be sent to again.
    pub(super) fn undo(&mut self, pair: (usize, usize)) {
        self.partners.remove(&pair);
        self.cut.remove(&pair);
    }

    /// Whether somebody is surely no recipient of a share: neither named nor added, or added where nobody is named.
    pub(super) fn excludes(&self, share: ShareId, recipient: &str) -> bool {
        let Some(Some(named)) = self.named.get(&share) else {
            return false;
        };
        let added = self.added.get(&share);
        let added = added.is_some_and(|added| added.contains(recipient));
        let named_so = named.iter().any(|name| name == recipient);
        !named_so && (named.is_empty() || !added)
    }
}
