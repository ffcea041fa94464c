//! The log in PostgreSQL: plans, limits that the server keeps, exact totals, and what durable mode asks
//! for.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;
use tower::ServiceBuilder;
use tower_webhook::delivery_log::{DeliveryLog, EntryId, Filter, Page, Retention};

use crate::{
    cluster::Cluster,
    delivery_log::{SECOND, call, genuine, logged, recipes, send_to},
    net::within,
    support::{Inner, hex},
};

/// Most rows are successes of one provider.
async fn fill(server: &mut PgConnection, rows: u32) {
    let fill = format!(
        "INSERT INTO webhook_deliveries (id, received_at, stored_len, status, provider, tenant, method, url,
            verified, headers, payload_truncated, payload)
         SELECT '00000000-' || lpad(to_hex(i / 65536), 4, '0') || '-7000-8000-'
                || lpad(to_hex(i), 12, '0'), i, 300,
            CASE WHEN i % 1000 = 0 THEN 'error' ELSE 'success' END,
            CASE WHEN i % 50 = 0 THEN 'meta' ELSE 'github' END, 'tenant-' || (i % 10),
            'POST', '/', TRUE, '{{}}', FALSE, repeat('x', 100)::bytea
         FROM generate_series(1, {rows}) AS i"
    );
    sqlx::raw_sql(&fill).execute(server).await.unwrap();
}

pub(crate) async fn totals(server: &mut PgConnection) -> [(i64, i64); 2] {
    let counted = "SELECT COALESCE(SUM(rows), 0)::bigint, COALESCE(SUM(bytes), 0)::bigint \
         FROM webhook_deliveries_totals";
    let counted = sqlx::query_as(counted).fetch_one(&mut *server).await.unwrap();
    let there = "SELECT COUNT(*), COALESCE(SUM(stored_len), 0)::bigint FROM webhook_deliveries";
    [counted, sqlx::query_as(there).fetch_one(server).await.unwrap()]
}

pub(crate) async fn execute(server: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(statement).execute(server).await.unwrap();
}

/// Each filter, their pairs and the three at once, and the index of each.
pub(crate) fn filters() -> Vec<(Filter, &'static str)> {
    let mut all = Vec::new();
    for statuses in [&[][..], &["error"], &["error", "unauthorized"], &["success", "none"]] {
        for (tenant, provider) in [(false, false), (false, true), (true, false), (true, true)] {
            let index = match (tenant, provider) {
                (true, _) => "webhook_deliveries_tenant",
                (false, true) => "webhook_deliveries_provider",
                _ if statuses.is_empty() => "webhook_deliveries_pkey",
                _ => "webhook_deliveries_status",
            };
            let filter =
                statuses.iter().fold(Filter::new().limit(20), |f, status| f.status(status));
            let filter = if tenant { filter.tenant("tenant-0") } else { filter };
            let filter = if provider { filter.provider("github") } else { filter };
            all.push((filter.clone(), index));
            all.push((
                filter.since(EntryId::MIN.time()).until(std::time::SystemTime::now()),
                index,
            ));
        }
    }
    all
}

/// The server writes the plan of each statement of a new connection into its own log.
pub(crate) const WRITE_PLANS: &str = "
    ALTER ROLE CURRENT_USER SET session_preload_libraries = 'auto_explain';
    ALTER ROLE CURRENT_USER SET auto_explain.log_min_duration = 0;
    ALTER ROLE CURRENT_USER SET auto_explain.log_analyze = on;
    ALTER ROLE CURRENT_USER SET auto_explain.log_timing = off";

