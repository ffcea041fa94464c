//! Events: each request tells how it ended, once, and nobody who listens can change it.

use std::{
    future::{Ready, pending, ready},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    task::{self, Poll},
    time::{Duration, UNIX_EPOCH},
};

use axum::{Extension, Router, extract::ConnectInfo, routing::post};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_webhook::{
    BufferedBody, Context, Outcome, Rejection, RejectionKind, SignatureLayer, Unverified, Verified,
    Verifier,
    layer::{ByBody, ByHead, Requires, TrustedProxies},
    observe::{Attempt, ClientIp, Event, EventKind, Observer},
    providers::{AzureEventGrid, BoxVerifier, Meta, SharedToken, Slack, Strava},
    scheme::Challenge,
    verifier::{VerifierDefaults, all_of, any_of, verifier_fn, with_challenge},
};

use crate::{
    net,
    support::{
        self, AtTime, BoxError, Inner, SECRET, Script, at, hmac_sha256, meta_layer, meta_request,
        secret, send, unexplained,
    },
};

/// What an observer saw, as text, so that a test reads like a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Seen {
    fn observe(&self, event: &Event<'_>) {
        // It comes at any time, from another thread.
        if event.kind() == EventKind::Explained {
            return;
        }
        let mut line = event.name().to_owned();
        match event.kind() {
            EventKind::Completed { status } => {
                line +=
                    &status.map_or(" error".to_owned(), |status| format!(" {}", status.as_u16()));
            }
            EventKind::Challenge { status } | EventKind::Rejected { status } => {
                line += &format!(" {}", status.as_u16());
            }
            EventKind::Unverified => line += " unverified",
            _ => {}
        }
        line += &event.reason().map(|reason| format!(" {reason}")).unwrap_or_default();
        line += &event.tenant().map(|tenant| format!(" tenant={tenant}")).unwrap_or_default();
        line += &event.key_index().map(|key| format!(" key={key}")).unwrap_or_default();
        line += &event.body_len().map(|len| format!(" body={len}")).unwrap_or_default();
        self.0.lock().unwrap().push(line);
    }
}

fn signed(body: &'static str) -> Request<Script> {
    meta_request(body.as_bytes(), Script::data([body]))
}

fn unsigned(body: &'static str) -> Request<Script> {
    let mut request = signed(body);
    request.headers_mut().remove("x-hub-signature-256");
    request
}

#[tokio::test]
async fn accepted_request_has_two_events_rejected_has_one() {
    let seen = Seen::default();
    let layer = SignatureLayer::new(Meta::new([secret(), secret_of("old")]).unwrap())
        .observer(seen.clone());
    send(&layer, signed("hi")).await;
    assert_eq!(
        seen.take(),
        ["webhook_accepted key=0 body=2", "webhook_completed 200 key=0 body=2"]
    );
    let mut by_old = signed("hi");
    let tag = format!("sha256={}", hmac_sha256("old-secret-of-the-rotation-012345", b"hi"));
    by_old.headers_mut().insert("x-hub-signature-256", tag.parse().unwrap());
    send(&layer, by_old).await;
    assert_eq!(seen.take()[0], "webhook_accepted key=1 body=2");
    send(&layer, unsigned("hi")).await;
    assert_eq!(seen.take(), ["invalid_webhook_signature 403 missing"]);
    send(&layer, meta_request(b"ho", Script::data(["hi"]))).await;
    assert_eq!(seen.take(), ["invalid_webhook_signature 403 signature_mismatch body=2"]);
}

fn secret_of(name: &str) -> tower_webhook::Secret {
    tower_webhook::Secret::new(format!("{name}-secret-of-the-rotation-012345")).unwrap()
}

