//! The extractors for axum: the proof beside any other, behind `axum::serve`.

use std::net::SocketAddr;

use axum::{
    Form, Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request, State},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{Method, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceBuilder;
use tower_webhook::{
    SignatureLayer, Verified,
    axum::{Signed, SignedRejection},
    providers::GitHub,
};

use crate::{
    net::{self, serve_axum},
    support::{SECRET, hmac_sha256},
};

fn github() -> SignatureLayer<GitHub> {
    SignatureLayer::new(GitHub::new(SECRET).unwrap())
}

fn delivery(path: &str, content_type: &str, body: impl Into<Bytes>) -> http::Request<Full<Bytes>> {
    let body = body.into();
    http::Request::post(path)
        .header("x-hub-signature-256", format!("sha256={}", hmac_sha256(SECRET, &body)))
        .header(header::CONTENT_TYPE, content_type)
        .body(Full::new(body))
        .unwrap()
}

/// Status and text of the answer.
async fn send(server: SocketAddr, request: http::Request<Full<Bytes>>) -> (StatusCode, String) {
    let response = net::send(server, request).await;
    (response.status(), String::from_utf8(response.into_body().to_vec()).unwrap())
}

/// The quick start's handler.
async fn pushed(Signed(verified, Json(event)): Signed<Json<Value>>) -> String {
    let text = event["text"].as_str().unwrap_or_default();
    format!("{} {}", verified.provider(), text.len())
}

#[tokio::test]
async fn signed_extractor_is_exempt_from_axums_body_limit() {
    let app = Router::new().route("/github", post(pushed).layer(github()));
    let server = serve_axum(app).await;
    for len in [1, 2 << 20, 3_000_000, 20 << 20] {
        let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(len));
        let answer = send(server, delivery("/github", "application/json", body)).await;
        assert_eq!(answer, (StatusCode::OK, format!("github {len}")), "{len}");
    }
    // Axum's limit is as it was where nothing was verified.
    let plain = |Json(_): Json<Value>| async { "read" };
    let app = Router::new().route("/github", post(plain).layer(github()));
    let server = serve_axum(app).await;
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(3_000_000));
    let answer = send(server, delivery("/github", "application/json", body)).await;
    assert_eq!(answer.0, StatusCode::PAYLOAD_TOO_LARGE);
    // One that is set below the layer does not count either: the body is here whole.
    let stack = ServiceBuilder::new().layer(github()).layer(DefaultBodyLimit::max(10));
    let app = Router::new().route("/github", post(pushed).layer(stack));
    let server = serve_axum(app).await;
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(100));
    let answer = send(server, delivery("/github", "application/json", body)).await;
    assert_eq!(answer, (StatusCode::OK, "github 100".to_owned()));
}

