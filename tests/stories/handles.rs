//! A node with few file handles, and callers who take them all.

use std::net::TcpStream;

use interdocket_tests::files::{noise, write};
use interdocket_tests::wait::until;
use interdocket_tests::world::{case, copy, delivered, enable, pair, whole};
use interdocket_tests::{Reach, World};

/// What a node has that does its work.
const HANDLES: usize = 128;

/// fault E16: what nobody can be given is refused to whoever comes last; the node goes on by itself.
#[test]
fn node_whose_handles_are_all_taken_goes_on_when_they_are_given_back() {
    let world = World::new();
    let mut north = world.make("north", Reach::Dialable);
    let limit = format!("--nofile={HANDLES}:{HANDLES}");
    north.wrap(&["prlimit", &limit]);
    north.start();
    let south = world.node("south", Reach::Hidden);
    pair(&north, &south);
    enable(&north, &south);
    let film = world.path("film.bin");
    noise(&film, 64, 1);
    case(&south, "2026-17", &[&film]);
    let arriving = copy(&south, "2026-17", &north);
    let held: Vec<TcpStream> = (0..2 * HANDLES)
        .filter_map(|_| TcpStream::connect(north.api).ok())
        .collect();
    assert!(held.len() > HANDLES, "the machine takes them");
    until("there are none left", || {
        north.log().contains("Too many open files").then_some(())
    });
    drop(held);
    delivered(&south, &north, &arriving);
    write(&world.path("note.txt"), b"after the siege");
    case(&north, "2026-18", &[&world.path("note.txt")]);
    let share = copy(&north, "2026-18", &south);
    delivered(&north, &south, &share);
    whole(&north);
    whole(&south);
}
