//! Which rows are asked for, and which may go.

use std::time::{Duration, SystemTime};

use crate::delivery_log::{
    entry::{Entry, entry_text},
    id::EntryId,
    keep::Keep,
};

/// The most rows of one answer.
const MAX_LIMIT: u32 = 1_000;

/// Which rows are asked for: the newest first, 50 unless [`limit`](Self::limit) says otherwise.
///
/// ```
/// use tower_webhook::delivery_log::{Filter, Page};
///
/// let filter = Filter::failed().provider("meta").limit(20);
/// // The page after this one; see `Page::next`.
/// let next = |page: &Page| page.next(&filter);
/// # let _ = next;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only this row.
    pub id: Option<EntryId>,
    /// Only rows older than this one, for paging.
    pub before: Option<EntryId>,
    /// Only this provider's.
    pub provider: Option<String>,
    /// Only this tenant's.
    pub tenant: Option<String>,
    /// Only rows with one of these statuses; all if empty.
    pub statuses: Vec<String>,
    /// Only requests that arrived at this time or later.
    pub since: Option<SystemTime>,
    /// Only requests that arrived before this time.
    pub until: Option<SystemTime>,
    /// The most rows of the answer.
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
    /// All rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Those with status `error` or `unauthorized`.
    #[must_use]
    pub fn failed() -> Self {
        Self::new().status("error").status("unauthorized")
    }

    /// Only rows older than this one: the last of the page before.
    #[must_use]
    pub fn before(mut self, id: EntryId) -> Self {
        self.before = Some(id);
        self
    }

    /// Only this provider's.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Only this tenant's.
    #[must_use]
    pub fn tenant(mut self, tenant: impl AsRef<str>) -> Self {
        self.tenant = Some(entry_text(tenant.as_ref()));
        self
    }

    /// Only rows with this status, or with one given before.
    #[must_use]
    pub fn status(mut self, status: impl AsRef<str>) -> Self {
        self.statuses.push(entry_text(status.as_ref()));
        self
    }

    /// Only requests that arrived at this time or later.
    #[must_use]
    pub fn since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// Only requests that arrived before this time.
    #[must_use]
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    /// The most rows of the answer, 1,000 at most.
    #[must_use]
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = rows.min(MAX_LIMIT);
        self
    }

    /// The first row's id that may be in the answer, by time.
    #[must_use]
    pub fn lowest(&self) -> Option<EntryId> {
        self.since.map(EntryId::first)
    }

    /// The id before which all rows of the answer are, by time and page.
    #[must_use]
    pub fn end(&self) -> Option<EntryId> {
        let until = self.until.map(EntryId::first);
        match (self.before, until) {
            (Some(before), Some(until)) => Some(before.min(until)),
            (before, until) => before.or(until),
        }
    }

    /// The limit as it counts.
    pub(crate) fn most(&self) -> usize {
        usize::try_from(self.limit.min(MAX_LIMIT)).unwrap_or(usize::MAX)
    }

    /// Whether this row is asked for, whatever the limit.
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

/// How long rows are kept. The oldest go first; every limit that is set holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Retention {
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_rows: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
}

impl Retention {
    /// Keeps all rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rows of requests that arrived longer ago go.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// So many rows stay.
    pub fn max_rows(mut self, rows: u64) -> Self {
        self.max_rows = Some(rows);
        self
    }

    /// So many bytes stay, counted by what the rows hold; see [`Entry::stored_len`].
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// What stays at this time, of a log with this newest row.
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
