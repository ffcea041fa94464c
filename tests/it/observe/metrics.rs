//! The counters and histograms of `MetricsObserver`, as a recorder gets them.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Waker},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, Secret, SignatureLayer,
    observe::{Attempt, Event, EventKind, MetricsObserver, Observer, Throttled},
    providers::Meta,
};

use crate::support::{self, BoxError, SECRET, Script, at, hmac_sha256, meta_request, secret, send};

/// Counters and the number of samples of histograms, by name and labels.
type Counts = BTreeMap<String, u64>;

fn counts(snapshotter: &Snapshotter) -> Counts {
    let snapshot = snapshotter.snapshot().into_vec().into_iter();
    snapshot
        .map(|(key, _, description, value)| {
            assert!(description.is_some(), "{key:?} is described");
            let mut name = key.key().name().to_owned();
            for label in key.key().labels() {
                name.push_str(&format!(" {}={}", label.key(), label.value()));
            }
            let count = match value {
                DebugValue::Counter(count) => count,
                DebugValue::Histogram(samples) => samples.len().try_into().unwrap(),
                DebugValue::Gauge(_) => panic!("{name} is a gauge"),
            };
            (name, count)
        })
        .collect()
}

fn expected<const N: usize>(counts: [(&str, u64); N]) -> Counts {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

/// A handler that does what the body says.
async fn handle(request: Request<BufferedBody>) -> Result<Response<String>, BoxError> {
    let status = match &request.body().bytes()[..] {
        b"error" => return Err("no answer".into()),
        b"panic" => panic!("the handler panics"),
        b"stall" => return std::future::pending().await,
        status => StatusCode::from_bytes(status)?,
    };
    Ok(Response::builder().status(status).body(String::new())?)
}

/// A request with this body, signed with this secret.
fn signed(secret: &str, body: &'static str) -> Request<Full<Bytes>> {
    let signature = format!("sha256={}", hmac_sha256(secret, body.as_bytes()));
    let request = Request::post("/webhook").header("x-hub-signature-256", signature);
    request.body(Full::from(body)).unwrap()
}

const PREVIOUS: &str = "the-secret-before-it";

fn layer() -> SignatureLayer<Meta> {
    let meta = Meta::new([secret(), Secret::new(PREVIOUS).unwrap()]).unwrap();
    SignatureLayer::new(meta.verify_token(secret()).unwrap()).observer(MetricsObserver::new())
}

#[tokio::test]
async fn requests_are_counted_by_verdict_key_and_answer() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let service = layer().layer(service_fn(handle));
    for (secret, bodies) in [
        (SECRET, &["200", "204", "302", "404", "500", "503", "error"][..]),
        (PREVIOUS, &["200"]),
        ("a guess", &["200", "500"]),
    ] {
        for body in bodies {
            // The handler's error is one of the cases.
            let _ = service.clone().oneshot(signed(secret, body)).await;
        }
    }
    let unsigned = Request::post("/webhook").body(Full::<Bytes>::from("200")).unwrap();
    let _ = service.clone().oneshot(unsigned).await;
    let challenge = format!("/?hub.mode=subscribe&hub.verify_token={SECRET}&hub.challenge=1");
    let challenge = Request::get(challenge).body(Full::<Bytes>::default()).unwrap();
    assert_eq!(service.clone().oneshot(challenge).await.unwrap().status(), StatusCode::OK);

    let counts = counts(&recorder.snapshotter());
    let requests = "webhook_requests_total provider=meta";
    assert_eq!(
        counts,
        expected([
            (&format!("{requests} outcome=accepted reason=none"), 8),
            (&format!("{requests} outcome=handshake reason=none"), 1),
            (&format!("{requests} outcome=rejected reason=missing"), 1),
            (&format!("{requests} outcome=rejected reason=signature_mismatch"), 2),
            ("webhook_key_matches_total provider=meta key=0", 7),
            ("webhook_key_matches_total provider=meta key=1", 1),
            ("webhook_completed_total provider=meta status=2xx", 3),
            ("webhook_completed_total provider=meta status=3xx", 1),
            ("webhook_completed_total provider=meta status=4xx", 1),
            ("webhook_completed_total provider=meta status=5xx", 2),
            ("webhook_completed_total provider=meta status=error", 1),
            // The challenge has no verdict, what is refused from the head no body.
            ("webhook_verification_seconds provider=meta", 11),
            ("webhook_body_bytes provider=meta", 10),
        ])
    );
}

/// Drops a request on its way.
fn drop_pending(future: impl Future) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(future).poll(&mut cx).is_pending());
}

