//! Duplicates that come at the same time, on several threads.

use std::sync::Arc;

use http::StatusCode;
use tokio::{sync::Barrier, task::JoinSet};
use tower_webhook::replay::{MemoryReplayStore, ReplayAnswer, ReplayLayer};

use super::{Handler, TestClock, Then, call, delivery, stack};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_at_once_one_is_dispatched() {
    const PARALLEL: usize = 100;
    let store = MemoryReplayStore::new(1000);
    let guard = ReplayLayer::new("/webhook", store.clone());
    let (mut in_flight, mut duplicates) = (0, 0);
    for round in 0..200 {
        // Half of the rounds with a handler that takes a while.
        let handler = Handler::new((round % 2 == 0).then_some(Then::Wait(20)));
        let service = stack(&TestClock::new(), &guard, &handler);
        let barrier = Arc::new(Barrier::new(PARALLEL));
        let mut tasks = JoinSet::new();
        for _ in 0..PARALLEL {
            let (service, barrier) = (service.clone(), Arc::clone(&barrier));
            tasks.spawn(async move {
                barrier.wait().await;
                let answer = call(&service, delivery(&round.to_string())).await.unwrap();
                (answer.status(), answer.extensions().get::<ReplayAnswer>().copied())
            });
        }
        let mut dispatched = 0;
        while let Some(answer) = tasks.join_next().await {
            match answer.unwrap() {
                (StatusCode::OK, None) => dispatched += 1,
                (StatusCode::OK, Some(ReplayAnswer::Duplicate)) => duplicates += 1,
                (StatusCode::SERVICE_UNAVAILABLE, Some(ReplayAnswer::InFlight)) => in_flight += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((dispatched, handler.calls()), (1, 1), "round {round}");
        assert_eq!(store.in_flight(), 0);
    }
    assert_eq!(in_flight + duplicates, 200 * (PARALLEL - 1));
}
