//! Handle of a delivery log.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    delivery_log::{
        annotation::Annotation,
        annotations::Annotations,
        entry::Entry,
        filter::{Filter, Retention},
        id::EntryId,
        page::Page,
        queue::{queue::Queue, stages::run, state::create_note},
        row::Draft,
        settings::Settings,
        store::{LogError, LogStore},
        ticket::Ticket,
        timeout::limited,
    },
    observe::{attempt::Attempt, event::Event, kind::EventKind, observer::Observer},
};

/// Log of every delivery, including rejected ones; see the [module](super).
///
/// The log is an [`Observer`] and a handle: clones share one log.
///
/// Rows are written in the background. At the end, call [`shutdown`](Self::shutdown), which waits
/// for them. If the last clone, including the clones in layers, is dropped without it, waiting rows
/// are still written if the runtime runs long enough. A runtime that shuts down discards them.
#[derive(Clone)]
pub struct DeliveryLog(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    queue: Arc<Queue>,
    store: Arc<dyn LogStore>,
    pub(crate) settings: Arc<Settings>,
    writer: Mutex<Option<JoinHandle<()>>>,
    has_warned: AtomicBool,
    pruning: tokio::sync::Mutex<()>,
    annotations: Annotations,
}

impl DeliveryLog {
    pub(crate) fn start(store: Arc<dyn LogStore>, settings: Settings) -> Result<Self, LogError> {
        let runtime = Handle::try_current().map_err(|_| LogError::no_runtime())?;
        let (queue, settings) = (Arc::<Queue>::default(), Arc::new(settings));
        let writer = {
            let (queue, store, settings) =
                (Arc::clone(&queue), Arc::clone(&store), Arc::clone(&settings));
            let finish = {
                let settings = Arc::clone(&settings);
                move |draft: &mut Draft| draft.finish(&settings)
            };
            runtime.spawn(async move { run(queue, &*store, &settings, finish).await })
        };
        let writer = Mutex::new(Some(writer));
        let (has_warned, pruning) = (AtomicBool::new(false), tokio::sync::Mutex::default());
        let annotations = Annotations::new(runtime);
        Ok(Self(Arc::new(Shared {
            queue,
            store,
            settings,
            writer,
            has_warned,
            pruning,
            annotations,
        })))
    }

    /// Returns the rows that match the filter, newest first. [`Page::next`] returns the filter of
    /// the next page.
    ///
    /// Searches do not delay the writing of rows: in SQLite and PostgreSQL they use connections of
    /// their own, two at a time, and further searches queue. The time in the queue counts towards
    /// the [time limit](crate::delivery_log::DeliveryLogBuilder::store_timeout), after which the
    /// database ends the search.
    ///
    /// # Errors
    ///
    /// Returns an error if the store cannot be read within the time limit.
    pub async fn find(&self, filter: &Filter) -> Result<Page, LogError> {
        let filter = filter.clone().limit(filter.limit);
        limited(&self.0.settings, self.0.store.find(&filter)).await
    }

    /// Returns the row with this ID.
    ///
    /// # Errors
    ///
    /// Returns an error if the store cannot be read within the time limit.
    pub async fn get(&self, id: EntryId) -> Result<Option<Entry>, LogError> {
        let mut filter = Filter::new().limit(1);
        filter.id = Some(id);
        Ok(self.find(&filter).await?.pop())
    }

    /// Deletes the oldest rows until the remaining rows are within the limits, and returns the
    /// number of deleted rows. Call it periodically.
    ///
    /// The cost depends on the number of deleted rows, not on the size of the log. Each step
    /// deletes some 500 rows or 4 MiB, and rows are written between the steps. The [time
    /// limit](crate::delivery_log::DeliveryLogBuilder::store_timeout) applies to each step. Rows
    /// that are written after the call are kept. A log runs one call at a time: a second call waits
    /// until the first has ended.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails. Rows deleted by earlier steps stay deleted, and the
    /// failed step has deleted nothing.
    pub async fn prune(&self, retention: Retention) -> Result<u64, LogError> {
        let Shared { store, settings, pruning, .. } = &*self.0;
        let _alone = pruning.lock().await;
        let newest = self.find(&Filter::new().limit(1)).await?;
        let Some(newest) = newest.first().map(|entry| entry.id) else { return Ok(0) };
        let keep = retention.keep(SystemTime::now(), newest);
        let mut count = 0;
        loop {
            match limited(settings, store.prune_step(keep)).await? {
                0 => return Ok(count),
                deleted => count += deleted,
            }
        }
    }

    /// Waits until the rows of all requests that have ended so far are written, and the causes of
    /// rejections that have been explained so far.
    ///
    /// There is no time limit: the call waits for as long as the store is unavailable. Add a
    /// timeout where that matters.
    ///
    /// # Errors
    ///
    /// Returns an error if the log has been shut down.
    pub async fn flush(&self) -> Result<(), LogError> {
        let written = self.0.queue.flush().ok_or_else(LogError::closed)?;
        written.await.map_err(|_| LogError::closed())?;
        self.0.annotations.done().await;
        Ok(())
    }

