//! The client of the API over the local socket.
//!
//! Invariant: whatever goes wrong on the way is an error that says what to do; a file that arrives
//! in part is never taken for the whole.

use std::io;
use std::path::PathBuf;

use bytes::{Buf as _, Bytes};
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::net::UnixStream;

use crate::actions::{Action, Error, ErrorKind, Method, Progress, Route};
use crate::config;
use crate::text::encode;
use crate::web;
use crate::web::uri::fields;

/// Calls the node of one data directory.
#[derive(Debug, Clone)]
pub(super) struct Client {
    data: PathBuf,
}

impl Client {
    pub(super) const fn new(data: PathBuf) -> Self {
        Self { data }
    }

    /// Has the node do something.
    pub(super) async fn call<A: Action>(&self, request: &A) -> Result<A::Reply, Error> {
        let response = self.send(build(request, JSON)?).await?;
        let body = response.into_body().collect().await.map_err(hung_up)?;
        read(&body.to_bytes())
    }

    /// Has the node do something that takes long, and tells how far it is.
    pub(super) async fn watch<A: Action>(
        &self,
        request: &A,
        progress: &Progress,
    ) -> Result<A::Reply, Error> {
        let response = self.send(build(request, LINES)?).await?;
        let mut body = response.into_body();
        let mut text = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(hung_up)?.into_data() else {
                continue;
            };
            text.extend_from_slice(data.chunk());
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                match read(&line)? {
                    Line::Progress { done, total } => progress.report(done, total),
                    Line::Reply(reply) => return Ok(reply),
                    Line::Error(error) => return Err(error),
                }
            }
        }
        Err(hung_up("the answer ended too early"))
    }

    /// Opens a file at a place of the API for reading.
    pub(super) async fn open(&self, target: &str) -> Result<Incoming, Error> {
        let request = Request::get(target)
            .body(Full::default())
            .map_err(strange)?;
        Ok(self.send(request).await?.into_body())
    }

    async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        let host = http::HeaderValue::from_static("localhost");
        request.headers_mut().insert(HOST, host);
        let path = self.data.join(web::SOCKET);
        let stream = UnixStream::connect(&path)
            .await
            .map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(hung_up)?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(hung_up)?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let body = response.into_body().collect().await.map_err(hung_up)?;
        Err(read(&body.to_bytes())?)
    }

    /// Says why nobody answers on the socket, and what to do.
    fn unreachable(&self, error: &io::Error) -> Error {
        let data = self.data.display();
        let unavailable = |message| Error::new(ErrorKind::Unavailable, message);
        match error.kind() {
            io::ErrorKind::PermissionDenied => Error::new(
                ErrorKind::Forbidden,
                format!("the node in {data} belongs to somebody else"),
            )
            .hint("run this as the user that runs the node, or as root"),
            io::ErrorKind::NotFound if !self.data.join(config::FILE).exists() => {
                unavailable(format!("there is no node in {data}"))
                    .hint(format!(
                        "make one: interdocket init --data {data} --name NAME"
                    ))
                    .hint("or say where it is: --data DIR, or INTERDOCKET_DATA")
            }
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                unavailable(format!("the node in {data} does not run"))
                    .hint(format!("start it: interdocket run --data {data}"))
            }
            _ => unavailable(format!("the node in {data} cannot be reached: {error}")),
        }
    }
}

/// One line of an answer that shows how far it is.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line<R> {
    Progress { done: u64, total: u64 },
    Reply(R),
    Error(Error),
}

fn build<A: Action>(action: &A, accept: &'static str) -> Result<Request<Full<Bytes>>, Error> {
    let fields = match serde_json::to_value(action) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => Map::new(),
        Err(error) => {
            let message = format!("{} cannot be asked for that: {error}", A::NAME);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    };
    let (target, rest) = target(A::ROUTE, fields);
    let request = Request::builder().uri(target).header(ACCEPT, accept);
    match A::ROUTE.method {
        Method::Get => request.body(Full::default()),
        Method::Post => request
            .method(http::Method::POST)
            .header(CONTENT_TYPE, JSON)
            .body(Full::from(Value::Object(rest).to_string())),
    }
    .map_err(strange)
}

