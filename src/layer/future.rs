//! The response future: a state machine from the request's head to the response.

use std::{
    error::Error,
    fmt,
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    layer::{
        body::{BufferedBody, ResponseBody},
        config::Config,
        deadline::Timer,
        engine::{Engine, StepOf, poll_source},
        read::{Purpose, Reading},
        step::{Exchange, Input, Step, StepProjection, Task},
    },
    observe::recorder::Recorder,
    outcome::rejection::Rejection,
    verifier::source::Source,
};

pin_project! {
    /// Response future of [`SignatureService`](crate::SignatureService).
    pub struct ResponseFuture<M, S, B>
    where
        M: Source,
        S: Service<Request<BufferedBody>>,
    {
        config: Arc<Config>,
        // Reports to the observers how the request ended, also when this future is dropped.
        recorder: Recorder,
        #[pin]
        step: StepOf<M, S, B>,
    }
}

impl<M, S, B> ResponseFuture<M, S, B>
where
    M: Source,
    S: Service<Request<BufferedBody>>,
    B: Body,
{
    pub(crate) fn new(
        head: Parts,
        body: B,
        look_up: Result<M::HeadLookUp, Rejection>,
        inner: S,
        config: Arc<Config>,
        recorder: Recorder,
    ) -> Self {
        let (exchange, body) = (Exchange { head, inner }, Input::Unread(body));
        let step = match look_up {
            Ok(look_up) => Step::Make { look_up, exchange, body },
            Err(rejection) => Step::Failed { rejection, exchange, body },
        };
        Self { config, recorder, step }
    }

    /// Creates the future of a request that may be a first contact.
    pub(crate) fn of_contact(
        head: Parts,
        body: B,
        source: M,
        inner: S,
        config: Arc<Config>,
        recorder: Recorder,
    ) -> Self {
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let reading = Reading::new(Purpose::Contact(source), declared);
        let task = Task::Read(Exchange { head, inner }, reading);
        Self { config, recorder, step: Step::Body { task, body, timer: Timer::default() } }
    }
}

impl<M, S, B, R> Future for ResponseFuture<M, S, B>
where
    M: Source,
    S: Service<Request<BufferedBody>, Response = Response<R>>,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut engine = Engine { step: this.step, config: this.config, recorder: this.recorder };
        loop {
            let next = match engine.step.as_mut().project() {
                StepProjection::Failed { .. } => engine.failed(),
                StepProjection::Make { look_up, .. } => {
                    let found = ready!(poll_source(look_up, cx));
                    engine.made(found)
                }
                StepProjection::Body { .. } => ready!(engine.poll_body(cx)),
                StepProjection::LookUp { .. } => ready!(engine.poll_look_up(cx)),
                StepProjection::Ready { inner, .. } => {
                    match ready!(engine.recorder.watch(|| inner.poll_ready(cx))) {
                        Ok(()) => engine.call(),
                        Err(error) => {
                            engine.completed(None);
                            return Poll::Ready(Err(error));
                        }
                    }
                }
                StepProjection::Call { future } => {
                    let response = ready!(engine.recorder.watch(|| future.poll(cx)));
                    engine.completed(response.as_ref().ok().map(Response::status));
                    return Poll::Ready(response.map(|response| response.map(ResponseBody::inner)));
                }
                StepProjection::Done => panic!("`ResponseFuture` polled after completion"),
            };
            if let ControlFlow::Break(response) = next {
                engine.step.set(Step::Done);
                return Poll::Ready(Ok(response.map(ResponseBody::own)));
            }
        }
    }
}

impl<M, S, B> fmt::Debug for ResponseFuture<M, S, B>
where
    M: Source,
    S: Service<Request<BufferedBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match &self.step {
            Step::Failed { .. } => "Failed",
            Step::Make { .. } => "Make",
            Step::Body { task: Task::Read(_, reading), .. } if reading.is_of_contact() => "Contact",
            Step::Body { task: Task::Read(..), .. } => "Read",
            Step::Body { task: Task::Discard(_), .. } => "Drain",
            Step::LookUp { .. } => "LookUp",
            Step::Ready { .. } => "Ready",
            Step::Call { .. } => "Call",
            Step::Done => "Done",
        };
        f.debug_struct("ResponseFuture").field("step", &step).finish_non_exhaustive()
    }
}
