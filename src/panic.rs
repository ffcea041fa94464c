//! Panics of user code.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::outcome::{kind::RejectionKind, rejection::Rejection};

/// Runs user code, such as a verifier, a store or an observer, and catches its panic.
///
/// The panic must neither count as acceptance nor end the connection without a response.
///
/// # Errors
///
/// Returns [`VerifierPanicked`](RejectionKind::VerifierPanicked) if the code panics.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, Rejection> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        // Its `Drop` is user code, too. What that panics with is never dropped.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(payload);
        }
        Rejection::new(RejectionKind::VerifierPanicked)
    })
}
