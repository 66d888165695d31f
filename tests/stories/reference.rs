//! A reference between two running nodes: one person reads what stays at its owner, until that ends.

use std::fs;
use std::path::Path;
use std::process::Command;

use interdocket_tests::files::write;
use interdocket_tests::node::text;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::wait::until;
use interdocket_tests::world::{add, case, contact, only};
use interdocket_tests::{Node, World};
use serde_json::Value;

/// What is in the files, and nowhere at the partner.
const CANARY: &str = "the canary sings at the harbour at midnight";

/// Calls the API with curl as the holder of a token; gives the status and the body.
fn curl(node: &Node, token: &str, path: &str) -> (u16, Vec<u8>) {
    let ran = Command::new("curl")
        .args(["--silent", "--show-error", "--write-out", "\n%{http_code}"])
        .arg("--cacert")
        .arg(node.data.join("keys/root.pem"))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .arg(format!("https://{}{path}", node.api))
        .output()
        .unwrap();
    let at = ran.stdout.iter().rposition(|byte| *byte == b'\n').unwrap();
    let status = String::from_utf8_lossy(&ran.stdout[at + 1..]);
    (status.parse().unwrap(), ran.stdout[..at].to_vec())
}

fn json(node: &Node, token: &str, path: &str) -> (u16, Value) {
    let (status, body) = curl(node, token, path);
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn token(node: &Node, name: &str) -> String {
    node.call(&["user", "add", name, "--role", "investigator"]);
    text(&node.call(&["token", "add", name])["token"])
}

/// Whether any file below a folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let read = fs::read(&path).unwrap_or_default();
        read.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// AE-020, AE-021, AE-024, AE-025, AE-026, AE-029, AE-032, AE-034
#[test]
fn reference_is_read_by_its_recipient_and_leaves_nothing_at_the_partner() {
    if !installed("curl") {
        return skip("curl is not installed");
    }
    let world = World::new();
    let (north, mut south) = world.pair();
    contact(&north, &south);
    let (kim, robin) = (token(&south, "Kim"), token(&south, "Robin"));
    let files = world.path("files");
    let long = CANARY.repeat(20_000);
    write(&files.join("statement.txt"), &long);
    case(&north, "2026-17", &[&files]);
    let share = open(&north, &south);

    let (status, page) = json(&south, &kim, "/v0/external");
    assert_eq!(
        (status, &page["external"][0]["share"]),
        (200, &Value::from(share.as_str()))
    );
    let place = format!("/v0/external/{share}");
    let (status, shown) = json(&south, &kim, &place);
    assert_eq!(status, 200, "{shown}");
    assert_eq!(shown["items"][0]["title"], "statement.txt");
    let evidence = text(&shown["items"][0]["evidence"]);
    let file = format!("{place}/evidence/{evidence}/files/0");
    let (status, body) = curl(&south, &kim, &format!("{file}?download=true"));
    assert!((status, body.as_slice()) == (200, long.as_bytes()));
    let (status, body) = curl(&south, &kim, &format!("{file}?from=100000&to=100100"));
    assert!((status, body.as_slice()) == (200, &long.as_bytes()[100_000..100_100]));
    // The same at the command line, for the administrator, who is named as well.
    let output = world.path("there.txt");
    south.call(&[
        "external",
        "get",
        &share,
        &evidence,
        "--output",
        &output.display().to_string(),
    ]);
    assert!(fs::read(&output).unwrap() == long.as_bytes());

    let (status, refused) = json(&south, &robin, &place);
    assert_eq!(status, 403, "{refused}");
    assert_eq!(json(&south, &robin, &file).0, 403);
    assert_eq!(
        json(&south, &robin, "/v0/external").1["external"],
        Value::Array(Vec::new())
    );

    let more = world.path("more.txt");
    write(&more, CANARY);
    add(&north, "2026-17", &[&more]);
    let (_, shown) = json(&south, &kim, &place);
    assert_eq!(shown["items"][1]["title"], "more.txt", "{shown}");

    assert_eq!(
        south.call(&["case", "list"])["cases"],
        Value::Array(Vec::new())
    );
    let revoked = north.call(&["share", "revoke", &share, "--wait"]);
    let known = &revoked["revocation"]["state"];
    assert!(known == "received" || known == "purged", "{revoked}");
    assert_eq!(json(&south, &kim, &file).0, 409);
    closed(&north, &share);
    south.stop();
    let name: &[u8] = b"statement.txt";
    for trace in [&CANARY.as_bytes()[..24], name] {
        assert!(!holds(&south.data, trace), "nothing was kept");
    }
}

/// Waits until every session that was opened is on record as closed.
fn closed(owner: &Node, share: &str) {
    until("every session is closed on record", || {
        let audit = owner.call(&["audit", "show", "--about", share]);
        let records = audit["records"].as_array().unwrap().clone();
        let count = |name: &str| {
            let named = records.iter().filter(|record| record["event"] == name);
            named.count()
        };
        let opened = count("read session opened");
        (opened >= 6 && opened == count("read session closed")).then_some(())
    });
}

/// Opens the case to Kim and to the administrator at the partner, and gives the share's id.
fn open(owner: &Node, partner: &Node) -> String {
    let shared = owner.call(&[
        "share",
        "reference",
        "2026-17",
        "--partner",
        &partner.id,
        "--days=14",
        "--recipient=Kim",
        "--recipient=administrator",
        "--wait",
    ]);
    only(&shared)
}
