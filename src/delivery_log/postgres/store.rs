//! Store in PostgreSQL.

use std::{future::Future, pin::Pin, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Decode, Encode, Executor, PgConnection, Row, Type,
    postgres::{PgConnectOptions, PgRow},
    query_builder::Separated,
};

use crate::delivery_log::{
    annotation::Annotation,
    entry::Entry,
    filter::Filter,
    id::EntryId,
    keep::Keep,
    page::Page,
    postgres::{
        error::error,
        find,
        lane::{self, Lane},
    },
    sql::{self, Bind, Columns},
    store::{LogError, LogStore, StoreFuture},
};

const MIGRATIONS: [&str; 2] = [
    include_str!("../../../migrations/postgres/0001_webhook_deliveries.sql"),
    include_str!("../../../migrations/postgres/0002_explanations.sql"),
];

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
        let connection = store.writer.connection().await?;
        let prepare = async |tx: &mut PgConnection| migrate(tx, is_durable).await;
        connection.transaction(prepare).await?;
        Ok(store)
    }
}

async fn migrate(tx: &mut PgConnection, is_durable: bool) -> Result<(), LogError> {
    sqlx::query(LOCK_TO_MIGRATE).execute(&mut *tx).await.map_err(error)?;
    // A query without values may hold several statements. The futures of `raw_sql` are not `Send`.
    tx.execute(sql::CREATE_SCHEMA).await.map_err(error)?;
    let version = sqlx::query_scalar(sql::VERSION).fetch_one(&mut *tx).await.map_err(error)?;
    for (number, migration) in sql::pending(&MIGRATIONS, version) {
        tx.execute(migration).await.map_err(error)?;
        sqlx::query(sql::DONE).bind(number).execute(&mut *tx).await.map_err(error)?;
    }
    if is_durable { check_durable(tx).await } else { Ok(()) }
}

async fn write(tx: &mut PgConnection, mut entries: &[Arc<Entry>]) -> Result<(), LogError> {
    while !entries.is_empty() {
        let (chunk, rest) = entries.split_at(chunk(entries));
        let mut query = sqlx::QueryBuilder::new(sql::INSERT);
        for (at, entry) in chunk.iter().enumerate() {
            query.push(if at == 0 { "VALUES (" } else { "), (" });
            sql::bind(entry, &mut query.separated(", "))?;
        }
        query.push(") ").push(sql::ON_CONFLICT);
        query.build().execute(&mut *tx).await.map_err(error)?;
        entries = rest;
    }
    Ok(())
}

async fn annotate(
    tx: &mut PgConnection,
    id: EntryId,
    annotation: &Annotation,
) -> Result<(), LogError> {
    let annotate = sqlx::query(sql::ANNOTATE);
    let annotate = annotate.bind(&*annotation.cause).bind(&*annotation.explanation);
    let annotate = annotate.bind(sql::integer(annotation.len())).bind(id.to_string());
    annotate.execute(tx).await.map_err(error).map(drop)
}

async fn prune_step(tx: &mut PgConnection, keep: Keep) -> Result<u64, LogError> {
    sqlx::query(LOCK_TO_PRUNE).execute(&mut *tx).await.map_err(error)?;
    let totals = sqlx::query_as(TOTALS).fetch_one(&mut *tx).await.map_err(error)?;
    let oldest = sqlx::query_as(sql::OLDEST).bind(i64::from(Keep::STEP_ROWS));
    let oldest = oldest.fetch_all(&mut *tx).await.map_err(error)?;
    let ids = sql::to_prune(keep, totals, oldest)?;
    if ids.is_empty() {
        return Ok(0);
    }
    let delete = sqlx::query("DELETE FROM webhook_deliveries WHERE id = ANY($1)").bind(ids);
    Ok(delete.execute(tx).await.map_err(error)?.rows_affected())
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
    // Of a partitioned table, only the partitions have data.
    let is_kept = "SELECT bool_and(relpersistence = 'p') FROM pg_class \
         WHERE oid = 'webhook_deliveries'::regclass \
            OR oid IN (SELECT relid FROM pg_partition_tree('webhook_deliveries'))";
    let is_kept: bool = sqlx::query_scalar(is_kept).fetch_one(connection).await.map_err(error)?;
    if is_kept {
        return Ok(());
    }
    Err(LogError::unsuitable(
        "table `webhook_deliveries` or a partition is UNLOGGED or temporary; durable mode needs data that survives a crash",
    ))
}

/// Returns the number of rows that one statement can write: one of the sizes, and each ID at most
/// once, as PostgreSQL requires.
fn chunk(entries: &[Arc<Entry>]) -> usize {
    let mut ids = std::collections::HashSet::new();
    let distinct = entries.iter().take(CHUNKS[0]).take_while(|entry| ids.insert(entry.id)).count();
    CHUNKS.into_iter().find(|size| *size <= distinct).unwrap_or(1)
}

impl<'a, T> Bind<T> for Separated<'_, 'a, sqlx::Postgres, &str>
where
    T: Encode<'a, sqlx::Postgres> + Type<sqlx::Postgres> + 'a,
{
    fn bind(&mut self, _number: usize, value: T) -> Result<(), LogError> {
        self.push_bind(value);
        Ok(())
    }
}

impl<T: for<'a> Decode<'a, sqlx::Postgres> + Type<sqlx::Postgres>> Columns<T> for PgRow {
    fn column(&self, name: &str) -> Result<T, LogError> {
        self.try_get(name).map_err(error)
    }
}

impl LogStore for Postgres {
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let connection = self.writer.connection().await?;
            connection.transaction(async |tx: &mut PgConnection| write(tx, &entries).await).await
        })
    }

    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Page> {
        let filter = filter.clone();
        let search = async move |tx: &mut PgConnection| find::find(tx, &filter).await;
        Box::pin(self.readers.run(move |connection| connection.transaction(search)))
    }

    fn annotate<'a>(&'a self, id: EntryId, annotation: &'a Annotation) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let connection = self.writer.connection().await?;
            let annotate = async |tx: &mut PgConnection| annotate(tx, id, annotation).await;
            connection.transaction(annotate).await
        })
    }

    fn prune_step(&self, keep: Keep) -> StoreFuture<'_, u64> {
        let step = async move |tx: &mut PgConnection| prune_step(tx, keep).await;
        Box::pin(self.maintenance.run(move |connection| connection.transaction(step)))
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            for lane in [&self.readers, &self.maintenance, &self.writer] {
                lane.close().await;
            }
        })
    }
}
