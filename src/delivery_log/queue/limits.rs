//! The limits of a batch.

use std::time::Duration;

/// Rows of one transaction.
pub(crate) const BATCH: usize = 512;

/// For more rows to come, so that one transaction takes several.
pub(crate) const LINGER: Duration = Duration::from_millis(50);

/// Before the next try when a stage could not do its work.
pub(crate) const MIN_DELAY: Duration = Duration::from_millis(50);
