//! SQLite that is full, locked, or in use by others, and servers that are killed.

use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tower::ServiceBuilder;
use tower_webhook::delivery_log::{DeliveryLog, Filter, MemoryLog, Retention};

use super::{
    SECOND, TempDir, call, contract, forged, genuine, kills, logged, only_row, rows, send_to,
    storage::totals,
};
use crate::{net::within, support::Inner};

pub(super) async fn connect(directory: &TempDir) -> SqliteConnection {
    let file = directory.path().join("log.db");
    SqliteConnectOptions::new().filename(file).create_if_missing(true).connect().await.unwrap()
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let log = contract::builder().store(MemoryLog::new(10_000)).unwrap();
    contract::keeps_its_contract(log).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let directory = TempDir::new();
    let log = contract::builder().sqlite(directory.path().join("log.db")).await.unwrap();
    contract::keeps_its_contract(log).await;
}

#[tokio::test]
async fn a_file_is_opened_again_and_may_hold_other_tables() {
    let directory = TempDir::new();
    let mut other = connect(&directory).await;
    sqlx::raw_sql("CREATE TABLE others (a)").execute(&mut other).await.unwrap();
    for round in 1..=3 {
        let log = DeliveryLog::builder().sqlite(directory.path().join("log.db")).await.unwrap();
        send_to(&logged(&log), 200, genuine(b"x")).await;
        assert_eq!(rows(&log).await.len(), round);
        log.shutdown(10 * SECOND).await.unwrap();
    }
    let tables = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
    let tables = tables.fetch_all(&mut other).await.unwrap();
    let names: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        names,
        ["others", "webhook_deliveries", "webhook_deliveries_schema", "webhook_deliveries_totals"]
    );
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_says_so() {
    let directory = TempDir::new();
    let missing = directory.path().join("no/such/directory/log.db");
    let error = DeliveryLog::builder().sqlite(missing).await.unwrap_err();
    assert!(error.to_string().contains("unavailable"), "{error}");
}

#[tokio::test]
async fn full_disk_is_503_only_in_durable_mode() {
    let directory = TempDir::new();
    let builder = DeliveryLog::builder()
        .durable()
        .max_file_size(1 << 20)
        .max_queued_rows(50)
        .max_queued_bytes(64 << 20);
    let log = builder.sqlite(directory.path().join("log.db")).await.unwrap();
    let body: &[u8] = &[b'x'; 10_000];
    let best_effort = logged(&log);
    let inner = Inner::default();
    let durable = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(log.durable_layer().unwrap())
        .service(inner.clone());

    let mut sent = 0;
    while log.dropped() == 0 {
        assert_eq!(send_to(&best_effort, 200, genuine(body)).await, 200);
        sent += 1;
        assert!(sent < 10_000, "the disk is never full");
        if log.failure().is_none() {
            // Until it is full, each row is written before the next one comes.
            let _ = tokio::time::timeout(SECOND, log.flush()).await;
        }
    }
    assert!(log.failure().unwrap().contains("full"), "{:?}", log.failure());
    assert_eq!(within(call(durable.clone(), genuine(body))).await.unwrap().status(), 503);
    assert_eq!(inner.count(), 0);
    assert_eq!(within(call(durable.clone(), forged(b"x"))).await.unwrap().status(), 403);

    let lost = log.dropped();
    let written = log.find(&Filter::new().limit(1_000)).await.unwrap();
    assert!(!written.is_empty(), "a full log can be read");
    assert!(log.prune(Retention::new().max_rows(0)).await.unwrap() > 0, "and pruned");
    within(log.flush()).await.unwrap();
    assert_eq!(log.failure(), None);
    let notes = within(async { rows(&log).await }).await;
    let counts: u64 = notes.iter().filter_map(|row| row.count).sum();
    assert_eq!(counts, lost, "what was lost is said");
    within(log.prune(Retention::new().max_rows(0))).await.unwrap();
    assert_eq!(within(call(durable, genuine(b"x"))).await.unwrap().status(), 200);
    within(log.shutdown(30 * SECOND)).await.unwrap();
}

/// Writes until the file is full, and says how long it is.
async fn filled(log: &DeliveryLog, directory: &TempDir) -> u64 {
    let body: &[u8] = &[b'x'; 10_000];
    while log.failure().is_none() {
        assert_eq!(send_to(&logged(log), 200, genuine(body)).await, 200);
        let _ = tokio::time::timeout(SECOND, log.flush()).await;
    }
    assert!(log.failure().unwrap().contains("full"), "{:?}", log.failure());
    // What waits is not written any more, and the file has what the write-ahead log had.
    assert!(within(log.shutdown(SECOND)).await.is_err());
    std::fs::metadata(directory.path().join("log.db")).unwrap().len()
}

#[tokio::test]
async fn existing_page_size_is_kept_and_file_limit_holds() {
    let limit: u64 = 1 << 20;
    for (is_old, expected) in [(true, 4_096_u32), (false, 16_384)] {
        let directory = TempDir::new();
        if is_old {
            let mut other = connect(&directory).await;
            sqlx::raw_sql("CREATE TABLE others (a)").execute(&mut other).await.unwrap();
            other.close().await.unwrap();
        }
        let builder = DeliveryLog::builder().max_file_size(limit);
        let log = builder.sqlite(directory.path().join("log.db")).await.unwrap();
        let len = within(filled(&log, &directory)).await;
        assert!(len <= limit && len > limit / 2, "{len} bytes in pages of {expected}");
        let mut file = connect(&directory).await;
        let page_size = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut file);
        let page_size: u32 = page_size.await.unwrap();
        assert_eq!(page_size, expected);
    }
}