#[tokio::test]
async fn each_sort_of_refusal_has_its_type() {
    let seen = Seen::default();
    let of = |kind| {
        verifier_fn(move |_, _| -> Result<Verified, Rejection> { Err(Rejection::new(kind)) })
    };
    for (kind, expected) in [
        (RejectionKind::SignatureMismatch, "invalid_webhook_signature 403 signature_mismatch"),
        (RejectionKind::TimestampStale, "invalid_webhook_signature 403 timestamp_stale"),
        (RejectionKind::UnknownTenant, "invalid_webhook_signature 403 unknown_tenant"),
        (RejectionKind::ChallengeFailed, "webhook_verification_failed 403 handshake_failed"),
        (RejectionKind::ChallengeMalformed, "webhook_verification_failed 400 handshake_malformed"),
        (RejectionKind::VerifierUnavailable, "webhook_config_error 503 verifier_unavailable"),
        (RejectionKind::VerifierPanicked, "webhook_config_error 500 verifier_panicked"),
        (RejectionKind::ClockUnreliable, "webhook_config_error 503 clock_suspect"),
        (RejectionKind::Overloaded, "webhook_overload 503 overload"),
    ] {
        send(&SignatureLayer::new(of(kind)).observer(seen.clone()), signed("")).await;
        assert_eq!(seen.take(), [format!("{expected} body=0")]);
    }
    let layer = meta_layer().body_limit(3).observer(seen.clone());
    send(&layer, signed("four")).await;
    assert_eq!(seen.take(), ["webhook_body_refused 413 body_too_large"]);
    let broken = Script::new([support::Event::Error("reset".into())]);
    send(&layer, meta_request(b"", broken)).await;
    assert_eq!(seen.take(), ["webhook_body_refused 400 body_unreadable"]);
}

#[tokio::test]
async fn challenges_are_told_as_such() {
    let seen = Seen::default();
    let meta = Meta::new(secret()).unwrap().verify_token(secret_of("token")).unwrap();
    let layer = SignatureLayer::new(meta).observer(seen.clone());
    let get = |token: &str| {
        let query = format!("hub.mode=subscribe&hub.challenge=1&hub.verify_token={token}");
        Request::get(format!("/webhook?{query}")).body(Script::untouchable()).unwrap()
    };
    send(&layer, get("token-secret-of-the-rotation-012345")).await;
    send(&layer, get("wrong")).await;
    assert_eq!(
        seen.take(),
        ["webhook_handshake 200", "webhook_verification_failed 403 handshake_failed"]
    );

    // A signed challenge: what was proven is told too.
    let body = r#"{"type":"url_verification","challenge":"c"}"#;
    let slack = Slack::new(secret()).unwrap().clock(at(1_700_000_000));
    let layer = SignatureLayer::new(slack).observer(seen.clone());
    let tag = hmac_sha256(SECRET, format!("v0:1700000000:{body}").as_bytes());
    let request = Request::post("/")
        .header("x-slack-request-timestamp", "1700000000")
        .header("x-slack-signature", format!("v0={tag}"))
        .body(Script::data([body]))
        .unwrap();
    send(&layer, request).await;
    assert_eq!(seen.take(), [format!("webhook_handshake 200 key=0 body={}", body.len())]);
}

#[tokio::test]
async fn whatever_ends_the_request_is_told_once() {
    let seen = Seen::default();
    let layer = meta_layer().observer(seen.clone());

    let failing = service_fn(|_: Request<BufferedBody>| ready(Err::<Response<()>, _>("failed")));
    layer.layer(failing).oneshot(signed("hi")).await.unwrap_err();
    assert_eq!(seen.take()[1..], ["webhook_completed error key=0 body=2"]);

    layer.layer(NeverReady).oneshot(signed("hi")).await.unwrap_err();
    assert_eq!(seen.take()[1..], ["webhook_completed error key=0 body=2"]);

    let panicking = service_fn(|_: Request<BufferedBody>| async {
        if true {
            panic!("the handler's");
        }
        Ok::<_, BoxError>(Response::new(String::new()))
    });
    let answer = CatchPanicLayer::new().layer(layer.layer(panicking)).oneshot(signed("hi")).await;
    assert_eq!(answer.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(seen.take()[1..], ["webhook_panicked key=0 body=2"]);

    // Dropped in the handler, and dropped in the body.
    let stuck = service_fn(|_: Request<BufferedBody>| pending::<Result<Response<()>, BoxError>>());
    let mut future = tokio_test_task(layer.layer(stuck).oneshot(signed("hi")));
    assert!(future.poll().is_pending());
    drop(future);
    assert_eq!(seen.take()[1..], ["webhook_cancelled key=0 body=2"]);
    let stalled = meta_request(b"hi", Script::new([support::Event::Stall]));
    let mut future = tokio_test_task(layer.layer(Inner::default()).oneshot(stalled));
    assert!(future.poll().is_pending());
    drop(future);
    assert_eq!(seen.take(), ["webhook_cancelled"]);
}

/// A future that a test polls by hand.
struct Task<F>(std::pin::Pin<Box<F>>);

fn tokio_test_task<F: Future>(future: F) -> Task<F> {
    Task(Box::pin(future))
}

impl<F: Future> Task<F> {
    fn poll(&mut self) -> Poll<F::Output> {
        self.0.as_mut().poll(&mut task::Context::from_waker(task::Waker::noop()))
    }
}

#[derive(Clone)]
struct NeverReady;

impl Service<Request<BufferedBody>> for NeverReady {
    type Response = Response<()>;
    type Error = &'static str;
    type Future = Ready<Result<Response<()>, &'static str>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Err("overloaded"))
    }

    fn call(&mut self, _: Request<BufferedBody>) -> Self::Future {
        panic!("never ready")
    }
}

