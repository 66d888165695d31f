//! The description of the API, made from the table of actions: OpenAPI 3.1.
//!
//! Invariant: every action is in it, with the types that the code uses; there is nothing to keep in
//! step by hand but the places where bytes travel as they are, and those without a caller.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::{bytes, links, signin, stream, uri};
use crate::actions::signin::{Banner, SignIn, SignedIn};
use crate::actions::{self, Action, Error, Method, Run, Visitor, evidence, external, portal};

/// Where the description stands, for everybody.
pub(super) const PATH: &str = "/openapi.json";

/// Makes the description.
pub(super) fn document() -> Value {
    let mut describe = Describe::default();
    actions::visit(&mut describe);
    describe.bytes();
    describe.nobody();
    let error = describe.schema::<Error>("error");
    let paths = describe.paths.clone();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Interdocket",
            "description": "Everything that a node can do. A POST that is asked with `Accept: \
                application/x-ndjson` answers one object a line: `progress` with `done` and \
                `total`, and `reply` or `error` last.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": describe.components(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": { "Error": {
                "description": "It was not done",
                "content": { "application/json": { "schema": error } },
            } },
        },
    })
}

/// Collects places and types. Types are named by noun, since a case has a page as a share has one.
#[derive(Default)]
struct Describe {
    paths: BTreeMap<&'static str, Map<String, Value>>,
    types: BTreeMap<&'static str, SchemaGenerator>,
}

impl Visitor for Describe {
    fn action<A: Run>(&mut self) {
        self.describe::<A>();
    }
}

impl Describe {
    fn describe<A: Action>(&mut self) {
        let noun = A::NAME.split('.').next().unwrap_or(A::NAME);
        let mut request = request::<A>();
        let mut parameters = Vec::new();
        for name in uri::fields(A::ROUTE.path) {
            parameters.push(parameter(name, "path", request.take(name)));
        }
        if A::ROUTE.method == Method::Get {
            for name in request.names() {
                parameters.push(parameter(&name, "query", request.take(&name)));
            }
        }
        let reply = self.schema::<A::Reply>(noun);
        let mut operation = operation(A::NAME, A::SUMMARY, &parameters);
        operation["responses"]["200"] = json!({
            "description": "Done",
            "content": { "application/json": { "schema": reply } },
        });
        if A::ROUTE.method == Method::Post {
            operation["responses"]["200"]["content"][stream::MEDIA_TYPE] =
                json!({ "schema": { "type": "string" } });
            operation["requestBody"] = request.body();
        }
        operation["description"] = request.description;
        self.insert(A::ROUTE.path, A::ROUTE.method, operation);
    }

    /// The places whose bodies are files.
    fn bytes(&mut self) {
        let octets = json!({ "application/octet-stream": {} });
        let mut request = request::<evidence::Get>();
        let mut parameters: Vec<_> = ["evidence", "file"]
            .map(|name| parameter(name, "path", request.take(name)))
            .into();
        parameters.push(parameter("original", "query", request.take("original")));
        let mut get = operation("evidence.get", "Read a file of evidence", &parameters);
        get["responses"]["200"] = json!({ "description": "The file", "content": octets });
        self.insert(bytes::FILE, Method::Get, get);

        let mut request = self::request::<external::Get>();
        let mut parameters: Vec<_> = ["share", "evidence", "file"]
            .map(|name| parameter(name, "path", request.take(name)))
            .into();
        for name in request.names() {
            parameters.push(parameter(&name, "query", request.take(&name)));
        }
        let summary = "Read a file of an external case, or a part of it";
        let mut get = operation("external.get", summary, &parameters);
        get["responses"]["200"] = json!({ "description": "The bytes", "content": octets });
        self.insert(bytes::EXTERNAL, Method::Get, get);

        let mut request = self::request::<portal::Get>();
        let mut parameters: Vec<_> = ["disclosure", "evidence", "file"]
            .map(|name| parameter(name, "path", request.take(name)))
            .into();
        parameters.push(parameter("purpose", "query", request.take("purpose")));
        let summary = "Read a file that was disclosed to oneself as a guest";
        let mut get = operation("portal.get", summary, &parameters);
        get["responses"]["200"] = json!({ "description": "The file", "content": octets });
        self.insert(bytes::PORTAL, Method::Get, get);

        let mut request = self::request::<evidence::Upload>();
        let mut parameters = vec![parameter("case", "path", request.take("case"))];
        for name in request.names() {
            parameters.push(parameter(&name, "query", request.take(&name)));
        }
        let mut post = operation("evidence.upload", "Send a file to a case", &parameters);
        post["requestBody"] = json!({ "required": true, "content": octets });
        let reply = self.schema::<evidence::Evidence>("evidence");
        post["responses"]["200"] = json!({
            "description": "Taken in",
            "content": { "application/json": { "schema": reply } },
        });
        self.insert(bytes::FILES, Method::Post, post);
    }

