//! The log in PostgreSQL.

use std::{future::Future, pin::Pin, str::FromStr, sync::Arc};

use sqlx::{
    Connection, PgPool, Row, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};

use super::{
    Entry, EntryId, Filter, LogError, Store, StoreFuture,
    sql::{self, Columns, Value},
};

const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/postgres/0001_webhook_log.sql")];

/// Rows of one statement. With few sizes the database prepares few statements.
const CHUNKS: [usize; 3] = [128, 16, 1];

#[derive(Debug)]
pub(super) struct Postgres {
    pool: PgPool,
}

impl Postgres {
    pub(super) async fn open(url: &str, is_strict: bool) -> Result<Self, LogError> {
        let options = PgConnectOptions::from_str(url).map_err(LogError::unavailable)?;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(sql::ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(error)?;
        let store = Self { pool };
        store.migrate().await.map_err(error)?;
        if is_strict {
            let setting = sqlx::query_scalar("SELECT current_setting('synchronous_commit')");
            let setting: String = setting.fetch_one(&store.pool).await.map_err(error)?;
            // What such a server has acknowledged is gone when it crashes, for a moment.
            if setting == "off" {
                return Err(LogError::unavailable(
                    "strict mode needs a server that commits to disk: `synchronous_commit` is off",
                ));
            }
        }
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), sqlx::Error> {
        let mut connection = Doubtful::new(self.pool.acquire().await?);
        let mut tx = connection.begin().await?;
        // Several processes may start at once. Any number that others are unlikely to use.
        let lock = sqlx::raw_sql("SELECT pg_advisory_xact_lock(8247310226514)");
        lock.execute(&mut *tx).await?;
        sqlx::raw_sql(sql::CREATE_SCHEMA).execute(&mut *tx).await?;
        let version = sqlx::query_scalar(sql::VERSION).fetch_one(&mut *tx).await?;
        for (number, migration) in sql::pending(&MIGRATIONS, version) {
            sqlx::raw_sql(migration).execute(&mut *tx).await?;
            sqlx::query(sql::DONE).bind(number).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        connection.is_sound();
        Ok(())
    }

    async fn write_all(&self, mut entries: &[Arc<Entry>]) -> Result<(), sqlx::Error> {
        let mut connection = Doubtful::new(self.pool.acquire().await?);
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
            query.build().execute(&mut *tx).await?;
            entries = rest;
        }
        tx.commit().await?;
        connection.is_sound();
        Ok(())
    }

    async fn find_all(&self, filter: &Filter) -> Result<Vec<Entry>, LogError> {
        let (statement, texts) = sql::find(filter);
        let query = texts.iter().fold(sqlx::query(&statement), |query, text| query.bind(text));
        let rows = query.fetch_all(&self.pool).await.map_err(error)?;
        rows.iter().map(sql::read).collect()
    }

    fn boundary(&self, first_to_go: &'static str, stays: u64) -> StoreFuture<'_, Option<EntryId>> {
        Box::pin(async move {
            let query = sqlx::query_scalar(first_to_go).bind(sql::integer(stays));
            sql::boundary(query.fetch_optional(&self.pool).await.map_err(error)?)
        })
    }
}

/// Rows that one statement can write: of one of the sizes, and each id once, which PostgreSQL asks
/// for.
fn chunk(entries: &[Arc<Entry>]) -> usize {
    let mut ids = std::collections::HashSet::new();
    let distinct = entries.iter().take(CHUNKS[0]).take_while(|entry| ids.insert(entry.id)).count();
    CHUNKS.into_iter().find(|size| *size <= distinct).unwrap_or(1)
}

/// A connection that is closed unless its transaction has ended well: of one whose future was
/// dropped nobody knows.
struct Doubtful(Option<PoolConnection<sqlx::Postgres>>);

impl Doubtful {
    const fn new(connection: PoolConnection<sqlx::Postgres>) -> Self {
        Self(Some(connection))
    }

    async fn begin(&mut self) -> Result<Transaction<'_, sqlx::Postgres>, sqlx::Error> {
        match &mut self.0 {
            Some(connection) => connection.begin().await,
            None => Err(sqlx::Error::PoolClosed),
        }
    }

    /// It goes back to the others.
    fn is_sound(&mut self) {
        self.0 = None;
    }
}

impl Drop for Doubtful {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
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

impl Store for Postgres {
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.write_all(&entries).await.map_err(error) })
    }

    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Entry>> {
        Box::pin(self.find_all(filter))
    }

    fn boundary_by_rows(&self, rows: u64) -> StoreFuture<'_, Option<EntryId>> {
        self.boundary(sql::FIRST_BY_ROWS, rows)
    }

    fn boundary_by_bytes(&self, bytes: u64) -> StoreFuture<'_, Option<EntryId>> {
        self.boundary(sql::FIRST_BY_BYTES, bytes)
    }

    fn delete_before(&self, end: EntryId, limit: u32) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let query = sqlx::query(sql::DELETE).bind(end.to_string()).bind(i64::from(limit));
            Ok(query.execute(&self.pool).await.map_err(error)?.rows_affected())
        })
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.pool.close())
    }
}

fn error(error: sqlx::Error) -> LogError {
    /// Data exception, integrity constraint violation, program limit exceeded.
    const OF_THE_ROW: [&str; 3] = ["22", "23", "54"];
    let code = error.as_database_error().and_then(|error| error.code());
    let is_of_the_row =
        code.is_some_and(|code| OF_THE_ROW.iter().any(|class| code.starts_with(class)));
    sql::error(error, is_of_the_row)
}
