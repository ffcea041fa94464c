//! When the cause of a rejection comes into its row, and which causes never do.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, Rejection, Verified,
    delivery_log::{DeliveryLog, MemoryLog},
    providers::Meta,
    verifier::verifier_fn,
};

use super::{
    Mode, NOW, SECOND, Scripted, TempDir,
    explained::{layer, patient, wait},
    forged, genuine, memory, only_row, rows, send_to,
};
use crate::support::{hmac_sha256, meta_request};

/// `forged` signs this, and another body arrives.
const NEWLINE: &[u8] = b"something else\n";

#[tokio::test]
async fn a_row_that_ends_after_its_explanation_has_the_cause() {
    let directory = TempDir::new();
    let builder = || DeliveryLog::builder().durable();
    let sqlite = builder().sqlite(directory.path().join("log.db")).await.unwrap();
    let durable_memory = builder().store(MemoryLog::new(10)).unwrap();
    for (log, is_durable) in [(memory(), false), (durable_memory, true), (sqlite, true)] {
        let (layer, explained) = layer(&log);
        let explained = Arc::new(std::sync::Mutex::new(explained));
        let handler = service_fn(move |_: Request<BufferedBody>| {
            let explained = Arc::clone(&explained);
            async move {
                tokio::task::spawn_blocking(move || wait(&explained.lock().unwrap())).await?;
                Ok::<_, tokio::task::JoinError>(Response::new(String::new()))
            }
        });
        let layer = layer.dangerously_report_only();
        if is_durable {
            let service = layer.layer(log.durable_layer().unwrap().layer(handler));
            service.oneshot(forged(NEWLINE)).await.unwrap();
        } else {
            layer.layer(handler).oneshot(forged(NEWLINE)).await.unwrap();
        }
        let row = only_row(&log).await;
        assert_eq!((&*row.status, row.cause.as_deref()), ("unverified", Some("final_newline")));
        assert!(row.explanation.is_some());
    }
}

#[tokio::test]
async fn rows_of_other_requests_have_no_cause() {
    let log = memory();
    let (layer, explained) = layer(&log);
    send_to(&layer, 200, genuine(b"x")).await;
    send_to(&layer, 500, genuine(b"x")).await;
    send_to(&layer.clone().without_explanations(), 200, forged(NEWLINE)).await;
    send_to(&layer, 200, forged(NEWLINE)).await;
    wait(&explained);
    let rows = rows(&log).await;
    let causes: Vec<_> = rows.iter().map(|row| row.cause.as_deref()).collect();
    assert_eq!(causes, [Some("final_newline"), None, None, None]);
}

/// A page of one tenant shows its rows.
#[tokio::test]
async fn a_cause_that_names_others_is_in_no_row() {
    let log = memory();
    let (layer, explained) = layer(&log);
    let other = Meta::new("the secret of another tenant").unwrap();
    let layer = layer.explainer(patient().also("tenant bob", other));
    let mut request = forged(b"hello");
    let tag = hmac_sha256("the secret of another tenant", b"hello");
    request.headers_mut().insert("x-hub-signature-256", format!("sha256={tag}").parse().unwrap());
    send_to(&layer, 200, request).await;
    wait(&explained);
    let row = only_row(&log).await;
    assert_eq!((row.cause, row.explanation), (None, None));
}

#[tokio::test]
async fn a_suppressed_rejection_gets_no_row_by_its_explanation() {
    let log = DeliveryLog::builder().refusals_per_minute(0).store(MemoryLog::new(10)).unwrap();
    let (layer, explained) = layer(&log);
    send_to(&layer, 200, forged(NEWLINE)).await;
    wait(&explained);
    let rows = rows(&log).await;
    assert!(rows.iter().all(|row| row.status == "suppressed"), "{rows:?}");
}

