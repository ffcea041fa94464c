//! Rate limit for events about requests that are not dispatched.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::observe::{event::Event, kind::EventKind, observer::Observer, window::Window};

/// Observer that forwards a limited number of rejections a minute to another observer, so that
/// unauthenticated senders cannot fill a log.
///
/// It counts the others exactly. Requests that reach the inner service are always forwarded,
/// including unverified ones in [report-only mode](crate::SignatureLayer::dangerously_report_only).
///
/// After rejections were suppressed, the next one that is forwarded is preceded by
/// [`EventKind::Suppressed`] with their number. [`suppressed`](Self::suppressed) returns the total.
#[derive(Debug)]
pub struct Throttled<O> {
    observer: O,
    per_minute: u64,
    window: Mutex<Window>,
}

impl<O> Throttled<O> {
    /// Creates an observer that forwards at most `per_minute` rejections a minute to `observer`.
    #[must_use]
    pub const fn new(observer: O, per_minute: u64) -> Self {
        Self { observer, per_minute, window: Mutex::new(Window::new()) }
    }

    /// Returns the total number of suppressed rejections.
    pub fn suppressed(&self) -> u64 {
        self.window().kept_back()
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Observer> Observer for Throttled<O> {
    fn observe(&self, event: &Event<'_>) {
        // A dispatched request is never suppressed, not even in report-only mode.
        // There are few explanations, and rejections that were suppressed have them, too.
        if !event.is_dispatched() && event.kind() != EventKind::Explained {
            // Release the lock before calling the observer.
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
