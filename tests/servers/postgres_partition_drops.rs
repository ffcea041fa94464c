//! Dropping the partitions of the log's table in PostgreSQL, while deliveries and pruning go on.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use sqlx::{Connection, Executor, PgConnection};
use tower::{ServiceBuilder, service_fn};
use tower_webhook::{
    BufferedBody,
    delivery_log::{DeliveryLog, Retention},
};

use crate::{
    delivery_log::{SECOND, call, genuine, rows},
    net::within,
    postgres_partitions::{
        IN_DEFAULT, TODAY, count, deliver_during, drop_before, fill, start_with, totals_are_exact,
    },
    postgres_storage::{execute, totals},
    support::{meta_layer, unexplained},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_and_pruning_go_on_during_drops() {
    let (cluster, mut server) = start_with(20).await;
    let log = DeliveryLog::builder().durable().postgres(&cluster.url()).await.unwrap();
    fill(&mut server, 20_000, &format!("{TODAY} - interval '20 days'"), "1.44 minutes").await;
    let mut other = PgConnection::connect(&cluster.url()).await.unwrap();
    let drops = async {
        let mut gone = 0;
        for days in (6..=20).rev() {
            let before = format!("now() - interval '{days} days'");
            let dropped = format!("SELECT webhook_deliveries_drop_partitions({before})");
            gone += loop {
                let dropped = sqlx::query_scalar::<_, i64>(&dropped);
                if let Ok(gone) = dropped.fetch_one(&mut other).await {
                    break gone;
                }
            };
            let ahead = format!(
                "SELECT webhook_deliveries_create_partitions(interval '{} days')",
                30 - days
            );
            while other.execute(&*ahead).await.is_err() {}
        }
        gone
    };
    let prunes = async {
        let mut gone = 0;
        for rows in (10_000..19_000).rev().step_by(1_000) {
            gone += log.prune(Retention::new().max_rows(rows)).await.unwrap();
        }
        i64::try_from(gone).unwrap()
    };
    let (sent, (dropped, pruned)) =
        deliver_during(&log, async { tokio::join!(drops, prunes) }).await;
    log.flush().await.unwrap();
    assert_eq!(totals_are_exact(&mut server).await, 20_000 + sent - dropped - pruned);
    assert!(dropped > 0 && pruned > 0, "{dropped} dropped, {pruned} pruned");
    assert_eq!((log.failure(), log.dropped()), (None, 0));
    let left = "SELECT count(*) FROM webhook_deliveries_partitions() WHERE starts_at < now()";
    assert_eq!(count(&mut server, left).await, 6 + 1, "with today's");
    log.shutdown(10 * SECOND).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_do_not_wait_behind_a_long_report() {
    let (cluster, mut server) = start_with(3).await;
    fill(&mut server, 300, "now() - interval '50 hours'", "10 minutes").await;
    let log = DeliveryLog::builder().durable().store_timeout(3 * SECOND);
    let log = log.postgres(&cluster.url()).await.unwrap();
    let mut report = PgConnection::connect(&cluster.url()).await.unwrap();
    execute(&mut report, "BEGIN; SELECT count(*) FROM webhook_deliveries").await;
    let before = totals(&mut server).await[0].0;
    let mut sent = 0;
    for maintenance in [
        "SELECT webhook_deliveries_drop_partitions(now())",
        "SELECT webhook_deliveries_create_partitions(interval '30 days')",
    ] {
        let (during, failed) = deliver_during(&log, server.execute(maintenance)).await;
        let failed = failed.unwrap_err();
        let code = failed.as_database_error().unwrap().code();
        assert_eq!(code.as_deref(), Some("55P03"), "lock_not_available: {failed}");
        sent += during;
    }
    assert_eq!(totals_are_exact(&mut server).await, before + sent);
    execute(&mut report, "COMMIT").await;
    assert!(drop_before(&mut server, "now()").await > 0);
    assert_eq!((log.failure(), log.dropped()), (None, 0));
    log.shutdown(10 * SECOND).await.unwrap();
}

#[tokio::test]
async fn handler_outlives_the_partition_of_its_row() {
    let (cluster, mut server) = start_with(1).await;
    let log = DeliveryLog::builder().durable().postgres(&cluster.url()).await.unwrap();
    let url = cluster.url();
    let handler = service_fn(move |_: Request<BufferedBody>| {
        let url = url.clone();
        async move {
            let mut server = PgConnection::connect(&url).await.unwrap();
            let dropped = drop_before(&mut server, "now() + interval '30 days'").await;
            Ok::<_, Infallible>(Response::new(dropped.to_string()))
        }
    });
    let layers = ServiceBuilder::new()
        .layer(unexplained(meta_layer()).observer(log.clone()))
        .layer(log.durable_layer().unwrap());
    let answer = within(call(layers.service(handler), genuine(b"x"))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let written = rows(&log).await;
    assert_eq!((written.len(), &*written[0].status), (1, "success"));
    assert_eq!(totals_are_exact(&mut server).await, 1);
    assert_eq!(count(&mut server, IN_DEFAULT).await, 1);
}

/// Returns once a session waits for a lock.
async fn some_wait(server: &mut PgConnection) {
    within(async {
        while count(server, "SELECT count(*) FROM pg_locks WHERE NOT granted").await == 0 {}
    })
    .await;
}

/// Between reading the totals and the oldest rows, a drop would let pruning delete too many rows.
#[tokio::test]
async fn pruning_waits_for_maintenance() {
    let (cluster, mut server) = start_with(3).await;
    let log = DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
    fill(&mut server, 100, &format!("{TODAY} - interval '1 day'"), "1 second").await;
    let mut other = PgConnection::connect(&cluster.url()).await.unwrap();
    // With nothing to do, they take no other lock that pruning needs.
    for idle in [
        "SELECT webhook_deliveries_create_partitions()",
        "SELECT webhook_deliveries_drop_partitions(now() - interval '1 year')",
    ] {
        execute(&mut server, &format!("BEGIN; {idle}")).await;
        let commits = async {
            some_wait(&mut other).await;
            execute(&mut server, "COMMIT").await;
        };
        let (pruned, ()) = tokio::join!(log.prune(Retention::new().max_rows(100)), commits);
        assert_eq!(pruned.unwrap(), 0);
    }
    log.shutdown(10 * SECOND).await.unwrap();
}

#[tokio::test]
async fn changes_of_old_rows_stay_counted() {
    let (cluster, mut server) = start_with(3).await;
    fill(&mut server, 100, &format!("{TODAY} - interval '3 days'"), "1 second").await;
    let mut other = PgConnection::connect(&cluster.url()).await.unwrap();
    let mut third = PgConnection::connect(&cluster.url()).await.unwrap();
    execute(&mut other, "BEGIN; SELECT count(*) FROM webhook_deliveries").await;
    let changes = async {
        // The rows are counted, and the table is not locked yet.
        some_wait(&mut third).await;
        execute(&mut other, "DELETE FROM webhook_deliveries WHERE received_at < 30; COMMIT").await;
    };
    let drop = "SELECT webhook_deliveries_drop_partitions(now())";
    let (dropped, ()) = tokio::join!(server.execute(drop), changes);
    let failed = dropped.unwrap_err();
    let code = failed.as_database_error().unwrap().code();
    assert_eq!(code.as_deref(), Some("55P03"), "the function fails, not the change: {failed}");
    assert_eq!(drop_before(&mut server, "now()").await, 70);
    assert_eq!(totals_are_exact(&mut server).await, 0);
}
