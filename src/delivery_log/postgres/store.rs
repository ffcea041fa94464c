//! Store in PostgreSQL.

use std::{future::Future, pin::Pin, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Executor, PgConnection, Row,
    postgres::{PgConnectOptions, PgRow},
};

use crate::delivery_log::{
    entry::Entry,
    filter::Filter,
    keep::{Keep, Totals},
    page::Page,
    postgres::{
        error::error,
        find,
        lane::{self, CloseOnDrop, Lane},
    },
    sql::{self, Columns, Value},
    store::{LogError, LogStore, StoreFuture},
};

const MIGRATIONS: [&str; 1] =
    [include_str!("../../../migrations/postgres/0001_webhook_deliveries.sql")];

/// Numbers of rows in one statement. The database prepares one statement for each size, so there
/// are few sizes.
const CHUNKS: [usize; 3] = [128, 16, 1];

/// Lock for migrations. Several processes may migrate or prune concurrently. The numbers of both
/// locks are arbitrary, and other programs are unlikely to use them.
const LOCK_TO_MIGRATE: &str = "SELECT pg_advisory_xact_lock(8247310226514)";
const LOCK_TO_PRUNE: &str = "SELECT pg_advisory_xact_lock(8247310226515)";

const TOTALS: &str = "SELECT COALESCE(SUM(rows), 0)::bigint, COALESCE(SUM(bytes), 0)::bigint \
     FROM webhook_deliveries_totals";

#[derive(Debug)]
pub(crate) struct Postgres {
    writer: Lane,
    readers: Lane,
    maintenance: Lane,
}

impl Postgres {
    /// Opens the log. The server ends each statement that takes longer than the limit.
    pub(crate) async fn open(
        url: &str,
        is_durable: bool,
        limit: Duration,
    ) -> Result<Self, LogError> {
        let options = PgConnectOptions::from_str(url).map_err(LogError::unavailable)?;
        let begin = lane::begin(limit);
        let lane = |connections| Lane::new(&options, connections, &begin);
        let store = Self { writer: lane(1), readers: lane(2), maintenance: lane(1) };
        store.migrate(is_durable).await?;
        Ok(store)
    }

    async fn migrate(&self, is_durable: bool) -> Result<(), LogError> {
        let mut connection = self.writer.connection().await?;
        let mut tx = connection.begin().await?;
        sqlx::query(LOCK_TO_MIGRATE).execute(&mut *tx).await.map_err(error)?;
        // A query without values may hold several statements. The futures of `raw_sql` are not
        // `Send`.
        tx.execute(sql::CREATE_SCHEMA).await.map_err(error)?;
        let version = sqlx::query_scalar(sql::VERSION).fetch_one(&mut *tx).await.map_err(error)?;
        for (number, migration) in sql::pending(&MIGRATIONS, version) {
            tx.execute(migration).await.map_err(error)?;
            sqlx::query(sql::DONE).bind(number).execute(&mut *tx).await.map_err(error)?;
        }
        if is_durable {
            check_durable(&mut tx).await?;
        }
        tx.commit().await.map_err(error)?;
        connection.keep();
        Ok(())
    }

    async fn write_all(&self, mut entries: &[Arc<Entry>]) -> Result<(), LogError> {
        let mut connection = self.writer.connection().await?;
        let mut tx = connection.begin().await?;
        while !entries.is_empty() {
            let (chunk, rest) = entries.split_at(chunk(entries));
            let mut query = sqlx::QueryBuilder::new(sql::INSERT);
            query.push_values(chunk, |mut row, entry| {
                for value in sql::values(entry) {
                    match value {
                        Value::Flag(flag) => row.push_bind(flag),
                        Value::Integer(number) => row.push_bind(number),
                        Value::Text(text) => row.push_bind(text),
                        Value::Bytes(bytes) => row.push_bind(bytes),
                    };
                }
            });
            query.push(sql::ON_CONFLICT);
            query.build().execute(&mut *tx).await.map_err(error)?;
            entries = rest;
        }
        tx.commit().await.map_err(error)?;
        connection.keep();
        Ok(())
    }
}

