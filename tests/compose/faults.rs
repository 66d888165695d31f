//! Faults between nodes and at nodes, and what the outside checker finds during and after them.

use std::time::{Duration, Instant};

use interdocket_tests::Site;
use interdocket_tests::files::{noise, write};
use interdocket_tests::wait::until;
use interdocket_tests::world::{
    add, case, copies, copy, delivered, enable, only, pair, share, whole,
};
use serde_json::json;

use crate::cluster::{Cluster, Container};

/// Waits until a node knows that a partner is out of reach.
pub(crate) fn cut_off(node: &Container, partner: &Container) {
    until("there is no contact", || {
        let shown = node.call(&["partner", "show", partner.id()]);
        (shown["connected"] == false).then_some(())
    });
}

pub(crate) fn behind(node: &Container, id: &str) {
    let shown = share(node, id);
    assert!(shown["behind"].as_u64().unwrap() > 0, "{shown}");
    assert!(shown["behind_since"].is_string(), "{shown}");
}

/// Does what goes on by itself once a cut is healed, and sees that it did so soon.
pub(crate) fn soon<T>(watch: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let seen = watch();
    let took = begun.elapsed();
    assert!(took < SOON, "it took {took:?}");
    seen
}

/// A seed of its own for each number, so that no file is sent for another.
pub(crate) fn seed(number: &str) -> u64 {
    number
        .bytes()
        .fold(7, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte))
}

/// fault E12, OE-41
#[test]
fn what_waits_for_a_node_that_is_cut_off_arrives_when_it_is_back() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (north, south, court) = (&cluster.north, &cluster.south, &cluster.court);
    for partner in [south, court] {
        pair(north, partner);
        enable(north, partner);
    }
    let (first, second) = (cluster.path("first.txt"), cluster.path("second.bin"));
    write(&first, "before");
    noise(&second, 4, 2);
    case(north, "2026-17", &[&first]);
    let [there, away] = copies(north, "2026-17", [south, court]);
    delivered(north, south, &there);
    delivered(north, court, &away);

    court.disconnect();
    add(north, "2026-17", &[&second]);
    for id in [&there, &away] {
        north.call(&["share", "add", id]);
    }
    delivered(north, south, &there);
    // A set that is made meanwhile is with the one partner at once.
    let [now, later] = copies(north, "2026-17", [south, court]);
    delivered(north, south, &now);
    cut_off(north, court);
    behind(north, &away);
    behind(north, &later);
    // The checker asks the court all the same: it says what it knew.
    let verdict = cluster.check();
    verdict.holds();
    assert!(!verdict.waiting.is_empty(), "the court does not know yet");
    for waits in &verdict.waiting {
        let its = [&away, &later].iter().any(|id| waits.starts_with(*id));
        assert!(its, "only its shares wait: {waits}");
    }

    court.connect();
    soon(|| [&away, &later].map(|id| delivered(north, court, id)));
    cluster.agreed();
}

/// fault E12
#[test]
fn cut_of_one_direction_loses_nothing_and_makes_nobody_claim_too_much() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (north, court) = (&cluster.north, &cluster.court);
    pair(north, court);
    enable(north, court);
    for (number, (deaf, heard)) in [(north, court), (court, north)].into_iter().enumerate() {
        deaf.deaf_to(heard);
        let mut shares = Vec::new();
        for (owner, partner) in [(deaf, heard), (heard, deaf)] {
            let number = format!("{number}-{}", owner.name());
            let file = cluster.path(&number);
            noise(&file, 2, seed(&number));
            case(owner, &number, &[&file]);
            shares.push((owner, partner, copy(owner, &number, partner)));
        }
        for (owner, partner, id) in &shares {
            cut_off(owner, partner);
            behind(owner, id);
        }
        cluster.check().holds();
        deaf.hears();
        soon(|| {
            for (owner, partner, id) in &shares {
                delivered(owner, partner, id);
            }
        });
        cluster.agreed();
    }
}

