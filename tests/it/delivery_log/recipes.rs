//! The statements of the guide's page on the log, each on rows of which it must find some.

use std::time::{SystemTime, UNIX_EPOCH};

/// How many rows each statement finds among those of [`rows`], in the order of the page.
pub(crate) const FOUND: [usize; 7] = [2, 1, 1, 1, 1, 1, 2];

/// Splits a file of statements.
pub(crate) fn statements(file: &str) -> Vec<&str> {
    let statements: Vec<_> = file.trim().trim_end_matches(';').split(";\n").collect();
    assert_eq!(statements.len(), FOUND.len());
    statements
}

/// Statements that insert one row of each sort; `blob` writes bytes as the database does.
pub(crate) fn rows(blob: impl Fn(&str) -> String) -> Vec<String> {
    const MINUTE: u128 = 60_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let paid = blob(r#"{"id":"evt_1","type":"invoice.paid"}"#);
    let empty = blob("{}");
    let none = "NULL".to_owned();
    [
        // Age, status, provider, verified, HTTP status, reason, key index, duration, payload.
        (0, "success", "stripe", "TRUE", "200", "NULL", "1", "120", &paid),
        (0, "unauthorized", "github", "FALSE", "403", "'signature_mismatch'", "NULL", "1", &none),
        (0, "error", "github", "TRUE", "500", "NULL", "0", "3", &none),
        (10 * MINUTE, "received", "stripe", "TRUE", "NULL", "NULL", "0", "NULL", &empty),
        (
            43_200 * MINUTE,
            "unauthorized",
            "stripe",
            "FALSE",
            "403",
            "'missing'",
            "NULL",
            "1",
            &none,
        ),
        (0, "success", "slack", "TRUE", "200", "NULL", "0", "5", &empty),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, (age, status, provider, verified, http, reason, key, duration, payload))| {
        let received = now - age;
        format!(
            "INSERT INTO webhook_deliveries (id, received_at, processing_ms, stored_len, status, \
             provider, method, url, verified, http_status, reason, key_index, headers, \
             payload_truncated, payload) VALUES ('00000000-0000-7000-8000-{at:012}', {received}, \
             {duration}, 300, '{status}', '{provider}', 'POST', '/hook', {verified}, {http}, \
             {reason}, {key}, '{{}}', FALSE, {payload})"
        )
    })
    .collect()
}

#[cfg(feature = "delivery-log-sqlite")]
#[tokio::test]
async fn recipes_for_sqlite() {
    use sqlx::{Connection, SqliteConnection};

    let directory = super::TempDir::new();
    let path = directory.path().join("log.db");
    let log = tower_webhook::delivery_log::DeliveryLog::builder().sqlite(&path).await.unwrap();
    let mut file = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    for row in rows(|text| format!("x'{}'", crate::support::hex(text.as_bytes()))) {
        sqlx::raw_sql(&row).execute(&mut file).await.unwrap();
    }
    let recipes = include_str!("../../../docs/guide/recipes/sqlite.sql");
    for (statement, count) in statements(recipes).into_iter().zip(FOUND) {
        let found = sqlx::query(statement).fetch_all(&mut file).await.unwrap();
        assert_eq!(found.len(), count, "{statement}");
    }
    log.shutdown(super::SECOND).await.unwrap();
}
