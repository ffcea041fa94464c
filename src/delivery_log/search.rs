//! How a filter is answered: by one index, whatever rows there are and whatever a planner thinks of
//! them.
//!
//! Rows with one value in each column of an index are a group. Within a group the index has the rows
//! in the order of their ids, so its newest are read one after the other. A filter that leaves a
//! column open asks for several groups: the index is asked for the first, for the one after that, and
//! so on.

use std::collections::BTreeSet;

use crate::delivery_log::{filter::Filter, id::EntryId};

/// The most groups that are read one by one. An application may write any statuses.
pub(crate) const MAX_GROUPS: usize = 128;

/// The most rows that are looked at by their ids, where there are more groups.
pub(crate) const MAX_WALK: u32 = 50_000;

/// A range of rows by their ids.
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

/// The values of an index's columns before the id, or of the first of them.
pub(crate) type Key = Vec<String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    Status,
    Provider,
    Tenant,
}

impl Index {
    /// The columns before the id.
    pub(crate) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Status => &["status"],
            Self::Provider => &["provider", "status"],
            Self::Tenant => &["tenant", "provider", "status"],
        }
    }
}

/// The groups that a filter asks for.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) index: Index,
    /// What the filter says of the index's first columns.
    pub(crate) fixed: Key,
    /// All if empty.
    statuses: BTreeSet<String>,
}

impl Groups {
    /// How many columns the keys have that must be found.
    pub(crate) fn depth(&self) -> usize {
        self.index.columns().len() - usize::from(!self.statuses.is_empty())
    }

    /// Whether the filter says all of them.
    pub(crate) fn are_known(&self) -> bool {
        self.fixed.len() == self.depth()
    }

    /// The groups, given what was [found](Self::depth). `None` when they are too many.
    pub(crate) fn keys(&self, found: Vec<Key>) -> Option<Vec<Key>> {
        let keys: Vec<Key> = if self.statuses.is_empty() {
            found
        } else {
            let with = |key: Key| {
                self.statuses
                    .iter()
                    .map(move |status| [&*key, std::slice::from_ref(status)].concat())
            };
            // One more shows that they are too many.
            found.into_iter().flat_map(with).take(MAX_GROUPS + 1).collect()
        };
        (keys.len() <= MAX_GROUPS).then_some(keys)
    }

    /// The statement for the first group that is at or after some values, of which it has the first
    /// columns.
    pub(crate) fn seek(&self, table: &str, is: &str, values: &[String]) -> String {
        let columns: Vec<_> = self.index.columns().iter().copied().take(self.depth()).collect();
        let given: Vec<_> = columns.iter().copied().take(values.len()).collect();
        let (columns, given, values) = (columns.join(", "), given.join(", "), values.join(", "));
        // By its first column a planner knows that the partial index will do.
        let first = self.index.columns().first().copied().unwrap_or_default();
        format!(
            "SELECT {columns} FROM {table} WHERE ({given}) {is} ({values}) AND {first} IS NOT NULL \
             ORDER BY {columns} LIMIT 1"
        )
    }
}

/// `$1`, `$2` and so on.
pub(crate) fn numbered(range: std::ops::RangeInclusive<usize>) -> Vec<String> {
    range.map(|number| format!("${number}")).collect()
}
