//! The layer in axum, behind `axum::serve`.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Form, MatchedPath, OriginalUri, Path, Request, State},
    handler::Handler,
    middleware::{Next, from_fn},
    response::Response,
    routing::{get, post},
};
use http::{Method, StatusCode, Uri, header};
use http_body_util::Full;
use serde::Deserialize;
use tower::ServiceBuilder;
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_webhook::{
    BufferedBody, PublicUrl, Rejection, SignatureLayer, Verified,
    providers::{Meta, Twilio},
};

use crate::{
    net::{send, serve_axum, twilio_signature},
    support::{meta_layer, meta_request, secret},
};

/// Says who was verified and what was received.
async fn handle(Extension(verified): Extension<Verified>, body: Bytes) -> String {
    format!("{}: {}", verified.provider(), String::from_utf8_lossy(&body))
}

fn signed(path: &str, body: &str) -> http::Request<Full<Bytes>> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let mut request = meta_request(&body.clone(), Full::new(body));
    *request.uri_mut() = path.parse().unwrap();
    request
}

fn unsigned(method: Method, path: &str) -> http::Request<Full<Bytes>> {
    let mut request = signed(path, "hello");
    *request.method_mut() = method;
    request.headers_mut().remove("x-hub-signature-256");
    request
}

/// A form as Twilio sends it to `https://example.com`, signed for `signed_path`.
fn twilio(path: &str, signed_path: &str) -> http::Request<Full<Bytes>> {
    let url = format!("https://example.com{signed_path}");
    http::Request::post(path)
        .header("x-twilio-signature", twilio_signature(&url, "BodyhiFrom+1"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from_static(b"From=%2B1&Body=hi")))
        .unwrap()
}

fn example_com() -> PublicUrl {
    PublicUrl::base("https://example.com").unwrap()
}

#[tokio::test]
async fn layer_guards_the_handler_in_every_position() {
    for (name, router) in [
        ("Router::layer", Router::new().route("/webhook", post(handle)).layer(meta_layer())),
        (
            "Router::route_layer",
            Router::new().route("/webhook", post(handle)).route_layer(meta_layer()),
        ),
        ("MethodRouter::layer", Router::new().route("/webhook", post(handle).layer(meta_layer()))),
        (
            "MethodRouter::route_layer",
            Router::new().route("/webhook", post(handle).route_layer(meta_layer())),
        ),
        ("Handler::layer", Router::new().route("/webhook", post(handle.layer(meta_layer())))),
        (
            "ServiceBuilder",
            Router::new()
                .route("/webhook", post(handle))
                .route_layer(ServiceBuilder::new().layer(meta_layer())),
        ),
    ] {
        let address = serve_axum(router).await;
        let response = send(address, signed("/webhook", "hello")).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert_eq!(response.body(), "meta: hello", "{name}");

        let mut altered = signed("/webhook", "hello");
        *altered.body_mut() = Full::new(Bytes::from_static(b"Hello"));
        for (what, request) in
            [("altered", altered), ("unsigned", unsigned(Method::POST, "/webhook"))]
        {
            let response = send(address, request).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}: {what}");
            assert_eq!(response.body(), "", "{name}: {what}");
            assert_eq!(response.headers()[header::CONTENT_LENGTH], "0", "{name}: {what}");
        }
    }
}

