//! The routes of the API, who calls them, and how errors leave.
//!
//! Invariant: who has no valid token learns from a place that needs one nothing but that, whatever
//! the place and whatever is wrong with the token.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{Query, RawPathParams, Request};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodFilter};
use axum::{Extension, Router};
use tokio::sync::mpsc;

use super::endpoint::{Endpoint, invalid, status};
use super::{Probes, bytes, links, openapi, signin, stream};
use crate::actions::signin::{Banner, SignIn, SignedIn};
use crate::actions::{
    self, Caller, Error, ErrorKind, Method, Run, Visitor, Way, evidence, external, portal,
};
use crate::intake::Opened;
use crate::links::{Ask, Given, Refusal};
use crate::metrics::{self, Outcome};
use crate::node::Node;

/// What the API needs of a node beside its actions.
pub(super) trait Backend: Clone + Send + Sync + 'static {
    /// See [`Node::owner`].
    fn owner(&self) -> Caller;
    /// See [`Node::authenticate`].
    fn authenticate(&self, token: &str) -> Result<Caller, Error>;
    /// See [`Node::sign_in`].
    fn sign_in(
        &self,
        request: SignIn,
        from: Option<IpAddr>,
    ) -> impl Future<Output = Result<SignedIn, Error>> + Send;
    /// What is shown before anybody signs in.
    fn banner(&self) -> impl Future<Output = Result<Banner, Error>> + Send;
    /// See [`Node::open_link`].
    fn open_link(&self, ask: Ask) -> impl Future<Output = Result<Given, Refusal>> + Send;
    /// See [`Node::open_evidence`].
    fn open(
        &self,
        caller: &Caller,
        request: evidence::Get,
    ) -> impl Future<Output = Result<Opened, Error>> + Send;
    /// See [`Node::open_external`].
    fn open_external(
        &self,
        caller: &Caller,
        request: external::Get,
    ) -> impl Future<Output = Result<Opened, Error>> + Send;
    /// See [`Node::open_disclosed`].
    fn open_disclosed(
        &self,
        caller: &Caller,
        request: portal::Get,
    ) -> impl Future<Output = Result<Opened, Error>> + Send;
    /// See [`Node::upload_evidence`].
    fn upload(
        &self,
        caller: &Caller,
        request: evidence::Upload,
        body: mpsc::Receiver<std::io::Result<::bytes::Bytes>>,
    ) -> impl Future<Output = Result<evidence::Evidence, Error>> + Send;
}

impl Backend for Node {
    fn owner(&self) -> Caller {
        Self::owner(self)
    }

    fn authenticate(&self, token: &str) -> Result<Caller, Error> {
        Self::authenticate(self, token)
    }

    async fn sign_in(&self, request: SignIn, from: Option<IpAddr>) -> Result<SignedIn, Error> {
        let signed = Self::sign_in(self, request, from).await;
        count(self, "sign-in", signed.as_ref().err());
        signed
    }

    async fn banner(&self) -> Result<Banner, Error> {
        self.read(actions::signin::banner).await
    }

    async fn open_link(&self, ask: Ask) -> Result<Given, Refusal> {
        let given = Self::open_link(self, ask).await;
        let outcome = match given {
            Ok(_) => Outcome::Done,
            Err(Refusal::Busy | Refusal::Unavailable) => Outcome::Failed,
            Err(Refusal::Nothing | Refusal::Tries | Refusal::Part(_)) => Outcome::Refused,
        };
        counted(self, "link.get", outcome);
        given
    }

    async fn open(&self, caller: &Caller, request: evidence::Get) -> Result<Opened, Error> {
        self.open_evidence(caller, request).await
    }

    async fn open_external(
        &self,
        caller: &Caller,
        request: external::Get,
    ) -> Result<Opened, Error> {
        Self::open_external(self, caller, request).await
    }

