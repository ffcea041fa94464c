//! Stores of rows.

use std::{
    collections::{BTreeMap, btree_map},
    error::Error,
    fmt,
    future::{Future, ready},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::delivery_log::{
    annotation::Annotation,
    entry::{Entry, RECEIVED},
    filter::Filter,
    id::EntryId,
    keep::{Keep, Totals},
    page::Page,
};

/// Future returned by a [`LogStore`].
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LogError>> + Send + 'a>>;

/// Store of rows: SQLite, PostgreSQL, memory, or a custom database.
///
/// The log calls each method with a time limit, and drops the future when the limit has passed.
pub trait LogStore: Send + Sync + 'static {
    /// Writes all rows, or none.
    ///
    /// If a row with the ID exists and has status [`RECEIVED`], it is [completed](Entry::finish).
    /// Otherwise it stays unchanged. The same rows may therefore be written twice.
    ///
    /// # Errors
    ///
    /// Return [`LogError::refused`] if the store can never accept a row: the log then writes the
    /// rows one by one and loses the rejected ones. After any other error the log retries all rows.
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()>;

    /// Returns the rows that the filter [matches](Filter::matches), newest first. A `Vec` of rows
    /// converts to a [`Page`] with `into()`.
    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Page>;

    /// Deletes some of the oldest rows that [must go](Keep::goes), in one transaction, and returns
    /// their number. The result is 0 if no row must go.
    ///
    /// One task of a log calls it at a time, until it returns 0. If a step deletes
    /// [few](Keep::step) rows, other rows can be written before the next step.
    fn prune_step(&self, keep: Keep) -> StoreFuture<'_, u64>;

    /// Adds the cause of a rejection to its row, unless the row has a cause. The row may have been
    /// deleted since; that is no error.
    ///
    /// The default does nothing: the rows of a store without these columns have no cause.
    fn annotate<'a>(&'a self, id: EntryId, annotation: &'a Annotation) -> StoreFuture<'a, ()> {
        let _ = (id, annotation);
        Box::pin(ready(Ok(())))
    }

    /// Closes all connections.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(ready(()))
    }
}

/// Error returned when a delivery log cannot complete an operation.
#[derive(Debug)]
pub struct LogError {
    kind: Kind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Closed,
    NoRuntime,
    Refused,
    TimedOut,
    Unavailable,
    Unsuitable,
}

impl LogError {
    /// Creates an error for a store that is unavailable now. The rows are kept, and the write is
    /// retried.
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Unavailable, source: Some(source.into()) }
    }

    /// Creates an error for a row that the store never accepts.
    #[must_use]
    pub fn refused(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Refused, source: Some(source.into()) }
    }

    /// Creates an error for a database that is not set up for a log. `why` says what to change.
    #[cfg(any(feature = "delivery-log-postgres", feature = "delivery-log-sqlite"))]
    pub(crate) fn unsuitable(why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Unsuitable, source: Some(why.into()) }
    }

    pub(crate) const fn timed_out() -> Self {
        Self { kind: Kind::TimedOut, source: None }
    }

    pub(crate) const fn closed() -> Self {
        Self { kind: Kind::Closed, source: None }
    }

    pub(crate) const fn no_runtime() -> Self {
        Self { kind: Kind::NoRuntime, source: None }
    }

    pub(crate) fn is_time_out(&self) -> bool {
        self.kind == Kind::TimedOut
    }

    pub(crate) fn is_refusal(&self) -> bool {
        self.kind == Kind::Refused
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Kind::Unsuitable, Some(why)) = (self.kind, &self.source) {
            return write!(f, "database not suitable for the delivery log: {why}");
        }
        f.write_str(match self.kind {
            Kind::Closed => "delivery log has been shut down",
            Kind::NoRuntime => "no Tokio runtime: the delivery log must be opened from within one",
            Kind::Refused => "delivery log store rejected the row",
            Kind::TimedOut => "delivery log store did not respond in time",
            Kind::Unavailable => "delivery log store unavailable",
            Kind::Unsuitable => "database not suitable for the delivery log",
        })
    }
}

impl Error for LogError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The message of an unsuitable database already contains the source.
        let source = self.source.as_ref().filter(|_| self.kind != Kind::Unsuitable);
        source.map(|source| &**source as &(dyn Error + 'static))
    }
}

/// Store that keeps the newest rows in memory, for tests and to inspect incoming deliveries.
#[derive(Debug)]
pub struct MemoryLog {
    entries: Mutex<BTreeMap<EntryId, Entry>>,
    capacity: usize,
}

impl MemoryLog {
    /// Creates a store for the newest `capacity` rows.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { entries: Mutex::new(BTreeMap::new()), capacity }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<EntryId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogStore for MemoryLog {
    fn write(&self, new: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        let mut entries = self.entries();
        for entry in new {
            match entries.entry(entry.id) {
                btree_map::Entry::Vacant(vacant) => _ = vacant.insert(Arc::unwrap_or_clone(entry)),
                btree_map::Entry::Occupied(old) if old.get().status == RECEIVED => {
                    old.into_mut().finish(&entry);
                }
                btree_map::Entry::Occupied(_) => {}
            }
        }
        while entries.len() > self.capacity {
            entries.pop_first();
        }
        Box::pin(ready(Ok(())))
    }

    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Page> {
        let entries = self.entries();
        let found = entries.values().rev().filter(|entry| filter.matches(entry));
        let found: Vec<_> = found.take(filter.most()).cloned().collect();
        Box::pin(ready(Ok(found.into())))
    }

    fn annotate<'a>(&'a self, id: EntryId, annotation: &'a Annotation) -> StoreFuture<'a, ()> {
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.annotate(annotation);
        }
        Box::pin(ready(Ok(())))
    }

    fn prune_step(&self, keep: Keep) -> StoreFuture<'_, u64> {
        let mut entries = self.entries();
        let len = |entry: &Entry| u64::try_from(entry.stored_len()).unwrap_or(u64::MAX);
        let rows = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let mut totals = Totals { rows, bytes: entries.values().map(len).sum() };
        // Pruning in memory is fast, so one step suffices.
        while let Some(oldest) = entries.first_entry()
            && keep.goes(*oldest.key(), totals)
        {
            totals.rows -= 1;
            totals.bytes = totals.bytes.saturating_sub(len(&oldest.remove()));
        }
        Box::pin(ready(Ok(rows - totals.rows)))
    }
}