/// Reads the plans that the server has written down while it executed them: the indexes that were
/// used, and how many rows were read from the table and its indexes.
pub(crate) fn read_plans(said: &str) -> (Vec<String>, u64) {
    let (mut indexes, mut rows, mut loops) = (Vec::new(), 0, 0);
    let number = |line: &str, before: &str| -> Option<u64> {
        let rest = line.split_once(before)?.1;
        rest.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
    };
    for line in said.lines() {
        assert!(!line.contains("Seq Scan") && !line.contains("Bitmap"), "{said}");
        if let Some((_, rest)) = line.split_once(" using ") {
            indexes.push(rest.split(' ').next().unwrap().to_owned());
            loops =
                if line.contains("never executed") { 0 } else { number(line, "loops=").unwrap() };
            // Fractions are rounded.
            rows += (number(line, "(actual rows=").unwrap_or(0) + 1) * loops;
        } else if let Some(removed) = number(line, "Rows Removed by Filter: ") {
            rows += (removed + 1) * loops;
        }
    }
    indexes.sort();
    indexes.dedup();
    (indexes, rows)
}

#[tokio::test]
async fn every_search_uses_its_index_on_every_execution() {
    let cluster = Cluster::start();
    let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
    DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
    execute(&mut server, WRITE_PLANS).await;
    for (rows, prepare) in [
        // A plan that is made of few rows is kept when they are many.
        (100, "SELECT"),
        (20_000, "SELECT"),
        (0, "ANALYZE webhook_deliveries"),
        (0, "ALTER ROLE CURRENT_USER SET plan_cache_mode = force_generic_plan"),
        // Statistics that say that every row is what is asked for.
        (
            0,
            "UPDATE webhook_deliveries SET status = 'success', provider = 'github', tenant = 'tenant-0'",
        ),
        (0, "VACUUM ANALYZE webhook_deliveries"),
    ] {
        if rows > 0 {
            execute(&mut server, "TRUNCATE webhook_deliveries").await;
            fill(&mut server, rows).await;
        }
        execute(&mut server, prepare).await;
        let log = DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
        for (filter, index) in filters() {
            for nth in 1..=12 {
                cluster.said();
                let found = log.find(&filter).await.unwrap().len();
                if [1, 12].contains(&nth) {
                    let (indexes, rows) = read_plans(&cluster.said());
                    let context = format!("{prepare}, execution {nth} of {filter:?}: {indexes:?}");
                    assert!(indexes.iter().any(|used| used == index), "{context}");
                    let is_wanted =
                        |used: &String| used == index || used == "webhook_deliveries_pkey";
                    assert!(indexes.iter().all(is_wanted), "{context}");
                    // For each of its few groups, and for the rows themselves.
                    assert!(rows <= 200, "{rows} rows were read for {found}: {context}");
                }
            }
        }
        log.shutdown(10 * SECOND).await.unwrap();
    }
}

