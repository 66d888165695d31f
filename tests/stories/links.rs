//! Somebody without an account downloads a case by a link, over HTTPS, until it is revoked.

use std::fs;
use std::path::Path;
use std::process::Command;

use interdocket_tests::files::write;
use interdocket_tests::node::text;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::world::{case, take_part};
use interdocket_tests::{Node, Reach, World};

use crate::secrets::loud;
use crate::signin::files;

/// Asks as anybody can; gives the status.
fn curl(root: &Path, url: &str, to: &Path, more: &[&str]) -> String {
    let ran = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60"])
        .args([
            "--write-out",
            "%{http_code}",
            "--header",
            "Host: evil.example",
        ])
        .arg("--cacert")
        .arg(root)
        .arg("--output")
        .arg(to)
        .args(more)
        .arg(url)
        .output()
        .expect("curl can be started");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8(ran.stdout).unwrap()
}

/// AE-051, AE-053, AE-057, AE-058, faults D10, D12, E21: and what opens it is in no log and in no file of the node.
#[test]
fn anybody_downloads_a_case_by_its_link_until_it_is_revoked() {
    if !installed("curl") {
        return skip("curl is not installed");
    }
    let world = World::new();
    let mut north = loud(&world, "north", Reach::Dialable);
    take_part(&north);
    let (long, words) = (vec![7; 3 << 20], b"words of a witness".to_vec());
    let paths = [world.path("tape.mp4"), world.path("statement.txt")];
    write(&paths[0], &long);
    write(&paths[1], &words);
    case(&north, "2026-17", &[&paths[0], &paths[1]]);
    let made = north.call(&["link", "create", "2026-17", "--days", "14"]);
    let url = text(&made["url"]);
    assert!(
        url.starts_with(&format!("https://{}/links/", north.api)),
        "{url}"
    );

    let root = north.data.join("keys/root.pem");
    let (whole, part) = (world.path("whole.zip"), world.path("part.zip"));
    assert_eq!(curl(&root, &url, &whole, &[]), "200");
    let zip = fs::read(&whole).unwrap();
    for bytes in [&long[..], &words, b"manifest.json"] {
        assert!(zip.windows(bytes.len()).any(|window| window == bytes));
    }
    let middle = zip.len() / 2;
    fs::write(&part, &zip[..middle]).unwrap();
    let rest = ["--continue-at", "-"];
    assert_eq!(curl(&root, &url, &part, &rest), "206");
    assert!(
        fs::read(&part).unwrap() == zip,
        "it goes on where it broke off"
    );

    let listed = &north.call(&["link", "list", "2026-17"])["links"][0];
    assert_eq!(
        (&listed["state"], &listed["downloads"]),
        (&"ready".into(), &2.into())
    );
    north.call(&["link", "revoke", &text(&made["link"]["id"])]);
    assert_eq!(curl(&root, &url, &part, &[]), "410");
    let revoked = fs::read(&part).unwrap();
    let wrong = format!("{}x", &url[..url.len() - 1]);
    assert_eq!(curl(&root, &wrong, &part, &[]), "410");
    assert_eq!(fs::read(&part).unwrap(), revoked, "one answer for both");
    let audit = north
        .call(&["audit", "show", "--about", "2026-17"])
        .to_string();
    for event in [
        "download link made",
        "download begun",
        "download ended",
        "download link revoked",
        "127.0.0.1",
    ] {
        assert!(audit.contains(event), "{event}: {audit}");
    }
    let bytes = format!("\"bytes\":{}", zip.len());
    assert!(
        audit.contains(&bytes) && audit.matches("\"complete\"").count() == 2,
        "{audit}"
    );
    north.stop();
    let (_, token) = url.rsplit_once('/').unwrap();
    is_nowhere(&north, token);
}

/// A stopped node that logs all it can has nothing of this in its log, nor in any file.
fn is_nowhere(node: &Node, secret: &str) {
    let log = node.log();
    assert!(log.contains("TRACE") && !log.contains(secret));
    for path in files(&node.data) {
        let bytes = fs::read(&path).unwrap();
        let mut windows = bytes.windows(secret.len());
        let found = windows.any(|window| window == secret.as_bytes());
        assert!(!found, "what opens a link is in {}", path.display());
    }
}
