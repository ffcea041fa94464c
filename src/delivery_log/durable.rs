//! Durable mode: nothing is acknowledged without its row.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::{
    sync::oneshot,
    time::{Timeout, timeout},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    delivery_log::{delivery_log::DeliveryLog, ticket::Ticket},
    error::ConfigError,
    layer::{body::ResponseBody, take::take},
    observe::attempt::Attempt,
    outcome::{
        kind::RejectionKind,
        rejection::Rejection,
        response::{default_response, grpc_content_type, grpc_response},
    },
};

/// Writes a row before the handler is called, and answers 503 when it cannot; see
/// [durable mode](super#durable-mode).
///
/// It stands below the [`SignatureLayer`](crate::SignatureLayer), of which its log must be an
/// observer. Without that it answers every request with 503, and says so in a row with status
/// `misconfigured`.
#[derive(Clone, Debug)]
#[must_use]
pub struct DurableLayer {
    log: DeliveryLog,
    deadline: Duration,
}

impl DurableLayer {
    pub(crate) const fn new(log: DeliveryLog) -> Self {
        Self { log, deadline: Duration::from_secs(1) }
    }

    /// The time that writing the row may take, one second unless set. It is kept by tokio's timer.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

impl<S> Layer<S> for DurableLayer {
    type Service = DurableService<S>;

    fn layer(&self, inner: S) -> DurableService<S> {
        DurableService { inner, layer: self.clone() }
    }
}

/// The service of a [`DurableLayer`].
#[derive(Clone, Debug)]
pub struct DurableService<S> {
    inner: S,
    layer: DurableLayer,
}

impl<S> DurableService<S> {
    /// The inner service. What goes to it directly gets no row.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service. What goes to it directly gets no row.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service. What goes to it directly gets no row.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for DurableService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = DurableFuture<S, B>;

    /// Always ready. The inner service is asked once the row is there.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let DurableLayer { log, deadline } = &self.layer;
        let attempt = request.extensions().get::<Arc<Attempt>>();
        let ticket = attempt.and_then(|attempt| Some((attempt, log.ticket(attempt)?)));
        let written = match ticket {
            None => {
                log.warn(
                    "the durable layer's log is no observer of a `SignatureLayer` above it: \
                     every request is answered with 503",
                );
                None
            }
            Some((attempt, ticket)) => {
                ticket.see();
                log.receive(attempt, &ticket).map(|written| (timeout(*deadline, written), ticket))
            }
        };
        let step = match written {
            // This clone is the one that will be asked for room and then called: readiness belongs to
            // the instance that was asked.
            Some((written, ticket)) => {
                Step::Write { written, ticket, request, inner: self.inner.clone() }
            }
            None => Step::Refuse { request },
        };
        DurableFuture { step }
    }
}

pin_project! {
    /// The answer of a [`DurableService`].
    pub struct DurableFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        step: Step<S, B, S::Future>,
    }
}

pin_project! {
    /// The states, in the order in which a request goes through them. The request moves with them.
    #[project = StepProjection]
    #[project_replace = StepOwned]
    enum Step<S, B, F> {
        // No row can be written.
        Refuse { request: Request<B> },
        // The row is on its way.
        Write {
            #[pin]
            written: Timeout<oneshot::Receiver<()>>,
            ticket: Arc<Ticket>,
            request: Request<B>,
            inner: S,
        },
        // The row is there. The inner service is being asked for room.
        Ready { request: Request<B>, inner: S },
        // The inner service is at work.
        Call { #[pin] future: F },
        Done,
    }
}

impl<S, B, R> Future for DurableFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().step;
        loop {
            match step.as_mut().project() {
                StepProjection::Refuse { .. } => {
                    let request = take!(step, StepOwned::Refuse { request } => request);
                    return Poll::Ready(Ok(refuse(&request).map(ResponseBody::own)));
                }
                StepProjection::Write { written, .. } => {
                    let written = ready!(written.poll(cx));
                    let (ticket, request, inner) = take!(
                        step,
                        StepOwned::Write { ticket, request, inner, .. } => (ticket, request, inner)
                    );
                    step.set(match written {
                        Ok(Ok(())) => {
                            ticket.write();
                            Step::Ready { request, inner }
                        }
                        // Not in time, or not taken by the store.
                        _ => Step::Refuse { request },
                    });
                }
                StepProjection::Ready { inner, .. } => {
                    if let Err(error) = ready!(inner.poll_ready(cx)) {
                        step.set(Step::Done);
                        return Poll::Ready(Err(error));
                    }
                    // The clone is dropped here, before the inner future is polled.
                    let (request, mut inner) =
                        take!(step, StepOwned::Ready { request, inner } => (request, inner));
                    step.set(Step::Call { future: inner.call(request) });
                }
                StepProjection::Call { future } => {
                    let response = ready!(future.poll(cx));
                    step.set(Step::Done);
                    return Poll::Ready(response.map(|response| response.map(ResponseBody::inner)));
                }
                StepProjection::Done => panic!("`DurableFuture` polled after completion"),
            }
        }
    }
}

/// 503, in gRPC's way to a gRPC request. A genuine sender comes again.
fn refuse<B>(request: &Request<B>) -> Response<Bytes> {
    let rejection = Rejection::new(RejectionKind::VerifierUnavailable);
    if let Some(attempt) = request.extensions().get::<Arc<Attempt>>() {
        // For the row by the observer. The handler had no say.
        attempt.set_status("error", "The row could not be written first");
    }
    match grpc_content_type(request.version(), request.headers()) {
        Some(grpc) => grpc_response(&rejection, grpc.clone()),
        None => default_response(&rejection),
    }
}

impl<S, B> fmt::Debug for DurableFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match &self.step {
            Step::Refuse { .. } => "Refuse",
            Step::Write { .. } => "Write",
            Step::Ready { .. } => "Ready",
            Step::Call { .. } => "Call",
            Step::Done => "Done",
        };
        f.debug_struct("DurableFuture").field("step", &step).finish_non_exhaustive()
    }
}

impl DeliveryLog {
    /// A layer below the [`SignatureLayer`](crate::SignatureLayer) that writes a row before the
    /// handler is called; see [durable mode](super#durable-mode).
    ///
    /// # Errors
    ///
    /// When the log was not opened as [durable](crate::delivery_log::DeliveryLogBuilder::durable).
    pub fn durable_layer(&self) -> Result<DurableLayer, ConfigError> {
        if !self.0.settings.is_durable {
            return Err(ConfigError::LogNotDurable);
        }
        Ok(DurableLayer::new(self.clone()))
    }
}
