//! Retention of a delivery: over several tolerances, and when the clock is set back.

use std::{
    convert::Infallible,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, Rejection, Scheme, SignatureLayer, Verified,
    layer::Source,
    providers::{BoxVerifier, Persona, Slack},
    replay::{MemoryReplayStore, ReplayAnswer, ReplayLayer},
    scheme::{Component, TimestampFormat, TimestampSource},
    verifier::{all_of, any_of, verifier_fn},
};

use super::{Handler, NOW, TestClock, call, delivery, delivery_at, stack, status};
use crate::support::{AtTime, SECRET, hmac_sha256, secret};

#[derive(Clone, Default)]
struct Now(Arc<AtomicU64>);

impl Now {
    fn clock(&self) -> impl Fn() -> SystemTime + Clone + Send + Sync + 'static {
        let now = Arc::clone(&self.0);
        move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::SeqCst))
    }

    /// How often the handler is called when these requests come, each so many seconds after the start.
    async fn handled(
        &self,
        source: impl Source + Clone,
        requests: impl IntoIterator<Item = (u64, Request<Bytes>)>,
    ) -> u64 {
        let calls = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&calls);
        let inner = service_fn(move |_: Request<BufferedBody>| {
            seen.fetch_add(1, Ordering::SeqCst);
            ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
        });
        let guard = ReplayLayer::new("/hook", MemoryReplayStore::new(16).clock(self.clock()));
        let guard = guard.guard_body_only("persona");
        let service = SignatureLayer::new(source).layer(guard.layer(inner));
        for (seconds, request) in requests {
            self.0.store(NOW + seconds, Ordering::SeqCst);
            let Ok(_) = service.clone().oneshot(request.map(Full::new)).await;
        }
        calls.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn longer_window_of_two_verifiers_decides_retention() {
    const OWN: Scheme = Scheme::hmac_sha256("x-slack-signature")
        .prefix("v0=")
        .provider("slack_until_now")
        .unique_content()
        .signed_content(&[
            Component::Literal("v0:"),
            Component::Time,
            Component::Literal(":"),
            Component::Body,
        ])
        .time(TimestampSource::Header("x-slack-request-timestamp"), TimestampFormat::UnixSeconds);
    for own_is_first in [false, true] {
        let now = Now::default();
        let slack = Slack::new(secret()).unwrap().clock(now.clock());
        let own = OWN.verifier(secret()).unwrap().clock(now.clock());
        let tag = hmac_sha256(SECRET, format!("v0:{NOW}:{{}}").as_bytes());
        let request = || {
            let request = Request::post("/").header("x-slack-signature", format!("v0={tag}"));
            let request = request.header("x-slack-request-timestamp", NOW);
            request.body(Bytes::from("{}")).unwrap()
        };
        let requests = [0, 60, 299, 301, 600, 80_000].map(|seconds| (seconds, request()));
        let either = if own_is_first {
            BoxVerifier::new(any_of(own, slack))
        } else {
            BoxVerifier::new(any_of(slack, own))
        };
        assert_eq!(now.handled(either.clone(), requests.clone()).await, 1, "{own_is_first}");
        // Also as the second of two that must both accept, whatever the first one's name is.
        for name in ["slack", "slack_until_now", "token"] {
            let token = verifier_fn(move |_, _| Ok(Verified::new(name)));
            let both = all_of(token, either.clone());
            let calls = now.handled(both, requests.clone()).await;
            assert_eq!(calls, 1, "{name} {own_is_first}");
        }
    }
}

#[tokio::test]
async fn persona_signature_sent_with_older_is_a_duplicate() {
    let set = |time: u64| {
        format!("t={time},v1={}", hmac_sha256(SECRET, format!("{time}.{{}}").as_bytes()))
    };
    let now = Now::default();
    let request = |value: String| {
        Request::post("/").header("persona-signature", value).body(Bytes::from("{}")).unwrap()
    };
    let both = format!("{} {}", set(NOW - 86_000), set(NOW));
    let requests = [(0, both), (4_000, set(NOW)), (80_000, set(NOW))];
    let requests = requests.map(|(seconds, value)| (seconds, request(value)));
    let persona = Persona::new(secret()).unwrap().clock(now.clock());
    assert_eq!(now.handled(persona, requests).await, 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_forgets_nothing() {
    for (ahead, back) in [(11 * 60, 7 * 60), (80 * 60, 79 * 60), (30 * 86_400, 30 * 86_400 - 60)] {
        let (clock, handler) = (TestClock::new(), Handler::default());
        let guard = ReplayLayer::new("/", MemoryReplayStore::new(100).clock(clock.now()));
        let service = stack(&clock, &guard, &handler);
        assert_eq!(status(&call(&service, delivery("1")).await), StatusCode::OK);
        clock.advance(ahead);
        let stale = call(&service, delivery("1")).await.unwrap();
        assert!(stale.extensions().get::<Rejection>().is_some(), "{ahead}");
        // Others come meanwhile, which makes the store forget what it may.
        for body in 0..40 {
            let later = delivery_at(NOW + ahead, &body.to_string());
            assert_eq!(status(&call(&service, later).await), StatusCode::OK);
        }
        clock.0.fetch_sub(back, Ordering::SeqCst);
        let again = call(&service, delivery("1")).await.unwrap();
        assert_eq!(again.extensions().get(), Some(&ReplayAnswer::Duplicate), "{ahead}, {back}");
        assert_eq!(handler.calls(), 41);
    }
}
