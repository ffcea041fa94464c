//! Redis stopped, paused, slow, and back without its memory.

use std::time::{Duration, Instant};

use http::{StatusCode, header};
use tower_webhook::replay::{RedisStore, ReplayAnswer, ReplayLayer, StoreError};

use super::{Handler, Redis, Stack, call, delivery, free_port, stack};

/// The store's limit is 250 milliseconds. What hangs would take for ever.
const NOTHING_HANGS: Duration = Duration::from_secs(10);

/// Asserts the answer to a store that is down: come again, nothing was dispatched.
async fn assert_to_come_again(service: &Stack, handler: &Handler, body: &str) {
    let (calls, start) = (handler.calls(), Instant::now());
    let answer = call(service, &delivery(body)).await;
    assert!(start.elapsed() < NOTHING_HANGS, "{:?}", start.elapsed());
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(answer.extensions().get(), Some(&ReplayAnswer::StoreFailed));
    assert!(answer.extensions().get::<StoreError>().is_some());
    assert_eq!(handler.calls(), calls, "not dispatched");
}

/// A sender comes again until it is answered 200: after a fault the first try may find the broken
/// connection, and a claim that was made during the fault may still be on its way back.
async fn assert_handled_in_the_end(service: &Stack, handler: &Handler, body: &str) {
    let (calls, request) = (handler.calls(), delivery(body));
    let start = Instant::now();
    while call(service, &request).await.status() != StatusCode::OK {
        assert!(start.elapsed() < NOTHING_HANGS);
        tokio::task::yield_now().await;
    }
    assert_eq!(handler.calls(), calls + 1);
    let again = call(service, &request).await;
    assert_eq!(again.extensions().get(), Some(&ReplayAnswer::Duplicate));
    assert_eq!(handler.calls(), calls + 1);
}

#[tokio::test]
async fn redis_down_at_startup_recovers_later() {
    let port = free_port();
    let handler = Handler::default();
    let store = RedisStore::open(format!("redis://127.0.0.1:{port}/")).unwrap();
    let service = stack(&ReplayLayer::new("/", store), &handler);
    for body in ["1", "2"] {
        assert_to_come_again(&service, &handler, body).await;
    }
    let _redis = Redis::start_at(port).expect("the port is still free");
    assert_handled_in_the_end(&service, &handler, "1").await;
}

#[tokio::test]
async fn redis_down_and_the_guard_fails_open() {
    let handler = Handler::default();
    let store = RedisStore::open(format!("redis://127.0.0.1:{}/", free_port())).unwrap();
    let service = stack(&ReplayLayer::new("/", store).dangerously_fail_open(), &handler);
    for calls in 1..3 {
        assert_eq!(call(&service, &delivery("1")).await.status(), StatusCode::OK);
        assert_eq!(handler.calls(), calls);
    }
}

#[tokio::test]
async fn redis_restarted_with_empty_memory() {
    let mut redis = Redis::start();
    let port = redis.port;
    let handler = Handler::default();
    let service = stack(&ReplayLayer::new("/", redis.store()), &handler);
    assert_handled_in_the_end(&service, &handler, "1").await;
    redis.child.kill().unwrap();
    redis.child.wait().unwrap();
    assert_to_come_again(&service, &handler, "1").await;
    assert_to_come_again(&service, &handler, "2").await;
    let _redis = Redis::start_at(port).expect("the port is still free");
    assert_handled_in_the_end(&service, &handler, "2").await;
    // What it forgot is handled again, as the documentation says.
    assert_handled_in_the_end(&service, &handler, "1").await;
}

#[tokio::test]
async fn stopped_redis_delays_no_request_past_the_limit() {
    let redis = Redis::start();
    let handler = Handler::default();
    let service = stack(&ReplayLayer::new("/", redis.store()), &handler);
    assert_handled_in_the_end(&service, &handler, "0").await;
    redis.signal("-STOP");
    // All at once, and more of them than the connection has room for.
    let bodies: Vec<String> = (0..2000).map(|body| format!("still {body}")).collect();
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for body in bodies.clone() {
        let service = service.clone();
        tasks.spawn(async move { call(&service, &delivery(&body)).await.status() });
    }
    for status in tasks.join_all().await {
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!(start.elapsed() < NOTHING_HANGS, "{:?}", start.elapsed());
    assert_eq!(handler.calls(), 1);
    redis.signal("-CONT");
    // The claims that Redis granted meanwhile are given back.
    for body in &bodies[..20] {
        assert_handled_in_the_end(&service, &handler, body).await;
    }
}

#[tokio::test]
async fn redis_that_is_paused_or_busy() {
    let redis = Redis::start();
    let handler = Handler::default();
    let service = stack(&ReplayLayer::new("/", redis.store()), &handler);
    assert_handled_in_the_end(&service, &handler, "0").await;

    let mut connection = redis.connect().await;
    let mut pause = redis::cmd("CLIENT");
    pause.arg("PAUSE").arg(600_000).arg("WRITE");
    let () = pause.query_async(&mut connection).await.unwrap();
    assert_to_come_again(&service, &handler, "paused").await;
    let () = redis::cmd("CLIENT").arg("UNPAUSE").query_async(&mut connection).await.unwrap();
    assert_handled_in_the_end(&service, &handler, "paused").await;

    // For longer than the limit.
    let busy = tokio::spawn(async move {
        let mut command = redis::cmd("DEBUG");
        command.arg("SLEEP").arg(1).query_async::<()>(&mut connection).await
    });
    while !busy.is_finished() {
        // From the moment that it is busy until it is not, each answer is one of the two.
        let answer = call(&service, &delivery("busy")).await;
        assert!(
            matches!(answer.status(), StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE),
            "{}",
            answer.status()
        );
    }
    assert_handled_in_the_end(&service, &handler, "after").await;
}

/// A Redis whose answers take most of the limit.
#[tokio::test]
async fn redis_that_is_slow_but_within_the_limit() {
    let redis = Redis::start();
    let handler = Handler::default();
    let store = redis.store().time_limit(NOTHING_HANGS);
    let service = stack(&ReplayLayer::new("/", store), &handler);
    let mut connection = redis.connect().await;
    let busy = tokio::spawn(async move {
        let mut command = redis::cmd("DEBUG");
        command.arg("SLEEP").arg(0.5).query_async::<()>(&mut connection).await
    });
    assert_eq!(call(&service, &delivery("1")).await.status(), StatusCode::OK);
    assert_eq!(handler.calls(), 1);
    let _ = busy.await.unwrap();
}
