//! Searches in SQLite. Each runs in one transaction, so that all its statements see the same rows.

use rusqlite::{CachedStatement, Connection, Params, Transaction, params, params_from_iter};

use crate::delivery_log::{
    entry::Entry,
    filter::Filter,
    id::EntryId,
    page::Page,
    search::{Groups, Index, Key, MAX_GROUPS, MAX_WALK, NEWEST, ROW, Search, numbered},
    sql,
    sqlite::{error::error, lane::Work},
    store::LogError,
};

const WALK: &str = "SELECT id, provider, tenant, status FROM webhook_deliveries \
     WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3";

pub(crate) fn find(
    connection: &mut Connection,
    work: &Work,
    filter: &Filter,
) -> Result<Page, LogError> {
    let tx = connection.transaction().map_err(error)?;
    let search = Finder { tx: &tx, work, filter };
    match Search::of(filter) {
        Search::One(id) => {
            let mut found = search.rows(vec![id])?;
            found.retain(|entry| filter.matches(entry));
            Ok(found.into())
        }
        Search::Newest => search.newest(),
        Search::Groups(groups) => match search.keys(&groups)? {
            Some(keys) => Ok(search.rows(search.ids(&groups, &keys)?)?.into()),
            None => search.walk(),
        },
    }
}

struct Finder<'a> {
    tx: &'a Transaction<'a>,
    work: &'a Work,
    filter: &'a Filter,
}

impl Finder<'_> {
    /// Prepares a statement. There are few different ones, because values are bound.
    fn prepare(&self, statement: &str) -> Result<CachedStatement<'_>, LogError> {
        self.work.check()?;
        self.tx.prepare_cached(statement).map_err(error)
    }

    /// Returns the only row of a statement, as text.
    fn seek(&self, statement: &str, values: &[String]) -> Result<Option<Key>, LogError> {
        let mut statement = self.prepare(statement)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values)).map_err(error)?;
        let row = rows.next().map_err(error)?;
        row.map(|row| (0..columns).map(|at| row.get(at).map_err(error)).collect()).transpose()
    }

    /// Returns the groups that the filter selects, or `None` if there are too many.
    fn keys(&self, groups: &Groups) -> Result<Option<Vec<Key>>, LogError> {
        if groups.are_known() {
            return Ok(groups.keys(vec![groups.fixed.clone()]));
        }
        let (statement, mut found) = (seek(groups), Vec::new());
        let mut from = groups.fixed.clone();
        from.resize(groups.depth(), String::new());
        while found.len() <= MAX_GROUPS
            && let Some(key) = self.seek(&statement, &from)?
            && key.starts_with(&groups.fixed)
        {
            // The least key after this one. With `>`, SQLite would read the whole group to its end.
            from.clone_from(&key);
            from.last_mut().into_iter().for_each(|text| text.push('\0'));
            found.push(key);
        }
        Ok(groups.keys(found))
    }

    /// Returns the newest IDs of all groups.
    fn ids(&self, groups: &Groups, keys: &[Key]) -> Result<Vec<EntryId>, LogError> {
        let (most, [mut lowest, end]) = (self.filter.most(), sql::range(self.filter));
        let statement = newest_of(groups, most);
        let mut ids: Vec<String> = Vec::new();
        for key in keys {
            let mut statement = self.prepare(&statement)?;
            let values = key.iter().chain([&lowest, &end]);
            let found = statement.query_map(params_from_iter(values), |row| row.get(0));
            let found: Result<Vec<_>, _> = found.map_err(error)?.collect();
            ids.extend(found.map_err(error)?);
            ids.sort_unstable_by(|a, b| b.cmp(a));
            ids.truncate(most);
            // There are enough rows, so the groups that follow contribute only newer ones.
            if ids.len() == most
                && let Some(last) = ids.last()
            {
                lowest.clone_from(last);
            }
        }
        ids.iter().map(|id| sql::id(id)).collect()
    }

    fn rows(&self, ids: Vec<EntryId>) -> Result<Vec<Entry>, LogError> {
        let mut entries = Vec::with_capacity(ids.len());
        for id in ids {
            self.read(ROW, [id.to_string()], &mut entries)?;
        }
        Ok(entries)
    }

    fn newest(&self) -> Result<Page, LogError> {
        let ([lowest, end], mut entries) = (sql::range(self.filter), Vec::new());
        self.read(NEWEST, params![lowest, end, self.filter.limit], &mut entries)?;
        Ok(entries.into())
    }

    fn read(
        &self,
        statement: &str,
        values: impl Params,
        entries: &mut Vec<Entry>,
    ) -> Result<(), LogError> {
        let mut statement = self.prepare(statement)?;
        let mut rows = statement.query(values).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            entries.push(sql::read(row)?);
        }
        Ok(())
    }

    /// Examines the newest rows, whatever their groups are.
    fn walk(&self) -> Result<Page, LogError> {
        let [lowest, end] = sql::range(self.filter);
        let (mut ids, mut last, mut walked) = (Vec::new(), None, 0);
        let mut searched_until = None;
        {
            let mut statement = self.prepare(WALK)?;
            let mut rows = statement.query(params![lowest, end, MAX_WALK + 1]).map_err(error)?;
            while ids.len() < self.filter.most()
                && let Some(row) = rows.next().map_err(error)?
            {
                if walked == MAX_WALK {
                    searched_until = last;
                    break;
                }
                let (id, provider, tenant, status): (String, String, _, String) =
                    row.try_into().map_err(error)?;
                let mut entry = Entry::new(sql::id(&id)?, status);
                (entry.provider, entry.tenant) = (provider.into(), tenant);
                if self.filter.matches(&entry) {
                    ids.push(entry.id);
                }
                (last, walked) = (Some(entry.id), walked + 1);
            }
        }
        Ok(Page { entries: self.rows(ids)?, searched_until })
    }
}

/// Returns the statement for the first group at or after some values. It names the index, so that
/// the planner uses no other.
fn seek(groups: &Groups) -> String {
    groups.seek(indexed(groups), ">=", &numbered(1..=groups.depth()))
}

/// Returns the statement for the newest IDs of a group, within a range.
fn newest_of(groups: &Groups, most: usize) -> String {
    let columns = groups.index.columns();
    let is: String = (1..).zip(columns).map(|(at, name)| format!("{name} = ${at} AND ")).collect();
    let (from, end) = (columns.len() + 1, columns.len() + 2);
    format!(
        "SELECT id FROM {} WHERE {is}id >= ${from} AND id < ${end} ORDER BY id DESC LIMIT {most}",
        indexed(groups)
    )
}

const fn indexed(groups: &Groups) -> &'static str {
    match groups.index {
        Index::Status => "webhook_deliveries INDEXED BY webhook_deliveries_status",
        Index::Provider => "webhook_deliveries INDEXED BY webhook_deliveries_provider",
        Index::Tenant => "webhook_deliveries INDEXED BY webhook_deliveries_tenant",
    }
}

#[cfg(test)]
pub(crate) fn statements(filter: &Filter) -> Vec<String> {
    match Search::of(filter) {
        Search::One(_) => vec![ROW.to_owned()],
        Search::Newest => vec![NEWEST.to_owned()],
        Search::Groups(groups) => {
            let mut all = vec![newest_of(&groups, filter.most()), ROW.to_owned(), WALK.to_owned()];
            if !groups.are_known() {
                all.push(seek(&groups));
            }
            all
        }
    }
}
