//! The demo's story, by the demo itself and step by step.

use interdocket_tests::files::{noise, write};
use interdocket_tests::node::text;
use interdocket_tests::world::{add, case, contact, copies, delivered, enable, pair, share, whole};
use interdocket_tests::{Reach, World};

#[test]
fn demo_tells_its_story_and_ends() {
    let world = World::new();
    let north = world.make("north", Reach::Dialable);
    let told = north.command().args(["demo", "--once"]).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("Everything held."), "{told}");
}

/// fault C9, OE-41, OE-47
#[test]
fn copies_of_a_case_arrive_whole_at_both_partners_and_are_updated() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let south = world.node("south", Reach::Hidden);
    let harbour = world.node("harbour", Reach::Dialable);
    for partner in [&south, &harbour] {
        pair(&north, partner);
        enable(&north, partner);
        contact(&north, partner);
    }
    let folder = world.path("files");
    write(&folder.join("report.txt"), "First unit on site at 02:14.\n");
    write(&folder.join("photos/empty.jpg"), "");
    noise(&folder.join("photos/quay.bin"), 5, 1);
    case(&north, "2026-17", &[&folder]);

    let ids = copies(&north, "2026-17", [&south, &harbour]);
    let shares: Vec<_> = [&south, &harbour].into_iter().zip(ids).collect();
    for (partner, id) in &shares {
        assert_eq!(delivered(&north, partner, id)["stored"]["files"], 3);
    }
    let listed = north.shown(&["share", "sets"]);
    for (partner, id) in &shares {
        let told = |line: &str| line.contains(id) && line.contains("complete");
        assert!(listed.lines().any(told), "{listed}");
        let none = partner.call(&["share", "sets"]);
        assert_eq!(none["sets"], serde_json::json!([]), "{none}");
    }
    let result = world.path("result.txt");
    write(&result, "Traces of accelerant in sample 3.\n");
    add(&north, "2026-17", &[&result]);
    for (partner, id) in &shares {
        assert_eq!(
            share(&north, id)["status"],
            "complete",
            "nothing goes by itself"
        );
        north.call(&["share", "add", id]);
        assert_eq!(delivered(&north, partner, id)["stored"]["files"], 4);
        let there = share(partner, id);
        assert_eq!(there["direction"], "received");
        let received = partner.call(&["case", "show", &text(&there["case"])]);
        assert_eq!(received["evidence"], 4, "each item once");
    }
    for node in [&north, &south, &harbour] {
        whole(node);
    }
}
