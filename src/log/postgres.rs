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
