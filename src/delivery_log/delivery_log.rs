//! The log's handle.

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
        entry::Entry,
        filter::{Filter, Retention},
        id::EntryId,
        page::Page,
        queue::{queue::Queue, run::run, state::note},
        row::Draft,
        settings::Settings,
        store::{LogError, LogStore},
        ticket::Ticket,
        timeout::limited,
    },
    observe::{attempt::Attempt, event::Event, kind::EventKind, observer::Observer},
};

/// A log of every delivery, refused ones too; see the [module](super).
///
/// It is an [`Observer`], and a handle: clones are the same log.
///
/// Rows are written in the background. End with [`shutdown`](Self::shutdown), which waits for them.
/// When the last clone is dropped without it, layers' clones included, what waits is still written
/// if the runtime runs long enough. A runtime that ends takes it along.
#[derive(Clone)]
pub struct DeliveryLog(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    queue: Arc<Queue>,
    store: Arc<dyn LogStore>,
    pub(crate) settings: Arc<Settings>,
    writer: Mutex<Option<JoinHandle<()>>>,
    has_warned: AtomicBool,
    pruning: tokio::sync::Mutex<()>,
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
        Ok(Self(Arc::new(Shared { queue, store, settings, writer, has_warned, pruning })))
    }

    /// Returns the rows that the filter asks for, the newest first. [`Page::next`] turns the page.
    ///
    /// Searches do not keep rows from being written: they have connections of their own, two at a
    /// time, and more of them queue. The time in the queue counts towards the
    /// [limit](crate::delivery_log::DeliveryLogBuilder::store_timeout), after which the database ends the search.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or not in time.
    pub async fn find(&self, filter: &Filter) -> Result<Page, LogError> {
        let filter = filter.clone().limit(filter.limit);
        limited(&self.0.settings, self.0.store.find(&filter)).await
    }

    /// The row with this name.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn get(&self, id: EntryId) -> Result<Option<Entry>, LogError> {
        let mut filter = Filter::new().limit(1);
        filter.id = Some(id);
        Ok(self.find(&filter).await?.pop())
    }

    /// Deletes the oldest rows, so that the rest keeps within the limits, and returns how many went.
    /// Call it now and then.
    ///
    /// It costs what it deletes, however large the log is: some 500 rows or 4 MiB at a time, and rows
    /// are written in between. The [limit](crate::delivery_log::DeliveryLogBuilder::store_timeout) is for each such step. Rows that
    /// are written after the call stay. One pruning of a log runs at a time: a second call waits until
    /// the first has ended.
    ///
    /// # Errors
    ///
    /// When the store fails. What earlier steps have deleted is gone, and the step that failed has
    /// deleted nothing.
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

    /// Waits until all rows of the requests that have ended by now are written.
    ///
    /// It waits for as long as the store cannot be used; limit the time, where that matters.
    ///
    /// # Errors
    ///
    /// When the log has been shut down.
    pub async fn flush(&self) -> Result<(), LogError> {
        match self.0.queue.flush() {
            Some(written) => written.await.map_err(|_| LogError::closed()),
            None => Err(LogError::closed()),
        }
    }

    /// Takes no more rows, and writes those that wait, as well as how many refusals were kept back
    /// and rows lost. What is not written within the time limit is lost and
    /// [counted](Self::dropped).
    ///
    /// # Errors
    ///
    /// When the time limit has passed, or the log has been shut down before.
    pub async fn shutdown(&self, limit: Duration) -> Result<(), LogError> {
        let Some(mut writer) = self.0.writer().take() else { return Err(LogError::closed()) };
        self.0.queue.close();
        let done = timeout(limit, &mut writer).await;
        if done.is_err() {
            writer.abort();
            let _ = writer.await;
        }
        self.0.queue.give_up();
        let _ = timeout(limit.max(Duration::from_secs(1)), self.0.store.close()).await;
        done.map(|_| ()).map_err(|_| LogError::timed_out())
    }

    /// How many rows were lost: no room in the queue, not taken by the store, or not written in
    /// time at the end. When there is room again the log says so itself, in a row with status
    /// `dropped`.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.queue.lost()
    }

    /// How many refusals were kept back so far; see
    /// [`refusals_per_minute`](crate::delivery_log::DeliveryLogBuilder::refusals_per_minute).
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.0.queue.suppressed()
    }

    /// How many rows wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.queue.rows()
    }

    /// Why rows are not being written now, for a health check. `None` while they are.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.0.queue.failure()
    }

    /// Which log this is, for as long as it is there.
    fn key(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn ticket(&self, attempt: &Attempt) -> Option<Arc<Ticket>> {
        Ticket::of(attempt, self.key())
    }

    /// The first row of a request, before the handler is called. `None` without room.
    pub(crate) fn receive(
        &self,
        attempt: &Attempt,
        ticket: &Ticket,
    ) -> Option<oneshot::Receiver<()>> {
        let event = Event::new(attempt, EventKind::Accepted);
        let settings = &self.0.settings;
        self.0.queue.push_urgent(Draft::received(&event, ticket.id, settings), settings)
    }

    /// Says once, in a row of its own, that durable mode is set up wrong.
    pub(crate) fn warn(&self, message: &'static str) {
        #[cfg(feature = "tracing")]
        tracing::error!(target: "tower_webhook::security", message);
        if !self.0.has_warned.swap(true, Ordering::Relaxed) {
            let mut entry = note("misconfigured", 1, SystemTime::now());
            entry.message = Some(message.to_owned());
            self.0.queue.note(entry);
        }
    }

    fn ended(&self, event: &Event<'_>) {
        let (settings, queue) = (&*self.0.settings, &*self.0.queue);
        // What strangers can cause is bounded. What reached the handler is always kept.
        if !event.is_dispatched() && !queue.takes_refusal(event.told_at(), settings) {
            return;
        }
        let ticket = self.ticket(event.attempt());
        let is_acknowledged = matches!(
            event.kind(), EventKind::Completed { status: Some(status) } if status.is_success()
        // A replay guard above the durable layer acknowledges what has a row already.
        ) && event.replay_answer().is_none();
        if settings.is_durable && is_acknowledged && ticket.as_ref().is_some_and(|t| t.is_new()) {
            self.warn("a delivery was acknowledged that did not pass the durable layer");
        }
        let id = ticket.as_ref().map_or_else(|| EntryId::new(event.received_at()), |t| t.id);
        let is_written = ticket.is_some_and(|ticket| ticket.is_written());
        queue.push(Draft::ended(event, id, settings, is_written), settings);
    }
}

impl Observer for DeliveryLog {
    fn observe(&self, event: &Event<'_>) {
        match event.kind() {
            // For the durable layer; without it each request has one row only.
            EventKind::Accepted | EventKind::Unverified if self.0.settings.is_durable => {
                let id = EntryId::new(event.received_at());
                Ticket::new(self.key(), id).keep(event.attempt());
            }
            EventKind::Suppressed { count } => {
                self.0.queue.note(note("suppressed", count, event.received_at()));
            }
            _ if event.is_last() => self.ended(event),
            _ => {}
        }
    }

    /// For the digest, also where neither payload nor headers are kept.
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
        // The writer ends once it has written what waits.
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
