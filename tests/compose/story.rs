//! The story that `interdocket demo` tells, between nodes in containers.

use interdocket_tests::Site as _;
use interdocket_tests::files::{noise, write};
use interdocket_tests::world::{add, case, copy, delivered, enable, pair, whole};

use crate::cluster::Cluster;

/// fault E12
#[test]
fn three_nodes_on_addresses_of_their_own_tell_the_demos_story() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
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
    let shares = partners.map(|partner| copy(north, "2026-17", partner));
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
    for node in [north, partners[0], partners[1]] {
        whole(node);
    }
}
