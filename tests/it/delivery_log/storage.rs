//! SQLite under many readers, beside what keeps the write-ahead log long, and where it is not durable.

use std::sync::{Arc, Mutex};

use sqlx::{Connection, SqliteConnection};
use tokio::task::JoinSet;
use tower::ServiceBuilder;
use tower_webhook::delivery_log::{
    DeliveryLog, Entry, EntryId, Filter, Keep, LogStore, Page, Retention, StoreFuture,
};

use super::{SECOND, TempDir, call, faults::connect, genuine, logged, rows, send_to};
use crate::{net::within, support::Inner};

/// Inserts rows of two providers and ten tenants, most of them successes, a millisecond apart.
pub(super) async fn fill(file: &mut SqliteConnection, rows: u32, payload: u32) {
    let fill = format!(
        "BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO webhook_deliveries (id, received_at, stored_len, status, provider, tenant, method, url,
            verified, headers, payload_truncated, payload)
         SELECT printf('00000000-%04x-7000-8000-%012x', i / 65536, i), i, {payload} + 200,
            CASE WHEN i % 1000 = 0 THEN 'error' ELSE 'success' END,
            CASE WHEN i % 50 = 0 THEN 'meta' ELSE 'github' END, 'tenant-' || (i % 10),
            'POST', '/', 1, '{{}}', 0, zeroblob({payload}) FROM n;
         COMMIT"
    );
    sqlx::raw_sql(&fill).execute(file).await.unwrap();
}