#[tokio::test]
async fn locked_file_is_503_only_in_durable_mode() {
    let directory = TempDir::new();
    let log =
        DeliveryLog::builder().durable().sqlite(directory.path().join("log.db")).await.unwrap();
    let inner = Inner::default();
    let durable = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(log.durable_layer().unwrap())
        .service(inner.clone());
    let mut other = connect(&directory).await;
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    assert_eq!(within(send_to(&logged(&log), 200, genuine(b"a"))).await, 200);
    let answer = within(call(durable.clone(), genuine(b"b"))).await.unwrap();
    assert_eq!((answer.status().as_u16(), inner.count()), (503, 0));
    assert_eq!(within(call(durable.clone(), forged(b"c"))).await.unwrap().status(), 403);
    assert!(log.find(&Filter::new()).await.unwrap().is_empty(), "it can still be read");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();

    assert_eq!(within(call(durable, genuine(b"d"))).await.unwrap().status(), 200);
    let rows = within(rows(&log)).await;
    // Without those of the log's own.
    let mut outcomes: Vec<_> = rows
        .into_iter()
        .filter_map(|row| Some((row.http_status?, row.status.into_owned())))
        .collect();
    outcomes.sort();
    let status = |text: &str| text.to_owned();
    let expected = [
        (200, status("success")),
        (200, status("success")),
        (403, status("unauthorized")),
        (503, status("error")),
    ];
    assert_eq!((outcomes, log.dropped()), (expected.to_vec(), 0));
    other.close().await.unwrap();
}

#[tokio::test]
async fn work_that_was_given_up_leaves_the_store_usable() {
    let directory = TempDir::new();
    let file = directory.path().join("log.db");
    let reader = DeliveryLog::builder().sqlite(&file).await.unwrap();
    // SQLite waits longer for a lock than this log does for SQLite.
    let log = loop {
        let builder = DeliveryLog::builder().store_timeout(SECOND / 5);
        if let Ok(log) = builder.sqlite(&file).await {
            break log;
        }
    };
    for round in 1..=3 {
        let mut other = connect(&directory).await;
        sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
        for _ in 0..10 {
            assert_eq!(send_to(&logged(&log), 200, genuine(b"x")).await, 200);
        }
        let given_up = async {
            while !log.failure().is_some_and(|failure| failure.contains("in time")) {
                tokio::task::yield_now().await;
            }
        };
        within(given_up).await;
        other.close().await.unwrap();
        within(log.flush()).await.unwrap();
        assert_eq!((log.failure(), log.dropped()), (None, 0));
        assert_eq!(rows(&reader).await.len(), 10 * round, "each row once");
        let [counted, there] = totals(&mut connect(&directory).await).await;
        assert_eq!(counted, there);
    }
    within(log.shutdown(10 * SECOND)).await.unwrap();
    assert!(log.find(&Filter::new()).await.is_err(), "its connections have ended");
}

#[tokio::test]
async fn a_row_that_the_file_does_not_take_keeps_no_other() {
    let directory = TempDir::new();
    let log = DeliveryLog::builder().sqlite(directory.path().join("log.db")).await.unwrap();
    let mut file = connect(&directory).await;
    let refuse = "CREATE TRIGGER no_poison BEFORE INSERT ON webhook_deliveries \
         WHEN NEW.payload = CAST('poison' AS BLOB) BEGIN SELECT RAISE(ABORT, 'poison'); END";
    sqlx::query(refuse).execute(&mut file).await.unwrap();
    for body in [&b"a"[..], b"poison", b"b"] {
        send_to(&logged(&log), 200, genuine(body)).await;
    }
    within(log.flush()).await.unwrap();
    let rows = rows(&log).await;
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    assert_eq!((count("success"), count("dropped"), log.dropped()), (2, 1, 1));
}

#[tokio::test]
async fn two_logs_share_a_file() {
    let directory = TempDir::new();
    let open = || DeliveryLog::builder().sqlite(directory.path().join("log.db"));
    let (a, b) = tokio::join!(open(), open());
    let (a, b) = (a.unwrap(), b.unwrap());
    for _ in 0..100 {
        send_to(&logged(&a), 200, genuine(b"x")).await;
        send_to(&logged(&b), 200, genuine(b"x")).await;
    }
    a.flush().await.unwrap();
    assert_eq!(rows(&b).await.len(), 200);
}

#[tokio::test]
async fn deleted_rows_are_overwritten() {
    let directory = TempDir::new();
    let log = DeliveryLog::builder().sqlite(directory.path().join("log.db")).await.unwrap();
    send_to(&logged(&log), 200, genuine(b"personal-canary-4711")).await;
    only_row(&log).await;
    log.prune(Retention::new().max_rows(0)).await.unwrap();
    log.shutdown(10 * SECOND).await.unwrap();
    let file = std::fs::read(directory.path().join("log.db")).unwrap();
    assert!(!file.windows(20).any(|window| window == b"personal-canary-4711"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn durable_mode_acknowledges_nothing_without_a_row() {
    let directory = TempDir::new();
    let database = directory.path().join("log.db").to_str().unwrap().to_owned();
    let test = "delivery_log::faults::durable_mode_acknowledges_nothing_without_a_row";
    kills::survives_kills(test, &database, true).await;
    check_file(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn best_effort_loses_at_most_the_queue() {
    let directory = TempDir::new();
    let database = directory.path().join("log.db").to_str().unwrap().to_owned();
    let test = "delivery_log::faults::best_effort_loses_at_most_the_queue";
    kills::survives_kills(test, &database, false).await;
    check_file(&database).await;
}

async fn check_file(database: &str) {
    let mut file = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    let check: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut file).await.unwrap();
    assert_eq!(check, "ok");
    let [counted, there] = totals(&mut file).await;
    assert_eq!(counted, there);
}
