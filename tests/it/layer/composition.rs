//! The layer among other layers: each stack compiles, lets a signed request through and answers
//! an unsigned one with 403.

use std::{
    fmt::Debug,
    future::Future,
    io::Write,
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    limit::ConcurrencyLimitLayer,
    util::{BoxCloneService, BoxCloneSyncService, BoxService},
};
use tower_http::{
    catch_panic::CatchPanicLayer, decompression::RequestDecompressionLayer,
    limit::RequestBodyLimitLayer, timeout::TimeoutLayer, trace::TraceLayer,
};
use tower_webhook::{
    BufferedBody, Rejection, RejectionKind, Scheme, SignatureLayer, Verified, providers::GitHub,
};

use crate::{
    net,
    support::{
        BoxError, Inner, SECRET, Script, hmac_sha256, meta_layer, meta_request, meta_signature,
        secret,
    },
};

/// The innermost service, for every type of body: it answers with the body that it was given and
/// panics when it is called without having been ready.
#[derive(Debug, Default)]
struct Echo {
    calls: Arc<AtomicUsize>,
    is_ready: bool,
}

impl Clone for Echo {
    fn clone(&self) -> Self {
        Self { calls: Arc::clone(&self.calls), is_ready: false }
    }
}

impl<B> Service<Request<B>> for Echo
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(mem::take(&mut self.is_ready), "called without having been ready");
        self.calls.fetch_add(1, Ordering::SeqCst);
        assert!(request.extensions().get::<Verified>().is_some(), "verified");
        Box::pin(async {
            let body = request.into_body().collect().await.map_err(Into::into)?.to_bytes();
            Ok(Response::new(Full::new(body)))
        })
    }
}

pub(super) fn signed(body: &'static str) -> Request<Full<Bytes>> {
    meta_request(body.as_bytes(), Full::new(Bytes::from_static(body.as_bytes())))
}

pub(super) fn unsigned(body: &'static str) -> Request<Full<Bytes>> {
    let mut request = signed(body);
    request.headers_mut().remove("x-hub-signature-256");
    request
}

pub(super) async fn call<S, B>(
    name: &str,
    service: &S,
    request: Request<Full<Bytes>>,
) -> (StatusCode, Bytes)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone,
    S::Error: Debug,
    B: Body,
    B::Error: Debug,
{
    let response = service.clone().oneshot(request).await;
    let response = response.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

/// Asserts that signed requests reach `echo` through this stack, and that others do not.
async fn assert_guards<S, B>(name: &str, echo: &Echo, service: S)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone,
    S::Error: Debug,
    B: Body,
    B::Error: Debug,
{
    let mut altered = signed("hello");
    *altered.body_mut() = Full::new(Bytes::from_static(b"Hello"));
    for (what, request, expected, body) in [
        ("signed", signed("hello"), StatusCode::OK, "hello"),
        ("unsigned", unsigned("hello"), StatusCode::FORBIDDEN, ""),
        ("altered", altered, StatusCode::FORBIDDEN, ""),
        ("signed, without a body", signed(""), StatusCode::OK, ""),
    ] {
        let answer = call(name, &service, request).await;
        assert_eq!(answer, (expected, Bytes::from(body)), "{name}: {what}");
    }
    assert_eq!(echo.calls.load(Ordering::SeqCst), 2, "{name}: calls");
}

/// One test for a stack above us and one for it below us. `$stack` is called on a builder.
macro_rules! above_and_below {
    ($($name:ident: |$builder:ident| $stack:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let echo = Echo::default();
                let $builder = ServiceBuilder::new();
                let above = $stack.layer(meta_layer()).service(echo.clone());
                assert_guards("above", &echo, above).await;

                let echo = Echo::default();
                let $builder = ServiceBuilder::new().layer(meta_layer());
                let below = $stack.service(echo.clone());
                assert_guards("below", &echo, below).await;
            }
        )*
    };
}

const HOUR: Duration = Duration::from_secs(3600);

