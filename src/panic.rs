//! Panics of users' code.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::outcome::{kind::RejectionKind, rejection::Rejection};

/// Runs a user's code: a verifier, a store, an observer. A panic there must neither pass for an answer nor end the
/// connection without one.
///
/// # Errors
///
/// When it panics.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, Rejection> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| Rejection::new(RejectionKind::VerifierPanicked))
}
