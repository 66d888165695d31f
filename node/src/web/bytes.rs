//! The places of the API where bytes travel as they are: a file out, and a file in.
//!
//! Invariant: a body that ends early, for whatever reason, ends with an error at the node: a part of
//! a file is never taken for the whole. Nothing holds a whole file in memory.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router, routing};
use bytes::Bytes;
use futures_util::StreamExt as _;
use interdocket_sync::id::EvidenceId;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::api::{Backend, json, refuse, unreadable_path};
use super::endpoint::invalid;
use crate::actions::evidence::Purpose;
use crate::actions::{Caller, Error, evidence, external, portal};
use crate::intake::Opened;
use crate::text;

/// Where a file is read.
pub(crate) const FILE: &str = "/v0/evidence/{evidence}/files/{file}";

/// Where a file of an external case is read.
pub(crate) const EXTERNAL: &str = "/v0/external/{share}/evidence/{evidence}/files/{file}";

/// Where a guest reads a file that was disclosed to them.
pub(crate) const PORTAL: &str = "/v0/portal/{disclosure}/evidence/{evidence}/files/{file}";

/// Where a file is sent.
pub(crate) const FILES: &str = "/v0/cases/{case}/files";

/// Makes the routes.
pub(super) fn router<B: Backend>(backend: B) -> Router {
    Router::new()
        .route(FILE, routing::get(download::<B>))
        .route(EXTERNAL, routing::get(part::<B>))
        .route(PORTAL, routing::get(disclosed::<B>))
        .route(FILES, routing::post(upload::<B>))
        .with_state(Arc::new(backend))
}

/// What the query of a file of evidence says; what names it stands in the path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    original: bool,
}

async fn download<B: Backend>(
    State(backend): State<Arc<B>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let Ok(Path((evidence, file))) = path else {
        return refuse(&unreadable_path());
    };
    let (Ok(evidence), Ok(file)) = (evidence.parse::<EvidenceId>(), file.parse()) else {
        return refuse(&invalid(
            "a file is named by the id of its evidence and a number from 0",
        ));
    };
    let asked = match Query::<Asked>::try_from_uri(request.uri()) {
        Ok(Query(asked)) => asked,
        Err(error) => {
            let error = invalid(format!("the query cannot be used: {}", error.body_text()));
            return refuse(&error.hint("its field is: original"));
        }
    };
    let request = evidence::Get {
        evidence,
        file,
        original: asked.original,
        purpose: Default::default(),
        confidential: false,
    };
    give(backend.open(&caller, request).await, true)
}

/// What the query of a file of an external case says; what names it stands in the path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    #[serde(default)]
    from: u64,
    #[serde(default)]
    to: Option<u64>,
    #[serde(default)]
    download: bool,
}

async fn part<B: Backend>(
    State(backend): State<Arc<B>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let Ok(Path((share, evidence, file))) = path else {
        return refuse(&unreadable_path());
    };
    let ids = (share.parse(), evidence.parse(), file.parse());
    let (Ok(share), Ok(evidence), Ok(file)) = ids else {
        return refuse(&invalid(
            "a file is named by the ids of its share and evidence and a number from 0",
        ));
    };
    let part = match Query::<Part>::try_from_uri(request.uri()) {
        Ok(Query(part)) => part,
        Err(error) => {
            let error = invalid(format!("the query cannot be used: {}", error.body_text()));
            return refuse(&error.hint("its fields are: from, to, download"));
        }
    };
    let request = external::Get {
        share,
        evidence,
        file,
        from: part.from,
        to: part.to,
        download: part.download,
    };
    give(backend.open_external(&caller, request).await, part.download)
}

/// What the query of a file that was disclosed says; what names it stands in the path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct For {
    #[serde(default)]
    purpose: Purpose,
}

async fn disclosed<B: Backend>(
    State(backend): State<Arc<B>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let Ok(Path((disclosure, evidence, file))) = path else {
        return refuse(&unreadable_path());
    };
    let ids = (disclosure.parse(), evidence.parse(), file.parse());
    let (Ok(disclosure), Ok(evidence), Ok(file)) = ids else {
        return refuse(&invalid(
            "a file is named by the ids of its disclosure and evidence and a number from 0",
        ));
    };
    let purpose = match Query::<For>::try_from_uri(request.uri()) {
        Ok(Query(asked)) => asked.purpose,
        Err(error) => {
            let error = invalid(format!("the query cannot be used: {}", error.body_text()));
            return refuse(&error.hint("its field is: purpose"));
        }
    };
    let request = portal::Get {
        disclosure,
        evidence,
        file,
        purpose,
    };
    let opened = backend.open_disclosed(&caller, request).await;
    give(opened, purpose == Purpose::Download)
}

