//! A guest at every place of the API of a real node: what they may do is what `access` says, and nothing is forgotten.

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::api::endpoints;
use crate::access::GUEST;
use crate::actions::evidence::Purpose;
use crate::actions::{self, Caller, ErrorKind, Run, Visitor, evidence, external, portal, user};
use crate::tests::bench::{Bench, caller};

/// For every action a request that makes sense as far as its form goes.
struct Requests(Vec<(&'static str, Map<String, Value>)>);

impl Visitor for Requests {
    fn action<A: Run>(&mut self) {
        let schema = schemars::schema_for!(A).to_value();
        let Value::Object(request) = fill(&schema, &schema) else {
            panic!("{} has fields", A::NAME);
        };
        self.0.push((A::NAME, request));
    }
}

/// The smallest value of a schema.
fn fill(schema: &Value, whole: &Value) -> Value {
    if let Some(place) = schema["$ref"].as_str() {
        return fill(whole.pointer(&place[1..]).unwrap(), whole);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    for choice in ["enum", "oneOf", "anyOf"] {
        match (choice, schema[choice].get(0)) {
            ("enum", Some(value)) => return value.clone(),
            (_, Some(first)) => return fill(first, whole),
            (_, None) => {}
        }
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("uuid")) => json!(Uuid::nil()),
        (Some("string"), _) => json!("x"),
        (Some("integer"), _) => json!(1),
        (Some("boolean"), _) => json!(false),
        (Some("array"), _) => json!([]),
        _ => {
            let required = schema["required"].as_array().into_iter().flatten();
            let field = |name: &Value| {
                let name = name.as_str().unwrap();
                (name.to_owned(), fill(&schema["properties"][name], whole))
            };
            required.map(field).collect()
        }
    }
}

async fn guest(at: &Bench) -> Caller {
    let set = actions::settings::Set {
        disclosure_portal: Some(true),
        ..Default::default()
    };
    at.change(set).await.unwrap();
    let add = user::Add {
        name: "Dee".into(),
        role: GUEST.into(),
        email: String::new(),
        badge: String::new(),
    };
    caller(&at.change(add).await.unwrap())
}

/// AJ-17
#[tokio::test]
async fn a_guest_is_refused_at_every_place_but_those_that_are_for_guests() {
    let court = Bench::new("court");
    let dee = guest(&court).await;
    let mut requests = Requests(Vec::new());
    actions::visit(&mut requests);
    let mut allowed = Vec::new();
    for (endpoint, (name, request)) in endpoints(&court.node).iter().zip(requests.0) {
        assert_eq!(endpoint.name, name);
        match endpoint.run(request, dee.clone()).await {
            Err(error) if error.kind == ErrorKind::Forbidden => {
                let message = format!("your role does not allow {name}");
                assert!(error.message.starts_with(&message), "{error}");
            }
            Err(error) if error.kind == ErrorKind::Invalid => panic!("{error}"),
            Ok(_) | Err(_) => allowed.push(name),
        }
    }
    allowed.sort_unstable();
    let expected = [
        "enrolment.begin",
        "enrolment.confirm",
        "password.set",
        "portal.list",
        "portal.show",
        "session.end",
    ];
    assert_eq!(allowed, expected);
    court.rebuilds().await;
}

/// AJ-17: and where bytes travel as they are.
#[tokio::test]
async fn a_guest_opens_no_file_but_those_that_were_disclosed_and_brings_none() {
    let court = Bench::new("court");
    let dee = guest(&court).await;
    court.case("1/26").await;
    let item = court.evidence("1/26", "a.txt", b"a").await.id;
    let get = evidence::Get {
        evidence: item,
        file: 0,
        original: false,
        purpose: Purpose::Download,
        confidential: false,
    };
    let own = court.node.open_evidence(&dee, get).await.err();
    let get = external::Get {
        share: interdocket_sync::id::ShareId::new(Uuid::nil()),
        evidence: item,
        file: 0,
        from: 0,
        to: None,
        download: true,
    };
    let other = court.node.open_external(&dee, get).await.err();
    let bring = evidence::Upload {
        case: "1/26".into(),
        name: "b.txt".into(),
        folder: String::new(),
        title: None,
    };
    let (_, body) = mpsc::channel(1);
    let brought = court.node.upload_evidence(&dee, bring, body).await.err();
    for refused in [own, other, brought] {
        assert_eq!(refused.unwrap().kind, ErrorKind::Forbidden);
    }
    let get = portal::Get {
        disclosure: actions::disclosure::DisclosureId::new(Uuid::nil()),
        evidence: item,
        file: 0,
        purpose: Purpose::Download,
    };
    let absent = court.node.open_disclosed(&dee, get).await.err();
    assert_eq!(absent.unwrap().kind, ErrorKind::NotFound);
}
