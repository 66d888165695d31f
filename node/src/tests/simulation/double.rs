//! A node that runs twice for a while, as of a machine that was copied: both have its keys, and both talk.
//! Then one of them is switched off for good.

use std::rc::Rc;

use interdocket_sync::id::ShareId;

use super::plan::Odd;
use super::serve::kim;
use super::site::Process;
use super::start::{self, change};
use super::world::{SECOND, World};
use super::{fault, net};
use crate::actions::evidence::Taken;
use crate::actions::{Way, share};
use crate::store::table;

/// Has the first node run twice for some time.
pub(super) fn begin(world: &World) {
    let begins = world.between(10 * SECOND, world.plan.busy * SECOND / 2);
    let lasts = world.between(10 * SECOND, world.plan.busy * SECOND / 2);
    world.after_do(begins, move |world| {
        let double = world.plan.nodes;
        let (of, copy) = (&world.sites[0], &world.sites[double]);
        if world.calm.get() || of.up().is_none() {
            return;
        }
        world.note(format_args!("{} runs twice", of.name));
        copy.disks.replace(of.disks.borrow().image());
        copy.gone.set(false);
        let mut oracle = world.oracle.borrow_mut();
        oracle.odd.insert(of.id, Odd::Doubled);
        drop(oracle);
        start::start(world, double);
        world.after_do(lasts, end);
    });
}

/// The second machine is switched off for good.
pub(super) fn end(world: &Rc<World>) {
    let double = world.plan.nodes;
    let Some(copy) = world.sites.get(double).filter(|copy| !copy.gone.get()) else {
        return;
    };
    world.note(format_args!("{} is switched off", copy.name));
    fault::crash(world, double, false);
    world.lose(double);
    net::forget(world, double);
    copy.gone.set(true);
}

/// People work at the second machine, on what is there: nobody but them is told what comes of it.
pub(super) async fn people(world: &Rc<World>, me: &Rc<Process>) {
    loop {
        let wait = world.between(SECOND / 2, 8 * SECOND);
        world.sleep(wait).await;
        let own = me.read(|view| view.page(&table::SHARE, &(), None, usize::MAX));
        let own = own.unwrap_or_default().into_iter();
        let own: Vec<ShareId> = own
            .filter(|(_, share)| share.header.owner == me.id)
            .map(|(id, _)| id)
            .collect();
        let place = usize::try_from(world.below(own.len() as u64)).unwrap_or_default();
        let Some(share) = own.get(place).copied() else {
            continue;
        };
        // Whatever is refused is refused.
        match world.below(10) {
            0..2 => drop(change(world, me, share::Suspend { share }).await),
            2..4 => drop(change(world, me, share::Resume { share }).await),
            4..8 => {
                let recipients = vec!["kim".to_owned(), "lee".to_owned()];
                drop(change(world, me, share::Recipients { share, recipients }).await);
            }
            8 => drop(change(world, me, share::Revoke { share }).await),
            _ => add(world, me).await,
        }
    }
}

/// Adds evidence to some case that only this machine has.
async fn add(world: &Rc<World>, me: &Rc<Process>) {
    let cases = me.read(|view| view.page(&table::CASE, &(), None, usize::MAX));
    let Some((_, case)) = cases.unwrap_or_default().pop() else {
        return;
    };
    let bytes = format!("only here {}", world.number()).into_bytes();
    let Some(placed) = me.vault.commit(bytes) else {
        return;
    };
    let taken = Taken {
        case: case.number,
        name: "here.txt".into(),
        folder: String::new(),
        title: None,
        size: placed.size,
        blake3: placed.digest,
        sha256: interdocket_sync::blob::Sha256(placed.digest.0),
        place: Some(placed.place),
    };
    let added = me.decide(world, Some(kim()), Way::Socket, |context| {
        taken.decide(context)
    });
    drop(added.await);
}