/// Gives a file that was opened, to keep or to look at.
fn give(opened: Result<Opened, Error>, keep: bool) -> Response {
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return refuse(&error),
    };
    let mut bytes = opened.bytes;
    let stream = futures_util::stream::poll_fn(move |context| bytes.poll_recv(context));
    let disposition = match keep {
        true => disposition(&opened.name),
        false => HeaderValue::from_static("inline"),
    };
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
        (CONTENT_LENGTH, HeaderValue::from(opened.size)),
        (CONTENT_DISPOSITION, disposition),
    ];
    (headers, Body::from_stream(stream)).into_response()
}

/// What the query of an upload says; the case stands in the path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    name: String,
    #[serde(default)]
    folder: String,
    #[serde(default)]
    title: Option<String>,
}

async fn upload<B: Backend>(
    State(backend): State<Arc<B>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let Ok(Path(case)) = path else {
        return refuse(&unreadable_path());
    };
    let place = match Query::<Place>::try_from_uri(request.uri()) {
        Ok(Query(place)) => place,
        Err(error) => {
            let error = invalid(format!("the query cannot be used: {}", error.body_text()));
            return refuse(&error.hint("its fields are: name, folder, title"));
        }
    };
    let request_fields = evidence::Upload {
        case,
        name: place.name,
        folder: place.folder,
        title: place.title,
    };
    let (chunks, body) = mpsc::channel(CHUNKS_AHEAD + 1);
    // Cannot fail: the receiver stands on the stack.
    let Ok(end) = chunks.clone().reserve_owned().await else {
        return refuse(&invalid("the node is stopping"));
    };
    let mut pump = std::pin::pin!(pump(request, chunks, Cut(Some(end))));
    let mut upload = std::pin::pin!(backend.upload(&caller, request_fields, body));
    let taken = tokio::select! {
        // Refused early: the rest of the body need not arrive.
        taken = upload.as_mut() => taken,
        () = pump.as_mut() => upload.await,
    };
    match taken {
        Ok(evidence) => {
            let text = serde_json::to_string(&evidence).expect("evidence is text and serialises");
            json(StatusCode::OK, text)
        }
        Err(error) => refuse(&error),
    }
}

/// Hands the body on, chunk by chunk, until it ends or nobody wants it any more.
async fn pump(request: Request, chunks: mpsc::Sender<io::Result<Bytes>>, mut cut: Cut) {
    let mut body = request.into_body().into_data_stream();
    loop {
        match tokio::time::timeout(CHUNK_TIME_MAX, body.next()).await {
            Ok(Some(Ok(chunk))) => {
                if chunks.send(Ok(chunk)).await.is_err() {
                    return;
                }
            }
            Ok(Some(Err(_))) | Err(_) => return,
            Ok(None) => {
                cut.0 = None;
                return;
            }
        }
    }
}

/// Ends a body with an error when it is dropped, unless it was disarmed: its place in the channel is
/// kept from the start, so that even a caller that is dropped half-way says so.
struct Cut(Option<mpsc::OwnedPermit<io::Result<Bytes>>>);

impl Drop for Cut {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            let error = io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the body ended before it was complete",
            );
            end.send(Err(error));
        }
    }
}

/// Says that the body is a file to keep, under a name that is safe on any system.
///
/// Source: RFC 6266, with the encoding of RFC 8187.
pub(super) fn disposition(name: &str) -> HeaderValue {
    let name = text::file_name(name);
    let plain: String = name
        .chars()
        .map(|char| match char {
            '"' | '\\' | '%' => '_',
            ' '..='~' => char,
            _ => '_',
        })
        .collect();
    let value = format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        text::encode(&name)
    );
    HeaderValue::try_from(value).expect("only printable ASCII is left")
}

/// Chunks that may wait between the connection and the node.
const CHUNKS_AHEAD: usize = 8;

/// How long a body may stand still.
const CHUNK_TIME_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// fault D1
    #[test]
    fn downloads_have_names_that_stay_in_their_folder() {
        assert_eq!(
            disposition("../\u{202e}Straße \"5\".pdf"),
            "attachment; filename=\"..__Stra_e _5_.pdf\"; \
             filename*=UTF-8''..__Stra%C3%9Fe%20_5_.pdf"
        );
    }
}
