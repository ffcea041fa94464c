//! Rows that pruning keeps.

use crate::delivery_log::id::EntryId;

/// Maximum number of rows that one step deletes.
const STEP_ROWS: u32 = 500;

/// Maximum number of bytes that one step deletes, plus at most one row.
const STEP_BYTES: u64 = 4 << 20;

/// Number of rows in a log, and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of rows.
    pub rows: u64,
    /// Sum of the [`stored_len`](super::Entry::stored_len) of all rows, in bytes.
    pub bytes: u64,
}

/// Rows to keep when a log is pruned: a [`Retention`](super::Retention) applied at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keep {
    /// Rows before this one are deleted.
    pub since: EntryId,
    /// This row and all later rows are kept, so that pruning ends while rows are written.
    pub until: EntryId,
    /// Maximum number of rows to keep, the newest ones.
    pub rows: u64,
    /// Maximum size in bytes of the rows to keep, the newest ones.
    pub bytes: u64,
}

impl Keep {
    /// Maximum number of rows that one step deletes.
    pub const STEP_ROWS: u32 = STEP_ROWS;

    /// Returns `true` if the oldest row must be deleted. The totals include this row.
    #[must_use]
    pub fn goes(&self, oldest: EntryId, totals: Totals) -> bool {
        oldest < self.until
            && (oldest < self.since || totals.rows > self.rows || totals.bytes > self.bytes)
    }

    /// Returns the number of oldest rows that one step deletes, given their IDs and lengths in
    /// order. A step deletes at most some 4 MiB. The result is 0 only if no row must be deleted.
    #[must_use]
    pub fn step(
        &self,
        mut totals: Totals,
        oldest: impl IntoIterator<Item = (EntryId, u64)>,
    ) -> usize {
        let mut bytes = 0;
        let goes = oldest.into_iter().take_while(|(id, len)| {
            let goes = bytes < STEP_BYTES && self.goes(*id, totals);
            bytes += len;
            totals.rows = totals.rows.saturating_sub(1);
            totals.bytes = totals.bytes.saturating_sub(*len);
            goes
        });
        goes.take(STEP_ROWS as usize).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn id(millis: u64) -> EntryId {
        EntryId::first(UNIX_EPOCH + Duration::from_millis(millis))
    }

    const ALL: Keep =
        Keep { since: EntryId::MIN, until: EntryId::MAX, rows: u64::MAX, bytes: u64::MAX };

    #[test]
    fn a_step_ends_where_the_limits_are_kept() {
        let totals = Totals { rows: 10, bytes: 1_000 };
        let step = |keep: Keep| keep.step(totals, (0..10).map(|at| (id(at), 100)));
        assert_eq!(step(ALL), 0);
        assert_eq!(step(Keep { since: id(3), ..ALL }), 3);
        assert_eq!(step(Keep { rows: 4, ..ALL }), 6);
        assert_eq!(step(Keep { bytes: 400, ..ALL }), 6);
        assert_eq!(step(Keep { bytes: 399, ..ALL }), 7);
        assert_eq!(step(Keep { since: id(3), rows: 5, bytes: 800, ..ALL }), 5, "all limits hold");
        assert_eq!(step(Keep { rows: 0, until: id(8), ..ALL }), 8);
    }

    #[test]
    fn a_step_is_short() {
        let none = Keep { rows: 0, ..ALL };
        let totals = Totals { rows: 1_000, bytes: u64::MAX };
        assert_eq!(none.step(totals, (0..1_000).map(|at| (id(at), 1))), 500);
        assert_eq!(none.step(totals, (0..1_000).map(|at| (id(at), 1 << 20))), 4);
        assert_eq!(none.step(totals, (0..1_000).map(|at| (id(at), 1 << 30))), 1);
    }
}
