//! Where rows are kept.

use std::{
    collections::{BTreeMap, btree_map},
    error::Error,
    fmt,
    future::{Future, ready},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::delivery_log::{
    entry::{Entry, RECEIVED},
    filter::Filter,
    id::EntryId,
    keep::{Keep, Totals},
    page::Page,
};

/// The answer of a [`LogStore`].
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LogError>> + Send + 'a>>;

/// Where rows are kept: SQLite, PostgreSQL, memory, or a database of yours.
///
/// The log calls each of these with a time limit, and drops the future when it has passed.
pub trait LogStore: Send + Sync + 'static {
    /// Writes all rows, or none.
    ///
    /// Where a row with the id is there already, it takes over [what is known in the
    /// end](Entry::finish) if its status is [`RECEIVED`]; otherwise it stays as it is. So the same
    /// rows may be written twice.
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()>;

    /// Returns the rows that the filter [matches](Filter::matches), the newest first. A `Vec` of rows
    /// becomes a [`Page`] by `into()`.
    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Page>;

    /// Deletes some of the oldest rows that [go](Keep::goes), in one transaction, and returns how
    /// many. 0 means that none goes.
    ///
    /// It is called again until it returns 0, and by one task of a log at a time. A step that deletes
    /// [a few](Keep::step) rows lets rows be written before the next one.
    fn prune_step(&self, keep: Keep) -> StoreFuture<'_, u64>;

    /// Ends all connections.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(ready(()))
    }
}

/// The log could not do what it was asked for.
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
    /// The store cannot be used now. What was to be written is kept and tried again.
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Unavailable, source: Some(source.into()) }
    }

    /// The store does not take this row, now or later.
    #[must_use]
    pub fn refused(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Refused, source: Some(source.into()) }
    }

    /// The database cannot hold a log as it is set up. The message says what to change.
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
            return write!(f, "the webhook log cannot use this database: {why}");
        }
        f.write_str(match self.kind {
            Kind::Closed => "the webhook log has been shut down",
            Kind::NoRuntime => "a webhook log is opened inside a tokio runtime",
            Kind::Refused => "the webhook log's store does not take the row",
            Kind::TimedOut => "the webhook log's store did not answer in time",
            Kind::Unavailable => "the webhook log's store is unavailable",
            Kind::Unsuitable => "the webhook log cannot use this database",
        })
    }
}

impl Error for LogError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The message of an unsuitable database has it already.
        let source = self.source.as_ref().filter(|_| self.kind != Kind::Unsuitable);
        source.map(|source| &**source as &(dyn Error + 'static))
    }
}

/// Keeps rows in memory, the newest ones: for tests, and to look at what comes in.
#[derive(Debug)]
pub struct MemoryLog {
    entries: Mutex<BTreeMap<EntryId, Entry>>,
    capacity: usize,
}

impl MemoryLog {
    /// Keeps the newest `capacity` rows.
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

    fn prune_step(&self, keep: Keep) -> StoreFuture<'_, u64> {
        let mut entries = self.entries();
        let len = |entry: &Entry| u64::try_from(entry.stored_len()).unwrap_or(u64::MAX);
        let rows = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let mut totals = Totals { rows, bytes: entries.values().map(len).sum() };
        // In memory nobody waits for long, so one step is enough.
        while let Some(oldest) = entries.first_entry()
            && keep.goes(*oldest.key(), totals)
        {
            totals.rows -= 1;
            totals.bytes = totals.bytes.saturating_sub(len(&oldest.remove()));
        }
        Box::pin(ready(Ok(rows - totals.rows)))
    }
}
