//! The id of an event in a signed body.

use std::time::Duration;

/// Where a provider's JSON bodies have the id of their event, which stays the same when a delivery is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    /// The field's name, or a path such as `data.id`.
    pub(crate) path: &'static str,
    /// How long the provider repeats a delivery.
    pub(crate) retention: Duration,
}