struct Panics;

impl Observer for Panics {
    fn observe(&self, _: &Event<'_>) {}

    fn keeps_request(&self) -> bool {
        panic!("the observer's")
    }
}

#[tokio::test]
async fn an_observer_that_panics_changes_nothing() {
    let seen = Seen::default();
    let layer =
        meta_layer().observer(|_: &Event<'_>| panic!("the observer's")).observer(seen.clone());
    let (response, inner) = send(&layer, signed("hi")).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));
    let (response, inner) = send(&layer, unsigned("hi")).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::FORBIDDEN, 0));
    assert_eq!(seen.take().len(), 3, "the next observer still hears");
    let layer = meta_layer().observer(Panics).observer(seen.clone());
    assert_eq!(send(&layer, signed("hi")).await.0.status(), StatusCode::OK);
    assert_eq!(seen.take().len(), 2, "the next observer still hears");
    let layer =
        meta_layer().client_ip(ClientIp::new(|_| panic!("the closure's"))).observer(seen.clone());
    assert_eq!(send(&layer, signed("hi")).await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_tenant_is_told_of_refusals_too() {
    let seen = Seen::default();
    let by_head = ByHead::new(|_| ready(Ok(Meta::new(secret()).unwrap().for_tenant("7"))));
    let layer = SignatureLayer::new(by_head).observer(seen.clone());
    send(&layer, signed("hi")).await;
    send(&layer, unsigned("hi")).await;
    let by_body = ByBody::new(Requires::nothing(), |_, _: &Bytes| {
        ready(Ok(Meta::new(secret()).unwrap().for_tenant("8")))
    });
    send(&SignatureLayer::new(by_body).observer(seen.clone()), unsigned("hi")).await;
    assert_eq!(
        seen.take(),
        [
            "webhook_accepted tenant=7 key=0 body=2",
            "webhook_completed 200 tenant=7 key=0 body=2",
            "invalid_webhook_signature 403 missing tenant=7",
            "invalid_webhook_signature 403 missing tenant=8 body=2",
        ]
    );
}

/// The look-up has no defaults, and what it finds is Meta's.
#[tokio::test]
async fn a_look_up_names_the_provider_that_it_found() {
    let providers = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&providers);
    let layer = SignatureLayer::by_head(|_| ready(Ok(Meta::new(secret()).unwrap())));
    let layer = unexplained(layer)
        .observer(move |event: &Event<'_>| kept.lock().unwrap().push(event.provider()));
    send(&layer, signed("hi")).await;
    let (response, _) = send(&layer, unsigned("hi")).await;
    assert_eq!(response.extensions().get::<Rejection>().unwrap().provider(), "meta");
    send(&layer, meta_request(b"ho", Script::data(["hi"]))).await;
    assert_eq!(*providers.lock().unwrap(), ["meta"; 4]);
}

#[tokio::test]
async fn unnamed_verifier_takes_provider_name_of_lookup() {
    let nameless = SignatureLayer::by_head(|_| {
        ready(Ok(verifier_fn(|_: &Parts, _: &Bytes| Err(Rejection::mismatch()))))
    });
    let ours = nameless.defaults(VerifierDefaults::DEFAULT.with_provider("ours"));
    let (response, _) = send(&ours, unsigned("hi")).await;
    assert_eq!(response.extensions().get::<Rejection>().unwrap().provider(), "ours");
}

#[tokio::test]
async fn the_fields_are_those_of_the_request() {
    let checked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&checked);
    let millis = |millis| UNIX_EPOCH + Duration::from_millis(millis);
    let now = Arc::new(Mutex::new(millis(1_700_000_000_123)));
    let clock = Arc::clone(&now);
    let layer =
        meta_layer().clock(move || *clock.lock().unwrap()).observer(move |event: &Event<'_>| {
            *count.lock().unwrap() += 1;
            assert_eq!(event.provider(), "meta");
            assert_eq!(event.method(), "POST");
            assert_eq!(event.url(), "/hooks?a=1&token=[redacted]");
            assert_eq!(event.user_agent().as_deref(), Some(r"curl \xe2\x80\xae"));
            assert_eq!(event.request_id().as_deref(), Some("r-1"));
            assert_eq!(event.received_at_millis(), 1_700_000_000_123);
            if matches!(event.kind(), EventKind::Completed { .. }) {
                assert_eq!(event.elapsed(), Duration::from_millis(7));
                assert_eq!(event.time_to_verdict(), Some(Duration::ZERO));
            }
            // Not asked for, so not kept.
            assert!(event.headers().is_none() && event.body().is_none());
        });
    let mut request = signed("hi");
    *request.uri_mut() = "/hooks?a=1&token=t0ps3cret".parse().unwrap();
    // Text in UTF-8, and the character that turns the reading direction round.
    let agent = http::HeaderValue::from_bytes("curl \u{202e}".as_bytes()).unwrap();
    request.headers_mut().insert("user-agent", agent);
    request.headers_mut().insert("x-request-id", "r-1".parse().unwrap());
    let inner = service_fn(move |_: Request<BufferedBody>| {
        *now.lock().unwrap() = millis(1_700_000_000_130);
        ready(Ok::<_, BoxError>(Response::new(())))
    });
    layer.layer(inner).oneshot(request).await.unwrap();
    assert_eq!(*checked.lock().unwrap(), 2);
}

