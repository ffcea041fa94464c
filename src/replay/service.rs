//! The guard's service: one state machine from the claim to its settlement.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use http::{HeaderName, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    layer::body::ResponseBody,
    observe::{attempt::Attempt, kind::EventKind},
    outcome::{replay_answer::ReplayAnswer, response::grpc_content_type},
    parse::clock::Clock,
    replay::{
        config::{Answer, Config},
        outage::Outage,
        store::{Claim, Hold, ReplayStore, Settled, StoreError},
    },
};

/// The service of a [`ReplayLayer`](super::ReplayLayer).
#[derive(Clone)]
pub struct ReplayService<S, T> {
    inner: S,
    store: T,
    config: Arc<Config>,
}

impl<S, T> ReplayService<S, T> {
    pub(crate) const fn new(inner: S, store: T, config: Arc<Config>) -> Self {
        Self { inner, store, config }
    }

    /// The inner service. What goes to it directly is not guarded.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service. What goes to it directly is not guarded.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service. What goes to it directly is not guarded.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, T, B, R> Service<Request<B>> for ReplayService<S, T>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    T: ReplayStore,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ReplayFuture<S, T, B>;

    /// Always ready. The inner service is asked only once a delivery has been claimed, so that
    /// repetitions hold none of its capacity.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let config = Arc::clone(&self.config);
        let report = Report(request.extensions().get().cloned());
        let (mut hold, mut retention) = (None, Duration::ZERO);
        let step = match config.judge(request.extensions(), |kind| report.setup(kind)) {
            Ok(Some(guarded)) => {
                retention = guarded.retention;
                let (held, future) = Hold::claim(self.store.clone(), guarded.key, config.lease);
                hold = Some(held);
                Step::Claim { future }
            }
            Ok(None) => Step::Ready,
            Err(kind) => Step::Answer { answer: Answer { kind, key: None, error: None } },
        };
        let inner = Some(self.inner.clone());
        ReplayFuture { request: Some(request), inner, config, retention, report, step, hold }
    }
}