#[tokio::test]
async fn shutdown_waits_for_causes() {
    let directory = TempDir::new();
    let path = directory.path().join("log.db");
    let log = DeliveryLog::builder().sqlite(&path).await.unwrap();
    let (layer, explained) = layer(&log);
    send_to(&layer, 200, forged(NEWLINE)).await;
    wait(&explained);
    log.shutdown(60 * SECOND).await.unwrap();
    let log = DeliveryLog::builder().sqlite(&path).await.unwrap();
    assert_eq!(only_row(&log).await.cause.as_deref(), Some("final_newline"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_keeps_no_cause_loses_no_row() {
    for mode in [&Mode::Fails, &Mode::Hangs, &Mode::Panics] {
        let store = Scripted::new(Mode::Annotates(mode));
        let log = DeliveryLog::builder().store(store.clone()).unwrap();
        let (layer, explained) = layer(&log);
        send_to(&layer, 200, forged(NEWLINE)).await;
        wait(&explained);
        assert_eq!(only_row(&log).await.cause, None, "{mode:?}");
        store.set(Mode::Works);
        send_to(&layer, 200, forged(NEWLINE)).await;
        wait(&explained);
        let rows = rows(&log).await;
        assert_eq!((rows.len(), rows[0].cause.as_deref()), (2, Some("final_newline")), "{mode:?}");
        log.shutdown(60 * SECOND).await.unwrap();
    }
}

/// The table of a log that was made before there were causes.
#[tokio::test]
async fn an_older_database_gets_the_columns() {
    let directory = TempDir::new();
    let path = directory.path().join("log.db");
    let old = format!("sqlite://{}?mode=rwc", path.display());
    let mut database = <sqlx::SqliteConnection as sqlx::Connection>::connect(&old).await.unwrap();
    let first = include_str!("../../../migrations/sqlite/0001_webhook_deliveries.sql");
    let table = "CREATE TABLE webhook_deliveries_schema (version BIGINT NOT NULL); \
        INSERT INTO webhook_deliveries_schema VALUES (1);";
    let row = "INSERT INTO webhook_deliveries (id, received_at, stored_len, status, provider, method, url, verified, \
        headers, payload_truncated) VALUES ('00000000-0000-7000-8000-000000000001', 1, 300, 'unauthorized', 'meta', \
        'POST', '/', 0, '{}', 0);";
    let made = [table, first, row].concat();
    sqlx::raw_sql(&made).execute(&mut database).await.unwrap();
    sqlx::Connection::close(database).await.unwrap();
    let log = DeliveryLog::builder().sqlite(&path).await.unwrap();
    assert_eq!(only_row(&log).await.cause, None);
    let (layer, explained) = layer(&log);
    send_to(&layer, 200, forged(NEWLINE)).await;
    wait(&explained);
    let rows = rows(&log).await;
    let causes: Vec<_> = rows.iter().map(|row| row.cause.as_deref()).collect();
    assert_eq!(causes, [Some("final_newline"), None]);
}

#[tokio::test]
async fn two_logs_of_one_layer_get_the_cause() {
    let (one, two) = (memory(), memory());
    let (layer, explained) = layer(&one);
    let layer = layer.observer(two.clone());
    let request: Request<http_body_util::Full<bytes::Bytes>> =
        meta_request(b"something else", http_body_util::Full::from(NEWLINE));
    send_to(&layer, 200, request).await;
    wait(&explained);
    // The second log comes after the observer that tells.
    let (next, next_explained) = super::explained::layer(&memory());
    send_to(&next, 200, forged(NEWLINE)).await;
    wait(&next_explained);
    for log in [one, two] {
        assert_eq!(only_row(&log).await.cause.as_deref(), Some("final_newline"));
    }
}

#[tokio::test(start_paused = true)]
async fn causes_that_come_during_a_flush_are_kept() {
    let store = Scripted::new(Mode::Annotates(&Mode::Hangs));
    let log = DeliveryLog::builder().store(store.clone()).unwrap();
    let (layer, explained) = layer(&log);
    send_to(&layer, 200, forged(NEWLINE)).await;
    wait(&explained);
    let flush = log.clone();
    let flushing = tokio::spawn(async move { flush.flush().await });
    tokio::time::sleep(SECOND).await;
    assert!(!flushing.is_finished());
    store.set(Mode::Works);
    send_to(&layer, 200, forged(NEWLINE)).await;
    wait(&explained);
    flushing.await.unwrap().unwrap();
    assert_eq!(rows(&log).await[0].cause.as_deref(), Some("final_newline"));
}

/// The explanation comes after the row was made, and before it is queued: the clock, which is asked
/// between the two, waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cause_that_comes_while_the_row_is_queued_is_kept() {
    let log = memory();
    let (layer, explained) = layer(&log);
    let (begin, begun) = std::sync::mpsc::channel::<()>();
    let begin = std::sync::Mutex::new(Some(begin));
    let (explained, begun) = (std::sync::Mutex::new(explained), std::sync::Mutex::new(begun));
    // The explanation waits for the handler, too.
    let gate = verifier_fn(move |_, _| {
        let _ = begun.lock().unwrap().recv();
        Err::<Verified, _>(Rejection::mismatch())
    });
    let is_handled = Arc::new(AtomicBool::new(false));
    let (clock_sees, handler_sets) = (Arc::clone(&is_handled), is_handled);
    let layer = layer.explainer(patient().also("gate", gate)).clock(move || {
        if clock_sees.swap(false, Ordering::SeqCst) {
            drop(begin.lock().unwrap().take());
            wait(&explained.lock().unwrap());
        }
        UNIX_EPOCH + Duration::from_secs(NOW)
    });
    let handler = service_fn(move |_: Request<BufferedBody>| {
        handler_sets.store(true, Ordering::SeqCst);
        async { Ok::<_, Infallible>(Response::new(String::new())) }
    });
    let service = layer.dangerously_report_only().layer(handler);
    tokio::spawn(service.oneshot(forged(b"hello"))).await.unwrap().unwrap();
    let row = only_row(&log).await;
    assert_eq!((&*row.status, row.cause.as_deref()), ("unverified", Some("nothing_matches")));
}

#[tokio::test]
async fn a_log_that_observes_a_layer_twice_has_two_rows() {
    let log = memory();
    let (layer, explained) = layer(&log);
    send_to(&layer.observer(log.clone()), 200, forged(NEWLINE)).await;
    wait(&explained);
    assert_eq!(rows(&log).await.len(), 2);
}