/// Keeps headers and body, as a log does.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<Kept>>>);

/// The content type and the body.
type Kept = (Option<String>, Option<Bytes>);

impl Observer for Keeper {
    fn observe(&self, event: &Event<'_>) {
        let header = |name| Some(event.headers()?.get(name)?.to_str().unwrap().to_owned());
        self.0.lock().unwrap().push((header("content-type"), event.body().cloned()));
    }

    fn keeps_request(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_secret_that_stands_in_the_url_is_in_no_event() {
    async fn told(verifier: impl Verifier<State: Send> + Clone) -> Vec<String> {
        let urls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&urls);
        let layer = SignatureLayer::new(verifier).observer(move |event: &Event<'_>| {
            seen.lock().unwrap().push(format!("{} {event:?}", event.url()));
        });
        for url in [format!("/hook/{SECRET}?x=1"), format!("/{SECRET}/?code={SECRET}&{SECRET}")] {
            send(&layer, Request::post(url).body(Script::data([""])).unwrap()).await;
        }
        let urls = urls.lock().unwrap();
        urls.clone()
    }

    let (in_path, in_query) = (
        || SharedToken::in_path(secret()).unwrap(),
        || SharedToken::in_query("code", secret()).unwrap(),
    );
    let other = || verifier_fn(|_, _| Ok(Verified::new("other")));
    for lines in [
        told(in_path()).await,
        told(in_query()).await,
        told(Strava::new(in_path(), secret()).unwrap()).await,
        told(AzureEventGrid::new(in_query())).await,
        told(in_path().for_tenant("7")).await,
        told(all_of(other(), in_path())).await,
        told(any_of(other(), in_query())).await,
        told(BoxVerifier::new(in_path())).await,
        told(with_challenge(in_query(), Challenge::EventGrid).unwrap()).await,
    ] {
        assert!(lines.len() >= 3, "one is genuine, and told twice");
        assert!(lines.iter().all(|line| !line.contains(SECRET)), "{lines:?}");
    }
    // Without a secret in it, the URL is there to be read.
    let header = SharedToken::new(http::HeaderName::from_static("x-token"), secret()).unwrap();
    assert!(told(header).await[0].starts_with("/hook/"));
}

#[tokio::test]
async fn headers_and_body_are_kept_for_whoever_asks() {
    let keeper = Keeper::default();
    let layer = meta_layer().observer(keeper.clone());
    send(&layer, signed("hi")).await;
    send(&layer, unsigned("hi")).await;
    let json = Some("application/json".to_owned());
    let body = Some(Bytes::from("hi"));
    assert_eq!(
        *keeper.0.lock().unwrap(),
        [(json.clone(), body.clone()), (json.clone(), body), (json, None)]
    );
}

