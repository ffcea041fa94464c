//! Nodes, and the processes that run on them one after another.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::{Notify, Semaphore};
use tower::{BoxError, Layer, Service, ServiceExt, timeout::Timeout, util::BoxCloneSyncService};
use tower_webhook::{
    SignatureLayer,
    delivery_log::DeliveryLog,
    providers::{GitHub, Meta, Stripe},
    replay::ReplayLayer,
    sign::Sign,
};

use super::{
    chance::{Random, Stream},
    handler::Handler,
    provider::{PROVIDERS, Provider, standard},
    rows::RowStore,
    shared::Shared,
    store::{Network, Store},
};
use crate::support::{secret, unexplained};

/// Requests that a process handles at the same time.
const CONCURRENCY: usize = 128;

/// Time limit of the handler, well below the lease of one minute.
const HANDLER_LIMIT: Duration = Duration::from_secs(8);

/// The longest retry schedule, and a day more.
const RETENTION: Duration = Duration::from_secs(4 * 86_400);

pub(super) struct Node {
    pub(super) network: Arc<Network>,
    /// Deviation of its clock, in milliseconds.
    pub(super) clock: Arc<AtomicI64>,
    /// Cleared while the balancer sends it no requests.
    pub(super) is_listed: AtomicBool,
    process: Mutex<Arc<Process>>,
}

impl Node {
    pub(super) fn new(shared: &Arc<Shared>, index: u32, process: u32) -> Self {
        let mut random = Random::new(shared.settings.seed, Stream::Skew, index, 0);
        let skew = i64::try_from(random.below(6_001)).unwrap() - 3_000;
        let (network, clock) = (Arc::default(), Arc::new(AtomicI64::new(skew)));
        let process = Mutex::new(Process::start(shared, &network, &clock, process));
        Self { network, clock, is_listed: AtomicBool::new(true), process }
    }

    pub(super) fn process(&self) -> Arc<Process> {
        Arc::clone(&self.process.lock().unwrap())
    }

    /// Starts a new process in place of one that has ended.
    pub(super) fn start(&self, shared: &Arc<Shared>, process: u32) {
        let process = Process::start(shared, &self.network, &self.clock, process);
        *self.process.lock().unwrap() = process;
    }
}

type Stack = BoxCloneSyncService<Request<Full<Bytes>>, StatusCode, BoxError>;

pub(super) struct Process {
    shared: Arc<Shared>,
    id: u32,
    store: Store,
    has_rows: Arc<AtomicBool>,
    log: Option<DeliveryLog>,
    stacks: Vec<Stack>,
    concurrency: Semaphore,
    in_flight: AtomicU32,
    /// Notified when the process ends, and when its last request in flight does.
    changed: Notify,
}

impl Process {
    fn start(
        shared: &Arc<Shared>,
        network: &Arc<Network>,
        clock: &Arc<AtomicI64>,
        id: u32,
    ) -> Arc<Self> {
        let store = Store::new(shared, network, id);
        let has_rows = Arc::new(AtomicBool::new(true));
        let log = shared.settings.has_log.then(|| {
            let rows = RowStore { shared: Arc::clone(shared), is_alive: Arc::clone(&has_rows) };
            DeliveryLog::builder().durable().store(rows).unwrap()
        });
        let build = Build { shared, store: &store, clock, log: log.as_ref() };
        let stack = |provider: &Provider| match provider {
            Provider::Standard => build.stack(standard(), "/standard"),
            Provider::Stripe => build.stack(Stripe::new(secret()).unwrap(), "/stripe"),
            Provider::Meta => build.stack(Meta::new(secret()).unwrap(), "/meta"),
            Provider::GitHub => build.stack(GitHub::new(secret()).unwrap(), "/github"),
        };
        let stacks = PROVIDERS.iter().map(stack).collect();
        Arc::new(Self {
            shared: Arc::clone(shared),
            id,
            store,
            has_rows,
            log,
            stacks,
            concurrency: Semaphore::new(CONCURRENCY),
            in_flight: AtomicU32::new(0),
            changed: Notify::new(),
        })
    }

    /// Ends the process: its requests are dropped, and what their destructors send goes nowhere.
    pub(super) fn kill(&self) {
        self.store.end();
        self.has_rows.store(false, Ordering::SeqCst);
        self.shared.ledger().process_ended(self.id);
        self.changed.notify_waiters();
    }

    /// Waits until no request is in flight.
    pub(super) async fn drained(&self) {
        while self.in_flight.load(Ordering::SeqCst) > 0 {
            self.changed.notified().await;
        }
        if let Some(log) = &self.log {
            _ = log.shutdown(HANDLER_LIMIT).await;
        }
    }

    /// Returns the response; `None` if the connection breaks.
    pub(super) async fn serve(
        &self,
        provider: Provider,
        request: Request<Full<Bytes>>,
    ) -> Option<StatusCode> {
        let mut answer = pin!(self.answer(provider, request));
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if !self.store.is_alive() {
                return None;
            }
            tokio::select! {
                biased;
                () = changed => {}
                answer = &mut answer => return answer,
            }
        }
    }

    async fn answer(
        &self,
        provider: Provider,
        request: Request<Full<Bytes>>,
    ) -> Option<StatusCode> {
        let _in_flight = InFlight::new(self);
        let _permit = self.concurrency.acquire().await.unwrap();
        let stack = self.stacks[provider as usize].clone();
        // A server closes the connection if a handler panics or fails.
        CatchPanic(Box::pin(stack.oneshot(request))).await?.ok()
    }
}

struct InFlight<'a> {
    process: &'a Process,
    _all: super::shared::InFlight,
}

impl<'a> InFlight<'a> {
    fn new(process: &'a Process) -> Self {
        process.in_flight.fetch_add(1, Ordering::SeqCst);
        Self { process, _all: process.shared.in_flight() }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if self.process.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.process.changed.notify_waiters();
        }
    }
}

/// Parts that the stacks of a process share.
struct Build<'a> {
    shared: &'a Arc<Shared>,
    store: &'a Store,
    clock: &'a Arc<AtomicI64>,
    log: Option<&'a DeliveryLog>,
}

impl Build<'_> {
    fn stack<V: Sign + Clone + Send + Sync + 'static>(&self, verifier: V, scope: &str) -> Stack
    where
        V::State: Send,
    {
        let guard = ReplayLayer::new(scope, self.store.clone())
            .retention(RETENTION)
            .by_event_id()
            .guard_body_only("meta")
            .guard_body_only("github");
        let handler = Timeout::new(Handler(Arc::clone(self.shared)), HANDLER_LIMIT);
        let (shared, off) = (Arc::clone(self.shared), Arc::clone(self.clock));
        let layer = unexplained(SignatureLayer::new(verifier))
            .without_tracing()
            .clock(move || shared.time(off.load(Ordering::Relaxed)));
        match self.log {
            Some(log) => {
                let inner = guard.layer(log.durable_layer().unwrap().layer(handler));
                boxed(layer.observer(log.clone()).layer(inner))
            }
            None => boxed(layer.layer(guard.layer(handler))),
        }
    }
}

fn boxed<S, R>(service: S) -> Stack
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = BoxError>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    R: 'static,
{
    BoxCloneSyncService::new(service.map_response(|response: Response<R>| response.status()))
}

/// Returns `None` in place of a panic, and drops the future.
struct CatchPanic<F>(Pin<Box<F>>);

impl<F: Future> Future for CatchPanic<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    }
}
