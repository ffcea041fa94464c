//! Counts of deliveries that were dispatched unguarded while the store was down.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Time between two reports of an outage that lasts.
const REPORTED_EVERY: Duration = Duration::from_secs(60);

/// Time from the last failure after which a response of the store ends the outage.
///
/// Many stores fail and respond in turn on their way down and up; this is one outage, not a
/// hundred.
const QUIET: Duration = Duration::from_secs(1);

/// Counter of the deliveries that a guard dispatches unguarded, from the first failure of the store
/// until it responds again.
#[derive(Default)]
pub(crate) struct Outage {
    /// Set during an outage.
    ///
    /// The flag spares the guard the lock while the store works.
    is_on: AtomicBool,
    state: Mutex<Option<State>>,
}

struct State {
    reported_at: Duration,
    failed_at: Duration,
    unreported: u64,
    in_all: u64,
}

impl Outage {
    /// Returns `true` from a failure of the store until the end of the outage.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Counts an unguarded delivery.
    ///
    /// Returns the number of deliveries to report, if a report is due.
    pub(crate) fn unguarded_at(&self, now: Duration) -> Option<u64> {
        let mut state = self.state();
        let is_first = state.is_none();
        let state = state.get_or_insert_with(|| {
            self.is_on.store(true, Ordering::Relaxed);
            State { reported_at: now, failed_at: now, unreported: 0, in_all: 0 }
        });
        state.failed_at = now;
        state.unreported += 1;
        state.in_all += 1;
        if !is_first && now.abs_diff(state.reported_at) < REPORTED_EVERY {
            return None;
        }
        state.reported_at = now;
        Some(std::mem::take(&mut state.unreported))
    }

    /// Records a response of the store.
    ///
    /// Returns the number of unguarded deliveries if the outage is over.
    pub(crate) fn answered_at(&self, now: Duration) -> Option<u64> {
        let mut state = self.state();
        let is_over = |state: &mut State| now.abs_diff(state.failed_at) >= QUIET;
        let outage = state.take_if(is_over)?;
        self.is_on.store(false, Ordering::Relaxed);
        Some(outage.in_all)
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clone belongs to another guard and has its own counts.
impl Clone for Outage {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outage_is_reported_once_a_minute_and_at_its_end() {
        let outage = Outage::default();
        let at = Duration::from_millis;
        assert_eq!(outage.answered_at(at(0)), None);
        assert_eq!(outage.unguarded_at(at(0)), Some(1));
        // One failure every ten milliseconds, for two and a half minutes.
        let told: Vec<_> = (1..15_000)
            .filter_map(|nth| outage.unguarded_at(at(nth * 10)).map(|count| (nth, count)))
            .collect();
        assert_eq!(told, [(6_000, 6_000), (12_000, 6_000)]);
        // A response between two failures.
        assert_eq!(outage.answered_at(at(150_500)), None);
        assert_eq!(outage.unguarded_at(at(150_600)), None);
        assert_eq!(outage.answered_at(at(151_599)), None);
        assert_eq!(outage.answered_at(at(151_600)), Some(15_001));
        assert_eq!(outage.answered_at(at(200_000)), None);
        // The next outage.
        assert_eq!(outage.unguarded_at(at(200_000)), Some(1));
        assert_eq!(outage.answered_at(at(201_000)), Some(1));
    }

    #[test]
    fn a_copy_counts_for_itself() {
        let outage = Outage::default();
        assert_eq!(outage.unguarded_at(Duration::ZERO), Some(1));
        assert_eq!(outage.clone().unguarded_at(Duration::ZERO), Some(1));
        assert_eq!(outage.unguarded_at(Duration::ZERO), None);
    }
}
