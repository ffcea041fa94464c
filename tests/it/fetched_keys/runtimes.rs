//! Runtimes that end, stand still or are missing, and clocks of threads that are out of order.

use std::{
    future::Future,
    pin::pin,
    sync::mpsc,
    task::{Context, Waker},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{StatusCode, request::Parts};
use tokio::runtime::{Builder, Runtime};
use tower_webhook::{
    fetched_keys::{FetchedKeys, KeyFetcher},
    providers::{Circle, CircleProduct},
    verifier::verify_with,
};

use super::{
    CIRCLE_HEADER, CIRCLE_ID, KeySource, Reply, cache::status, circle, circle_key, circle_layer,
    from_circle, uuid,
};
use crate::{
    net::within,
    support::{SetClock, head_of, send},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn message(fetcher: &KeyFetcher) -> (FetchedKeys<Circle>, Parts, Bytes) {
    let keys = Circle::with_fetched_keys(CircleProduct::Wallets, fetcher).unwrap();
    (keys, head_of(from_circle(CIRCLE_ID)), circle().body.into())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Runs in a thread that may hang.
fn ends(run: impl FnOnce() + Send + 'static) {
    let (end, ended) = mpsc::channel();
    thread::spawn(move || {
        run();
        end.send(()).unwrap();
    });
    assert!(ended.recv_timeout(Duration::from_secs(20)).is_ok(), "it hangs");
}

/// The task is dropped where it is spawned, under the lock that it needs.
#[test]
fn runtime_that_has_shut_down_is_no_deadlock() {
    ends(|| {
        let source = KeySource::fixed(circle_key(CIRCLE_ID));
        let (keys, head, body) = message(&source.fetcher(&SetClock::new()));
        let runtime = runtime();
        let handle = runtime.handle().clone();
        drop(runtime);
        let _entered = handle.enter();
        let mut waiting = pin!(verify_with(&keys, &head, &body));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    });
}

/// A request arrives while a server's runtime shuts down.
#[test]
fn server_that_shuts_down_does_not_hang() {
    struct Dropped(mpsc::Sender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    ends(|| {
        let source = KeySource::fixed(circle_key(CIRCLE_ID));
        let layer = circle_layer(&source.fetcher(&SetClock::new()));
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (closed, is_closed) = mpsc::channel();
        let (started, is_started) = mpsc::channel();
        let guard = Dropped(closed);
        runtime.spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        runtime.spawn(async move {
            started.send(()).unwrap();
            is_closed.recv().unwrap();
            send(&layer, from_circle(CIRCLE_ID)).await;
        });
        is_started.recv().unwrap();
        drop(runtime);
    });
}

/// A consumer of a queue blocks on each message, and nothing runs in between.
#[test]
fn rare_messages_are_verified() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let (keys, head, body) = message(&source.fetcher(&clock));
    let runtime = runtime();
    for (number, millis) in [0, 50 * MINUTE, 3 * HOUR, 6 * HOUR, 9 * HOUR].into_iter().enumerate() {
        clock.set(millis);
        let found = runtime.block_on(verify_with(&keys, &head, &body));
        assert!(found.is_ok(), "{number}: {found:?}");
    }
}

/// The runtime of the first request is not driven any more.
#[test]
fn request_does_not_wait_for_another_runtime() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let (keys, head, body) = message(&source.fetcher(&clock));
    let (first, second) = (runtime(), runtime());
    first.block_on(async {
        let mut waiting = pin!(verify_with(&keys, &head, &body));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    });
    let found = second.block_on(within(verify_with(&keys, &head, &body)));
    assert!(found.is_err());
    // The fetch that stands still is replaced.
    clock.set(10_000);
    assert!(second.block_on(within(verify_with(&keys, &head, &body))).is_ok());
}

/// A fetch that stood still ends after another one has replaced it.
#[test]
fn late_fetch_leaves_its_successor_alone() {
    let (source, clock) = (KeySource::fixed(Reply::Never), SetClock::new());
    let (keys, head, body) = message(&source.fetcher(&clock));
    let (first, second) = (runtime(), runtime());
    let mut cx = Context::from_waker(Waker::noop());
    first.block_on(async {
        let mut waiting = pin!(verify_with(&keys, &head, &body));
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
    });
    assert!(second.block_on(within(verify_with(&keys, &head, &body))).is_err());
    second.block_on(async {
        let mut successor = pin!(verify_with(&keys, &head, &body));
        assert!(successor.as_mut().poll(&mut cx).is_pending());
        first.shutdown_background();
        let mut waiting = pin!(verify_with(&keys, &head, &body));
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
    });
}

#[tokio::test]
async fn stale_keys_can_be_used_forever() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock).stale_for(Duration::MAX));
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    source.set(Reply::Failed);
    clock.set(2 * HOUR);
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
}

#[test]
fn request_without_a_runtime_uses_up_no_fetch() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let (keys, head, body) = message(&source.fetcher(&clock).max_unknown_ids(1));
    {
        let outside = pin!(verify_with(&keys, &head, &body));
        assert!(outside.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
    assert!(runtime().block_on(verify_with(&keys, &head, &body)).is_ok());
}

/// Threads read the clock before they take the lock, so that times are out of order by a little.
#[tokio::test]
async fn times_out_of_order_do_not_raise_the_limit() {
    let (source, clock) = (KeySource::fixed(Reply::Absent), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    let delivery = circle();
    for number in 0..2_000 {
        clock.set([9, 8, 7, 6, 5, 4, 3, 2, 1, 0][number % 10]);
        send(&layer, delivery.with(CIRCLE_HEADER, Some(&uuid(number)))).await;
    }
    assert_eq!(source.calls(), 100);
}
