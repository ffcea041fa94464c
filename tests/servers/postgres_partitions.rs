//! The log in a PostgreSQL table that `migrations/postgres/partitions.sql` has partitioned.

use std::{
    convert::Infallible,
    ops::RangeInclusive,
    sync::atomic::{AtomicBool, Ordering},
};

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use sqlx::{Connection, Executor, PgConnection};
use tower::{Service, ServiceBuilder, service_fn};
use tower_webhook::{
    BufferedBody,
    delivery_log::{DeliveryLog, Filter, Retention},
};

use crate::{
    cluster::Cluster,
    delivery_log::{SECOND, call, contract, genuine, rows},
    net::within,
    postgres_storage::{WRITE_PLANS, execute, filters, read_plans, totals},
    support::{Inner, meta_layer, unexplained},
};

const PARTITIONS: &str = include_str!("../../migrations/postgres/partitions.sql");

pub(crate) const TODAY: &str = "date_trunc('day', now(), 'UTC')";

/// Starts a server with the tables of a log.
async fn start() -> (Cluster, PgConnection) {
    let cluster = Cluster::start();
    let log = DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
    log.shutdown(10 * SECOND).await.unwrap();
    let server = PgConnection::connect(&cluster.url()).await.unwrap();
    (cluster, server)
}

/// Starts a server with a partition for each of the last days, and for the next ones.
pub(crate) async fn start_with(days: u32) -> (Cluster, PgConnection) {
    let (cluster, mut server) = start().await;
    // A table without rows gets partitions from today on.
    execute(&mut server, PARTITIONS).await;
    attach_past(&mut server, 1..=days).await;
    (cluster, server)
}

/// Attaches a partition for each of these days before today.
async fn attach_past(server: &mut PgConnection, days: RangeInclusive<u32>) {
    for day in days {
        let attach = format!(
            "DO $$ BEGIN CREATE TABLE past_{day} (LIKE webhook_deliveries INCLUDING ALL);
                EXECUTE format('ALTER TABLE webhook_deliveries ATTACH PARTITION past_{day}
                    FOR VALUES FROM (%L) TO (%L)',
                    webhook_deliveries_first_id({TODAY} - interval '{day} days'),
                    webhook_deliveries_first_id({TODAY} - interval '{day} days' + interval '1 day'));
            END $$"
        );
        execute(server, &attach).await;
    }
}

/// Inserts rows at equal intervals, whose first one is at this time.
pub(crate) async fn fill(server: &mut PgConnection, rows: u32, from: &str, interval: &str) {
    let fill = format!(
        "INSERT INTO webhook_deliveries (id, received_at, stored_len, status, provider, tenant, method, url,
            verified, headers, payload_truncated, payload)
         SELECT left(at, 8) || '-' || right(at, 4) || '-7000-8000-' || lpad(to_hex(i), 12, '0'), i, 300,
            CASE WHEN i % 100 = 0 THEN 'error' ELSE 'success' END,
            CASE WHEN i % 50 = 0 THEN 'meta' ELSE 'github' END, 'tenant-' || (i % 10),
            'POST', '/', TRUE, '{{}}', FALSE, repeat('x', 100)::bytea
         FROM generate_series(0, {rows} - 1) AS i, extract(epoch FROM {from} + i * interval '{interval}') AS s,
            lpad(to_hex((s * 1000)::bigint), 12, '0') AS at"
    );
    execute(server, &fill).await;
}

pub(crate) async fn count(server: &mut PgConnection, counted: &str) -> i64 {
    sqlx::query_scalar(&format!("SELECT ({counted})::bigint")).fetch_one(server).await.unwrap()
}

pub(crate) const ROWS: &str = "SELECT count(*) FROM webhook_deliveries";
pub(crate) const IN_DEFAULT: &str = "SELECT count(*) FROM webhook_deliveries_default";

pub(crate) async fn drop_before(server: &mut PgConnection, before: &str) -> i64 {
    count(server, &format!("SELECT webhook_deliveries_drop_partitions({before})")).await
}

pub(crate) async fn totals_are_exact(server: &mut PgConnection) -> i64 {
    let [counted, there] = totals(server).await;
    assert_eq!(counted, there, "totals");
    there.0
}

/// Sends a delivery in durable mode, at the time of the system's clock.
async fn deliver(log: &DeliveryLog) -> StatusCode {
    let layers = ServiceBuilder::new()
        .layer(unexplained(meta_layer()).observer(log.clone()))
        .layer(log.durable_layer().unwrap());
    let answer = within(call(layers.service(Inner::default()), genuine(b"x"))).await;
    answer.unwrap().status()
}

/// Sends deliveries one after the other until the work is done, and returns their number.
pub(crate) async fn deliver_during<T>(
    log: &DeliveryLog,
    work: impl Future<Output = T>,
) -> (i64, T) {
    let done = AtomicBool::new(false);
    let work = async {
        let result = work.await;
        done.store(true, Ordering::Relaxed);
        result
    };
    let deliver = async {
        let mut sent = 0;
        while !done.load(Ordering::Relaxed) || sent < 5 {
            assert_eq!(deliver(log).await, StatusCode::OK, "delivery {sent}");
            sent += 1;
        }
        sent
    };
    tokio::join!(deliver, work)
}

