//! Where packages are downloaded by link: by whoever holds one, without a caller. Over HTTPS only.
//!
//! Invariant: no action is reached from here, and links that do not work all get the same answer. Nothing is counted or
//! recorded as a download but a GET: neither a HEAD nor what a browser fetches ahead.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HeaderName, IF_RANGE, RANGE, REFERRER_POLICY, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing;

use super::api::{Backend, refuse, wrong_method};
use super::bytes::disposition;
use super::signin::Peer;
use crate::links::{Ask, Given, Part, Refusal, What};

/// Where a package is downloaded.
pub(super) const LINK: &str = "/links/{token}";

/// Makes the router.
pub(super) fn router<B: Backend>(backend: B) -> Router {
    Router::new()
        .route(LINK, routing::get(get::<B>).head(head::<B>))
        .method_not_allowed_fallback(async || refuse(&wrong_method()))
        .layer(middleware::map_response(harden))
        .with_state(Arc::new(backend))
}

type Token = Result<Path<String>, PathRejection>;

async fn head<B: Backend>(
    State(backend): State<Arc<B>>,
    token: Token,
    request: Request,
) -> Response {
    answer(backend, token, from(&request), What::Head).await
}

async fn get<B: Backend>(
    State(backend): State<Arc<B>>,
    token: Token,
    request: Request,
) -> Response {
    if ahead(request.headers()) {
        return refused(Refusal::Unavailable);
    }
    let what = wanted(request.headers());
    answer(backend, token, from(&request), what).await
}

/// From which address a request comes.
fn from(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Peer>().and_then(|peer| peer.0)
}

async fn answer<B: Backend>(
    backend: Arc<B>,
    token: Token,
    from: Option<IpAddr>,
    what: What,
) -> Response {
    let ask = Ask {
        // What is no text is no token either.
        token: token.map_or_else(|_| String::new(), |Path(token)| token),
        from,
        what,
    };
    // In a task of its own: who hangs up stops nothing half-way.
    let run = tokio::spawn(async move { backend.open_link(ask).await });
    match run.await.unwrap_or(Err(Refusal::Unavailable)) {
        Ok(given) => give(given),
        Err(refusal) => refused(refusal),
    }
}

fn give(given: Given) -> Response {
    let Given {
        name,
        tag,
        length,
        span,
        bytes,
    } = given;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (CONTENT_LENGTH, HeaderValue::from(span.end - span.start)),
        (CONTENT_DISPOSITION, disposition(&name)),
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (ETAG, text(&tag)),
    ];
    let body = bytes.map_or_else(Body::empty, |mut bytes| {
        let stream = futures_util::stream::poll_fn(move |context| bytes.poll_next(context));
        Body::from_stream(stream)
    });
    if span == (0..length) {
        return (headers, body).into_response();
    }
    let range = format!("bytes {}-{}/{length}", span.start, span.end - 1);
    let range = [(CONTENT_RANGE, text(&range))];
    (StatusCode::PARTIAL_CONTENT, headers, range, body).into_response()
}

/// Why nothing is given, for a person with a browser.
fn refused(refusal: Refusal) -> Response {
    let (status, message) = match refusal {
        Refusal::Nothing => (StatusCode::GONE, NOTHING),
        Refusal::Tries => (StatusCode::TOO_MANY_REQUESTS, TRIES),
        Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, BUSY),
        Refusal::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
        Refusal::Part(_) => (StatusCode::RANGE_NOT_SATISFIABLE, PART),
    };
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    let mut response = (status, [(CONTENT_TYPE, plain)], message).into_response();
    let headers = response.headers_mut();
    match refusal {
        Refusal::Part(length) => {
            headers.insert(CONTENT_RANGE, text(&format!("bytes */{length}")));
        }
        Refusal::Tries => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("900"));
        }
        Refusal::Busy | Refusal::Unavailable => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
        }
        Refusal::Nothing => {}
    }
    response
}

/// Has nobody keep, frame, index or pass on what is here.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = "default-src 'none'; frame-ancestors 'none'; sandbox";
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(
        ROBOTS,
        HeaderValue::from_static("noindex, nofollow, noarchive"),
    );
    response
}

/// Whether a browser says that nobody asked for it yet: it fetches what somebody might open.
///
/// Source: Fetch, "Sec-Purpose"; before it `Purpose` and `X-Moz` said the same.
fn ahead(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .iter()
        .filter_map(|name| headers.get(*name)?.to_str().ok())
        .any(|purpose| purpose.contains("prefetch") || purpose.contains("preview"))
}

/// What of the package is asked for. What is no single range is for all of it (RFC 9110, 14.2).
fn wanted(headers: &HeaderMap) -> What {
    let mut ranges = headers.get_all(RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else {
        return What::Whole;
    };
    let Some(part) = range.to_str().ok().and_then(part) else {
        return What::Whole;
    };
    let tag = headers.get(IF_RANGE).map(|tag| tag.to_str().unwrap_or(""));
    What::Part(part, tag.map(ToOwned::to_owned))
}

fn part(range: &str) -> Option<Part> {
    let (from, to) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    match (from, to) {
        ("", count) => number(count).map(Part::Last),
        (from, "") => Some(Part::From(number(from)?, None)),
        (from, to) => {
            let (from, to) = (number(from)?, number(to)?);
            (from <= to).then_some(Part::From(from, Some(to)))
        }
    }
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).expect("it is printable ASCII")
}

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

const NOTHING: &str = "This link does not work. It may be incomplete, its days may be over, or it was used up or \
    revoked. Ask whoever gave it to you.\n";
const TRIES: &str = "Too many links that do not work were tried from your address. Try again in a quarter of an hour.\n";
const BUSY: &str = "Too many downloads are under way. Try again in a minute.\n";
const UNAVAILABLE: &str =
    "This can't be downloaded now. Try again later, or ask whoever gave you the link.\n";
const PART: &str = "There is no such part of it.\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// fault D13
    #[test]
    fn one_range_is_a_part_and_whatever_else_is_asked_for_is_all() {
        for (range, expected) in [
            ("bytes=0-", Some(Part::From(0, None))),
            ("bytes=5-9", Some(Part::From(5, Some(9)))),
            ("bytes=-7", Some(Part::Last(7))),
            ("bytes=9-5", None),
            ("bytes=0-1,3-4", None),
            ("bytes=0-,0-,0-,0-", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("bytes=99999999999999999999-", None),
            ("items=0-1", None),
            ("", None),
        ] {
            assert_eq!(part(range), expected, "{range}");
            let mut headers = HeaderMap::new();
            headers.append(RANGE, HeaderValue::from_static(range));
            let whole = expected.map_or(What::Whole, |part| What::Part(part, None));
            assert_eq!(wanted(&headers), whole, "{range}");
            headers.append(RANGE, HeaderValue::from_static(range));
            assert_eq!(wanted(&headers), What::Whole, "two of them");
        }
    }
}
