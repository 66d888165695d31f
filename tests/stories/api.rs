//! The API over HTTPS: tokens, roles, and its own description.

use std::process::Command;

use interdocket_tests::node::text;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::{Node, Reach, World};
use serde_json::Value;

/// Calls the API with curl, which trusts the organisation's root and nothing else.
fn curl(node: &Node, token: Option<&str>, path: &str, body: Option<&str>) -> (u16, Value) {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--write-out",
        "\n%{http_code}",
        "--cacert",
    ])
    .arg(node.data.join("keys/root.pem"));
    if let Some(token) = token {
        curl.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    if let Some(body) = body {
        curl.args(["--header", "Content-Type: application/json", "--data", body]);
    }
    let ran = curl
        .arg(format!("https://{}{path}", node.api))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let answer = String::from_utf8(ran.stdout).unwrap();
    let (json, status) = answer.rsplit_once('\n').unwrap();
    (
        status.parse().unwrap(),
        serde_json::from_str(json).unwrap_or_default(),
    )
}

fn token(node: &Node, name: &str, role: &str) -> String {
    node.call(&["user", "add", name, "--role", role]);
    text(&node.call(&["user", "token", name])["token"])
}

/// fault A11
#[test]
fn tokens_open_what_their_role_allows_and_nothing_else() {
    if !installed("curl") {
        return skip("curl is not installed");
    }
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let auditor = token(&north, "Kim", "auditor");
    let investigator = token(&north, "Robin", "investigator");
    let create = Some(r#"{"number":"2026-17","title":"Fire"}"#);

    let (status, none) = curl(&north, None, "/v0/cases", None);
    assert_eq!(status, 401, "{none}");
    for wrong in ["x", "", &auditor[1..]] {
        assert_eq!(
            curl(&north, Some(wrong), "/v0/cases", None),
            (401, none.clone())
        );
        assert_eq!(
            curl(&north, Some(wrong), "/v0/nothing", None),
            (401, none.clone())
        );
    }
    assert_eq!(curl(&north, Some(&auditor), "/v0/cases", create).0, 403);
    assert_eq!(curl(&north, Some(&auditor), "/v0/cases", None).0, 200);
    let (status, made) = curl(&north, Some(&investigator), "/v0/cases", create);
    assert_eq!(status, 200, "{made}");
    assert_eq!(curl(&north, Some(&investigator), "/v0/audit", None).0, 403);
    let (status, audit) = curl(&north, Some(&auditor), "/v0/audit", None);
    assert_eq!(status, 200);
    let audit = audit.to_string();
    assert!(audit.contains("Robin"), "who did it is on record: {audit}");
    assert!(
        !audit.contains(&auditor) && !north.log().contains(&auditor),
        "a token is no record"
    );
    let body = r#"{"case":"2026-17","path":"/etc/hostname"}"#;
    let (status, error) = curl(
        &north,
        Some(&investigator),
        "/v0/cases/2026-17/evidence",
        Some(&body.replace("\"case\":\"2026-17\",", "")),
    );
    assert_eq!(
        status, 403,
        "no path on the node's machine from afar: {error}"
    );
}

#[test]
fn api_describes_itself_to_everybody() {
    if !installed("curl") {
        return skip("curl is not installed");
    }
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let (status, document) = curl(&north, None, "/openapi.json", None);
    assert_eq!(status, 200);
    assert!(text(&document["openapi"]).starts_with("3."), "{document}");
    assert!(document["paths"]["/v0/shares"].is_object(), "{document}");
    assert_eq!(curl(&north, None, "/ready", None).0, 200);
}
