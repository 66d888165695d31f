//! Somebody enrols and signs in over HTTPS, as docs/sign-in.md has it; and where nothing of that may show.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE32_NOPAD;
use interdocket_node::signin::totp;
use interdocket_tests::https;
use interdocket_tests::node::text;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::{Node, Reach, World};
use serde_json::{Value, json};

use crate::secrets::loud;

pub(crate) const PASSWORD: &str = "nine quiet herons at dusk";

pub(crate) fn curl(
    node: &Node,
    secret: Option<&str>,
    path: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let root = node.data.join("keys/root.pem");
    let body = body.map(ToString::to_string);
    https::call(&root, node.api, secret, path, body.as_deref()).unwrap()
}

pub(crate) fn done(answer: (u16, Value)) -> Value {
    assert_eq!(answer.0, 200, "{}", answer.1);
    answer.1
}

/// What an authenticator shows so many steps from now.
pub(crate) fn code(key: &str, later: u64) -> String {
    let key = BASE32_NOPAD.decode(key.as_bytes()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    totp::code(&key, now.as_secs() / 30 + later)
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let below = entries.flat_map(|entry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => files(&entry.path()),
        kind if kind.is_file() => vec![entry.path()],
        _ => Vec::new(),
    });
    below.collect()
}

/// fault E21: and nothing of it is in a log or open on the disk, whatever the level.
#[test]
fn somebody_enrols_and_signs_in_and_no_secret_of_theirs_shows() {
    if !installed("curl") {
        return skip("curl is not installed");
    }
    let world = World::new();
    let mut north = loud(&world, "north", Reach::Dialable);
    north.call(&["user", "add", "Kim", "--role", "investigator"]);
    let enrolment = text(&north.call(&["user", "enrol", "Kim"])["code"]);
    let banner = done(curl(&north, None, "/v0/banner", None));
    assert!(text(&banner["text"]).contains("monitored"));

    let sign_in = |node: &Node, password: &str, code: &str| {
        let body = json!({ "user": "Kim", "password": password, "code": code });
        curl(node, None, "/v0/sign-in", Some(&body))
    };
    let enrolling = text(&done(sign_in(&north, &enrolment, ""))["secret"]);
    assert_eq!(curl(&north, Some(&enrolling), "/v0/cases", None).0, 403);
    let body = json!({ "password": PASSWORD });
    let shown = done(curl(&north, Some(&enrolling), "/v0/enrolment", Some(&body)));
    let key = text(&shown["key"]);
    let body = json!({ "code": code(&key, 0) });
    let place = "/v0/enrolment/confirm";
    let recovery = done(curl(&north, Some(&enrolling), place, Some(&body)));
    let recovery = text(&recovery["codes"][0]);
    assert_eq!(curl(&north, Some(&enrolling), "/v0/cases", None).0, 200);

    let session = text(&done(sign_in(&north, PASSWORD, &code(&key, 1)))["secret"]);
    let body = json!({ "number": "2026-17" });
    let made = done(curl(&north, Some(&session), "/v0/cases", Some(&body)));
    assert_eq!(made["created_by"], "Kim");
    done(curl(
        &north,
        Some(&session),
        "/v0/sign-out",
        Some(&json!({})),
    ));
    assert_eq!(curl(&north, Some(&session), "/v0/cases", None).0, 401);

    for _ in 0..5 {
        assert_eq!(sign_in(&north, "wrong", "000000").0, 403);
    }
    assert_eq!(sign_in(&north, PASSWORD, &recovery).0, 403);
    north.stop();
    north.start();
    assert_eq!(curl(&north, Some(&enrolling), "/v0/cases", None).0, 401);
    assert_eq!(sign_in(&north, PASSWORD, &recovery).0, 403, "still locked");
    north.call(&["user", "unlock", "Kim"]);
    let last = text(&done(sign_in(&north, PASSWORD, &recovery))["secret"]);
    north.stop();

    let raw = BASE32_NOPAD.decode(key.as_bytes()).unwrap();
    let secrets: [(&str, &[u8]); 7] = [
        ("a code for enrolling", enrolment.as_bytes()),
        ("a password", PASSWORD.as_bytes()),
        ("what is kept of a password", b"$argon2id$"),
        ("an authenticator's key", key.as_bytes()),
        ("an authenticator's key", &raw),
        ("a recovery code", recovery.as_bytes()),
        ("the secret of a session", last.as_bytes()),
    ];
    let mut places: Vec<(String, Vec<u8>)> = files(&north.data)
        .into_iter()
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    assert!(places.len() > 5, "the node's files are looked at");
    places.push(("the log".to_owned(), north.log().into_bytes()));
    for (place, bytes) in &places {
        for (what, secret) in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{what} in {place}");
        }
    }
}
