//! The story under bad weather: ways that are long, narrow, lossy and break, names that lead nowhere or
//! elsewhere, and a disk that is full.

use std::time::Duration;

use interdocket_tests::Site as _;
use interdocket_tests::files::{noise, write};
use interdocket_tests::skip::skip;
use interdocket_tests::wait::until;
use interdocket_tests::world::{case, copy, delivered, enable, pair, share, whole};

use crate::cluster::{Cluster, Container, faketime};
use crate::faults::{behind, cut_off, seed, soon};
use crate::proxy::Weather;
use crate::story;

/// fault E12: delay, loss, a low rate and resets together, on all ways.
#[test]
fn story_is_the_same_on_ways_that_are_long_narrow_lossy_and_break() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (north, south, court) = (&cluster.north, &cluster.south, &cluster.court);
    let weather = Weather {
        delay: Duration::from_millis(40),
        rate: 2_000_000,
        reset: 3_000_000,
    };
    for (from, to) in [(south, north), (court, north), (north, court)] {
        from.through(to, weather);
    }
    for node in [north, south, court] {
        node.lossy();
    }
    story::tell(&cluster);
}

/// fault E12, fault B12
#[test]
fn names_that_lead_nowhere_or_to_another_node_lose_and_tell_nothing() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (north, south, court) = (&cluster.north, &cluster.south, &cluster.court);
    for partner in [south, court] {
        pair(north, partner);
        enable(north, partner);
    }
    // Nobody has the name.
    north.disconnect();
    cut_off(south, north);
    north.connect_as(&[]);
    let first = offered(&cluster, "nowhere", south, north);
    until("the name is looked for in vain", || {
        doctor(south, north)
            .contains("cannot resolve")
            .then_some(())
    });
    behind(south, &first);
    cluster.check().holds();
    // Another node has it.
    court.disconnect();
    court.connect_as(&["court.cluster", "north.cluster"]);
    let second = offered(&cluster, "elsewhere", south, north);
    until("the other node was dialled, and refused", || {
        let said = doctor(south, north);
        said.contains("no trust was established").then_some(())
    });
    behind(south, &second);
    assert!(court.try_call(&["share", "show", &second]).is_err());
    cluster.check().holds();
    // One of two names leads somewhere, and that is enough for both directions.
    for (node, names) in [(court, &[][..]), (north, &["north.cluster"])] {
        node.disconnect();
        node.connect_as(names);
    }
    soon(|| [&first, &second].map(|id| delivered(south, north, id)));
    for (owner, partner) in [(north, court), (court, north)] {
        let number = format!("one-way-{}", owner.name());
        let id = offered(&cluster, &number, owner, partner);
        delivered(owner, partner, &id);
    }
    court.disconnect();
    court.connect();
    cluster.agreed();
}

/// What is found to stand between two nodes.
fn doctor(node: &Container, partner: &Container) -> String {
    let doctor = node.try_call(&["partner", "doctor", partner.id()]);
    doctor.map_or_else(
        |refused| refused.reply.to_string(),
        |reply| reply.to_string(),
    )
}

fn offered(cluster: &Cluster, number: &str, owner: &Container, partner: &Container) -> String {
    let file = cluster.path(number);
    noise(&file, 2, seed(number));
    case(owner, number, &[&file]);
    copy(owner, number, partner)
}

/// fault E3, L9: what does not fit waits, all else goes on, and it goes on by itself once there is space.
#[test]
fn full_volume_holds_back_what_does_not_fit_until_there_is_space() {
    let Some(cluster) = Cluster::start_with(&["small.yml"]) else {
        return;
    };
    let (north, court) = (&cluster.north, &cluster.court);
    pair(north, court);
    enable(north, court);
    let (note, film) = (cluster.path("note.txt"), cluster.path("film.bin"));
    write(&note, "before");
    noise(&film, 160, 8);
    case(north, "2026-17", &[&note]);
    let before = copy(north, "2026-17", court);
    delivered(north, court, &before);
    case(north, "2026-18", &[&film]);
    let large = copy(north, "2026-18", court);
    until("the court has no space for it", || {
        court.log().contains("intake is paused").then_some(())
    });
    assert_ne!(share(north, &large)["status"], "complete");
    cluster.check().holds();
    // What it has is read as before.
    assert_eq!(share(court, &before)["status"], "complete");
    court.space("2g");
    delivered(north, court, &large);
    cluster.agreed();
    whole(court);
}

/// fault B10: a few minutes off change nothing; after a jump nothing that depends on time is done until a person
/// confirms the clock.
#[test]
fn clock_that_is_off_is_shown_and_one_that_jumps_holds_everything_back() {
    if faketime().is_none() {
        return skip("faketime is not installed");
    }
    let Some(cluster) = Cluster::start_with(&["clock.yml"]) else {
        return;
    };
    let (north, court) = (&cluster.north, &cluster.court);
    let set = |off: &str| write(&cluster.path("court.clock"), off);
    set("+240");
    pair(north, court);
    enable(north, court);
    until("the clock is seen to be off", || {
        let said = doctor(north, court);
        (235..=240)
            .any(|off| said.contains(&format!("differs by {off} seconds")))
            .then_some(())
    });
    for (owner, partner) in [(north, court), (court, north)] {
        let number = format!("off-{}", owner.name());
        let id = offered(&cluster, &number, owner, partner);
        delivered(owner, partner, &id);
    }
    cluster.agreed();
    set("+86400");
    until("the court does not trust its clock", || {
        court.call(&["status"])["clock_suspect"]
            .is_string()
            .then_some(())
    });
    let waiting = offered(&cluster, "jumped", north, court);
    behind(north, &waiting);
    cluster.check().holds();
    set("+0");
    court.call(&["confirm-clock"]);
    delivered(north, court, &waiting);
    cluster.agreed();
}
