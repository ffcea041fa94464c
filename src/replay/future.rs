//! The state machine of the replay guard, from the claim to its settlement.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    layer::{body::ResponseBody, take::take},
    outcome::response::grpc_content_type,
    replay::{
        config::{Answer, Config},
        guard::{ClaimGuard, Claimed},
        recorder::ReplayRecorder,
        store::{Claim, ReplayStore, Settled, StoreError},
    },
};

pin_project! {
    /// Response future of [`ReplayService`](crate::replay::ReplayService).
    ///
    /// # Panics
    ///
    /// Panics if polled after completion.
    #[project = Guarded]
    pub struct ReplayFuture<S, T, B>
    where
        S: Service<Request<B>>,
        T: ReplayStore,
    {
        config: Arc<Config>,
        recorder: ReplayRecorder,
        #[pin]
        step: StepOf<S, T, B>,
    }
}

type StepOf<S, T, B> = Step<
    S,
    T,
    B,
    <T as ReplayStore>::Claim,
    <S as Service<Request<B>>>::Future,
    <T as ReplayStore>::Settle,
    Result<<S as Service<Request<B>>>::Response, <S as Service<Request<B>>>::Error>,
>;

pin_project! {
    /// States of a delivery, in their order.
    ///
    /// A claim is declared after the future that works under it, and so is dropped after it: a
    /// handler that is being dropped may still hold what the next one needs.
    #[project = StepProjection]
    #[project_replace = StepOwned]
    pub(crate) enum Step<S, T, B, C, F, E, O>
    where
        T: ReplayStore,
    {
        // The guard responds.
        Answer { answer: Answer, request: Request<B> },
        // The store processes the claim.
        Claim { #[pin] future: C, exchange: Exchange<S, B>, claim: Claimed<T> },
        // The claim is granted, or none is needed. The inner service is polled for readiness.
        Ready { exchange: Exchange<S, B>, claim: Option<Claimed<T>> },
        // The inner service handles the request.
        Call { #[pin] future: F, claim: Option<Claimed<T>> },
        // The store records the result.
        Settle { #[pin] future: E, outcome: O, guard: ClaimGuard<T> },
        // The inner service has responded, or failed.
        Respond { outcome: O },
        Done,
    }
}

/// A request, and the instance of the inner service that is polled for readiness and then called.
pub(crate) struct Exchange<S, B> {
    pub(crate) request: Request<B>,
    pub(crate) inner: S,
}

impl<S, T, B> ReplayFuture<S, T, B>
where
    S: Service<Request<B>>,
    T: ReplayStore,
{
    pub(crate) const fn new(
        step: StepOf<S, T, B>,
        config: Arc<Config>,
        recorder: ReplayRecorder,
    ) -> Self {
        Self { config, recorder, step }
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
            match this.step.as_mut().project() {
                StepProjection::Answer { .. } => {
                    return Poll::Ready(Ok(this.answer().map(ResponseBody::own)));
                }
                StepProjection::Claim { future, .. } => {
                    let answer = ready!(future.poll(cx));
                    this.claimed(answer);
                }
                StepProjection::Ready { exchange, .. } => {
                    let ready = ready!(exchange.inner.poll_ready(cx));
                    this.call(ready);
                }
                StepProjection::Call { future, .. } => {
                    let outcome = ready!(future.poll(cx));
                    let claim = take!(this.step, StepOwned::Call { claim, .. } => claim);
                    this.handled(outcome, claim);
                }
                StepProjection::Settle { future, .. } => {
                    let settled = ready!(future.poll(cx));
                    this.settled(settled);
                }
                StepProjection::Respond { .. } => {
                    let outcome = take!(this.step, StepOwned::Respond { outcome } => outcome);
                    return Poll::Ready(outcome.map(|response| response.map(ResponseBody::inner)));
                }
                StepProjection::Done => panic!("`ReplayFuture` polled after completion"),
            }
        }
    }
}

/// Transitions, one for each state that ends.
impl<S, T, B, R> Guarded<'_, S, T, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    T: ReplayStore,
{
    /// Responds in place of the inner service.
    fn answer(&mut self) -> Response<Bytes> {
        let (answer, request) =
            take!(self.step, StepOwned::Answer { answer, request } => (answer, request));
        self.recorder.answered(answer.kind, &request, self.config);
        let grpc = grpc_content_type(request.version(), request.headers()).cloned();
        self.config.answer(answer, grpc)
    }

    /// Passes on a request whose claim is granted.
    fn claimed(&mut self, answer: Result<Claim, StoreError>) {
        let outage = self.config.fails_open.then_some(&self.config.outage);
        let (claim, exchange) =
            take!(self.step, StepOwned::Claim { claim, exchange, .. } => (claim, exchange));
        self.step.set(match self.recorder.claimed(answer, claim, outage) {
            Ok(claim) => Step::Ready { exchange, claim },
            Err(answer) => Step::Answer { answer, request: exchange.request },
        });
    }

    /// Calls the inner service, which is ready or has failed.
    fn call(&mut self, ready: Result<(), S::Error>) {
        let (exchange, claim) =
            take!(self.step, StepOwned::Ready { exchange, claim } => (exchange, claim));
        let Exchange { request, mut inner } = exchange;
        match ready {
            // The clone is dropped here, before the inner future is polled.
            Ok(()) => self.step.set(Step::Call { future: inner.call(request), claim }),
            Err(error) => {
                // Before the store is called.
                drop((request, inner));
                self.handled(Err(error), claim);
            }
        }
    }

    /// Settles the claim by the result of the inner service.
    fn handled(&mut self, outcome: Result<Response<R>, S::Error>, claim: Option<Claimed<T>>) {
        let Some(Claimed { mut guard, retention }) = claim else {
            return self.step.set(Step::Respond { outcome });
        };
        let is_success = outcome.as_ref().is_ok_and(is_success);
        let future = if is_success { guard.commit(retention) } else { guard.release() };
        self.step.set(Step::Settle { future, guard, outcome });
    }

    /// Records what the store said.
    fn settled(&mut self, settled: Result<Settled, StoreError>) {
        let (guard, outcome) =
            take!(self.step, StepOwned::Settle { guard, outcome, .. } => (guard, outcome));
        self.recorder.settled(settled, guard);
        self.step.set(Step::Respond { outcome });
    }
}

/// Returns `true` for a 2xx response that is no gRPC error, which has status 200 as well.
fn is_success<R>(response: &Response<R>) -> bool {
    const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
    let grpc_status = response.headers().get(GRPC_STATUS);
    response.status().is_success() && grpc_status.is_none_or(|status| status == "0")
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
            Step::Ready { .. } => "Ready",
            Step::Call { .. } => "Call",
            Step::Settle { .. } => "Settle",
            Step::Respond { .. } => "Respond",
            Step::Done => "Done",
        };
        f.debug_struct("ReplayFuture").field("step", &step).finish_non_exhaustive()
    }
}
