//! Connections that are up when trust in them ends.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use interdocket_node::federation::tls;
use interdocket_tests::wait::until;
use interdocket_tests::world::contact;

use crate::field::Field;
use crate::frame::{DATA, END_HEADERS, END_STREAM, HEADERS, call, frame, message};
use crate::liar::{Liar, Line};

/// Opens a connection and a call on it that would go on for ever.
fn watching(liar: &Liar) -> Line {
    let mut line = liar.dial(tls::FORWARD).unwrap();
    let watch = frame(
        HEADERS,
        END_HEADERS,
        1,
        &call("/grpc.health.v1.Health/Watch", &[]),
    );
    let all = frame(DATA, END_STREAM, 1, &message(0, false, &[]));
    line.greet(true).unwrap();
    line.send(&[watch, all].concat()).unwrap();
    let begun = Instant::now();
    while !line.frames.iter().any(|frame| frame.0 == DATA) {
        line.linger(Duration::from_millis(10)).unwrap();
        assert!(begun.elapsed() < LONG, "the call is answered");
    }
    line
}

/// Waits until a connection ends, and says how long that took.
fn ends(line: &mut Line) -> Duration {
    let begun = Instant::now();
    line.linger(LONG).unwrap_err();
    begun.elapsed()
}

/// fault B6
#[test]
fn certificate_that_expires_ends_its_connection_and_the_calls_on_it() {
    let field = Field::new();
    let rest = TimeDelta::seconds(5);
    let issued = Utc::now() - TimeDelta::days(7) + rest;
    let liar = Liar::of(&field.south, &field.north, issued);
    let mut line = watching(&liar);
    let left = (issued + TimeDelta::days(7) - Utc::now()).to_std().unwrap();
    line.linger(left.saturating_sub(Duration::from_secs(1)))
        .unwrap();
    let took = ends(&mut line);
    println!("an expired certificate ended its connection {took:?} after a second before its end");
    assert!(took < Duration::from_secs(60));
    let again = liar.dial(tls::FORWARD).and_then(|mut line| {
        line.greet(true)?;
        line.linger(LONG)
    });
    again.unwrap_err();
}

/// fault B6, fault A3
#[test]
fn suspension_ends_all_connections_of_a_partner_and_no_others_within_a_second() {
    let field = Field::new();
    let liar = field.liar();
    let mut lines: Vec<_> = (0..4).map(|_| watching(&liar)).collect();
    field.north.call(&["partner", "suspend", &field.south.id]);
    for line in &mut lines {
        let took = ends(line);
        println!("a suspension ended a connection after {took:?}");
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    let shown = field.north.call(&["partner", "show", &field.harbour.id]);
    assert_eq!(shown["connected"], true, "{shown}");
}

/// fault B7: who has stolen keys from before a hand-over is let in as long as nobody knows of it, and not again after
/// the partner was seen under its new root, in whatever order both nodes start.
#[test]
fn keys_from_before_a_hand_over_let_nobody_in_once_the_new_root_was_seen() {
    let mut field = Field::new();
    let thief = field.liar();
    let mut line = watching(&thief);
    let [old, new] = [
        field.south.data.join("keys/root.key"),
        field.world.path("new.key"),
    ];
    let [from, to] = [&old, &new].map(|path| path.to_str().unwrap());
    field
        .south
        .call(&["root", "hand-over", "--from", from, "--to", to]);
    field.south.start();
    contact(&field.north, &field.south);
    until("it is on record", || {
        let shown = field.north.call(&["audit", "show", "--limit", "1000"]);
        shown
            .to_string()
            .contains("root of a partner handed over")
            .then_some(())
    });
    ends(&mut line);
    let refused = || {
        let again = thief.dial(tls::FORWARD).and_then(|mut line| {
            line.greet(true)?;
            line.linger(LONG)
        });
        again.unwrap_err();
    };
    refused();
    field.north.stop();
    field.north.start();
    refused();
    field.deliver();
    contact(&field.north, &field.south);
}

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
