//! A request that is dropped, after any poll, leaves no claim behind.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Response, StatusCode};
use tower::{Layer, service_fn};
use tower_webhook::{
    SignatureLayer,
    providers::Stripe,
    replay::{MemoryReplayStore, ReplayLayer},
};

use super::{
    Handler, HandlerError, Slow, TestClock, Then, call, delivery, poll_once, stack, status,
};
use crate::support::{AtTime, secret};

/// Each of the steps takes a few polls: the claim to the store and back, the handler, the
/// settlement to the store and back.
const POLLS: usize = 3;

#[tokio::test]
async fn dropped_after_any_poll_no_claim_is_left_behind() {
    for (then, is_success) in [
        (Then::Wait(POLLS), true),
        (Then::Answer(StatusCode::OK), true),
        (Then::Answer(StatusCode::BAD_GATEWAY), false),
        (Then::Fail, false),
    ] {
        let (mut polls, mut handled, mut released) = (0, 0, 0);
        loop {
            let memory = MemoryReplayStore::new(100);
            let store = Slow::new(memory.clone(), POLLS);
            let handler = Handler::new([then]);
            let guard = ReplayLayer::new("/webhook", store);
            let service = stack(&TestClock::new(), &guard, &handler);

            let mut first = Box::pin(call(&service, delivery("1")));
            let is_done = (0..polls).any(|_| poll_once(first.as_mut()).is_ready());
            drop(first);
            assert_eq!(memory.in_flight(), 0, "{then:?}, dropped after poll {polls}");

            // What the handler had done with success is remembered, and nothing else.
            let dispatched_before = handler.calls();
            handler.script.lock().unwrap().clear();
            assert_eq!(status(&call(&service, delivery("1")).await), StatusCode::OK);
            match handler.calls() - dispatched_before {
                0 => handled += 1,
                _ => released += 1,
            }
            assert!(dispatched_before == 1 || handler.calls() == 1, "never lost");
            if is_done {
                break;
            }
            polls += 1;
        }
        assert!(released > 2 * POLLS, "{then:?}: {released}");
        // The settlement, to the store and back, and the answer.
        assert_eq!(handled, if is_success { 2 * POLLS + 1 } else { 0 }, "{then:?}");
    }
}

/// Counts the claims while it is being dropped.
struct Looks(MemoryReplayStore, Arc<AtomicUsize>);

impl Drop for Looks {
    fn drop(&mut self) {
        self.1.store(self.0.in_flight(), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn the_handler_is_gone_before_its_claim_is() {
    let (store, claims) = (MemoryReplayStore::new(100), Arc::new(AtomicUsize::new(usize::MAX)));
    let guard = ReplayLayer::new("/webhook", store.clone());
    let handler = {
        let (store, claims) = (store.clone(), Arc::clone(&claims));
        service_fn(move |_| {
            let looks = Looks(store.clone(), Arc::clone(&claims));
            async move {
                let _looks = looks;
                std::future::pending::<Result<Response<String>, HandlerError>>().await
            }
        })
    };
    let stripe = Stripe::new(secret()).unwrap().clock(TestClock::new().now());
    let service = SignatureLayer::new(stripe).layer(guard.layer(handler));
    let mut request = Box::pin(call(&service, delivery("1")));
    assert!(poll_once(request.as_mut()).is_pending());
    drop(request);
    assert_eq!(claims.load(Ordering::SeqCst), 1, "the next handler could have begun");
    assert_eq!(store.in_flight(), 0);
}

#[tokio::test]
async fn dropped_without_a_poll_it_was_never_claimed() {
    let store = MemoryReplayStore::new(100);
    let guard = ReplayLayer::new("/webhook", store.clone());
    let service = stack(&TestClock::new(), &guard, &Handler::default());
    drop(call(&service, delivery("1")));
    assert!(store.is_empty());
}

#[tokio::test]
async fn leaked_request_is_claimed_again_after_its_lease() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(100).clock(clock.now());
    let guard = ReplayLayer::new("/webhook", store.clone());
    let handler = Handler::new([Then::Hang]);
    let service = stack(&clock, &guard, &handler);
    let mut leaked = Box::pin(call(&service, delivery("1")));
    assert!(poll_once(leaked.as_mut()).is_pending());
    std::mem::forget(leaked);
    for (advance, expected) in
        [(59, StatusCode::SERVICE_UNAVAILABLE), (1, StatusCode::OK), (0, StatusCode::OK)]
    {
        clock.advance(advance);
        assert_eq!(status(&call(&service, delivery("1")).await), expected, "{advance}");
    }
    assert_eq!((handler.calls(), store.in_flight()), (2, 0));
}
