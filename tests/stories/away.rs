//! Who can dial, who is away, and how many things are shared: what is delivered by itself.

use interdocket_tests::files::{noise, write};
use interdocket_tests::wait::until;
use interdocket_tests::world::{case, copy, delivered, enable, pair, share};
use interdocket_tests::{Node, Reach, World};

fn both_ways(world: &World, one: &Node, other: &Node) {
    for (owner, partner) in [(one, other), (other, one)] {
        let file = world.path(&format!("{}.bin", owner.name));
        noise(&file, 3, u64::from(owner.name.as_bytes()[0]));
        case(owner, owner.name, &[&file]);
        let id = copy(owner, owner.name, partner);
        delivered(owner, partner, &id);
    }
}

/// fault E12
#[test]
fn copies_go_both_ways_where_only_one_side_can_be_dialled() {
    let world = World::new();
    let (north, mut south) = world.pair();
    both_ways(&world, &north, &south);
    // And where the connection has to be made anew.
    south.stop();
    south.start();
    let file = world.path("late.txt");
    write(&file, "late");
    for (owner, partner) in [(&north, &south), (&south, &north)] {
        let number = format!("late-{}", owner.name);
        case(owner, &number, &[&file]);
        let id = copy(owner, &number, partner);
        delivered(owner, partner, &id);
    }
}

/// fault E12
#[test]
fn copies_go_both_ways_where_both_sides_can_be_dialled() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let south = world.node("south", Reach::Dialable);
    pair(&south, &north);
    enable(&north, &south);
    both_ways(&world, &north, &south);
}

/// fault E12
#[test]
fn copies_go_both_ways_where_only_the_one_that_accepted_can_be_dialled() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let south = world.node("south", Reach::Hidden);
    pair(&south, &north);
    enable(&north, &south);
    both_ways(&world, &north, &south);
}

/// fault E12
#[test]
fn what_waits_for_a_partner_that_is_away_arrives_when_it_is_back() {
    let world = World::new();
    let (mut north, mut south) = world.pair();
    south.stop();
    let file = world.path("report.txt");
    write(&file, "seen at 02:14");
    case(&north, "2026-17", &[&file]);
    let id = copy(&north, "2026-17", &south);
    let waiting = share(&north, &id);
    assert!(waiting["behind"].as_u64().unwrap() > 0, "{waiting}");
    assert!(waiting["behind_since"].is_string(), "{waiting}");
    let partner = north.call(&["partner", "show", &south.id]);
    assert!(partner["behind"].as_u64().unwrap() > 0, "{partner}");
    assert!(partner["behind_since"].is_string(), "{partner}");
    until("the figure says so", || {
        let figure = format!("interdocket_behind{{partner=\"{}\"}}", south.id);
        (north.figure(&figure) > 0).then_some(())
    });
    // What waits is kept by the journal, not by the process.
    north.stop();
    north.start();
    assert_eq!(share(&north, &id)["behind_since"], waiting["behind_since"]);

    south.start();
    let whole = delivered(&north, &south, &id);
    assert!(whole["behind_since"].is_null(), "{whole}");
    assert_eq!(north.call(&["partner", "show", &south.id])["behind"], 0);
}

/// fault C5
#[test]
fn share_of_three_thousand_small_files_completes() {
    let world = World::new();
    let (north, south) = world.pair();
    let folder = world.path("many");
    for file in 0..3_000_u32 {
        write(
            &folder.join(format!("{}/{file}.txt", file % 30)),
            format!("statement {file}\n"),
        );
    }
    case(&north, "2026-17", &[&folder]);
    let id = copy(&north, "2026-17", &south);
    let whole = delivered(&north, &south, &id);
    assert_eq!(whole["stored"]["files"], 3_000);
    assert_eq!(whole["stored"]["evidence"], 3_000);
    assert_eq!(share(&south, &id)["stored"], whole["stored"]);
}
