//! Plans of searches. Each search uses one index, whatever the rows are and whatever a query
//! planner prefers.
//!
//! Rows with the same value in each column of an index are a group. Within a group, the index
//! orders the rows by ID, so its newest rows are read one after the other. A filter that leaves a
//! column open selects several groups: the search asks the index for the first group, then for the
//! group after it, and so on.

use std::collections::BTreeSet;

use crate::delivery_log::{filter::Filter, id::EntryId};

/// Maximum number of groups that are read one by one. An application may write arbitrary statuses.
pub(crate) const MAX_GROUPS: usize = 128;

/// Maximum number of rows that are examined by ID if there are more groups.
pub(crate) const MAX_WALK: u32 = 50_000;

/// Statement for a range of rows by ID.
pub(crate) const NEWEST: &str =
    "SELECT * FROM webhook_deliveries WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3";

pub(crate) const ROW: &str = "SELECT * FROM webhook_deliveries WHERE id = $1";

#[derive(Debug)]
pub(crate) enum Search {
    One(EntryId),
    Newest,
    Groups(Groups),
}

impl Search {
    pub(crate) fn of(filter: &Filter) -> Self {
        if let Some(id) = filter.id {
            return Self::One(id);
        }
        let index = match filter {
            Filter { tenant: Some(_), .. } => Index::Tenant,
            Filter { provider: Some(_), .. } => Index::Provider,
            Filter { statuses, .. } if statuses.is_empty() => return Self::Newest,
            _ => Index::Status,
        };
        let fixed = [&filter.tenant, &filter.provider].into_iter().flatten().cloned().collect();
        let statuses = filter.statuses.iter().cloned().collect();
        Self::Groups(Groups { index, fixed, statuses })
    }
}

/// Values of the columns of an index before the ID, or of the first of these columns.
pub(crate) type Key = Vec<String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    Status,
    Provider,
    Tenant,
}

impl Index {
    /// Returns the columns before the ID.
    pub(crate) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Status => &["status"],
            Self::Provider => &["provider", "status"],
            Self::Tenant => &["tenant", "provider", "status"],
        }
    }
}

/// Groups that a filter selects.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) index: Index,
    /// Values that the filter sets for the first columns of the index.
    pub(crate) fixed: Key,
    /// Selected statuses; all if empty.
    statuses: BTreeSet<String>,
}

impl Groups {
    /// Returns the number of columns in the keys that must be found.
    pub(crate) fn depth(&self) -> usize {
        self.index.columns().len() - usize::from(!self.statuses.is_empty())
    }

    /// Returns `true` if the filter sets all of these columns.
    pub(crate) fn are_known(&self) -> bool {
        self.fixed.len() == self.depth()
    }

    /// Returns the keys of the groups, given the keys that were [found](Self::depth). Returns
    /// `None` if there are too many.
    pub(crate) fn keys(&self, found: Vec<Key>) -> Option<Vec<Key>> {
        let keys: Vec<Key> = if self.statuses.is_empty() {
            found
        } else {
            let with = |key: Key| {
                self.statuses
                    .iter()
                    .map(move |status| [&*key, std::slice::from_ref(status)].concat())
            };
            // One more than the maximum shows that there are too many.
            found.into_iter().flat_map(with).take(MAX_GROUPS + 1).collect()
        };
        (keys.len() <= MAX_GROUPS).then_some(keys)
    }

    /// Returns the statement that finds the first group at or after the given values of the first
    /// columns, or only after them: `is` is `>=` or `>`.
    pub(crate) fn seek(&self, table: &str, is: &str, values: &[String]) -> String {
        let columns: Vec<_> = self.index.columns().iter().copied().take(self.depth()).collect();
        let given: Vec<_> = columns.iter().copied().take(values.len()).collect();
        let (columns, given, values) = (columns.join(", "), given.join(", "), values.join(", "));
        // The condition on the first column shows the planner that the partial index applies.
        let first = self.index.columns().first().copied().unwrap_or_default();
        format!(
            "SELECT {columns} FROM {table} WHERE ({given}) {is} ({values}) AND {first} IS NOT NULL \
             ORDER BY {columns} LIMIT 1"
        )
    }
}

/// Returns the placeholders `$1`, `$2` and so on.
pub(crate) fn numbered(range: std::ops::RangeInclusive<usize>) -> Vec<String> {
    range.map(|number| format!("${number}")).collect()
}
