//! The response future: a state machine from the request's head to the response.

use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
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
        config::Shared,
        engine::{Engine, StepOf, poll_source},
        exchange::{Decider, Exchange},
        read::Reading,
        step::{Input, Step, StepProjection, Task},
    },
    observe::recorder::Recorder,
    verifier::source::Source,
};

pin_project! {
    /// Response future of [`SignatureService`](crate::SignatureService).
    pub struct ResponseFuture<M, S, B>
    where
        M: Source,
        S: Service<Request<BufferedBody>>,
    {
        exchange: Exchange<M, S>,
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
    /// Creates the future of a request. The state of its verifier is written where it stays.
    #[inline]
    pub(crate) fn new(
        shared: Arc<Shared<M>>,
        recorder: Recorder,
        head: Parts,
        inner: S,
        body: B,
    ) -> Self {
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let first_contacts = &shared.config.defaults.first_contacts;
        let is_of_contact = first_contacts.may_be(&head, body.size_hint().exact());
        let request = Some((head, inner));
        let mut future = Self {
            exchange: Exchange { shared, recorder, decider: Decider::Source, request },
            step: Step::read(Reading::new(declared, is_of_contact), body),
        };
        // A first contact needs no verifier, so no lookup starts before the body shows whether it
        // is one.
        if !is_of_contact {
            future.begin();
        }
        future
    }

    /// Passes the head to the verifier, or starts to look the verifier up.
    fn begin(&mut self) {
        let Self { exchange, step } = self;
        let found = match exchange.look_up() {
            Some(Ok(look_up)) => {
                if let Step::Body { body, .. } = mem::replace(step, Step::Done) {
                    *step = Step::Make { look_up, body: Input::Unread(body) };
                }
                return;
            }
            Some(Err(panic)) => Some(Err(panic)),
            None => None,
        };
        if let Step::Body { task, body, .. } = step
            && let ControlFlow::Break(response) = exchange.begin(found, task, body)
        {
            *step = Step::Respond { response };
        }
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
        let mut engine = Engine { exchange: this.exchange, step: this.step };
        loop {
            let next = match engine.step.as_mut().project() {
                StepProjection::Make { look_up, .. } => {
                    let found = ready!(poll_source(look_up, cx));
                    engine.made(found)
                }
                StepProjection::Body { .. } => ready!(engine.poll_body(cx)),
                StepProjection::LookUp { .. } => ready!(engine.poll_look_up(cx)),
                StepProjection::Ready { body } => match ready!(engine.exchange.poll_inner(cx)) {
                    Ok(()) => {
                        let body = mem::replace(body, BufferedBody::empty());
                        engine.call(body)
                    }
                    Err(error) => {
                        engine.completed(None);
                        return Poll::Ready(Err(error));
                    }
                },
                StepProjection::Call { future } => {
                    let watch = engine.exchange.recorder.watch();
                    let response = future.poll(cx);
                    watch.done();
                    let response = ready!(response);
                    engine.completed(response.as_ref().ok().map(Response::status));
                    return Poll::Ready(response.map(|response| response.map(ResponseBody::inner)));
                }
                StepProjection::Respond { response } => ControlFlow::Break(mem::take(response)),
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
            Step::Make { .. } => "Make",
            Step::Body { task: Task::Read(reading), .. } if reading.is_of_contact => "Contact",
            Step::Body { task: Task::Read(..), .. } => "Read",
            Step::Body { task: Task::Discard(_), .. } => "Drain",
            Step::LookUp { .. } => "LookUp",
            Step::Ready { .. } => "Ready",
            Step::Call { .. } => "Call",
            Step::Respond { .. } => "Respond",
            Step::Done => "Done",
        };
        f.debug_struct("ResponseFuture").field("step", &step).finish_non_exhaustive()
    }
}
