//! What befalls nodes and links: each fault, and how it goes over.

use std::rc::Rc;

use chrono::{DateTime, Utc};

use super::plan::Fault;
use super::world::{Micros, SECOND, World};
use super::{net, start, work};
use crate::store::table;

/// Has clocks differ, as they do.
pub(super) fn clocks(world: &World) {
    for site in &world.sites {
        let half = world.plan.skew * SECOND / 2;
        site.watch
            .skew(world.below(2 * half + 1).cast_signed() - half.cast_signed());
    }
}

/// Has faults happen as long as the busy phase lasts.
pub(super) fn begin(world: &World) {
    if world.plan.faults.is_empty() {
        return;
    }
    let wait = world.between(SECOND, world.plan.pause * SECOND);
    world.after_do(wait, |world| {
        if world.calm.get() {
            return;
        }
        one(world);
        begin(world);
    });
}

fn one(world: &Rc<World>) {
    let faults = &world.plan.faults;
    let fault = faults[usize::try_from(world.below(faults.len() as u64)).expect("it is small")];
    let site = some(world, world.plan.nodes);
    let others: Vec<usize> = (0..world.plan.nodes)
        .filter(|other| *other != site)
        .collect();
    let other = others[some(world, others.len())];
    let name = world.sites[site].name;
    world.note(format_args!("fault at {name}: {fault:?}"));
    match fault {
        Fault::Kill => crash(world, site, false),
        Fault::Power => crash(world, site, true),
        Fault::Torn | Fault::Disk => disk(world, site, fault == Fault::Torn),
        Fault::Engine => {
            let calls = world.below(400);
            world.sites[site].faulty.set(true);
            world.sites[site].disks.borrow().engine.fail_after(calls);
        }
        Fault::Full => full(world, site),
        Fault::Cut => cut(world, vec![(site, other), (other, site)]),
        Fault::OneWay => cut(world, vec![(site, other)]),
        Fault::Alone => {
            let both = |other: &usize| [(site, *other), (*other, site)];
            cut(world, others.iter().flat_map(both).collect());
        }
        Fault::Flapping => {
            for turn in 0..5 {
                let wait = turn * 3 * SECOND;
                world.after_do(wait, move |world| {
                    if !world.calm.get() {
                        cut(world, vec![(site, other), (other, site)]);
                    }
                });
            }
        }
        Fault::Again => (0..8).for_each(|_| net::again(world)),
        Fault::Slow => slow(world, (site, other)),
        Fault::Skew => {
            let by = world.below(290 * SECOND).cast_signed() - 145 * SECOND.cast_signed();
            world.sites[site].watch.skew(by);
        }
        Fault::Jump => {
            let day = 86_400 * SECOND.cast_signed();
            let by = [day, -day, 40 * day][some(world, 3)];
            world.sites[site].watch.skew(by);
            let wait = world.between(20 * SECOND, 90 * SECOND);
            world.after_do(wait, move |world| world.sites[site].watch.skew(0));
        }
        Fault::Age => age(world, site),
        Fault::Sleep => {
            let wait = world.between(5 * SECOND, 60 * SECOND);
            world.lull(site, wait);
        }
        Fault::Sync => {
            let of = &world.sites[site];
            of.faulty.set(true);
            of.disks.borrow().journal.fail_sync();
        }
        Fault::Rot => rot(world, site),
    }
}

/// Sets a clock to another age, until somebody sets it right.
fn age(world: &World, site: usize) {
    let years = [1970, 2038, 2106];
    let then = format!("{}-02-08T06:28:16Z", years[some(world, years.len())]);
    let then: DateTime<Utc> = then.parse().expect("it is a time");
    let by = (then - super::site::noon()).num_microseconds();
    world.sites[site]
        .watch
        .skew(by.expect("it is less than an age"));
    let wait = world.between(20 * SECOND, 90 * SECOND);
    world.after_do(wait, move |world| world.sites[site].watch.skew(0));
}

/// Flips a bit of a file that is a node's own.
fn rot(world: &World, site: usize) {
    let of = &world.sites[site];
    let Some(process) = of.up() else {
        return;
    };
    let blobs = process.read(|view| view.page(&table::BLOB, &(), None, usize::MAX));
    let blobs = blobs.unwrap_or_default();
    if blobs.is_empty() || !process.vault.rotten.borrow().is_empty() {
        return;
    }
    let (digest, blob) = &blobs[some(world, blobs.len())];
    process.vault.rot(*digest, blob.place, some(world, 1000));
    world.note(format_args!("{digest} rots at {}", of.name));
}

