//! Starting a node, as `run` does it: what is stored is opened, and partners are driven.

use std::rc::Rc;
use std::sync::Arc;

use super::bug::{Bug, planted};
use super::site::{Process, noon};
use super::world::{SECOND, World};
use super::{chores, drive, net, work};
use crate::access::Permission;
use crate::actions::decide::{Decided, Effect, broken};
use crate::actions::node::{ConfirmClock, Confirmed};
use crate::actions::partner::{Confirm, Enable, Kind, SetPolicy};
use crate::actions::share::Mode;
use crate::actions::{Change, Error, Way};
use crate::clock::{Clock as _, Jump};
use crate::event::{Bytes, ClockSuspected, Entry, Event, NodeMade, PartnerFeatures, PartnerMet};
use crate::features;
use crate::federation::features as told;
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
        let begun = [made, Event::FeaturesSet(features::all())].map(|event| Entry {
            actor: None,
            way: Way::Socket,
            event,
        });
        let disks = site.disks.borrow();
        let random = crate::chance::fill;
        let ring = Keyring::open(disks.keyring.clone(), &site.master(), random);
        let ring = Arc::new(ring.unwrap());
        let mut journal = Journal::open(disks.journal.clone(), ring).unwrap();
        journal
            .append(noon(), &begun.map(|entry| entry.draft()))
            .unwrap();
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
        // As it says in its greetings: so the first of them is no news.
        let said = Event::PartnerFeatures(PartnerFeatures {
            organisation: other.id,
            features: told::said(&told::told(&features::all())),
        });
        let met = me.decide(world, None, Way::Socket, |_| {
            Ok(Decided::new(vec![met, said], |_| Ok(())))
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
            onward: world.chance(500),
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
) -> Result<(), Error> {
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
) -> Result<A::Reply, Error> {
    if rules::timed(A::NAME) {
        me.timely()?;
    }
    let actor = Some(super::serve::kim());
    me.decide(world, actor, Way::Socket, move |context| {
        context.held = Permission::ALL.iter().copied().collect();
        crate::node::decided(action, context)
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
    if !world.oracle.borrow().odd(of.id) {
        world.ledgers.borrow_mut()[site].again(&process);
    }
    of.process.replace(Some(Rc::clone(&process)));
    let of = Rc::clone(world);
    world.spawn(site, async move { boot(&of, &process).await });
}

/// Begins all that a node does: a clock that is behind is on record before anything else.
async fn boot(world: &Rc<World>, me: &Rc<Process>) {
    let timely = match behind(me) {
        Ok(Some(suspected)) => suspect(world, me, suspected).await,
        Ok(None) => true,
        Err(_) => false,
    };
    if !timely {
        world.note(format_args!(
            "{} can't say whether its clock is right",
            world.sites[me.site].name
        ));
        return super::fault::crash(world, me.site, false);
    }
    let partners = me.partners();
    me.pins.borrow_mut().extend(partners.iter().copied());
    for partner in partners {
        drive::begin(world, me, partner);
        net::contact(world, me.site, partner);
    }
    let of = || (Rc::clone(world), Rc::clone(me));
    let ((w1, p1), (w2, p2), (w3, p3)) = (of(), of(), of());
    world.spawn(me.site, async move { clock(&w1, &p1).await });
    world.spawn(me.site, async move { chores::chores(&w2, &p2).await });
    world.spawn(me.site, async move {
        match w3.calm.get() {
            true => work::repair(&w3, &p3).await,
            false if w3.sites[p3.site].origin == p3.site => work::people(&w3, &p3).await,
            false => super::double::people(&w3, &p3).await,
        }
    });
}

/// Watches the clock against one that does not jump, and has it confirmed after a while.
async fn clock(world: &Rc<World>, me: &Rc<Process>) {
    loop {
        world.sleep(3 * SECOND).await;
        look(world, me).await;
        if me.suspects() && world.chance(60) {
            // What can't be confirmed now is confirmed later.
            let _ = confirm(world, me).await;
        }
    }
}

/// Records a jump of the clock, if there is one; one look at a time.
async fn look(world: &Rc<World>, me: &Rc<Process>) {
    while me.looking.replace(true) {
        world.sleep(SECOND / 1000).await;
    }
    if let Some(Jump { says, expected }) = me.clock.jump()
        && suspect(world, me, ClockSuspected { says, expected }).await
    {
        me.clock.set();
    }
    me.looking.set(false);
}

/// Confirms what the clock says now.
pub(super) async fn confirm(world: &Rc<World>, me: &Rc<Process>) -> Result<Confirmed, Error> {
    look(world, me).await;
    change(world, me, ConfirmClock {}).await
}

async fn suspect(world: &Rc<World>, me: &Rc<Process>, suspected: ClockSuspected) -> bool {
    let decided = me.decide(world, None, Way::Timer, move |_| {
        let events = vec![Event::ClockSuspected(suspected)];
        Ok(Decided::new(events, |_| Ok(())).then(Effect::Recheck))
    });
    decided.await.is_ok()
}

/// Finds a clock that is behind what the journal has seen.
fn behind(me: &Process) -> Result<Option<ClockSuspected>, Error> {
    let seq = me.head().count;
    let Some(offset) = me.read(|view| view.get(&table::POSITION, &seq))? else {
        return Ok(None);
    };
    let last = me.journal.read(Position { seq, offset });
    let last = last.map_err(|_| broken("the journal can't be read"))?.at;
    let says = me.clock.now();
    let found = (last - says).num_seconds() > TOLERANCE && !planted(Bug::BehindUnnoticed);
    Ok(found.then_some(ClockSuspected {
        says,
        expected: last,
    }))
}

/// By how many seconds a clock may jump.
pub(super) const TOLERANCE: i64 = 300;
