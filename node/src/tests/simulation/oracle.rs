//! What people did and were told: the model that states are compared with. It knows commands and answers,
//! and nothing of how the node works.

use std::collections::{BTreeMap, BTreeSet};

use interdocket_sync::blob::Digest;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::head::Head;
use interdocket_sync::log::{Point, Side};
use interdocket_sync::share::Header;

use super::plan::Odd;
use super::world::Micros;
use crate::actions::partner::Kind;

/// All that was done.
#[derive(Default)]
pub(super) struct Oracle {
    pub(super) cases: Vec<Case>,
    pub(super) items: Vec<Item>,
    pub(super) deals: Vec<Deal>,
    /// How far each node has countersigned a partner's log.
    pub(super) receipts: BTreeMap<(usize, ShareId, Side), (u64, [u8; 32])>,
    /// Revocations that a node has countersigned: who took whose.
    pub(super) revocations: BTreeSet<(usize, OrganisationId, ShareId)>,
    /// Blobs whose bytes went bad and were served: whose they are.
    pub(super) shown: BTreeSet<(usize, Digest)>,
    /// Files that somebody got whole from an owner, and when first.
    pub(super) brought: BTreeMap<(usize, OrganisationId, Digest), Micros>,
    /// Since when it has files as its own that an owner brought.
    pub(super) kept: BTreeMap<(usize, OrganisationId, Digest), Micros>,
    /// Files that are arriving: bytes that came, and in how many calls.
    pub(super) arriving: BTreeMap<(usize, ShareId, Digest), (u64, u64)>,
    /// The hash of each entry that was ever under way.
    pub(super) entries: BTreeMap<(ShareId, Side, u64), [u8; 32]>,
    /// The entries that each node let in of a partner's log.
    pub(super) taken: BTreeMap<(usize, ShareId, Side, u64), [u8; 32]>,
    /// Shares of which a node was shown two histories, with how far it held either log then.
    pub(super) forked: BTreeMap<(usize, ShareId), [Point; 2]>,
    /// Which node lies: it may give away what is its own.
    pub(super) liar: Option<usize>,
    /// From which moment a node came back last, and when.
    pub(super) back: BTreeMap<usize, (Micros, Micros)>,
    /// What is odd about nodes.
    pub(super) odd: BTreeMap<OrganisationId, Odd>,
}

/// A case that somebody made.
pub(super) struct Case {
    pub(super) site: usize,
    pub(super) number: String,
}

/// An item of evidence that somebody added; its canary is its place.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) site: usize,
    pub(super) case: usize,
    /// None until somebody was told.
    pub(super) id: Option<EvidenceId>,
    /// Whose canary is in the bytes.
    pub(super) content: usize,
    pub(super) digest: Digest,
    /// Where it is; none while that is not certain.
    pub(super) folder: Option<String>,
    /// Where it may have been.
    pub(super) folders: BTreeSet<String>,
    /// Its title; none while that is not certain.
    pub(super) title: Option<String>,
    /// Whether its node may have lost it with its past.
    pub(super) lost: bool,
}

/// What of a case a share covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    Entire,
    Folder(String),
    Selected,
}

/// A share that somebody made.
#[derive(Clone)]
pub(super) struct Deal {
    pub(super) owner: usize,
    pub(super) partner: usize,
    pub(super) kind: Kind,
    pub(super) case: usize,
    pub(super) reach: Reach,
    /// None until somebody was told.
    pub(super) share: Option<ShareId>,
    /// What was ever chosen for it, by itself or with a copy.
    pub(super) may: BTreeSet<usize>,
    /// What is chosen for it.
    pub(super) must: BTreeSet<usize>,
    /// Of what is chosen, what is not certain.
    pub(super) unsure: BTreeSet<usize>,
    /// Whether it was revoked, and somebody was told.
    pub(super) revoked: bool,
    /// Whether somebody tried to end it in any way.
    pub(super) stopped: bool,
    /// Whether somebody at the partner wanted it imported.
    pub(super) wanted: bool,
    /// Whether its owner may have lost it with its past.
    pub(super) lost: bool,
}

