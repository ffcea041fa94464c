//! Limits of a batch.

use std::time::Duration;

/// Maximum number of rows in a transaction.
pub(crate) const BATCH: usize = 512;

/// Time to wait for more rows, so that one transaction takes several.
pub(crate) const LINGER: Duration = Duration::from_millis(50);

/// Delay before the first retry of a stage that has failed.
pub(crate) const MIN_DELAY: Duration = Duration::from_millis(50);