async fn find_all(mut connection: CloseOnDrop, filter: Filter) -> Result<Page, LogError> {
    let mut tx = connection.begin().await?;
    let page = find::find(&mut tx, &filter).await?;
    tx.commit().await.map_err(error)?;
    connection.keep();
    Ok(page)
}

async fn prune_some(mut connection: CloseOnDrop, keep: Keep) -> Result<u64, LogError> {
    let mut tx = connection.begin().await?;
    sqlx::query(LOCK_TO_PRUNE).execute(&mut *tx).await.map_err(error)?;
    let (rows, bytes) = sqlx::query_as(TOTALS).fetch_one(&mut *tx).await.map_err(error)?;
    let totals = Totals { rows: sql::positive(rows), bytes: sql::positive(bytes) };
    let oldest = sqlx::query_as(sql::OLDEST).bind(i64::from(Keep::STEP_ROWS));
    let oldest: Vec<(String, i64)> = oldest.fetch_all(&mut *tx).await.map_err(error)?;
    let parsed = oldest.iter().map(|(id, len)| Ok((sql::id(id)?, sql::positive(*len))));
    let count = keep.step(totals, parsed.collect::<Result<Vec<_>, LogError>>()?);
    let ids: Vec<_> = oldest.into_iter().take(count).map(|(id, _)| id).collect();
    let mut deleted = 0;
    if !ids.is_empty() {
        let delete = sqlx::query("DELETE FROM webhook_deliveries WHERE id = ANY($1)").bind(ids);
        deleted = delete.execute(&mut *tx).await.map_err(error)?.rows_affected();
    }
    tx.commit().await.map_err(error)?;
    connection.keep();
    Ok(deleted)
}

/// Checks that data survives a crash once the server has acknowledged it.
async fn check_durable(connection: &mut PgConnection) -> Result<(), LogError> {
    for name in ["fsync", "full_page_writes", "synchronous_commit"] {
        let setting = sqlx::query_scalar("SELECT current_setting($1)").bind(name);
        let setting: String = setting.fetch_one(&mut *connection).await.map_err(error)?;
        if setting == "off" {
            let why = format!("`{name}` is off; durable mode needs a server that commits to disk");
            return Err(LogError::unsuitable(why));
        }
    }
    let is_kept =
        "SELECT relpersistence = 'p' FROM pg_class WHERE oid = 'webhook_deliveries'::regclass";
    let is_kept: bool = sqlx::query_scalar(is_kept).fetch_one(connection).await.map_err(error)?;
    if is_kept {
        return Ok(());
    }
    Err(LogError::unsuitable(
        "table `webhook_deliveries` is UNLOGGED or temporary; durable mode needs one that survives a crash",
    ))
}

/// Returns the number of rows that one statement can write: one of the sizes, and each ID at most
/// once, as PostgreSQL requires.
fn chunk(entries: &[Arc<Entry>]) -> usize {
    let mut ids = std::collections::HashSet::new();
    let distinct = entries.iter().take(CHUNKS[0]).take_while(|entry| ids.insert(entry.id)).count();
    CHUNKS.into_iter().find(|size| *size <= distinct).unwrap_or(1)
}

impl Columns for PgRow {
    fn flag(&self, column: &str) -> Result<bool, LogError> {
        self.try_get(column).map_err(error)
    }

    fn integer(&self, column: &str) -> Result<Option<i64>, LogError> {
        self.try_get(column).map_err(error)
    }

    fn text(&self, column: &str) -> Result<Option<String>, LogError> {
        self.try_get(column).map_err(error)
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, LogError> {
        self.try_get(column).map_err(error)
    }
}

impl LogStore for Postgres {
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.write_all(&entries).await })
    }

    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Page> {
        let filter = filter.clone();
        Box::pin(self.readers.run(move |connection| find_all(connection, filter)))
    }

    fn prune_step(&self, keep: Keep) -> StoreFuture<'_, u64> {
        Box::pin(self.maintenance.run(move |connection| prune_some(connection, keep)))
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            for lane in [&self.readers, &self.maintenance, &self.writer] {
                lane.close().await;
            }
        })
    }
}
