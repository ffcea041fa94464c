//! Secrets that have not verified any request yet.

use std::time::{Duration, SystemTime};

use crate::observe::window::is_within;

/// Number of rejections that indicates a wrong secret.
pub(crate) const IN_A_ROW: u32 = 5;

/// Time between two warnings about a secret that never worked.
pub(crate) const REMINDER: Duration = Duration::from_secs(3600);

/// Counter of the mismatches of a secret that has not verified any request yet.
#[derive(Debug, Default)]
pub(crate) struct Unproven {
    mismatches: u32,
    raised_at: Option<SystemTime>,
    /// Proven cause of a mismatch.
    pub(crate) cause: Option<&'static str>,
}

impl Unproven {
    /// Counts a well-formed signature that did not match.
    ///
    /// Returns the number of mismatches if a warning is due: first after `in_a_row` mismatches, and
    /// then once an hour.
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
