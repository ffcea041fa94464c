//! What observers hear of the guard.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::Layer;
use tower_webhook::{
    SignatureLayer,
    observe::{Event, EventKind},
    providers::Stripe,
    replay::{MemoryReplayStore, ReplayAnswer, ReplayLayer, ReplayStore},
};

use super::{Handler, HandlerError, Slow, TestClock, Then, call, delivery, poll_once};
use crate::support::{AtTime, secret};

/// Sends deliveries one after another. Returns what was heard of the guard, and by which names.
async fn heard<T: ReplayStore>(
    clock: &TestClock,
    guard: ReplayLayer<T>,
    handler: &Handler,
    bodies: &[&str],
) -> Vec<(EventKind, &'static str)> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let heard = Arc::clone(&heard);
        move |event: &Event<'_>| {
            assert_eq!(event.provider(), "stripe");
            heard.lock().unwrap().push((event.kind(), event.name()));
        }
    };
    let stripe = Stripe::new(secret()).unwrap().clock(clock.now());
    let layer = SignatureLayer::new(stripe).observer(observer);
    let service = layer.layer(guard.layer(handler.clone()));
    for body in bodies {
        call(&service, delivery(body)).await.unwrap();
    }
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    heard
        .into_iter()
        .filter(|(kind, _)| !matches!(kind, EventKind::Accepted | EventKind::Completed { .. }))
        .collect()
}

#[tokio::test]
async fn duplicate_event_is_between_accepted_and_completed() {
    let heard_all = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let heard = Arc::clone(&heard_all);
        move |event: &Event<'_>| heard.lock().unwrap().push((event.kind(), event.is_last()))
    };
    let stripe = Stripe::new(secret()).unwrap().clock(TestClock::new().now());
    let guard = ReplayLayer::new("/webhook", MemoryReplayStore::new(10));
    let service =
        SignatureLayer::new(stripe).observer(observer).layer(guard.layer(Handler::default()));
    call(&service, delivery("1")).await.unwrap();
    call(&service, delivery("1")).await.unwrap();
    let ok = EventKind::Completed { status: Some(StatusCode::OK) };
    assert_eq!(
        *heard_all.lock().unwrap(),
        [
            (EventKind::Accepted, false),
            (ok, true),
            (EventKind::Accepted, false),
            (EventKind::Replay(ReplayAnswer::Duplicate), false),
            (ok, true),
        ]
    );
}

#[tokio::test]
async fn eviction_is_reported_by_request_that_caused_it() {
    let guard = ReplayLayer::new("/webhook", MemoryReplayStore::new(2));
    let heard = heard(&TestClock::new(), guard, &Handler::default(), &["1", "2", "3"]).await;
    assert_eq!(heard, [(EventKind::Evicted { count: 1 }, "webhook_replay_evicted")]);
}

#[tokio::test]
async fn a_store_that_fails_is_told_for_each_way_to_fail() {
    let store = |claims, settles| {
        let store = Slow::new(MemoryReplayStore::new(10), 0);
        store.fails(claims, settles);
        ReplayLayer::new("/webhook", store)
    };
    let failed = EventKind::Replay(ReplayAnswer::StoreFailed);
    for (guard, expected) in [
        (store(true, true), (failed, "webhook_replay_store_failed")),
        (
            store(true, true).dangerously_fail_open(),
            (EventKind::Unguarded { count: 1 }, "webhook_unguarded"),
        ),
        (store(false, true), (EventKind::Unsettled, "webhook_unsettled")),
    ] {
        let heard = heard(&TestClock::new(), guard, &Handler::default(), &["1"]).await;
        assert_eq!(heard, [expected]);
    }
}

