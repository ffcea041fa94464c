//! The store's own rules.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::StatusCode;
use redis::AsyncCommands;
use tower_webhook::{
    Verified,
    replay::{
        Claim, ClaimToken, RedisStore, ReplayAnswer, ReplayKey, ReplayLayer, ReplayStore, Settled,
    },
};

use super::{Handler, Redis, call, delivery, failing, stack};

const LEASE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(660);
const GRANTED: Claim = Claim::Granted { evicted: 0 };

fn key() -> ReplayKey {
    Verified::new("test").with_replay_material(b"1").replay_key().unwrap()
}

#[tokio::test]
async fn claim_is_granted_once_and_released_only_by_owner() {
    let redis = Redis::start();
    let (store, key) = (redis.store(), key());
    let (owner, other) = (ClaimToken::unique(), ClaimToken::unique());
    assert_eq!(store.claim(&key, owner, LEASE).await.unwrap(), GRANTED);
    assert_eq!(store.claim(&key, other, LEASE).await.unwrap(), Claim::InFlight);
    assert_eq!(store.release(&key, other).await.unwrap(), Settled::Lost);
    assert_eq!(store.claim(&key, other, LEASE).await.unwrap(), Claim::InFlight);
    assert_eq!(store.release(&key, owner).await.unwrap(), Settled::Held);
    assert_eq!(store.claim(&key, other, LEASE).await.unwrap(), GRANTED);
    // Late, but true all the same.
    assert_eq!(store.commit(&key, owner, RETENTION).await.unwrap(), Settled::Lost);
    assert_eq!(store.claim(&key, owner, LEASE).await.unwrap(), Claim::Completed);
    assert_eq!(store.release(&key, other).await.unwrap(), Settled::Lost);
    assert_eq!(store.claim(&key, owner, LEASE).await.unwrap(), Claim::Completed);
}

#[tokio::test]
async fn every_key_has_the_prefix_and_expires() {
    let redis = Redis::start();
    let store = redis.store().key_prefix("hooks:");
    let mut connection = redis.connect().await;
    let (key, token) = (key(), ClaimToken::unique());
    let in_ms = |expected: Duration, ttl: u64| {
        let expected = u64::try_from(expected.as_millis()).unwrap();
        assert!((expected - 10_000..=expected).contains(&ttl), "{ttl} of {expected}");
    };
    store.claim(&key, token, LEASE).await.unwrap();
    let name =
        format!("hooks:{}", key.as_ref().iter().map(|b| format!("{b:02x}")).collect::<String>());
    assert_eq!(connection.keys::<_, Vec<String>>("*").await.unwrap(), std::slice::from_ref(&name));
    in_ms(LEASE, connection.pttl(&name).await.unwrap());
    // A repetition does not prolong it.
    let _: bool = connection.pexpire(&name, 5000).await.unwrap();
    store.claim(&key, ClaimToken::unique(), LEASE).await.unwrap();
    assert!(connection.pttl::<_, u64>(&name).await.unwrap() <= 5000);
    assert_eq!(store.commit(&key, token, RETENTION).await.unwrap(), Settled::Held);
    in_ms(RETENTION, connection.pttl(&name).await.unwrap());
    // One that has expired is granted again, as after a crash.
    let _: bool = connection.pexpire(&name, 0).await.unwrap();
    assert_eq!(store.claim(&key, token, LEASE).await.unwrap(), GRANTED);
    // Nothing is shorter than a millisecond, nor too long for Redis.
    store.release(&key, token).await.unwrap();
    for lease in [Duration::ZERO, Duration::MAX] {
        assert!(store.claim(&key, token, lease).await.is_ok());
        let _: () = connection.del(&name).await.unwrap();
    }
    let days = Duration::from_secs(100 * 86_400);
    assert_eq!(store.claim(&key, token, days).await.unwrap(), GRANTED);
    in_ms(days, connection.pttl(&name).await.unwrap());
}

/// As long as a provider's deliveries are accepted, and the guard's hour.
#[tokio::test]
async fn every_providers_window_is_kept_whole() {
    let redis = Redis::start();
    let (store, token) = (redis.store(), ClaimToken::unique());
    let mut connection = redis.connect().await;
    let windows: std::collections::BTreeSet<_> = tower_webhook::providers::all()
        .filter_map(|provider| provider.tolerance())
        .map(|tolerance| tolerance.past() + Duration::from_secs(3600))
        .collect();
    assert!(windows.len() > 10, "{windows:?}");
    for window in windows {
        let key = Verified::new("test").with_replay_material(format!("{window:?}").as_bytes());
        let key = key.replay_key().unwrap();
        store.claim(&key, token, LEASE).await.unwrap();
        assert_eq!(store.commit(&key, token, window).await.unwrap(), Settled::Held);
        let left: u64 = connection.pttl(redis.keys().await.remove(0)).await.unwrap();
        let expected = u64::try_from(window.as_millis()).unwrap();
        assert!((expected - 10_000..=expected).contains(&left), "{left} of {expected}");
        let _: () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn fail_then_retry_is_two_dispatches_a_thousand_times() {
    let redis = Redis::start();
    let handler = Handler::default();
    let service = stack(&ReplayLayer::new("/", redis.store()), &handler);
    for round in 0..1000 {
        let delivery = delivery(&round.to_string());
        let failed = call(&service, &failing(delivery.clone())).await;
        assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
        for is_duplicate in [false, true] {
            let answer = call(&service, &delivery).await;
            assert_eq!(answer.status(), StatusCode::OK);
            let answered = is_duplicate.then_some(&ReplayAnswer::Duplicate);
            assert_eq!(answer.extensions().get(), answered);
        }
        assert_eq!(handler.calls(), 2 * (round + 1));
    }
}

/// Drops a future when it is pending for the n-th time.
struct DropAt<F>(Pin<Box<F>>, usize);

impl<F: Future> Future for DropAt<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 == 0 {
            return Poll::Ready(None);
        }
        self.1 -= 1;
        match self.0.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.1 == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[tokio::test]
async fn dropped_after_any_poll_no_claim_is_left_behind() {
    let redis = Redis::start();
    let mut calls_of_dropped = 0;
    for round in 0..20 {
        // The first request of a store also connects.
        let store = redis.store();
        for polls in 0.. {
            let handler = Handler::default();
            let service = stack(&ReplayLayer::new("/", store.clone()), &handler);
            let request = failing(delivery(&format!("{round}/{polls}")));
            let answer = DropAt(Box::pin(call(&service, &request)), polls).await;
            redis.until_empty().await;
            if let Some(answer) = answer {
                assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
                break;
            }
            calls_of_dropped += handler.calls();
        }
    }
    // While the handler was at work, and while the claim was given back. How often one request is polled
    // is up to the socket.
    assert!(calls_of_dropped >= 2, "{calls_of_dropped}");
}

#[tokio::test]
async fn what_it_shows_holds_no_password() {
    let store = RedisStore::open("redis://user:pass-canary@127.0.0.1:1").unwrap();
    let store = store.key_prefix("hooks:").time_limit(Duration::from_millis(70));
    let shown = format!("{store:?} {:?}", store.release(&key(), ClaimToken::unique()));
    for expected in
        ["RedisStore { prefix: \"hooks:\", time_limit: 70ms", "RedisFuture { limit: 70ms"]
    {
        assert!(shown.contains(expected), "{shown}");
    }
    assert!(!shown.contains("canary"), "{shown}");
}
