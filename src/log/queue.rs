//! Rows that wait to be written.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Notify, oneshot},
    time::{sleep, timeout},
};

use super::{
    Entry, EntryId,
    builder::Settings,
    row::Draft,
    store::{LogError, Store},
};
use crate::{observe::Window, verdict::contained};

/// Rows of one transaction.
const BATCH: usize = 512;

/// For more rows to come, so that one transaction takes several.
const LINGER: Duration = Duration::from_millis(50);

/// Until the number of refusals that were kept back is written even if none is let through.
const MINUTE: Duration = Duration::from_secs(60);

/// Between two tries while the store cannot be used.
const MIN_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(1);

/// A row, or only the place in the queue that somebody waits for.
#[derive(Debug)]
struct Job {
    draft: Option<Draft>,
    written: Option<oneshot::Sender<()>>,
    len: usize,
}

#[derive(Default)]
struct State {
    /// Requests wait for these.
    urgent: VecDeque<Job>,
    rest: VecDeque<Job>,
    /// Of both and of the batch that is being written.
    rows: usize,
    bytes: usize,
    /// Lost, and not yet said in a note.
    lost: u64,
    refusals: Window,
    is_closed: bool,
}

/// Between the requests and the one task that writes.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something is in the queue.
    some: Notify,
    /// Somebody waits for it, or a batch is full.
    now: Notify,
    lost: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Best effort: without room the row is counted, and gone.
    pub(super) fn push(&self, draft: Draft, settings: &Settings) {
        let mut state = self.state();
        let len = draft.len();
        if !state.has_room(len, settings) {
            drop(state);
            self.lose(1);
            return;
        }
        state.push(Job { draft: Some(draft), written: None, len }, false);
        let is_full = state.rest.len() >= BATCH;
        drop(state);
        self.wake(is_full);
    }

    /// The receiver hears when the row has been written. Dropping it takes the row back, unless it
    /// is being written.
    pub(super) fn push_urgent(
        &self,
        draft: Draft,
        settings: &Settings,
    ) -> Option<oneshot::Receiver<()>> {
        let (written, receiver) = oneshot::channel();
        let mut state = self.state();
        let len = draft.len();
        if !state.has_room(len, settings) {
            return None;
        }
        state.push(Job { draft: Some(draft), written: Some(written), len }, true);
        drop(state);
        self.wake(true);
        Some(receiver)
    }

    /// The receiver hears when all that is in the queue now has been written. A queue that is
    /// closed has no receiver: its writer may be gone.
    pub(super) fn flush(&self) -> Option<oneshot::Receiver<()>> {
        let (written, receiver) = oneshot::channel();
        let mut state = self.state();
        if state.is_closed {
            return None;
        }
        state.push_notes();
        state.push(Job { draft: None, written: Some(written), len: 0 }, false);
        drop(state);
        self.wake(true);
        Some(receiver)
    }

    /// Notes are few, and always have room.
    pub(super) fn note(&self, entry: Entry) {
        self.state().push_note(entry);
        self.wake(false);
    }

    /// Whether this refusal may be written. If so, the number of those kept back before goes first.
    pub(super) fn takes_refusal(&self, now: SystemTime, settings: &Settings) -> bool {
        let mut state = self.state();
        let Some(count) = state.refusals.take(now, settings.refusals_per_minute) else {
            return false;
        };
        state.push_count("suppressed", count, now);
        true
    }

    /// Nothing more comes in. What is there is still written.
    pub(super) fn close(&self) {
        let mut state = self.state();
        if !mem::replace(&mut state.is_closed, true) {
            state.push_notes();
        }
        drop(state);
        self.wake(true);
    }

    /// What was never written is lost, the batch in the writer's hands included.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        let count = mem::take(&mut state.rows);
        state.bytes = 0;
        state.urgent.clear();
        state.rest.clear();
        drop(state);
        self.lost.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn lose(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
        self.state().lost += count;
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn suppressed(&self) -> u64 {
        self.state().refusals.kept_back()
    }

    pub(super) fn rows(&self) -> usize {
        self.state().rows
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fails(&self, failure: Option<String>) {
        let mut now = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "tracing")]
        match (&*now, &failure) {
            (None, Some(error)) => tracing::error!(error, "the webhook log cannot be written"),
            (Some(_), None) => tracing::info!("the webhook log is written again"),
            _ => {}
        }
        *now = failure;
    }

    fn wake(&self, at_once: bool) {
        self.some.notify_one();
        if at_once {
            self.now.notify_one();
        }
    }

    /// The next rows; none when the queue is closed and empty.
    async fn next(&self, most: usize) -> Option<Vec<Job>> {
        loop {
            let (is_empty, is_closed) = {
                let state = self.state();
                (state.urgent.is_empty() && state.rest.is_empty(), state.is_closed)
            };
            if !is_empty {
                if !is_closed {
                    let _ = timeout(LINGER, self.now.notified()).await;
                }
                let batch = self.state().take_batch(most);
                if !batch.is_empty() {
                    return Some(batch);
                }
            } else if is_closed {
                return None;
            } else if timeout(MINUTE, self.some.notified()).await.is_err() {
                self.state().push_notes();
            }
        }
    }

    fn done(&self, batch: Vec<Job>) {
        let mut state = self.state();
        state.settle(&batch);
        // There is room again, and a note is written that says what was lost.
        let lost = mem::take(&mut state.lost);
        state.push_count("dropped", lost, SystemTime::now());
        drop(state);
        for written in batch.into_iter().filter_map(|job| job.written) {
            // Whoever does not wait any more needs no word.
            let _ = written.send(());
        }
    }

    fn put_back(&self, batch: Vec<Job>) {
        let mut state = self.state();
        for job in batch.into_iter().rev() {
            let is_urgent = job.draft.is_some() && job.written.is_some();
            if is_urgent { state.urgent.push_front(job) } else { state.rest.push_front(job) }
        }
    }
}

