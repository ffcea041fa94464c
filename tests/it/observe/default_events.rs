//! The events that a layer writes by default: which secrets they leave out, and how many there are.

use std::{
    convert::Infallible,
    future::{Pending, pending},
    task::{self, Poll},
    time::{Duration, Instant, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use serde_json::Value;
use tokio::time::Sleep;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, Context, Outcome, PublicUrl, Rejection, RejectionKind, Secret, SignatureLayer,
    Verified, Verifier,
    layer::{Requires, ResponseFuture},
    observe::{Attempt, Event, EventKind, SensitiveParts},
    providers::{BoxVerifier, Meta, SharedToken, Slack, Telegram, Twilio},
    replay::{Claim, ClaimToken, MemoryReplayStore, ReplayLayer, ReplayStore},
    scheme::{Component, Scheme},
    verifier::VerifierDefaults,
};

use crate::{
    observe::tracing::Lines,
    support::{Script, at, meta_layer, meta_request, secret, send},
};

fn twilio() -> Twilio {
    Twilio::new(secret(), PublicUrl::base("https://a.example").unwrap()).unwrap()
}

fn to_twilio(target: &str) -> Request<Script> {
    Request::post(target)
        .header("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Script::data(["From=1"]))
        .unwrap()
}

/// A verifier that names its URL as secret in `sensitive_parts` alone.
#[derive(Clone)]
struct SecretUrl;

impl Verifier for SecretUrl {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    fn finish(&self, (): &mut (), request: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        let url = format!("https://a.example{}", request.head().uri);
        Err(Rejection::mismatch().with_signed_url(url))
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        SensitiveParts::none().url()
    }
}

#[tokio::test]
async fn a_secret_url_is_shown_by_no_event_and_no_rejection() {
    let in_path = || SharedToken::in_path("PATHCANARY-token").unwrap();
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let with_defaults = SignatureLayer::new(BoxVerifier::new(twilio()))
        .defaults(VerifierDefaults::DEFAULT.with_secret_url());
    for layer in [
        with_defaults,
        SignatureLayer::new(BoxVerifier::new(SecretUrl)),
        SignatureLayer::new(BoxVerifier::new(twilio().and(in_path()))),
        SignatureLayer::new(BoxVerifier::new(twilio().or(in_path()))),
        SignatureLayer::new(BoxVerifier::new(SecretUrl.or(SecretUrl))),
    ] {
        // The first is another token; the second is the right one, and the other proof is wrong.
        let mut refused = None;
        for token in ["PATHCANARY-other", "PATHCANARY-token"] {
            let request = to_twilio(&format!("/hook/{token}?to=QUERYCANARY"));
            let (response, _) = send(&layer, request).await;
            let rejection = response.extensions().get::<Rejection>().cloned();
            refused = rejection.filter(|why| why.signed_url().is_some()).or(refused);
        }
        let rejection = refused.expect("one names the URL");
        let told = format!("{rejection} {rejection:?} {}", lines.text());
        assert!(
            !told.contains("CANARY") && told.contains("https://a.example/[redacted]"),
            "{told}"
        );
    }
    let by_head = SignatureLayer::by_head(|_| async { Ok(SecretUrl) });
    let (response, _) = send(&by_head, to_twilio("/PATHCANARY")).await;
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert!(!format!("{rejection} {rejection:?} {}", lines.text()).contains("CANARY"));
    // Of a queue.
    let (head, _) = to_twilio("/PATHCANARY").into_parts();
    let rejection = tower_webhook::verify(&SecretUrl, &head, &Bytes::new()).unwrap_err();
    assert!(!format!("{rejection} {rejection:?}").contains("CANARY"), "{rejection:?}");
    // No other rejection shows one.
    let other = Rejection::unavailable("down").with_signed_url("https://a.example/");
    assert_eq!(other.signed_url(), None);
}

/// Path, host and query, each where it is signed.
#[test]
fn the_parts_of_a_url_that_are_signed_are_named() {
    const QUERY: Scheme = Scheme::hmac_sha256("x-sig").signed_content(&[
        Component::Path,
        Component::Literal("?"),
        Component::Query,
        Component::Literal("\n"),
        Component::Body,
    ]);
    let request = Request::post("https://h.example/p?a=1").header("x-sig", "0".repeat(64));
    let (head, ()) = request.body(()).unwrap().into_parts();
    let verifier = QUERY.verifier(secret()).unwrap();
    let rejection = tower_webhook::verify(&verifier, &head, &Bytes::new()).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
    assert_eq!(rejection.signed_url().as_deref(), Some("/p?a=[redacted]"));
}

/// The token is right, and the sender writes it where events show it.
#[tokio::test]
async fn a_token_that_the_sender_repeats_is_not_shown() {
    let telegram = Telegram::new("tok_abcdefghijkl").unwrap();
    let basic = |value: &str| Request::post("/").header("x-telegram-bot-api-secret-token", value);
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let look_up = SignatureLayer::by_head({
        let telegram = telegram.clone();
        move |_| {
            let telegram = telegram.clone();
            async move { Ok(telegram) }
        }
    });
    let fixed = SignatureLayer::new(telegram);
    for (name, request) in [
        ("user-agent", basic("tok_abcdefghijkl").header("user-agent", "a tok_abcdefghijkl b")),
        ("request id", basic("tok_abcdefghijkl").header("x-request-id", "tok_abcdefghijkl")),
        ("query", basic("tok_abcdefghijkl").uri("/?x=tok_abcdefghijkl")),
        ("path", basic("tok_abcdefghijkl").uri("/tok_abcdefghijkl")),
    ] {
        let request = request.body(Script::data(["{}"])).unwrap();
        let (head, _) = request.into_parts();
        for is_look_up in [false, true] {
            let request = Request::from_parts(head.clone(), Script::data(["{}"]));
            let status = match is_look_up {
                false => send(&fixed, request).await.0.status(),
                true => send(&look_up, request).await.0.status(),
            };
            assert_eq!(status, 200, "{name}");
            let told = lines.text();
            assert!(told.contains("webhook_accepted") && !told.contains("tok_"), "{name}: {told}");
        }
    }
}

#[cfg(feature = "tenants")]
#[tokio::test]
async fn unknown_tenant_event_has_no_url_and_no_secret() {
    use tower_webhook::tenants::{TenantId, TenantSecrets, Tenants};

    let load = async |id: TenantId| match id.as_str() {
        "anna" => Ok(Some(TenantSecrets::new("anna", secret()))),
        "odd-URLCANARY" => Ok(Some(TenantSecrets::new(
            "odd",
            Secret::new(format!("AC{}", "0".repeat(32))).unwrap(),
        ))),
        "down-URLCANARY" => Err("connection refused"),
        _ => Ok(None),
    };
    let make = |secrets| Twilio::new(secrets, PublicUrl::base("https://a.example").unwrap());
    let tenants = Tenants::builder(load, make).check_id(|_| true).build().unwrap();
    let by_body =
        tenants.by_body(Requires::nothing(), |_, body| String::from_utf8(body.to_vec()).ok());
    let by_path = tenants.by_head(|head| Some(head.uri.path().trim_start_matches('/').into()));
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let layer = SignatureLayer::new(by_body);
    for (id, kind, shown) in [
        ("anna", RejectionKind::SignatureMismatch, "anna"),
        ("nobody", RejectionKind::UnknownTenant, "nobody"),
        ("a\n\u{202e}b", RejectionKind::UnknownTenant, r"a\n\xe2\x80\xaeb"),
    ] {
        let request = to_twilio("/sms").map(|_| Script::data([id.to_owned()]));
        let (response, _) = send(&layer, request).await;
        let rejection = response.extensions().get::<Rejection>().unwrap();
        let told = lines.json();
        assert_eq!(rejection.kind(), kind, "{id:?}");
        assert_eq!(told[0]["tenant_id"], shown);
        let is_known = kind == RejectionKind::SignatureMismatch;
        assert_eq!(rejection.signed_url().is_some(), is_known, "{id:?}");
        assert_eq!(told[0].get("signed_url").is_some(), is_known, "{id:?}");
        assert_eq!(rejection.to_string().contains("a.example"), is_known, "{rejection}");
    }
    // The id is a piece of a URL that is secret; the row's own is not.
    let layer = SignatureLayer::new(by_path).defaults(VerifierDefaults::DEFAULT.with_secret_url());
    for (id, own) in [("odd-URLCANARY", Some("odd")), ("down-URLCANARY", None)] {
        let (response, _) = send(&layer, to_twilio(&format!("/{id}"))).await;
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.kind(), RejectionKind::VerifierUnavailable, "{id}");
        assert_eq!(rejection.tenant(), own, "{id}");
        assert_eq!(rejection.claimed_tenant().is_some(), own.is_none(), "{id}");
        let told = lines.text();
        assert!(!told.contains("CANARY") && told.contains("tenant_id"), "{told}");
    }
}

#[tokio::test]
async fn the_answers_of_others_are_not_told_as_the_handlers() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let fails = service_fn(async |_: Request<BufferedBody>| {
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        Ok::<_, Infallible>(response)
    });
    let mut forged = meta_request(b"other", Script::data(["hi"]));
    forged.headers_mut().insert("user-agent", "x".parse().unwrap());
    let reports = meta_layer().dangerously_report_only();
    let Ok(_) = reports.layer(fails).oneshot(forged).await;
    let told = lines.json();
    let completed = told.iter().find(|event| event["event_type"] == "webhook_completed").unwrap();
    assert_eq!(completed["level"], "WARN");
    assert!(completed["message"].as_str().unwrap().starts_with("unverified webhook"));

    let guard = ReplayLayer::new("/", MemoryReplayStore::new(10)).guard_body_only("meta");
    let handler = service_fn(async |_: Request<BufferedBody>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let service = meta_layer().layer(guard.layer(handler));
    let last = async || {
        let request = meta_request(b"hi", Script::data(["hi"]));
        let Ok(_) = service.clone().oneshot(request).await;
        lines.json().last().unwrap()["message"].clone()
    };
    assert_eq!(last().await, "webhook handled");
    assert_eq!(last().await, "webhook answered by the replay guard");
}

/// Signed challenges prove a secret, too; and where the layer only reports, forgeries count.
#[tokio::test]
async fn challenge_proves_secret_and_report_only_does_not() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let never = |told: Vec<Value>| {
        told.iter().filter(|event| event["event_type"] == "webhook_secret_never_worked").count()
    };
    let reports = meta_layer().dangerously_report_only();
    for _ in 0..4 {
        send(&reports, meta_request(b"other", Script::data(["hi"]))).await;
    }
    // Two events of one request count once.
    assert_eq!(never(lines.json()), 0);
    send(&reports, meta_request(b"other", Script::data(["hi"]))).await;
    assert_eq!(never(lines.json()), 1);

    let slack = Slack::new("signing secret").unwrap();
    let layer = SignatureLayer::new(slack.clone()).clock(at(1_700_000_000));
    let body = r#"{"type":"url_verification","challenge":"abc"}"#;
    let request = Request::post("/").header("content-type", "application/json");
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let signed = tower_webhook::sign::signed(&slack, request.body(body).unwrap(), time).unwrap();
    let (head, body) = signed.into_parts();
    let challenge = Request::from_parts(head.clone(), Script::data([body]));
    assert_eq!(send(&layer, challenge).await.0.status(), 200);
    assert_eq!(lines.json()[0]["event_type"], "webhook_handshake");
    for _ in 0..6 {
        let forged = Request::from_parts(head.clone(), Script::data(["{}"]));
        assert_eq!(send(&layer, forged).await.0.status(), 403);
    }
    assert_eq!(never(lines.json()), 0);
}

