//! The second stage: finished rows are written, many in one transaction.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::delivery_log::{
    queue::{
        limits::{BATCH, LINGER, MIN_DELAY},
        queue::Queue,
        state::{Job, Work},
    },
    settings::Settings,
    store::{LogError, LogStore},
    timeout::limited,
};

/// Until the number of refusals that were kept back is written even if none is let through.
const MINUTE: Duration = Duration::from_secs(60);

/// Between two tries while the store cannot be used; it begins with [`MIN_DELAY`].
const MAX_DELAY: Duration = Duration::from_secs(1);

/// Writes until the queue is closed and empty.
pub(crate) async fn write(queue: &Queue, store: &dyn LogStore, settings: &Settings) {
    let mut delay = MIN_DELAY;
    let mut most = BATCH;
    while let Some(mut batch) = next(queue, most).await {
        // The store may be at work on them still when its time has passed.
        let entries = batch.iter().map(|job| Arc::clone(&job.draft.entry)).collect();
        let written = limited(settings, async { store.write(entries).await }).await;
        let error = match written {
            Ok(()) => None,
            Err(error) => {
                if error.is_time_out() {
                    // A store that is slow, and not down, never ends a batch that is too much.
                    most = (batch.len() / 2).max(1);
                }
                if error.is_refusal() {
                    one_by_one(queue, store, settings, &mut batch).await.err()
                } else {
                    Some(error)
                }
            }
        };
        if let Some(error) = error {
            queue.fails(Some(describe(&error)));
            queue.state().put_back(batch);
            sleep(delay).await;
            delay = (delay * 2).min(MAX_DELAY);
            continue;
        }
        delay = MIN_DELAY;
        most = most.saturating_mul(2).min(BATCH);
        queue.fails(None);
        queue.done(batch);
    }
}

/// The next rows; none when the queue is closed and empty.
async fn next(queue: &Queue, most: usize) -> Option<Vec<Job>> {
    let signal = &queue.ready;
    loop {
        match queue.unwritten() {
            Work::Over => return None,
            Work::Nothing => {
                if timeout(MINUTE, signal.some.notified()).await.is_err() {
                    queue.state().push_notes();
                }
                continue;
            }
            Work::Some => {
                let end = Instant::now() + LINGER;
                while queue.unwritten() == Work::Some
                    && timeout_at(end, signal.now.notified()).await.is_ok()
                {}
            }
            Work::Now => {}
        }
        let batch = queue.state().take_batch(most);
        if !batch.is_empty() {
            return Some(batch);
        }
    }
}

/// One row that the store does not take must not keep the others from being written, and would do
/// so for ever. It is lost, and counted; a request that waits for it is answered with 503.
async fn one_by_one(
    queue: &Queue,
    store: &dyn LogStore,
    settings: &Settings,
    batch: &mut [Job],
) -> Result<(), LogError> {
    let mut refused = 0;
    for job in batch {
        let entries = vec![Arc::clone(&job.draft.entry)];
        match limited(settings, async { store.write(entries).await }).await {
            Err(error) if error.is_refusal() => {
                // A note of a note that was refused would be refused too, and so on for ever.
                refused += u64::from(!job.draft.is_note());
                job.written = None;
            }
            other => other?,
        }
    }
    // Not before the end, since the batch is begun again when the store fails meanwhile.
    queue.lose(refused);
    Ok(())
}

/// The error and its causes, none of which holds a row's content.
fn describe(error: &LogError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