    async fn open_disclosed(&self, caller: &Caller, request: portal::Get) -> Result<Opened, Error> {
        Self::open_disclosed(self, caller, request).await
    }

    async fn upload(
        &self,
        caller: &Caller,
        request: evidence::Upload,
        body: mpsc::Receiver<std::io::Result<::bytes::Bytes>>,
    ) -> Result<evidence::Evidence, Error> {
        self.upload_evidence(caller, request, body).await
    }
}

/// Gives every action of a node as an endpoint.
pub(super) fn endpoints(node: &Node) -> Vec<Endpoint> {
    struct Collect {
        node: Node,
        endpoints: Vec<Endpoint>,
    }
    impl Visitor for Collect {
        fn action<A: Run>(&mut self) {
            let node = self.node.clone();
            self.endpoints
                .push(Endpoint::new(move |request: A, caller: Caller| {
                    let node = node.clone();
                    async move {
                        let reply = request.run(&node, &caller).await;
                        count(&node, A::NAME, reply.as_ref().err());
                        reply
                    }
                }));
        }
    }
    let mut collect = Collect {
        node: node.clone(),
        endpoints: Vec::new(),
    };
    actions::visit(&mut collect);
    collect.endpoints
}

/// Makes the router of one way in.
pub(super) fn router<B: Backend>(
    endpoints: Vec<Endpoint>,
    backend: B,
    way: Way,
    probes: Probes,
) -> Router {
    let mut router = Router::new();
    for endpoint in endpoints {
        let (path, method) = (endpoint.route.path, filter(endpoint.route.method));
        let endpoint = Arc::new(endpoint);
        let handler = move |Extension(caller), path: PathParams, request: Request| {
            answer(Arc::clone(&endpoint), caller, path, request)
        };
        router = router.route(path, routing::on(method, handler));
    }
    let guard = backend.clone();
    let nobody = match way {
        Way::Socket => Router::new(),
        _ => signin::router(backend.clone()).merge(links::router(backend.clone())),
    };
    let guarded = router
        .merge(bytes::router(backend))
        .method_not_allowed_fallback(async || refuse(&wrong_method()))
        .fallback(async || refuse(&no_place()));
    // Around the whole router: its routes would tell a stranger which methods they take.
    Router::new()
        .fallback_service(guarded)
        .layer(middleware::from_fn(move |request, next| {
            admit(guard.clone(), way, request, next)
        }))
        .merge(public(probes))
        .merge(nobody)
        .layer(middleware::map_response(harden))
}

/// Counts an action that was asked for.
fn count(node: &Node, action: &'static str, error: Option<&Error>) {
    let outcome = match error.map(|error| error.kind) {
        None => Outcome::Done,
        Some(ErrorKind::Unavailable) => Outcome::Failed,
        Some(_) => Outcome::Refused,
    };
    counted(node, action, outcome);
}

fn counted(node: &Node, action: &'static str, outcome: Outcome) {
    let request = metrics::Request { action, outcome };
    let requests = &node.parts().metrics.requests;
    requests.get_or_create(&request).inc();
}

/// What is answered without a caller, besides signing in: nothing of what the node holds.
fn public(probes: Probes) -> Router {
    let document = Arc::<str>::from(openapi::document().to_string());
    let probe = |told: Arc<dyn Fn() -> bool + Send + Sync>| {
        routing::get(move || async move {
            if told() {
                (StatusCode::OK, "yes\n")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "no\n")
            }
        })
    };
    Router::new()
        .route("/ready", probe(probes.ready))
        .route("/live", probe(probes.live))
        .route(
            openapi::PATH,
            routing::get(move || async move { json(StatusCode::OK, document.to_string()) }),
        )
}

/// The fields of the path, where it can be read.
type PathParams = Result<RawPathParams, RawPathParamsRejection>;

