//! Errors of the database.

use crate::delivery_log::{sql, store::LogError};

/// Converts an error of the database, which may be the fault of one row.
pub(crate) fn error(error: sqlx::Error) -> LogError {
    /// Data exception, integrity constraint violation, program limit exceeded.
    const OF_THE_ROW: [&str; 3] = ["22", "23", "54"];
    let code = error.as_database_error().and_then(|error| error.code());
    let is_of_the_row =
        code.is_some_and(|code| OF_THE_ROW.iter().any(|class| code.starts_with(class)));
    sql::error(error, is_of_the_row)
}
