//! Secrets by which nothing has verified yet.

use std::time::{Duration, SystemTime};

use crate::observe::window::is_within;

/// Refusals that tell of a wrong secret.
pub(crate) const IN_A_ROW: u32 = 5;

/// The time between two reminders of a secret that never worked.
pub(crate) const REMINDER: Duration = Duration::from_secs(3600);

/// Signatures under a secret by which nothing has verified yet.
#[derive(Debug, Default)]
pub(crate) struct Unproven {
    mismatches: u32,
    raised_at: Option<SystemTime>,
}

impl Unproven {
    /// Counts a signature of the right form that did not match. Returns how many there were, when it is time to say
    /// so: first after `in_a_row`.
    pub(crate) fn mismatch(&mut self, in_a_row: u32, now: SystemTime) -> Option<u32> {
        self.mismatches = self.mismatches.saturating_add(1);
        let is_raised = self.raised_at.is_some_and(|time| is_within(REMINDER, time, now));
        if self.mismatches < in_a_row || is_raised {
            return None;
        }
        self.raised_at = Some(now);
        Some(self.mismatches)
    }
}
