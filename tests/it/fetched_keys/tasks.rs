//! Fetches in tasks of their own: what ends, panics or changes while they run.

use std::{
    error::Error,
    future::Future,
    io,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{StatusCode, request::Parts};
use tokio::{
    runtime::{Builder, Runtime},
    task::try_id,
    time::Instant,
};
use tower_webhook::{
    Rejection, RejectionKind,
    fetched_keys::{FetchedKeys, KeyFetcher},
    providers::{Circle, CircleProduct},
    verifier::verify_with,
};

use super::{
    CIRCLE_ID, KeySource, Reply,
    cache::{settle, status},
    circle, circle_key, circle_layer, from_circle,
};
use crate::support::{BoxError, SetClock, head_of, send};

const HOUR: i64 = 60 * 60_000;
const FORGED: StatusCode = StatusCode::FORBIDDEN;
const RETRY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// A message from a queue, and the source of its key.
fn message(fetcher: &KeyFetcher) -> (FetchedKeys<Circle>, Parts, Bytes) {
    let keys = Circle::with_fetched_keys(CircleProduct::Wallets, fetcher).unwrap();
    (keys, head_of(from_circle(CIRCLE_ID)), circle().body.into())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// Asserts that the verifier is unavailable for this reason.
fn assert_unavailable(rejection: &Rejection, reason: &str) {
    assert_eq!(rejection.kind(), RejectionKind::VerifierUnavailable, "{reason}");
    let cause = rejection.source().unwrap().to_string();
    assert!(cause.contains(reason), "{cause}");
}

/// Sends a delivery whose key cannot be fetched, for this reason.
async fn assert_failure(fetcher: &KeyFetcher, reason: &str) {
    let (response, _) = send(&circle_layer(fetcher), from_circle(CIRCLE_ID)).await;
    assert_eq!(response.status(), RETRY, "{reason}");
    assert_unavailable(response.extensions().get::<Rejection>().unwrap(), reason);
}

#[test]
fn fetch_that_ends_with_its_runtime_is_a_failure() {
    let (source, clock) = (KeySource::fixed(Reply::Never), SetClock::new());
    let (keys, head, body) = message(&source.fetcher(&clock));
    let first = runtime();
    first.block_on(async {
        let mut waiting = pin!(verify_with(&keys, &head, &body));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        settle().await;
    });
    drop(first);
    assert_eq!(source.calls(), 1);
    source.set(circle_key(CIRCLE_ID));
    let second = runtime();
    let verify = || second.block_on(verify_with(&keys, &head, &body));
    assert_unavailable(&verify().unwrap_err(), "aborted");
    assert_eq!(source.calls(), 1);
    clock.set(10_000);
    assert!(verify().is_ok());
}

#[test]
fn runtime_without_a_timer_is_no_verdict() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let (keys, head, body) = message(&source.fetcher(&clock));
    let timeless = Builder::new_current_thread().build().unwrap();
    let rejection = timeless.block_on(verify_with(&keys, &head, &body)).unwrap_err();
    assert_unavailable(&rejection, "aborted");
    clock.set(10_000);
    assert!(runtime().block_on(verify_with(&keys, &head, &body)).is_ok());
}

#[tokio::test]
async fn function_that_panics_in_its_call_is_a_failure() {
    let source = KeySource::new(|_| panic!("the function of a user, before its future"));
    assert_failure(&source.fetcher(&SetClock::new()), "the function that fetches").await;
}

/// The clock panics in the task of the fetch, not in the test's.
#[tokio::test]
async fn clock_that_panics_does_not_hide_the_failure() {
    let (source, clock) = (KeySource::fixed(Reply::Failed), SetClock::new());
    let now = clock.now();
    let fetcher = source.fetcher(&clock).clock(move || {
        assert!(try_id().is_none(), "the clock of a user");
        now()
    });
    assert_failure(&fetcher, "connection refused").await;
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn subscriber_that_panics_does_not_hide_the_failure() {
    use tracing_subscriber::{Layer, layer::SubscriberExt, registry};

    struct Panics;

    impl<S: tracing::Subscriber> Layer<S> for Panics {
        fn on_event(
            &self,
            event: &tracing::Event<'_>,
            _: tracing_subscriber::layer::Context<'_, S>,
        ) {
            assert_ne!(
                event.metadata().target(),
                "tower_webhook::keys",
                "the subscriber of a user"
            );
        }
    }

    // A single subscriber of the process would decide on call sites for all.
    let _others = crate::observe::tracing::Lines::default().subscribe();
    let _guard = tracing::subscriber::set_default(registry().with(Panics));
    let source = KeySource::fixed(Reply::Failed);
    assert_failure(&source.fetcher(&SetClock::new()), "connection refused").await;
}

#[tokio::test]
async fn causes_of_an_error_are_in_the_rejection() {
    let fetcher = KeyFetcher::new(|_| async {
        let error = io::Error::other(BoxError::from("name not resolved"));
        Err::<Option<String>, _>(Outer(error))
    });
    assert_failure(&fetcher, "request failed: name not resolved").await;
}

/// An error with a cause, as HTTP clients return it.
#[derive(Debug)]
struct Outer(io::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("request failed")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn time_limit_of_a_fetch_is_as_set() {
    for (limit, expected) in [(None, 5_000), (Some(2), 2_000)] {
        let (source, clock) = (KeySource::fixed(Reply::Never), SetClock::new());
        let mut fetcher = source.fetcher(&clock);
        if let Some(seconds) = limit {
            fetcher = fetcher.time_limit(Duration::from_secs(seconds));
        }
        // The time stands still until all tasks wait.
        let start = Instant::now();
        assert_failure(&fetcher, "in time").await;
        let passed = start.elapsed().as_millis();
        assert!((expected..expected + 10).contains(&passed), "{passed} ms");
    }
}

/// The key was revoked after the fetch began.
#[tokio::test]
async fn document_is_as_old_as_the_begin_of_its_fetch() {
    let clock = SetClock::new();
    let during = clock.clone();
    let source = KeySource::new(move |_| {
        during.set(HOUR / 2);
        circle_key(CIRCLE_ID).into()
    });
    let layer = circle_layer(&source.fetcher(&clock));
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    source.set(Reply::Absent);
    clock.set(HOUR - 1);
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    clock.set(HOUR);
    assert_eq!(status(&layer, CIRCLE_ID).await, FORGED);
}

/// The clock is set by more than the maximum age meanwhile.
#[tokio::test]
async fn document_that_expires_on_its_way_is_no_verdict() {
    let clock = SetClock::new();
    let during = clock.clone();
    let source = KeySource::new(move |_| {
        during.set(2 * HOUR);
        circle_key(CIRCLE_ID).into()
    });
    assert_failure(&source.fetcher(&clock), "not kept").await;
}

#[tokio::test]
async fn failed_fetch_in_advance_waits_ten_seconds() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    source.set(Reply::Failed);
    for (millis, calls) in [(0, 2), (1, 2), (9_999, 2), (10_000, 3), (10_001, 3)] {
        clock.set(HOUR / 4 * 3 + millis);
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
        settle().await;
        assert_eq!(source.calls(), calls, "{millis}");
    }
}

#[tokio::test]
async fn short_interval_is_also_the_time_after_a_failure() {
    let (source, clock) = (KeySource::fixed(Reply::Failed), SetClock::new());
    let second = Duration::from_secs(1);
    let layer = circle_layer(&source.fetcher(&clock).time_limit(second).refresh_interval(second));
    for (millis, calls) in [(0, 1), (999, 1), (1_000, 2), (1_999, 2), (2_000, 3)] {
        clock.set(millis);
        assert_eq!(status(&layer, CIRCLE_ID).await, RETRY);
        assert_eq!(source.calls(), calls, "{millis}");
    }
}
