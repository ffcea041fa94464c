//! The log in PostgreSQL.

use sqlx::{Connection, PgConnection, Row};
use tower::ServiceBuilder;
use tower_webhook::delivery_log::{DeliveryLog, Filter};

use crate::{
    cluster::Cluster,
    delivery_log::{SECOND, call, contract, forged, genuine, kills, logged, rows, send_to},
    net::within,
    support::Inner,
};

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let cluster = Cluster::start();
    let log = contract::builder().postgres(&cluster.url()).await.unwrap();
    contract::keeps_its_contract(log).await;
}

#[tokio::test]
async fn database_with_other_tables_is_opened_again() {
    let cluster = Cluster::start();
    let mut other = PgConnection::connect(&cluster.url()).await.unwrap();
    // Another user of `sqlx` keeps its migrations in a table of this name.
    let theirs = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, success BOOLEAN); \
                  INSERT INTO _sqlx_migrations VALUES (1, TRUE)";
    sqlx::raw_sql(theirs).execute(&mut other).await.unwrap();
    let (url, builder) = (cluster.url(), DeliveryLog::builder);
    let (a, b) = tokio::join!(builder().postgres(&url), builder().postgres(&url));
    for (round, log) in
        [a.unwrap(), b.unwrap(), builder().postgres(&url).await.unwrap()].into_iter().enumerate()
    {
        send_to(&logged(&log), 200, genuine(b"x")).await;
        assert_eq!(rows(&log).await.len(), round + 1);
        log.shutdown(10 * SECOND).await.unwrap();
    }
    let tables =
        sqlx::query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
    let tables = tables.fetch_all(&mut other).await.unwrap();
    let names: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        names,
        [
            "_sqlx_migrations",
            "webhook_deliveries",
            "webhook_deliveries_schema",
            "webhook_deliveries_totals"
        ]
    );
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_stops_and_starts_again_loses_no_row() {
    let cluster = Cluster::start();
    let log = DeliveryLog::builder().durable().postgres(&cluster.url()).await.unwrap();
    let inner = Inner::default();
    let strict = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(log.durable_layer().unwrap())
        .service(inner.clone());
    for how in ["fast", "immediate"] {
        let called = inner.count();
        assert_eq!(within(call(strict.clone(), genuine(b"a"))).await.unwrap().status(), 200);
        cluster.down(how);
        assert_eq!(within(send_to(&logged(&log), 200, genuine(b"b"))).await, 200, "best effort");
        let answer = within(call(strict.clone(), genuine(b"c"))).await.unwrap();
        assert_eq!((answer.status().as_u16(), inner.count()), (503, called + 1), "{how}");
        assert_eq!(within(call(strict.clone(), forged(b"d"))).await.unwrap().status(), 403);
        assert!(within(log.find(&Filter::new())).await.is_err(), "a query says so");
        assert!(log.failure().is_some(), "{how}");
        cluster.up();
        within(log.flush()).await.unwrap();
        assert_eq!(log.failure(), None, "it recovers by itself");
    }
    let mut outcomes: Vec<_> =
        within(rows(&log)).await.into_iter().filter_map(|row| row.http_status).collect();
    outcomes.sort_unstable();
    assert_eq!((outcomes, log.dropped()), (vec![200, 200, 200, 200, 403, 403, 503, 503], 0));
    within(log.shutdown(10 * SECOND)).await.unwrap();
}

#[tokio::test]
async fn durable_mode_needs_synchronous_commit() {
    let cluster = Cluster::start();
    for (setting, is_taken) in [("off", false), ("local", true)] {
        let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
        let set = format!("ALTER ROLE CURRENT_USER SET synchronous_commit = {setting}");
        sqlx::raw_sql(&set).execute(&mut server).await.unwrap();
        server.close().await.unwrap();
        let strict = DeliveryLog::builder().durable().postgres(&cluster.url()).await;
        assert_eq!(strict.is_ok(), is_taken, "{setting}");
        assert!(DeliveryLog::builder().postgres(&cluster.url()).await.is_ok(), "{setting}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_says_so() {
    let cluster = Cluster::start();
    let url = cluster.url().replace("postgres@", "postgres:pass-canary@");
    cluster.down("immediate");
    let error = within(DeliveryLog::builder().postgres(&url)).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(error.to_string().contains("unavailable") && !shown.contains("pass-canary"), "{shown}");
}

async fn survives_kills(name: &str, is_durable: bool) {
    let test = format!("postgres::{name}");
    // The child has the parent's cluster.
    if kills::is_child() {
        return kills::survives_kills(&test, "", is_durable).await;
    }
    let cluster = Cluster::start();
    kills::survives_kills(&test, &cluster.url(), is_durable).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_acknowledges_nothing_without_its_row() {
    survives_kills("strict_acknowledges_nothing_without_its_row", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn best_effort_loses_at_most_the_queue() {
    survives_kills("best_effort_loses_at_most_the_queue", false).await;
}
