//! Bounds what strangers can make an observer write.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::observe::{event::Event, kind::EventKind, observer::Observer, window::Window};

/// Passes on at most so many refusals a minute, so that strangers cannot fill a log, and counts
/// the rest exactly. Requests that reach the inner service are always passed on, in [report-only
/// mode](crate::SignatureLayer::dangerously_report_only) unverified ones too.
///
/// When refusals were kept back, the next one that passes is preceded by
/// [`EventKind::Suppressed`] with their number. [`suppressed`](Self::suppressed) tells the number
/// of all so far.
#[derive(Debug)]
pub struct Throttled<O> {
    observer: O,
    per_minute: u64,
    window: Mutex<Window>,
}

impl<O> Throttled<O> {
    /// Passes on at most `per_minute` refusals a minute.
    #[must_use]
    pub const fn new(observer: O, per_minute: u64) -> Self {
        Self { observer, per_minute, window: Mutex::new(Window::new()) }
    }

    /// How many refusals were kept back in all.
    pub fn suppressed(&self) -> u64 {
        self.window().kept_back()
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Observer> Observer for Throttled<O> {
    fn observe(&self, event: &Event<'_>) {
        // What was dispatched is never kept back, not even in report-only mode.
        if !event.is_dispatched() {
            // The lock is free again when the observer hears of it.
            let passes = self.window().take(event.told_at(), self.per_minute);
            match passes {
                None => return,
                Some(0) => {}
                Some(count) => {
                    let kind = EventKind::Suppressed { count };
                    self.observer.observe(&Event::new(event.attempt(), kind));
                }
            }
        }
        self.observer.observe(event);
    }

    fn keeps_request(&self) -> bool {
        self.observer.keeps_request()
    }
}