/// Puts fields into the path, and those of a `Get` into the query; gives what is left.
fn target(route: Route, mut rest: Map<String, Value>) -> (String, Map<String, Value>) {
    let mut path = route.path.to_owned();
    for name in fields(route.path) {
        let value = rest.remove(name).unwrap_or_default();
        path = path.replace(&format!("{{{name}}}"), &encode(&plain(&value)));
    }
    if route.method == Method::Post {
        return (path, rest);
    }
    let mut separator = '?';
    for (name, value) in rest.iter().filter(|(_, value)| !value.is_null()) {
        path += &format!("{separator}{}={}", encode(name), encode(&plain(value)));
        separator = '&';
    }
    (path, rest)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(strange)
}

fn hung_up(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the node hung up: {error}"))
        .hint("see whether it runs: interdocket status; and what its log says")
}

fn strange(error: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the node and this program do not understand each other: {error}"),
    )
    .hint("use the same version for both")
}

const JSON: &str = "application/json";
const LINES: &str = web::STREAM;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{case, node, share};
    use crate::cli::fake::serve;

    #[test]
    fn fields_go_where_the_api_expects_them() {
        let edit = case::Edit {
            case: "2026/17".to_owned(),
            number: None,
            title: Some("Fire".to_owned()),
            description: None,
        };
        let request = build(&edit, JSON).unwrap();
        assert_eq!(request.uri(), "/v0/cases/2026%2F17/edit");

        let list = share::List {
            case: Some("a b".to_owned()),
            limit: Some(5),
            ..share::List::default()
        };
        let request = build(&list, JSON).unwrap();
        assert_eq!(request.uri(), "/v0/shares?case=a%20b&limit=5");
    }

    #[tokio::test]
    async fn node_that_is_not_there_says_what_to_do() {
        let data = tempfile::tempdir().unwrap();
        let client = Client::new(data.path().to_owned());
        let list = case::List::default();
        let missing = client.call(&list).await.unwrap_err();
        assert_eq!(missing.kind, ErrorKind::Unavailable);
        assert!(missing.hints[0].contains("interdocket init"), "{missing:?}");

        std::fs::write(data.path().join(config::FILE), "").unwrap();
        let stopped = client.call(&list).await.unwrap_err();
        assert!(stopped.hints[0].contains("interdocket run"), "{stopped:?}");
    }

    #[tokio::test]
    async fn replies_and_errors_arrive() {
        let data = tempfile::tempdir().unwrap();
        serve(data.path(), |_| {
            ("200 OK", r#"{"cases":[],"next":"x"}"#.into())
        });
        let client = Client::new(data.path().to_owned());
        let page = client.call(&case::List::default()).await.unwrap();
        assert_eq!(page.next.as_deref(), Some("x"));

        let error = r#"{"kind":"conflict","message":"it is closed"}"#;
        serve(data.path(), |_| ("409 Conflict", error.into()));
        let error = client.call(&case::List::default()).await.unwrap_err();
        assert_eq!(error, Error::new(ErrorKind::Conflict, "it is closed"));
    }

    #[tokio::test]
    async fn progress_is_told_before_the_reply() {
        let data = tempfile::tempdir().unwrap();
        let lines = concat!(
            r#"{"progress":{"done":1,"total":2}}"#,
            "\n",
            r#"{"reply":{"records":7,"blobs":0,"bytes":0,"problems":[]}}"#,
            "\n"
        );
        serve(data.path(), |_| ("200 OK", lines.into()));
        let client = Client::new(data.path().to_owned());
        let (told, steps) = std::sync::mpsc::sync_channel(8);
        let progress = Progress::new(move |done, total| told.send((done, total)).unwrap());
        let checked = client.watch(&node::Check {}, &progress).await.unwrap();
        assert_eq!(checked.records, 7);
        assert_eq!(steps.try_iter().collect::<Vec<_>>(), [(1, 2)]);

        let cut = &lines[..lines.len() - 9];
        serve(data.path(), |_| ("200 OK", cut.into()));
        let error = client.watch(&node::Check {}, &progress).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
    }
}
