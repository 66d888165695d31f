//! A guest, who has no node, reads over HTTPS what was disclosed to them, as docs/sign-in.md has it, and nothing else.

use std::fs;

use interdocket_tests::node::text;
use interdocket_tests::skip::{installed, skip};
use interdocket_tests::{Reach, World};
use serde_json::{Value, json};

use crate::signin::{PASSWORD, code, curl, done};

/// AJ-17
#[test]
fn guest_signs_in_reads_what_was_disclosed_and_is_stopped_at_once() {
    if !installed("curl") {
        return skip("curl is not installed");
    }
    let world = World::new();
    let court = world.node("court", Reach::Dialable);
    court.call(&["case", "create", "2026-17"]);
    for (name, said) in [
        ("open.json", "for the defence"),
        ("closed.json", "not for them"),
    ] {
        let path = court.data.join(name);
        fs::write(&path, json!({ "said": said }).to_string()).unwrap();
        court.call(&["evidence", "add", "2026-17", path.to_str().unwrap()]);
    }
    let items = court.call(&["evidence", "list", "2026-17"]);
    let id = |place: usize| text(&items["evidence"][place]["id"]);
    let (open, closed) = (id(0), id(1));
    court.call(&["settings", "set", "--disclosure-portal", "true"]);
    court.call(&["user", "add", "Dee", "--role", "guest"]);
    let make = ["disclosure", "make", "2026-17", "--guest", "dee"];
    let made = court.call(&[&make[..], &["--evidence", open.as_str()]].concat());
    let disclosure = text(&made["id"]);

    let enrolment = text(&court.call(&["user", "enrol", "Dee"])["code"]);
    let body = json!({ "user": "Dee", "password": enrolment });
    let signed = done(curl(&court, None, "/v0/sign-in", Some(&body)));
    let secret = text(&signed["secret"]);
    let ask = |path: &str, body: Option<&Value>| curl(&court, Some(&secret), path, body);
    assert_eq!(ask("/v0/portal", None).0, 403, "not before they enrolled");
    let shown = done(ask("/v0/enrolment", Some(&json!({ "password": PASSWORD }))));
    let body = json!({ "code": code(&text(&shown["key"]), 0) });
    done(ask("/v0/enrolment/confirm", Some(&body)));

    let listed = done(ask("/v0/portal", None));
    assert_eq!(listed["disclosures"][0]["disclosure"], disclosure.as_str());
    assert_eq!(listed["disclosures"].as_array().unwrap().len(), 1);
    let place = format!("/v0/portal/{disclosure}");
    let shown = done(ask(&place, None));
    assert_eq!(shown["items"].as_array().unwrap().len(), 1);
    assert_eq!(shown["items"][0]["evidence"], open.as_str());
    let file = |evidence: &str| format!("{place}/evidence/{evidence}/files/0");
    let read = done(ask(&file(&open), None));
    assert_eq!(read["said"], "for the defence");
    assert_eq!(ask(&file(&closed), None).0, 404);
    let elsewhere = [
        "/v0/cases".to_owned(),
        "/v0/external".to_owned(),
        "/v0/disclosures".to_owned(),
        "/v0/node".to_owned(),
        format!("/v0/evidence/{open}"),
        format!("/v0/evidence/{open}/files/0"),
    ];
    for place in &elsewhere {
        assert_eq!(ask(place, None).0, 403, "{place}");
    }
    let audit = court
        .call(&["audit", "show", "--about", "2026-17"])
        .to_string();
    assert!(audit.contains("file opened by a guest") && audit.contains("disclosure viewed"));

    court.call(&["disclosure", "end", &disclosure]);
    assert_eq!(ask(&file(&open), None).0, 404);
    assert_eq!(ask(&place, None).0, 404);
    court.call(&["settings", "set", "--disclosure-portal", "false"]);
    assert_eq!(ask("/v0/portal", None).0, 401);
}
