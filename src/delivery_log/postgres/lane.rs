//! Connections for one purpose, and transactions that the server ends in time.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Connection, PgPool, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::delivery_log::{postgres::error::error, store::LogError};

/// For a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections of which so many are at work at once. Who comes first is served first.
#[derive(Debug)]
pub(crate) struct Lane {
    /// For all connections. The pool gives up those who wait for long; a queue is no fault.
    room: Arc<Semaphore>,
    pool: PgPool,
    begin: Arc<str>,
}

impl Lane {
    pub(crate) fn new(options: &PgConnectOptions, connections: u32, begin: &Arc<str>) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(options.clone());
        let room = Semaphore::new(usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS));
        Self { room: Arc::new(room), pool, begin: Arc::clone(begin) }
    }

    /// Waits for a connection for as long as the caller does.
    pub(crate) async fn connection(&self) -> Result<CloseOnDrop, LogError> {
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(LogError::unavailable)?;
        let connection = self.pool.acquire().await.map_err(error)?;
        Ok(CloseOnDrop {
            connection: Some(connection),
            begin: Arc::clone(&self.begin),
            _room: room,
        })
    }

    /// Works on a connection, in a task that comes to its end also when nobody waits for it: a server
    /// goes on with a statement whose client is gone, and so many at once would be without a bound.
    pub(crate) async fn run<T, W>(
        &self,
        work: impl FnOnce(CloseOnDrop) -> W + Send + 'static,
    ) -> Result<T, LogError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, LogError>> + Send + 'static,
    {
        let connection = self.connection().await?;
        tokio::spawn(work(connection)).await.map_err(LogError::unavailable)?
    }

    pub(crate) async fn close(&self) {
        self.room.close();
        self.pool.close().await;
    }
}

/// A connection that is closed unless its transaction has ended well: of one whose future was
/// dropped nobody knows.
pub(crate) struct CloseOnDrop {
    connection: Option<PoolConnection<sqlx::Postgres>>,
    begin: Arc<str>,
    _room: OwnedSemaphorePermit,
}

impl CloseOnDrop {
    /// Begins a transaction in which the server itself keeps the time limit.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, sqlx::Postgres>, LogError> {
        match &mut self.connection {
            Some(connection) => connection.begin_with(self.begin.to_string()).await.map_err(error),
            None => Err(error(sqlx::Error::PoolClosed)),
        }
    }

    /// It goes back to the others.
    pub(crate) fn keep(&mut self) {
        self.connection = None;
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // At once, without a word of farewell that a silent server keeps waiting for: another
            // one may be made.
            drop(connection.detach());
        }
    }
}

/// What begins a transaction, in one round trip. The settings hold for it alone, so they do so too
/// behind a pooler that shares connections. Without bitmaps and scans of the whole table the
/// statements of a search have the one plan that they were written for, and are never worth compiling.
pub(crate) fn begin(limit: Duration) -> Arc<str> {
    // 0 would be no limit.
    let millis = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1);
    format!(
        "BEGIN; SET LOCAL statement_timeout = {millis}; \
         SET LOCAL idle_in_transaction_session_timeout = {millis}; \
         SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
         SET LOCAL jit = off"
    )
    .into()
}
