//! First stage: bodies are hashed and masked, on threads that may block.
//!
//! The stage uses `spawn_blocking` rather than threads of its own: a runtime that shuts down waits
//! for these threads and reuses them, and SQLite's transactions need one of them anyway.

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

/// Maximum time for which a thread is kept, except for the current row: a runtime that shuts down
/// waits for it.
const TURN: Duration = Duration::from_millis(100);

/// Finishes the rows of a lane until the queue is closed and none is left.
pub(crate) async fn finish<F>(queue: Arc<Queue>, lane: Lane, work: F)
where
    F: Fn(&mut Draft) + Clone + Send + 'static,
{
    while has_work(&queue, lane).await {
        let (turns_queue, work) = (Arc::clone(&queue), work.clone());
        // `spawn_blocking` panics if the system has no thread left.
        let turn = catch_panic(|| spawn_blocking(move || turn(&turns_queue, lane, &work)));
        let is_done = match turn {
            Ok(turn) => turn.await.is_ok(),
            Err(_) => false,
        };
        if !is_done {
            // The rows stay in the queue.
            sleep(MIN_DELAY).await;
        }
    }
}

/// Waits for a row, and a short time for more, so that a thread is woken only once for all of them.
/// Returns `false` when the queue is closed and the lane is empty.
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

/// Finishes rows one by one, so that an urgent row waits for at most one other. Each row can be
/// written as soon as it is finished.
fn turn(queue: &Queue, lane: Lane, work: &impl Fn(&mut Draft)) {
    let start = Instant::now();
    while start.elapsed() < TURN {
        let next = queue.state().take_unfinished(lane);
        let Some(mut job) = next else { break };
        // A row whose work panics is written unfinished.
        let _ = catch_panic(|| work(&mut job.draft));
        queue.hand_over(job);
    }
    // The last row may have been taken back, so the writer must check for its end.
    queue.wake(queue.state(), None);
}
