//! Filters for searches, and retention for pruning.

use std::time::{Duration, SystemTime};

use crate::delivery_log::{entry::Entry, id::EntryId, keep::Keep, text::entry_text};

/// Maximum number of rows in a page.
const MAX_LIMIT: u32 = 1_000;

/// Filter of a search. A search returns the newest rows first, 50 unless [`limit`](Self::limit)
/// sets another number.
///
/// ```
/// use tower_webhook::delivery_log::{Filter, Page};
///
/// let filter = Filter::failed().provider("meta").limit(20);
/// // The next page; see `Page::next`.
/// let next = |page: &Page| page.next(&filter);
/// # let _ = next;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only the row with this ID.
    pub id: Option<EntryId>,
    /// Only rows older than this one, for paging.
    pub before: Option<EntryId>,
    /// Only rows of this provider.
    pub provider: Option<String>,
    /// Only rows of this tenant.
    pub tenant: Option<String>,
    /// Only rows with one of these statuses; all statuses if empty.
    pub statuses: Vec<String>,
    /// Only requests that arrived at this time or later.
    pub since: Option<SystemTime>,
    /// Only requests that arrived before this time.
    pub until: Option<SystemTime>,
    /// Maximum number of rows in a page.
    pub limit: u32,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            id: None,
            before: None,
            provider: None,
            tenant: None,
            statuses: Vec::new(),
            since: None,
            until: None,
            limit: 50,
        }
    }
}

impl Filter {
    /// Creates a filter that all rows match.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a filter for rows with status `error` or `unauthorized`.
    #[must_use]
    pub fn failed() -> Self {
        Self::new().status("error").status("unauthorized")
    }

    /// Restricts the search to rows older than this one, which is the last row of the previous
    /// page.
    #[must_use]
    pub fn before(mut self, id: EntryId) -> Self {
        self.before = Some(id);
        self
    }

    /// Restricts the search to rows of this provider.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Restricts the search to rows of this tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl AsRef<str>) -> Self {
        self.tenant = Some(entry_text(tenant.as_ref()));
        self
    }

    /// Adds a status. Rows match if they have one of the added statuses.
    #[must_use]
    pub fn status(mut self, status: impl AsRef<str>) -> Self {
        self.statuses.push(entry_text(status.as_ref()));
        self
    }

    /// Restricts the search to requests that arrived at this time or later.
    #[must_use]
    pub fn since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// Restricts the search to requests that arrived before this time.
    #[must_use]
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    /// Sets the maximum number of rows in a page, at most 1,000.
    #[must_use]
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = rows.min(MAX_LIMIT);
        self
    }

    /// Returns the lowest ID that a matching row can have, by the time range.
    #[must_use]
    pub fn lowest(&self) -> Option<EntryId> {
        self.since.map(EntryId::first)
    }

    /// Returns the ID below which all matching rows are, by the time range and the page.
    #[must_use]
    pub fn end(&self) -> Option<EntryId> {
        let until = self.until.map(EntryId::first);
        match (self.before, until) {
            (Some(before), Some(until)) => Some(before.min(until)),
            (before, until) => before.or(until),
        }
    }

    /// Returns the effective limit.
    pub(crate) fn most(&self) -> usize {
        usize::try_from(self.limit.min(MAX_LIMIT)).unwrap_or(usize::MAX)
    }

    /// Returns `true` if the row matches the filter. The limit does not count.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        self.id.is_none_or(|id| id == entry.id)
            && self.lowest().is_none_or(|lowest| lowest <= entry.id)
            && self.end().is_none_or(|end| entry.id < end)
            && self.provider.as_ref().is_none_or(|provider| *provider == entry.provider)
            && (self.tenant.is_none() || self.tenant == entry.tenant)
            && (self.statuses.is_empty()
                || self.statuses.iter().any(|status| *status == entry.status))
    }
}

/// Limits on the rows that pruning keeps. The oldest rows are deleted first, and all limits that
/// are set apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Retention {
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_rows: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
}

impl Retention {
    /// Creates a retention that keeps all rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum age. Rows of requests that arrived earlier are deleted.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sets the maximum number of rows.
    pub fn max_rows(mut self, rows: u64) -> Self {
        self.max_rows = Some(rows);
        self
    }

    /// Sets the maximum size of all rows in bytes; see [`Entry::stored_len`].
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Returns the rows to keep at this time, for a log with this newest row.
    pub(crate) fn keep(self, now: SystemTime, newest: EntryId) -> Keep {
        let since = self.max_age.map(|age| now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
        Keep {
            since: since.map_or(EntryId::MIN, EntryId::first),
            until: newest.next(),
            rows: self.max_rows.unwrap_or(u64::MAX),
            bytes: self.max_bytes.unwrap_or(u64::MAX),
        }
    }
}
