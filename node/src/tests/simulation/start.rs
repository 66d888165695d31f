//! Starting a node, as `run` does it: what is stored is opened, and partners are driven.

use std::rc::Rc;
use std::sync::Arc;

use super::site::{Process, noon};
use super::world::{SECOND, World};
use super::{drive, net, work};
use crate::actions::decide::{Decided, Effect};
use crate::actions::node::ConfirmClock;
use crate::actions::partner::{Confirm, Enable, Kind, SetPolicy};
use crate::actions::share::Mode;
use crate::actions::{Change, Way};
use crate::clock::Clock as _;
use crate::event::{Bytes, ClockSuspected, Entry, Event, NodeMade, PartnerMet};
use crate::journal::{Journal, Position};
use crate::keyring::Keyring;
use crate::rules;
use crate::store::table;

/// Makes every node, starts it, and has all of them trust each other.
pub(super) fn federation(world: &Rc<World>) {
    for site in world.nodes() {
        let made = Event::NodeMade(NodeMade {
            organisation: site.id,
            name: site.name.into(),
            role: site.role,
        });
        let record = Entry {
            actor: None,
            way: Way::Socket,
            event: made,
        };
        let disks = site.disks.borrow();
        let random = crate::chance::fill;
        let ring = Keyring::open(disks.keyring.clone(), &site.master(), random);
        let ring = Arc::new(ring.unwrap());
        let mut journal = Journal::open(disks.journal.clone(), ring).unwrap();
        journal.append(noon(), &[record.draft()]).unwrap();
    }
    for site in 0..world.plan.nodes {
        start(world, site);
    }
    for site in 0..world.plan.nodes {
        let (of, me) = (Rc::clone(world), world.sites[site].up().unwrap());
        world.spawn(site, async move { pair(&of, &me).await });
    }
    world.run(10 * SECOND);
}

/// Trusts every other node, as if paired; everything is enabled.
async fn pair(world: &Rc<World>, me: &Rc<Process>) {
    for other in world.nodes().iter().filter(|other| other.id != me.id) {
        let met = Event::PartnerMet(PartnerMet {
            organisation: other.id,
            name: other.name.into(),
            role: other.role,
            root: Bytes(other.id.as_bytes().to_vec()),
            address: None,
            words: Vec::new(),
        });
        let met = me.decide(world, None, Way::Socket, |_| {
            Ok(Decided::new(vec![met], |_| Ok(())))
        });
        met.await.expect("nothing is broken yet");
        let partner = other.name.to_owned();
        change(world, me, Confirm { partner }).await.unwrap();
        enable(world, me, other.name, true).await.unwrap();
        let mode = [Mode::Live, Mode::Synchronised][usize::from(world.chance(650))];
        let policy = SetPolicy {
            partner: other.name.into(),
            mode,
            download: true,
            import: other.role == crate::actions::partner::OrganisationRole::Justice
                || world.chance(700),
            onward: false,
        };
        change(world, me, policy).await.unwrap();
    }
}

/// Enables everything with a partner, or nothing.
pub(super) async fn enable(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: &str,
    on: bool,
) -> Result<(), crate::actions::Error> {
    let all = [Kind::Reference, Kind::Copy, Kind::Advanced];
    let kinds = all.into_iter().filter(|_| on);
    let enable = Enable {
        partner: partner.into(),
        send: kinds.clone().collect(),
        receive: kinds.collect(),
    };
    change(world, me, enable).await.map(drop)
}

/// Runs an action as an administrator does.
pub(super) async fn change<A: Change>(
    world: &Rc<World>,
    me: &Rc<Process>,
    action: A,
) -> Result<A::Reply, crate::actions::Error> {
    if rules::timed(A::NAME) {
        me.timely()?;
    }
    let actor = Some(super::serve::kim());
    me.decide(world, actor, Way::Socket, move |context| {
        action.decide(context)
    })
    .await
}

/// Starts a node.
pub(super) fn start(world: &Rc<World>, site: usize) {
    let of = &world.sites[site];
    if of.up().is_some() || of.gone.get() {
        return;
    }
    let process = match of.open() {
        Ok(process) => Rc::new(process),
        Err(error) => {
            world.note(format_args!("{} does not start: {error}", of.name));
            // A disk that fails or is full may be better later; damage that nobody did is not.
            if !error.contains("injected") && !error.contains("full") {
                world.fail(format!("start: {} does not start: {error}", of.name));
            }
            let found = of
                .disks
                .borrow()
                .found(world.below(1 << 32), of.torn.replace(false));
            of.disks.replace(found);
            world.after_do(5 * SECOND, move |world| start(world, site));
            return;
        }
    };
    world.note(format_args!(
        "{} starts at record {}",
        of.name,
        process.head().count
    ));
    of.process.replace(Some(Rc::clone(&process)));
    let partners = process.partners();
    process.pins.borrow_mut().extend(partners.iter().copied());
    for partner in partners {
        drive::begin(world, &process, partner);
        net::contact(world, site, partner);
    }
    let (w1, p1) = (Rc::clone(world), Rc::clone(&process));
    world.spawn(site, async move { clock(&w1, &p1).await });
    if !world.calm.get() {
        let of = Rc::clone(world);
        world.spawn(site, async move {
            match of.sites[site].origin == site {
                true => work::people(&of, &process).await,
                false => super::double::people(&of, &process).await,
            }
        });
    } else {
        let of = Rc::clone(world);
        world.spawn(site, async move { work::repair(&of, &process).await });
    }
}

/// Watches the clock against one that does not jump, and has it confirmed after a while.
async fn clock(world: &Rc<World>, me: &Rc<Process>) {
    if let Some(suspected) = behind(me) {
        suspect(world, me, suspected).await;
    }
    let mut baseline = (me.watch.now(), me.watch.elapsed());
    loop {
        world.sleep(10 * SECOND).await;
        let (says, elapsed) = (me.watch.now(), me.watch.elapsed());
        let passed = elapsed.checked_sub(baseline.1).unwrap_or_default();
        let expected = baseline.0 + passed;
        if (says - expected).num_seconds().abs() > TOLERANCE {
            baseline = (says, elapsed);
            suspect(world, me, ClockSuspected { says, expected }).await;
        }
        if me.suspects() && world.chance(200) {
            // What can't be confirmed now is confirmed later.
            let _ = change(world, me, ConfirmClock {}).await;
        }
    }
}

async fn suspect(world: &Rc<World>, me: &Rc<Process>, suspected: ClockSuspected) {
    let decided = me.decide(world, None, Way::Timer, move |_| {
        let events = vec![Event::ClockSuspected(suspected)];
        Ok(Decided::new(events, |_| Ok(())).then(Effect::Recheck))
    });
    let _ = decided.await;
}

/// Finds a clock that is behind what the journal has seen.
fn behind(me: &Process) -> Option<ClockSuspected> {
    let seq = me.head().count;
    let offset = me.read(|view| view.get(&table::POSITION, &seq)).ok()??;
    let last = me.journal.read(Position { seq, offset }).ok()?.at;
    let says = me.watch.now();
    ((last - says).num_seconds() > TOLERANCE).then_some(ClockSuspected {
        says,
        expected: last,
    })
}

/// By how many seconds a clock may jump.
const TOLERANCE: i64 = 300;
