//! The place for who is nobody yet: the banner, and signing in. Over HTTPS only: whoever comes by the socket is known.
//!
//! Invariant: no action is reached from here. What signing in answers is the same whatever was wrong.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{self, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing;
use serde::Serialize;

use super::api::{Backend, failed, json, refuse, wrong_method};
use super::endpoint::invalid;
use crate::actions::signin::SignIn;
use crate::actions::{Error, ErrorKind};

/// From where a connection comes, where it comes over a network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) Option<IpAddr>);

/// Where the banner stands.
pub(super) const BANNER: &str = "/v0/banner";
/// Where people sign in.
pub(super) const SIGN_IN: &str = "/v0/sign-in";

/// Makes the router of what needs no caller.
pub(super) fn router<B: Backend>(backend: B) -> Router {
    Router::new()
        .route(BANNER, routing::get(banner::<B>))
        .route(SIGN_IN, routing::post(sign_in::<B>))
        .method_not_allowed_fallback(async || refuse(&wrong_method()))
        .with_state(Arc::new(backend))
}

async fn banner<B: Backend>(State(backend): State<Arc<B>>) -> Response {
    answer(backend.banner().await)
}

async fn sign_in<B: Backend>(State(backend): State<Arc<B>>, request: Request) -> Response {
    // A page elsewhere would have people signed in as somebody else, without their knowing.
    if same_origin(request.headers()) == Some(false) {
        let error = Error::new(ErrorKind::Forbidden, "another site asked for that");
        return refuse(&error.hint("sign in at a page of the node itself"));
    }
    let from = request.extensions().get::<Peer>().and_then(|peer| peer.0);
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX);
    let Ok(Ok(body)) = tokio::time::timeout(BODY_TIME_MAX, body).await else {
        return refuse(&invalid("the body is too large, or late"));
    };
    let request = match read(&body) {
        Ok(request) => request,
        Err(error) => return refuse(&error),
    };
    // In a task of its own: who hangs up is counted all the same.
    let run = tokio::spawn(async move { backend.sign_in(request, from).await });
    let signed = run.await.unwrap_or_else(|_| Err(failed("sign-in")));
    let cookie = signed.as_ref().ok().map(|signed| kept(&signed.secret));
    let mut response = answer(signed);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// The secret of a session as a browser keeps it: for this host alone, over TLS alone, out of the reach of scripts, until
/// it is closed. When the session is over is up to the node.
fn kept(secret: &str) -> HeaderValue {
    let cookie = format!("{COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Strict");
    HeaderValue::try_from(cookie).expect("a secret is letters and digits")
}

/// The secret that a browser kept, where a page of this node asks: others could have a browser send it along.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    if same_origin(headers) != Some(true) {
        return None;
    }
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let mut cookies = cookies
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find_map(|(name, secret)| (name == COOKIE).then_some(secret))
}

/// Whether a browser says that it is a page of this node that asks; nothing where no browser asks.
fn same_origin(headers: &HeaderMap) -> Option<bool> {
    let site = headers.get("sec-fetch-site")?;
    Some(site == "same-origin")
}

fn read(body: &Bytes) -> Result<SignIn, Error> {
    serde_json::from_slice(body).map_err(|error| {
        // Without the text of the error: it can quote what was sent.
        let message = format!(
            "the body is not what signs in, at line {} column {}",
            error.line(),
            error.column()
        );
        Error::new(ErrorKind::Invalid, message)
            .hint("send {\"user\": \"...\", \"password\": \"...\", \"code\": \"...\"}")
    })
}

fn answer<R: Serialize>(reply: Result<R, Error>) -> Response {
    match reply {
        Ok(reply) => {
            let text = serde_json::to_string(&reply).expect("a reply has text for keys");
            json(StatusCode::OK, text)
        }
        Err(error) => refuse(&error),
    }
}

/// What browsers keep the secret under; the prefix has them hold to what `kept` says.
const COOKIE: &str = "__Host-interdocket";
/// Room for three texts of the longest, with signs written as escapes.
const BODY_BYTES_MAX: usize = 32 << 10;
/// How long they may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);