#[tokio::test]
async fn any_extractor_runs_behind_the_proof() {
    #[derive(Deserialize)]
    struct Order {
        id: u64,
    }

    async fn form(
        State(state): State<&'static str>,
        Signed(_, Form(order)): Signed<Form<Order>>,
    ) -> String {
        format!("{state} {}", order.id)
    }

    let app = Router::new()
        .route(
            "/json",
            post(|Signed(_, Json(order)): Signed<Json<Order>>| async move { order.id.to_string() }),
        )
        .route("/form", post(form))
        .route("/text", post(|Signed(_, text): Signed<String>| async move { text }))
        .route("/bytes", post(|Signed(_, bytes): Signed<Bytes>| async move { bytes }))
        .route(
            "/proof",
            post(|verified: Verified, text: String| async move {
                format!("{} {text}", verified.provider())
            }),
        )
        .layer(github())
        .with_state("state");
    let server = serve_axum(app).await;
    let form = "application/x-www-form-urlencoded";
    for (path, content_type, body, expected) in [
        ("/json", "application/json", r#"{"id":7}"#, "7"),
        ("/form", form, "id=7", "state 7"),
        ("/text", "text/plain", "hello", "hello"),
        ("/bytes", "text/plain", "hello", "hello"),
        ("/bytes", "text/plain", "", ""),
        ("/proof", "text/plain", "hello", "github hello"),
    ] {
        let answer = send(server, delivery(path, content_type, body)).await;
        assert_eq!(answer, (StatusCode::OK, expected.to_owned()), "{path}");
    }
    // Its own rejections are axum's.
    for (path, content_type, body, status) in [
        ("/json", "text/plain", r#"{"id":7}"#, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("/json", "application/json", "{", StatusCode::BAD_REQUEST),
        ("/json", "application/json", "{}", StatusCode::UNPROCESSABLE_ENTITY),
        ("/text", "text/plain", "\u{7f}", StatusCode::OK),
    ] {
        let answer = send(server, delivery(path, content_type, body)).await;
        assert_eq!(answer.0, status, "{path} {body}");
        assert!(status == StatusCode::OK || !answer.1.is_empty(), "axum says why");
    }
    let mut forged = delivery("/json", "application/json", r#"{"id":7}"#);
    *forged.body_mut() = Full::from(r#"{"id":8}"#);
    assert_eq!(send(server, forged).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn without_the_layer_the_caller_gets_an_empty_500() {
    #[cfg(feature = "tracing")]
    let lines = crate::observe::tracing::Lines::default();
    #[cfg(feature = "tracing")]
    let _guard = lines.subscribe();
    let app = Router::new()
        .route("/signed", post(pushed))
        .route("/proof", post(async |_: Verified| "verified"))
        .route("/optional", post(async |_: Option<Verified>| "verified"));
    for path in ["/signed", "/proof", "/optional"] {
        let request = delivery(path, "application/json", "{}").map(Body::new);
        let response = tower::ServiceExt::oneshot(app.clone(), request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert!(body.is_empty(), "{body:?}");
    }
    #[cfg(feature = "tracing")]
    {
        let lines = lines.json();
        let paths: Vec<_> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["/signed", "/proof", "/optional"]);
        for line in &lines {
            assert_eq!((&line["level"], &line["method"]), (&"ERROR".into(), &"POST".into()));
            assert!(line["message"].as_str().unwrap().contains("SignatureLayer::new"), "{line}");
        }
    }
}

#[tokio::test]
async fn body_changed_below_the_layer_is_answered_with_500() {
    async fn replaced(request: Request, next: Next) -> Response {
        let how = request.uri().path().to_owned();
        let (head, body) = request.into_parts();
        let body = match how.as_str() {
            "/same" => Body::from(axum::body::to_bytes(body, usize::MAX).await.unwrap()),
            "/shorter" => Body::from("{}"),
            "/other" => Body::from(r#"{"text":"hellO"}"#),
            "/longer" => Body::from(r#"{"text":"hello"} "#),
            "/gone" => Body::empty(),
            "/endless" => Body::from_stream(Endless),
            _ => body,
        };
        next.run(Request::from_parts(head, body)).await
    }

    /// Ends by an error, after more than was verified.
    struct Endless;
    impl tokio_stream::Stream for Endless {
        type Item = Result<Bytes, std::io::Error>;
        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(Some(Ok(Bytes::from_static(b"0123456789abcdef"))))
        }
    }

    let stack = ServiceBuilder::new().layer(github().map_body(Body::new)).layer(from_fn(replaced));
    let app = Router::new().route("/{how}", post(pushed).layer(stack));
    let server = serve_axum(app).await;
    for (how, status) in [
        ("untouched", 200),
        ("same", 200),
        ("shorter", 500),
        ("other", 500),
        ("longer", 500),
        ("gone", 500),
        ("endless", 500),
    ] {
        let request = delivery(&format!("/{how}"), "application/json", r#"{"text":"hello"}"#);
        let answer = send(server, request).await;
        assert_eq!(answer.0, status, "{how}");
        assert_eq!(answer.1.is_empty(), status == 500, "{how}: nothing of the cause is told");
    }
}

#[tokio::test]
async fn what_is_only_reported_has_an_optional_proof() {
    async fn report(verified: Option<Verified>, body: String) -> String {
        format!("{} {body}", verified.map_or("nobody", |verified| verified.provider()))
    }

    let app = Router::new()
        .route("/report", post(report).get(report))
        .route("/signed", post(pushed))
        .route("/proof", post(async |_: Verified| "verified"))
        .layer(github().dangerously_report_only());
    let server = serve_axum(app).await;
    let genuine = || delivery("/report", "text/plain", "hello");
    assert_eq!(send(server, genuine()).await, (StatusCode::OK, "github hello".to_owned()));
    let mut forged = genuine();
    *forged.body_mut() = Full::from("other");
    assert_eq!(send(server, forged).await, (StatusCode::OK, "nobody other".to_owned()));
    for path in ["/signed", "/proof"] {
        let mut forged = delivery(path, "application/json", "{}");
        *forged.body_mut() = Full::from("[]");
        assert_eq!(send(server, forged).await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()));
    }
    let mut get = genuine();
    *get.method_mut() = Method::GET;
    assert_eq!(send(server, get).await.0, StatusCode::OK);
}

#[test]
fn its_rejection_is_a_response_and_an_error() {
    for rejection in [
        SignedRejection::<StatusCode>::NotSigned,
        SignedRejection::BodyReplaced,
        SignedRejection::Unverified,
    ] {
        let error: &dyn std::error::Error = &rejection;
        assert!(error.to_string().contains("SignatureLayer"), "{error}");
        assert_eq!(rejection.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
    let own = SignedRejection::Extractor(StatusCode::IM_A_TEAPOT);
    assert_eq!(own.into_response().status(), StatusCode::IM_A_TEAPOT);
}

/// The path is that of the access log, and not what `nest` has left of it.
#[cfg(feature = "tracing")]
#[tokio::test]
async fn events_name_the_whole_path_also_under_nest() {
    let lines = crate::observe::tracing::Lines::default();
    let _guard = lines.subscribe();
    let hooks =
        Router::new().route("/github", post(pushed).layer(github())).route("/naked", post(pushed));
    let server = serve_axum(Router::new().nest("/webhooks", hooks)).await;
    send(server, delivery("/webhooks/naked", "application/json", "{}")).await;
    assert_eq!(lines.json()[0]["path"], "/webhooks/naked");
    let mut forged = delivery("/webhooks/github?a=1", "application/json", "{}");
    forged.headers_mut().insert("x-hub-signature-256", "sha256=00".parse().unwrap());
    for request in [forged, delivery("/webhooks/github?a=1", "text/plain", "{}")] {
        send(server, request).await;
        let told = lines.json();
        let told = told.iter().filter(|event| event.get("event_type").is_some());
        let urls: Vec<_> = told.map(|event| event["url"].as_str().unwrap()).collect();
        assert!(
            !urls.is_empty() && urls.iter().all(|url| *url == "/webhooks/github?a=1"),
            "{urls:?}"
        );
    }
}
