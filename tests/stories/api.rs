//! The API over HTTPS: tokens, roles, and its own description.

use interdocket_tests::https;
use interdocket_tests::node::text;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::{Node, Reach, World};
use serde_json::Value;

fn curl(node: &Node, token: Option<&str>, path: &str, body: Option<&str>) -> (u16, Value) {
    let root = node.data.join("keys/root.pem");
    https::call(&root, node.api, token, path, body).unwrap()
}

fn token(node: &Node, name: &str, role: &str) -> String {
    node.call(&["user", "add", name, "--role", role]);
    text(&node.call(&["token", "add", name])["token"])
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
