//! The log in SQLite.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, ToSql, TransactionBehavior, params, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use super::{
    Entry, EntryId, Filter, LogError, Store, StoreFuture,
    sql::{self, Columns, Value},
};

const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0001_webhook_log.sql")];

/// One writes, the others read.
const CONNECTIONS: usize = 3;

/// A row has its payload, so the default of 4 KiB would hold one or two. A file that is there keeps
/// the size that it has.
const PAGE_SIZE: u32 = 16 << 10;

/// A file, or several logs' and other tables' file.
pub(super) struct Sqlite(Arc<Pool>);

struct Pool {
    path: PathBuf,
    max_file_size: Option<u64>,
    is_strict: bool,
    /// For all connections, idle or at work. Closed at the end.
    room: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    pub(super) async fn open(
        path: &Path,
        max_file_size: Option<u64>,
        is_strict: bool,
    ) -> Result<Self, LogError> {
        let (path, room) = (path.to_owned(), Arc::new(Semaphore::new(CONNECTIONS)));
        let pool = Pool { path, max_file_size, is_strict, room, idle: Mutex::default() };
        let store = Self(Arc::new(pool));
        store.run(|connection| migrate(connection).map_err(error)).await?;
        Ok(store)
    }

    /// Works on a connection, on a thread that may wait for the disk. Work whose future is dropped
    /// still comes to its end, and has its connection until then.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let room = timeout(sql::ACQUIRE_TIMEOUT, Arc::clone(&self.0.room).acquire_owned()).await;
        let room = room.map_err(LogError::unavailable)?.map_err(LogError::unavailable)?;
        let pool = Arc::clone(&self.0);
        let done = spawn_blocking(move || pool.run(room, work)).await;
        done.unwrap_or_else(|_| Err(LogError::unavailable("the work did not come to its end")))
    }

    fn boundary(&self, first_to_go: &'static str, stays: u64) -> StoreFuture<'_, Option<EntryId>> {
        Box::pin(self.run(move |connection| {
            let first = connection
                .query_row(first_to_go, [sql::integer(stays)], |row| row.get(0))
                .optional();
            sql::boundary(first.map_err(error)?)
        }))
    }
}

impl Pool {
    fn run<T>(
        &self,
        _room: OwnedSemaphorePermit,
        work: impl FnOnce(&mut Connection) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let idle = self.idle().pop();
        let mut connection = idle.map_or_else(|| self.connect(), Ok).map_err(error)?;
        let result = work(&mut connection);
        // What has failed may go on failing; a new connection knows nothing of it.
        let is_sound = result.as_ref().map_or_else(LogError::is_refusal, |_| true);
        let mut idle = self.idle();
        if is_sound && connection.is_autocommit() && !self.room.is_closed() {
            idle.push(connection);
        }
        result
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(1))?;
        connection.pragma_update(None, "page_size", PAGE_SIZE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Without a sync at each commit a power cut, though no kill, can take the last rows.
        let synchronous = if self.is_strict { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // Deleted rows may hold personal data, and are overwritten.
        connection.pragma_update(None, "secure_delete", "ON")?;
        if let Some(bytes) = self.max_file_size {
            let page_size = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let page_size = u64::from(u32::max(page_size, 1));
            let pages = (bytes / page_size).max(1);
            connection.pragma_update(None, "max_page_count", sql::integer(pages))?;
        }
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    /// The last connection brings what is in the write-ahead log into the file.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.idle());
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(idle));
        }
    }
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    // Several processes may start at once.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute(sql::CREATE_SCHEMA, [])?;
    let version = tx.query_row(sql::VERSION, [], |row| row.get(0))?;
    for (number, migration) in sql::pending(&MIGRATIONS, version) {
        tx.execute_batch(migration)?;
        tx.execute(sql::DONE, [number])?;
    }
    tx.commit()
}

fn write(connection: &mut Connection, entries: &[Arc<Entry>]) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let values = "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
        let statement = [sql::INSERT, values, sql::ON_CONFLICT].concat();
        let mut insert = tx.prepare_cached(&statement)?;
        for entry in entries {
            for (index, value) in (1..).zip(sql::values(entry)) {
                insert.raw_bind_parameter(index, value)?;
            }
            insert.raw_execute()?;
        }
    }
    tx.commit()
}

fn find(connection: &Connection, filter: &Filter) -> Result<Vec<Entry>, LogError> {
    let (statement, texts) = sql::find(filter);
    let mut statement = connection.prepare(&statement).map_err(error)?;
    let mut rows = statement.query(params_from_iter(texts)).map_err(error)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(error)? {
        entries.push(sql::read(row)?);
    }
    Ok(entries)
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Flag(flag) => ValueRef::Integer((*flag).into()),
            Value::Integer(Some(number)) => ValueRef::Integer(*number),
            Value::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Value::Integer(None) | Value::Text(None) | Value::Bytes(None) => ValueRef::Null,
        }))
    }
}

impl Columns for rusqlite::Row<'_> {
    fn flag(&self, column: &str) -> Result<bool, LogError> {
        self.get(column).map_err(error)
    }

    fn integer(&self, column: &str) -> Result<Option<i64>, LogError> {
        self.get(column).map_err(error)
    }

    fn text(&self, column: &str) -> Result<Option<String>, LogError> {
        self.get(column).map_err(error)
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, LogError> {
        self.get(column).map_err(error)
    }
}

impl Store for Sqlite {
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        Box::pin(self.run(move |connection| write(connection, &entries).map_err(error)))
    }

    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Entry>> {
        let filter = filter.clone();
        Box::pin(self.run(move |connection| find(connection, &filter)))
    }

    fn boundary_by_rows(&self, rows: u64) -> StoreFuture<'_, Option<EntryId>> {
        self.boundary(sql::FIRST_BY_ROWS, rows)
    }

    fn boundary_by_bytes(&self, bytes: u64) -> StoreFuture<'_, Option<EntryId>> {
        self.boundary(sql::FIRST_BY_BYTES, bytes)
    }

    fn delete_before(&self, end: EntryId, limit: u32) -> StoreFuture<'_, u64> {
        Box::pin(self.run(move |connection| {
            let deleted = connection.execute(sql::DELETE, params![end.to_string(), limit]);
            Ok(deleted.map_err(error)?.try_into().unwrap_or(u64::MAX))
        }))
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.room.close();
        let idle = std::mem::take(&mut *self.0.idle());
        Box::pin(async { _ = spawn_blocking(move || drop(idle)).await })
    }
}

fn error(error: rusqlite::Error) -> LogError {
    /// Too big, constraint, mismatch, range.
    const OF_THE_ROW: [i32; 4] = [18, 19, 20, 25];
    // The lower byte of an extended code is the code.
    let code = error.sqlite_error().map(|error| error.extended_code & 0xff);
    sql::error(error, code.is_some_and(|code| OF_THE_ROW.contains(&code)))
}