impl State {
    fn has_room(&self, len: usize, settings: &Settings) -> bool {
        !self.is_closed
            && self.rows < settings.max_queued_rows
            && self.bytes.saturating_add(len) <= settings.max_queued_bytes
    }

    fn push(&mut self, job: Job, is_urgent: bool) {
        self.rows += usize::from(job.draft.is_some());
        self.bytes += job.len;
        if is_urgent { self.urgent.push_back(job) } else { self.rest.push_back(job) }
    }

    fn push_note(&mut self, entry: Entry) {
        self.push(Job { draft: Some(Draft::note(entry)), written: None, len: 0 }, false);
    }

    fn push_count(&mut self, status: &'static str, count: u64, now: SystemTime) {
        if count > 0 {
            self.push_note(note(status, count, now));
        }
    }

    /// What was kept back or lost since the last note.
    fn push_notes(&mut self) {
        let now = SystemTime::now();
        let kept_back = self.refusals.flush();
        self.push_count("suppressed", kept_back, now);
        let lost = mem::take(&mut self.lost);
        self.push_count("dropped", lost, now);
    }

    fn take_batch(&mut self, most: usize) -> Vec<Job> {
        let mut batch = Vec::with_capacity(most.min(self.urgent.len() + self.rest.len()));
        while batch.len() < most {
            let Some(job) = self.urgent.pop_front().or_else(|| self.rest.pop_front()) else {
                break;
            };
            // Its request has been answered with 503 by now, and has its row by that.
            if job.written.as_ref().is_some_and(oneshot::Sender::is_closed) {
                self.settle(std::slice::from_ref(&job));
                continue;
            }
            batch.push(job);
        }
        batch
    }

    fn settle(&mut self, jobs: &[Job]) {
        for job in jobs {
            self.rows = self.rows.saturating_sub(usize::from(job.draft.is_some()));
            self.bytes = self.bytes.saturating_sub(job.len);
        }
    }
}

pub(super) fn note(status: &'static str, count: u64, now: SystemTime) -> Entry {
    let mut entry = Entry::new(EntryId::new(now), status);
    entry.received_at = Some(now);
    entry.count = Some(count);
    entry
}

/// Writes until the queue is closed and empty.
pub(super) async fn write(queue: &Queue, store: &dyn Store, settings: &Settings) {
    let mut delay = MIN_DELAY;
    let mut most = BATCH;
    while let Some(mut batch) = queue.next(most).await {
        let mut entries = Vec::with_capacity(batch.len());
        for draft in batch.iter_mut().filter_map(|job| job.draft.as_mut()) {
            draft.finish(settings);
            // The store may be at work on it still when its time has passed.
            entries.push(Arc::clone(&draft.entry));
        }
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
            queue.put_back(batch);
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

/// One row that the store does not take must not keep the others from being written, and would do
/// so for ever. It is lost, and counted; a request that waits for it is answered with 503.
async fn one_by_one(
    queue: &Queue,
    store: &dyn Store,
    settings: &Settings,
    batch: &mut [Job],
) -> Result<(), LogError> {
    let mut refused = 0;
    for job in batch {
        let Some(draft) = &job.draft else { continue };
        let entries = vec![Arc::clone(&draft.entry)];
        match limited(settings, async { store.write(entries).await }).await {
            Err(error) if error.is_refusal() => {
                // A note of a note that was refused would be refused too, and so on for ever.
                refused += u64::from(!draft.is_note());
                job.written = None;
            }
            other => other?,
        }
    }
    // Not before the end, since the batch is begun again when the store fails meanwhile.
    queue.lose(refused);
    Ok(())
}

/// Nothing waits for the store for ever, and a panic in one does not end the writer.
pub(super) async fn limited<T>(
    settings: &Settings,
    future: impl Future<Output = Result<T, LogError>>,
) -> Result<T, LogError> {
    let mut future = pin!(future);
    let contained = poll_fn(|cx| match contained(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll,
        Err(_) => Poll::Ready(Err(LogError::unavailable("the store panicked"))),
    });
    timeout(settings.store_timeout, contained).await.unwrap_or(Err(LogError::timed_out()))
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
