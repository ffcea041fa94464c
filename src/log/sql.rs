//! What the two databases have in common: all statements.

use std::{
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{Connection, Database, Transaction, pool::PoolConnection};

use super::{Entry, LogError, id::millis};

/// Rows of one statement. With few sizes the database prepares few statements.
const CHUNKS: [usize; 3] = [128, 16, 1];

/// For a connection to come free.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the row's first status leaves to be filled in later is written over; a payload stays.
pub(super) const ON_CONFLICT: &str = "
    ON CONFLICT (id) DO UPDATE SET
        processed_at = excluded.processed_at,
        processing_ms = excluded.processing_ms,
        stored_len = CASE WHEN excluded.stored_len > webhook_log.stored_len
            THEN excluded.stored_len ELSE webhook_log.stored_len END,
        status = excluded.status,
        event_name = excluded.event_name,
        http_status = excluded.http_status,
        reason = excluded.reason,
        message = excluded.message,
        headers = CASE WHEN excluded.headers = '{}'
            THEN webhook_log.headers ELSE excluded.headers END,
        payload_truncated = CASE WHEN excluded.payload IS NULL
            THEN webhook_log.payload_truncated ELSE excluded.payload_truncated END,
        payload = COALESCE(excluded.payload, webhook_log.payload)
    WHERE webhook_log.status = 'received'";

/// Rows that one statement can write: of one of the sizes, and each id once, which PostgreSQL
/// asks for.
pub(super) fn chunk(entries: &[Entry]) -> usize {
    let mut ids = std::collections::HashSet::new();
    let distinct = entries.iter().take(CHUNKS[0]).take_while(|entry| ids.insert(entry.id)).count();
    CHUNKS.into_iter().find(|size| *size <= distinct).unwrap_or(1)
}

pub(super) fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

pub(super) fn from_time(at: SystemTime) -> i64 {
    integer(millis(at))
}

pub(super) fn to_time(millis: i64) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

/// As a JSON object.
pub(super) fn from_headers(headers: &[(String, String)]) -> String {
    use serde_json::{Map, Value};
    let headers = headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    Value::Object(headers.collect::<Map<_, _>>()).to_string()
}

pub(super) fn to_headers(text: &str) -> Vec<(String, String)> {
    use serde_json::{Map, Value};
    let headers: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    headers.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// Why a row cannot be read.
pub(super) fn decode_error(error: impl Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// Whether the row or the store is at fault, where `is_of_the_row` judges the database's code.
pub(super) fn error(error: sqlx::Error, is_of_the_row: impl FnOnce(&str) -> bool) -> LogError {
    let code = error.as_database_error().and_then(|error| error.code());
    let is_refused = code.is_some_and(|code| is_of_the_row(&code));
    if is_refused { LogError::refused(error) } else { LogError::unavailable(error) }
}

/// A connection that is closed unless its transaction has ended well. SQLite ends some by itself,
/// as when the disk is full, which leaves the connection without use to `sqlx`; and of one whose
/// future was dropped nobody knows.
pub(super) struct Doubtful<D: Database>(Option<PoolConnection<D>>);

impl<D: Database> Doubtful<D> {
    pub(super) const fn new(connection: PoolConnection<D>) -> Self {
        Self(Some(connection))
    }

    pub(super) async fn begin(
        &mut self,
        statement: &'static str,
    ) -> Result<Transaction<'_, D>, sqlx::Error> {
        match &mut self.0 {
            Some(connection) => connection.begin_with(statement).await,
            None => Err(sqlx::Error::PoolClosed),
        }
    }

    /// It goes back to the others.
    pub(super) fn is_sound(&mut self) {
        self.0 = None;
    }
}

impl<D: Database> Drop for Doubtful<D> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

/// A store on a database that `sqlx` knows.
macro_rules! sql_store {
    ($store:ident, $database:ty, $error:path, begin: $begin:literal, lock: $lock:literal, migrations: [$($migration:literal),+]) => {
        impl $store {
            /// Brings the tables up to date. They have a table of their own for it, since the
            /// database may be one that is not ours alone.
            async fn migrate(&self) -> Result<(), sqlx::Error> {
                let migrations: &[&str] = &[$(include_str!($migration)),+];
                let mut connection = sql::Doubtful::new(self.pool.acquire().await?);
                let mut tx = connection.begin($begin).await?;
                // Several processes may start at once.
                sqlx::raw_sql($lock).execute(&mut *tx).await?;
                sqlx::raw_sql("CREATE TABLE IF NOT EXISTS webhook_log_schema (version BIGINT NOT NULL)")
                    .execute(&mut *tx)
                    .await?;
                let version: Option<i64> =
                    sqlx::query_scalar("SELECT MAX(version) FROM webhook_log_schema")
                        .fetch_one(&mut *tx)
                        .await?;
                let done = usize::try_from(version.unwrap_or_default()).unwrap_or_default();
                for (number, migration) in (1_i64..).zip(migrations).skip(done) {
                    sqlx::raw_sql(migration).execute(&mut *tx).await?;
                    sqlx::query("INSERT INTO webhook_log_schema (version) VALUES ($1)")
                        .bind(number)
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await?;
                connection.is_sound();
                Ok(())
            }

            async fn write_all(&self, mut entries: &[Entry]) -> Result<(), sqlx::Error> {
                let mut connection = sql::Doubtful::new(self.pool.acquire().await?);
                let mut tx = connection.begin($begin).await?;
                while !entries.is_empty() {
                    let (chunk, rest) = entries.split_at(sql::chunk(entries));
                    let mut query = sqlx::QueryBuilder::<$database>::new(
                        "INSERT INTO webhook_log (id, received_at, processed_at, processing_ms, \
                         stored_len, status, provider, tenant, event_name, method, url, verified, \
                         http_status, reason, message, ip, user_agent, request_id, delivery_id, \
                         key_index, count, body_len, body_sha256, headers, payload_truncated, \
                         payload) ",
                    );
                    query.push_values(chunk, |mut row, entry| {
                        row.push_bind(entry.id.to_string())
                            .push_bind(entry.received_at.map_or(0, sql::from_time))
                            .push_bind(entry.processed_at.map(sql::from_time))
                            .push_bind(entry.processing_ms.map(sql::integer))
                            .push_bind(sql::integer(entry.stored_len()))
                            .push_bind(&*entry.status)
                            .push_bind(&*entry.provider)
                            .push_bind(entry.tenant.as_deref())
                            .push_bind(entry.event_name.as_deref())
                            .push_bind(&*entry.method)
                            .push_bind(&*entry.url)
                            .push_bind(entry.verified)
                            .push_bind(entry.http_status.map(i64::from))
                            .push_bind(entry.reason.as_deref())
                            .push_bind(entry.message.as_deref())
                            .push_bind(entry.ip.map(|ip| ip.to_string()))
                            .push_bind(entry.user_agent.as_deref())
                            .push_bind(entry.request_id.as_deref())
                            .push_bind(entry.delivery_id.as_deref())
                            .push_bind(entry.key_index.map(i64::from))
                            .push_bind(entry.count.map(sql::integer))
                            .push_bind(entry.body_len.map(sql::integer))
                            .push_bind(entry.body_sha256.as_ref().map(<[u8; 32]>::as_slice))
                            .push_bind(sql::from_headers(&entry.headers))
                            .push_bind(entry.payload_truncated)
                            .push_bind(entry.payload.as_deref());
                    });
                    query.push(sql::ON_CONFLICT);
                    query.build().execute(&mut *tx).await?;
                    entries = rest;
                }
                tx.commit().await?;
                connection.is_sound();
                Ok(())
            }

            async fn find_all(&self, filter: &Filter) -> Result<Vec<Entry>, sqlx::Error> {
                let mut query =
                    sqlx::QueryBuilder::<$database>::new("SELECT * FROM webhook_log WHERE TRUE");
                if let Some(id) = filter.id {
                    query.push(" AND id = ").push_bind(id.to_string());
                }
                if let Some(lowest) = filter.lowest() {
                    query.push(" AND id >= ").push_bind(lowest.to_string());
                }
                if let Some(end) = filter.end() {
                    query.push(" AND id < ").push_bind(end.to_string());
                }
                if let Some(provider) = &filter.provider {
                    query.push(" AND provider = ").push_bind(&**provider);
                }
                if let Some(tenant) = &filter.tenant {
                    query.push(" AND tenant = ").push_bind(&**tenant);
                }
                if !filter.statuses.is_empty() {
                    query.push(" AND status IN (");
                    let mut list = query.separated(", ");
                    for status in &filter.statuses {
                        list.push_bind(&**status);
                    }
                    query.push(")");
                }
                query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(filter.limit));
                let rows = query.build().fetch_all(&self.pool).await?;
                rows.iter().map(Self::read).collect()
            }

            fn read(row: &<$database as sqlx::Database>::Row) -> Result<Entry, sqlx::Error> {
                use sqlx::Row;
                let number = |column: &str| row.try_get::<Option<i64>, _>(column);
                let positive = |column: &str| Ok::<_, sqlx::Error>(
                    number(column)?.map(|number| u64::try_from(number).unwrap_or_default()),
                );
                let mut entry = Entry::new(
                    row.try_get::<&str, _>("id")?.parse().map_err(sql::decode_error)?,
                    row.try_get::<String, _>("status")?,
                );
                entry.provider = row.try_get("provider")?;
                entry.tenant = row.try_get("tenant")?;
                entry.event_name = row.try_get("event_name")?;
                entry.method = row.try_get("method")?;
                entry.url = row.try_get("url")?;
                entry.headers = sql::to_headers(row.try_get("headers")?);
                let payload: Option<Vec<u8>> = row.try_get("payload")?;
                entry.payload = payload.map(Into::into);
                entry.payload_truncated = row.try_get("payload_truncated")?;
                let digest: Option<&[u8]> = row.try_get("body_sha256")?;
                entry.body_sha256 =
                    digest.map(TryInto::try_into).transpose().map_err(sql::decode_error)?;
                entry.body_len = positive("body_len")?;
                entry.verified = row.try_get("verified")?;
                entry.http_status = number("http_status")?.and_then(|status| status.try_into().ok());
                entry.reason = row.try_get("reason")?;
                entry.message = row.try_get("message")?;
                let ip: Option<&str> = row.try_get("ip")?;
                entry.ip = ip.map(str::parse).transpose().map_err(sql::decode_error)?;
                entry.user_agent = row.try_get("user_agent")?;
                entry.request_id = row.try_get("request_id")?;
                entry.delivery_id = row.try_get("delivery_id")?;
                entry.key_index = number("key_index")?.and_then(|index| index.try_into().ok());
                entry.received_at = number("received_at")?.map(sql::to_time);
                entry.processed_at = number("processed_at")?.map(sql::to_time);
                entry.processing_ms = positive("processing_ms")?;
                entry.count = positive("count")?;
                Ok(entry)
            }

            /// The last row that goes: the one after those that stay.
            async fn boundary(&self, first_to_go: &'static str, stays: u64)
                -> Result<Option<EntryId>, sqlx::Error>
            {
                let id: Option<String> = sqlx::query_scalar(first_to_go)
                    .bind(sql::integer(stays))
                    .fetch_optional(&self.pool)
                    .await?;
                let id = id.map(|id| id.parse::<EntryId>().map_err(sql::decode_error)).transpose()?;
                Ok(id.map(EntryId::next))
            }

            async fn delete(&self, end: EntryId, limit: u32) -> Result<u64, sqlx::Error> {
                let done = sqlx::query(
                    "DELETE FROM webhook_log WHERE id IN \
                     (SELECT id FROM webhook_log WHERE id < $1 ORDER BY id LIMIT $2)",
                )
                .bind(end.to_string())
                .bind(i64::from(limit))
                .execute(&self.pool)
                .await?;
                Ok(done.rows_affected())
            }
        }

        impl Store for $store {
            fn write<'a>(&'a self, entries: &'a [Entry]) -> StoreFuture<'a, ()> {
                Box::pin(async { self.write_all(entries).await.map_err($error) })
            }

            fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Entry>> {
                Box::pin(async { self.find_all(filter).await.map_err($error) })
            }

            fn boundary_by_rows(&self, rows: u64) -> StoreFuture<'_, Option<EntryId>> {
                let first = "SELECT id FROM webhook_log ORDER BY id DESC LIMIT 1 OFFSET $1";
                Box::pin(async move { self.boundary(first, rows).await.map_err($error) })
            }

            fn boundary_by_bytes(&self, bytes: u64) -> StoreFuture<'_, Option<EntryId>> {
                let first = "SELECT id FROM (SELECT id, SUM(stored_len) OVER (ORDER BY id DESC) \
                     AS total FROM webhook_log) AS totals WHERE total > $1 ORDER BY id DESC LIMIT 1";
                Box::pin(async move { self.boundary(first, bytes).await.map_err($error) })
            }

            fn delete_before(&self, end: EntryId, limit: u32) -> StoreFuture<'_, u64> {
                Box::pin(async move { self.delete(end, limit).await.map_err($error) })
            }

            fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
                Box::pin(self.pool.close())
            }
        }
    };
}

pub(super) use sql_store;