    /// The places without a caller.
    fn nobody(&mut self) {
        let request = request::<SignIn>();
        let summary = "Sign in, by password and code, or for enrolling";
        let mut post = operation("sign-in", summary, &[]);
        post["description"] = json!(request.description);
        post["requestBody"] = request.body();
        let mut get = operation("banner", "Show what is shown before anybody signs in", &[]);
        for (operation, reply) in [
            (&mut post, self.schema::<SignedIn>("sign-in")),
            (&mut get, self.schema::<Banner>("sign-in")),
        ] {
            operation["security"] = json!([]);
            operation["responses"]["200"] = json!({
                "description": "Done",
                "content": { "application/json": { "schema": reply } },
            });
        }
        let token = json!({ "type": "string", "description": "What the link ends with" });
        let parameters = [parameter("token", "path", (token, true))];
        let summary = "Download the package of a link";
        let mut package = operation("link.get", summary, &parameters);
        package["security"] = json!([]);
        for (status, description, kind) in [
            ("200", "The package", "application/zip"),
            ("206", "A part of it", "application/zip"),
            ("410", "The link does not work", "text/plain"),
        ] {
            let content = json!({ kind: {} });
            package["responses"][status] =
                json!({ "description": description, "content": content });
        }
        self.insert(links::LINK, Method::Get, package);
        self.insert(signin::SIGN_IN, Method::Post, post);
        self.insert(signin::BANNER, Method::Get, get);
    }

    fn insert(&mut self, path: &'static str, method: Method, operation: Value) {
        let method = match method {
            Method::Get => "get",
            Method::Post => "post",
        };
        self.paths
            .entry(path)
            .or_default()
            .insert(method.to_owned(), operation);
    }

    fn schema<T: JsonSchema>(&mut self, noun: &'static str) -> Value {
        let types = self.types.entry(noun).or_insert_with(|| {
            let settings = SchemaSettings::draft2020_12().for_serialize();
            settings
                .with(|settings| settings.definitions_path = COMPONENTS.into())
                .into_generator()
        });
        let mut schema = types.subschema_for::<T>().to_value();
        qualify(&mut schema, noun);
        schema
    }

    fn components(mut self) -> Map<String, Value> {
        let mut components = Map::new();
        for (noun, types) in &mut self.types {
            for (name, mut schema) in types.take_definitions(true) {
                qualify(&mut schema, noun);
                components.insert(format!("{noun}.{name}"), schema);
            }
        }
        components
    }
}

/// Puts the noun before the name of every type that a schema refers to.
fn qualify(schema: &mut Value, noun: &str) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(target) if key == "$ref" => {
                        let prefix = format!("#{COMPONENTS}/");
                        if let Some(name) = target.strip_prefix(&prefix) {
                            *target = format!("{prefix}{noun}.{name}");
                        }
                    }
                    value => qualify(value, noun),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| qualify(value, noun)),
        _ => {}
    }
}

/// The fields of a request that are not yet described.
struct Request {
    description: Value,
    properties: Map<String, Value>,
    required: Vec<String>,
}

