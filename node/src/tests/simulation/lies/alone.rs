//! Each lie by itself: exactly what comes of it, and that nothing but its refusal is written.

use std::rc::Rc;

use interdocket_sync::id::ShareId;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::Hold;

use super::answers::REPLIES;
use super::stage::Stage;
use super::{Answer, Comes, Lie, lies, tell};
use crate::actions::partner::Kind;
use crate::event::{Entry, Event};
use crate::federation::exchange::incarnation;
use crate::journal::Body;
use crate::store::table;
use crate::tests::simulation::plan::Odd;
use crate::tests::simulation::quiet::{self, at};
use crate::tests::simulation::site::Process;
use crate::tests::simulation::world::{SECOND, World};

/// Three nodes that share everything with each other: north lies, south is lied to, harbour is nobody's.
fn stage() -> Rc<World> {
    let world = quiet::federation(7, false);
    for owner in 0..3 {
        let of = Rc::clone(&world);
        at(&world, owner, async move |me| shares(&of, &me).await);
    }
    world.run(world.now() + 300 * SECOND);
    assert_eq!(world.failure(), None);
    world.lying.site.set(Some(0));
    world.lying.only.set(Some(usize::MAX));
    world
}

/// A case of a node, shared with both others in every way, and another one that nobody has.
async fn shares(world: &Rc<World>, me: &Rc<Process>) {
    let name = world.sites[me.site].name;
    let (number, alone) = (format!("{name}/26"), format!("{name} alone"));
    for (number, item) in [(&number, "shared"), (&alone, "secret")] {
        quiet::case(world, me, number).await;
        add(world, me, number, &format!("{item} of {name}")).await;
    }
    for other in world.nodes().iter().filter(|other| other.id != me.id) {
        offer(world, me, &number, other.name).await;
    }
}

async fn offer(world: &Rc<World>, me: &Rc<Process>, number: &str, other: &str) {
    for kind in [Kind::Copy, Kind::Advanced, Kind::Reference] {
        let made = quiet::offer(world, me, kind, (number, ""), other).await;
        made.unwrap();
    }
}

async fn add(world: &Rc<World>, me: &Rc<Process>, case: &str, text: &str) {
    let bytes = text.repeat(20).into_bytes();
    quiet::add(world, me, (case, ""), text, bytes).await;
}

/// What a node has written behind a record.
fn written(me: &Process, after: u64) -> Vec<Event> {
    let records = me.journal.scan(after, None).map(Result::unwrap);
    let events = records.map(|record| match record.body {
        Body::Open(body) => Entry::decode(&body).unwrap().event,
        _ => panic!("a record that can't be read"),
    });
    events
        .filter(|event| !matches!(event, Event::Refused(_)))
        .collect()
}

/// A lie, with what is to be answered: the gap is where the log ends.
fn expected(lie: &Lie, held: u64) -> Refusal {
    match lie.comes {
        Comes::Refused(Refusal::Gap { expected: 0 }) => Refusal::Gap { expected: held + 1 },
        Comes::Refused(refused) => refused,
        Comes::Frozen => Refusal::Fork,
        Comes::Paused => Refusal::Newer,
        Comes::Nothing | Comes::Known => panic!("it is not refused"),
    }
}

