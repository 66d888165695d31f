//! Downloads by link, as browsers, programs and those who look ahead ask for them.

use axum::http::header::{ETAG, RANGE, REFERRER_POLICY};

use super::*;

async fn asked(way: Way, method: &str, path: &str, header: (&str, &str)) -> Response<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header.0, header.1);
    send(way, request.body(Body::empty()).unwrap()).await
}

const HOST: (&str, &str) = ("host", "evil.example");

/// faults D3, D12, D14
#[tokio::test]
async fn package_is_to_be_kept_and_by_nobody_else() {
    for method in ["GET", "HEAD"] {
        let response = asked(Way::Token, method, "/links/good", HOST).await;
        assert_eq!(response.status(), StatusCode::OK);
        let headers = response.headers().clone();
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("content-type", "application/zip"),
            ("accept-ranges", "bytes"),
            ("x-robots-tag", "noindex, nofollow, noarchive"),
        ] {
            assert_eq!(headers[name], value, "{method}");
        }
        assert_eq!(headers[REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[CONTENT_LENGTH], "11");
        assert_eq!(headers[ETAG], "\"7\"");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("sandbox"));
        let name = headers[CONTENT_DISPOSITION].to_str().unwrap();
        assert!(name.starts_with("attachment; filename=\".._2026_17.zip\""));
        let expected = if method == "GET" { "hello world" } else { "" };
        assert_eq!(body(response).await, expected);
    }
}

/// fault D10: nor does it tell anything else, and there is no such place on the socket.
#[tokio::test]
async fn links_that_do_not_work_get_one_answer() {
    let mut answers = Vec::new();
    for path in [
        "/links/old",
        "/links/%ff",
        "/links/x?good",
        "/links/good%2F",
    ] {
        let response = asked(Way::Token, "GET", path, HOST).await;
        assert_eq!(response.status(), StatusCode::GONE, "{path}");
        let headers = format!("{:?}", response.headers());
        assert!(!headers.contains("evil"));
        answers.push((headers, body(response).await));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let response = asked(Way::Socket, "GET", "/links/good", HOST).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let response = asked(Way::Token, "POST", "/links/good", HOST).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

/// fault D12: what looks ahead gets nothing, and uses nothing up.
#[tokio::test]
async fn browser_that_fetches_ahead_gets_nothing() {
    for header in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-purpose", "preview"),
        ("x-moz", "prefetch"),
    ] {
        let response = asked(Way::Token, "GET", "/links/good", header).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!body(response).await.contains("hello"));
    }
}

/// AE-057, fault D13
#[tokio::test]
async fn part_of_a_package_says_which() {
    let range = |range| asked(Way::Token, "GET", "/links/good", (RANGE.as_str(), range));
    let response = range("bytes=6-").await;
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(response.headers()["content-range"], "bytes 6-10/11");
    assert_eq!(response.headers()[CONTENT_LENGTH], "5");
    assert_eq!(body(response).await, "world");
    let response = range("bytes=11-").await;
    assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(response.headers()["content-range"], "bytes */11");
    let many: Vec<_> = (0..10_000).map(|_| "0-").collect();
    let response = range(&format!("bytes={}", many.join(","))).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body(response).await, "hello world");
}
