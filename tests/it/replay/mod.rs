//! The replay guard.

mod cancellation;
mod clock;
mod event_ids;
mod events;
mod layer;
mod memory;
mod model;
mod parallel;
#[cfg(feature = "replay-redis")]
mod redis;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt};
use tower_webhook::{
    SignatureLayer, SignatureService,
    providers::Stripe,
    replay::{
        Claim, ClaimToken, ReplayKey, ReplayLayer, ReplayService, ReplayStore, Settled, StoreError,
    },
};

use crate::support::{AtTime, SECRET, Timed, hmac_sha256, secret};

const NOW: u64 = 1_700_000_000;

/// A clock that stands still until it is moved.
#[derive(Clone)]
struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn now(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        let seconds = Arc::clone(&self.0);
        move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst))
    }
}

/// What the handler does when it is called.
#[derive(Clone, Copy, Debug)]
enum Then {
    Answer(StatusCode),
    Fail,
    Panic,
    /// Answers 200 after so many polls.
    Wait(usize),
    /// Never answers.
    Hang,
}

#[derive(Debug)]
struct HandlerError;

/// A handler that follows a script, and then answers 200. It counts its calls, and how many of them
/// are under way at once.
#[derive(Clone, Default)]
struct Handler {
    script: Arc<Mutex<VecDeque<Then>>>,
    calls: Arc<AtomicUsize>,
}

impl Handler {
    fn new(script: impl IntoIterator<Item = Then>) -> Self {
        Self { script: Arc::new(Mutex::new(script.into_iter().collect())), ..Self::default() }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl<B> Service<Request<B>> for Handler {
    type Response = Response<String>;
    type Error = HandlerError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, HandlerError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HandlerError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let then = self.script.lock().unwrap().pop_front();
        Box::pin(async move {
            let answer = |status| {
                let mut response = Response::new("handled".to_owned());
                *response.status_mut() = status;
                Ok(response)
            };
            match then.unwrap_or(Then::Answer(StatusCode::OK)) {
                Then::Answer(status) => answer(status),
                Then::Fail => Err(HandlerError),
                Then::Panic => panic!("the handler panics"),
                Then::Wait(polls) => {
                    Pend(polls).await;
                    answer(StatusCode::OK)
                }
                Then::Hang => std::future::pending().await,
            }
        })
    }
}

/// Pending so many times, with the waker woken.
struct Pend(usize);

impl Future for Pend {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A delivery as Stripe sends it, signed at [`NOW`].
fn delivery(body: &str) -> Request<Full<Bytes>> {
    delivery_at(NOW, body)
}

fn delivery_at(time: u64, body: &str) -> Request<Full<Bytes>> {
    let tag = hmac_sha256(SECRET, format!("{time}.{body}").as_bytes());
    Request::post("/webhook")
        .header("stripe-signature", format!("t={time},v1={tag}"))
        .body(Full::from(body.to_owned()))
        .unwrap()
}

/// Both layers above the handler.
fn stack<T: ReplayStore>(
    clock: &TestClock,
    guard: &ReplayLayer<T>,
    handler: &Handler,
) -> SignatureService<Timed<Stripe>, ReplayService<Handler, T>> {
    let stripe = Stripe::new(secret()).unwrap().clock(clock.now());
    SignatureLayer::new(stripe).layer(guard.layer(handler.clone()))
}

async fn call<S, B, R>(service: &S, request: Request<B>) -> Result<Response<R>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
{
    service.clone().oneshot(request).await
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The answer of a store that answers at once.
fn at_once<A>(ask: impl Future<Output = Result<A, StoreError>>) -> Result<A, StoreError> {
    match poll_once(std::pin::pin!(ask)) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the store waits"),
    }
}

fn status<R>(answer: &Result<Response<R>, HandlerError>) -> StatusCode {
    answer.as_ref().unwrap().status()
}

/// A store whose answers take so many polls, and which fails as it is told.
#[derive(Clone)]
struct Slow<T> {
    store: T,
    polls: usize,
    fails: Arc<Mutex<Fails>>,
    detached: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Fails {
    claims: bool,
    settles: bool,
}

impl<T> Slow<T> {
    fn new(store: T, polls: usize) -> Self {
        Self { store, polls, fails: Arc::default(), detached: Arc::default() }
    }

    fn fails(&self, claims: bool, settles: bool) {
        *self.fails.lock().unwrap() = Fails { claims, settles };
    }

    fn answer<A: Send + 'static>(
        &self,
        fails: bool,
        ask: impl Future<Output = Result<A, StoreError>> + Send + 'static,
    ) -> BoxFuture<A> {
        let polls = self.polls;
        Box::pin(async move {
            Pend(polls).await;
            // Asked, and then the answer is on its way.
            let answer = ask.await;
            Pend(polls).await;
            if fails { Err(StoreError::new("told to")) } else { answer }
        })
    }
}

type BoxFuture<A> = Pin<Box<dyn Future<Output = Result<A, StoreError>> + Send>>;

impl<T: ReplayStore + Send + Sync + 'static> ReplayStore for Slow<T>
where
    T::Claim: Send,
    T::Settle: Send,
{
    type Claim = BoxFuture<Claim>;
    type Settle = BoxFuture<Settled>;

    fn claim(&self, key: &ReplayKey, token: ClaimToken, lease: Duration) -> Self::Claim {
        let (store, key) = (self.store.clone(), *key);
        let fails = self.fails.lock().unwrap().claims;
        self.answer(fails, async move { store.claim(&key, token, lease).await })
    }

    fn commit(&self, key: &ReplayKey, token: ClaimToken, retention: Duration) -> Self::Settle {
        let (store, key) = (self.store.clone(), *key);
        let fails = self.fails.lock().unwrap().settles;
        self.answer(fails, async move { store.commit(&key, token, retention).await })
    }

    fn release(&self, key: &ReplayKey, token: ClaimToken) -> Self::Settle {
        let (store, key) = (self.store.clone(), *key);
        let fails = self.fails.lock().unwrap().settles;
        self.answer(fails, async move { store.release(&key, token).await })
    }

    /// To the end, on the spot: a store of its own would hand it to a task.
    fn settle_in_background(&self, mut settle: Self::Settle) {
        self.detached.fetch_add(1, Ordering::SeqCst);
        let mut cx = Context::from_waker(Waker::noop());
        while settle.as_mut().poll(&mut cx).is_pending() {}
    }
}
