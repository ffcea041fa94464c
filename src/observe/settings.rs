//! The settings of a layer's events.

use std::sync::Arc;

use crate::{
    observe::observers::Observers,
    parse::{client_ip::ClientIp, clock::Clock},
    verifier::sensitive::SensitiveParts,
};

/// What the events of a layer show, and who is told.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Of every request, whichever verifier is looked up for it.
    pub(crate) sensitive: Arc<SensitiveParts>,
    pub(crate) client_ip: Option<ClientIp>,
    pub(crate) clock: Clock,
    pub(crate) observers: Observers,
}

impl Settings {
    pub(crate) fn new(sensitive: SensitiveParts, observers: Observers) -> Self {
        Self { sensitive: Arc::new(sensitive), client_ip: None, clock: Clock::default(), observers }
    }
}
