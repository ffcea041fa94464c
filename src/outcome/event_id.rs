//! ID of an event in a signed body.

/// Position of the event ID in a provider's JSON bodies. The ID stays the same when a delivery is
/// repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    /// Name of the field, or a path such as `data.id`.
    pub(crate) path: &'static str,
    /// Seconds for which the provider repeats a delivery. It is short, because each proof has it.
    pub(crate) retention_secs: u32,
}
