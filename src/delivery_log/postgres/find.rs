//! Searches in PostgreSQL.

use sqlx::{PgConnection, Row, postgres::PgRow};

use crate::delivery_log::{
    entry::Entry,
    filter::Filter,
    page::Page,
    postgres::error::error,
    search::{Groups, Index, Key, MAX_GROUPS, MAX_WALK, NEWEST, ROW, Search, numbered},
    sql,
    store::LogError,
};

/// Statement that examines rows by ID. `$1` is the number of rows to examine. The range of IDs and
/// the filter follow.
const WALK: &str = "
    SELECT id FROM (
        SELECT id, provider, tenant, status FROM webhook_deliveries
        WHERE id >= $2 AND id < $3 ORDER BY id DESC LIMIT $1
    ) AS walked
    WHERE ($4::text IS NULL OR provider = $4) AND ($5::text IS NULL OR tenant = $5)
        AND (cardinality($6::text[]) = 0 OR status = ANY($6))
    ORDER BY id DESC LIMIT $7";

/// Statement for the last row that is examined and the row after it.
const WALKED: &str = "SELECT id FROM webhook_deliveries WHERE id >= $2 AND id < $3 \
     ORDER BY id DESC LIMIT 2 OFFSET $1 - 1";

/// Statement for rows by their IDs, one by one. The order makes the primary key the best index of a
/// partition without rows, too: a plan may be kept until the partition has many.
const ROWS: &str = "
    SELECT entry.* FROM unnest($1::text[]) AS wanted(id)
    CROSS JOIN LATERAL (
        SELECT * FROM webhook_deliveries WHERE id >= wanted.id AND id <= wanted.id ORDER BY id LIMIT 1
    ) AS entry
    ORDER BY entry.id DESC";

pub(crate) async fn find(connection: &mut PgConnection, filter: &Filter) -> Result<Page, LogError> {
    match Search::of(filter) {
        Search::One(id) => {
            let rows = sqlx::query(ROW).bind(id.to_string()).fetch_all(connection).await;
            let mut found = read(&rows.map_err(error)?)?;
            found.retain(|entry| filter.matches(entry));
            Ok(found.into())
        }
        Search::Newest => {
            let [lowest, end] = sql::range(filter);
            let rows = sqlx::query(NEWEST).bind(lowest).bind(end).bind(i64::from(filter.limit));
            Ok(read(&rows.fetch_all(connection).await.map_err(error)?)?.into())
        }
        Search::Groups(groups) => match keys(connection, &groups).await? {
            Some(keys) => Ok(newest(connection, filter, groups.index, &keys).await?.into()),
            None => walk(connection, filter).await,
        },
    }
}

fn read(rows: &[PgRow]) -> Result<Vec<Entry>, LogError> {
    rows.iter().map(sql::read).collect()
}

/// Returns the groups that the filter selects, or `None` if there are too many.
async fn keys(
    connection: &mut PgConnection,
    groups: &Groups,
) -> Result<Option<Vec<Key>>, LogError> {
    if groups.are_known() {
        return Ok(groups.keys(vec![groups.fixed.clone()]));
    }
    let statement = found(groups);
    let query = groups.fixed.iter().fold(sqlx::query(&statement), |query, text| query.bind(text));
    let rows = query.fetch_all(connection).await.map_err(error)?;
    let key = |row: &PgRow| (0..groups.depth()).map(|at| row.try_get(at).map_err(error)).collect();
    let found: Result<Vec<Key>, _> = rows.iter().map(key).collect();
    Ok(groups.keys(found?))
}

