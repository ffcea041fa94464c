//! The observers of a layer.

use std::sync::Arc;

#[cfg(feature = "tracing")]
use crate::observe::targets::is_listening;
use crate::observe::{event::Event, observer::Observer};

/// Observers of one layer, in the order in which they are called.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    set: Arc<Vec<Arc<dyn Observer>>>,
    /// Observer for `tracing`, called first.
    ///
    /// The docs of [`observe`](crate::observe) list its events.
    #[cfg(feature = "tracing")]
    tracing: Option<Arc<dyn Observer>>,
}

impl Observers {
    pub(crate) fn push(&mut self, observer: Arc<dyn Observer>) {
        Arc::make_mut(&mut self.set).push(observer);
    }

    /// Sets the observer for `tracing`.
    #[cfg(feature = "tracing")]
    pub(crate) fn with_tracing(mut self, tracing: Arc<dyn Observer>) -> Self {
        self.tracing = Some(tracing);
        self
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn without_tracing(&mut self) {
        self.tracing = None;
    }

    /// Returns the active observers; `None` if there is none and no request need be recorded.
    pub(crate) fn listening(&self) -> Option<Self> {
        #[cfg(feature = "tracing")]
        let tracing = self.tracing.as_ref().filter(|_| is_listening());
        #[cfg(feature = "tracing")]
        let is_written = tracing.is_some();
        #[cfg(not(feature = "tracing"))]
        let is_written = false;
        // Clones nothing if no observer is active.
        (is_written || !self.set.is_empty()).then(|| Self {
            set: Arc::clone(&self.set),
            #[cfg(feature = "tracing")]
            tracing: tracing.cloned(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }

    pub(crate) fn keep_request(&self) -> bool {
        let keeps = |observer: &Arc<dyn Observer>| {
            crate::panic::catch_panic(|| observer.keeps_request()).unwrap_or(false)
        };
        self.set.iter().any(keeps)
    }

    pub(crate) fn observe(&self, event: &Event<'_>) {
        #[cfg(feature = "tracing")]
        if let Some(tracing) = &self.tracing {
            // A bug in a subscriber must not change the response either.
            let _ = crate::panic::catch_panic(|| tracing.observe(event));
        }
        for observer in &*self.set {
            // A bug in an observer must neither change the response nor keep events from other
            // observers.
            let _ = crate::panic::catch_panic(|| observer.observe(event));
        }
    }
}