fn some(world: &World, of: usize) -> usize {
    usize::try_from(world.below(of as u64)).expect("it is a small number")
}

/// Ends a process without warning, also in the middle of something; it is started again after a while.
pub(super) fn crash(world: &Rc<World>, site: usize, power: bool) {
    let of = &world.sites[site];
    world.kill_all(site);
    world.lull(site, 0);
    let gone = of.process.take();
    if gone.is_none() {
        return;
    }
    drop(gone);
    world.trace.borrow_mut().figures.crashes += 1;
    let power = power || of.torn.replace(false);
    let found = of.disks.borrow().found(world.below(1 << 32), power);
    of.disks.replace(found);
    for other in &world.sites {
        net::cut(world, site, other.id);
    }
    world.note(format_args!("{} is down, power lost: {power}", of.name));
    // Where the battery of its clock is empty, a machine is back in 1970.
    if power && world.plan.faults.contains(&Fault::Age) && world.chance(400) {
        age(world, site);
    }
    let wait = world.between(SECOND / 10, 20 * SECOND);
    world.after_do(wait, move |world| start::start(world, site));
}

/// The disk fails at one of the next calls; with `torn`, power is lost in it.
fn disk(world: &World, site: usize, torn: bool) {
    let of = &world.sites[site];
    let disks = of.disks.borrow();
    let nth = 1 + world.below(12);
    of.faulty.set(true);
    let disk = match world.chance(800) {
        true => &disks.journal,
        false => &disks.keyring,
    };
    if torn {
        disk.stop(nth);
        of.torn.set(true);
    } else {
        disk.fail(nth);
    }
}

/// There is no room at a node for a while.
fn full(world: &World, site: usize) {
    limit(world, site, Some(0));
    let wait = world.between(5 * SECOND, 60 * SECOND);
    world.after_do(wait, move |world| limit(world, site, None));
}

fn limit(world: &World, site: usize, capacity: Option<u64>) {
    let disks = world.sites[site].disks.borrow();
    disks.journal.limit(capacity);
    disks.keyring.limit(capacity);
    disks.vault.limit(capacity.is_some());
}

/// Nothing arrives in these directions for a while.
fn cut(world: &World, links: Vec<(usize, usize)>) {
    world.trace.borrow_mut().figures.cuts += 1;
    world.net.cut.borrow_mut().extend(links.iter().copied());
    let wait = world.between(SECOND, [3, 60][some(world, 2)] * SECOND);
    world.after_do(wait, move |world| heal(world, &links));
}

fn heal(world: &World, links: &[(usize, usize)]) {
    for link in links {
        world.net.cut.borrow_mut().remove(link);
    }
    for (site, other) in links {
        net::contact(world, *site, world.sites[*other].id);
    }
}

fn slow(world: &World, link: (usize, usize)) {
    let factor = world.between(10, 100);
    world.net.slow.borrow_mut().insert(link, factor);
    let wait = world.between(5 * SECOND, 60 * SECOND);
    world.after_do(wait, move |world| {
        world.net.slow.borrow_mut().remove(&link);
    });
}

/// Everything is as it should be from now on: links, disks and clocks; what is down comes up.
pub(super) fn calm(world: &Rc<World>) {
    world.calm.set(true);
    world.note(format_args!("faults stop"));
    super::double::end(world);
    let links: Vec<(usize, usize)> = world.net.cut.borrow().iter().copied().collect();
    heal(world, &links);
    world.net.slow.borrow_mut().clear();
    for site in 0..world.plan.nodes {
        limit(world, site, None);
        world.sites[site].watch.skew(0);
        world.lull(site, 0);
        let of = &world.sites[site];
        match of.up() {
            // Faults of its disks that are still to come are forgotten with the process.
            Some(_) if of.faulty.replace(false) => crash(world, site, false),
            Some(process) => {
                let to = Rc::clone(world);
                world.spawn(site, async move { work::repair(&to, &process).await });
            }
            None => {
                let whole = of.disks.borrow().found(world.below(1 << 32), false);
                of.disks.replace(whole);
            }
        }
    }
}

/// How long everything may take to settle.
pub(super) const PATIENCE: Micros = 40 * 60 * SECOND;
