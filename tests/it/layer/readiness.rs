//! When the inner service is asked for room, which instance is called, and what is left behind.

use std::{
    future::{Future, Pending, pending},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt, buffer::BufferLayer,
    limit::ConcurrencyLimitLayer, load_shed::LoadShedLayer, service_fn,
};
use tower_test::mock;
use tower_webhook::{BufferedBody, SignatureLayer, layer::ResponseBody, providers::Meta};

use crate::support::{Event, Inner, Script, meta_layer, meta_request, send};

fn forged() -> Request<Script> {
    meta_request(b"something else", Script::new([Event::Data("he".into()), Event::Stall]))
}

fn genuine() -> Request<Script> {
    meta_request(b"hello", Script::data(["hello"]))
}

#[tokio::test(start_paused = true)]
async fn stalled_upload_does_not_hold_the_inner_permit() {
    let service = ServiceBuilder::new()
        .layer(meta_layer())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(Inner::default());

    let mut stalled = Vec::new();
    for _ in 0..100 {
        let mut future = Box::pin(service.clone().oneshot(forged()));
        assert!(poll_once(&mut future).is_pending());
        stalled.push(future);
    }
    // At once: in a single poll, with no time passing.
    let mut honest = Box::pin(service.oneshot(genuine()));
    let Poll::Ready(Ok(response)) = poll_once(&mut honest) else {
        panic!("the honest request waits behind the stalled ones");
    };
    assert_eq!(response.status(), StatusCode::OK);
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn instance_that_was_ready_is_the_one_called() {
    // `Inner` and tower's own services panic when they are called without having been ready, and
    // a clone of one that was ready is not.
    let inner = Inner::default();
    let service = ServiceBuilder::new()
        .map_err(|error: BoxError| error)
        .layer(meta_layer())
        .layer(BufferLayer::new(8))
        .layer(ConcurrencyLimitLayer::new(2))
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(2))
        .service(inner.clone());
    let calls = (0..20).map(|_| tokio::spawn(service.clone().oneshot(genuine())));
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(inner.count(), 20);

    // Readiness that was asked of our own service does not reach the inner one either.
    let mut service = meta_layer().layer(inner.clone());
    for _ in 0..3 {
        let response = ServiceExt::<Request<Script>>::ready(&mut service)
            .await
            .unwrap()
            .call(genuine())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(inner.count(), 23);
}

#[tokio::test]
async fn room_is_asked_for_only_after_verification() {
    let (inner, mut handle) = mock::pair::<Request<BufferedBody>, Response<String>>();
    handle.allow(0);
    let service = meta_layer().layer(inner);

    // A refusal needs no room.
    let forged = meta_request(b"something else", Script::data(["hello"]));
    let response = service.clone().oneshot(forged).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);

    // A genuine request waits for it, and is called once there is some.
    let mut waiting = Box::pin(service.oneshot(genuine()));
    assert!(poll_once(&mut waiting).is_pending());
    handle.allow(1);
    let answer = async {
        let (request, answer) = handle.next_request().await.unwrap();
        assert_eq!(request.body().bytes(), "hello");
        answer.send_response(Response::new("handled".to_owned()));
    };
    let (response, ()) = tokio::join!(waiting, answer);
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}

/// An error that can only be told by its own type.
#[derive(Debug, PartialEq)]
struct Mine(&'static str);

#[derive(Clone)]
struct Failing {
    is_ready: bool,
}

impl Service<Request<BufferedBody>> for Failing {
    type Response = Response<String>;
    type Error = Mine;
    type Future = std::future::Ready<Result<Response<String>, Mine>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Mine>> {
        Poll::Ready(if self.is_ready { Ok(()) } else { Err(Mine("not ready")) })
    }

    fn call(&mut self, _: Request<BufferedBody>) -> Self::Future {
        std::future::ready(Err(Mine("called")))
    }
}

#[tokio::test]
async fn errors_of_the_inner_service_pass_untouched() {
    for (is_ready, expected) in [(false, "not ready"), (true, "called")] {
        let service = meta_layer().layer(Failing { is_ready });
        let result: Result<Response<ResponseBody<String>>, Mine> = service.oneshot(genuine()).await;
        assert_eq!(result.unwrap_err(), Mine(expected));
    }
}

/// Tells when it is dropped.
#[derive(Clone)]
struct Tracked(#[expect(dead_code, reason = "counted")] Arc<()>);

#[derive(Clone)]
struct Hanging(Tracked);

impl Service<Request<BufferedBody>> for Hanging {
    type Response = Response<String>;
    type Error = BoxError;
    type Future = Pending<Result<Response<String>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<BufferedBody>) -> Self::Future {
        let _ = &self.0;
        pending()
    }
}

#[tokio::test]
async fn the_clone_is_dropped_once_it_has_been_called() {
    let alive = Arc::new(());
    let service = meta_layer().layer(Hanging(Tracked(Arc::clone(&alive))));
    let mut service_call = Box::pin(service.oneshot(genuine()));
    assert!(poll_once(&mut service_call).is_pending());
    // `oneshot` has dropped our service, and our future has dropped the clone it called.
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[tokio::test(start_paused = true)]
async fn cancelled_at_any_poll_it_leaves_nothing_behind() {
    let script = || {
        let bytes =
            "hello".chars().flat_map(|c| [Event::Pending, Event::Data(c.to_string().into())]);
        Script::new(bytes.chain([Event::Pending]))
    };
    let in_flight = Arc::new(AtomicUsize::new(0));
    let was_called = Arc::new(AtomicBool::new(false));
    let inner = {
        let (in_flight, was_called) = (Arc::clone(&in_flight), Arc::clone(&was_called));
        service_fn(move |_: Request<BufferedBody>| {
            let in_flight = Arc::clone(&in_flight);
            in_flight.fetch_add(1, Ordering::SeqCst);
            was_called.store(true, Ordering::SeqCst);
            async move {
                let _guard = Guard(in_flight);
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                Ok::<_, BoxError>(Response::new(String::new()))
            }
        })
    };
    let service = ServiceBuilder::new()
        .layer(meta_layer())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(inner);

    let mut finished_after = None;
    for polls in 0..40 {
        let body = script();
        let body_polls = Arc::clone(&body.polls);
        let mut future = Box::pin(service.clone().oneshot(meta_request(b"hello", body)));
        let is_done = (0..polls).any(|_| poll_once(&mut future).is_ready());
        drop(future);
        assert_eq!(Arc::strong_count(&body_polls), 1, "the body is dropped after {polls} polls");
        assert_eq!(in_flight.load(Ordering::SeqCst), 0, "nothing is in flight after {polls} polls");
        // The permit is back: the next request gets it at once.
        let next = send_all(service.clone()).await;
        assert_eq!(next, StatusCode::OK, "after {polls} polls");
        if is_done {
            finished_after.get_or_insert(polls);
        }
    }
    assert!(finished_after.is_some_and(|polls| polls > 5), "{finished_after:?}");
    assert!(was_called.load(Ordering::SeqCst));
}

struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn send_all<S, R>(service: S) -> StatusCode
where
    S: Service<Request<Script>, Response = Response<R>>,
    S::Error: std::fmt::Debug,
{
    service.oneshot(genuine()).await.unwrap().status()
}

#[tokio::test]
async fn rejected_request_never_reaches_the_inner_service() {
    let layer: SignatureLayer<Meta> = meta_layer();
    let (response, inner) =
        send(&layer, meta_request(b"a", Script::data([Bytes::from("b")]))).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::FORBIDDEN, 0));
}
