//! Results of a search.

use std::ops::{Deref, DerefMut};

use crate::delivery_log::{entry::Entry, filter::Filter, id::EntryId};

/// Rows that match a [`Filter`], newest first.
///
/// A page dereferences to the `Vec` of its [`entries`](Self::entries).
///
/// ```
/// use tower_webhook::delivery_log::{Filter, LogError, DeliveryLog};
///
/// # async fn all_failures(log: &DeliveryLog) -> Result<(), LogError> {
/// let mut filter = Some(Filter::failed().limit(100));
/// while let Some(wanted) = filter {
///     let page = log.find(&wanted).await?;
///     filter = page.next(&wanted);
///     for row in page {
///         println!("{} {}", row.id, row.status);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// Rows, newest first.
    pub entries: Vec<Entry>,
    /// Last row that was examined, if the search ended before the log did. No older row was
    /// examined.
    ///
    /// SQLite and PostgreSQL find rows by an index. If a filter leaves more than 128 pairs of
    /// provider and status open, or names more than 128, they examine the newest 50,000 rows
    /// instead. [`next`](Self::next) continues after this row.
    pub searched_until: Option<EntryId>,
}

impl Page {
    /// Returns the filter of the next page, or `None` if there is no next page.
    #[must_use]
    pub fn next(&self, filter: &Filter) -> Option<Filter> {
        if filter.id.is_some() {
            return None;
        }
        let is_full = self.entries.len() >= filter.most();
        let last = self.entries.last().filter(|_| is_full).map(|last| last.id);
        last.or(self.searched_until).map(|last| filter.clone().before(last))
    }
}

impl From<Vec<Entry>> for Page {
    fn from(entries: Vec<Entry>) -> Self {
        Self { entries, searched_until: None }
    }
}

impl Deref for Page {
    type Target = Vec<Entry>;

    fn deref(&self) -> &Vec<Entry> {
        &self.entries
    }
}

impl DerefMut for Page {
    fn deref_mut(&mut self) -> &mut Vec<Entry> {
        &mut self.entries
    }
}

impl IntoIterator for Page {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Page {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}
