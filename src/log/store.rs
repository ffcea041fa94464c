//! Where rows are kept.

use std::{
    collections::{BTreeMap, btree_map},
    error::Error,
    fmt,
    future::{Future, ready},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Entry, EntryId, Filter, RECEIVED};

/// The answer of a [`Store`].
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LogError>> + Send + 'a>>;

/// Where rows are kept: SQLite, PostgreSQL, memory, or a database of yours.
///
/// The log calls each of these with a time limit, and drops the future when it has passed.
pub trait Store: Send + Sync + 'static {
    /// Writes all rows, or none.
    ///
    /// Where a row with the id is there already, it takes over [what is known in the
    /// end](Entry::finish) if its status is [`RECEIVED`]; otherwise it stays as it is. So the same
    /// rows may be written twice.
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()>;

    /// The rows that the filter [matches](Filter::matches), the newest first.
    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Entry>>;

    /// The id before which all rows must go so that at most `rows` rows stay.
    fn boundary_by_rows(&self, rows: u64) -> StoreFuture<'_, Option<EntryId>>;

    /// The id before which all rows must go so that at most `bytes` bytes stay.
    fn boundary_by_bytes(&self, bytes: u64) -> StoreFuture<'_, Option<EntryId>>;

    /// Deletes at most `limit` rows before this one, and says how many.
    fn delete_before(&self, end: EntryId, limit: u32) -> StoreFuture<'_, u64>;

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

    pub(super) const fn timed_out() -> Self {
        Self { kind: Kind::TimedOut, source: None }
    }

    pub(super) const fn closed() -> Self {
        Self { kind: Kind::Closed, source: None }
    }

    pub(super) const fn no_runtime() -> Self {
        Self { kind: Kind::NoRuntime, source: None }
    }

    pub(super) fn is_time_out(&self) -> bool {
        self.kind == Kind::TimedOut
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.kind == Kind::Refused
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Closed => "the webhook log has been shut down",
            Kind::NoRuntime => "a webhook log is opened inside a tokio runtime",
            Kind::Refused => "the webhook log's store does not take the row",
            Kind::TimedOut => "the webhook log's store did not answer in time",
            Kind::Unavailable => "the webhook log's store is unavailable",
        })
    }
}

impl Error for LogError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

/// Keeps rows in memory, the newest ones: for tests, and to look at what comes in.
#[derive(Debug)]
pub struct MemoryStore {
    entries: Mutex<BTreeMap<EntryId, Entry>>,
    capacity: usize,
}

impl MemoryStore {
    /// Keeps the newest `capacity` rows.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { entries: Mutex::new(BTreeMap::new()), capacity }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<EntryId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest id that stays when the newest that `stays` says yes to do.
    fn boundary(&self, mut stays: impl FnMut(&Entry) -> bool) -> Option<EntryId> {
        let entries = self.entries();
        let mut boundary = None;
        for entry in entries.values().rev() {
            if !stays(entry) {
                // All go where not even the newest stays.
                return Some(boundary.unwrap_or(EntryId::MAX));
            }
            boundary = Some(entry.id);
        }
        None
    }
}

impl Store for MemoryStore {
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

    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Entry>> {
        let entries = self.entries();
        let found = entries.values().rev().filter(|entry| filter.matches(entry));
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        Box::pin(ready(Ok(found.take(limit).cloned().collect())))
    }

    fn boundary_by_rows(&self, rows: u64) -> StoreFuture<'_, Option<EntryId>> {
        let mut left = rows;
        let boundary = self.boundary(|_| left.checked_sub(1).map(|now| left = now).is_some());
        Box::pin(ready(Ok(boundary)))
    }

    fn boundary_by_bytes(&self, bytes: u64) -> StoreFuture<'_, Option<EntryId>> {
        let mut left = bytes;
        let boundary = self.boundary(|entry| {
            let len = u64::try_from(entry.stored_len()).unwrap_or(u64::MAX);
            left.checked_sub(len).map(|now| left = now).is_some()
        });
        Box::pin(ready(Ok(boundary)))
    }

    fn delete_before(&self, end: EntryId, limit: u32) -> StoreFuture<'_, u64> {
        let mut entries = self.entries();
        let mut count = 0;
        while count < u64::from(limit) && entries.first_key_value().is_some_and(|(id, _)| *id < end)
        {
            entries.pop_first();
            count += 1;
        }
        Box::pin(ready(Ok(count)))
    }
}
