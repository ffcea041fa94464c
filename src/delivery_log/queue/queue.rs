//! Queue of rows with two stages: bodies are hashed and masked, and then rows are written.

#[cfg(test)]
pub(crate) mod tests;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use tokio::sync::{Notify, oneshot};

use crate::delivery_log::{
    entry::Entry,
    queue::state::{Job, Lane, State, Work},
    row::Draft,
    settings::Settings,
};

/// Signal that wakes one stage.
#[derive(Default)]
pub(crate) struct Signal {
    /// There is work.
    pub(crate) some: Notify,
    /// The work is due, and need not wait for more.
    pub(crate) now: Notify,
}

impl Signal {
    fn wake(&self, work: Work) {
        self.some.notify_one();
        if work == Work::Now {
            self.now.notify_one();
        }
    }
}

/// Queue between the requests and the tasks that finish and write their rows.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    short: Signal,
    long: Signal,
    pub(crate) ready: Signal,
    lost: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Queue {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn signal(&self, lane: Lane) -> &Signal {
        match lane {
            Lane::Short => &self.short,
            Lane::Long => &self.long,
        }
    }

    /// Adds a row with best effort. If there is no room, the row is lost and counted.
    pub(crate) fn push(&self, draft: Draft, settings: &Settings) {
        let mut state = self.state();
        let pushed = state.push(draft, None, settings);
        match pushed {
            Ok(lane) => self.wake(state, lane),
            Err(_) => {
                drop(state);
                self.lose(1);
            }
        }
    }

    /// Adds a row that a request waits for. Returns a receiver that completes when the row has been
    /// written, or `None` if there is no room. Dropping the receiver takes the row back, unless it
    /// is being written.
    pub(crate) fn push_urgent(
        &self,
        draft: Draft,
        settings: &Settings,
    ) -> Option<oneshot::Receiver<()>> {
        let (written, receiver) = oneshot::channel();
        let mut state = self.state();
        let lane = state.push(draft, Some(written), settings).ok()?;
        self.wake(state, lane);
        Some(receiver)
    }

    /// Returns a receiver that completes when all rows that are in the queue now have been written.
    /// Returns `None` if the queue is closed, because its writer may have ended.
    pub(crate) fn flush(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        if state.is_closed {
            return None;
        }
        state.push_notes();
        let receiver = state.flush();
        drop(state);
        self.wake_all();
        Some(receiver)
    }

    /// Adds a note. Notes are few, and always have room.
    pub(crate) fn push_note(&self, entry: Entry) {
        let mut state = self.state();
        state.push_note(entry);
        self.wake(state, None);
    }

    /// Returns `true` if the row of a rejection may be written. A note with the number of
    /// rejections suppressed before it goes first.
    pub(crate) fn takes_refusal(&self, now: SystemTime, settings: &Settings) -> bool {
        let mut state = self.state();
        let Some(count) = state.refusals.take(now, settings.refusals_per_minute) else {
            return false;
        };
        state.push_count("suppressed", count, now);
        true
    }

    /// Closes the queue: no more rows are added, and those in the queue are still written.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        if !state.is_closed {
            state.is_closed = true;
            state.push_notes();
        }
        drop(state);
        self.wake_all();
    }

    /// Discards all unwritten rows and counts them as lost, including those that a stage works on.
    pub(crate) fn give_up(&self) {
        let count = self.state().give_up();
        self.lost.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn lose(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
        self.state().lose(count);
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn suppressed(&self) -> u64 {
        self.state().refusals.kept_back()
    }

    pub(crate) fn rows(&self) -> usize {
        self.state().rows()
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn fails(&self, failure: Option<String>) {
        let mut now = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "tracing")]
        match (&*now, &failure) {
            (None, Some(error)) => tracing::error!(error, "delivery log write failed; will retry"),
            (Some(_), None) => tracing::info!("delivery log recovered"),
            _ => {}
        }
        *now = failure;
    }

    /// Wakes the stage that has a new row: this lane, or the writer.
    pub(crate) fn wake(&self, mut state: MutexGuard<'_, State>, lane: Option<Lane>) {
        let (signal, work) = match lane {
            Some(lane) => (self.signal(lane), state.unfinished(lane)),
            None => (&self.ready, state.unwritten()),
        };
        drop(state);
        signal.wake(work);
    }

    fn wake_all(&self) {
        for signal in [&self.short, &self.long, &self.ready] {
            signal.wake(Work::Now);
        }
    }

    pub(crate) fn unfinished(&self, lane: Lane) -> Work {
        self.state().unfinished(lane)
    }

    pub(crate) fn unwritten(&self) -> Work {
        self.state().unwritten()
    }

    pub(crate) fn hand_over(&self, job: Job) {
        let mut state = self.state();
        state.hand_over(job);
        self.wake(state, None);
    }

    pub(crate) fn done(&self, batch: Vec<Job>) {
        self.state().done(&batch);
        for written in batch.into_iter().filter_map(|job| job.written) {
            // The request may no longer wait.
            let _ = written.send(());
        }
    }
}