pin_project! {
    /// The answer of a [`ReplayService`].
    pub struct ReplayFuture<S, T, B>
    where
        S: Service<Request<B>>,
        T: ReplayStore,
    {
        // Gone, as the next, once the inner service is called.
        request: Option<Request<B>>,
        // The instance that is asked for room and then called.
        inner: Option<S>,
        config: Arc<Config>,
        // For how long a success is remembered.
        retention: Duration,
        report: Report,
        #[pin]
        step: Step<T::Claim, T::Settle, S::Future, Result<S::Response, S::Error>>,
        // Gives the claim back, also when this future is dropped. It is dropped after the step: a
        // handler that is being dropped may still hold what the next one needs.
        hold: Option<Hold<T>>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<C, T, F, O> {
        // The guard answers.
        Answer { answer: Answer },
        // The store is being asked.
        Claim { #[pin] future: C },
        // The claim is ours, or none is needed. The inner service is being asked for room.
        Ready,
        // The inner service is at work.
        Call { #[pin] future: F },
        // The store is being told how it ended.
        Settle { #[pin] future: T, outcome: Option<O> },
        Done,
    }
}

impl<S, T, B, R> Future for ReplayFuture<S, T, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    T: ReplayStore,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let outcome = match this.step.as_mut().project() {
                StepProjection::Answer { answer } => {
                    this.report.answered(answer.kind, this.request.as_ref(), this.config);
                    let request = this.request.take();
                    let grpc = request.as_ref().and_then(|request| {
                        grpc_content_type(request.version(), request.headers()).cloned()
                    });
                    let response = this.config.answer(answer, grpc);
                    this.inner.take();
                    this.step.set(Step::Done);
                    return Poll::Ready(Ok(response.map(ResponseBody::own)));
                }
                StepProjection::Claim { future } => {
                    let claim = ready!(future.poll(cx));
                    let outage = this.config.fails_open.then_some(&this.config.outage);
                    this.step.set(match this.report.claimed(claim, this.hold, outage) {
                        Ok(()) => Step::Ready,
                        Err(answer) => Step::Answer { answer },
                    });
                    continue;
                }
                StepProjection::Ready => {
                    let Some(inner) = this.inner.as_mut() else { polled_after_completion() };
                    match ready!(inner.poll_ready(cx)) {
                        Err(error) => {
                            // Nobody will want it while the store is told.
                            this.request.take();
                            Err(error)
                        }
                        Ok(()) => {
                            let Some(request) = this.request.take() else {
                                polled_after_completion()
                            };
                            this.step.set(Step::Call { future: inner.call(request) });
                            // The clone is dropped here, before the inner future is polled.
                            this.inner.take();
                            continue;
                        }
                    }
                }
                StepProjection::Call { future } => ready!(future.poll(cx)),
                StepProjection::Settle { future, outcome } => {
                    let settled = ready!(future.poll(cx));
                    let Some(outcome) = outcome.take() else { polled_after_completion() };
                    this.report.settled(settled, this.hold.take());
                    this.step.set(Step::Done);
                    return Poll::Ready(outcome.map(|response| response.map(ResponseBody::inner)));
                }
                StepProjection::Done => polled_after_completion(),
            };
            // The inner service has answered, or failed.
            let succeeded = outcome.as_ref().is_ok_and(is_success).then_some(*this.retention);
            match this.hold.as_mut() {
                Some(hold) => {
                    let future = hold.settle(succeeded);
                    this.step.set(Step::Settle { future, outcome: Some(outcome) });
                }
                None => {
                    this.step.set(Step::Done);
                    return Poll::Ready(outcome.map(|response| response.map(ResponseBody::inner)));
                }
            }
        }
    }
}

fn polled_after_completion() -> ! {
    panic!("`ReplayFuture` polled after completion")
}

/// A 2xx, and not a gRPC error, which is a 200 too.
fn is_success<R>(response: &Response<R>) -> bool {
    const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
    let grpc_status = response.headers().get(GRPC_STATUS);
    response.status().is_success() && grpc_status.is_none_or(|status| status == "0")
}

/// Tells the observers of the layer above, where there are any.
struct Report(Option<Arc<Attempt>>);

impl Report {
    fn event(&self, kind: EventKind) {
        if let Some(attempt) = &self.0 {
            attempt.report(kind);
        }
    }

    /// What the operator should change. It is said once, so it is said where nobody observes, too.
    fn setup(&self, kind: EventKind) {
        self.event(kind);
        #[cfg(feature = "tracing")]
        if self.0.is_none() {
            let what = match kind {
                EventKind::EventIdNotSigned => {
                    "deliveries are not known by their event id: the signature does not cover the body"
                }
                EventKind::Unguardable => "deliveries that can be signed alike are not guarded",
                _ => "deliveries are remembered without end; set a tolerance or a retention",
            };
            tracing::warn!(target: "tower_webhook::delivery", "{what}");
        }
    }

    fn answered<B>(&self, answer: ReplayAnswer, request: Option<&Request<B>>, config: &Config) {
        self.event(EventKind::Replay(answer));
        #[cfg(feature = "tracing")]
        if let Some(request) = request.filter(|_| answer == ReplayAnswer::NotVerified) {
            use crate::{observe::tracing::take_line, outcome::redact::text::escape};

            // Nobody observes a request that no layer above has seen.
            if let Some(suppressed) = take_line(&config.said.not_verified) {
                tracing::error!(
                    target: "tower_webhook::security",
                    method = request.method().as_str(),
                    path = escape(request.uri().path().as_bytes()),
                    suppressed = (suppressed > 0).then_some(suppressed),
                    "{answer}"
                );
            }
        }
        #[cfg(not(feature = "tracing"))]
        let _ = (request, config);
    }

    /// What the store says to a claim. A guard that fails open has an outage to count.
    fn claimed<T: ReplayStore>(
        &self,
        claim: Result<Claim, StoreError>,
        hold: &mut Option<Hold<T>>,
        outage: Option<&Outage>,
    ) -> Result<(), Answer> {
        let key = hold.as_ref().map(Hold::key).copied();
        if let Some(count) = outage
            .filter(|outage| claim.is_ok() && outage.is_on())
            .and_then(|outage| outage.answered_at(self.now()))
        {
            self.event(EventKind::GuardRestored { count });
        }
        let (kind, error) = match claim {
            Ok(Claim::Granted { evicted }) => {
                if evicted > 0 {
                    self.event(EventKind::Evicted { count: evicted });
                }
                return Ok(());
            }
            Ok(Claim::Completed) => (ReplayAnswer::Duplicate, None),
            Ok(Claim::InFlight) => (ReplayAnswer::InFlight, None),
            Err(error) => {
                self.store_failed(&error);
                // It may have been granted all the same. If so, this gives it back.
                hold.take();
                if let Some(outage) = outage {
                    self.unguarded(outage);
                    return Ok(());
                }
                (ReplayAnswer::StoreFailed, Some(error))
            }
        };
        // It is another's, and nothing is to be given back.
        if let Some(hold) = hold.take() {
            hold.forget();
        }
        Err(Answer { kind, key, error })
    }

    /// The layer's time, where one observes the request. Elsewhere nobody is told.
    fn now(&self) -> Duration {
        let now =
            self.0.as_ref().map_or_else(|| Clock::system().now(), |attempt| attempt.told_at());
        now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn unguarded(&self, outage: &Outage) {
        if let Some(attempt) = &self.0 {
            attempt.set_unguarded();
        }
        if let Some(count) = outage.unguarded_at(self.now()) {
            self.event(EventKind::Unguarded { count });
        }
    }

    fn settled<T: ReplayStore>(&self, settled: Result<Settled, StoreError>, hold: Option<Hold<T>>) {
        match settled {
            Ok(settled) => {
                if let Some(hold) = hold {
                    hold.forget();
                }
                if settled == Settled::Lost {
                    self.event(EventKind::LeaseLost);
                }
            }
            // The answer stands. Dropped unsettled, the hold tries once more, and nobody waits.
            Err(error) => {
                self.store_failed(&error);
                self.event(EventKind::Unsettled);
            }
        }
    }

    fn store_failed(&self, error: &StoreError) {
        #[cfg(feature = "tracing")]
        tracing::warn!(target: "tower_webhook::delivery", error = %error, "replay store failed");
        let _ = error;
    }
}

impl<S, T, B> fmt::Debug for ReplayFuture<S, T, B>
where
    S: Service<Request<B>>,
    T: ReplayStore,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match &self.step {
            Step::Answer { .. } => "Answer",
            Step::Claim { .. } => "Claim",
            Step::Ready => "Ready",
            Step::Call { .. } => "Call",
            Step::Settle { .. } => "Settle",
            Step::Done => "Done",
        };
        f.debug_struct("ReplayFuture").field("step", &step).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, T> fmt::Debug for ReplayService<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayService")
            .field("inner", &self.inner)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
