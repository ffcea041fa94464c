//! Durable mode: the row first, 503 without it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, ConfigError,
    delivery_log::{DeliveryLog, DurableLayer, Filter, RECEIVED},
    observe::Attempt,
    replay::{MemoryReplayStore as Claims, ReplayLayer},
};

use super::{
    Mode, SECOND, Scripted, call, forged, genuine, logged, memory, only_row, rows, send_to,
};
use crate::support::{BoxError, Inner, meta_layer};

fn durable(store: Scripted) -> (DeliveryLog, DurableLayer) {
    let log = DeliveryLog::builder().durable().store_timeout(SECOND / 2).store(store).unwrap();
    let layer = log.durable_layer().unwrap();
    (log, layer)
}

#[tokio::test]
async fn the_row_is_there_before_the_handler_runs() {
    let (log, durable) = durable(Scripted::new(Mode::Works));
    let handler = {
        let log = log.clone();
        service_fn(move |request: Request<BufferedBody>| {
            let log = log.clone();
            async move {
                let row = log.find(&Filter::new()).await.unwrap().remove(0);
                assert_eq!((&*row.status, row.verified), (RECEIVED, true));
                assert_eq!(row.payload.as_deref(), Some(&b"x"[..]));
                request.extensions().get::<Arc<Attempt>>().unwrap().set_event_name("e");
                Ok::<_, Infallible>(Response::new("handled".to_owned()))
            }
        })
    };
    let service = ServiceBuilder::new().layer(logged(&log)).layer(durable).service(handler);
    let Ok(response) = call(service, genuine(b"x")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "handled");
    let row = only_row(&log).await;
    assert_eq!((&*row.status, row.http_status), ("success", Some(200)));
    assert_eq!(row.event_name.as_deref(), Some("e"));
    assert_eq!(row.payload.as_deref(), Some(&b"x"[..]), "the first row's stays");
    assert!(row.body_sha256.is_some() && !row.headers.is_empty());
}

#[tokio::test]
async fn replay_guards_answer_is_logged_as_duplicate() {
    let (log, durable) = durable(Scripted::new(Mode::Works));
    let guard = ReplayLayer::new("/", Claims::new(10)).guard_body_only("meta");
    let inner = Inner::default();
    let service = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(guard)
        .layer(durable)
        .service(inner.clone());
    for _ in 0..2 {
        let Ok(response) = call(service.clone(), genuine(b"x")).await;
        assert_eq!(response.status(), 200);
    }
    assert_eq!(inner.count(), 1);
    let statuses: Vec<_> = rows(&log).await.into_iter().map(|row| row.status).collect();
    assert_eq!(statuses, ["duplicate", "success"], "and no note that durable mode is set up wrong");
}

#[tokio::test(start_paused = true)]
async fn without_the_row_the_handler_is_not_called() {
    for mode in [Mode::Fails, Mode::Hangs, Mode::Panics, Mode::Refuses(b"x")] {
        let store = Scripted::new(mode);
        let (log, durable) = durable(store.clone());
        let inner = Inner::default();
        let service =
            ServiceBuilder::new().layer(logged(&log)).layer(durable).service(inner.clone());
        let start = tokio::time::Instant::now();
        let Ok(response) = call(service.clone(), genuine(b"x")).await;
        assert_eq!(response.status(), 503, "{mode:?}");
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert!(start.elapsed() <= SECOND * 11 / 10, "{mode:?}: {:?}", start.elapsed());
        assert_eq!(inner.count(), 0, "{mode:?}: the handler was called");
        // A refusal is answered as ever, and waits for nothing.
        let Ok(response) = call(service.clone(), forged(b"x")).await;
        assert_eq!(response.status(), 403, "{mode:?}");

        store.set(Mode::Works);
        let Ok(response) = call(service, genuine(b"y")).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1), "{mode:?}");
        let rows = rows(&log).await;
        let of = |status| rows.iter().filter(|row| row.http_status == Some(status)).count();
        assert_eq!((of(200), of(403), of(503)), (1, 1, 1), "{mode:?}: every attempt has its row");
        assert!(rows.iter().all(|row| row.status != RECEIVED), "{mode:?}: {rows:?}");
        let refused = rows.iter().find(|row| row.http_status == Some(503)).unwrap();
        assert_eq!(refused.message.as_deref(), Some("Rejected: its row could not be written"));
    }
}

