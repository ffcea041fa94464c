//! The log in PostgreSQL.

use std::{future::Future, pin::Pin, str::FromStr};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    Entry, EntryId, Filter, LogError, Store, StoreFuture,
    sql::{self, sql_store},
};

#[derive(Debug)]
pub(super) struct Postgres {
    pool: PgPool,
}

impl Postgres {
    pub(super) async fn open(url: &str) -> Result<Self, LogError> {
        let options = PgConnectOptions::from_str(url).map_err(LogError::unavailable)?;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(sql::ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(error)?;
        let store = Self { pool };
        store.migrate().await.map_err(error)?;
        Ok(store)
    }
}

sql_store!(Postgres, sqlx::Postgres, error,
    begin: "BEGIN",
    // Any number that others are unlikely to use.
    lock: "SELECT pg_advisory_xact_lock(8247310226514)",
    migrations: ["../../migrations/postgres/0001_webhook_log.sql"]);

fn error(error: sqlx::Error) -> LogError {
    /// Data exception, integrity constraint violation, program limit exceeded.
    const OF_THE_ROW: [&str; 3] = ["22", "23", "54"];
    sql::error(error, |code| OF_THE_ROW.iter().any(|class| code.starts_with(class)))
}
