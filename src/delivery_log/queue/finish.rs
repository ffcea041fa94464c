//! The first stage: bodies are hashed and masked, on threads that may be busy.
//!
//! That is `spawn_blocking` and no thread of the log's own, because the runtime waits for it when
//! it ends, reuses its threads, and SQLite's transactions need one of them anyway.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::spawn_blocking,
    time::{self, sleep},
};

use crate::{
    delivery_log::{
        queue::{
            limits::{LINGER, MIN_DELAY},
            queue::Queue,
            state::{Lane, Work},
        },
        row::Draft,
    },
    panic::catch_panic,
};

/// How long a thread is kept at most, but for the row in hand: a runtime that ends waits for it.
const TURN: Duration = Duration::from_millis(100);

/// Finishes the rows of a lane until the queue is closed and none is left.
pub(crate) async fn finish<F>(queue: Arc<Queue>, lane: Lane, work: F)
where
    F: Fn(&mut Draft) + Clone + Send + 'static,
{
    while has_work(&queue, lane).await {
        let (turns_queue, work) = (Arc::clone(&queue), work.clone());
        // Panics when the system has no thread left.
        let turn = catch_panic(|| spawn_blocking(move || turn(&turns_queue, lane, &work)));
        let is_done = match turn {
            Ok(turn) => turn.await.is_ok(),
            Err(_) => false,
        };
        if !is_done {
            // The rows wait where they are.
            sleep(MIN_DELAY).await;
        }
    }
}

/// Waits for a row, and for more that a thread is woken for only once. `false` in the end.
async fn has_work(queue: &Queue, lane: Lane) -> bool {
    let signal = queue.signal(lane);
    loop {
        match queue.unfinished(lane) {
            Work::Over => return false,
            Work::Now => return true,
            Work::Nothing => signal.some.notified().await,
            Work::Some => {
                let end = time::Instant::now() + LINGER;
                while queue.unfinished(lane) == Work::Some {
                    if time::timeout_at(end, signal.now.notified()).await.is_err() {
                        return true;
                    }
                }
            }
        }
    }
}

/// Finishes rows one by one, so that an urgent one waits for no more than one other, and each is
/// written as soon as it is finished.
fn turn(queue: &Queue, lane: Lane, work: &impl Fn(&mut Draft)) {
    let start = Instant::now();
    while start.elapsed() < TURN {
        let next = queue.state().take_unfinished(lane);
        let Some(mut job) = next else { break };
        // A row that is not finished is still a row.
        let _ = catch_panic(|| work(&mut job.draft));
        queue.hand_over(job);
    }
    // It may have been the last row, and taken back.
    queue.wake(queue.state(), None);
}