above_and_below! {
    with_trace: |builder| builder.layer(TraceLayer::new_for_http());
    with_towers_timeout: |builder| builder.timeout(HOUR);
    with_tower_https_timeout: |builder| {
        builder.layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, HOUR))
    };
    with_load_shed: |builder| builder.load_shed();
    with_a_concurrency_limit: |builder| builder.concurrency_limit(1);
    with_load_shed_and_a_concurrency_limit: |builder| builder.load_shed().concurrency_limit(1);
    with_a_buffer: |builder| builder.buffer(1);
    with_a_buffer_and_a_concurrency_limit: |builder| builder.buffer(4).concurrency_limit(1);
    with_a_body_limit: |builder| builder.layer(RequestBodyLimitLayer::new(5));
    with_catch_panic: |builder| builder.layer(CatchPanicLayer::new());
    with_an_option_layer: |builder| builder.option_layer(Some(ConcurrencyLimitLayer::new(1)));
    with_mapped_errors: |builder| builder.map_err(|error: BoxError| error.to_string());
    with_a_whole_stack: |builder| {
        builder
            .layer(TraceLayer::new_for_http())
            .layer(CatchPanicLayer::new())
            .load_shed()
            .concurrency_limit(8)
            .timeout(HOUR)
    };
}

#[tokio::test]
async fn layer_guards_boxed_services() {
    let echo = Echo::default();
    let service = BoxCloneSyncService::new(meta_layer().layer(echo.clone()));
    assert_guards("BoxCloneSyncService around", &echo, service).await;

    let echo = Echo::default();
    let service = meta_layer().layer(BoxCloneSyncService::new(echo.clone()));
    assert_guards("BoxCloneSyncService inside", &echo, service).await;

    let echo = Echo::default();
    let service = BoxCloneService::new(meta_layer().layer(echo.clone()));
    assert_guards("BoxCloneService around", &echo, service).await;

    let echo = Echo::default();
    let mut service = BoxService::new(meta_layer().layer(echo.clone()));
    let response = service.ready().await.unwrap().call(signed("hello")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let response = service.ready().await.unwrap().call(unsigned("hello")).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn trace_on_response_sees_the_rejection() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let echo = Echo::default();
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http().on_response(
            move |response: &Response<_>, _: Duration, _: &_| {
                let is_refused = response.extensions().get::<Rejection>().is_some();
                counted.fetch_add(usize::from(is_refused), Ordering::SeqCst);
            },
        ))
        .layer(meta_layer())
        .service(echo.clone());
    assert_guards("on_response", &echo, service).await;
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

/// Sends a signed body of six bytes, in two frames of undeclared length, unless `declared`.
async fn send_six_bytes<S, B>(service: S, declared: bool) -> Result<Response<B>, S::Error>
where
    S: Service<Request<Script>, Response = Response<B>>,
{
    let mut request = meta_request(b"sixsix", Script::data(["six", "six"]));
    if declared {
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("6"));
    }
    service.oneshot(request).await
}

#[tokio::test]
async fn a_body_limit_above_us_is_answered_with_413() {
    for (name, declared) in [("by the limit itself", true), ("by us", false)] {
        let echo = Echo::default();
        let service = ServiceBuilder::new()
            .layer(RequestBodyLimitLayer::new(5))
            .layer(meta_layer())
            .service(echo.clone());
        let response = send_six_bytes(service, declared).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{name}");
        let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
        assert_eq!(kind, (!declared).then_some(RejectionKind::BodyTooLarge), "{name}");
        assert_eq!(echo.calls.load(Ordering::SeqCst), 0, "{name}");
    }
}