/// Returns the statement for the existing groups, with one access to the index for each. Rows are
/// compared by all columns together, so that no other index offers their order.
pub(crate) fn found(groups: &Groups) -> String {
    let columns: Vec<_> = groups.index.columns().iter().take(groups.depth()).collect();
    let first = groups.seek("webhook_deliveries", ">=", &numbered(1..=groups.fixed.len()));
    let last: Vec<_> = columns.iter().map(|name| format!("found.{name}")).collect();
    let after = groups.seek("webhook_deliveries", ">", &last);
    let is_asked_for: Vec<_> = (1..=groups.fixed.len())
        .zip(&columns)
        .map(|(at, name)| format!("found.{name} = ${at}"))
        .collect();
    let is_asked_for = is_asked_for.join(" AND ");
    format!(
        "WITH RECURSIVE found AS (({first}) UNION ALL \
         (SELECT after.* FROM found CROSS JOIN LATERAL ({after}) AS after WHERE {is_asked_for})) \
         SELECT * FROM found WHERE {is_asked_for} LIMIT {}",
        MAX_GROUPS + 1
    )
}

/// Returns the newest rows of all groups.
async fn newest(
    connection: &mut PgConnection,
    filter: &Filter,
    index: Index,
    keys: &[Key],
) -> Result<Vec<Entry>, LogError> {
    let [lowest, end] = sql::range(filter);
    let statement = newest_of(index);
    let mut query = sqlx::query(&statement).bind(lowest).bind(end).bind(i64::from(filter.limit));
    for at in 0..index.columns().len() {
        let column: Vec<_> = keys.iter().filter_map(|key| key.get(at)).collect();
        query = query.bind(column);
    }
    read(&query.fetch_all(connection).await.map_err(error)?)
}

/// Returns the statement for the newest rows of all groups. `$1` and `$2` are the range of IDs,
/// `$3` is the limit, and the others are the values of each column. Rows are compared by all
/// columns, as in [`found`], and the rows of the page are found as in [`ROWS`].
pub(crate) fn newest_of(index: Index) -> String {
    let columns = index.columns().join(", ");
    let arrays = numbered(4..=3 + index.columns().len()).join("::text[], ");
    let key: Vec<_> = index.columns().iter().map(|name| format!("wanted.{name}")).collect();
    let key = key.join(", ");
    let order: Vec<_> = index.columns().iter().map(|name| format!("{name} DESC, ")).collect();
    let (order, first) = (order.concat(), index.columns().first().copied().unwrap_or_default());
    format!(
        "SELECT entry.* FROM (
            SELECT newest.id FROM unnest({arrays}::text[]) AS wanted({columns})
            CROSS JOIN LATERAL (
                SELECT id FROM webhook_deliveries
                WHERE ({columns}, id) >= ({key}, $1) AND ({columns}, id) < ({key}, $2)
                    AND {first} IS NOT NULL
                ORDER BY {order}id DESC LIMIT $3
            ) AS newest
            ORDER BY newest.id DESC LIMIT $3
        ) AS page
        CROSS JOIN LATERAL (
            SELECT * FROM webhook_deliveries WHERE id >= page.id AND id <= page.id ORDER BY id LIMIT 1
        ) AS entry
        ORDER BY entry.id DESC"
    )
}

/// Examines the newest rows, whatever their groups are.
async fn walk(connection: &mut PgConnection, filter: &Filter) -> Result<Page, LogError> {
    let [lowest, end] = sql::range(filter);
    let rows = i64::from(MAX_WALK);
    let query = sqlx::query_scalar(WALK).bind(rows).bind(&lowest).bind(&end);
    let query = query.bind(&filter.provider).bind(&filter.tenant).bind(&filter.statuses);
    let query = query.bind(i64::from(filter.limit));
    let ids: Vec<String> = query.fetch_all(&mut *connection).await.map_err(error)?;
    let query = sqlx::query_scalar(WALKED).bind(rows).bind(&lowest).bind(&end);
    let last: Vec<String> = query.fetch_all(&mut *connection).await.map_err(error)?;
    let is_full = ids.len() >= filter.most();
    let searched_until = match &*last {
        [last, _after] if !is_full => Some(sql::id(last)?),
        _ => None,
    };
    let found = sqlx::query(ROWS).bind(ids).fetch_all(connection).await.map_err(error)?;
    Ok(Page { entries: read(&found)?, searched_until })
}