#[tokio::test]
async fn inner_layers_and_handler_report_to_same_observers() {
    let seen = Seen::default();
    let names = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&names);
    let lasts = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&lasts);
    let layer = meta_layer().observer(seen.clone()).observer(move |event: &Event<'_>| {
        told.lock().unwrap().push(event.is_last());
        kept.lock().unwrap().push((event.delivery_event(), event.status_name(), event.message()));
    });
    let inner = service_fn(|request: Request<BufferedBody>| {
        let attempt = request.extensions().get::<Arc<Attempt>>().unwrap();
        attempt.set_event_name("message.received");
        attempt.set_status("subscription_inactive", "not paid");
        attempt.report(EventKind::RateLimited);
        ready(Ok::<_, BoxError>(Response::new(())))
    });
    layer.layer(inner).oneshot(signed("hi")).await.unwrap();
    assert_eq!(
        seen.take(),
        [
            "webhook_accepted key=0 body=2",
            "rate_limit_exceeded key=0 body=2",
            "webhook_completed 200 key=0 body=2",
        ]
    );
    assert_eq!(*lasts.lock().unwrap(), [false, false, true]);
    let (name, status, message) = names.lock().unwrap().pop().unwrap();
    let said = [name, status, message].map(Option::unwrap);
    assert_eq!(said, ["message.received", "subscription_inactive", "not paid"]);
    // Without an observer there is nobody to speak to.
    assert!(
        send(&meta_layer(), signed("hi"))
            .await
            .1
            .only_call()
            .head
            .extensions
            .get::<Arc<Attempt>>()
            .is_none()
    );
}

#[tokio::test]
async fn client_address_changes_only_by_listed_proxy() {
    let addresses = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&addresses);
    let client_ip = |proxies: &[&str]| {
        let proxies = TrustedProxies::new(proxies, |head| {
            let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(peer.ip())
        });
        ClientIp::forwarded(http::HeaderName::from_static("x-forwarded-for"), proxies.unwrap())
    };
    let observer = move |event: &Event<'_>| {
        kept.lock().unwrap().push(event.client_ip().unwrap());
    };
    let guard = |proxies| {
        let layer = meta_layer().client_ip(client_ip(proxies)).observer(observer.clone());
        post(|| async { "handled" }).layer(layer)
    };
    let router =
        Router::new().route("/direct", guard(&[])).route("/proxied", guard(&["127.0.0.1"]));
    let (listener, address) = net::listen().await;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    for path in ["/direct", "/proxied"] {
        let request = Request::post(path)
            .header("x-forwarded-for", "198.51.100.1, 203.0.113.9")
            .body(Full::<Bytes>::default())
            .unwrap();
        assert_eq!(net::send(address, request).await.status(), StatusCode::FORBIDDEN);
    }
    let expected: [IpAddr; 2] = ["127.0.0.1", "203.0.113.9"].map(|ip| ip.parse().unwrap());
    assert_eq!(*addresses.lock().unwrap(), expected);
}

#[tokio::test]
async fn report_only_forwards_rejected_requests_marked() {
    let seen = Seen::default();
    let layer = meta_layer().dangerously_report_only().observer(seen.clone());
    let forged = || meta_request(b"other", Script::data(["h", "i"]));
    for (request, reason) in
        [(unsigned("hi"), RejectionKind::Missing), (forged(), RejectionKind::SignatureMismatch)]
    {
        let (response, inner) = send(&layer, request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.extensions().get::<Rejection>().is_none());
        let call = inner.only_call();
        assert_eq!(call.body.bytes(), "hi");
        let extensions = &call.head.extensions;
        assert!(extensions.get::<Verified>().is_none());
        let rejection = extensions.get::<Unverified>().unwrap().rejection();
        assert_eq!((rejection.kind(), rejection.provider()), (reason, "meta"));
        let reason = reason.as_str();
        assert_eq!(
            seen.take(),
            [
                format!("invalid_webhook_signature unverified {reason} body=2"),
                format!("webhook_completed 200 {reason} body=2"),
            ]
        );
    }
    let (_, inner) = send(&layer, signed("hi")).await;
    let call = inner.only_call();
    assert_eq!(call.verified().provider(), "meta");
    assert!(call.head.extensions.get::<Unverified>().is_none());
    assert_eq!(seen.take()[0], "webhook_accepted key=0 body=2");
}