    /// Accepts no more rows, and writes those that wait, including rows with the numbers of
    /// suppressed rejections and lost rows.
    ///
    /// Rows that are not written within the time limit are lost and [counted](Self::dropped).
    ///
    /// # Errors
    ///
    /// Returns an error if the time limit has passed, or if the log has already been shut down.
    pub async fn shutdown(&self, limit: Duration) -> Result<(), LogError> {
        let Some(mut writer) = self.0.writer().take() else { return Err(LogError::closed()) };
        self.0.queue.close();
        let written = async {
            let _ = (&mut writer).await;
            self.0.annotations.done().await;
        };
        let done = timeout(limit, written).await;
        if done.is_err() {
            writer.abort();
            // It must not be awaited twice, and may have ended before the annotations.
            if !writer.is_finished() {
                let _ = writer.await;
            }
        }
        self.0.queue.give_up();
        let _ = timeout(limit.max(Duration::from_secs(1)), self.0.store.close()).await;
        done.map_err(|_| LogError::timed_out())
    }

    /// Returns the number of lost rows: rows that found no room in the queue, that the store
    /// rejected, or that were not written in time at shutdown.
    ///
    /// When there is room again, the log reports lost rows in a row with status `dropped`.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.queue.lost()
    }

    /// Returns the number of rejections without a row so far; see
    /// [`refusals_per_minute`](crate::delivery_log::DeliveryLogBuilder::refusals_per_minute).
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.0.queue.suppressed()
    }

    /// Returns the number of rows that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.queue.rows()
    }

    /// Returns the error that keeps rows from being written, for a health check. Returns `None`
    /// while rows are written.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.0.queue.failure()
    }

    /// Returns a key that identifies this log while it exists.
    fn key(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn ticket(&self, attempt: &Attempt) -> Option<Arc<Ticket>> {
        Ticket::of(attempt, self.key())
    }

    /// Queues the first row of a request, before the handler is called. Returns `None` if there is
    /// no room.
    pub(crate) fn receive(
        &self,
        attempt: &Attempt,
        ticket: &Ticket,
    ) -> Option<oneshot::Receiver<()>> {
        let event = Event::new(attempt, EventKind::Accepted);
        let settings = &self.0.settings;
        self.0.queue.push_urgent(Draft::received(&event, ticket.id, settings), settings)
    }

    /// Reports that durable mode is misconfigured: in a row once, and to `tracing` each time.
    pub(crate) fn warn(&self, message: &'static str) {
        #[cfg(feature = "tracing")]
        tracing::error!(target: "tower_webhook::security", message);
        if !self.0.has_warned.swap(true, Ordering::Relaxed) {
            let mut entry = create_note("misconfigured", 1, SystemTime::now());
            entry.message = Some(message.to_owned());
            self.0.queue.push_note(entry);
        }
    }

    fn ended(&self, event: &Event<'_>) {
        let (settings, queue) = (&*self.0.settings, &*self.0.queue);
        // Rows that anyone can cause are limited. Rows of dispatched requests are not.
        if !event.is_dispatched() && !queue.takes_refusal(event.told_at(), settings) {
            return;
        }
        // A log that observes a layer twice has two rows.
        let ticket = self.ticket(event.attempt()).filter(|ticket| !ticket.is_ended());
        let is_acknowledged = matches!(
            event.kind(), EventKind::Completed { status: Some(status) } if status.is_success()
        // A replay guard above the durable layer acknowledges deliveries that already have a row.
        ) && event.replay_answer().is_none();
        if settings.is_durable && is_acknowledged && ticket.as_ref().is_some_and(|t| t.is_new()) {
            self.warn(
                "delivery acknowledged without passing the durable layer: \
                 add `DeliveryLog::durable_layer` below the `SignatureLayer`",
            );
        }
        let id = ticket.as_ref().map_or_else(|| EntryId::new(event.received_at()), |t| t.id);
        let is_written = ticket.is_some_and(|ticket| ticket.is_written());
        let draft = Draft::ended(event, id, settings, is_written);
        let has_cause = draft.entry.cause.is_some();
        queue.push(draft, settings);
        if cfg!(feature = "explain") && event.rejection().is_some() {
            Ticket::end(event.attempt(), self.key(), id);
            // An explanation may have come meanwhile. To add it twice does no harm.
            if !has_cause {
                self.explained(event);
            }
        }
    }
}

impl DeliveryLog {
    /// Adds the cause of a rejection to its row. A row that is not made yet will have it.
    fn explained(&self, event: &Event<'_>) {
        let Shared { annotations, queue, store, settings, .. } = &*self.0;
        let Some(id) = Ticket::of_ended(event.attempt(), self.key()) else { return };
        if let Some(summary) = event.attempt().explained.summary_for_tenant() {
            annotations.write(id, Annotation::new(&summary), queue, store, settings);
        }
    }
}

impl Observer for DeliveryLog {
    fn observe(&self, event: &Event<'_>) {
        match event.kind() {
            // The durable layer needs a ticket. Without it each request has only one row.
            EventKind::Accepted | EventKind::Unverified if self.0.settings.is_durable => {
                let id = EntryId::new(event.received_at());
                Ticket::new(self.key(), id).keep(event.attempt());
            }
            EventKind::Explained => self.explained(event),
            EventKind::Suppressed { count } => {
                self.0.queue.push_note(create_note("suppressed", count, event.received_at()));
            }
            _ if event.is_last() => self.ended(event),
            _ => {}
        }
    }

    /// Returns `true`: the digest needs the body even if neither payload nor headers are kept.
    fn keeps_request(&self) -> bool {
        true
    }
}

impl Shared {
    fn writer(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The writer ends after it has written the waiting rows.
        self.queue.close();
    }
}

impl fmt::Debug for DeliveryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryLog")
            .field("queued", &self.queued())
            .field("dropped", &self.dropped())
            .field("suppressed", &self.suppressed())
            .field("failure", &self.failure())
            .finish_non_exhaustive()
    }
}
