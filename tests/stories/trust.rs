//! Trust: given, suspended, taken away, and what it lets through.

use interdocket_tests::files::{MIB, noise, write};
use interdocket_tests::wait::until;
use interdocket_tests::world::{case, contact, copy, delivered, enable, meet, pair, share};
use interdocket_tests::{Node, Reach, World};

/// What may have been on its way to the transport when trust ended.
const IN_HAND: u64 = 4 * MIB;

const SIZE: u64 = 128;

fn film(world: &World, owner: &Node, partner: &Node) -> String {
    let film = world.path("film.bin");
    noise(&film, SIZE, 4);
    case(owner, "2026-17", &[&film]);
    copy(owner, "2026-17", partner)
}

fn cut_off(one: &Node, other: &Node) {
    for (node, partner) in [(one, other), (other, one)] {
        until("there is no contact", || {
            let shown = node.call(&["partner", "show", &partner.id]);
            (shown["connected"] == false).then_some(())
        });
    }
}

/// fault A3, fault B6
#[test]
fn owner_that_suspends_sends_nothing_more_until_it_resumes() {
    let world = World::new();
    let (north, south) = world.pair();
    let id = film(&world, &north, &south);
    until("some of it was sent", || {
        (north.bytes("out") > 16 * MIB).then_some(())
    });
    north.call(&["partner", "suspend", &south.id]);
    let sent = north.bytes("out");
    assert!(sent < SIZE * MIB, "suspended in the middle");
    cut_off(&north, &south);
    // A change of the other side's, so that it has something to call about.
    let note = world.path("note.txt");
    write(&note, "from south");
    case(&south, "S-1", &[&note]);
    let back = copy(&south, "S-1", &north);
    until("it was refused", || {
        let doctor = south
            .try_call(&["partner", "doctor", &north.id])
            .unwrap_err();
        doctor
            .reply
            .to_string()
            .contains("suspended or removed")
            .then_some(())
    });
    assert!(
        north.bytes("out") <= sent + IN_HAND,
        "{} after {sent}",
        north.bytes("out")
    );
    assert!(
        north.try_call(&["share", "show", &back]).is_err(),
        "nothing got through"
    );
    assert_eq!(share(&north, &id)["status"], "processing");

    north.call(&["partner", "resume", &south.id]);
    delivered(&north, &south, &id);
    delivered(&south, &north, &back);
}

/// fault A3, fault B6
#[test]
fn receiver_that_suspends_takes_nothing_more_until_it_resumes() {
    let world = World::new();
    let (north, south) = world.pair();
    let id = film(&world, &north, &south);
    until("some of it arrived", || {
        (south.bytes("in") > 16 * MIB).then_some(())
    });
    south.call(&["partner", "suspend", &north.id]);
    let got = south.bytes("in");
    assert!(got < SIZE * MIB, "suspended in the middle");
    cut_off(&north, &south);
    assert!(
        south.bytes("in") <= got + IN_HAND,
        "{} after {got}",
        south.bytes("in")
    );
    assert_eq!(share(&south, &id)["status"], "processing");
    south.call(&["partner", "resume", &north.id]);
    delivered(&north, &south, &id);
}

/// AE-017, fault B6, fault B12
#[test]
fn removed_partner_is_a_stranger_and_can_be_paired_anew() {
    let world = World::new();
    let (north, south) = world.pair();
    let note = world.path("note.txt");
    write(&note, "before");
    case(&north, "2026-17", &[&note]);
    let id = copy(&north, "2026-17", &south);
    delivered(&north, &south, &id);
    let there = share(&south, &id)["case"].as_str().unwrap().to_owned();

    north.call(&["partner", "remove", &south.id]);
    assert_eq!(north.refused(&["partner", "show", &south.id]).code, 5);
    assert_eq!(
        north
            .refused(&["share", "copy", "2026-17", "--partner", &south.id])
            .code,
        5
    );
    until("south has no contact", || {
        let shown = south.call(&["partner", "show", &north.id]);
        (shown["connected"] == false).then_some(())
    });
    case(&south, "S-1", &[&note]);
    let late = copy(&south, "S-1", &north);
    assert!(south.try_call(&["partner", "doctor", &north.id]).is_err());
    assert!(
        north.try_call(&["share", "show", &late]).is_err(),
        "nothing got through"
    );
    assert_eq!(
        south.call(&["case", "show", &there])["evidence"],
        1,
        "what was shared stays"
    );

    south.call(&["partner", "remove", &north.id]);
    pair(&north, &south);
    enable(&north, &south);
    case(&north, "2026-18", &[&note]);
    let id = copy(&north, "2026-18", &south);
    delivered(&north, &south, &id);
}

/// fault B4
#[test]
fn nothing_is_shared_before_both_have_confirmed() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let south = world.node("south", Reach::Hidden);
    meet(&north, &south);
    let note = world.path("note.txt");
    write(&note, "secret");
    case(&north, "2026-17", &[&note]);
    let refused = north.refused(&["share", "copy", "2026-17", "--partner", &south.id]);
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.hints[0].contains("partner confirm"), "{refused:?}");
    north.call(&["partner", "confirm", &south.id, "--yes"]);
    // It is known there, but not trusted: no contact comes about.
    assert_eq!(
        north.call(&["partner", "show", &south.id])["connected"],
        false
    );
    south.call(&["partner", "confirm", &north.id, "--yes"]);
    contact(&north, &south);
}

/// fault C12
#[test]
fn copy_that_is_not_enabled_there_waits_and_says_so_until_it_is() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let south = world.node("south", Reach::Hidden);
    pair(&north, &south);
    let note = world.path("note.txt");
    write(&note, "unasked");
    case(&north, "2026-17", &[&note]);
    let refused = north.refused(&["share", "copy", "2026-17", "--partner", &south.id]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.hints[0].contains("partner enable"), "{refused:?}");

    north.call(&["partner", "enable", &south.id, "--send", "copy"]);
    let id = copy(&north, "2026-17", &south);
    let doctor = until("the refusal is known", || {
        let doctor = north
            .try_call(&["partner", "doctor", &south.id])
            .unwrap_err();
        doctor
            .reply
            .to_string()
            .contains(&id)
            .then_some(doctor.reply)
    });
    let findings = doctor["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|finding| finding["subject"] == "shares")
        .unwrap();
    assert!(
        found["finding"].as_str().unwrap().contains("enabled"),
        "{found}"
    );
    assert!(
        found["advice"].as_str().unwrap().contains("enable"),
        "{found}"
    );
    assert_eq!(
        south.call(&["case", "list"])["cases"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    let waiting = share(&north, &id);
    assert!(waiting["behind"].as_u64().unwrap() > 0, "{waiting}");

    south.call(&["partner", "enable", &north.id, "--receive", "copy"]);
    delivered(&north, &south, &id);
    let doctor = north.call(&["partner", "doctor", &south.id]);
    assert_eq!(doctor["healthy"], true, "{doctor}");
}
