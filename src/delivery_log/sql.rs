//! Code that both databases share: statements, and the conversion of rows.

use std::{
    borrow::Cow,
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::delivery_log::{
    entry::Entry,
    filter::Filter,
    id::{EntryId, millis},
    store::LogError,
};

/// Statement that inserts rows, without their values. The columns are in the order of [`values`].
pub(crate) const INSERT: &str = "
    INSERT INTO webhook_deliveries (id, received_at, processed_at, processing_ms, stored_len, status,
        provider, tenant, event_name, method, url, verified, http_status, reason, message, ip,
        user_agent, request_id, delivery_id, key_index, count, body_len, body_sha256, headers,
        payload_truncated, payload) ";

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
        headers = CASE WHEN excluded.headers = '{}'
            THEN webhook_deliveries.headers ELSE excluded.headers END,
        payload_truncated = CASE WHEN excluded.payload IS NULL
            THEN webhook_deliveries.payload_truncated ELSE excluded.payload_truncated END,
        payload = COALESCE(excluded.payload, webhook_deliveries.payload)
    WHERE webhook_deliveries.status = 'received'";

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

/// Value of a column.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Flag(bool),
    Integer(Option<i64>),
    Text(Option<Cow<'a, str>>),
    Bytes(Option<&'a [u8]>),
}

impl Value<'static> {
    pub(crate) fn integer(number: impl TryInto<i64>) -> Self {
        Self::Integer(Some(integer(number)))
    }

    fn owned(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> Value<'a> {
    const fn text(text: &'a str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }

    fn maybe(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

/// Returns the columns of one row.
pub(crate) fn values(entry: &Entry) -> [Value<'_>; 26] {
    [
        Value::owned(entry.id.to_string()),
        Value::integer(entry.received_at.map_or(0, from_time)),
        Value::Integer(entry.processed_at.map(from_time)),
        Value::Integer(entry.processing_ms.map(integer)),
        Value::integer(entry.stored_len()),
        Value::text(&entry.status),
        Value::text(&entry.provider),
        Value::maybe(entry.tenant.as_deref()),
        Value::maybe(entry.event_name.as_deref()),
        Value::text(&entry.method),
        Value::text(&entry.url),
        Value::Flag(entry.verified),
        Value::Integer(entry.http_status.map(i64::from)),
        Value::maybe(entry.reason.as_deref()),
        Value::maybe(entry.message.as_deref()),
        Value::Text(entry.ip.map(|ip| ip.to_string().into())),
        Value::maybe(entry.user_agent.as_deref()),
        Value::maybe(entry.request_id.as_deref()),
        Value::maybe(entry.delivery_id.as_deref()),
        Value::Integer(entry.key_index.map(i64::from)),
        Value::Integer(entry.count.map(integer)),
        Value::Integer(entry.body_len.map(integer)),
        Value::Bytes(entry.body_sha256.as_ref().map(<[u8; 32]>::as_slice)),
        Value::owned(from_headers(&entry.headers)),
        Value::Flag(entry.payload_truncated),
        Value::Bytes(entry.payload.as_deref()),
    ]
}

/// Row of either database.
pub(crate) trait Columns {
    fn flag(&self, column: &str) -> Result<bool, LogError>;
    fn integer(&self, column: &str) -> Result<Option<i64>, LogError>;
    fn text(&self, column: &str) -> Result<Option<String>, LogError>;
    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, LogError>;
}

pub(crate) fn read(row: &impl Columns) -> Result<Entry, LogError> {
    let text = |column| Ok::<_, LogError>(row.text(column)?.unwrap_or_default());
    let time = |column| Ok::<_, LogError>(row.integer(column)?.map(to_time));
    let positive = |column| {
        let number = row.integer(column)?;
        Ok::<_, LogError>(number.map(|number| u64::try_from(number).unwrap_or_default()))
    };
    let mut entry = Entry::new(id(&text("id")?)?, text("status")?);
    entry.provider = text("provider")?.into();
    entry.tenant = row.text("tenant")?;
    entry.event_name = row.text("event_name")?;
    entry.method = text("method")?.into();
    entry.url = text("url")?;
    entry.headers = to_headers(&text("headers")?);
    entry.payload = row.bytes("payload")?.map(Into::into);
    entry.payload_truncated = row.flag("payload_truncated")?;
    let digest = row.bytes("body_sha256")?.map(|digest| digest.as_slice().try_into());
    entry.body_sha256 = digest.transpose().map_err(LogError::unavailable)?;
    entry.body_len = positive("body_len")?;
    entry.verified = row.flag("verified")?;
    entry.http_status = row.integer("http_status")?.and_then(|status| status.try_into().ok());
    entry.reason = row.text("reason")?;
    entry.message = row.text("message")?;
    let ip = row.text("ip")?.map(|ip| ip.parse());
    entry.ip = ip.transpose().map_err(LogError::unavailable)?;
    entry.user_agent = row.text("user_agent")?;
    entry.request_id = row.text("request_id")?;
    entry.delivery_id = row.text("delivery_id")?;
    entry.key_index = row.integer("key_index")?.and_then(|index| index.try_into().ok());
    entry.received_at = time("received_at")?;
    entry.processed_at = time("processed_at")?;
    entry.processing_ms = positive("processing_ms")?;
    entry.count = positive("count")?;
    Ok(entry)
}

/// Returns the range of IDs: the first one, and the exclusive end.
pub(crate) fn range(filter: &Filter) -> [String; 2] {
    let end = filter.end().unwrap_or(EntryId::MAX);
    [filter.lowest().unwrap_or_default(), end].map(|id| id.to_string())
}

pub(crate) fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

pub(crate) fn id(text: &str) -> Result<EntryId, LogError> {
    text.parse().map_err(LogError::unavailable)
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

fn to_time(millis: i64) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

/// Writes the headers as a JSON object.
fn from_headers(headers: &[(String, String)]) -> String {
    let len = headers.iter().map(|(name, value)| name.len() + value.len() + 6).sum::<usize>();
    let mut json = Vec::with_capacity(len + 2);
    json.push(b'{');
    for (at, (name, value)) in headers.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        // Writing to memory does not fail, and the output is UTF-8.
        let _ = serde_json::to_writer(&mut json, name);
        json.push(b':');
        let _ = serde_json::to_writer(&mut json, value);
    }
    json.push(b'}');
    String::from_utf8(json).unwrap_or_default()
}

fn to_headers(text: &str) -> Vec<(String, String)> {
    use serde_json::{Map, Value};
    let headers: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    headers.into_iter().map(|(name, value)| (name, text(value))).collect()
}