fn request<A: JsonSchema>() -> Request {
    let schema = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .into_generator()
        .into_root_schema_for::<A>();
    let object = |key: &str| schema.get(key).and_then(Value::as_object).cloned();
    let required = schema.get("required").and_then(Value::as_array);
    Request {
        description: schema.get("description").cloned().unwrap_or_default(),
        properties: object("properties").unwrap_or_default(),
        required: required
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
    }
}

impl Request {
    fn names(&self) -> Vec<String> {
        self.properties.keys().cloned().collect()
    }

    /// Takes a field out: its schema, and whether it must be there.
    fn take(&mut self, name: &str) -> (Value, bool) {
        let schema = self.properties.remove(name).unwrap_or_default();
        let required = self.required.iter().position(|field| field == name);
        if let Some(position) = required {
            self.required.remove(position);
        }
        (schema, required.is_some())
    }

    /// What is left, as a body.
    fn body(&self) -> Value {
        json!({
            "required": !self.required.is_empty(),
            "content": { "application/json": { "schema": {
                "type": "object",
                "properties": self.properties,
                "required": self.required,
                "additionalProperties": false,
            } } },
        })
    }
}

fn parameter(name: &str, place: &str, (mut schema, required): (Value, bool)) -> Value {
    let description = schema
        .as_object_mut()
        .and_then(|schema| schema.remove("description"))
        .unwrap_or_else(|| json!(""));
    json!({
        "name": name,
        "in": place,
        "required": required || place == "path",
        "description": description,
        "schema": schema,
    })
}

fn operation(name: &str, summary: &str, parameters: &[Value]) -> Value {
    let error = json!({ "$ref": "#/components/responses/Error" });
    json!({
        "operationId": name,
        "summary": summary,
        "tags": [name.split('.').next()],
        "parameters": parameters,
        "responses": { "default": error },
    })
}

const COMPONENTS: &str = "/components/schemas";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn description_lists_every_action_where_it_stands() {
        struct Check(Value);
        impl Visitor for Check {
            fn action<A: Run>(&mut self) {
                let method = match A::ROUTE.method {
                    Method::Get => "get",
                    Method::Post => "post",
                };
                let operation = &self.0["paths"][A::ROUTE.path][method];
                assert_eq!(operation["operationId"], A::NAME);
                assert_eq!(operation["summary"], A::SUMMARY);
                let content = &operation["responses"]["200"]["content"];
                assert!(
                    content["application/json"]["schema"].is_object(),
                    "{}",
                    A::NAME
                );
            }
        }
        actions::visit(&mut Check(document()));
    }

    #[test]
    fn description_is_sound() {
        let document = document();
        let mut names = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for operation in methods.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name), "{name} is there twice");
                let parameters = operation["parameters"].as_array().unwrap();
                for parameter in parameters {
                    assert!(parameter["schema"].is_object(), "{name}: {parameter}");
                    assert_ne!(parameter["description"], "", "{name}: {parameter}");
                }
                let in_path: BTreeSet<_> = parameters
                    .iter()
                    .filter(|parameter| parameter["in"] == "path")
                    .map(|parameter| parameter["name"].as_str().unwrap())
                    .collect();
                let expected = path
                    .split('/')
                    .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
                assert_eq!(in_path, expected.collect(), "{name}");
                assert!(operation["responses"]["default"]["$ref"].is_string());
            }
        }
    }

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
        let document = document();
        let mut targets = BTreeSet::new();
        references(&document, &mut targets);
        assert!(targets.len() > 20, "{targets:?}");
        for target in targets {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
    }

    #[test]
    fn pages_of_different_nouns_are_different_types() {
        let schemas = &document()["components"]["schemas"];
        assert!(schemas["case.Page"]["properties"]["cases"].is_object());
        assert!(schemas["share.Page"]["properties"]["shares"].is_object());
    }

    fn references(value: &Value, targets: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(target) = fields.get("$ref") {
                    targets.insert(target.as_str().unwrap().to_owned());
                }
                fields.values().for_each(|value| references(value, targets));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, targets)),
            _ => {}
        }
    }
}
