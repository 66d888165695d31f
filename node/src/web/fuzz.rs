//! Fuzz targets of the API: requests as a program sends them, and names in its answers.

use axum::extract::Query;
use axum::http::Uri;
use serde_json::Value;

use super::bytes;
use super::endpoint::Endpoint;
use super::uri;
use crate::actions::{self, ErrorKind, Method, Run, Visitor};
use crate::fuzz::Input;

/// One action, and its path, query and body.
pub(crate) fn api(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let wanted = input.byte();
    let path = String::from_utf8_lossy(input.some(64)).into_owned();
    let query = String::from_utf8_lossy(input.some(255)).into_owned();
    let mut asked = Asked {
        left: wanted.into(),
        path,
        query,
        body: input.rest(),
    };
    actions::visit(&mut asked);
}

struct Asked<'a> {
    left: usize,
    path: String,
    query: String,
    body: &'a [u8],
}

impl Visitor for Asked<'_> {
    fn action<A: Run>(&mut self) {
        if self.left == 0 {
            self.ask::<A>();
        }
        self.left = self.left.wrapping_sub(1);
    }
}

impl Asked<'_> {
    fn ask<A: Run>(&self) {
        let endpoint = Endpoint::new(|_: A, _| async { Err(super::endpoint::invalid("not run")) });
        let fields = uri::fields(A::ROUTE.path);
        let path: Vec<_> = fields
            .map(|name| (name.to_owned(), self.path.clone()))
            .collect();
        let target = format!("/?{}", self.query).parse::<Uri>();
        let query = target.ok().and_then(|target| {
            let query = Query::<Vec<(String, String)>>::try_from_uri(&target);
            Some(query.ok()?.0)
        });
        let query = query.filter(|_| matches!(A::ROUTE.method, Method::Get));
        let merged = match endpoint.merge(&path, query.unwrap_or_default(), self.body) {
            Ok(merged) => merged,
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Invalid);
                assert!(!super::api::write(&error).is_empty());
                return;
            }
        };
        let Ok(request) = serde_json::from_value::<A>(Value::Object(merged)) else {
            return;
        };
        let _ = request.about();
        let said = serde_json::to_value(&request).expect("a request has text for keys");
        let again: A = serde_json::from_value(said.clone()).expect("what was read is read again");
        let again = serde_json::to_value(&again).expect("a request has text for keys");
        assert_eq!(again, said);
    }
}

/// fault D1: a header with a name in it has no other lines and fields.
pub(crate) fn named(name: &str) {
    let header = bytes::disposition(name);
    let header = header.to_str().expect("only printable ASCII is left");
    assert!(header.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    assert_eq!(header.matches('"').count(), 2, "{header}");
    let plain = header.split('"').nth(1).unwrap_or_default();
    assert!(!plain.contains(['\\', '/', '%']), "{header}");
    let (_, encoded) = header.rsplit_once("''").unwrap_or_default();
    let fit = |char: char| char.is_ascii_alphanumeric() || "-._~%".contains(char);
    assert!(encoded.chars().all(fit), "{header}");
}
