//! `partner doctor`: it names what is wrong, and says what to do.

use interdocket_tests::node::text;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::wait::until;
use interdocket_tests::world::{contact, meet, pair, take_part};
use interdocket_tests::{Node, Reach, World};
use serde_json::Value;

/// What the doctor finds wrong; every such finding comes with advice.
fn wrong(node: &Node, partner: &Node) -> Vec<Value> {
    let found = match node.try_call(&["partner", "doctor", &partner.id]) {
        Ok(found) => found,
        Err(refused) => refused.reply,
    };
    let findings = found["findings"].as_array().unwrap().clone();
    let wrong: Vec<_> = findings
        .into_iter()
        .filter(|finding| finding["ok"] == false)
        .collect();
    assert_eq!(found["healthy"], wrong.is_empty(), "{found}");
    for finding in &wrong {
        assert!(!text(&finding["advice"]).is_empty(), "{finding}");
    }
    wrong
}

/// Waits until the doctor finds `subject` wrong with these words.
fn finds(node: &Node, partner: &Node, subject: &str, words: &str) {
    let mut last = Vec::new();
    until(&format!("{} finds {subject}: {words}", node.name), || {
        last = wrong(node, partner);
        last.iter()
            .any(|finding| {
                finding["subject"] == subject && text(&finding["finding"]).contains(words)
            })
            .then_some(())
    });
}

#[test]
fn doctor_names_what_keeps_partners_apart() {
    let world = World::new();
    let mut north = world.node("north", Reach::Dialable);
    let south = world.node("south", Reach::Hidden);
    meet(&north, &south);
    finds(&north, &south, "trust", "not confirmed here");
    south.call(&["partner", "confirm", &north.id, "--yes"]);
    finds(&south, &north, "dialling", "");
    north.call(&["partner", "confirm", &south.id, "--yes"]);
    contact(&north, &south);

    finds(&north, &south, "kinds", "nothing may be sent");
    for (node, partner) in [(&north, &south), (&south, &north)] {
        node.call(&[
            "partner",
            "enable",
            &partner.id,
            "--send",
            "copy",
            "--receive",
            "copy",
        ]);
    }
    finds(&north, &south, "features", "this organisation has not");
    take_part(&north);
    finds(&north, &south, "features", "it has not enabled case_share");
    take_part(&south);
    until("all is well", || {
        (wrong(&north, &south).is_empty() && wrong(&south, &north).is_empty()).then_some(())
    });

    north.call(&["partner", "suspend", &south.id]);
    finds(&north, &south, "trust", "suspended here");
    finds(&south, &north, "dialling", "");
    finds(&south, &north, "contact", "no connection");
    north.call(&["partner", "resume", &south.id]);
    contact(&north, &south);

    north.stop();
    finds(&south, &north, "dialling", "");
    finds(&south, &north, "contact", "no connection");
}

/// fault B10
#[test]
fn doctor_shows_a_partner_whose_clock_is_off() {
    if !installed("faketime") {
        return skip("faketime is not installed");
    }
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let mut south = world.make("south", Reach::Hidden);
    south.start();
    pair(&north, &south);
    south.stop();
    south.wrap(&["faketime", "-f", "+20m"]);
    south.start();
    finds(&north, &south, "clock", "seconds");
}
