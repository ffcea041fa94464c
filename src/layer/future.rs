//! The engine: one state machine from a request's head to its answer.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    layer::{
        body::{BufferedBody, ResponseBody},
        budget::Share,
        buffer::{hold, is_small},
        config::Config,
        deadline::Timer,
        drain::{Draining, Rest, closing},
        read::Reading,
        verification::{Decider, Stop, answer, begin, finish, start},
    },
    observe::{event::EventKind, recorder::Recorder},
    outcome::{kind::RejectionKind, rejection::Rejection},
    panic::catch_panic,
    parse::headers::{awaits_continue, is_http1, not_coded},
    verifier::{
        source::{Found, LookUpLater, Source},
        verifier::Verifier,
    },
};

pin_project! {
    /// The answer of a [`SignatureService`](crate::SignatureService).
    pub struct ResponseFuture<M, S, B>
    where
        M: Source,
        S: Service<Request<BufferedBody>>,
    {
        // There until the inner service is called.
        head: Option<Parts>,
        // The instance that is asked for room and then called. Gone after that.
        inner: Option<S>,
        config: Arc<Config>,
        // Tells the observers how the request ended, also when this future is dropped.
        recorder: Recorder,
        #[pin]
        step: Step<M, M::Early, M::Verifier, <M::Verifier as Verifier>::State, M::Later, <M::Later as LookUpLater>::Future, B, S::Future>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<M, E, V, T, L, LF, B, F> {
        // The verifier could not even be asked for.
        Failed { rejection: Option<Rejection>, body: Option<Input<B>> },
        // The verifier is being made.
        Make { #[pin] early: E, body: Option<Input<B>> },
        // The body is being read.
        Body {
            purpose: Purpose<M, V, T, L>,
            #[pin]
            body: B,
            #[pin]
            timer: Timer,
        },
        // The body is here whole. The verifier is being looked up by it.
        LookUp { #[pin] future: LF, body: Option<BufferedBody>, share: Share },
        // The request has its mark. The inner service is being asked for room.
        Ready { body: Option<BufferedBody> },
        // The inner service is at work.
        Call { #[pin] future: F },
        Done,
    }
}

/// A request's body before a verifier is there.
enum Input<B> {
    /// Not one frame has been polled.
    Unread(B),
    /// It has been read, because it could have been a first contact.
    Read(BufferedBody, Share),
}

/// The purpose of reading the body.
enum Purpose<M, V, T, L> {
    /// It may be a first contact. Nobody has been asked for a verifier.
    Contact(Reading<V, T, L>, Option<M>),
    /// The head has been accepted.
    Verify(Reading<V, T, L>),
    /// The response has been decided. The body is read so that the response arrives.
    Discard(Draining),
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
        early: Result<M::Early, Rejection>,
        inner: S,
        config: Arc<Config>,
        recorder: Recorder,
    ) -> Self {
        Self {
            head: Some(head),
            inner: Some(inner),
            config,
            recorder,
            step: match early {
                Ok(early) => Step::Make { early, body: Some(Input::Unread(body)) },
                Err(rejection) => {
                    Step::Failed { rejection: Some(rejection), body: Some(Input::Unread(body)) }
                }
            },
        }
    }

    /// For a request that may be a first contact.
    pub(crate) fn of_contact(
        head: Parts,
        body: B,
        make: M,
        inner: S,
        config: Arc<Config>,
        recorder: Recorder,
    ) -> Self {
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let purpose = Purpose::Contact(Reading::undecided(declared), Some(make));
        let step = Step::Body { purpose, body, timer: Timer::default() };
        Self { head: Some(head), inner: Some(inner), config, recorder, step }
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
        let mut this = self.project();
        loop {
            // Each step sets the next one itself: that way it is written into its place only once.
            let done = match (this.step.as_mut().project(), this.head.as_mut()) {
                (StepProjection::Failed { rejection, body }, Some(head)) => {
                    let rejection = rejection.take().unwrap_or(Rejection::mismatch());
                    let body = body.take();
                    let decider = this.config.report_only(rejection.into()).map(Decider::Refused);
                    this.step.as_mut().go_on(decider, head, body, this.config, this.recorder)
                }
                (StepProjection::Make { early, body }, Some(head)) => {
                    let found = match catch_panic(|| early.poll(cx)) {
                        Ok(found) => ready!(found).map_err(Stop::from),
                        Err(panic) => Err(panic.into()),
                    };
                    let body = body.take();
                    let decider = found
                        .and_then(|found| {
                            if let Found::Verifier(verifier) = &found {
                                this.recorder.found(verifier, head);
                            }
                            begin(found, &this.config.context(head))
                        })
                        .or_else(|stop| this.config.report_only(stop).map(Decider::Refused));
                    this.step.as_mut().go_on(decider, head, body, this.config, this.recorder)
                }
                (
                    StepProjection::Body { purpose: Purpose::Contact(reading, make), body, timer },
                    Some(head),
                ) => {
                    let config = &**this.config;
                    match ready!(reading.poll(body, timer, config, cx)) {
                        Err(stop) => Err(stop),
                        Ok(()) => {
                            let (body, share, _) = reading.finish();
                            let make = make.take();
                            let request = config.context(head);
                            let answered = make.as_ref().map_or(Ok(None), |make| {
                                catch_panic(|| contact(make, config, &request, body.bytes()))
                            });
                            match answered {
                                Ok(Some(response)) => {
                                    Err((Stop::Contact(Box::new(response)), Rest::Read))
                                }
                                answered => {
                                    let body = Some(Input::Read(body, share));
                                    let early = make.map(|make| {
                                        answered.and_then(|_| {
                                            catch_panic(|| make.early(&request, &config.shared()))
                                        })
                                    });
                                    this.step.set(match early {
                                        Some(Ok(early)) => Step::Make { early, body },
                                        Some(Err(panic)) => {
                                            Step::Failed { rejection: Some(panic), body }
                                        }
                                        None => Step::Failed { rejection: None, body },
                                    });
                                    Ok(())
                                }
                            }
                        }
                    }
                }
                (StepProjection::Body { purpose: Purpose::Discard(draining), body, timer }, _) => {
                    let response = ready!(draining.poll(body, timer, this.config, cx));
                    this.step.set(Step::Done);
                    return Poll::Ready(Ok(response.map(ResponseBody::own)));
                }
                (
                    StepProjection::Body { purpose: Purpose::Verify(reading), body, timer },
                    Some(head),
                ) => {
                    let config = &**this.config;
                    match ready!(reading.poll(body, timer, config, cx)) {
                        Err(stop) => Err(stop),
                        Ok(()) => {
                            let (body, share, decider) = reading.finish();
                            let step = this.step.as_mut();
                            step.judge(decider, (body, share), head, config, this.recorder)
                        }
                    }
                }
                (StepProjection::LookUp { future, body, share }, Some(head)) => {
                    let verifier = match catch_panic(|| future.poll(cx)) {
                        Ok(Poll::Ready(verifier)) => verifier.map_err(Stop::from),
                        Ok(Poll::Pending) => {
                            let len = body.as_ref().map_or(0, |body| body.bytes().len());
                            match hold(share, len, len, &this.config.budget, cx.waker()) {
                                Ok(()) => return Poll::Pending,
                                Err(overload) => Err(overload.into()),
                            }
                        }
                        Err(panic) => Err(panic.into()),
                    };
                    let body = body.take().ok_or(RejectionKind::BodyUnreadable.into());
                    let admitted = body.and_then(|body| {
                        let verdict = verifier.and_then(|verifier| {
                            this.recorder.found(&verifier, head);
                            let request = this.config.context(head);
                            let mut state = start(&verifier, &request)?;
                            catch_panic(|| verifier.update(&mut state, body.bytes()))?;
                            finish(&verifier, &mut state, &request, body.bytes())
                        });
                        this.config.admit(verdict, head, body.bytes(), this.recorder)?;
                        this.step.set(Step::Ready { body: Some(body) });
                        Ok(())
                    });
                    admitted.map_err(|stop| (stop, Rest::Read))
                }
                (StepProjection::Ready { body }, Some(_)) => {
                    if let Some(inner) = this.inner.as_mut()
                        && let Err(error) = ready!(this.recorder.watch(|| inner.poll_ready(cx)))
                    {
                        this.step.set(Step::Done);
                        this.recorder.end(EventKind::Completed { status: None });
                        return Poll::Ready(Err(error));
                    }
                    if let (Some(mut inner), Some(mut head), Some(body)) =
                        (this.inner.take(), this.head.take(), body.take())
                    {
                        this.recorder.insert_into(&mut head.extensions);
                        let request = Request::from_parts(head, body);
                        let step = &mut this.step;
                        this.recorder.watch(|| {
                            step.set(Step::Call { future: inner.call(request) });
                        });
                        // The clone is dropped here, before the inner future is polled.
                    }
                    Ok(())
                }
                (StepProjection::Call { future }, _) => {
                    let response = ready!(this.recorder.watch(|| future.poll(cx)));
                    this.step.set(Step::Done);
                    let status = response.as_ref().ok().map(Response::status);
                    this.recorder.end(EventKind::Completed { status });
                    return Poll::Ready(response.map(|response| response.map(ResponseBody::inner)));
                }
                (StepProjection::Done, _) | (_, None) => {
                    panic!("`ResponseFuture` polled after completion")
                }
            };
            if let Err((stop, rest)) = done {
                // The clone of the inner service is freed at once.
                this.inner.take();
                let Some(head) = this.head.take() else {
                    panic!("`ResponseFuture` polled after completion")
                };
                let response = answer(stop, &head, this.config, this.recorder);
                let step = this.step.as_mut();
                if let Some(response) = step.drain(response, &head, rest, this.config) {
                    this.step.set(Step::Done);
                    return Poll::Ready(Ok(response.map(ResponseBody::own)));
                }
            }
        }
    }
}

/// The answer to a first contact: a token is taken, or data or code know it.
fn contact<M: Source>(
    make: &M,
    config: &Config,
    request: &crate::verifier::context::Context<'_>,
    body: &Bytes,
) -> Option<Response<Bytes>> {
    if make.takes_token(request.head(), body) {
        return Some(Response::default());
    }
    let declared = config.defaults.first_contacts.answer(request.head(), body);
    declared.or_else(|| make.first_contact(request, body))
}

impl<M, E, V, L, B, F> Step<M, E, V, V::State, L, L::Future, B, F>
where
    V: Verifier,
    L: LookUpLater<Verifier = V>,
    B: Body,
{
    /// Reads the body for the one that decides, or decides where it has been read.
    fn go_on(
        self: Pin<&mut Self>,
        decider: Result<Decider<V, V::State, L>, Stop>,
        head: &mut Parts,
        body: Option<Input<B>>,
        config: &Config,
        recorder: &Recorder,
    ) -> Result<(), (Stop, Rest<B>)> {
        let (body, share) = match body {
            None => return Err((RejectionKind::BodyUnreadable.into(), Rest::Broken)),
            Some(Input::Unread(body)) => return self.read(decider, head, body, config),
            Some(Input::Read(body, share)) => (body, share),
        };
        let updated = decider.and_then(|mut decider| {
            not_coded(head)?;
            if let Decider::Verifier(verifier, state) = &mut decider
                && let Err(panic) = catch_panic(|| verifier.update(state, body.bytes()))
            {
                decider = Decider::Refused(config.report_only(panic.into())?);
            }
            Ok(decider)
        });
        let decider = updated.map_err(|stop| (stop, Rest::Read))?;
        self.judge(Some(decider), (body, share), head, config, recorder)
    }

    /// The verdict on a body that is here whole, or the look-up by it.
    fn judge(
        mut self: Pin<&mut Self>,
        decider: Option<Decider<V, V::State, L>>,
        (body, share): (BufferedBody, Share),
        head: &mut Parts,
        config: &Config,
        recorder: &Recorder,
    ) -> Result<(), (Stop, Rest<B>)> {
        recorder.body_read(body.bytes());
        let verdict = match decider {
            Some(Decider::Verifier(verifier, mut state)) => {
                finish(&verifier, &mut state, &config.context(head), body.bytes())
            }
            Some(Decider::Later(later)) => {
                match catch_panic(|| later.look_up(head, body.bytes())) {
                    Ok(future) => {
                        self.set(Self::LookUp { future, body: Some(body), share });
                        return Ok(());
                    }
                    Err(panic) => Err(panic.into()),
                }
            }
            Some(Decider::Refused(rejection)) => Err(rejection.into()),
            None => Err(RejectionKind::BodyUnreadable.into()),
        };
        config.admit(verdict, head, body.bytes(), recorder).map_err(|stop| (stop, Rest::Read))?;
        self.set(Self::Ready { body: Some(body) });
        Ok(())
    }
}

impl<M, E, V, T, L, LF, B: Body, F> Step<M, E, V, T, L, LF, B, F> {
    /// Starts reading the body, unless the request ends here: it was stopped, its body claims to be
    /// too long (T-27), is coded so that its bytes are not those of the message, or has no room.
    fn read(
        mut self: Pin<&mut Self>,
        decider: Result<Decider<V, T, L>, Stop>,
        head: &Parts,
        body: B,
        config: &Config,
    ) -> Result<(), (Stop, Rest<B>)> {
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let checked = decider.and_then(|decider| {
            not_coded(head)?;
            config.check_declared(declared, head)?;
            Ok(decider)
        });
        match checked {
            Ok(decider) => {
                let purpose = Purpose::Verify(Reading::new(decider, declared));
                self.set(Self::Body { purpose, body, timer: Timer::default() });
                Ok(())
            }
            Err(stop) => Err((stop, Rest::Unread(body))),
        }
    }

    /// Starts the drain behind a response, or returns the response if it is to be sent at once.
    fn drain(
        mut self: Pin<&mut Self>,
        response: Response<Bytes>,
        head: &Parts,
        rest: Rest<B>,
        config: &Config,
    ) -> Option<Response<Bytes>> {
        let reaches_end = |body: &B| config.drain.reaches_end(body, config.defaults.body_limit);
        match rest {
            Rest::Read => return Some(response),
            Rest::Unread(body) if body.is_end_stream() => return Some(response),
            // Who waits for `100 Continue` sends nothing, and to poll the body would ask for it.
            Rest::Unread(body) if reaches_end(&body) && !awaits_continue(head) => {
                let purpose = Purpose::Discard(Draining::new(response, head, config));
                self.set(Self::Body { purpose, body, timer: Timer::default() });
                return None;
            }
            Rest::Partly => {
                if let StepProjection::Body { purpose, body, .. } = self.project()
                    && reaches_end(&body)
                {
                    // Frees what was read, its share of the budget, and the keys.
                    *purpose = Purpose::Discard(Draining::new(response, head, config));
                    return None;
                }
            }
            Rest::Unread(_) | Rest::Broken => {}
        }
        Some(closing(response, is_http1(head)))
    }
}

impl Config {
    /// Refuses a body that can never be held, and one for which there is no room while its sender
    /// waits to send it. Any other may be there at once, and then needs no room.
    fn check_declared(&self, declared: usize, head: &Parts) -> Result<(), RejectionKind> {
        if declared > self.body_limit() {
            return Err(RejectionKind::BodyTooLarge);
        }
        let is_full = !is_small(declared, &self.budget) && !self.budget.has_room(declared);
        if is_full && awaits_continue(head) {
            return Err(RejectionKind::Overloaded);
        }
        Ok(())
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
            Step::Body { purpose: Purpose::Contact(..), .. } => "Contact",
            Step::Body { purpose: Purpose::Verify(_), .. } => "Read",
            Step::Body { purpose: Purpose::Discard(_), .. } => "Drain",
            Step::LookUp { .. } => "LookUp",
            Step::Ready { .. } => "Ready",
            Step::Call { .. } => "Call",
            Step::Done => "Done",
        };
        f.debug_struct("ResponseFuture").field("step", &step).finish_non_exhaustive()
    }
}
