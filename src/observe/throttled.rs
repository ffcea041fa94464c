//! Bounds what strangers can make an observer write.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::observe::{
    event::{Event, EventKind},
    observer::Observer,
};

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

/// The minute that is counted now.
#[derive(Default)]
pub(crate) struct Window {
    began: Option<SystemTime>,
    passed: u64,
    /// Since the last `Suppressed`.
    kept_back: u64,
    kept_back_before: u64,
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

impl Window {
    pub(crate) const fn new() -> Self {
        Self { began: None, passed: 0, kept_back: 0, kept_back_before: 0 }
    }

    /// Whether this refusal passes, and how many were kept back before it.
    pub(crate) fn take(&mut self, now: SystemTime, per_minute: u64) -> Option<u64> {
        if self.is_over(now) {
            self.began = Some(now);
            self.passed = 0;
        }
        if self.passed == per_minute {
            self.kept_back += 1;
            return None;
        }
        self.passed += 1;
        Some(self.flush())
    }

    /// Whether the minute is over. A clock that is set back begins a new one, too: silence would be worse.
    pub(crate) fn is_over(&self, now: SystemTime) -> bool {
        let minute = Duration::from_secs(60);
        self.began.is_none_or(|began| now.duration_since(began).map_or(true, |age| age >= minute))
    }

    /// Whether any were kept back since the last flush.
    #[cfg(feature = "tracing")]
    pub(crate) const fn has_kept_back(&self) -> bool {
        self.kept_back > 0
    }

    /// How many were kept back since this was asked last.
    pub(crate) const fn flush(&mut self) -> u64 {
        let kept_back = std::mem::replace(&mut self.kept_back, 0);
        self.kept_back_before += kept_back;
        kept_back
    }

    /// How many were kept back in all.
    pub(crate) const fn kept_back(&self) -> u64 {
        self.kept_back + self.kept_back_before
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

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("passed", &self.passed)
            .field("kept_back", &self.kept_back)
            .finish_non_exhaustive()
    }
}
