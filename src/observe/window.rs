//! One-minute windows in which events are counted.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// Counter of the events in the current minute.
#[derive(Default)]
pub(crate) struct Window {
    began: Option<SystemTime>,
    passed: u64,
    /// Number of events suppressed since the last `Suppressed` event.
    kept_back: u64,
    kept_back_before: u64,
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self { began: None, passed: 0, kept_back: 0, kept_back_before: 0 }
    }

    /// Counts an event.
    ///
    /// Returns the number of events suppressed before it, or `None` if it must be suppressed
    /// itself.
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

    /// Returns `true` if the minute is over.
    ///
    /// A clock that is set back also starts a new minute: otherwise events would be suppressed
    /// until it catches up.
    pub(crate) fn is_over(&self, now: SystemTime) -> bool {
        let minute = Duration::from_secs(60);
        self.began.is_none_or(|began| now.duration_since(began).map_or(true, |age| age >= minute))
    }

    /// Returns `true` if events were suppressed since the last flush.
    #[cfg(feature = "tracing")]
    pub(crate) const fn has_kept_back(&self) -> bool {
        self.kept_back > 0
    }

    /// Returns the number of events suppressed since the last flush.
    pub(crate) const fn flush(&mut self) -> u64 {
        let kept_back = std::mem::replace(&mut self.kept_back, 0);
        self.kept_back_before += kept_back;
        kept_back
    }

    /// Returns the total number of suppressed events.
    pub(crate) const fn kept_back(&self) -> u64 {
        self.kept_back + self.kept_back_before
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

/// Returns `true` if `time` is less than `window` away from `now`.
///
/// A time in the future stems from a clock that has been set back since, and must not delay an
/// alert until then.
pub(crate) fn is_within(window: Duration, time: SystemTime, now: SystemTime) -> bool {
    now.duration_since(time).unwrap_or_else(|ahead| ahead.duration()) < window
}
