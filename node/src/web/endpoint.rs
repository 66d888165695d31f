//! One action as a place in the API: from path, query and body to a request, and from a reply to
//! JSON.
//!
//! Invariant: every field of a request is one that the action knows, said once. What is misspelt is
//! refused, not ignored.

use std::collections::BTreeMap;
use std::pin::Pin;

use axum::http::StatusCode;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::actions::{Action, Caller, Error, ErrorKind, Method, Route};

/// An action that can be called with JSON.
pub(super) struct Endpoint {
    pub(super) name: &'static str,
    pub(super) route: Route,
    fields: BTreeMap<String, Kind>,
    run: Box<dyn Fn(Map<String, Value>, Caller) -> Answer + Send + Sync>,
}

/// What running an action gives: its reply in JSON.
pub(super) type Answer = Pin<Box<dyn Future<Output = Result<String, Error>> + Send>>;

/// How the text of a query becomes the value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Boolean,
    Other,
}

impl Endpoint {
    /// Makes an endpoint of an action and of what runs it.
    pub(super) fn new<A: Action, F>(run: impl Fn(A, Caller) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<A::Reply, Error>> + Send + 'static,
    {
        Self {
            name: A::NAME,
            route: A::ROUTE,
            fields: known::<A>(),
            run: Box::new(move |fields, caller| {
                let request = serde_json::from_value(Value::Object(fields));
                match request {
                    Ok(request) => Box::pin(reply(run(request, caller))),
                    Err(error) => {
                        let error = invalid(format!("{} was asked wrongly: {error}", A::NAME));
                        Box::pin(std::future::ready(Err(error)))
                    }
                }
            }),
        }
    }

    /// Runs the action.
    pub(super) fn run(&self, fields: Map<String, Value>, caller: Caller) -> Answer {
        (self.run)(fields, caller)
    }

    /// Merges the fields of the path with those of the query (`Get`) or of the body (`Post`).
    pub(super) fn merge(
        &self,
        path: &[(String, String)],
        query: Vec<(String, String)>,
        body: &[u8],
    ) -> Result<Map<String, Value>, Error> {
        let mut fields = Map::new();
        for (name, text) in path {
            let value = self.value(name, text)?;
            fields.insert(name.clone(), value);
        }
        match self.route.method {
            Method::Get => {
                for (name, text) in query {
                    let value = self.value(&name, &text)?;
                    self.insert(&mut fields, name, value)?;
                }
            }
            Method::Post => {
                if let Some((name, _)) = query.first() {
                    return Err(invalid(format!(
                        "{} takes no query, but there is `{name}`",
                        self.name
                    ))
                    .hint("send the fields as a JSON object in the body"));
                }
                for (name, value) in object(body)? {
                    self.insert(&mut fields, name, value)?;
                }
            }
        }
        Ok(fields)
    }

    fn insert(
        &self,
        fields: &mut Map<String, Value>,
        name: String,
        value: Value,
    ) -> Result<(), Error> {
        self.kind(&name)?;
        if fields.contains_key(&name) {
            return Err(
                invalid(format!("{} was told `{name}` twice", self.name)).hint(format!(
                    "say it once; it stands in the path {}",
                    self.route.path
                )),
            );
        }
        fields.insert(name, value);
        Ok(())
    }

    fn value(&self, name: &str, text: &str) -> Result<Value, Error> {
        let wrong = |expected| {
            invalid(format!(
                "`{name}` of {} is {expected}, but there is `{text}`",
                self.name
            ))
        };
        match self.kind(name)? {
            Kind::Number => text
                .parse::<u64>()
                .map(Value::from)
                .map_err(|_| wrong("a whole number")),
            Kind::Boolean => text
                .parse::<bool>()
                .map(Value::from)
                .map_err(|_| wrong("true or false")),
            Kind::Other => Ok(Value::from(text)),
        }
    }

    fn kind(&self, name: &str) -> Result<Kind, Error> {
        let unknown = || {
            let known: Vec<_> = self.fields.keys().map(String::as_str).collect();
            let error = invalid(format!("{} knows no field `{name}`", self.name));
            match known.as_slice() {
                [] => error.hint("it has no fields"),
                known => error.hint(format!("its fields are: {}", known.join(", "))),
            }
        };
        self.fields.get(name).copied().ok_or_else(unknown)
    }
}

/// The HTTP status of an error.
pub(super) const fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// An error of a request that does not make sense.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

async fn reply<R: serde::Serialize>(
    run: impl Future<Output = Result<R, Error>>,
) -> Result<String, Error> {
    let reply = run.await?;
    Ok(serde_json::to_string(&reply).expect("a reply has text for keys and serialises"))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Error> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(body).map_err(|error| {
        invalid(format!("the body is not a JSON object: {error}"))
            .hint("send an object such as {\"number\": \"2026-17\"}, or nothing")
    })
}

/// The fields that an action's request has, by its schema.
fn known<A: Action>() -> BTreeMap<String, Kind> {
    let schema = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<A>();
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return BTreeMap::new();
    };
    let kind = |schema: &Value| {
        let is = |name: &str| match &schema["type"] {
            Value::String(one) => one == name,
            Value::Array(some) => some.iter().any(|one| one == name),
            _ => false,
        };
        match () {
            () if is("integer") => Kind::Number,
            () if is("boolean") => Kind::Boolean,
            () => Kind::Other,
        }
    };
    properties
        .iter()
        .map(|(name, schema)| (name.clone(), kind(schema)))
        .collect()
}