#[tokio::test]
async fn partitioned_table_keeps_the_contract() {
    let (cluster, mut server) = start().await;
    for _ in 0..2 {
        execute(&mut server, PARTITIONS).await;
    }
    let log = contract::builder().postgres(&cluster.url()).await.unwrap();
    contract::keeps_its_contract(log).await;
    totals_are_exact(&mut server).await;
}

/// Properties that later migrations and other users of the table rely on.
const SURROUNDINGS: &str = "
    SELECT indexdef FROM pg_indexes WHERE tablename = 'webhook_deliveries'
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'webhook_deliveries'::regclass
    UNION ALL SELECT format('%s %s %s %s', attname, atttypid, attcollation, attnotnull) FROM pg_attribute
        WHERE attrelid = 'webhook_deliveries'::regclass AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT a.privilege_type || a.grantee FROM pg_class, aclexplode(relacl) AS a
        WHERE pg_class.oid = 'webhook_deliveries'::regclass
    ORDER BY 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn table_is_converted_while_a_log_is_open() {
    let (cluster, mut server) = start().await;
    let log = DeliveryLog::builder().durable().postgres(&cluster.url()).await.unwrap();
    // The last row's clock was wrong.
    fill(&mut server, 5_000, "now() - interval '4999 hours'", "1 hour").await;
    fill(&mut server, 1, "now() + interval '700 days'", "1 hour").await;
    execute(
        &mut server,
        "CREATE ROLE reader; CREATE ROLE another; GRANT SELECT ON webhook_deliveries TO reader",
    )
    .await;
    let surroundings = async |server: &mut PgConnection| -> Vec<String> {
        let found = sqlx::query_scalar(SURROUNDINGS).fetch_all(server).await.unwrap();
        found.into_iter().map(|text: String| text.replace(" ONLY ", " ")).collect()
    };
    let before = surroundings(&mut server).await;
    // Each connection has prepared its statements.
    deliver_during(&log, log.find(&Filter::failed())).await.1.unwrap();
    for (obstacle, removed, error) in [
        (
            "CREATE VIEW failures AS SELECT id FROM webhook_deliveries WHERE status = 'error'",
            "DROP VIEW failures",
            "views, publications or foreign keys",
        ),
        (
            "ALTER TABLE webhook_deliveries OWNER TO another",
            "ALTER TABLE webhook_deliveries OWNER TO postgres",
            "only the owner",
        ),
    ] {
        execute(&mut server, obstacle).await;
        let refused = server.execute(PARTITIONS).await.unwrap_err().to_string();
        assert!(refused.contains(error), "{refused}");
        execute(&mut server, &format!("ROLLBACK; {removed}")).await;
    }
    let there = count(&mut server, ROWS).await;
    let mut other = PgConnection::connect(&cluster.url()).await.unwrap();
    let (sent, ()) = deliver_during(&log, async {
        // A delivery may be in the way for longer than the script waits.
        while other.execute(PARTITIONS).await.is_err() {
            execute(&mut other, "ROLLBACK").await;
        }
    })
    .await;
    log.flush().await.unwrap();
    assert_eq!(totals_are_exact(&mut server).await, there + sent);
    assert_eq!(surroundings(&mut server).await, before);
    assert_eq!(count(&mut server, IN_DEFAULT).await, 1, "the row with the wrong clock");
    assert_eq!(log.find(&Filter::new().limit(1_000)).await.unwrap().len(), 1_000);
    log.shutdown(10 * SECOND).await.unwrap();
}

const TEN_DAYS: &str = "SELECT webhook_deliveries_create_partitions(interval '10 days')";

#[tokio::test]
async fn rows_get_into_partitions_that_came_late() {
    let (cluster, mut server) = start().await;
    execute(&mut server, PARTITIONS).await;
    // Nobody has called the function since the partition of ten days ago.
    drop_before(&mut server, "now() + interval '20 days'").await;
    attach_past(&mut server, 10..=12).await;
    let twelve_days_ago = format!("{TODAY} - interval '12 days'");
    fill(&mut server, 15 * 24, &twelve_days_ago, "1 hour").await;
    // A clock that was never set.
    fill(&mut server, 5, "to_timestamp(5)", "1 second").await;
    assert_eq!(count(&mut server, IN_DEFAULT).await, 12 * 24 + 5);
    assert_eq!(count(&mut server, TEN_DAYS).await, 1 + 10, "one for the past, and for ten days");
    assert_eq!(count(&mut server, TEN_DAYS).await, 0);
    assert_eq!(count(&mut server, IN_DEFAULT).await, 5);
    let parts = "SELECT count(*) FROM webhook_deliveries GROUP BY tableoid ORDER BY min(id)";
    let parts: Vec<i64> = sqlx::query_scalar(parts).fetch_all(&mut server).await.unwrap();
    assert_eq!(parts, [5, 24, 24, 24, 10 * 24, 24, 24]);
    assert_eq!(drop_before(&mut server, &format!("{TODAY} - interval '10 days'")).await, 5 + 48);
    assert_eq!(totals_are_exact(&mut server).await, 13 * 24);
    let log = DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
    assert_eq!(log.prune(Retention::new().max_rows(100)).await.unwrap(), 13 * 24 - 100);
    assert_eq!(totals_are_exact(&mut server).await, 100);
    execute(&mut server, "TRUNCATE webhook_deliveries").await;
    assert_eq!(totals_are_exact(&mut server).await, 0);
}

