//! Events, observers and logs.

pub(crate) mod alerts;
#[cfg(all(feature = "sign", feature = "tracing"))]
pub(crate) mod default_events;
pub(crate) mod events;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
#[cfg(feature = "tracing")]
pub(crate) mod tracing;
#[cfg(feature = "tracing")]
pub(crate) mod warnings;