#[tokio::test(start_paused = true)]
async fn its_deadline_is_the_applications() {
    let (log, durable) = durable(Scripted::new(Mode::Hangs));
    let durable = durable.deadline(SECOND / 10);
    let service =
        ServiceBuilder::new().layer(logged(&log)).layer(durable).service(Inner::default());
    let start = tokio::time::Instant::now();
    let future = service.clone().oneshot(genuine(b"x"));
    let Ok(response) = future.await;
    assert_eq!(
        (response.status(), start.elapsed()),
        (StatusCode::SERVICE_UNAVAILABLE, SECOND / 10)
    );
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
    let mut service = log.durable_layer().unwrap().layer(inner);
    let shown = format!("{:?}", tower::Service::call(&mut service, Request::new(())));
    assert!(shown.starts_with("DurableFuture"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_503_at_once() {
    let builder = DeliveryLog::builder().durable().max_queued_rows(2).max_queued_bytes(1 << 20);
    let log = builder.store(Scripted::new(Mode::Hangs)).unwrap();
    let durable = log.durable_layer().unwrap();
    let service =
        ServiceBuilder::new().layer(logged(&log)).layer(durable).service(Inner::default());
    let start = tokio::time::Instant::now();
    // Strangers have half of it.
    for _ in 0..5 {
        send_to(&logged(&log), 200, forged(b"x")).await;
    }
    assert_eq!(log.queued(), 1);
    let waits = tokio::spawn(call(service.clone(), genuine(b"x")));
    while log.queued() < 2 {
        tokio::task::yield_now().await;
    }
    let Ok(response) = call(service, genuine(b"x")).await;
    assert_eq!(
        (response.status(), start.elapsed()),
        (StatusCode::SERVICE_UNAVAILABLE, Duration::ZERO)
    );
    waits.abort();
}

#[tokio::test]
async fn durable_layer_without_its_observer_answers_503() {
    let inner = Inner::default();
    let other = memory();
    for layer in [meta_layer(), logged(&other)] {
        let (log, durable) = durable(Scripted::new(Mode::Works));
        let service = ServiceBuilder::new().layer(layer).layer(durable).service(inner.clone());
        for _ in 0..3 {
            let Ok(response) = call(service.clone(), genuine(b"x")).await;
            assert_eq!((response.status(), inner.count()), (StatusCode::SERVICE_UNAVAILABLE, 0));
        }
        let row = only_row(&log).await;
        assert_eq!(row.status, "misconfigured");
        assert!(row.message.unwrap().contains("add its log as an observer"));
    }
    // Nor is one without any layer above it.
    let (_, durable) = durable(Scripted::new(Mode::Works));
    let service = durable.layer(service_fn(async |_: Request<String>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let Ok(response) = call(service, Request::new(String::new())).await;
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn missing_durable_layer_is_logged_and_loses_no_row() {
    let (log, _) = durable(Scripted::new(Mode::Works));
    // What another layer answers in between was not acknowledged.
    assert_eq!(send_to(&logged(&log), 429, genuine(b"x")).await, 429);
    assert_eq!(only_row(&log).await.status, "error");
    for _ in 0..3 {
        assert_eq!(send_to(&logged(&log), 200, genuine(b"x")).await, 200);
    }
    let rows = rows(&log).await;
    let of = |status| rows.iter().filter(|row| row.status == status).count();
    assert_eq!((of("success"), of("error"), of("misconfigured")), (3, 1, 1));

    assert_eq!(memory().durable_layer().unwrap_err(), ConfigError::LogNotDurable);
}

#[tokio::test]
async fn two_logs_on_one_layer_keep_separate_rows() {
    let (log, durable_layer) = durable(Scripted::new(Mode::Works));
    let (other, _) = durable(Scripted::new(Mode::Works));
    let layer = logged(&log).observer(other.clone());
    let service = ServiceBuilder::new().layer(layer).layer(durable_layer).service(Inner::default());
    let Ok(_) = call(service, genuine(b"x")).await;
    assert_eq!(only_row(&log).await.payload.as_deref(), Some(&b"x"[..]));
    // It passed no durable layer of the other one's, which says so and has the whole row itself.
    let rows = rows(&other).await;
    let of = |status| rows.iter().find(|row| row.status == status);
    assert_eq!(of("success").unwrap().payload.as_deref(), Some(&b"x"[..]));
    assert!(rows.len() == 2 && of("misconfigured").is_some(), "{rows:?}");
}

#[tokio::test]
async fn grpc_requests_are_told_in_grpcs_way() {
    let (log, durable) = durable(Scripted::new(Mode::Refuses(b"x")));
    let service =
        ServiceBuilder::new().layer(logged(&log)).layer(durable).service(Inner::default());
    let mut request = genuine(b"x");
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    let Ok(response) = call(service, request).await;
    assert_eq!(
        (response.status(), &response.headers()["grpc-status"]),
        (StatusCode::OK, &"14".parse().unwrap())
    );
    // That 200 acknowledges nothing, and nothing is set up wrong.
    let rows = rows(&log).await;
    assert!(rows.iter().all(|row| row.status != "misconfigured"), "{rows:?}");
}

#[tokio::test]
async fn errors_of_the_handler_pass_through() {
    let (log, durable) = durable(Scripted::new(Mode::Works));
    let fails = service_fn(async |_: Request<BufferedBody>| {
        Err::<Response<String>, BoxError>("its own".into())
    });
    let service = ServiceBuilder::new().layer(logged(&log)).layer(durable).service(fails);
    let error = service.oneshot(genuine(b"x")).await.unwrap_err();
    assert_eq!(error.to_string(), "its own");
    assert_eq!(only_row(&log).await.status, "error");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_away_meanwhile_has_one_row() {
    let store = Scripted::new(Mode::Hangs);
    let (log, durable) = durable(store.clone());
    let inner = Inner::default();
    let service = ServiceBuilder::new().layer(logged(&log)).layer(durable).service(inner.clone());
    let gone = tokio::time::timeout(SECOND / 2, call(service, genuine(b"x"))).await;
    assert!(gone.is_err() && inner.count() == 0);
    store.set(Mode::Works);
    let row = only_row(&log).await;
    assert_eq!((&*row.status, row.http_status), ("error", None));
    assert_eq!(row.payload.as_deref(), Some(&b"x"[..]));
}

#[tokio::test]
async fn handler_permit_is_taken_after_the_row_is_written() {
    let (log, durable) = durable(Scripted::new(Mode::Works));
    let inner = Inner::default();
    let service = ServiceBuilder::new()
        .layer(logged(&log))
        .layer(durable)
        .concurrency_limit(1)
        .service(inner.clone());
    let sent: Vec<_> =
        (0..50).map(|_| tokio::spawn(call(service.clone(), genuine(b"x")))).collect();
    for answer in sent {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!((inner.count(), rows(&log).await.len()), (50, 50));
    assert!(format!("{service:?}").contains("DurableService"));
}

#[tokio::test]
async fn axum_takes_it() {
    let (log, durable) = durable(Scripted::new(Mode::Works));
    let router = axum::Router::new()
        .route("/webhook", axum::routing::post(async |body: String| body))
        .route_layer(durable)
        .route_layer(logged(&log));
    let address = crate::net::serve_axum(router).await;
    let response = crate::net::send(address, genuine(b"echo")).await;
    assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, &b"echo"[..]));
    assert_eq!(only_row(&log).await.status, "success");
}
