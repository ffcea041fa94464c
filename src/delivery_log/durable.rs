//! Durable mode: no delivery is acknowledged without its row.

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
    sync::oneshot::{self, error::RecvError},
    time::{Timeout, error::Elapsed, timeout},
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

/// Layer that writes a row before the handler is called; see [durable mode](super#durable-mode).
///
/// If the row cannot be written, the layer responds with `503 Service Unavailable`, and the handler
/// is not called.
///
/// Place it below a [`SignatureLayer`](crate::SignatureLayer) that has the log as an observer.
/// Otherwise it responds to every request with 503, and reports that in a row with status
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

    /// Sets the time limit for writing the row, one second by default. It needs Tokio's timer.
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

/// Service of a [`DurableLayer`].
#[derive(Clone, Debug)]
pub struct DurableService<S> {
    inner: S,
    layer: DurableLayer,
}

impl<S> DurableService<S> {
    /// Returns a reference to the inner service. Requests sent to it directly get no row.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service. Requests sent to it directly get no row.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service. Requests sent to it directly get no row.
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

    /// Returns [`Poll::Ready`] immediately. The future polls the inner service for readiness after
    /// the row is written.
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
                    "durable layer rejects every request with 503: \
                     add its log as an observer of the `SignatureLayer` above it",
                );
                None
            }
            Some((attempt, ticket)) => {
                ticket.see();
                log.receive(attempt, &ticket).map(|written| (timeout(*deadline, written), ticket))
            }
        };
        let step = match written {
            // Readiness belongs to the instance that was polled, so the future polls and calls this
            // clone.
            Some((written, ticket)) => {
                Step::Write { written, ticket, request, inner: self.inner.clone() }
            }
            None => Step::Refuse { request },
        };
        DurableFuture { step }
    }
}

pin_project! {
    /// Response future of a [`DurableService`].
    pub struct DurableFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        step: Step<S, B, S::Future>,
    }
}

pin_project! {
    /// States in the order in which a request passes through them. The request moves with the
    /// state.
    #[project = StepProjection]
    #[project_replace = StepOwned]
    enum Step<S, B, F> {
        // No row can be written.
        Refuse { request: Request<B> },
        // The row is being written.
        Write {
            #[pin]
            written: Timeout<oneshot::Receiver<()>>,
            ticket: Arc<Ticket>,
            request: Request<B>,
            inner: S,
        },
        // The row is written. The inner service is being polled for readiness.
        Ready { request: Request<B>, inner: S },
        // The inner service is handling the request.
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
                    return Poll::Ready(Ok(step.refuse().map(ResponseBody::own)));
                }
                StepProjection::Write { written, .. } => {
                    let written = ready!(written.poll(cx));
                    step.as_mut().written(written);
                }
                StepProjection::Ready { inner, .. } => {
                    let readiness = ready!(inner.poll_ready(cx));
                    step.as_mut().call(readiness)?;
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

/// Transitions between the states, with one method for each state that ends.
impl<S, B> Step<S, B, S::Future>
where
    S: Service<Request<B>>,
{
    /// Responds instead of the inner service.
    fn refuse(mut self: Pin<&mut Self>) -> Response<Bytes> {
        refuse(&take!(self, StepOwned::Refuse { request } => request))
    }

    /// Lets the request pass if its row is in the store.
    fn written(mut self: Pin<&mut Self>, written: Result<Result<(), RecvError>, Elapsed>) {
        let (ticket, request, inner) = take!(
            self, StepOwned::Write { ticket, request, inner, .. } => (ticket, request, inner)
        );
        self.set(match written {
            Ok(Ok(())) => {
                ticket.write();
                Self::Ready { request, inner }
            }
            // The deadline has passed, or the store has rejected the row.
            _ => Self::Refuse { request },
        });
    }

    /// Calls the inner service with the request, unless the service has failed. Its clone is
    /// dropped before its future is polled.
    fn call(mut self: Pin<&mut Self>, readiness: Result<(), S::Error>) -> Result<(), S::Error> {
        if let Err(error) = readiness {
            self.set(Self::Done);
            return Err(error);
        }
        let (request, mut inner) =
            take!(self, StepOwned::Ready { request, inner } => (request, inner));
        self.set(Self::Call { future: inner.call(request) });
        Ok(())
    }
}

/// Creates the 503 response, in gRPC's form for a gRPC request. An authentic sender retries.
fn refuse<B>(request: &Request<B>) -> Response<Bytes> {
    let rejection = Rejection::new(RejectionKind::VerifierUnavailable);
    if let Some(attempt) = request.extensions().get::<Arc<Attempt>>() {
        // The observer's row shows this. The handler has not been called, so it has set nothing.
        attempt.set_status("error", "Rejected: its row could not be written");
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
    /// Returns a layer that writes a row before the handler is called, for use below the
    /// [`SignatureLayer`](crate::SignatureLayer); see [durable mode](super#durable-mode).
    ///
    /// # Errors
    ///
    /// Returns an error if the log was not opened as
    /// [durable](crate::delivery_log::DeliveryLogBuilder::durable).
    pub fn durable_layer(&self) -> Result<DurableLayer, ConfigError> {
        if !self.0.settings.is_durable {
            return Err(ConfigError::LogNotDurable);
        }
        Ok(DurableLayer::new(self.clone()))
    }
}
