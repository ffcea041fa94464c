//! What stands between requests and the store of secrets: caches, one call at a time, a time limit.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{StatusCode, header};
use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, advance},
};
use tower_webhook::{
    ConfigError, Rejection, RejectionKind, SignatureLayer, Verifier,
    providers::{Meta, StandardWebhooks},
    tenants::{LookUp, Tenants},
};

use crate::{
    net::within,
    support::{Script, SetClock, assert_refused, send},
    tenants::lookup::{Row, Store, by_path, hello, request},
};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn is_known<V: Verifier + Clone>(tenants: &Tenants<V>, tenant: &str) -> bool {
    tenants.verifier(tenant).await.unwrap().tenant().is_some()
}

fn kind(found: Result<impl Sized, Rejection>) -> Option<RejectionKind> {
    found.err().map(|rejection| rejection.kind())
}

/// A number that the look-up's `Debug` shows.
fn shown(tenants: &Tenants<Meta>, name: &str) -> usize {
    let text = format!("{tenants:?}");
    let (_, rest) = text.split_once(&format!(" {name}: ")).unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn requests_for_uncached_tenant_share_one_store_call() {
    for (tenant, status) in [("A", StatusCode::OK), ("unknown", StatusCode::FORBIDDEN)] {
        let store = Store::gated();
        let tenants = store.meta().build().unwrap();
        let arrived = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&arrived);
        let layer = SignatureLayer::new(tenants.by_head(move |head| {
            count.fetch_add(1, Ordering::SeqCst);
            head.uri.path().strip_prefix("/hooks/").map(str::to_owned)
        }));
        let mut requests = JoinSet::new();
        for _ in 0..1000 {
            let layer = layer.clone();
            requests.spawn(async move {
                send(&layer, request(tenant, "secret of tenant A", hello())).await.0.status()
            });
        }
        while arrived.load(Ordering::SeqCst) < 1000 {
            yield_now().await;
        }
        assert_eq!(shown(&tenants, "asking"), 1);
        // Whoever asked a second time would wait for ever.
        store.gate.add_permits(1);
        for found in within(requests.join_all()).await {
            assert_eq!(found, status, "{tenant}");
        }
        assert_eq!((store.calls(), shown(&tenants, "asking")), (1, 0), "{tenant}");
    }
}

#[tokio::test]
async fn requests_for_other_tenants_do_not_wait() {
    let store = Store::gated();
    let tenants = store.meta().build().unwrap();
    let mut first = pin!(tenants.verifier("A"));
    let mut second = pin!(tenants.verifier("B"));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    assert_eq!(store.calls(), 2);
}

#[tokio::test]
async fn dropped_request_passes_its_store_call_to_another() {
    let store = Store::gated();
    let tenants = store.meta().build().unwrap();
    let mut waiting: Vec<Pin<Box<LookUp<Meta>>>> =
        (0..5).map(|_| Box::pin(tenants.verifier("A"))).collect();
    for look_up in &mut waiting {
        assert!(poll(look_up.as_mut()).is_pending());
    }
    assert_eq!(store.calls(), 1);

    // The first makes the call, and the third only waits. Neither holds the others up.
    drop(waiting.remove(2));
    drop(waiting.remove(0));
    store.gate.add_permits(1);
    let found = within(waiting.remove(0)).await.unwrap();
    assert_eq!(found.tenant().unwrap().as_str(), "A");
    for look_up in waiting {
        assert!(within(look_up).await.unwrap().tenant().is_some());
    }
    assert_eq!(store.calls(), 2, "the dropped one and the one after it");

    // All dropped, polled or not: no call is under way any more.
    let mut polled = Box::pin(tenants.verifier("B"));
    assert!(poll(polled.as_mut()).is_pending());
    let never_polled = tenants.verifier("B");
    assert_eq!(shown(&tenants, "asking"), 1);
    drop(polled);
    assert_eq!(shown(&tenants, "asking"), 1);
    drop(never_polled);
    assert_eq!(shown(&tenants, "asking"), 0);
}

#[tokio::test]
async fn failed_store_call_is_503_for_all_and_not_cached() {
    let store = Store::gated();
    store.set("A", Row::Error);
    let tenants = store.meta().build().unwrap();
    let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(tenants.verifier("A"))).collect();
    for look_up in &mut waiting {
        assert!(poll(look_up.as_mut()).is_pending());
    }
    store.gate.add_permits(1);
    for look_up in waiting {
        assert_eq!(kind(within(look_up).await), Some(RejectionKind::VerifierUnavailable));
    }
    assert_eq!(store.calls(), 1);

    let layer = by_path(&tenants);
    store.gate.add_permits(1);
    let genuine = || request("A", "secret of tenant A", Script::untouchable());
    let answer = send(&layer, genuine()).await;
    assert_refused("down", RejectionKind::VerifierUnavailable, &answer);
    assert_eq!(answer.0.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.0.headers()[header::RETRY_AFTER], "5");
    let rejection = answer.0.extensions().get::<Rejection>().unwrap();
    assert_eq!(std::error::Error::source(rejection).unwrap().to_string(), "connection refused");

    store.set("A", Row::Secrets(vec!["secret of tenant A"]));
    store.gate.add_permits(1);
    let (response, _) = send(&layer, genuine().map(|_| hello())).await;
    assert_eq!((response.status(), store.calls()), (StatusCode::OK, 3));
}

