//! Attempts that custom layers create.

#[cfg(feature = "tracing")]
use std::sync::LazyLock;
use std::{net::IpAddr, sync::Arc};

use http::request::Parts;

#[cfg(feature = "tracing")]
use crate::observe::tracing::TracingObserver;
use crate::{
    observe::{attempt::Attempt, observers::Observers},
    parse::clock::Clock,
    verifier::sensitive::SensitiveParts,
};

impl Attempt {
    /// Creates an attempt for the request with this head, to report an event of a custom layer.
    ///
    /// With the feature `tracing`, its events are also [written to
    /// `tracing`](crate::observe#what-is-written-to-tracing).
    #[must_use]
    pub fn new(provider: &'static str, head: &Parts) -> Self {
        let observers = Observers::default();
        #[cfg(feature = "tracing")]
        let observers = {
            // All of these attempts share one rate limit.
            static TRACING: LazyLock<Arc<TracingObserver>> = LazyLock::new(Arc::default);
            observers.with_tracing(TRACING.clone())
        };
        let sensitive = Arc::new(SensitiveParts::none());
        Self::at(provider, head, sensitive, None, Clock::default(), observers)
    }

    /// Sets the parts of the request that events must not show, such as a URL that contains a
    /// secret.
    #[must_use]
    pub fn with_sensitive_parts(mut self, parts: SensitiveParts) -> Self {
        self.sensitive = Arc::new(parts);
        self
    }

    /// Sets the IP address of the client.
    #[must_use]
    pub const fn with_client_ip(mut self, address: IpAddr) -> Self {
        self.client_ip = Some(address);
        self
    }

    /// Sets the tenant.
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }
}