/// What the database has counted, and what there is.
pub(super) async fn totals(file: &mut SqliteConnection) -> [(i64, i64); 2] {
    let counted = "SELECT rows, bytes FROM webhook_deliveries_totals";
    let counted = sqlx::query_as(counted).fetch_one(&mut *file).await.unwrap();
    let there = "SELECT COUNT(*), COALESCE(SUM(stored_len), 0) FROM webhook_deliveries";
    [counted, sqlx::query_as(there).fetch_one(file).await.unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_readers_keep_no_delivery_waiting() {
    let directory = TempDir::new();
    let log =
        DeliveryLog::builder().durable().sqlite(directory.path().join("log.db")).await.unwrap();
    fill(&mut connect(&directory).await, 100_000, 1_000).await;
    let inner = Inner::default();
    let durable = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(log.durable_layer().unwrap())
        .service(inner.clone());
    let mut readers = JoinSet::new();
    for number in 0..100 {
        let log = log.clone();
        let filter = match number % 4 {
            0 => Filter::failed(),
            1 => Filter::new().provider("meta").status("error"),
            2 => Filter::new().tenant("tenant-3"),
            _ => Filter::new(),
        };
        readers.spawn(async move { log.find(&filter.limit(20)).await.unwrap().len() });
    }
    for _ in 0..10 {
        let answer = within(call(durable.clone(), genuine(b"x"))).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(within(readers.join_all()).await, [20; 100]);
    within(log.shutdown(10 * SECOND)).await.unwrap();
}

#[tokio::test]
async fn names_of_databases_in_memory_are_refused() {
    for name in ["", ":memory:", "file::memory:", "file:x?mode=memory&cache=shared", "FILE:x.db"] {
        for builder in [DeliveryLog::builder(), DeliveryLog::builder().durable()] {
            let error = builder.sqlite(name).await.unwrap_err().to_string();
            assert!(error.contains("MemoryLog"), "{name:?}: {error}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_file() {
    use std::{fs, os::unix::fs::PermissionsExt};
    let directory = TempDir::new();
    let mode = |name| {
        let file = fs::metadata(directory.path().join(name)).unwrap();
        file.permissions().mode() & 0o777
    };
    let log = DeliveryLog::builder().sqlite(directory.path().join("log.db")).await.unwrap();
    send_to(&logged(&log), 200, genuine(b"x")).await;
    assert_eq!(rows(&log).await.len(), 1);
    assert_eq!(["log.db", "log.db-wal", "log.db-shm"].map(mode), [0o600; 3]);
    log.shutdown(10 * SECOND).await.unwrap();

    // Who has given others access keeps it.
    let shared = directory.path().join("shared.db");
    fs::write(&shared, "").unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o640)).unwrap();
    let log = DeliveryLog::builder().sqlite(&shared).await.unwrap();
    send_to(&logged(&log), 200, genuine(b"x")).await;
    assert_eq!(rows(&log).await.len(), 1);
    assert_eq!(["shared.db", "shared.db-wal", "shared.db-shm"].map(mode), [0o640; 3]);
}

#[tokio::test]
async fn open_reader_cannot_grow_the_wal_past_its_limit() {
    let limit: u64 = 4 << 20;
    let body: &[u8] = &[b'x'; 60_000];
    let directory = TempDir::new();
    let builder = DeliveryLog::builder().durable().max_file_size(limit);
    let log = builder.sqlite(directory.path().join("log.db")).await.unwrap();
    let inner = Inner::default();
    let durable = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(log.durable_layer().unwrap())
        .service(inner.clone());
    let wal = || directory.path().join("log.db-wal").metadata().unwrap().len();

    let mut reader = connect(&directory).await;
    sqlx::raw_sql("BEGIN; SELECT * FROM webhook_deliveries").fetch_all(&mut reader).await.unwrap();
    let mut answers = Vec::new();
    // Rows go, so the file itself never gets full.
    while !answers.contains(&503) {
        answers.push(within(call(durable.clone(), genuine(body))).await.unwrap().status().as_u16());
        let _ = log.prune(Retention::new().max_rows(5)).await;
        assert!(answers.len() < 1_000, "{} bytes", wal());
    }
    assert!(answers.len() > 10, "{answers:?}");
    let failure = log.failure().unwrap();
    assert!(failure.contains("an open transaction keeps it from being emptied"), "{failure}");
    let longest = limit + (1 << 20);
    assert!((limit..longest).contains(&wal()), "{} bytes", wal());
    assert!(!log.find(&Filter::new()).await.unwrap().is_empty(), "it can be read");

    reader.close().await.unwrap();
    within(log.flush()).await.unwrap();
    assert_eq!((log.failure(), log.dropped()), (None, 0), "and loses nothing");
    assert_eq!(within(call(durable.clone(), genuine(b"x"))).await.unwrap().status(), 200);
    assert!(wal() < limit, "{} bytes", wal());
}

/// Takes three steps for each pruning, and notes for whom.
#[derive(Clone, Default)]
struct Steps(Arc<Mutex<Vec<u64>>>);

impl LogStore for Steps {
    fn write(&self, _: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn find<'a>(&'a self, _: &'a Filter) -> StoreFuture<'a, Page> {
        Box::pin(async { Ok(vec![Entry::new(EntryId::default(), "success")].into()) })
    }

    fn prune_step(&self, keep: Keep) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut steps = self.0.lock().unwrap();
            steps.push(keep.rows);
            Ok(u64::from(!steps.len().is_multiple_of(3)))
        })
    }
}

#[tokio::test]
async fn one_pruning_runs_at_a_time() {
    let store = Steps::default();
    let log = DeliveryLog::builder().store(store.clone()).unwrap();
    let prune = |rows| log.prune(Retention::new().max_rows(rows));
    let (first, second, third) = tokio::join!(prune(1), prune(2), prune(3));
    assert_eq!([first, second, third].map(Result::unwrap), [2; 3]);
    assert_eq!(*store.0.lock().unwrap(), [1, 1, 1, 2, 2, 2, 3, 3, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pruning_lets_rows_be_written() {
    let directory = TempDir::new();
    let log =
        DeliveryLog::builder().durable().sqlite(directory.path().join("log.db")).await.unwrap();
    let mut file = connect(&directory).await;
    fill(&mut file, 20_000, 100).await;
    let inner = Inner::default();
    let durable = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(log.durable_layer().unwrap())
        .service(inner.clone());
    let pruned = log.clone();
    let pruning = tokio::spawn(async move { pruned.prune(Retention::new().max_rows(100)).await });
    let mut sent = 0;
    while !pruning.is_finished() || sent < 5 {
        assert_eq!(within(call(durable.clone(), genuine(b"x"))).await.unwrap().status(), 200);
        sent += 1;
    }
    let deleted = i64::try_from(pruning.await.unwrap().unwrap()).unwrap();
    log.flush().await.unwrap();
    let [counted, there] = totals(&mut file).await;
    assert_eq!((counted, there.0), (there, 20_000 + sent - deleted));
    assert!(deleted >= 19_900 && there.0 >= 100, "{deleted} of {}", 20_000 + sent);
    let newest = log.find(&Filter::new().since(std::time::UNIX_EPOCH + 1_000 * SECOND)).await;
    assert_eq!(newest.unwrap().len(), usize::try_from(sent).unwrap().min(50), "the new ones stay");
}

#[tokio::test]
async fn limits_of_all_kinds_leave_the_same_rows() {
    // The newest 1,200 of 3,000 rows, a millisecond apart and as long as each other.
    let since = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_801);
    let retentions = [
        |_| Retention::new().max_rows(1_200),
        |_| Retention::new().max_bytes(1_200 * 300 + 299),
        // Some time passes until the rows are judged by it.
        |since: std::time::SystemTime| Retention::new().max_age(since.elapsed().unwrap()),
    ];
    for (number, retention) in retentions.into_iter().enumerate() {
        let directory = TempDir::new();
        let log = DeliveryLog::builder().sqlite(directory.path().join("log.db")).await.unwrap();
        let mut file = connect(&directory).await;
        fill(&mut file, 3_000, 100).await;
        if number == 2 {
            // By age, rows that are older by a day are told apart however slow the test is.
            let age = "UPDATE webhook_deliveries SET id = '01000000' || substr(id, 9) WHERE received_at > 1800";
            sqlx::raw_sql(age).execute(&mut file).await.unwrap();
        }
        let by_hand = "DELETE FROM webhook_deliveries WHERE received_at IN (7, 2900)";
        sqlx::raw_sql(by_hand).execute(&mut file).await.unwrap();
        let deleted = log.prune(retention(since + 86_400 * SECOND)).await.unwrap();
        let left = "SELECT COUNT(*), MIN(received_at) FROM webhook_deliveries";
        let left: (i64, i64) = sqlx::query_as(left).fetch_one(&mut file).await.unwrap();
        // Of those that are kept by age one is gone.
        let expected = if number == 2 { (1_799, (1_199, 1_801)) } else { (1_798, (1_200, 1_800)) };
        assert_eq!((deleted, left), expected, "{number}");
        let [counted, there] = totals(&mut file).await;
        assert_eq!(counted, there);
        assert_eq!(log.prune(retention(since + 86_400 * SECOND)).await.unwrap(), 0);
    }
}