#[tokio::test]
async fn partition_is_created_for_a_row_that_waits() {
    let (cluster, mut server) = start_with(1).await;
    execute(&mut server, "BEGIN").await;
    assert_eq!(count(&mut server, TEN_DAYS).await, 3);
    let mut other = PgConnection::connect(&cluster.url()).await.unwrap();
    let mut third = PgConnection::connect(&cluster.url()).await.unwrap();
    let commits = async {
        while count(&mut third, "SELECT count(*) FROM pg_locks WHERE NOT granted").await == 0 {}
        execute(&mut server, "COMMIT").await;
    };
    // PostgreSQL would reject the row of an INSERT that had chosen the default partition before.
    let writes = fill(&mut other, 1, "now() + interval '9 days'", "1 second");
    within(async { tokio::join!(writes, commits) }).await;
    assert_eq!((count(&mut server, ROWS).await, count(&mut server, IN_DEFAULT).await), (1, 0));
}

#[tokio::test]
async fn durable_mode_rejects_an_unlogged_partition() {
    let (cluster, mut server) = start_with(2).await;
    let open = || async { DeliveryLog::builder().durable().postgres(&cluster.url()).await };
    open().await.unwrap();
    execute(&mut server, "ALTER TABLE past_2 SET UNLOGGED").await;
    let error = open().await.unwrap_err().to_string();
    assert!(error.contains("a partition is UNLOGGED"), "{error}");
    DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
}

#[tokio::test]
async fn migrations_change_all_partitions() {
    let cluster = Cluster::start();
    let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
    let first = include_str!("../../migrations/postgres/0001_webhook_deliveries.sql");
    execute(&mut server, first).await;
    let version = "CREATE TABLE webhook_deliveries_schema (version BIGINT NOT NULL); \
         INSERT INTO webhook_deliveries_schema VALUES (1)";
    execute(&mut server, version).await;
    execute(&mut server, PARTITIONS).await;
    // The second migration adds columns.
    let log = DeliveryLog::builder().durable().postgres(&cluster.url()).await.unwrap();
    execute(&mut server, TEN_DAYS).await;
    let have_it = "SELECT count(DISTINCT attrelid) FROM pg_attribute \
         JOIN pg_partition_tree('webhook_deliveries') ON relid = attrelid WHERE attname = 'cause'";
    assert_eq!(count(&mut server, have_it).await, 1 + 11 + 1, "the table and all partitions");
    assert_eq!(deliver(&log).await, StatusCode::OK);
    assert_eq!(rows(&log).await.len(), 1);
    totals_are_exact(&mut server).await;
}

/// Returns the index of the whole table that an index of a partition belongs to.
fn index_of(used: &str) -> &'static str {
    match used {
        _ if used.contains("_tenant") => "webhook_deliveries_tenant",
        _ if used.contains("_provider") => "webhook_deliveries_provider",
        _ if used.contains("_status") => "webhook_deliveries_status",
        _ => "webhook_deliveries_pkey",
    }
}

#[tokio::test]
async fn searches_use_one_index_of_each_partition() {
    const DAYS: u32 = 30;
    let (cluster, mut server) = start_with(DAYS - 1).await;
    let from = format!("{TODAY} - interval '{} days'", DAYS - 1);
    fill(&mut server, 20_000, &from, "2 minutes").await;
    execute(&mut server, WRITE_PLANS).await;
    for prepare in [
        "SELECT",
        "ANALYZE webhook_deliveries",
        "ALTER ROLE CURRENT_USER SET plan_cache_mode = force_generic_plan",
    ] {
        execute(&mut server, prepare).await;
        let log = DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
        for (filter, index) in filters() {
            for nth in 1..=12 {
                cluster.said();
                let found = log.find(&filter).await.unwrap().len();
                if [1, 12].contains(&nth) {
                    let (used, rows) = read_plans(&cluster.said());
                    let context = format!("{prepare}, execution {nth} of {filter:?}: {used:?}");
                    let used: Vec<_> = used.iter().map(|used| index_of(used)).collect();
                    assert!(used.contains(&index), "{context}");
                    let is_wanted =
                        |used: &&str| *used == index || *used == "webhook_deliveries_pkey";
                    assert!(used.iter().all(is_wanted), "{context}");
                    // One of each partition, for each group, and the rows themselves.
                    assert!(rows <= 20 * u64::from(DAYS + 8), "{rows} rows for {found}: {context}");
                }
            }
        }
        log.shutdown(10 * SECOND).await.unwrap();
    }
}
