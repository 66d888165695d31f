//! The API as a whole, over a node that is made up.

mod links;

use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use ::bytes::Bytes;
use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_LENGTH};
use axum::http::request::Builder;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use super::api::Backend;
use super::endpoint::{Endpoint, status};
use super::*;
use crate::access::ADMINISTRATOR;
use crate::actions::signin::{Banner, SignIn, SignedIn};
use crate::actions::{
    self, Action, Actor, Caller, ErrorKind, Progress, Route, evidence, external, portal,
};
use crate::intake::Opened;
use crate::links::{Arriving, Ask, Given, Part, Refusal, What};
use crate::tests::bench::holds;

/// A node that is made up: it knows one token, one file, and what was sent to it.
#[derive(Clone, Default)]
struct Fake {
    taken: Arc<Mutex<Vec<io::Result<Bytes>>>>,
}

impl Backend for Fake {
    fn owner(&self) -> Caller {
        Caller {
            way: Way::Socket,
            ..caller("owner")
        }
    }

    fn authenticate(&self, token: &str) -> Result<Caller, actions::Error> {
        match token {
            "good" => Ok(caller("kim")),
            other => Err(actions::Error::new(
                ErrorKind::Forbidden,
                format!("{other} is old"),
            )),
        }
    }

    async fn sign_in(
        &self,
        request: SignIn,
        _: Option<IpAddr>,
    ) -> Result<SignedIn, actions::Error> {
        match (request.user.as_str(), request.password.as_str()) {
            ("kim", "right") => Ok(SignedIn {
                secret: "good".to_owned(),
                enrolling: false,
                idle_seconds: 7,
                ends_at: chrono::DateTime::UNIX_EPOCH,
            }),
            _ => Err(actions::Error::new(ErrorKind::Forbidden, "nobody")),
        }
    }

    async fn banner(&self) -> Result<Banner, actions::Error> {
        Ok(Banner {
            text: "beware".to_owned(),
        })
    }

    async fn open_link(&self, ask: Ask) -> Result<Given, Refusal> {
        if ask.token != "good" {
            return Err(Refusal::Nothing);
        }
        let span = match ask.what {
            What::Part(Part::From(from, None), _) if from < 11 => from..11,
            What::Part(..) => return Err(Refusal::Part(11)),
            What::Head | What::Whole => 0..11,
        };
        let (chunks, bytes) = mpsc::channel(1);
        let from = usize::try_from(span.start).unwrap();
        let rest = Bytes::from_static(&b"hello world"[from..]);
        chunks.try_send(Ok(rest)).unwrap();
        Ok(Given {
            name: "../2026/17.zip".to_owned(),
            tag: "\"7\"".to_owned(),
            length: 11,
            span,
            bytes: (ask.what != What::Head).then(|| Arriving::new(bytes)),
        })
    }

    async fn open(&self, _: &Caller, request: evidence::Get) -> Result<Opened, actions::Error> {
        if request.file > 0 {
            return Err(actions::Error::new(ErrorKind::NotFound, "no such file"));
        }
        let (chunks, bytes) = mpsc::channel(2);
        chunks.try_send(Ok(Bytes::from_static(b"hello "))).unwrap();
        chunks.try_send(Ok(Bytes::from_static(b"world"))).unwrap();
        Ok(Opened {
            name: "../x\u{202e}.txt".to_owned(),
            size: 11,
            bytes,
        })
    }

    async fn open_external(&self, _: &Caller, _: external::Get) -> Result<Opened, actions::Error> {
        Err(actions::Error::new(ErrorKind::NotFound, "no such share"))
    }

    async fn open_disclosed(&self, _: &Caller, _: portal::Get) -> Result<Opened, actions::Error> {
        Err(actions::Error::new(
            ErrorKind::NotFound,
            "no such disclosure",
        ))
    }

    async fn upload(
        &self,
        _: &Caller,
        request: evidence::Upload,
        mut body: mpsc::Receiver<io::Result<Bytes>>,
    ) -> Result<evidence::Evidence, actions::Error> {
        while let Some(chunk) = body.recv().await {
            self.taken.lock().unwrap().push(chunk);
        }
        let message = format!("{} {} {}", request.case, request.folder, request.name);
        Err(actions::Error::new(ErrorKind::Conflict, message))
    }
}

/// An action with every sort of field.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Paint {
    house: String,
    colour: String,
    #[serde(default)]
    coats: Option<u32>,
    #[serde(default)]
    wait: bool,
}