#[tokio::test]
async fn a_guard_says_once_what_it_cannot_do() {
    use crate::support::{meta_layer, meta_request};
    let unbounded = (EventKind::RetentionUnbounded, "webhook_replay_unbounded");
    let unguardable = (EventKind::Unguardable, "webhook_unguardable");
    let guard = || ReplayLayer::new("/webhook", MemoryReplayStore::new(10));
    for (guard, expected) in [
        (guard(), Some(unguardable)),
        (guard().guard_body_only("meta"), Some(unbounded)),
        (guard().guard_body_only("meta").retention(Duration::from_secs(1)), None),
    ] {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        let layer = meta_layer().observer(move |event: &Event<'_>| {
            if matches!(event.kind(), EventKind::RetentionUnbounded | EventKind::Unguardable) {
                told.lock().unwrap().push((event.kind(), event.name()));
            }
        });
        // Clones of the guard are one.
        for body in ["1", "2", "3"] {
            let service = layer.layer(guard.clone().layer(Handler::default()));
            let request = meta_request(body.as_bytes(), Full::<Bytes>::from(body));
            assert_eq!(call(&service, request).await.unwrap().status(), StatusCode::OK);
        }
        assert_eq!(*heard.lock().unwrap(), Vec::from_iter(expected));
    }
}

