//! Code that both databases share: statements, and the conversion of rows.

use std::{borrow::Cow, error::Error, net::IpAddr, time::SystemTime};

use serde_core::Serializer;
use serde_json::{Map, Value};

use crate::delivery_log::{
    entry::Entry,
    filter::Filter,
    id::{EntryId, millis, time},
    keep::{Keep, Totals},
    store::LogError,
};

/// Statement of a driver to which values of this type can be bound.
pub(crate) trait Bind<T> {
    /// Binds the value to the parameter with this number, counted from 1.
    fn bind(&mut self, number: usize, value: T) -> Result<(), LogError>;
}

/// Row of a driver whose columns can be read as this type.
pub(crate) trait Columns<T> {
    fn column(&self, name: &str) -> Result<T, LogError>;
}

/// Creates the code for all columns from one table. Each line has the name of a column and of its
/// field, the value to store, and the function that converts a stored value back. The length of a
/// row has no field, and comes first.
macro_rules! columns {
    ($entry:ident; $($name:ident: $value:expr => $read:expr,)*) => {
        /// Statement that inserts rows, without their values. [`bind`] follows its order.
        pub(crate) const INSERT: &str = concat!(
            "INSERT INTO webhook_deliveries (stored_len", $(", ", stringify!($name),)* ") "
        );

        /// Clause with the placeholders for one row.
        #[cfg(feature = "delivery-log-sqlite")]
        pub(crate) const VALUES: &str =
            concat!("VALUES (:stored_len", $(", :", stringify!($name),)* ")");

        /// Binds the values of one row.
        pub(crate) fn bind<'a, S>($entry: &'a Entry, statement: &mut S) -> Result<(), LogError>
        where
            S: Bind<bool> + Bind<i64> + Bind<Option<i64>> + Bind<&'a str> + Bind<Option<&'a str>>,
            S: Bind<String> + Bind<Option<String>> + Bind<Option<&'a [u8]>>,
        {
            let mut number = 1;
            statement.bind(number, integer($entry.stored_len()))?;
            $(
                number += 1;
                statement.bind(number, $value)?;
            )*
            Ok(())
        }

        /// Converts a row of a driver.
        pub(crate) fn read<R>(row: &R) -> Result<Entry, LogError>
        where
            R: Columns<bool> + Columns<Option<i64>>,
            R: Columns<String> + Columns<Option<String>> + Columns<Option<Vec<u8>>>,
        {
            Ok(Entry { $($name: row.column(stringify!($name)).and_then($read)?,)* })
        }
    };
}

columns! {
    entry;
    id: entry.id.to_string() => |text: String| id(&text),
    received_at: entry.received_at.map_or(0, from_time) => to_time,
    processed_at: entry.processed_at.map(from_time) => to_time,
    processing_ms: entry.processing_ms.map(integer) => to_number,
    status: &*entry.status => to_name,
    provider: &*entry.provider => to_name,
    tenant: entry.tenant.as_deref() => Ok,
    event_name: entry.event_name.as_deref() => Ok,
    method: &*entry.method => to_name,
    url: &*entry.url => Ok,
    verified: entry.verified => Ok,
    http_status: entry.http_status.map(i64::from) => to_number,
    reason: entry.reason.as_deref() => Ok,
    cause: entry.cause.as_deref() => Ok,
    explanation: entry.explanation.as_deref() => Ok,
    message: entry.message.as_deref() => Ok,
    ip: entry.ip.map(|ip| ip.to_string()) => to_ip,
    user_agent: entry.user_agent.as_deref() => Ok,
    request_id: entry.request_id.as_deref() => Ok,
    delivery_id: entry.delivery_id.as_deref() => Ok,
    key_index: entry.key_index.map(i64::from) => to_number,
    count: entry.count.map(integer) => to_number,
    body_len: entry.body_len.map(integer) => to_number,
    body_sha256: entry.body_sha256.as_ref().map(<[u8; 32]>::as_slice) => to_digest,
    headers: from_headers(&entry.headers) => to_headers,
    payload_truncated: entry.payload_truncated => Ok,
    payload: entry.payload.as_deref() => |bytes: Option<Vec<u8>>| Ok(bytes.map(Into::into)),
}

/// Clause that completes a row with status `received`. Headers and payload stay unless there are
/// new ones.
pub(crate) const ON_CONFLICT: &str = "
    ON CONFLICT (id) DO UPDATE SET
        processed_at = excluded.processed_at,
        processing_ms = excluded.processing_ms,
        stored_len = CASE WHEN excluded.stored_len > webhook_deliveries.stored_len
            THEN excluded.stored_len ELSE webhook_deliveries.stored_len END,
        status = excluded.status,
        event_name = excluded.event_name,
        http_status = excluded.http_status,
        reason = excluded.reason,
        message = excluded.message,
        cause = COALESCE(webhook_deliveries.cause, excluded.cause),
        explanation = COALESCE(webhook_deliveries.explanation, excluded.explanation),
        headers = CASE WHEN excluded.headers = '{}'
            THEN webhook_deliveries.headers ELSE excluded.headers END,
        payload_truncated = CASE WHEN excluded.payload IS NULL
            THEN webhook_deliveries.payload_truncated ELSE excluded.payload_truncated END,
        payload = COALESCE(excluded.payload, webhook_deliveries.payload)
    WHERE webhook_deliveries.status = 'received'";

