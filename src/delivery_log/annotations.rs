//! Writes the causes of rejections into rows, after these have been written.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::watch, time::sleep};

use crate::delivery_log::{
    annotation::Annotation,
    id::EntryId,
    queue::{limits::MIN_DELAY, queue::Queue},
    settings::Settings,
    store::{LogError, LogStore},
    timeout::limited,
};

/// Annotations that are written or wait for their rows. Few rejections are explained, so a log with
/// more has a store that is down.
const MAX: usize = 64;

/// Tries to write an annotation. The store has just written rows, so it seldom fails.
const TRIES: u32 = 3;

/// Annotations in progress.
pub(crate) struct Annotations {
    /// Explanations come from a thread outside of the runtime.
    runtime: Handle,
    count: watch::Sender<usize>,
}

/// An annotation in progress.
struct Place(watch::Sender<usize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Annotations {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, count: watch::Sender::new(0) }
    }

    /// Writes an annotation as soon as the rows that are queued now are written.
    pub(crate) fn write(
        &self,
        id: EntryId,
        annotation: Annotation,
        queue: &Queue,
        store: &Arc<dyn LogStore>,
        settings: &Arc<Settings>,
    ) {
        let Some(place) = self.place() else { return warn("too many wait for the store") };
        let Some(written) = queue.flush() else { return };
        let (store, settings) = (Arc::clone(store), Arc::clone(settings));
        self.runtime.spawn(async move {
            if written.await.is_ok()
                && let Err(error) = retried(id, &annotation, &*store, &settings).await
            {
                warn(&error);
            }
            drop(place);
        });
    }

    fn place(&self) -> Option<Place> {
        let is_free = self.count.send_if_modified(|count| {
            let is_free = *count < MAX;
            *count += usize::from(is_free);
            is_free
        });
        is_free.then(|| Place(self.count.clone()))
    }

    /// Waits until no annotation is in progress.
    pub(crate) async fn done(&self) {
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

async fn retried(
    id: EntryId,
    annotation: &Annotation,
    store: &dyn LogStore,
    settings: &Settings,
) -> Result<(), LogError> {
    let mut delay = MIN_DELAY;
    for _ in 1..TRIES {
        let written = limited(settings, async { store.annotate(id, annotation).await }).await;
        if written.is_ok() {
            return Ok(());
        }
        sleep(delay).await;
        delay = Duration::saturating_mul(delay, 4);
    }
    limited(settings, async { store.annotate(id, annotation).await }).await
}

fn warn(error: impl std::fmt::Display) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%error, "delivery log could not add the cause of a rejection to its row");
    #[cfg(not(feature = "tracing"))]
    let _ = error;
}
