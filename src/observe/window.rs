//! The minute in which events are counted.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// The minute that is counted now.
#[derive(Default)]
pub(crate) struct Window {
    began: Option<SystemTime>,
    passed: u64,
    /// Since the last `Suppressed`.
    kept_back: u64,
    kept_back_before: u64,
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

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("passed", &self.passed)
            .field("kept_back", &self.kept_back)
            .finish_non_exhaustive()
    }
}

/// Whether so much time has not passed yet. A time from the future is of a clock that has been set back since: it must
/// not keep an alert back until then.
pub(crate) fn is_within(window: Duration, time: SystemTime, now: SystemTime) -> bool {
    now.duration_since(time).unwrap_or_else(|ahead| ahead.duration()) < window
}