/// Statement that adds the cause of a rejection, `$3` to the length of its row. SQLite numbers the
/// parameters in their order.
pub(crate) const ANNOTATE: &str = "UPDATE webhook_deliveries
    SET cause = $1, explanation = $2, stored_len = stored_len + $3
    WHERE id = $4 AND cause IS NULL";

/// Statement for the rows that pruning examines. `$1` is their number.
pub(crate) const OLDEST: &str =
    "SELECT id, stored_len FROM webhook_deliveries ORDER BY id LIMIT $1";

/// Table of the completed migrations. The crate has its own, because the database may have other
/// users.
pub(crate) const CREATE_SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS webhook_deliveries_schema (version BIGINT NOT NULL)";
pub(crate) const VERSION: &str = "SELECT MAX(version) FROM webhook_deliveries_schema";
pub(crate) const DONE: &str = "INSERT INTO webhook_deliveries_schema (version) VALUES ($1)";

/// Returns the migrations after a version, with their numbers.
pub(crate) fn pending<'a>(
    migrations: &[&'a str],
    version: Option<i64>,
) -> impl Iterator<Item = (i64, &'a str)> {
    let done = usize::try_from(version.unwrap_or_default()).unwrap_or_default();
    (1..).zip(migrations.iter().copied()).skip(done)
}

/// Returns the range of IDs: the first one, and the exclusive end.
pub(crate) fn range(filter: &Filter) -> [String; 2] {
    let end = filter.end().unwrap_or(EntryId::MAX);
    [filter.lowest().unwrap_or_default(), end].map(|id| id.to_string())
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

pub(crate) fn id(text: &str) -> Result<EntryId, LogError> {
    text.parse().map_err(LogError::unavailable)
}

/// Returns the IDs of the rows that one step of pruning deletes, given the totals, and the IDs and
/// lengths of the oldest rows in order.
pub(crate) fn to_prune(
    keep: Keep,
    (rows, bytes): (i64, i64),
    oldest: Vec<(String, i64)>,
) -> Result<Vec<String>, LogError> {
    let totals = Totals { rows: positive(rows), bytes: positive(bytes) };
    let parsed = oldest.iter().map(|(text, len)| Ok((id(text)?, positive(*len))));
    let count = keep.step(totals, parsed.collect::<Result<Vec<_>, LogError>>()?);
    Ok(oldest.into_iter().take(count).map(|(id, _)| id).collect())
}

/// Converts an error of a database. `is_of_the_row` means that the row is at fault and not the
/// store.
pub(crate) fn error(error: impl Error + Send + Sync + 'static, is_of_the_row: bool) -> LogError {
    if is_of_the_row { LogError::refused(error) } else { LogError::unavailable(error) }
}

pub(crate) fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn from_time(at: SystemTime) -> i64 {
    integer(millis(at))
}

fn to_time(millis: Option<i64>) -> Result<Option<SystemTime>, LogError> {
    Ok(millis.map(|millis| time(positive(millis))))
}

fn to_number<T: TryFrom<i64>>(number: Option<i64>) -> Result<Option<T>, LogError> {
    Ok(number.and_then(|number| number.try_into().ok()))
}

fn to_name(text: String) -> Result<Cow<'static, str>, LogError> {
    Ok(text.into())
}

fn to_ip(text: Option<String>) -> Result<Option<IpAddr>, LogError> {
    text.map(|ip| ip.parse()).transpose().map_err(LogError::unavailable)
}

fn to_digest(bytes: Option<Vec<u8>>) -> Result<Option<[u8; 32]>, LogError> {
    let digest = bytes.map(|bytes| bytes.as_slice().try_into());
    digest.transpose().map_err(LogError::unavailable)
}

/// Writes the headers as a JSON object.
fn from_headers(headers: &[(String, String)]) -> String {
    let len = headers.iter().map(|(name, value)| name.len() + value.len() + 6).sum::<usize>();
    let mut json = Vec::with_capacity(len + 2);
    let pairs = headers.iter().map(|(name, value)| (name, value));
    // Writing to memory does not fail, and the output is UTF-8.
    let _ = serde_json::Serializer::new(&mut json).collect_map(pairs);
    String::from_utf8(json).unwrap_or_default()
}

fn to_headers(text: String) -> Result<Vec<(String, String)>, LogError> {
    let headers: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    Ok(headers.into_iter().map(|(name, value)| (name, text(value))).collect())
}