#[tokio::test]
async fn a_known_tenant_stays_known_while_the_store_is_down() {
    let (store, clock) = (Store::new(), SetClock::new());
    let tenants = store.meta().clock(clock.now()).build().unwrap();
    assert!(is_known(&tenants, "A").await);
    store.set("A", Row::Error);
    clock.set(59_999);
    assert!(is_known(&tenants, "A").await);
    clock.set(60_000);
    assert_eq!(kind(tenants.verifier("A").await), Some(RejectionKind::VerifierUnavailable));
}

#[tokio::test]
async fn cached_unknown_tenant_is_known_after_forget() {
    let store = Store::new();
    let tenants = store.meta().build().unwrap();
    assert!(!is_known(&tenants, "new").await && !is_known(&tenants, "other").await);
    store.set("new", Row::Secrets(vec!["secret"]));
    store.set("other", Row::Secrets(vec!["secret"]));
    tenants.forget("new");
    assert!(is_known(&tenants, "new").await);
    assert!(!is_known(&tenants, "other").await, "still cached");
}

#[tokio::test]
async fn invalid_stored_secret_is_verifier_unavailable() {
    let store = Store::new();
    store.set("A", Row::Secrets(vec!["whsec_not base64"]));
    store.set("B", Row::Secrets(vec![""]));
    let load = Arc::clone(&store);
    let tenants = Tenants::new(move |tenant| Arc::clone(&load).load(tenant), StandardWebhooks::new);
    let tenants = tenants.unwrap();
    for tenant in ["A", "B", "A", "B"] {
        assert_eq!(kind(tenants.verifier(tenant).await), Some(RejectionKind::VerifierUnavailable));
    }
    assert_eq!(store.calls(), 4, "not cached");
}

