//! Errors of the database.

use crate::delivery_log::{sql, store::LogError};

/// Converts an error of the database, which may be the fault of one row.
pub(crate) fn error(error: rusqlite::Error) -> LogError {
    /// Too big, constraint, mismatch, range.
    const OF_THE_ROW: [i32; 4] = [18, 19, 20, 25];
    // The lower byte of an extended code is the code.
    let code = error.sqlite_error().map(|error| error.extended_code & 0xff);
    sql::error(error, code.is_some_and(|code| OF_THE_ROW.contains(&code)))
}