impl Action for Paint {
    const NAME: &'static str = "house.paint";
    const ROUTE: Route = Route::post("/v0/houses/{house}/paint");
    const SUMMARY: &'static str = "Paint a house";
    type Reply = Value;

    fn about(&self) -> actions::About {
        actions::About::Nothing
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Look {
    house: String,
    #[serde(default)]
    coats: Option<u32>,
    #[serde(default)]
    close: bool,
}

impl Action for Look {
    const NAME: &'static str = "house.look";
    const ROUTE: Route = Route::get("/v0/houses/{house}");
    const SUMMARY: &'static str = "Look at a house";
    type Reply = Value;

    fn about(&self) -> actions::About {
        actions::About::Nothing
    }
}

#[test]
fn every_kind_of_error_has_its_status() {
    for (kind, code) in [
        (ErrorKind::Invalid, 400),
        (ErrorKind::Forbidden, 403),
        (ErrorKind::NotFound, 404),
        (ErrorKind::Conflict, 409),
        (ErrorKind::Unavailable, 503),
    ] {
        assert_eq!(status(kind), code);
    }
}

#[tokio::test]
async fn request_is_made_of_path_and_body() {
    let body = json!({ "colour": "red", "coats": 2 });
    let answer = post("/v0/houses/a%2Fb/paint", &body.to_string()).await;
    assert_eq!(answer.0, StatusCode::OK);
    assert_eq!(answer.1["house"], "a/b");
    assert_eq!(answer.1["coats"], 2);
    assert_eq!(answer.1["way"], "socket");
    assert_eq!(answer.1["actor"], "owner");
}

#[tokio::test]
async fn request_is_made_of_path_and_query() {
    let answer = get("/v0/houses/7?coats=3&close=true").await;
    assert_eq!(
        answer,
        (
            StatusCode::OK,
            json!({ "house": "7", "coats": 3, "close": true })
        )
    );
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_its_name() {
    let paint = "/v0/houses/1/paint";
    for (answer, message) in [
        (
            post(paint, r#"{"colour":"red","color":"red"}"#).await,
            "knows no field `color`",
        ),
        (
            post(paint, r#"{"colour":"red","house":"2"}"#).await,
            "told `house` twice",
        ),
        (post(paint, "{}").await, "missing field `colour`"),
        (post(paint, r#"{"colour":7}"#).await, "invalid type"),
        (post(paint, "[1]").await, "not a JSON object"),
        (
            post("/v0/houses/1/paint?coats=1", "{}").await,
            "takes no query",
        ),
        (
            get("/v0/houses/1?coats=many").await,
            "`coats` of house.look is a whole number",
        ),
        (
            get("/v0/houses/1?coats=1&coats=2").await,
            "told `coats` twice",
        ),
        (get("/v0/houses/1?roof=1").await, "knows no field `roof`"),
    ] {
        let (code, error) = answer;
        assert_eq!(code, StatusCode::BAD_REQUEST, "{error}");
        assert_eq!(error["kind"], "invalid");
        assert!(
            error["message"].as_str().unwrap().contains(message),
            "{error}"
        );
    }
}

#[tokio::test]
async fn errors_of_actions_arrive_whole() {
    let (code, error) = post("/v0/houses/1/paint", r#"{"colour":"none"}"#).await;
    assert_eq!(code, StatusCode::CONFLICT);
    assert_eq!(
        error,
        json!({ "kind": "conflict", "message": "no paint", "hints": ["buy some"] })
    );
}

#[tokio::test]
async fn action_that_panics_is_an_error_and_the_next_one_runs() {
    let (code, error) = post("/v0/houses/1/paint", r#"{"colour":"panic"}"#).await;
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(error["kind"], "unavailable");
    assert_eq!(get("/v0/houses/1").await.0, StatusCode::OK);
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let body = format!(r#"{{"colour":"{}"}}"#, "x".repeat(1 << 20));
    let (code, error) = post("/v0/houses/1/paint", &body).await;
    assert_eq!(code, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(error["kind"], "invalid");
}

#[tokio::test]
async fn unknown_places_and_methods_are_errors_in_json() {
    assert_eq!(get("/v0/castles").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get("/v0/castles").await.1["kind"], "not_found");
    assert_eq!(get("/v0/houses/1/paint").await.1["kind"], "invalid");
}

#[tokio::test]
async fn paths_that_are_no_text_are_errors_in_json() {
    for path in ["/v0/houses/%ff", "/v0/evidence/%ff/files/0"] {
        let (code, error) = get(path).await;
        assert_eq!(code, StatusCode::BAD_REQUEST);
        assert_eq!(error["message"], "the path is not UTF-8");
    }
}

#[tokio::test]
async fn answer_in_lines_tells_progress_and_then_the_reply() {
    let lines = lines(r#"{"colour":"red"}"#).await;
    let (last, steps) = lines.split_last().unwrap();
    assert_eq!(last["reply"]["colour"], "red");
    assert!(!steps.is_empty());
    for step in steps {
        assert_eq!(step["progress"]["total"], 2);
    }
}

#[tokio::test]
async fn answer_in_lines_ends_with_the_error() {
    let none = lines(r#"{"colour":"none"}"#).await;
    assert_eq!(none.last().unwrap()["error"]["kind"], "conflict");
    let panic = lines(r#"{"colour":"panic"}"#).await;
    assert_eq!(panic.last().unwrap()["error"]["kind"], "unavailable");
}

#[tokio::test]
async fn without_a_valid_token_every_place_says_the_same() {
    let request = |path: &str, token: Option<&str>| {
        let request = Request::get(path);
        match token {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        }
        .body(Body::empty())
        .unwrap()
    };
    let mut answers = Vec::new();
    for (path, token) in [
        ("/v0/houses/1", None),
        ("/v0/houses/1", Some("Bearer old")),
        ("/v0/houses/1", Some("Bearer ")),
        ("/v0/houses/1", Some("Basic good")),
        ("/v0/houses/1?roof=1", None),
        ("/v0/houses/1/paint", None),
        ("/v0/castles", Some("Bearer unknown")),
        ("/", None),
    ] {
        let response = send(Way::Token, request(path, token)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        let headers = format!("{:?}", response.headers());
        answers.push((headers, body(response).await));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");

    let good = send(Way::Token, request("/v0/houses/1", Some("bearer good"))).await;
    assert_eq!(good.status(), StatusCode::OK);
}

/// Row 14 of the figures for criminal-justice users: the banner comes before, and signing in needs nothing else.
#[tokio::test]
async fn only_the_banner_and_signing_in_need_no_caller_and_only_over_https() {
    let ask = |method: &str, path: &str, text: &str| {
        let request = Request::builder().method(method).uri(path);
        request.body(Body::from(text.to_owned())).unwrap()
    };
    let right = r#"{"user":"kim","password":"right","code":"1"}"#;
    let wrong = r#"{"user":"kim","password":"wrong"}"#;
    for (method, path, text, code) in [
        ("GET", "/v0/banner", "", 200),
        ("POST", "/v0/sign-in", right, 200),
        ("POST", "/v0/sign-in", wrong, 403),
        (
            "POST",
            "/v0/sign-in",
            r#"{"user":"kim","password":"right","as":"owner"}"#,
            400,
        ),
        ("POST", "/v0/sign-in", "hunter2", 400),
        ("GET", "/v0/sign-in", "", 400),
        ("POST", "/v0/sign-out", "", 401),
    ] {
        let response = send(Way::Token, ask(method, path, text)).await;
        assert_eq!(response.status(), code, "{method} {path} {text}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = body(response).await;
        assert!(
            !body.contains("hunter2"),
            "what was typed is not said again"
        );
    }
    for path in ["/v0/banner", "/v0/sign-in"] {
        let response = send(Way::Socket, ask("GET", path, "")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}

/// Row 12 of the figures for criminal-justice users.
#[tokio::test]
async fn what_a_browser_keeps_counts_where_a_page_of_this_node_asks_and_nowhere_else() {
    let right = r#"{"user":"kim","password":"right"}"#;
    let asked = |request: Builder, site: Option<&str>| match site {
        Some(site) => request.header("Sec-Fetch-Site", site),
        None => request,
    };
    for (site, code) in [
        (None, 200),
        (Some("same-origin"), 200),
        (Some("cross-site"), 403),
    ] {
        let request = asked(Request::post("/v0/sign-in"), site);
        let response = send(Way::Token, request.body(Body::from(right)).unwrap()).await;
        assert_eq!(response.status(), code, "{site:?}");
        let cookie = response.headers().get("set-cookie");
        let expected = "__Host-interdocket=good; Path=/; Secure; HttpOnly; SameSite=Strict";
        assert_eq!(cookie.is_some_and(|cookie| cookie == expected), code == 200);
    }
    for (cookie, site, code) in [
        ("a=b; __Host-interdocket=good", Some("same-origin"), 200),
        ("__Host-interdocket=good", Some("same-site"), 401),
        ("__Host-interdocket=good", Some("cross-site"), 401),
        ("__Host-interdocket=good", None, 401),
        ("__Host-interdocket=old", Some("same-origin"), 401),
        ("interdocket=good", Some("same-origin"), 401),
    ] {
        let request = Request::get("/v0/houses/1").header("Cookie", cookie);
        let request = asked(request, site).body(Body::empty()).unwrap();
        let response = send(Way::Token, request).await;
        assert_eq!(response.status(), code, "{cookie} {site:?}");
    }
}

#[tokio::test]
async fn description_and_probes_need_no_token() {
    for (path, code) in [("/openapi.json", 200), ("/live", 200), ("/ready", 503)] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = send(Way::Token, request).await;
        assert_eq!(response.status(), code, "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn file_is_sent_as_one_to_keep() {
    let path = format!("/v0/evidence/{}/files/0", uuid::Uuid::nil());
    let response = send(Way::Socket, Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CONTENT_LENGTH], "11");
    assert_eq!(
        response.headers()[CONTENT_DISPOSITION],
        "attachment; filename=\".._x_.txt\"; filename*=UTF-8''.._x_.txt"
    );
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(body(response).await, "hello world");
    let path = format!("/v0/evidence/{}/files/1", uuid::Uuid::nil());
    assert_eq!(get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        get("/v0/evidence/x/files/0").await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn part_of_an_external_file_is_asked_for_in_words_that_are_known() {
    let nil = uuid::Uuid::nil();
    let place = format!("/v0/external/{nil}/evidence/{nil}/files/0");
    for (query, code) in [
        ("", StatusCode::NOT_FOUND),
        ("?from=1&to=2&download=true", StatusCode::NOT_FOUND),
        ("?form=1", StatusCode::BAD_REQUEST),
        ("?from=-1", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(get(&format!("{place}{query}")).await.0, code, "{query}");
    }
    let strange = format!("/v0/external/x/evidence/{nil}/files/0");
    assert_eq!(get(&strange).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn disclosed_file_is_asked_for_in_words_that_are_known() {
    let nil = uuid::Uuid::nil();
    let place = format!("/v0/portal/{nil}/evidence/{nil}/files/0");
    for (query, code) in [
        ("", StatusCode::NOT_FOUND),
        ("?purpose=playback", StatusCode::NOT_FOUND),
        ("?purpose=theft", StatusCode::BAD_REQUEST),
        ("?original=true", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(get(&format!("{place}{query}")).await.0, code, "{query}");
    }
    let strange = format!("/v0/portal/x/evidence/{nil}/files/0");
    assert_eq!(get(&strange).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn file_is_taken_in_from_the_body() {
    let fake = Fake::default();
    let path = "/v0/cases/2026%2F17/files?name=a%20b.txt&folder=photos";
    let request = Request::post(path).body(Body::from("hello")).unwrap();
    let response = dispatch(fake.clone(), Way::Socket, request).await;
    let error: Value = serde_json::from_str(&body(response).await).unwrap();
    assert_eq!(error["message"], "2026/17 photos a b.txt");
    let taken = fake.taken.lock().unwrap();
    assert!(
        matches!(taken.as_slice(), [Ok(chunk)] if chunk == "hello"),
        "{taken:?}"
    );
}

#[tokio::test]
async fn body_that_breaks_off_ends_with_an_error() {
    let fake = Fake::default();
    let cut = futures_util::stream::iter([Ok("half"), Err(io::Error::other("gone"))]);
    let request = Request::post("/v0/cases/1/files?name=x")
        .body(Body::from_stream(cut))
        .unwrap();
    dispatch(fake.clone(), Way::Socket, request).await;
    let taken = fake.taken.lock().unwrap();
    assert!(matches!(taken.as_slice(), [Ok(_), Err(_)]), "{taken:?}");
}

#[tokio::test]
async fn upload_without_a_name_or_with_unknown_fields_is_refused() {
    assert_eq!(
        post("/v0/cases/1/files", "x").await.0,
        StatusCode::BAD_REQUEST
    );
    let (code, error) = post("/v0/cases/1/files?name=x&fold=y", "x").await;
    assert_eq!(code, StatusCode::BAD_REQUEST);
    assert!(
        error["message"].as_str().unwrap().contains("`fold`"),
        "{error}"
    );
}

#[tokio::test]
async fn socket_is_only_for_its_owner_and_replaces_a_stale_one() {
    let data = tempfile::tempdir().unwrap();
    drop(bind(data.path()).unwrap());
    let listener = bind(data.path()).unwrap();
    let path = data.path().join(SOCKET);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1);

    let stop = CancellationToken::new();
    let router = router(Fake::default(), Way::Socket);
    let serving = tokio::spawn(listen::serve(listener, router, stop.clone()));
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("/v0/houses/1").body(Body::empty()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);

    stop.cancel();
    serving.await.unwrap();
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_under_way_finishes_when_the_node_stops() {
    let data = tempfile::tempdir().unwrap();
    let listener = bind(data.path()).unwrap();
    let path = data.path().join(SOCKET);
    let (begun, wait) = tokio::sync::oneshot::channel();
    let begun = Mutex::new(Some(begun));
    let go = Arc::new(tokio::sync::Notify::new());
    let gate = Arc::clone(&go);
    let slow = Endpoint::new(move |_: Look, _| {
        let gate = Arc::clone(&gate);
        let begun = begun.lock().unwrap().take();
        async move {
            begun.unwrap().send(()).unwrap();
            gate.notified().await;
            Ok(json!("done"))
        }
    });
    let probes = Probes {
        ready: Arc::new(|| true),
        live: Arc::new(|| true),
    };
    let stop = CancellationToken::new();
    let router = api::router(vec![slow], Fake::default(), Way::Socket, probes);
    let serving = tokio::spawn(listen::serve(listener, router, stop.clone()));
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/v0/houses/1").body(Body::empty()).unwrap();
    let answer = tokio::spawn(sender.send_request(request));
    wait.await.unwrap();
    stop.cancel();
    go.notify_one();
    assert_eq!(answer.await.unwrap().unwrap().status(), StatusCode::OK);
    serving.await.unwrap();
    assert!(tokio::net::UnixStream::connect(&path).await.is_err());
}

#[test]
fn serving_can_be_spawned() {
    fn check(_: impl Send + 'static) {}
    let serve = |listener, node, probes, stop| check(serve_socket(listener, node, probes, stop));
    let _: fn(UnixListener, Node, Probes, CancellationToken) = serve;
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join(SOCKET), "notes").unwrap();
    assert!(matches!(bind(data.path()), Err(Error::Taken(_))));
}

fn caller(name: &str) -> Caller {
    Caller {
        actor: Actor {
            id: uuid::Uuid::nil(),
            name: name.to_owned(),
            badge: String::new(),
        },
        permissions: holds(ADMINISTRATOR),
        way: Way::Timer,
        session: None,
        progress: Progress::default(),
    }
}

fn router(fake: Fake, way: Way) -> Router {
    let paint = Endpoint::new(async |request: Paint, caller: Caller| paint(request, caller).await);
    let look = Endpoint::new(|request: Look, _| {
        std::future::ready(Ok(serde_json::to_value(&request).unwrap()))
    });
    let probes = Probes {
        ready: Arc::new(|| false),
        live: Arc::new(|| true),
    };
    api::router(vec![paint, look], fake, way, probes)
}

async fn paint(request: Paint, caller: Caller) -> Result<Value, actions::Error> {
    caller.progress.report(1, 2);
    tokio::task::yield_now().await;
    match request.colour.as_str() {
        "none" => Err(actions::Error::new(ErrorKind::Conflict, "no paint").hint("buy some")),
        "panic" => panic!("spilt"),
        _ => {
            let mut reply = serde_json::to_value(&request).unwrap();
            reply["actor"] = json!(caller.actor.name);
            reply["way"] = json!(caller.way);
            Ok(reply)
        }
    }
}

async fn dispatch(fake: Fake, way: Way, request: Request<Body>) -> Response<Body> {
    router(fake, way).oneshot(request).await.unwrap()
}

async fn send(way: Way, request: Request<Body>) -> Response<Body> {
    dispatch(Fake::default(), way, request).await
}

async fn body(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn get(path: &str) -> (StatusCode, Value) {
    let response = send(Way::Socket, Request::get(path).body(Body::empty()).unwrap()).await;
    (
        response.status(),
        serde_json::from_str(&body(response).await).unwrap(),
    )
}

async fn post(path: &str, text: &str) -> (StatusCode, Value) {
    let request = Request::post(path)
        .body(Body::from(text.to_owned()))
        .unwrap();
    let response = send(Way::Socket, request).await;
    (
        response.status(),
        serde_json::from_str(&body(response).await).unwrap(),
    )
}

async fn lines(text: &str) -> Vec<Value> {
    let request = Request::post("/v0/houses/1/paint").header(ACCEPT, stream::MEDIA_TYPE);
    let request = request.body(Body::from(text.to_owned())).unwrap();
    let response = send(Way::Socket, request).await;
    assert_eq!(response.headers()["content-type"], stream::MEDIA_TYPE);
    let text = body(response).await;
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
