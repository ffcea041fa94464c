//! Setup of SQLite connections.

use std::path::{Path, PathBuf};
use std::{
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::delivery_log::{sql, sqlite::error::error, store::LogError};

/// Page size of new files in bytes. A row includes its payload, so a page of 4 KiB, the default,
/// would hold one or two rows. An existing file keeps its page size.
const PAGE_SIZE: u32 = 16 << 10;

/// SQLite's default for the length of the write-ahead log, in pages, at which it is copied into the
/// file.
const AUTOCHECKPOINT: u64 = 1_000;

/// Value of `FULL` when `PRAGMA synchronous` is read back.
const FULL: i64 = 2;

#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) path: PathBuf,
    pub(crate) max_file_size: Option<u64>,
    pub(crate) is_durable: bool,
}

/// Rejects names that SQLite does not treat as file names. Creates the file if it does not exist,
/// accessible only to its owner: rows may hold personal data. The write-ahead log takes over the
/// mode of the file.
pub(crate) fn prepare(path: &Path) -> Result<(), LogError> {
    let name = path.as_os_str().as_encoded_bytes();
    if name.is_empty() || name == b":memory:" {
        return Err(not_a_file());
    }
    if name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"file:")) {
        return Err(LogError::unsuitable(
            "expected a path, found a URI; use `MemoryLog` to keep rows in memory",
        ));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(path).map_err(LogError::unavailable)?;
    }
    Ok(())
}

fn not_a_file() -> LogError {
    LogError::unsuitable(
        "an in-memory database belongs to one connection, and the log uses several; \
         use `MemoryLog` to keep rows in memory",
    )
}

fn open(setup: &Setup) -> Result<Connection, LogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&setup.path, flags).map_err(error)?;
    if connection.path().is_none_or(str::is_empty) {
        return Err(not_a_file());
    }
    wait_for_locks(&connection, BUSY_TIMEOUT)?;
    Ok(connection)
}

pub(crate) fn reader(setup: &Setup) -> Result<Connection, LogError> {
    let connection = open(setup)?;
    connection.pragma_update(None, "query_only", "ON").map_err(error)?;
    Ok(connection)
}

pub(crate) fn writer(setup: &Setup) -> Result<Connection, LogError> {
    let mut connection = open(setup)?;
    // Several processes may write concurrently, so each transaction locks the file at its start.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let set = |name, value: &str| connection.pragma_update(None, name, value).map_err(error);
    set("page_size", &PAGE_SIZE.to_string())?;
    let mode = write_ahead(&connection).map_err(error)?;
    // Without a sync at each commit, a power loss can lose the last rows. Killing the process
    // cannot.
    set("synchronous", if setup.is_durable { "FULL" } else { "NORMAL" })?;
    if setup.is_durable {
        // On macOS, an ordinary sync does not wait for the disk.
        set("fullfsync", "ON")?;
        set("checkpoint_fullfsync", "ON")?;
        let level = connection.pragma_query_value(None, "synchronous", |row| row.get(0));
        check_durable(&mode, level.map_err(error)?)?;
    }
    // Statements that may fail halfway keep the old pages, 70 KB for a row. They stay in memory.
    set("temp_store", "MEMORY")?;
    // Deleted rows may hold personal data, so SQLite overwrites them.
    set("secure_delete", "ON")?;
    if let Some(bytes) = setup.max_file_size {
        limit_size(&connection, bytes).map_err(error)?;
    }
    Ok(connection)
}

/// Enables the write-ahead log, and returns the journal mode. SQLite fails immediately, whatever
/// its busy timeout, if another process does the same to a new file, and services often start
/// together. The function therefore retries.
fn write_ahead(connection: &Connection) -> rusqlite::Result<String> {
    let end = Instant::now() + BUSY_TIMEOUT;
    loop {
        let mode =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        let code = mode.as_ref().err().and_then(rusqlite::Error::sqlite_error_code);
        if code != Some(ErrorCode::DatabaseBusy) || Instant::now() >= end {
            return mode;
        }
        thread::sleep(BUSY_PAUSE);
    }
}

/// Checks that the settings that SQLite reports satisfy durable mode.
fn check_durable(mode: &str, synchronous: i64) -> Result<(), LogError> {
    if matches!(mode, "memory" | "off") {
        let why = format!("`journal_mode` is {mode}; durable mode needs a journal on disk");
        return Err(LogError::unsuitable(why));
    }
    if synchronous < FULL {
        return Err(LogError::unsuitable(
            "`synchronous` is below FULL; durable mode needs each commit on disk",
        ));
    }
    Ok(())
}

/// Limits the size of the file, and has the write-ahead log copied into it well before the log is
/// as long.
fn limit_size(connection: &Connection, bytes: u64) -> rusqlite::Result<()> {
    let page_size = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let page_size = u64::from(u32::max(page_size, 1));
    let pages = (bytes / page_size).max(1);
    let checkpoint = (pages / 4).clamp(1, AUTOCHECKPOINT);
    connection.pragma_update(None, "max_page_count", sql::integer(pages))?;
    connection.pragma_update(None, "wal_autocheckpoint", sql::integer(checkpoint))?;
    // The file of the write-ahead log shrinks to this size after it has been emptied.
    connection.pragma_update(None, "journal_size_limit", sql::integer(checkpoint * page_size))
}

/// Returns `true` if the length of the write-ahead log is within the limit. A longer one is emptied
/// first, if no transaction prevents that.
pub(crate) fn has_short_wal(connection: &Connection, limit: u64) -> Result<bool, LogError> {
    let Some(path) = connection.path() else { return Ok(true) };
    let wal = PathBuf::from(format!("{path}-wal"));
    let is_short = || wal.metadata().map_or(0, |file| file.len()) <= limit;
    if is_short() {
        return Ok(true);
    }
    wait_for_locks(connection, Duration::ZERO)?;
    let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    wait_for_locks(connection, BUSY_TIMEOUT)?;
    emptied.map_err(error)?;
    Ok(is_short())
}

/// Delay before the next try to enable the write-ahead log.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Maximum time to wait for the lock of another process.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Sets the maximum time that a connection waits for the lock of another process.
pub(crate) fn wait_for_locks(connection: &Connection, limit: Duration) -> Result<(), LogError> {
    connection.busy_timeout(limit).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_back_must_be_durable() {
        for (mode, level, durable) in [
            ("wal", 2, true),
            ("delete", 3, true),
            ("off", 2, false),
            ("memory", 2, false),
            ("wal", 1, false),
        ] {
            assert_eq!(check_durable(mode, level).is_ok(), durable, "{mode} {level}");
        }
    }
}