#[tokio::test]
async fn requests_without_an_answer_are_counted() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let service = layer().layer(service_fn(handle));
    // Dropped in the handler, and before there was a verdict.
    drop_pending(service.clone().oneshot(signed(SECRET, "stall")));
    let stalls = meta_request(b"", Script::new([support::Event::Stall]));
    drop_pending(service.clone().oneshot(stalls));
    let panic = tokio::spawn(service.clone().oneshot(signed(SECRET, "panic")));
    assert!(panic.await.unwrap_err().is_panic());

    let requests = "webhook_requests_total provider=meta";
    assert_eq!(
        counts(&recorder.snapshotter()),
        expected([
            (&format!("{requests} outcome=accepted reason=none"), 2),
            (&format!("{requests} outcome=cancelled reason=none"), 1),
            ("webhook_key_matches_total provider=meta key=0", 2),
            ("webhook_completed_total provider=meta status=cancelled", 1),
            ("webhook_completed_total provider=meta status=panic", 1),
            ("webhook_verification_seconds provider=meta", 2),
            ("webhook_body_bytes provider=meta", 2),
        ])
    );
}

#[tokio::test]
async fn report_only_counts_what_it_lets_through() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let layer = layer().dangerously_report_only();
    let (_, inner) = send(&layer, signed("a guess", "200")).await;
    assert_eq!(inner.count(), 1);
    let requests = "webhook_requests_total provider=meta";
    assert_eq!(
        counts(&recorder.snapshotter()),
        expected([
            (&format!("{requests} outcome=unverified reason=signature_mismatch"), 1),
            ("webhook_completed_total provider=meta status=2xx", 1),
            ("webhook_verification_seconds provider=meta", 1),
            ("webhook_body_bytes provider=meta", 1),
        ])
    );
}

#[tokio::test]
async fn limits_and_what_was_kept_back_are_counted() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let minute = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&minute);
    let layer = SignatureLayer::new(Meta::new(secret()).unwrap())
        .observer(Throttled::new(MetricsObserver::new(), 1))
        .clock(move || at(60 * clock.load(Ordering::SeqCst))());
    for _ in 0..4 {
        send(&layer, signed("a guess", "200")).await;
    }
    minute.store(1, Ordering::SeqCst);
    send(&layer, signed("a guess", "200")).await;
    let head = Request::post("/").body(()).unwrap().into_parts().0;
    let attempt = Attempt::new("meta", &head);
    MetricsObserver::new().observe(&Event::new(&attempt, EventKind::RateLimited));

    let requests = "webhook_requests_total provider=meta";
    assert_eq!(
        counts(&recorder.snapshotter()),
        expected([
            (&format!("{requests} outcome=rate_limited reason=none"), 1),
            (&format!("{requests} outcome=rejected reason=signature_mismatch"), 2),
            ("webhook_events_suppressed_total provider=meta", 3),
            ("webhook_verification_seconds provider=meta", 2),
            ("webhook_body_bytes provider=meta", 2),
        ])
    );
}

#[tokio::test]
async fn request_rejected_below_the_layer_is_counted_once() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let limited = service_fn(async |request: Request<BufferedBody>| {
        request.extensions().get::<Arc<Attempt>>().unwrap().report(EventKind::RateLimited);
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        Ok::<_, BoxError>(response)
    });
    layer().layer(limited).oneshot(signed(SECRET, "200")).await.unwrap();
    assert_eq!(
        counts(&recorder.snapshotter()),
        expected([
            ("webhook_requests_total provider=meta outcome=accepted reason=none", 1),
            ("webhook_key_matches_total provider=meta key=0", 1),
            ("webhook_completed_total provider=meta status=4xx", 1),
            ("webhook_verification_seconds provider=meta", 1),
            ("webhook_body_bytes provider=meta", 1),
        ])
    );
}

#[tokio::test]
async fn histograms_hold_seconds_and_bytes() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    // A second passes with each look at the clock: at the head, and at the verdict.
    let looks = AtomicU64::new(0);
    let layer = layer().clock(move || at(looks.fetch_add(1, Ordering::SeqCst))());
    send(&layer, signed(SECRET, "12345")).await;
    let snapshot = recorder.snapshotter().snapshot().into_vec();
    let samples = |name: &str| {
        let found = snapshot.iter().find(|(key, ..)| key.key().name() == name).unwrap();
        let DebugValue::Histogram(samples) = &found.3 else { panic!("{found:?}") };
        samples.iter().map(|sample| sample.into_inner()).collect::<Vec<_>>()
    };
    assert_eq!(samples("webhook_verification_seconds"), [1.0]);
    assert_eq!(samples("webhook_body_bytes"), [5.0]);
}