impl Deal {
    /// Whether it may ever have covered an item.
    pub(super) fn covered(&self, items: &[Item], item: usize) -> bool {
        let of = &items[item];
        if (of.site, of.case) != (self.owner, self.case) {
            return false;
        }
        if self.may.contains(&item) {
            return true;
        }
        match (&self.reach, self.kind) {
            (_, Kind::Copy) | (Reach::Selected, _) => false,
            (Reach::Entire, _) => true,
            (Reach::Folder(folder), _) => of.folders.iter().any(|of| within(of, folder)),
        }
    }

    /// What it should amount to now, as far as that is certain: items that it covers, and items of which
    /// nobody can say.
    pub(super) fn amounts(&self, items: &[Item]) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let (mut covers, mut unsure) = (BTreeSet::new(), self.unsure.clone());
        for (place, item) in items.iter().enumerate() {
            if (item.site, item.case) != (self.owner, self.case) {
                continue;
            }
            let chosen = match (&self.reach, self.kind) {
                (_, Kind::Copy) | (Reach::Selected, _) => self.must.contains(&place),
                (Reach::Entire, _) => true,
                (Reach::Folder(folder), _) => {
                    if item.folder.is_none() {
                        unsure.insert(place);
                    }
                    item.folder.as_ref().is_some_and(|of| within(of, folder))
                }
            };
            if item.id.is_none() || item.lost {
                unsure.insert(place);
            }
            if chosen {
                covers.insert(place);
            }
        }
        (covers, unsure)
    }
}

/// Whether a folder is another one, or below it.
pub(super) fn within(folder: &str, above: &str) -> bool {
    let rest = folder.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Oracle {
    /// Notes that a node has countersigned a partner's log up to a head.
    pub(super) fn countersigned(&mut self, site: usize, head: &Head) {
        let at = (site, head.share, head.side);
        let said = (head.point.count, head.point.hash);
        let held = self.receipts.entry(at).or_insert(said);
        *held = (*held).max(said);
    }

    /// Whether a node has come back from its past, runs twice or lies.
    pub(super) fn odd(&self, id: OrganisationId) -> bool {
        self.odd.contains_key(&id)
    }

    /// Whether a node that lost a share with its past is not given it back: nothing of a revoked one is, nor
    /// what is sealed under a lease that was lost as well.
    pub(super) fn lost(&self, share: ShareId) -> bool {
        let gone = |deal: &Deal| deal.stopped || deal.lost && deal.kind == Kind::Advanced;
        self.deal(share).is_none_or(gone)
    }

    /// Whether a node does not know that it is behind, or is not honest.
    pub(super) fn behind(&self, id: OrganisationId) -> bool {
        let odd = self.odd.get(&id);
        odd.is_some_and(|odd| *odd != Odd::Restored)
    }

    /// Whether something of a share may have forked, as one of its nodes is not honest, or does not know that
    /// it is behind.
    pub(super) fn forks(&self, header: &Header) -> bool {
        self.behind(header.owner) || self.behind(header.partner)
    }

    /// Whether nobody can say how a share ends: it may have forked, or its owner lost it with its past.
    pub(super) fn excused(&self, header: &Header) -> bool {
        self.forks(header) || self.deal(header.share).is_some_and(|deal| deal.lost)
    }

    /// The deal of a share.
    pub(super) fn deal(&self, share: ShareId) -> Option<&Deal> {
        self.deals.iter().find(|deal| deal.share == Some(share))
    }

    /// Whether a node may tell another one something that carries an item's canary.
    pub(super) fn tells(&self, from: usize, to: usize, canary: usize) -> bool {
        let Some(item) = self.items.get(canary) else {
            return false;
        };
        let told = |deal: &Deal| {
            let parties = (deal.owner, deal.partner);
            let items = 0..self.items.len();
            parties == (item.site, to)
                && items
                    .filter(|place| *place == canary || self.items[*place].content == canary)
                    .any(|place| deal.covered(&self.items, place))
        };
        item.site == to || (item.site == from && self.deals.iter().any(told))
    }

    /// Whether a node may tell another one something of a case.
    pub(super) fn tells_case(&self, from: usize, to: usize, canary: usize) -> bool {
        let Some(case) = self.cases.get(canary) else {
            return false;
        };
        let told =
            |deal: &Deal| deal.case == canary && (deal.owner, deal.partner) == (case.site, to);
        case.site == to || (case.site == from && self.deals.iter().any(told))
    }
}