/// fault A4, AO-42
#[test]
fn revocation_counts_at_once_and_reaches_a_partner_that_was_cut_off() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (north, south) = (&cluster.north, &cluster.south);
    pair(north, south);
    for (owner, partner) in [(north, south), (south, north)] {
        let partner = format!("/v0/partners/{}", partner.id());
        let enabled = json!({"send": ["advanced"], "receive": ["advanced"]});
        owner.post(&format!("{partner}/enable"), &enabled);
        owner.post(
            &format!("{partner}/policy"),
            &json!({"mode": "synchronised"}),
        );
    }
    let film = cluster.path("film.bin");
    noise(&film, 2, 6);
    case(north, "2026-17", &[&film]);
    let people = json!({"partner": south.id(), "recipients": ["administrator"]});
    let offer = json!({"case": "2026-17", "to": [people]});
    let id = only(&north.post("/v0/shares/advanced", &offer));
    until("it can be used, and nothing is on its way", || {
        let shown = share(north, &id);
        (shown["status"] == "active" && shown["stored"] == shown["listed"]).then_some(())
    });
    cluster.agreed();

    south.disconnect();
    north.post(&format!("/v0/shares/{id}/revoke"), &json!({}));
    let late = cluster.path("late.txt");
    write(&late, "nobody there sees this");
    add(north, "2026-17", &[&late]);
    cut_off(north, south);
    let shown = share(north, &id);
    assert_eq!(shown["status"], "revoked");
    assert_eq!(
        shown["revocation"]["state"], "unknown",
        "no more is claimed"
    );
    let verdict = cluster.check();
    verdict.holds();
    assert!(!verdict.waiting.is_empty(), "the partner does not know yet");

    south.connect();
    south.undialable();
    soon(|| {
        until("the partner has erased what it had, and says so", || {
            let shown = share(north, &id);
            (shown["revocation"]["state"] == "purged").then_some(())
        });
    });
    cluster.agreed();
    let there = share(south, &id);
    assert_eq!(there["status"], "revoked");
    assert_eq!(
        there["listed"]["files"], 1,
        "nothing came after it: {there}"
    );
    whole(south);
}

/// fault E1
#[test]
fn killed_nodes_go_on_where_they_were() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (north, court) = (&cluster.north, &cluster.court);
    pair(north, court);
    enable(north, court);
    for (number, victim) in [("K-1", court), ("K-2", north)] {
        let film = cluster.path(number);
        noise(&film, 96, seed(number));
        let small = cluster.path(&format!("{number}-small"));
        for file in 0..100 {
            write(
                &small.join(format!("{file}.txt")),
                format!("{number} {file}\n"),
            );
        }
        case(north, number, &[&film, &small]);
        north.slow(true);
        let id = copy(north, number, court);
        until("the court knows of it", || {
            court.try_call(&["share", "show", &id]).ok()
        });
        let under_way = share(north, &id);
        assert_eq!(under_way["status"], "processing", "{under_way}");
        victim.kill();
        victim.start();
        if victim.id() != north.id() {
            north.slow(false);
        }
        delivered(north, court, &id);
        cluster.check().holds();
    }
    cluster.agreed();
    whole(north);
    whole(court);
}

/// fault E12
#[test]
fn node_that_nobody_can_dial_sends_and_receives_also_after_a_cut() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (south, court) = (&cluster.south, &cluster.court);
    pair(court, south);
    enable(court, south);
    both_ways(&cluster, "before", south, court);
    south.disconnect();
    cut_off(court, south);
    cut_off(south, court);
    south.connect();
    south.undialable();
    soon(|| both_ways(&cluster, "after", south, court));
    cluster.agreed();
}

fn both_ways(cluster: &Cluster, when: &str, one: &Container, other: &Container) {
    for (owner, partner) in [(one, other), (other, one)] {
        let number = format!("{when}-{}", owner.name());
        let file = cluster.path(&number);
        noise(&file, 3, seed(&number));
        case(owner, &number, &[&file]);
        let id = copy(owner, &number, partner);
        delivered(owner, partner, &id);
    }
}

/// Within what time of a cut's end what waited has to be through: dialling is tried at most 15 seconds apart,
/// and the machine may be busy.
const SOON: Duration = Duration::from_secs(30);