#[tokio::test]
async fn beyond_many_groups_the_newest_rows_are_looked_at() {
    let cluster = Cluster::start();
    let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
    let url = cluster.url();
    // On another thread: the future can be sent.
    let log = tokio::spawn(async move { DeliveryLog::builder().postgres(&url).await });
    let log = log.await.unwrap().unwrap();
    fill(&mut server, 120_000).await;
    let odd =
        "UPDATE webhook_deliveries SET status = 'odd-' || received_at WHERE received_at <= 500";
    execute(&mut server, odd).await;
    let page = log.find(&Filter::new().provider("github").limit(10)).await.unwrap();
    assert_eq!((page.len(), page.searched_until), (10, None), "the newest are there");
    for (statuses, is_walk) in [(128, false), (129, true)] {
        let filter =
            (1..=statuses).fold(Filter::new(), |f, number| f.status(format!("odd-{number}")));
        let (mut pages, mut found, mut next) = (0, 0, Some(filter.limit(200)));
        while let Some(wanted) = next {
            let page: Page = log.find(&wanted).await.unwrap();
            assert_eq!(page.searched_until.is_some(), is_walk && pages < 2, "page {pages}");
            (pages, found, next) = (pages + 1, found + page.len(), page.next(&wanted));
        }
        assert_eq!((pages, found), (if is_walk { 3 } else { 1 }, statuses));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_readers_keep_no_delivery_waiting() {
    let cluster = Cluster::start();
    let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
    let log = DeliveryLog::builder().durable().postgres(&cluster.url()).await.unwrap();
    fill(&mut server, 100_000).await;
    let strict = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(log.durable_layer().unwrap())
        .service(Inner::default());
    let mut readers = JoinSet::new();
    for _ in 0..100 {
        let log = log.clone();
        let filter = Filter::failed().limit(20);
        readers.spawn(async move { log.find(&filter).await.unwrap().len() });
    }
    for _ in 0..10 {
        let answer = within(call(strict.clone(), genuine(b"x"))).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(within(readers.join_all()).await, [20; 100]);
}

#[tokio::test]
async fn the_server_ends_what_was_given_up() {
    let cluster = Cluster::start();
    let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
    let builder = DeliveryLog::builder().store_timeout(Duration::from_millis(500));
    let log = loop {
        // The server is not always as quick as this log wants it to be.
        if let Ok(log) = builder.clone().postgres(&cluster.url()).await {
            break log;
        }
    };
    // A transaction sees the sessions as they were when it looked first, so another one looks.
    let mut other = PgConnection::connect(&cluster.url()).await.unwrap();
    execute(&mut server, "BEGIN; LOCK TABLE webhook_deliveries IN ACCESS EXCLUSIVE MODE").await;
    let ours = "SELECT COUNT(*) FROM pg_stat_activity \
         WHERE wait_event_type = 'Lock' OR query LIKE '%webhook_deliveries%' AND state = 'active' \
            AND pid <> pg_backend_pid()";
    for work in ["find", "prune", "write"] {
        match work {
            "find" => assert!(log.find(&Filter::new()).await.is_err()),
            "prune" => assert!(log.prune(Retention::new().max_rows(0)).await.is_err()),
            _ => {
                send_to(&logged(&log), 200, genuine(b"x")).await;
                let fails = async {
                    while log.failure().is_none() {
                        tokio::task::yield_now().await
                    }
                };
                within(fails).await;
                continue;
            }
        }
        let ends = async {
            while sqlx::query_scalar::<_, i64>(ours).fetch_one(&mut other).await.unwrap() > 0 {
                tokio::task::yield_now().await;
            }
        };
        within(ends).await;
    }
    // The lock is held until here.
    execute(&mut server, "ROLLBACK").await;
    within(log.flush()).await.unwrap();
    assert_eq!((log.failure(), log.dropped()), (None, 0));
    let [counted, there] = totals(&mut server).await;
    assert_eq!((counted, there.0), (there, 1));
}

#[tokio::test]
async fn totals_are_exact_and_pruning_lets_rows_be_written() {
    let cluster = Cluster::start();
    let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
    let log = DeliveryLog::builder().durable().postgres(&cluster.url()).await.unwrap();
    let strict = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(log.durable_layer().unwrap())
        .service(Inner::default());
    let mut other = PgConnection::connect(&cluster.url()).await.unwrap();
    fill(&mut other, 10_000).await;
    // The first row of a delivery, and then its end.
    for _ in 0..20 {
        assert_eq!(within(call(strict.clone(), genuine(b"x"))).await.unwrap().status(), 200);
    }
    log.flush().await.unwrap();
    let [counted, there] = totals(&mut server).await;
    assert_eq!((counted, there.0), (there, 10_020));
    // By somebody's hand, who sees another schema first.
    let by_hand = "CREATE SCHEMA others; SET search_path TO others; \
         DELETE FROM public.webhook_deliveries WHERE received_at <= 100; \
         UPDATE public.webhook_deliveries SET stored_len = stored_len + 7 WHERE received_at <= 200; \
         INSERT INTO public.webhook_deliveries SELECT * FROM public.webhook_deliveries ON CONFLICT DO NOTHING; \
         RESET search_path";
    execute(&mut other, by_hand).await;
    let [counted, there] = totals(&mut server).await;
    assert_eq!((counted, there.0), (there, 9_920));

    let pruned = log.clone();
    let pruning = tokio::spawn(async move { pruned.prune(Retention::new().max_rows(50)).await });
    let mut sent = 0;
    while !pruning.is_finished() || sent < 5 {
        assert_eq!(within(call(strict.clone(), genuine(b"x"))).await.unwrap().status(), 200);
        sent += 1;
    }
    let deleted = i64::try_from(pruning.await.unwrap().unwrap()).unwrap();
    log.flush().await.unwrap();
    let [counted, there] = totals(&mut server).await;
    assert_eq!((counted, there.0), (there, 9_920 + sent - deleted));
    assert!(deleted >= 9_870, "{deleted}");
    let limit = u64::try_from(there.1 - 1).unwrap();
    assert_eq!(log.prune(Retention::new().max_bytes(limit)).await.unwrap(), 1);
    execute(&mut other, "TRUNCATE webhook_deliveries").await;
    assert_eq!(totals(&mut server).await, [(0, 0); 2]);
}

#[tokio::test]
async fn durable_mode_refuses_what_does_not_outlive_a_crash() {
    let cluster = Cluster::start();
    let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
    let url = cluster.url();
    let open = || DeliveryLog::builder().durable().postgres(&url);
    open().await.unwrap();
    for (name, break_it, mend_it) in [
        ("`fsync`", "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM RESET fsync"),
        (
            "`full_page_writes`",
            "ALTER SYSTEM SET full_page_writes = off",
            "ALTER SYSTEM RESET full_page_writes",
        ),
        (
            "`synchronous_commit`",
            "ALTER ROLE CURRENT_USER SET synchronous_commit = off",
            "ALTER ROLE CURRENT_USER RESET synchronous_commit",
        ),
        (
            "UNLOGGED",
            "ALTER TABLE webhook_deliveries SET UNLOGGED",
            "ALTER TABLE webhook_deliveries SET LOGGED",
        ),
    ] {
        execute(&mut server, break_it).await;
        execute(&mut server, "SELECT pg_reload_conf()").await;
        let refused = async {
            // The server reads its configuration when it comes to it.
            loop {
                if let Err(error) = open().await {
                    break error.to_string();
                }
            }
        };
        let error = within(refused).await;
        assert!(error.contains(name), "{error}");
        DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
        execute(&mut server, mend_it).await;
        execute(&mut server, "SELECT pg_reload_conf()").await;
        let mended = async { while open().await.is_err() {} };
        within(mended).await;
    }
}

/// A server goes on with a statement whose client is gone.
#[tokio::test]
async fn searches_that_nobody_waits_for_do_not_pile_up() {
    let cluster = Cluster::start();
    let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
    let mut other = PgConnection::connect(&cluster.url()).await.unwrap();
    let log = DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
    execute(&mut server, "BEGIN; LOCK TABLE webhook_deliveries IN ACCESS EXCLUSIVE MODE").await;
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let count = async |other: &mut PgConnection| -> i64 {
        sqlx::query_scalar(waiting).fetch_one(other).await.unwrap()
    };
    for _ in 0..20 {
        let filter = Filter::new();
        let given_up = tokio::time::timeout(Duration::from_millis(50), log.find(&filter));
        assert!(given_up.await.is_err());
    }
    let waiting = within(async {
        loop {
            let waiting = count(&mut other).await;
            if waiting > 0 {
                return waiting;
            }
        }
    });
    assert!(waiting.await <= 2, "two search at a time");
    execute(&mut server, "ROLLBACK").await;
    assert!(within(log.find(&Filter::new())).await.unwrap().is_empty());
}

#[tokio::test]
async fn recipes_for_postgresql() {
    let cluster = Cluster::start();
    let log = DeliveryLog::builder().postgres(&cluster.url()).await.unwrap();
    let mut server = PgConnection::connect(&cluster.url()).await.unwrap();
    for row in recipes::rows(|text| format!("'\\x{}'::bytea", hex(text.as_bytes()))) {
        execute(&mut server, &row).await;
    }
    let file = include_str!("../../docs/guide/recipes/postgres.sql");
    for (statement, count) in recipes::statements(file).into_iter().zip(recipes::FOUND) {
        let found = sqlx::query(statement).fetch_all(&mut server).await.unwrap();
        assert_eq!(found.len(), count, "{statement}");
    }
    log.shutdown(10 * SECOND).await.unwrap();
}
