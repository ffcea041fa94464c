//! Writes the causes of rejections into rows, after these have been written.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::Semaphore, time::sleep};

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
const MAX: u16 = 64;

/// Tries to write an annotation. The store has just written rows, so it seldom fails.
const TRIES: u32 = 3;

/// Annotations in progress.
pub(crate) struct Annotations {
    /// Explanations come from a thread outside of the runtime.
    runtime: Handle,
    room: Arc<Semaphore>,
}

impl Annotations {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, room: Arc::new(Semaphore::new(MAX.into())) }
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
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else { return };
        let Some(written) = queue.flush() else { return };
        let (store, settings) = (Arc::clone(store), Arc::clone(settings));
        self.runtime.spawn(async move {
            if written.await.is_ok()
                && let Err(error) = retried(id, &annotation, &*store, &settings).await
            {
                warn(&error);
            }
            drop(room);
        });
    }

    /// Waits until no annotation is in progress.
    pub(crate) async fn done(&self) {
        let _ = self.room.acquire_many(MAX.into()).await;
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

fn warn(error: &LogError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%error, "delivery log could not add the cause of a rejection to its row");
    #[cfg(not(feature = "tracing"))]
    let _ = error;
}