#[tokio::test]
async fn a_body_limit_below_us_is_its_own() {
    let echo = Echo::default();
    let service = ServiceBuilder::new()
        .layer(meta_layer())
        .layer(RequestBodyLimitLayer::new(5))
        .service(echo.clone());
    let response = send_six_bytes(service.clone(), true).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(response.extensions().get::<Rejection>().is_none());
    assert_eq!(echo.calls.load(Ordering::SeqCst), 0);

    // Without a header it leaves the answer to whoever reads the body.
    let error = send_six_bytes(service, false).await.err().unwrap();
    assert!(error.is::<LengthLimitError>(), "{error}");
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

/// A request whose body is compressed, signed over `over`.
fn compressed(plain: &[u8], over: &[u8]) -> Request<Full<Bytes>> {
    let mut request = meta_request(over, Full::new(gzip(plain)));
    request.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    request
}

#[tokio::test]
async fn decompression_below_the_layer_keeps_signed_bytes() {
    let echo = Echo::default();
    let service = ServiceBuilder::new()
        .layer(meta_layer())
        .layer(RequestDecompressionLayer::new())
        .service(echo.clone());
    assert_guards("not compressed", &echo, service.clone()).await;

    let answer = call("compressed", &service, compressed(b"hello", &gzip(b"hello"))).await;
    assert_eq!(answer, (StatusCode::OK, Bytes::from("hello")));
    // Signed before it was compressed: not what was sent.
    let answer = call("plain", &service, compressed(b"hello", b"hello")).await;
    assert_eq!(answer.0, StatusCode::FORBIDDEN);
    let mut unsigned = compressed(b"hello", b"");
    unsigned.headers_mut().remove("x-hub-signature-256");
    assert_eq!(call("unsigned", &service, unsigned).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn decompression_above_the_layer_breaks_signatures() {
    let echo = Echo::default();
    let service = ServiceBuilder::new()
        .layer(RequestDecompressionLayer::new())
        .layer(meta_layer())
        .service(echo.clone());
    assert_guards("not compressed", &echo, service.clone()).await;

    let answer = call("compressed", &service, compressed(b"hello", &gzip(b"hello"))).await;
    assert_eq!(answer, (StatusCode::FORBIDDEN, Bytes::new()));
    assert_eq!(echo.calls.load(Ordering::SeqCst), 2, "not called again");
}

#[tokio::test]
async fn limit_below_decompression_bounds_its_output() {
    let bomb = vec![0; 4 << 20];
    let echo = Echo::default();
    // Decompression leaves no `Content-Length`, so the limit is met while the body is read.
    let service = ServiceBuilder::new()
        .layer(meta_layer())
        .layer(RequestDecompressionLayer::new())
        .layer(RequestBodyLimitLayer::new(1 << 20))
        .service(echo);
    let error = service.oneshot(compressed(&bomb, &gzip(&bomb))).await.err().unwrap();
    assert!(error.is::<LengthLimitError>(), "{error}");
}

#[tokio::test]
async fn body_limit_counts_decompressed_bytes() {
    let bomb = vec![0; 4 << 20];
    let echo = Echo::default();
    let service = ServiceBuilder::new()
        .layer(RequestDecompressionLayer::new())
        .layer(meta_layer())
        .service(echo.clone());
    let answer = call("bomb", &service, compressed(&bomb, &bomb)).await;
    assert_eq!(answer.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(echo.calls.load(Ordering::SeqCst), 0);
}

fn acme_layer() -> SignatureLayer<tower_webhook::scheme::SchemeVerifier> {
    const ACME: Scheme = Scheme::hmac_sha256("x-acme-signature").provider("acme");
    SignatureLayer::new(ACME.verifier(secret()).unwrap())
}

#[tokio::test]
async fn two_layers_must_both_hold() {
    for (name, meta, acme, expected) in [
        ("both", true, true, Ok(())),
        ("the outer alone", true, false, Err("acme")),
        ("the inner alone", false, true, Err("meta")),
        ("neither", false, false, Err("meta")),
    ] {
        let inner = Inner::default();
        let service =
            ServiceBuilder::new().layer(meta_layer()).layer(acme_layer()).service(inner.clone());
        let mut request = if meta { signed("hello") } else { unsigned("hello") };
        if acme {
            let signature = hmac_sha256(SECRET, b"hello").try_into().unwrap();
            request.headers_mut().insert("x-acme-signature", signature);
        }
        let Ok(response) = service.oneshot(request).await;
        let refused_by = response.extensions().get::<Rejection>().map(Rejection::provider);
        assert_eq!(refused_by, expected.err(), "{name}");
        if expected.is_ok() {
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            // The last to verify is named; `all_of` names the first.
            assert_eq!(inner.only_call().verified().provider(), "acme", "{name}");
        } else {
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}");
            assert_eq!(inner.count(), 0, "{name}");
        }
    }
}

#[tokio::test]
async fn two_layers_may_ask_for_one_header() {
    let echo = Echo::default();
    let service = ServiceBuilder::new()
        .layer(meta_layer())
        .layer(SignatureLayer::new(GitHub::new(secret()).unwrap()))
        .service(echo.clone());
    assert_guards("Meta and GitHub", &echo, service).await;
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn timeout_above_covers_the_upload_and_below_does_not() {
    const SECOND: Duration = Duration::from_secs(1);
    let timeout = || TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, SECOND);
    let slow = tower::service_fn(|_: Request<BufferedBody>| async {
        tokio::time::sleep(HOUR).await;
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    });
    let above = ServiceBuilder::new().layer(timeout()).layer(meta_layer()).service(slow);
    let below = ServiceBuilder::new().layer(meta_layer()).layer(timeout()).service(slow);
    let (status, _) = call("above", &above, signed("hello")).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    let (status, _) = call("below", &below, signed("hello")).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);

    // A body that never ends meets our own deadline, unless a shorter one stands above us.
    let stalled = || meta_request(b"", Script::new([crate::support::Event::Stall]));
    let Ok(response) = above.oneshot(stalled()).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    let Ok(response) = below.oneshot(stalled()).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn client_as_inner_service_forwards_verified_bytes() {
    let upstream = Inner::default();
    // The server behind the proxy verifies for itself, over the same bytes.
    let behind = net::serve(meta_layer().layer(upstream.clone())).await;
    let client: Client<HttpConnector, BufferedBody> =
        Client::builder(TokioExecutor::new()).build_http();
    let proxy = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(meta_layer())
        .map_request(move |mut request: Request<BufferedBody>| {
            let target = request.uri().path_and_query().unwrap();
            let uri = format!("http://{behind}{target}");
            *request.uri_mut() = uri.parse::<Uri>().unwrap();
            request
        })
        .service(client);
    let address = net::serve(proxy).await;

    let mut request = signed("hello");
    *request.uri_mut() = Uri::from_static("/webhook?x='%27");
    let response = net::send(address, request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body(), "handled");
    let call = upstream.only_call();
    assert_eq!(call.body.bytes(), "hello");
    assert_eq!(call.head.uri, "/webhook?x='%27");
    assert_eq!(call.head.headers["x-hub-signature-256"], meta_signature(b"hello"));

    let response = net::send(address, unsigned("hello")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn one_layer_value_serves_axum_hyper_and_tonic() {
    async fn handler(body: Bytes) -> Bytes {
        body
    }
    let layer = meta_layer();
    let router = axum::Router::new().route("/webhook", axum::routing::post(handler));
    let routes = tonic::service::Routes::from(router.clone());
    let (listener, tonic) = net::listen().await;
    let server = tonic::transport::Server::builder()
        .accept_http1(true)
        .layer(layer.clone())
        .add_routes(routes);
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(server.serve_with_incoming(incoming));
    for (name, address) in [
        ("axum", net::serve_axum(router.layer(layer.clone())).await),
        ("hyper", net::serve(layer.layer(Echo::default())).await),
        ("tonic", tonic),
    ] {
        let response = net::send(address, signed("hello")).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert_eq!(response.body(), "hello", "{name}");
        let response = net::send(address, unsigned("hello")).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}");
    }
}
