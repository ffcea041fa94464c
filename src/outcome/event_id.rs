//! ID of an event in a signed body.

use std::time::Duration;

/// Position of the event ID in a provider's JSON bodies. The ID stays the same when a delivery is
/// repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    /// Name of the field, or a path such as `data.id`.
    pub(crate) path: &'static str,
    /// Time for which the provider repeats a delivery.
    pub(crate) retention: Duration,
}