/// Finds out who calls, before anything else of the request is looked at.
async fn admit<B: Backend>(backend: B, way: Way, mut request: Request, next: Next) -> Response {
    let caller = match way {
        Way::Socket => Ok(backend.owner()),
        _ => match bearer(request.headers()).or_else(|| signin::cookie(request.headers())) {
            Some(token) => backend.authenticate(token),
            None => Err(Error::new(ErrorKind::Forbidden, "")),
        },
    };
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) if error.kind == ErrorKind::Forbidden => unauthorized(),
        Err(error) => refuse(&error),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn answer(
    endpoint: Arc<Endpoint>,
    caller: Caller,
    path: PathParams,
    request: Request,
) -> Response {
    let streams = endpoint.route.method == Method::Post && accepts_lines(request.headers());
    let fields = match read(&endpoint, path, request).await {
        Ok(fields) => fields,
        Err(response) => return response,
    };
    if streams {
        return stream::answer(caller, |caller| endpoint.run(fields, caller));
    }
    // In a task of its own: a caller that hangs up stops nothing half-way.
    let run = tokio::spawn(endpoint.run(fields, caller));
    match run.await.unwrap_or_else(|_| Err(failed(endpoint.name))) {
        Ok(reply) => json(StatusCode::OK, reply),
        Err(error) => refuse(&error),
    }
}

async fn read(
    endpoint: &Endpoint,
    path: PathParams,
    request: Request,
) -> Result<serde_json::Map<String, serde_json::Value>, Response> {
    let path = path.map_err(|_| refuse(&unreadable_path()))?;
    let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri())
        .map_err(|error| refuse(&invalid(format!("the query cannot be read: {error}"))))?
        .0;
    let body = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX);
    let body = match tokio::time::timeout(BODY_TIME_MAX, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(too_large()),
        Err(_) => return Err(refuse(&invalid("the body did not arrive in time"))),
    };
    endpoint
        .merge(&owned(&path), query, &body)
        .map_err(|error| refuse(&error))
}

/// Gives an error as a response.
pub(super) fn refuse(error: &Error) -> Response {
    json(status(error.kind), write(error))
}

/// Gives JSON as a response.
pub(super) fn json(status: StatusCode, text: String) -> Response {
    let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (status, [kind], Body::from(text)).into_response()
}

/// The error of an action that panicked: what went wrong stands in the log, not in the answer.
pub(super) fn failed(action: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the node failed at {action}"),
    )
    .hint("look into the node's log, and report it: this is a fault of the program")
}

/// Gives an error as JSON.
pub(super) fn write(error: &Error) -> String {
    serde_json::to_string(error).expect("an error is text and serialises")
}

fn unauthorized() -> Response {
    let error = Error::new(ErrorKind::Forbidden, "this needs a valid token or session").hint(
        "send `Authorization: Bearer SECRET`: a token of `interdocket token add`, or what POST /v0/sign-in gave",
    );
    let mut response = json(StatusCode::UNAUTHORIZED, write(&error));
    let bearer = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    response
}

fn too_large() -> Response {
    let error = invalid(format!(
        "the body is incomplete or has more than {BODY_BYTES_MAX} bytes"
    ))
    .hint("send files to /v0/cases/{case}/files");
    json(StatusCode::PAYLOAD_TOO_LARGE, write(&error))
}

/// The error of a path that is not text once decoded.
pub(super) fn unreadable_path() -> Error {
    invalid("the path is not UTF-8")
}

fn no_place() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such place in the API")
        .hint("the places are described at /openapi.json")
}

pub(super) fn wrong_method() -> Error {
    invalid("this place does not take that method").hint("see /openapi.json")
}

async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn accepts_lines(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains(stream::MEDIA_TYPE))
}

fn owned(path: &RawPathParams) -> Vec<(String, String)> {
    path.iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

const fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
    }
}

/// The most that the JSON body of a request may have: room for a selection of 20,000 items by id.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a JSON body may take to arrive.
const BODY_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(30);
