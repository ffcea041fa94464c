//! The log in SQLite.

use std::{future::Future, path::Path, pin::Pin, time::Duration};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Entry, EntryId, Filter, LogError, Store, StoreFuture,
    sql::{self, sql_store},
};

const PAGE_SIZE: u32 = 4096;

/// A file, or several logs' and other tables' file.
#[derive(Debug)]
pub(super) struct Sqlite {
    pool: SqlitePool,
}

impl Sqlite {
    pub(super) async fn open(
        path: &Path,
        max_file_size: Option<u64>,
        is_strict: bool,
    ) -> Result<Self, LogError> {
        // Without a sync at each commit a power cut, though no kill, can take the last rows.
        let synchronous =
            if is_strict { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
        let mut options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .page_size(PAGE_SIZE)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            // Deleted rows may hold personal data, and are overwritten.
            .pragma("secure_delete", "ON")
            .busy_timeout(Duration::from_secs(1));
        if let Some(bytes) = max_file_size {
            let pages = bytes / u64::from(PAGE_SIZE);
            options = options.pragma("max_page_count", pages.max(1).to_string());
        }
        let pool = SqlitePoolOptions::new()
            .max_connections(3)
            .acquire_timeout(sql::ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(error)?;
        let store = Self { pool };
        store.migrate().await.map_err(error)?;
        Ok(store)
    }
}

sql_store!(Sqlite, sqlx::Sqlite, error,
    begin: "BEGIN IMMEDIATE",
    // The transaction is the lock.
    lock: "SELECT 1",
    migrations: ["../../migrations/sqlite/0001_webhook_log.sql"]);

fn error(error: sqlx::Error) -> LogError {
    /// Too big, constraint, mismatch, range.
    const OF_THE_ROW: [u32; 4] = [18, 19, 20, 25];
    sql::error(error, |code| {
        // The lower byte of an extended code is the code.
        code.parse::<u32>().is_ok_and(|code| OF_THE_ROW.contains(&(code & 0xff)))
    })
}