#[tokio::test]
async fn store_panic_is_500_and_ends_nothing() {
    let store = Store::new();
    let layer = by_path(&store.meta().build().unwrap());
    for row in [Row::PanicAtOnce, Row::PanicLater] {
        store.set("A", row);
        let answer = send(&layer, request("A", "any", Script::untouchable())).await;
        assert_refused("panic", RejectionKind::VerifierPanicked, &answer);
    }
    store.set("A", Row::Secrets(vec!["secret of tenant A"]));
    let (response, _) = send(&layer, request("A", "secret of tenant A", hello())).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_panic_of_the_store_is_shared_by_all_who_wait() {
    let store = Store::gated();
    for (calls, row) in [(1, Row::PanicLater), (2, Row::PanicAtOnce)] {
        store.set("A", row);
        let tenants = store.meta().build().unwrap();
        let waiting: Vec<_> = (0..3).map(|_| tenants.verifier("A")).collect();
        store.gate.add_permits(1);
        for look_up in waiting {
            assert_eq!(kind(within(look_up).await), Some(RejectionKind::VerifierPanicked));
        }
        assert_eq!((store.calls(), shown(&tenants, "asking")), (calls, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn unanswered_store_call_fails_after_two_seconds() {
    let store = Store::new();
    store.set("A", Row::Never);
    let tenants = store.meta().build().unwrap();
    let start = Instant::now();
    let mut first = pin!(tenants.verifier("A"));
    assert!(poll(first.as_mut()).is_pending());
    advance(Duration::from_millis(1500)).await;
    // One that comes later is told when the first is, and does not ask again.
    let mut second = pin!(tenants.verifier("A"));
    assert!(poll(second.as_mut()).is_pending());
    for late in [within(first).await, within(second).await] {
        let rejection = late.unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::VerifierUnavailable);
        // Nobody knows whether there is such a tenant.
        assert_eq!((rejection.tenant(), rejection.claimed_tenant()), (None, Some("A")));
    }
    let waited = start.elapsed().as_millis();
    assert!((2000..=2002).contains(&waited), "{waited} ms");
    assert_eq!((store.calls(), shown(&tenants, "asking")), (1, 0));

    store.set("A", Row::Secrets(vec!["secret of tenant A"]));
    assert!(is_known(&tenants, "A").await, "asked again");
}

#[tokio::test(start_paused = true)]
async fn answer_within_the_time_limit_is_used() {
    let store = Store::gated();
    let tenants = store.meta().build().unwrap();
    let mut look_up = pin!(tenants.verifier("A"));
    assert!(poll(look_up.as_mut()).is_pending());
    advance(Duration::from_millis(1900)).await;
    assert!(poll(look_up.as_mut()).is_pending());
    store.gate.add_permits(1);
    assert!(look_up.await.unwrap().tenant().is_some());
}

#[tokio::test(start_paused = true)]
async fn time_limit_holds_across_repeated_store_calls() {
    let store = Store::new();
    store.set("A", Row::Never);
    let limit = Duration::from_secs(1);
    let tenants = store.meta().time_limit(limit).build().unwrap();
    // Each makes the call for a while and is dropped. Ours stands behind them all.
    let mut dropped: Vec<_> = (0..4).map(|_| Box::pin(tenants.verifier("A"))).collect();
    for look_up in &mut dropped {
        assert!(poll(look_up.as_mut()).is_pending());
    }
    let ours = tokio::spawn({
        let look_up = tenants.verifier("A");
        async move {
            let start = Instant::now();
            (kind(look_up.await), start.elapsed())
        }
    });
    yield_now().await;
    for mut look_up in dropped {
        assert!(poll(look_up.as_mut()).is_pending());
        advance(Duration::from_millis(400)).await;
        yield_now().await;
    }
    assert_eq!(store.calls(), 4, "each made a call");
    let (kind, waited) = within(ours).await.unwrap();
    assert_eq!(kind, Some(RejectionKind::VerifierUnavailable));
    assert!((1000..=1200).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test]
async fn answers_are_kept_for_their_time_to_the_millisecond() {
    let (store, clock) = (Store::new(), SetClock::new());
    let tenants = store.meta().clock(clock.now()).build().unwrap();
    for (tenant, ttl) in [("A", 60_000), ("unknown", 10_000)] {
        clock.set(0);
        tenants.clear();
        let before = store.calls();
        for (millis, calls) in [(0, 1), (ttl - 1, 1), (ttl, 2), (2 * ttl - 1, 2), (2 * ttl, 3)] {
            clock.set(millis);
            is_known(&tenants, tenant).await;
            assert_eq!(store.calls() - before, calls, "{tenant} at {millis}");
        }
        // Another thread has read the clock a moment earlier.
        clock.set(2 * ttl - 1);
        is_known(&tenants, tenant).await;
        assert_eq!(store.calls() - before, 3, "{tenant}");
        // A clock that was set back does not keep anything for longer.
        clock.set(0);
        is_known(&tenants, tenant).await;
        assert_eq!(store.calls() - before, 4, "{tenant}");
    }
}

#[tokio::test]
async fn an_answer_is_as_old_as_the_question() {
    let (store, clock) = (Store::gated(), SetClock::new());
    let tenants = store.meta().clock(clock.now()).build().unwrap();
    let mut look_up = pin!(tenants.verifier("A"));
    assert!(poll(look_up.as_mut()).is_pending());
    clock.set(59_999);
    store.gate.add_permits(2);
    look_up.await.unwrap();
    assert!(is_known(&tenants, "A").await);
    assert_eq!(store.calls(), 1);
    clock.set(60_000);
    assert!(is_known(&tenants, "A").await);
    assert_eq!(store.calls(), 2);
}

#[tokio::test]
async fn without_a_clock_nothing_is_cached() {
    let (store, clock) = (Store::new(), SetClock::new());
    let tenants = store.meta().clock(clock.now()).build().unwrap();
    clock.set(-1_700_000_000_000);
    for _ in 0..3 {
        assert!(is_known(&tenants, "A").await);
    }
    assert_eq!((store.calls(), shown(&tenants, "known")), (3, 0));
}

#[test]
fn a_cache_for_more_than_a_minute_is_a_mistake() {
    let minute = Duration::from_secs(60);
    let more = minute + Duration::from_nanos(1);
    let store = Store::new();
    assert!(store.meta().ttl(minute).unknown_ttl(minute).build().is_ok());
    for builder in [store.meta().ttl(more), store.meta().unknown_ttl(more)] {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, ConfigError::TenantsInvalid { .. }), "{error}");
        assert!(error.to_string().contains("60 seconds"), "{error}");
    }
}

#[tokio::test]
async fn many_unknown_ids_do_not_evict_known_tenants() {
    let store = Store::new();
    let tenants = store.meta().capacity(2).unknown_capacity(16).build().unwrap();
    assert!(is_known(&tenants, "A").await && is_known(&tenants, "B").await);
    for n in 0..1000 {
        assert!(!is_known(&tenants, &format!("flood-{n}")).await);
    }
    assert_eq!(store.calls(), 1002);
    assert!(shown(&tenants, "unknown") <= 16, "{tenants:?}");
    assert!(is_known(&tenants, "A").await && is_known(&tenants, "B").await);
    assert_eq!(store.calls(), 1002, "both are still cached");

    assert!(!is_known(&tenants, "again").await && !is_known(&tenants, "again").await);
    assert_eq!(store.calls(), 1003, "that it is unknown is cached too");
}

#[tokio::test]
async fn known_tenants_are_bounded_too() {
    let store = Store::new();
    for name in ["t1", "t2", "t3", "t4", "t5"] {
        store.set(name, Row::Secrets(vec!["secret"]));
    }
    let tenants = store.meta().capacity(3).build().unwrap();
    for name in ["t1", "t2", "t3", "t4", "t5"] {
        assert!(is_known(&tenants, name).await);
    }
    assert!(shown(&tenants, "known") <= 3, "{tenants:?}");

    let uncached = store.meta().capacity(0).unknown_capacity(0).build().unwrap();
    for name in ["A", "A", "unknown", "unknown"] {
        is_known(&uncached, name).await;
    }
    assert_eq!(store.calls(), 5 + 4);
}

#[tokio::test]
async fn authentic_requests_are_accepted_during_rotation() {
    let store = Store::new();
    let tenants = store.meta().build().unwrap();
    let layer = by_path(&tenants);
    let mut requests = JoinSet::new();
    for n in 0..1000 {
        let secret = if n < 500 { "secret of tenant A" } else { "the new secret" };
        if n == 500 {
            store.set("A", Row::Secrets(vec!["the new secret", "secret of tenant A"]));
            tenants.forget("A");
        }
        let layer = layer.clone();
        let late = Script::new([
            crate::support::Event::Pending,
            crate::support::Event::Data("hello".into()),
        ]);
        // Called here and polled later: half of them hold the verifier from before.
        let service = tower::ServiceExt::oneshot(
            tower::Layer::layer(&layer, crate::support::Inner::default()),
            request("A", secret, late),
        );
        requests.spawn(async move { service.await.unwrap().status() });
        if n % 100 == 99 {
            yield_now().await;
        }
    }
    for status in requests.join_all().await {
        assert_eq!(status, StatusCode::OK);
    }
    assert_eq!(store.calls(), 2);
    let (_, inner) = send(&layer, request("A", "secret of tenant A", hello())).await;
    assert_eq!(inner.only_call().verified().key_index(), 1, "the previous secret");
}

#[tokio::test]
async fn deleted_tenant_is_unknown_after_ttl_or_forget() {
    for forgets in [true, false] {
        let (store, clock) = (Store::new(), SetClock::new());
        let tenants = store.meta().clock(clock.now()).build().unwrap();
        let layer = by_path(&tenants);
        let genuine = || request("A", "secret of tenant A", hello());
        assert_eq!(send(&layer, genuine()).await.0.status(), StatusCode::OK);
        store.rows.lock().unwrap().remove("A");
        assert_eq!(send(&layer, genuine()).await.0.status(), StatusCode::OK, "still cached");
        if forgets {
            tenants.forget("A");
        } else {
            clock.set(60_000);
        }
        assert_refused("deleted", RejectionKind::UnknownTenant, &send(&layer, genuine()).await);
        assert_eq!((shown(&tenants, "known"), shown(&tenants, "unknown")), (0, 1));

        // And the other way round.
        store.set("A", Row::Secrets(vec!["secret of tenant A"]));
        assert_refused("remade", RejectionKind::UnknownTenant, &send(&layer, genuine()).await);
        tenants.clear();
        assert_eq!(send(&layer, genuine()).await.0.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn answer_from_before_forget_is_used_but_not_cached() {
    let store = Store::gated();
    let tenants = store.meta().build().unwrap();
    for clears in [false, true] {
        let calls = store.calls();
        let mut before = pin!(tenants.verifier("A"));
        assert!(poll(before.as_mut()).is_pending());
        if clears {
            tenants.clear();
        } else {
            tenants.forget("A");
        }
        let mut after = pin!(tenants.verifier("A"));
        assert!(poll(after.as_mut()).is_pending());
        assert_eq!(store.calls() - calls, 2, "it does not wait for the older call");
        store.gate.add_permits(1);
        assert!(within(before).await.unwrap().tenant().is_some());
        assert_eq!((shown(&tenants, "known"), shown(&tenants, "asking")), (0, 1));
        store.gate.add_permits(1);
        assert!(within(after).await.unwrap().tenant().is_some());
        assert_eq!((shown(&tenants, "known"), shown(&tenants, "asking")), (1, 0));
        tenants.clear();
    }
}
