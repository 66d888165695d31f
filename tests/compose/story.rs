//! The story that `interdocket demo` tells, between nodes in containers.

use interdocket_tests::Site as _;
use interdocket_tests::files::{noise, write};
use interdocket_tests::node::text;
use interdocket_tests::wait::until;
use interdocket_tests::world::{
    add, case, copies, delivered, digests, enable, only, pair, share, whole,
};

use crate::cluster::{Cluster, Container};

/// fault E12
#[test]
fn three_nodes_on_addresses_of_their_own_tell_the_demos_story() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    tell(&cluster);
}

/// Tells it between nodes that do not know each other yet.
pub(crate) fn tell(cluster: &Cluster) {
    let (north, partners) = (&cluster.north, [&cluster.south, &cluster.court]);
    for partner in partners {
        pair(north, partner);
        enable(north, partner);
    }
    let scene = cluster.path("scene");
    write(&scene.join("statement.txt"), "Seen at 02:14.\n");
    noise(&scene.join("quay.jpg"), 8, 1);
    for page in 0..40 {
        write(
            &scene.join(format!("pages/{page}.txt")),
            format!("page {page}\n"),
        );
    }
    case(north, "2026-17", &[&scene]);
    reference(cluster);
    copied(cluster);
    let shares = advanced(cluster);
    cluster.agreed();
    revoked(cluster, &shares);
    cluster.agreed();
    for node in [north, partners[0], partners[1]] {
        whole(node);
    }
}

/// South reads at north until that is revoked; the court is refused, and gets a copy.
fn reference(cluster: &Cluster) {
    let (north, south) = (&cluster.north, &cluster.south);
    let open = |partner: &Container| {
        north.try_call(&[
            "share",
            "reference",
            "2026-17",
            "--partner",
            partner.id(),
            "--days",
            "7",
            "--recipient",
            "administrator",
        ])
    };
    let refused = open(&cluster.court).unwrap_err();
    assert!(refused.hints.concat().contains("copy"), "{refused:?}");
    let id = only(&open(south).unwrap());
    until("south reads what is at north", || {
        let seen = south.try_call(&["external", "show", &id]).ok()?;
        (seen["items"].as_array()?.len() == 42).then_some(())
    });
    north.call(&["share", "revoke", &id, "--wait"]);
    assert!(
        south
            .try_call(&["external", "show", &id])
            .map_or(true, |seen| {
                seen["items"].as_array().is_none_or(Vec::is_empty)
            })
    );
    until("it is known that nothing was kept", || {
        (share(north, &id)["revocation"]["state"] == "purged").then_some(())
    });
}

/// Both partners get copies of the case, as one set, and of what is added to it.
fn copied(cluster: &Cluster) {
    let (north, partners) = (&cluster.north, [&cluster.south, &cluster.court]);
    let shares = copies(north, "2026-17", partners);
    for (partner, id) in partners.iter().zip(&shares) {
        delivered(north, partner, id);
    }
    cluster.agreed();
    let result = cluster.path("result.txt");
    write(&result, "Traces of accelerant in sample 3.\n");
    add(north, "2026-17", &[&result]);
    for (partner, id) in partners.iter().zip(&shares) {
        north.call(&["share", "add", id, "--wait"]);
        let share = delivered(north, partner, id);
        assert_eq!(share["stored"]["files"], 43, "{share}");
    }
    cluster.agreed();
}

/// South follows a folder of the case, the court all of it, which it imports by itself: new evidence goes
/// where it should and not where it should not.
fn advanced(cluster: &Cluster) -> [String; 2] {
    let (north, south, court) = (&cluster.north, &cluster.south, &cluster.court);
    for (partner, import) in [(south, None), (court, Some("--import"))] {
        let policy = ["partner", "policy", partner.id(), "--mode", "synchronised"];
        let words: Vec<&str> = policy
            .into_iter()
            .chain(["--download"])
            .chain(import)
            .collect();
        north.call(&words);
    }
    let lab = cluster.path("lab");
    write(&lab.join("sample.txt"), "Sample 3, from the stern.\n");
    add(north, "2026-17", &[&lab]);
    let follow = |partner: &Container, folder: &[&str]| {
        let offer = ["share", "advanced", "2026-17", "--partner", partner.id()];
        let people = ["--recipient", "administrator", "--wait"];
        only(&north.call(&[&offer[..], folder, &people].concat()))
    };
    let shares = [follow(south, &["--folder", "lab"]), follow(court, &[])];
    let come = |at_south: u64, at_court: u64| {
        until("each has what is shared with it", || {
            let [there, imported] = shares.each_ref().map(|id| share(north, id));
            let sealed = there["stored"]["files"] == at_south && there["behind"] == 0;
            let own = imported["imported"]["files"] == at_court && imported["behind"] == 0;
            (sealed && own).then_some(())
        });
    };
    come(1, 44);
    let notes = cluster.path("notes");
    write(&notes.join("tip.txt"), "A caller saw a second boat.\n");
    let again = cluster.path("again").join("lab");
    write(&again.join("result-2.txt"), "The same in sample 4.\n");
    add(north, "2026-17", &[&notes, &again]);
    come(2, 46);
    let seen = south.call(&["external", "show", &shares[0]]);
    let seen: Vec<String> = seen["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| text(&item["title"]))
        .collect();
    assert!(!seen.contains(&"tip.txt".to_owned()), "{seen:?}");
    assert_eq!(share(south, &shares[0])["listed"]["files"], 2);
    shares
}

/// North revokes both while south is cut off: nothing is claimed of it until it is back. What the court has
/// imported stays.
fn revoked(cluster: &Cluster, shares: &[String; 2]) {
    let (north, south, court) = (&cluster.north, &cluster.south, &cluster.court);
    let state = |id: &String| share(north, id)["revocation"]["state"].clone();
    south.disconnect();
    for id in shares {
        north.call(&["share", "revoke", id]);
    }
    until("the court has purged what was not its own", || {
        (state(&shares[1]) == "purged").then_some(())
    });
    assert_eq!(state(&shares[0]), "unknown");
    south.connect();
    until("south has purged all of it", || {
        (state(&shares[0]) == "purged").then_some(())
    });
    let gone = south.try_call(&["external", "show", &shares[0]]);
    assert!(gone.map_or(true, |seen| {
        seen["items"].as_array().is_none_or(Vec::is_empty)
    }));
    let case = text(&share(court, &shares[1])["case"]);
    assert_eq!(digests(court, &case).len(), 46);
}
