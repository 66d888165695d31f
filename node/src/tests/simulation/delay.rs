//! A partner that is dead, refuses, is slow or calls without end does not delay the others (L5): two runs that
//! differ in nothing else are compared.

use std::rc::Rc;

use interdocket_proto::v1;
use interdocket_sync::blob::Sha256;
use interdocket_sync::share::status::{Status, status};
use prost::Message as _;

use super::bug::{self, Bug};
use super::net::{self, Method};
use super::plan::{Odd, Plan};
use super::serve::kim;
use super::site::{Process, Site};
use super::start::{self, change};
use super::vault::digest;
use super::world::{Micros, SECOND, World};
use crate::actions::evidence::Taken;
use crate::actions::partner::OrganisationRole;
use crate::actions::{Way, case, share};
use crate::chance::seeded;
use crate::clock::Clock as _;
use crate::disk::Dice;
use crate::store::table;
use crate::tests::bench::to;

/// How a partner is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// It never answers.
    Dead,
    /// It refuses everything.
    Refuses,
    /// It answers late.
    Slow,
    /// It calls again and again.
    Calls,
}

/// faults C4, C8
#[test]
fn a_bad_partner_delays_nobody_else() {
    let alone: Micros = SEEDS.map(|seed| took(seed, None)).sum();
    for bad in [Bad::Dead, Bad::Refuses, Bad::Slow, Bad::Calls] {
        let beside: Micros = SEEDS.map(|seed| took(seed, Some(bad))).sum();
        println!("{bad:?}: {beside} microseconds, {alone} without it");
        assert!(
            beside * 100 <= alone * 120,
            "{bad:?}: {beside}, {alone} without it"
        );
    }
    bug::plant(Some(Bug::OneAtATime));
    let beside: Micros = SEEDS.map(|seed| took(seed, Some(Bad::Dead))).sum();
    bug::plant(None);
    assert!(beside * 100 > alone * 120, "{beside}, {alone} without it");
}

/// How long it takes until south has everything, where harbour is bad or not there.
fn took(seed: u64, bad: Option<Bad>) -> Micros {
    seeded::set(Some(seed));
    let sites = (0..3).map(|number| Site::new(number, OrganisationRole::Investigation));
    let mut dice = Dice::new(seed);
    let plan = Plan {
        nodes: 3,
        loss: 0,
        twice: 0,
        latency: 20_000,
        faults: Vec::new(),
        ..Plan::new(&mut dice, Odd::None)
    };
    let world = World::new(plan, dice, sites.collect());
    world.calm.set(true);
    start::federation(&world);
    world.net.bad.set(bad.map(|bad| (HARBOUR, bad)));
    let (of, me) = (Rc::clone(&world), world.sites[NORTH].up().unwrap());
    let began = world.now();
    let partners = match bad {
        Some(_) => vec!["harbour", "south"],
        None => vec!["south"],
    };
    world.spawn(NORTH, async move { work(&of, &me, partners).await });
    if bad == Some(Bad::Calls) {
        let (of, me) = (Rc::clone(&world), world.sites[HARBOUR].up().unwrap());
        world.spawn(HARBOUR, async move { call(&of, &me).await });
    }
    while !whole(&world) {
        assert!(world.now() < began + 600 * SECOND, "it never ends");
        world.run(world.now() + SECOND / 20);
    }
    let took = world.now() - began;
    world.end();
    seeded::set(None);
    took
}

/// Somebody at north adds evidence and shares it.
async fn work(world: &Rc<World>, me: &Rc<Process>, partners: Vec<&str>) {
    let create = case::Create {
        number: "1".into(),
        title: "A case".into(),
        description: String::new(),
        targets: Vec::new(),
    };
    change(world, me, create).await.unwrap();
    add(world, me, 0).await;
    for partner in partners {
        let copy = share::Copy {
            case: "1".into(),
            to: vec![to(partner, &["kim"])],
            evidence: Vec::new(),
            folders: Vec::new(),
            targets: None,
            message: String::new(),
            attachments: None,
        };
        change(world, me, copy).await.unwrap();
        let advanced = share::Advanced {
            units: Vec::new(),
            case: "1".into(),
            to: vec![to(partner, &["kim"])],
            evidence: Vec::new(),
            folders: Vec::new(),
            targets: None,
            message: String::new(),
        };
        change(world, me, advanced).await.unwrap();
    }
    for number in 1..ITEMS {
        add(world, me, number).await;
    }
}

async fn add(world: &Rc<World>, me: &Rc<Process>, number: u64) {
    let bytes = format!("item {number} ").repeat(60).into_bytes();
    let (size, blake3) = (bytes.len() as u64, digest(&bytes));
    let placed = me.vault.commit(bytes).unwrap();
    let taken = Taken {
        case: "1".into(),
        name: format!("{number}.txt"),
        folder: String::new(),
        title: None,
        size,
        blake3,
        sha256: Sha256(blake3.0),
        place: Some(placed.place),
    };
    let decided = me.decide(world, Some(kim()), Way::Socket, |context| {
        taken.decide(context)
    });
    decided.await.unwrap();
}

/// Calls everything that can be called, without end.
async fn call(world: &Rc<World>, me: &Rc<Process>) {
    let north = world.sites[NORTH].id;
    loop {
        for method in [Method::Renew, Method::Read, Method::Open, Method::Deliver] {
            let bytes = v1::RenewRequest::default().encode_to_vec();
            drop(net::begin(world, me, north, method, bytes));
            world.sleep(2000).await;
        }
    }
}

/// Whether south has all that north shares with it.
fn whole(world: &World) -> bool {
    let north = world.sites[NORTH].up().unwrap();
    let south = world.sites[SOUTH].id;
    let shares = north
        .read(|view| view.page(&table::SHARE, &(), None, 9))
        .unwrap();
    let cases = north
        .read(|view| view.page(&table::CASE, &(), None, 9))
        .unwrap();
    let mut theirs = shares
        .iter()
        .filter(|(_, share)| share.header.partner == south)
        .peekable();
    let done = cases.iter().any(|(_, case)| case.evidence == ITEMS);
    done && theirs.peek().is_some()
        && theirs.all(|(_, share)| {
            let stands = status(&share.header, share.waits(), north.clock.now());
            matches!(stands, Status::Complete | Status::Active)
        })
}

const NORTH: usize = 0;
const SOUTH: usize = 1;
const HARBOUR: usize = 2;
const ITEMS: u64 = 12;
const SEEDS: std::ops::Range<u64> = 0..6;
