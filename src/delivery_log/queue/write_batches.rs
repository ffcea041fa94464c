//! Second stage: finished rows are written, many in one transaction.

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

/// Time without rows after which the number of suppressed rejections is written.
const MINUTE: Duration = Duration::from_secs(60);

/// Maximum delay between two tries while the store is unavailable. The first delay is
/// [`MIN_DELAY`].
const MAX_DELAY: Duration = Duration::from_secs(1);

/// Writes rows until the queue is closed and empty.
pub(crate) async fn write(queue: &Queue, store: &dyn LogStore, settings: &Settings) {
    let mut delay = MIN_DELAY;
    let mut most = BATCH;
    while let Some(mut batch) = next(queue, most).await {
        // The entries are shared, because the store may still use them after the time limit.
        let entries = batch.iter().map(|job| Arc::clone(&job.draft.entry)).collect();
        let written = limited(settings, async { store.write(entries).await }).await;
        let error = match written {
            Ok(()) => None,
            Err(error) => {
                if error.is_time_out() {
                    // A store that is only slow may never finish a batch of this size.
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

/// Returns the next rows, or `None` when the queue is closed and empty.
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

/// Writes the rows one by one, so that a row that the store rejects does not block the others
/// forever. The rejected row is lost and counted, and a request that waits for it gets 503.
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
                // A rejected note is not counted: the note about it would be rejected, too, and so
                // on.
                refused += u64::from(!job.draft.is_note());
                job.written = None;
            }
            other => other?,
        }
    }
    // Counted at the end, because the batch starts again if the store fails meanwhile.
    queue.lose(refused);
    Ok(())
}

/// Returns the text of the error and its causes, none of which contains the content of a row.
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
