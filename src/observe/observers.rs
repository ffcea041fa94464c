//! The observers of a layer.

use std::sync::Arc;
#[cfg(feature = "tracing")]
use std::sync::LazyLock;

#[cfg(feature = "tracing")]
use crate::observe::tracing;
use crate::observe::{event::Event, observer::Observer};

/// The observers of one layer, in the order in which they are told.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    set: Arc<Vec<Arc<dyn Observer>>>,
    /// Is told first. Its page says what is written, and when.
    #[cfg(feature = "tracing")]
    tracing: Option<Arc<tracing::TracingObserver>>,
}

impl Observers {
    /// Returns those of a layer to which no observer was given.
    pub(crate) fn of_layer() -> Self {
        Self {
            set: Arc::default(),
            #[cfg(feature = "tracing")]
            tracing: Some(Arc::default()),
        }
    }

    /// Returns those of an attempt that no layer has made. All of them share one limit.
    pub(crate) fn of_no_layer() -> Self {
        #[cfg(feature = "tracing")]
        static TRACING: LazyLock<Arc<tracing::TracingObserver>> = LazyLock::new(Arc::default);
        Self {
            set: Arc::default(),
            #[cfg(feature = "tracing")]
            tracing: Some(Arc::clone(&TRACING)),
        }
    }

    pub(crate) fn push(&mut self, observer: Arc<dyn Observer>) {
        Arc::make_mut(&mut self.set).push(observer);
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn without_tracing(&mut self) {
        self.tracing = None;
    }

    /// Returns those that listen now; `None` where nobody does, and no request need be kept for them.
    pub(crate) fn listening(&self) -> Option<Self> {
        #[cfg(feature = "tracing")]
        let tracing = self.tracing.as_ref().filter(|_| tracing::is_listening());
        #[cfg(feature = "tracing")]
        let is_written = tracing.is_some();
        #[cfg(not(feature = "tracing"))]
        let is_written = false;
        // Nothing is cloned where nobody listens.
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
            // A subscriber's bug, likewise.
            let _ = crate::panic::catch_panic(|| tracing.observe(event));
        }
        for observer in &*self.set {
            // An observer's bug must neither change the answer nor keep the others from theirs.
            let _ = crate::panic::catch_panic(|| observer.observe(event));
        }
    }
}
