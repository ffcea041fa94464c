//! The engine: one state machine from a request's head to its answer.

use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{HeaderMap, Request, Response, request::Parts};
use http_body::Body;
use http_body_util::LengthLimitError;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    BufferedBody, Rejection, RejectionKind, ResponseBody, Source, Verifier,
    budget::Share,
    deadline::Deadline,
    gather::Gather,
    head::not_coded,
    layer::Config,
    observe::{EventKind, Observed},
    source::LookUpLater,
    verdict::{Decider, Stop, answer, begin, contained, finish, start},
};

/// Frames that are read before other tasks get their turn.
const FRAMES_PER_TURN: usize = 64;

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
        observed: Observed,
        // Whether there is, or was, a body on its way behind the head.
        has_body: bool,
        #[pin]
        step: Step<M::Early, M::Verifier, <M::Verifier as Verifier>::State, M::Later, <M::Later as LookUpLater>::Future, B, S::Future>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<E, V, T, L, LF, B, F> {
        // The verifier could not even be asked for.
        Failed { rejection: Option<Rejection>, body: Option<B> },
        // The verifier is being made. The body has not been polled.
        Make { #[pin] early: E, body: Option<B> },
        // The head has been accepted. The body is being read.
        Read {
            decider: Option<Decider<V, T, L>>,
            gather: Gather,
            trailers: Option<Box<HeaderMap>>,
            #[pin]
            body: B,
            #[pin]
            deadline: Deadline,
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
        observed: Observed,
    ) -> Self {
        Self {
            head: Some(head),
            inner: Some(inner),
            config,
            observed,
            has_body: !body.is_end_stream(),
            step: match early {
                Ok(early) => Step::Make { early, body: Some(body) },
                Err(rejection) => Step::Failed { rejection: Some(rejection), body: Some(body) },
            },
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
        let mut this = self.project();
        loop {
            // Each step sets the next one itself: that way it is written into its place only once.
            let done = match (this.step.as_mut().project(), this.head.as_mut()) {
                (StepProjection::Failed { rejection, body }, Some(head)) => {
                    let rejection = rejection.take().unwrap_or(Rejection::mismatch());
                    let body = body.take();
                    this.config.report_only(rejection.into()).and_then(|rejection| {
                        this.step.as_mut().read(
                            Decider::Refused(rejection),
                            head,
                            body,
                            this.config,
                        )
                    })
                }
                (StepProjection::Make { early, body }, Some(head)) => {
                    let found = match contained(|| early.poll(cx)) {
                        Ok(found) => ready!(found).map_err(Stop::from),
                        Err(panic) => Err(panic.into()),
                    };
                    let body = body.take();
                    found
                        .and_then(|found| begin(found, head))
                        .or_else(|stop| this.config.report_only(stop).map(Decider::Refused))
                        .and_then(|decider| {
                            this.step.as_mut().read(decider, head, body, this.config)
                        })
                }
                (
                    StepProjection::Read { decider, gather, trailers, body, deadline },
                    Some(head),
                ) => {
                    let config = &**this.config;
                    let read = read(decider, gather, trailers, body, deadline, config, cx);
                    match ready!(read) {
                        Err(stop) => Err(stop),
                        Ok(()) => {
                            let (body, share) = mem::take(gather).finish();
                            let body = BufferedBody::new(body, trailers.take());
                            this.observed.has_read(body.bytes());
                            let verdict = match decider.take() {
                                Some(Decider::Verifier(verifier, state)) => {
                                    finish(&verifier, state, head, body.bytes())
                                }
                                Some(Decider::Later(later)) => {
                                    match contained(|| later.look_up(head, body.bytes())) {
                                        Ok(future) => {
                                            let body = Some(body);
                                            this.step.set(Step::LookUp { future, body, share });
                                            continue;
                                        }
                                        Err(panic) => Err(panic.into()),
                                    }
                                }
                                Some(Decider::Refused(rejection)) => Err(rejection.into()),
                                None => Err(RejectionKind::BodyUnreadable.into()),
                            };
                            config.admit(verdict, head, this.observed).map(|()| {
                                this.step.set(Step::Ready { body: Some(body) });
                            })
                        }
                    }
                }
                (StepProjection::LookUp { future, body, share }, Some(head)) => {
                    let verifier = match contained(|| future.poll(cx)) {
                        Ok(Poll::Ready(verifier)) => verifier.map_err(Stop::from),
                        Ok(Poll::Pending) => {
                            let len = body.as_ref().map_or(0, |body| body.bytes().len());
                            match share.grow(len, &this.config.budget) {
                                Ok(()) => return Poll::Pending,
                                Err(overload) => Err(overload.into()),
                            }
                        }
                        Err(panic) => Err(panic.into()),
                    };
                    let body = body.take().ok_or(RejectionKind::BodyUnreadable.into());
                    body.and_then(|body| {
                        let verdict = verifier.and_then(|verifier| {
                            let mut state = start(&verifier, head)?;
                            contained(|| verifier.update(&mut state, body.bytes()))?;
                            finish(&verifier, state, head, body.bytes())
                        });
                        this.config.admit(verdict, head, this.observed)?;
                        this.step.set(Step::Ready { body: Some(body) });
                        Ok(())
                    })
                }
                (StepProjection::Ready { body }, Some(_)) => {
                    if let Some(inner) = this.inner.as_mut()
                        && let Err(error) = ready!(this.observed.watch(|| inner.poll_ready(cx)))
                    {
                        this.step.set(Step::Done);
                        this.observed.ends(EventKind::Completed { status: None });
                        return Poll::Ready(Err(error));
                    }
                    if let (Some(mut inner), Some(mut head), Some(body)) =
                        (this.inner.take(), this.head.take(), body.take())
                    {
                        this.observed.hand_down(&mut head.extensions);
                        let request = Request::from_parts(head, body);
                        let step = &mut this.step;
                        this.observed.watch(|| {
                            step.set(Step::Call { future: inner.call(request) });
                        });
                        // The clone is dropped here, before the inner future is polled.
                    }
                    Ok(())
                }
                (StepProjection::Call { future }, _) => {
                    let response = ready!(this.observed.watch(|| future.poll(cx)));
                    this.step.set(Step::Done);
                    let status = response.as_ref().ok().map(Response::status);
                    this.observed.ends(EventKind::Completed { status });
                    return Poll::Ready(response.map(|response| response.map(ResponseBody::inner)));
                }
                (StepProjection::Done, _) | (_, None) => {
                    panic!("`ResponseFuture` polled after completion")
                }
            };
            if let Err(stop) = done {
                let is_unread = matches!(this.step.as_ref().get_ref(), Step::Make { .. });
                let is_refusal = matches!(stop, Stop::Refuse(_));
                let closes = *this.has_body && (is_unread || is_refusal);
                // Buffers, keys and the clone of the inner service are freed at once.
                this.step.set(Step::Done);
                this.inner.take();
                let response = answer(stop, this.head.take(), closes, this.config, this.observed);
                return Poll::Ready(Ok(response.map(ResponseBody::own)));
            }
        }
    }
}

impl<E, V, T, L, LF, B, F> Step<E, V, T, L, LF, B, F> {
    /// Towards the body, which is refused before its first byte where it claims to be too long
    /// (T-27), where there is no room for it now, or where it is coded so that its bytes are not
    /// those of the message.
    fn read(
        mut self: Pin<&mut Self>,
        decider: Decider<V, T, L>,
        head: &Parts,
        body: Option<B>,
        config: &Config,
    ) -> Result<(), Stop>
    where
        B: Body,
    {
        not_coded(head)?;
        let body = body.ok_or(RejectionKind::BodyUnreadable)?;
        let limit = config.body_limit();
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if declared > limit {
            return Err(RejectionKind::BodyTooLarge.into());
        }
        if !config.budget.has_room(declared) && !body.is_end_stream() {
            return Err(RejectionKind::Overload.into());
        }
        self.set(Self::Read {
            decider: Some(decider),
            gather: Gather::new(declared),
            trailers: None,
            body,
            deadline: Deadline::default(),
        });
        Ok(())
    }
}

/// Reads the body to its end, within its limit and its time.
fn read<V: Verifier, L, B>(
    decider: &mut Option<Decider<V, V::State, L>>,
    gather: &mut Gather,
    trailers: &mut Option<Box<HeaderMap>>,
    mut body: Pin<&mut B>,
    deadline: Pin<&mut Deadline>,
    config: &Config,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Stop>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    for _ in 0..FRAMES_PER_TURN {
        let frame = match body.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Err(unreadable(error.into()).into()));
            }
            Poll::Ready(None) => return Poll::Ready(Ok(())),
            Poll::Pending => return wait(gather, deadline, config, cx),
        };
        match frame.into_data() {
            Ok(mut data) => {
                if data.remaining() > config.body_limit() - gather.len() {
                    return Poll::Ready(Err(RejectionKind::BodyTooLarge.into()));
                }
                // The whole of it, of however many pieces it is made. `Bytes` are not copied.
                let chunk = data.copy_to_bytes(data.remaining());
                if let Some(Decider::Verifier(verifier, state)) = decider
                    && let Err(panic) = contained(|| verifier.update(state, &chunk))
                {
                    match config.report_only(panic.into()) {
                        Ok(rejection) => *decider = Some(Decider::Refused(rejection)),
                        Err(stop) => return Poll::Ready(Err(stop)),
                    }
                }
                gather.push(chunk, config.body_limit());
            }
            Err(frame) => {
                if let Ok(more) = frame.into_trailers() {
                    let trailers = trailers.get_or_insert_default();
                    for (name, value) in &more {
                        if trailers.try_append(name, value.clone()).is_err() {
                            return Poll::Ready(Err(RejectionKind::BodyUnreadable.into()));
                        }
                    }
                }
            }
        }
    }
    // A body that is always ready must not keep the thread, nor outlive its deadline: it may have
    // no end, and empty frames never reach the limit.
    cx.waker().wake_by_ref();
    wait(gather, deadline, config, cx)
}

/// For more of the body, while there is room for what is here, and time.
fn wait(
    gather: &mut Gather,
    deadline: Pin<&mut Deadline>,
    config: &Config,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Stop>> {
    if let Err(overload) = gather.hold(&config.budget) {
        return Poll::Ready(Err(overload.into()));
    }
    deadline.poll(config.body_deadline, cx).map(|()| Err(RejectionKind::BodyTimeout.into()))
}

/// A body error, which may be the limit of a layer above us in one or more wrappers.
fn unreadable(error: Box<dyn Error + Send + Sync>) -> Rejection {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return Rejection::new(RejectionKind::BodyTooLarge);
        }
        cause = error.source();
    }
    Rejection::new(RejectionKind::BodyUnreadable).with_source(error)
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
            Step::Read { .. } => "Read",
            Step::LookUp { .. } => "LookUp",
            Step::Ready { .. } => "Ready",
            Step::Call { .. } => "Call",
            Step::Done => "Done",
        };
        f.debug_struct("ResponseFuture").field("step", &step).finish_non_exhaustive()
    }
}