/// By targets: those of a filter, and all others.
#[tokio::test]
async fn a_filter_that_takes_errors_alone_gets_those() {
    use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

    let lines = Lines::default();
    let _two = lines.subscribe();
    for (filter, expected) in [
        (Targets::new().with_default(tracing::Level::ERROR), 1),
        (Targets::new().with_target("tower_webhook", tracing::Level::DEBUG), 1),
        (Targets::new().with_target("tower_webhook::security", tracing::Level::ERROR), 1),
        (Targets::new().with_target("tower_webhook::delivery", tracing::Level::DEBUG), 0),
        (Targets::new().with_target("my_app", tracing::Level::TRACE), 0),
    ] {
        let name = format!("{filter:?}");
        let format = tracing_subscriber::fmt::layer().json().flatten_event(true);
        let subscriber =
            tracing_subscriber::registry().with(filter).with(format.with_writer(lines.clone()));
        let _guard = tracing::subscriber::set_default(subscriber);
        lines.text();
        send(&meta_layer(), meta_request(b"other", Script::data(["hi"]))).await;
        assert_eq!(lines.json().len(), expected, "{name}");
        send(&meta_layer(), meta_request(b"hi", Script::data(["hi"]))).await;
        let told = lines.json();
        let accepted = told.iter().any(|event| event["event_type"] == "webhook_accepted");
        assert_eq!(accepted, name.contains("DEBUG"), "{name}");
    }
}

