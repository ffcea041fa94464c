//! What happened to each request: security events, metrics, alerts, a log of every delivery.
//!
//! An [`Observer`] is told of every request, of accepted ones too. It is given to
//! [`SignatureLayer::observer`](crate::SignatureLayer::observer), and a layer without one pays
//! nothing.
//!
//! ```
//! use tower_webhook::{
//!     SignatureLayer,
//!     observe::{ClientIp, Event},
//!     providers::Meta,
//! };
//!
//! let meta = Meta::new("app secret")?;
//! let layer = SignatureLayer::new(meta).observer(|event: &Event<'_>| {
//!     if let Some(reason) = event.reason() {
//!         eprintln!("{} {reason} {}", event.name(), event.url());
//!     }
//! });
//! # let _ = layer;
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! # The events of one request
//!
//! Each request ends in exactly one of [`Rejected`](EventKind::Rejected),
//! [`Challenge`](EventKind::Challenge), [`Completed`](EventKind::Completed),
//! [`Cancelled`](EventKind::Cancelled) and [`Panicked`](EventKind::Panicked). Before a request goes
//! to the inner service there is one of [`Accepted`](EventKind::Accepted) and, in report-only mode,
//! [`Unverified`](EventKind::Unverified).

mod alerts;
mod attempt;
mod client_ip;
mod event;
#[cfg(feature = "metrics")]
mod metrics;
mod redact;
mod throttled;
#[cfg(feature = "tracing")]
mod tracing;

pub(crate) use self::attempt::Observed;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use self::metrics::MetricsObserver;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub use self::tracing::TracingObserver;
pub use self::{
    alerts::{Alert, Alerts, RefusalSource},
    attempt::Attempt,
    client_ip::ClientIp,
    event::{Event, EventKind},
    redact::is_sensitive,
    throttled::Throttled,
};
#[cfg(feature = "delivery-log")]
pub(crate) use self::{redact::text as escaped, throttled::Window};
pub use crate::sensitive::SensitiveParts;

use std::sync::Arc;

/// Is told what happened to each request.
///
/// It is called on the request's own task, so it must not block: hand work that waits to a queue.
/// It cannot change the answer, and a panic of it is contained.
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn observe(&self, event: &Event<'_>);

    /// Whether it looks at [`Event::headers`] and [`Event::body`]. Only then does the layer keep
    /// the two until the request has ended.
    fn keeps_request(&self) -> bool {
        false
    }
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// The observers of one layer, in the order in which they are told.
#[derive(Clone, Default)]
pub(crate) struct Observers(Arc<Vec<Arc<dyn Observer>>>);

impl Observers {
    pub(crate) fn push(&mut self, observer: Arc<dyn Observer>) {
        Arc::make_mut(&mut self.0).push(observer);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn keep_request(&self) -> bool {
        let keeps = |observer: &Arc<dyn Observer>| {
            crate::verdict::contained(|| observer.keeps_request()).unwrap_or(false)
        };
        self.0.iter().any(keeps)
    }

    fn observe(&self, event: &Event<'_>) {
        for observer in &*self.0 {
            // An observer's bug must neither change the answer nor keep the others from theirs.
            let _ = crate::verdict::contained(|| observer.observe(event));
        }
    }
}