#[tokio::test]
async fn handler_that_needs_proof_fails_without_the_layer() {
    let address = serve_axum(Router::new().route("/webhook", post(handle))).await;
    let response = send(address, signed("/webhook", "hello")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn layer_guards_fallback_and_route_layer_does_not() {
    for (name, on_router, method, path, expected) in [
        // A route's other methods are behind every kind of layer, so they tell nothing about it.
        ("layer, other method", true, Method::GET, "/webhook", StatusCode::FORBIDDEN),
        ("layer, other path", true, Method::POST, "/elsewhere", StatusCode::FORBIDDEN),
        ("route_layer, other method", false, Method::GET, "/webhook", StatusCode::FORBIDDEN),
        ("route_layer, other path", false, Method::POST, "/elsewhere", StatusCode::NOT_FOUND),
    ] {
        let router = Router::new().route("/webhook", post(handle));
        let router =
            if on_router { router.layer(meta_layer()) } else { router.route_layer(meta_layer()) };
        let address = serve_axum(router).await;
        let response = send(address, unsigned(method, path)).await;
        assert_eq!(response.status(), expected, "{name}");
    }
}

#[tokio::test]
async fn what_is_added_after_the_layer_is_not_guarded() {
    async fn open() -> &'static str {
        "open"
    }
    let router = Router::new()
        .route("/webhook", post(handle))
        .layer(meta_layer())
        .route("/health", get(open))
        .fallback(open);
    let address = serve_axum(router).await;
    for (path, expected) in [
        ("/webhook", StatusCode::FORBIDDEN),
        ("/health", StatusCode::OK),
        ("/elsewhere", StatusCode::OK),
    ] {
        let response = send(address, unsigned(Method::GET, path)).await;
        assert_eq!(response.status(), expected, "{path}");
    }
}

#[tokio::test]
async fn under_nest_the_url_comes_from_the_original_uri() {
    async fn form(
        Extension(verified): Extension<Verified>,
        uri: Uri,
        Form(pairs): Form<Vec<(String, String)>>,
    ) -> String {
        format!("{} {uri} {pairs:?}", verified.provider())
    }
    let original = || example_com().uri_from(|OriginalUri(uri)| uri);
    for (name, url, status_as_sent, status_as_stripped) in [
        ("uri_from", original(), StatusCode::OK, StatusCode::FORBIDDEN),
        // Without it the layer sees the URI that `nest` has left over.
        ("plain origin", example_com(), StatusCode::FORBIDDEN, StatusCode::OK),
    ] {
        let hooks = Router::new()
            .route("/twilio", post(form))
            .route_layer(SignatureLayer::new(Twilio::new(secret(), url).unwrap()));
        let address = serve_axum(Router::new().nest("/hooks", hooks)).await;
        let target = "/hooks/twilio?a='%27";
        let response = send(address, twilio(target, target)).await;
        assert_eq!(response.status(), status_as_sent, "{name}");
        if name == "uri_from" {
            let expected = r#"twilio /twilio?a='%27 [("From", "+1"), ("Body", "hi")]"#;
            assert_eq!(response.body(), expected);
        }
        let response = send(address, twilio(target, "/twilio?a='%27")).await;
        assert_eq!(response.status(), status_as_stripped, "{name}, signed without the prefix");
    }

    // Outside of `nest` the same verifier reads the same URI.
    let router = Router::new()
        .route("/hooks/twilio", post(form))
        .route_layer(SignatureLayer::new(Twilio::new(secret(), original()).unwrap()));
    let address = serve_axum(router).await;
    let response = send(address, twilio("/hooks/twilio?x", "/hooks/twilio?x")).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_layer_around_nest_sees_the_whole_path() {
    let hooks = Router::new().route("/twilio", post(handle));
    let layer = SignatureLayer::new(Twilio::new(secret(), example_com()).unwrap());
    let address = serve_axum(Router::new().nest("/hooks", hooks).layer(layer)).await;
    let response = send(address, twilio("/hooks/twilio", "/hooks/twilio")).await;
    assert_eq!(response.body(), "twilio: From=%2B1&Body=hi");
    let response = send(address, twilio("/hooks/twilio", "/twilio")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn extractors_work_as_without_the_layer() {
    #[derive(Deserialize)]
    struct Message {
        text: String,
    }
    async fn json(
        State(greeting): State<&'static str>,
        Path(tenant): Path<String>,
        path: MatchedPath,
        Extension(verified): Extension<Verified>,
        Json(message): Json<Message>,
    ) -> String {
        let path = path.as_str();
        format!("{greeting} {} at {path} of {tenant}: {}", verified.provider(), message.text)
    }
    let router = Router::new()
        .route("/hooks/{tenant}", post(json))
        .route_layer(meta_layer())
        .with_state("hello");
    let address = serve_axum(router).await;

    let response = send(address, signed("/hooks/a%20b", r#"{"text":"\u00e4"}"#)).await;
    assert_eq!(response.body(), "hello meta at /hooks/{tenant} of a b: ä");
    // Bad JSON is the handler's affair, once it is known to be genuine.
    let response = send(address, signed("/hooks/a", "{")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let mut forged = signed("/hooks/a", "{");
    *forged.body_mut() = Full::new(Bytes::from_static(b"}"));
    assert_eq!(send(address, forged).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn from_fn_works_above_and_below_the_layer() {
    type Refusals = Arc<Mutex<Vec<String>>>;
    async fn above(State(refusals): State<Refusals>, request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        if let Some(rejection) = response.extensions().get::<Rejection>() {
            refusals.lock().unwrap().push(rejection.to_string());
        }
        response
    }
    async fn below(mut request: Request, next: Next) -> Response {
        assert!(request.extensions().get::<Verified>().is_some());
        request.extensions_mut().insert("seen");
        next.run(request).await
    }
    async fn inner(Extension(seen): Extension<&'static str>, body: Bytes) -> String {
        format!("{seen}: {}", String::from_utf8_lossy(&body))
    }

    let refusals = Refusals::default();
    let stack = ServiceBuilder::new()
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&refusals), above))
        .layer(meta_layer())
        .layer(MapRequestBodyLayer::new(Body::new))
        .layer(from_fn(below));
    let address = serve_axum(Router::new().route("/", post(inner)).route_layer(stack)).await;
    let response = send(address, signed("/", "hello")).await;
    assert_eq!(response.body(), "seen: hello");
    let response = send(address, unsigned(Method::POST, "/")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(*refusals.lock().unwrap(), ["meta: x-hub-signature-256: missing or empty"]);

    // In calls of their own, axum itself puts its body between the two.
    let router =
        Router::new().route("/", post(inner)).route_layer(from_fn(below)).route_layer(meta_layer());
    let address = serve_axum(router).await;
    assert_eq!(send(address, signed("/", "hello")).await.body(), "seen: hello");
    let response = send(address, unsigned(Method::POST, "/")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn axums_own_body_limit_stands_behind_ours() {
    const HALF_MEBIBYTE: usize = 512 << 10;
    const MEBIBYTES_3: usize = 3 << 20;
    let router =
        || Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() }));
    for (name, router, len, expected) in [
        ("axum's default", router().route_layer(meta_layer()), 2_000_000, StatusCode::OK),
        (
            "axum's default",
            router().route_layer(meta_layer()),
            5 * HALF_MEBIBYTE,
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            "raised below us",
            router().route_layer(DefaultBodyLimit::max(MEBIBYTES_3)).route_layer(meta_layer()),
            5 * HALF_MEBIBYTE,
            StatusCode::OK,
        ),
        (
            "raised above us",
            router().route_layer(meta_layer()).layer(DefaultBodyLimit::max(MEBIBYTES_3)),
            MEBIBYTES_3,
            StatusCode::OK,
        ),
        (
            "switched off: ours is left",
            router().route_layer(meta_layer()).layer(DefaultBodyLimit::disable()),
            MEBIBYTES_3 + 1,
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
    ] {
        let address = serve_axum(router).await;
        let response = send(address, signed("/", &"x".repeat(len))).await;
        assert_eq!(response.status(), expected, "{name}, {len}");
        if expected == StatusCode::OK {
            assert_eq!(response.body(), &len.to_string(), "{name}");
        }
    }
}

#[tokio::test]
async fn signature_is_checked_before_axums_body_limit() {
    let calls = Arc::new(AtomicUsize::new(0));
    let router = Router::new().route("/", post(|_: Bytes| async {})).route_layer(meta_layer());
    let counted = Arc::clone(&calls);
    let router = router.layer(from_fn(move |request: Request, next: Next| {
        let counted = Arc::clone(&counted);
        async move {
            let response = next.run(request).await;
            let is_ours = response.extensions().get::<Rejection>().is_some();
            counted.fetch_add(usize::from(is_ours), Ordering::SeqCst);
            response
        }
    }));
    let address = serve_axum(router).await;
    let mut request = signed("/", "hello");
    *request.body_mut() = Full::new(Bytes::from(vec![b'x'; 5 << 19]));
    assert_eq!(send(address, request).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn path_spelling_does_not_bypass_the_layer() {
    async fn count(
        State(calls): State<Arc<AtomicUsize>>,
        verified: Option<Extension<Verified>>,
    ) -> String {
        calls.fetch_add(1, Ordering::SeqCst);
        format!("{}", verified.is_some())
    }
    let exact = || Router::new().route("/webhook", post(count));
    let open = || Router::new().route("/webhook", post(count)).route("/{*path}", post(count));
    for (name, router, reaches_all) in [
        ("exact path, route_layer", exact().route_layer(meta_layer()), false),
        ("exact path, layer", exact().layer(meta_layer()), false),
        ("any path, route_layer", open().route_layer(meta_layer()), true),
        ("any path, layer", open().layer(meta_layer()), true),
        ("fallback, layer", Router::new().fallback(post(count)).layer(meta_layer()), true),
    ] {
        let calls = Arc::new(AtomicUsize::new(0));
        let address = serve_axum(router.with_state(Arc::clone(&calls))).await;
        for path in [
            "/webhook",
            "/%77ebhook",
            "/webhoo%6B",
            "/webhook%2F",
            "/%2Fwebhook",
            "/webhook%00",
            "/webhook/",
            "//webhook",
            "/./webhook",
            "/a/../webhook",
            "/WEBHOOK",
            "/webhook;x",
            "/webhook?x=/webhook",
        ] {
            let response = send(address, unsigned(Method::POST, path)).await;
            let status = response.status();
            assert!(status.is_client_error(), "{name} {path}: {status}");
            assert_eq!(calls.load(Ordering::SeqCst), 0, "{name} {path}: unsigned");

            // Whatever reaches the handler was verified.
            let response = send(address, signed(path, "hello")).await;
            if response.status() == StatusCode::OK {
                assert_eq!(response.body(), "true", "{name} {path}");
                assert_eq!(calls.swap(0, Ordering::SeqCst), 1, "{name} {path}: signed");
            } else {
                assert!(!reaches_all, "{name} {path}: {}", response.status());
                assert_eq!(response.status(), StatusCode::NOT_FOUND, "{name} {path}");
            }
        }
    }
}

#[tokio::test]
async fn routes_have_layers_of_their_own() {
    let meta = Meta::new(secret()).unwrap().verify_token(secret()).unwrap();
    let router =
        Router::new().route("/meta", post(handle).route_layer(SignatureLayer::new(meta))).route(
            "/twilio",
            post(handle)
                .route_layer(SignatureLayer::new(Twilio::new(secret(), example_com()).unwrap())),
        );
    let address = serve_axum(router).await;
    assert_eq!(send(address, signed("/meta", "hello")).await.body(), "meta: hello");
    let response = send(address, twilio("/twilio", "/twilio")).await;
    assert_eq!(response.body(), "twilio: From=%2B1&Body=hi");
    for request in [signed("/twilio", "hello"), twilio("/meta", "/meta")] {
        let path = request.uri().clone();
        assert_eq!(send(address, request).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn metas_challenge_needs_a_layer_that_covers_get() {
    let challenge = |path: &str, token: &str| {
        let uri = format!("{path}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158");
        let body = Full::new(Bytes::new());
        http::Request::get(uri).body(body).unwrap()
    };
    let layer = SignatureLayer::new(
        Meta::new(secret())
            .unwrap()
            .verify_token(tower_webhook::Secret::new("meatyhamhock").unwrap())
            .unwrap(),
    );
    let router = Router::new()
        // `Router::route_layer` covers every method of its routes, GET included.
        .merge(Router::new().route("/router", post(handle)).route_layer(layer.clone()))
        .route("/method_layer", post(handle).layer(layer.clone()))
        // This one covers POST alone.
        .route("/method_route_layer", post(handle).route_layer(layer));
    let address = serve_axum(router).await;
    for (path, expected) in [
        ("/router", StatusCode::OK),
        ("/method_layer", StatusCode::OK),
        ("/method_route_layer", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let response = send(address, challenge(path, "meatyhamhock")).await;
        assert_eq!(response.status(), expected, "{path}");
        if expected == StatusCode::OK {
            assert_eq!(response.body(), "1158", "{path}");
            let response = send(address, challenge(path, "other")).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        }
    }
}

#[tokio::test]
async fn service_with_buffered_body_can_be_a_route() {
    let service = tower::service_fn(|request: http::Request<BufferedBody>| async move {
        let body = request.into_body().into_bytes();
        Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(body)))
    });
    let guarded = ServiceBuilder::new().layer(meta_layer()).service(service);
    let address = serve_axum(Router::new().route_service("/", guarded)).await;
    assert_eq!(send(address, signed("/", "hello")).await.body(), "hello");
    let response = send(address, unsigned(Method::POST, "/")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}
