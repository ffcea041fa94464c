//! The settings of a layer's events.

use std::sync::Arc;

#[cfg(feature = "tracing")]
use crate::observe::tracing::TracingObserver;
use crate::{
    observe::observers::Observers,
    parse::{client_ip::ClientIp, clock::Clock},
    verifier::sensitive::SensitiveParts,
};

/// Settings for the content of a layer's events, and their observers.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Sensitive parts of every request, regardless of the verifier that is looked up for it.
    pub(crate) sensitive: Arc<SensitiveParts>,
    pub(crate) client_ip: Option<ClientIp>,
    pub(crate) clock: Clock,
    pub(crate) observers: Observers,
}

impl Settings {
    /// Creates the settings of a layer to which no observer has been added.
    pub(crate) fn new(sensitive: SensitiveParts) -> Self {
        let observers = Observers::default();
        #[cfg(feature = "tracing")]
        let observers = observers.with_tracing(Arc::new(TracingObserver::default()));
        Self { sensitive: Arc::new(sensitive), client_ip: None, clock: Clock::default(), observers }
    }
}
