//! Connections for one purpose, with transactions whose time limit the server enforces.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::delivery_log::{postgres::error::error, store::LogError};

/// Time limit for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections for one purpose, of which a limited number works concurrently. Callers are served in
/// the order of their calls.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Permits for all connections. The pool would fail callers that wait for long, but a queue is
    /// not a failure.
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

    /// Waits for a connection, for as long as the caller does.
    pub(crate) async fn connection(&self) -> Result<CloseOnDrop, LogError> {
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(LogError::unavailable)?;
        let connection = self.pool.acquire().await.map_err(error)?;
        Ok(CloseOnDrop {
            connection: Some(connection),
            begin: Arc::clone(&self.begin),
            _room: room,
        })
    }

    /// Runs the work on a connection, in a task that completes even if no caller waits for it. A
    /// server continues a statement whose client is gone, and the number of these statements would
    /// have no limit otherwise.
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

/// Connection that is closed unless its transaction has ended well. If its future was dropped, the
/// state of the connection is unknown.
pub(crate) struct CloseOnDrop {
    connection: Option<PoolConnection<sqlx::Postgres>>,
    begin: Arc<str>,
    _room: OwnedSemaphorePermit,
}

impl CloseOnDrop {
    /// Runs the work in a transaction whose time limit the server itself enforces, and returns the
    /// connection to the pool if all of it succeeds.
    pub(crate) async fn transaction<T>(
        mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed).map_err(error)?;
        let mut tx = connection.begin_with(self.begin.to_string()).await.map_err(error)?;
        let result = work(&mut tx).await?;
        tx.commit().await.map_err(error)?;
        self.connection = None;
        Ok(result)
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Closed immediately, without a message that would wait for a silent server. The pool
            // may then open another connection.
            drop(connection.detach());
        }
    }
}

/// Returns the statements that begin a transaction, in one round trip.
///
/// The settings apply only to this transaction, even behind a pooler that shares connections.
/// Without bitmap scans and sequential scans, the statements of a search have the one plan that
/// they were written for. Compiling them never pays off.
pub(crate) fn begin(limit: Duration) -> Arc<str> {
    // 0 would mean no limit.
    let millis = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1);
    format!(
        "BEGIN; SET LOCAL statement_timeout = {millis}; \
         SET LOCAL idle_in_transaction_session_timeout = {millis}; \
         SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
         SET LOCAL jit = off"
    )
    .into()
}