/// A guard above the layer, which strangers find.
#[tokio::test]
async fn misplaced_guard_reports_are_limited_per_minute() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let guard = ReplayLayer::new("/", MemoryReplayStore::new(10));
    let handler =
        service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    for _ in 0..200 {
        let request = Request::post("/hook?token=CANARY").body(String::new()).unwrap();
        let Ok(_) = guard.layer(handler).oneshot(request).await;
    }
    let told = lines.json();
    // The minute may change meanwhile.
    assert!((60..=120).contains(&told.len()), "{}", told.len());
    assert_eq!((&told[0]["method"], &told[0]["path"]), (&"POST".into(), &"/hook".into()));
    assert!(!told[0].to_string().contains("CANARY"));
}

/// Without a clock that is set, time is measured from the request on.
#[test]
fn an_attempt_is_as_old_as_its_request() {
    let (head, ()) = Request::post("/").body(()).unwrap().into_parts();
    // The steady clock begins at the latest here.
    let _ = Attempt::new("meta", &head);
    let before = Instant::now();
    let attempt = Attempt::new("meta", &head);
    let elapsed = Event::new(&attempt, EventKind::RateLimited).elapsed();
    assert!(elapsed <= before.elapsed());
}

/// A lease runs out by the system's clock, too.
#[tokio::test]
async fn a_lease_in_memory_ends() {
    let store = MemoryReplayStore::new(10);
    let (head, ()) = Request::post("/").body(()).unwrap().into_parts();
    let _ = head;
    let key = Verified::new("meta").with_replay_material(b"a").replay_key().unwrap();
    let lease = Duration::from_nanos(1);
    let claim = store.claim(&key, ClaimToken::unique(), lease).await.unwrap();
    assert!(matches!(claim, Claim::Granted { .. }));
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(1) {
        std::hint::spin_loop();
    }
    let again = store.claim(&key, ClaimToken::unique(), lease).await.unwrap();
    assert!(matches!(again, Claim::Granted { .. }), "{again:?}");
}

/// It is moved a lot.
#[test]
fn a_rejection_is_small() {
    assert!(size_of::<Rejection>() <= 112, "{}", size_of::<Rejection>());
}

/// Neither it nor its future takes room.
struct Nothing;

impl Service<Request<BufferedBody>> for Nothing {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Pending<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<BufferedBody>) -> Self::Future {
        pending()
    }
}

/// Without the inner future and the body it takes 616 bytes, as docs/performance.md says, where
/// Tokio has no runtime of several threads and its timer takes 96. With one, as here, the timer takes
/// more.
#[test]
fn the_future_of_the_layer_s_service_is_small() {
    let size = size_of::<ResponseFuture<Meta, Nothing, Empty<Bytes>>>();
    let most = 616 - 96 + size_of::<Sleep>();
    assert!(size <= most, "{size} bytes of at most {most}");
}

#[test]
fn a_claimed_tenant_is_told_as_no_more_than_that() {
    let claimed = Rejection::unavailable("the store is down").with_claimed_tenant("anna");
    assert_eq!((claimed.tenant(), claimed.claimed_tenant()), (None, Some("anna")));
    let known = claimed.with_tenant("anna");
    assert_eq!((known.tenant(), known.claimed_tenant()), (Some("anna"), None));
}
