//! Nodes that come back from their past: an earlier state of a node's disks takes the place of what is there,
//! as a restored backup that says so, or as a machine that was set back and does not know.
//!
//! What people were told since counts only as far as a partner holds it: the oracle forgets the rest.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::oracle::{Deal, Item};
use super::plan::Odd;
use super::site::{Disks, Site};
use super::world::{Micros, SECOND, World};
use super::{fault, net};
use crate::actions::Way;
use crate::clock::Clock as _;
use crate::event::{Entry, Event, NodeRestored};
use crate::journal::Journal;
use crate::keyring::Keyring;

/// An earlier state of a node, and what people had been told by then.
struct Past {
    site: usize,
    disks: Disks,
    items: Vec<Item>,
    deals: Vec<Deal>,
    incarnation: u64,
    kept: Micros,
}

/// Has one node come back from its past, once or twice, from the same moment or another one.
pub(super) fn begin(world: &World) {
    let site = usize::try_from(world.below(world.plan.nodes as u64)).expect("it is small");
    for _ in 0..=world.below(2) {
        let half = world.plan.busy * SECOND / 2;
        let (kept, away) = (world.between(SECOND, half), world.between(SECOND, half));
        world.after_do(kept, move |world| {
            let Some(past) = Past::of(world, site) else {
                return;
            };
            world.after_do(away, move |world| past.returns(world));
        });
    }
}

impl Past {
    /// A node as it is now; none while it is down.
    fn of(world: &World, site: usize) -> Option<Self> {
        let of = &world.sites[site];
        let process = of.up()?;
        world.note(format_args!("the state of {} is kept", of.name));
        let incarnation = process.read(crate::federation::exchange::incarnation);
        let oracle = world.oracle.borrow();
        Some(Self {
            site,
            disks: of.disks.borrow().image(),
            items: oracle.items.clone(),
            deals: oracle.deals.clone(),
            incarnation: incarnation.ok()?,
            kept: world.now(),
        })
    }

    /// It is the node's state again.
    fn returns(&self, world: &Rc<World>) {
        if world.calm.get() {
            return;
        }
        let of = &world.sites[self.site];
        fault::crash(world, self.site, false);
        world.lose(self.site);
        net::forget(world, self.site);
        world.trace.borrow_mut().figures.returns += 1;
        let odd = world.plan.odd;
        world.note(format_args!(
            "{} comes back from its past: {odd:?}",
            of.name
        ));
        let disks = self.disks.image();
        let above = u64::from(odd == Odd::Restored);
        if odd == Odd::Restored {
            restored(of, &disks);
        }
        of.disks.replace(disks);
        of.torn.set(false);
        of.faulty.set(false);
        world.scanned.borrow_mut().remove(&self.site);
        let mut lives = world.lives.borrow_mut();
        lives.insert(self.site, self.incarnation + above);
        drop(lives);
        self.forget(world);
    }

    /// What people were told since holds no more, but where a partner can tell.
    fn forget(&self, world: &World) {
        let mut oracle = world.oracle.borrow_mut();
        let id = world.sites[self.site].id;
        let (kept, now) = (self.kept, world.now());
        let before = oracle.back.insert(self.site, (kept, now));
        // What was written in a past that another one took the place of meanwhile is another history.
        let branch = before.is_some_and(|(past, came)| past < kept && kept < came);
        let odd = match branch {
            true => Odd::SetBack,
            false => world.plan.odd,
        };
        oracle.odd.insert(id, odd);
        let known = |place: usize| self.items.get(place).filter(|item| item.id.is_some());
        let mut moved = BTreeSet::new();
        for (place, item) in oracle.items.iter_mut().enumerate() {
            if item.site != self.site {
                continue;
            }
            let Some(before) = known(place) else {
                item.lost = true;
                continue;
            };
            if before.folder != item.folder || before.folder.is_none() {
                moved.insert(place);
            }
            item.folder.clone_from(&before.folder);
            item.title.clone_from(&before.title);
        }
        let received = oracle.revocations.clone();
        for (place, deal) in oracle.deals.iter_mut().enumerate() {
            if deal.owner != self.site {
                continue;
            }
            let before = self.deals.get(place);
            let Some(before) = before.filter(|before| before.share.is_some()) else {
                deal.lost = true;
                deal.revoked &= deal.share.is_some_and(|share| {
                    let (partner, owner) = (deal.partner, id);
                    received.contains(&(partner, owner, share))
                });
                continue;
            };
            let chosen = deal.must.symmetric_difference(&before.must);
            let unsure: Vec<usize> = chosen
                .chain(&before.unsure)
                .chain(&moved)
                .copied()
                .collect();
            deal.unsure.extend(unsure);
            let told = before.share.map(|share| (deal.partner, id, share));
            deal.revoked &= before.revoked || told.is_some_and(|told| received.contains(&told));
        }
        let (site, held) = (self.site, &mut oracle.taken);
        held.retain(|(of, ..), _| *of != site);
        oracle.forked.retain(|(of, _), _| *of != site);
    }
}

/// Records that a node was made of a backup.
fn restored(of: &Site, disks: &Disks) {
    let ring = Keyring::open(disks.keyring.clone(), &of.master(), crate::chance::fill);
    let journal = Journal::open(disks.journal.clone(), Arc::new(ring.unwrap()));
    let made_at = of.watch.now();
    let record = Entry {
        actor: None,
        way: Way::Socket,
        event: Event::NodeRestored(NodeRestored { made_at, above: 0 }),
    };
    journal.unwrap().append(made_at, &[record.draft()]).unwrap();
}