#[tokio::test]
async fn report_only_never_hands_on_half_a_body() {
    let seen = Seen::default();
    let layer = meta_layer().body_limit(3).dangerously_report_only().observer(seen.clone());
    let broken =
        || Script::new([support::Event::Data("h".into()), support::Event::Error("reset".into())]);
    let mut unsigned_and_broken = meta_request(b"", broken());
    unsigned_and_broken.headers_mut().remove("x-hub-signature-256");
    for (request, status) in [
        (unsigned("four"), StatusCode::PAYLOAD_TOO_LARGE),
        (meta_request(b"", broken()), StatusCode::BAD_REQUEST),
        (unsigned_and_broken, StatusCode::BAD_REQUEST),
    ] {
        let (response, inner) = send(&layer, request).await;
        assert_eq!((response.status(), inner.count()), (status, 0));
    }
    let declared = meta_request(b"", Script::untouchable().declared(4));
    assert_eq!(send(&layer, declared).await.0.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // A verifier with a limit of its own says so too.
    let strict =
        verifier_fn(|_, _| Err::<Verified, _>(Rejection::new(RejectionKind::BodyTooLarge)));
    let layer = SignatureLayer::new(strict).dangerously_report_only();
    let (response, inner) = send(&layer, signed("hi")).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::PAYLOAD_TOO_LARGE, 0));
}

#[tokio::test]
async fn report_only_survives_what_is_our_own_fault() {
    #[derive(Clone)]
    struct Panics(&'static str);

    impl Verifier for Panics {
        type State = ();

        fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
            assert_ne!(self.0, "begin");
            Ok(())
        }

        fn update(&self, (): &mut (), _: &[u8]) {
            assert_ne!(self.0, "update");
        }

        fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
            panic!("finish")
        }
    }

    for place in ["begin", "update", "finish"] {
        let layer = SignatureLayer::new(Panics(place)).dangerously_report_only();
        let (_, inner) = send(&layer, meta_request(b"", Script::data(["h", "i"]))).await;
        let call = inner.only_call();
        assert_eq!(call.body.bytes(), "hi", "{place}");
        let mark = call.head.extensions.get::<Unverified>().unwrap();
        assert_eq!(mark.rejection().kind(), RejectionKind::VerifierPanicked, "{place}");
    }
    let down = || ready(Err::<Meta, _>(Rejection::unavailable("down")));
    let by_head = SignatureLayer::by_head(move |_| down()).dangerously_report_only();
    let by_body = ByBody::new(Requires::nothing(), move |_, _: &Bytes| down());
    let by_body = SignatureLayer::new(by_body).dangerously_report_only();
    assert_eq!(send(&by_head, signed("hi")).await.1.only_call().body.bytes(), "hi");
    assert_eq!(send(&by_body, signed("hi")).await.1.only_call().body.bytes(), "hi");
    let panics = ByHead::new(|_| -> Ready<Result<Meta, Rejection>> { panic!("look-up") });
    let panics = SignatureLayer::new(panics).dangerously_report_only();
    assert_eq!(send(&panics, signed("hi")).await.1.only_call().body.bytes(), "hi");
}

/// A layer that only reports must not leave the mark of another one beside its own.
#[tokio::test]
async fn of_the_two_marks_there_is_only_one() {
    let inner = Inner::default();
    let strict = SignatureLayer::new(verifier_fn(|_, _| Ok(Verified::new("outer"))));
    let reporting = meta_layer().dangerously_report_only();
    strict.layer(reporting.layer(inner.clone())).oneshot(unsigned("hi")).await.unwrap();
    let call = inner.only_call();
    assert!(call.head.extensions.get::<Verified>().is_none());
    assert!(call.head.extensions.get::<Unverified>().is_some());
    reporting.layer(strict.layer(inner.clone())).oneshot(unsigned("hi")).await.unwrap();
    let call = inner.only_call();
    assert_eq!(call.verified().provider(), "outer");
    assert!(call.head.extensions.get::<Unverified>().is_none());
}

#[tokio::test]
async fn verified_extractor_rejects_unverified_request() {
    async fn handler(Extension(_): Extension<Verified>) {}
    let layer = meta_layer().dangerously_report_only();
    let address = net::serve_axum(Router::new().route("/", post(handler)).layer(layer)).await;
    let request = Request::post("/").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(net::send(address, request).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
