//! The handler, and its effect in a database.

use std::{
    future::{Future, pending},
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, StatusCode};
use tower::{BoxError, Service};
use tower_webhook::{BufferedBody, Verified};

use super::{
    chance::{Random, Stream},
    provider::delivery_in,
    shared::{ATTEMPT, Shared, current},
};

#[derive(Clone)]
pub(super) struct Handler(pub(super) Arc<Shared>);

impl Service<Request<BufferedBody>> for Handler {
    type Response = Response<String>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<BufferedBody>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let is_verified = request.extensions().get::<Verified>().is_some();
            let delivery = delivery_in(request.body().bytes()).filter(|_| is_verified);
            let Some(delivery) = delivery else {
                shared.ledger().forged_dispatched += 1;
                return Ok(Response::new(String::new()));
            };
            handle(&shared, delivery).await
        })
    }
}

async fn handle(shared: &Arc<Shared>, delivery: u32) -> Result<Response<String>, BoxError> {
    let (sent, token) = current();
    assert_eq!(sent, delivery, "the request of another delivery");
    let number = ATTEMPT.with(|attempt| attempt.number);
    let mut random = Random::new(shared.settings.seed, Stream::Handler, delivery, number);
    let mut running = Running::new(shared, delivery, token);
    if shared.settings.has_log {
        shared.rows.dispatched(delivery);
    }
    let work = 2 + random.exponential(8.0) as u64;
    shared.until(shared.now() + work).await;
    match random.below(10_000) {
        0..50 => {
            shared.counts().handlers_failed += 1;
            running.end();
            let mut response = Response::new(String::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return Ok(response);
        }
        50..55 => {
            shared.counts().handlers_panicked += 1;
            // As `panic!` does, without a message.
            resume_unwind(Box::new("the handler panics"));
        }
        55..60 => {
            shared.counts().handlers_hung += 1;
            pending::<()>().await;
        }
        _ => {}
    }
    shared.ledger().had_effect(delivery, token, shared.now());
    // The database's reply. One of 50,000 is lost, and the handler has no other limit than its own.
    if random.is_one_in(50_000) {
        shared.counts().handlers_hung += 1;
        pending::<()>().await;
    }
    shared.until(shared.now() + random.below(3)).await;
    running.end();
    Ok(Response::new("handled".to_owned()))
}

/// Handler that runs. If it is dropped before its end, its request was dropped.
struct Running<'a> {
    shared: &'a Arc<Shared>,
    delivery: u32,
    token: u64,
    has_ended: bool,
}

impl<'a> Running<'a> {
    fn new(shared: &'a Arc<Shared>, delivery: u32, token: u64) -> Self {
        shared.ledger().started(delivery, token);
        Self { shared, delivery, token, has_ended: false }
    }

    fn end(&mut self) {
        self.has_ended = true;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.ledger().ended(self.delivery, self.token, !self.has_ended);
    }
}