#[tokio::test]
async fn a_handler_that_outlives_its_lease_is_told() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(10).clock(clock.now());
    let is_late = Arc::new(AtomicBool::new(true));
    let inner = {
        let (clock, is_late) = (clock.clone(), Arc::clone(&is_late));
        tower::service_fn(move |_: Request<_>| {
            if is_late.load(Ordering::SeqCst) {
                clock.advance(60);
            }
            std::future::ready(Ok::<_, HandlerError>(Response::new(String::new())))
        })
    };
    let lost = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let lost = Arc::clone(&lost);
        move |event: &Event<'_>| {
            if event.kind() == EventKind::LeaseLost {
                lost.lock().unwrap().push(event.name());
            }
        }
    };
    let stripe = Stripe::new(secret()).unwrap().clock(clock.now());
    let guard = ReplayLayer::new("/webhook", store);
    let service = SignatureLayer::new(stripe).observer(observer).layer(guard.layer(inner));
    call(&service, delivery("1")).await.unwrap();
    assert_eq!(*lost.lock().unwrap(), ["webhook_lease_lost"]);
    is_late.store(false, Ordering::SeqCst);
    call(&service, delivery("2")).await.unwrap();
    assert_eq!(lost.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn one_in_flight_is_told() {
    let guard = ReplayLayer::new("/webhook", MemoryReplayStore::new(10));
    let handler = Handler::new([Then::Hang]);
    let clock = TestClock::new();
    let service = super::stack(&clock, &guard, &handler);
    let mut first = Box::pin(call(&service, delivery("1")));
    assert!(poll_once(first.as_mut()).is_pending());
    let heard = heard(&clock, guard, &handler, &["1"]).await;
    assert_eq!(heard, [(EventKind::Replay(ReplayAnswer::InFlight), "webhook_in_flight")]);
}

/// Sends deliveries to a guard that fails open: 3 while its store is down, then one at once and one
/// a second later. Returns the guard's events with their names, and the bodies of what was unguarded.
async fn outage(
    observer: impl tower_webhook::observe::Observer + 'static,
) -> (Vec<(EventKind, &'static str)>, Vec<usize>) {
    let (clock, handler) = (TestClock::new(), Handler::default());
    let store = Slow::new(MemoryReplayStore::new(10), 0);
    let guard = ReplayLayer::new("/webhook", store.clone()).dangerously_fail_open();
    let (heard, unguarded) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let listener = {
        let (heard, unguarded) = (Arc::clone(&heard), Arc::clone(&unguarded));
        move |event: &Event<'_>| {
            if event.is_last() && event.is_unguarded() {
                unguarded.lock().unwrap().push(event.body_len().unwrap());
            }
            if !matches!(event.kind(), EventKind::Accepted | EventKind::Completed { .. }) {
                heard.lock().unwrap().push((event.kind(), event.name()));
            }
        }
    };
    let layer = SignatureLayer::new(Stripe::new(secret()).unwrap().clock(clock.now()));
    let layer = layer.observer(listener).observer(observer);
    // Clones of one guard, as on two routes, have one outage.
    let routes = [0, 1].map(|_| layer.layer(guard.clone().layer(handler.clone())));
    for (nth, body) in ["1", "12", "123", "1234", "12345"].iter().enumerate() {
        store.fails(nth < 3, false);
        if nth == 4 {
            tokio::time::sleep(Duration::from_millis(1_050)).await;
        }
        call(&routes[nth % 2], delivery(body)).await.unwrap();
    }
    assert_eq!(handler.calls(), 5);
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    let unguarded = std::mem::take(&mut *unguarded.lock().unwrap());
    (heard, unguarded)
}

#[tokio::test]
async fn fail_open_outage_is_reported_once_and_at_its_end() {
    let (heard, unguarded) = outage(|_: &Event<'_>| {}).await;
    assert_eq!(
        heard,
        [
            (EventKind::Unguarded { count: 1 }, "webhook_unguarded"),
            (EventKind::GuardRestored { count: 3 }, "webhook_guard_restored"),
        ]
    );
    assert_eq!(unguarded, [1, 2, 3]);
}

#[cfg(feature = "metrics")]
#[test]
fn each_unguarded_delivery_is_counted() {
    let outcomes = Outcomes::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&outcomes, || {
        runtime.block_on(outage(tower_webhook::observe::MetricsObserver::new()));
    });
    assert_eq!(outcomes.0.lock().unwrap().get("unguarded"), Some(&3));
}

/// Counts what is counted under `outcome`.
#[cfg(feature = "metrics")]
#[derive(Clone, Default)]
struct Outcomes(Arc<Mutex<std::collections::BTreeMap<String, u64>>>);

#[cfg(feature = "metrics")]
mod recorder {
    use std::sync::Arc;

    use metrics::{
        Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

    use super::Outcomes;

    struct Outcome(Outcomes, String);

    impl CounterFn for Outcome {
        fn increment(&self, value: u64) {
            *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
        }

        fn absolute(&self, _: u64) {}
    }

    impl Recorder for Outcomes {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let outcome = key.labels().find(|label| label.key() == "outcome");
            match outcome.filter(|_| key.name() == "webhook_replay_total") {
                Some(label) => {
                    Counter::from_arc(Arc::new(Outcome(self.clone(), label.value().to_owned())))
                }
                None => Counter::noop(),
            }
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }
}

#[cfg(feature = "metrics")]
#[test]
fn the_guard_is_counted_by_outcome() {
    use tower_webhook::observe::{Attempt, MetricsObserver, Observer};

    let outcomes = Outcomes::default();
    let (head, ()) = Request::new(()).into_parts();
    let attempt = Attempt::new("acme", &head);
    metrics::with_local_recorder(&outcomes, || {
        let observer = MetricsObserver::new();
        for kind in [
            EventKind::Replay(ReplayAnswer::Duplicate),
            EventKind::Replay(ReplayAnswer::Duplicate),
            EventKind::Replay(ReplayAnswer::InFlight),
            EventKind::Replay(ReplayAnswer::StoreFailed),
            EventKind::Replay(ReplayAnswer::NotVerified),
            // Counted with the requests themselves.
            EventKind::Unguarded { count: 3 },
            EventKind::GuardRestored { count: 3 },
            EventKind::Unsettled,
            EventKind::LeaseLost,
            EventKind::Evicted { count: 7 },
        ] {
            observer.observe(&Event::new(&attempt, kind));
        }
    });
    let counted = outcomes.0.lock().unwrap();
    let counted: Vec<_> = counted.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(
        counted,
        [
            ("duplicate", 2),
            ("evicted", 7),
            ("in_flight", 1),
            ("lease_lost", 1),
            ("not_verified", 1),
            ("store_failed", 1),
            ("unsettled", 1),
        ]
    );
}