/// AE-050, AJ-28: the owner of a copy can do nothing to what was delivered, and add to it only.
///
/// faults A1, A2, A5, A6, A8, A9, A10, A12, A13, B9, B12, C1, C2, C3, C5, C9, E7
#[test]
fn every_lie_is_refused_for_what_it_is_and_nothing_else_is_written() {
    let world = stage();
    let mut told = 0;
    // What freezes or pauses a share comes last: there is one of each.
    let mut all: Vec<&'static Lie> = lies().collect();
    all.sort_by_key(|lie| matches!(lie.comes, Comes::Frozen | Comes::Paused));
    let mut broken = Vec::new();
    for lie in all {
        let of = Rc::clone(&world);
        let (before, answer, share) = at(&world, 0, async move |me| {
            let stage = Stage::of(&of, &me, 1, lie.about)?;
            let (share, said) = (stage.header.clone(), (lie.says)(&stage)?);
            let before = stage.victim.head().count;
            Some((before, tell(&of, &me, 1, said).await, share))
        })
        .unwrap_or_else(|| panic!("{} can't be told", lie.name));
        told += 1;
        world.run(world.now() + 10 * SECOND);
        let south = world.sites[1].up().unwrap();
        let (events, side) = (written(&south, before), share.side(world.sites[0].id));
        let held = side.map_or(0, |side| share.log(side).point.count);
        let held_back = |hold: Hold| {
            let row = south.read(|view| view.get(&table::SHARE, &share.share));
            row.unwrap().is_some_and(|row| row.header.hold == hold)
        };
        let as_it_should = match lie.comes {
            Comes::Refused(_) => {
                answer == Answer::Refused(expected(lie, held)) && events.is_empty()
            }
            Comes::Frozen => {
                let one = matches!(&events[..], [Event::ShareFrozen(frozen)] if frozen.share == share.share);
                answer == Answer::Refused(expected(lie, held)) && one && held_back(Hold::Frozen)
            }
            Comes::Paused => {
                let one =
                    matches!(&events[..], [Event::SharePaused(paused)] if *paused == share.share);
                answer == Answer::Refused(expected(lie, held)) && one && held_back(Hold::Paused)
            }
            Comes::Nothing => answer == Answer::Told(Vec::new()) && events.is_empty(),
            Comes::Known => matches!(answer, Answer::Told(_)) && events.is_empty(),
        };
        if !as_it_should {
            broken.push(format!(
                "{} ({}): {answer:?}, {events:?}",
                lie.name, lie.row
            ));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(world.failure(), None);
    assert!(told >= 40, "{told}");
    quiet::end(&world);
}

/// fault A2: what is here for others, what is here for nobody and what is nowhere look the same.
#[test]
fn what_is_not_shared_is_answered_as_what_does_not_exist_is() {
    let world = stage();
    let mut answers = Vec::new();
    for name in [
        "asks for a file of another share",
        "asks for a file that there is not",
    ] {
        let lie = lies().find(|lie| lie.name == name).unwrap();
        let of = Rc::clone(&world);
        let answer = at(&world, 0, async move |me| {
            let stage = Stage::of(&of, &me, 1, lie.about).unwrap();
            let said = (lie.says)(&stage).unwrap();
            let call = super::net::begin(&of, &me, of.sites[1].id, said.method, said.bytes);
            call.next().await.unwrap()
        });
        answers.push(answer);
    }
    assert_eq!(answers[0], answers[1]);
    quiet::end(&world);
}

/// How far south's own log of its copy for north is countersigned.
fn proven(world: &World, share: ShareId) -> u64 {
    let south = world.sites[1].up().unwrap();
    let row = south.read(|view| view.get(&table::SHARE, &share)).unwrap();
    row.unwrap().header.owner_log.countersigned
}

/// Whatever a partner answers, nothing that was not so is believed, and once it stops everything settles.
///
/// faults A9, A12, A13, B9, C1, C2, C3, C4, C9, E7
#[test]
fn no_answer_that_is_a_lie_is_believed_and_everything_settles_behind_it() {
    for (place, reply) in REPLIES.iter().enumerate() {
        let world = stage();
        world.lying.only.set(Some(place));
        let north = world.sites[0].id;
        world.oracle.borrow_mut().odd.insert(north, Odd::Lies);
        for owner in [0, 1] {
            let of = Rc::clone(&world);
            at(&world, owner, async move |me| {
                let name = of.sites[me.site].name;
                add(&of, &me, &format!("{name}/26"), "more").await;
                let to = if me.site == 0 { "south" } else { "north" };
                offer(&of, &me, &format!("{name}/26"), to).await;
            });
        }
        world.run(world.now() + 200 * SECOND);
        assert_eq!(world.failure(), None, "{}", reply.name);
        let south = world.sites[1].up().unwrap();
        let lives = south.read(incarnation).unwrap();
        assert_eq!(lives, 1, "{} ({}) rewinds nobody", reply.name, reply.row);
        let shares = south.read(|view| view.page(&table::SHARE, &(), None, 99));
        for (id, share) in shares.unwrap() {
            assert_eq!(share.header.hold, Hold::Free, "{}", reply.name);
            let held = world.sites[0].up().unwrap();
            let there = held.read(|view| view.get(&table::SHARE, &id)).unwrap();
            let count = there.map_or(0, |there| there.header.owner_log.point.count);
            let ours = share.header.owner == south.id && share.header.partner == held.id;
            assert!(!ours || proven(&world, id) <= count, "{}", reply.name);
        }
        world.lying.only.set(Some(usize::MAX));
        world.oracle.borrow_mut().odd.remove(&north);
        // It lent for as long as it liked.
        for site in world.nodes() {
            site.up().unwrap().lent.borrow_mut().clear();
        }
        world.run(world.now() + 600 * SECOND);
        let waits = super::super::check::waits(&world);
        assert_eq!(
            waits,
            Vec::<String>::new(),
            "{} ({})",
            reply.name,
            reply.row
        );
        super::super::check::settled(&world);
        assert_eq!(world.failure(), None, "{}", reply.name);
        quiet::end(&world);
    }
}
