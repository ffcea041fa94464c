//! Transitions between the states of a request, with one method for each state that ends.

use std::{
    error::Error,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::{
    layer::{
        body::BufferedBody,
        budget::Reservation,
        buffer::reserve,
        config::Config,
        deadline::Timer,
        discard::{Draining, closing},
        evidence::Evidence,
        read::{Interrupted, Purpose, Reading},
        respond::{EarlyResponse, Refused, respond},
        step::{Exchange, Input, Next, Step, StepOwned, StepProjection, Task},
        take::take,
        verification::{Verification, begin, finish, verify},
    },
    observe::{kind::EventKind, recorder::Recorder},
    outcome::{rejection::Rejection, verified::Verified},
    panic::catch_panic,
    parse::headers::{awaits_continue, check_transfer_encoding, is_http1},
    verifier::{
        context,
        source::{FoundByHead, LookUpByBody, Source, sealed},
        verifier::Verifier,
    },
};

type State<M> = <<M as sealed::Engine>::Verifier as Verifier>::State;

/// The verification of the requests of this source.
pub(crate) type VerificationOf<M> =
    Verification<<M as sealed::Engine>::Verifier, State<M>, <M as sealed::Engine>::BodyLookUp>;

/// An early response to a request of this source.
type RefusedOf<M> = Refused<<M as sealed::Engine>::Verifier>;

/// The states of the requests of this source, in front of this service.
pub(crate) type StepOf<M, S, B> = Step<
    M,
    <M as sealed::Engine>::HeadLookUp,
    <<M as sealed::Engine>::BodyLookUp as LookUpByBody>::Future,
    VerificationOf<M>,
    S,
    <S as Service<Request<BufferedBody>>>::Future,
    B,
>;

/// The state of a request, and the data that all states need.
pub(crate) struct Engine<'a, M, S, B>
where
    M: Source,
    S: Service<Request<BufferedBody>>,
{
    pub(crate) step: Pin<&'a mut StepOf<M, S, B>>,
    pub(crate) config: &'a Config,
    pub(crate) recorder: &'a mut Recorder,
}

impl<M, S, B> Engine<'_, M, S, B>
where
    M: Source,
    S: Service<Request<BufferedBody>>,
    B: Body,
{
    /// Handles a request for which the source failed before it returned a future.
    pub(crate) fn failed(&mut self) -> Next {
        let (rejection, exchange, body) = take!(
            self.step, StepOwned::Failed { rejection, exchange, body } => (rejection, exchange, body)
        );
        self.begun(Err(rejection.into()), exchange, body)
    }

    /// Passes the head to the verifier that was found.
    pub(crate) fn made(
        &mut self,
        found: Result<FoundByHead<M::Verifier, M::BodyLookUp>, Rejection>,
    ) -> Next {
        let (exchange, body) =
            take!(self.step, StepOwned::Make { exchange, body, .. } => (exchange, body));
        let verification = found.map_err(Refused::from).and_then(|found| {
            if let FoundByHead::Verifier(verifier) = &found {
                self.recorder.found(verifier, &exchange.head);
            }
            begin(found, &self.config.context(&exchange.head))
        });
        self.begun(verification, exchange, body)
    }

    /// Reads the body, or decides on it if it has already been read.
    fn begun(
        &mut self,
        verification: Result<VerificationOf<M>, RefusedOf<M>>,
        exchange: Exchange<S>,
        body: Input<B>,
    ) -> Next {
        let report_only = |refused| {
            let (rejection, suspect) = self.config.report_only(refused)?;
            Ok(Verification::Rejected(rejection, suspect))
        };
        let verification = verification.or_else(report_only).and_then(|verification| {
            check_transfer_encoding(&exchange.head)?;
            Ok(verification)
        });
        match body {
            Input::Unread(body) => self.read(verification, exchange, body),
            Input::Read(body, reservation) => {
                let updated = verification.and_then(|mut verification| {
                    verification.update(body.bytes(), self.config)?;
                    Ok(verification)
                });
                match updated {
                    Ok(verification) => self.decide(verification, exchange, body, reservation),
                    Err(refused) => self.respond(refused, exchange, &body),
                }
            }
        }
    }

    /// Starts to read the body, unless its declared length exceeds the limit or has no room.
    fn read(
        &mut self,
        verification: Result<VerificationOf<M>, RefusedOf<M>>,
        exchange: Exchange<S>,
        body: B,
    ) -> Next {
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let checked = verification.and_then(|verification| {
            self.config.check_declared(declared, &exchange.head)?;
            Ok(verification)
        });
        match checked {
            Ok(verification) => {
                let reading = Reading::new(Purpose::Verify(verification), declared);
                let task = Task::Read(exchange, reading);
                self.step.set(Step::Body { task, body, timer: Timer::default() });
                ControlFlow::Continue(())
            }
            Err(refused) => self.respond_unread(refused, exchange, body),
        }
    }

    /// Polls the body, to verify it or to discard it.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Next>
    where
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let StepProjection::Body { task, mut body, timer } = self.step.as_mut().project() else {
            unreachable!("the step was in another state when it was polled");
        };
        let (exchange, reading) = match task {
            Task::Read(exchange, reading) => (exchange, reading),
            Task::Discard(draining) => {
                let response = ready!(draining.poll(body, timer, self.config, cx));
                return Poll::Ready(ControlFlow::Break(response));
            }
        };
        match ready!(reading.poll(body.as_mut(), timer, self.config, cx)) {
            Ok(()) => Poll::Ready(self.read_to_end()),
            Err(Interrupted { early, is_broken }) => {
                let head = &exchange.head;
                let is_http1 = is_http1(head);
                // Bodies that were not read are not explained.
                let (response, _) = respond(early, head, self.config, self.recorder);
                if is_broken || !self.config.drains(&*body) {
                    return Poll::Ready(ControlFlow::Break(closing(response, is_http1)));
                }
                // Frees the bytes that were read, their share of the budget, the keys, and the
                // clone of the inner service.
                let none = Evidence::none();
                *task = Task::Discard(Draining::new(response, is_http1, none, self.config));
                Poll::Ready(ControlFlow::Continue(()))
            }
        }
    }

    /// Decides on a body that has been read completely.
    fn read_to_end(&mut self) -> Next {
        let (exchange, reading) = take!(
            self.step,
            StepOwned::Body { task: Task::Read(exchange, reading), .. } => (exchange, reading)
        );
        let (purpose, body, reservation) = reading.finish();
        match purpose {
            Purpose::Contact(source) => self.contact(&source, exchange, body, reservation),
            Purpose::Verify(verification) => self.decide(verification, exchange, body, reservation),
        }
    }

    /// Responds to a first contact, or asks for the verifier of any other request.
    fn contact(
        &mut self,
        source: &M,
        exchange: Exchange<S>,
        body: BufferedBody,
        reservation: Reservation,
    ) -> Next {
        let request = self.config.context(&exchange.head);
        let answered = catch_panic(|| answer_contact(source, self.config, &request, body.bytes()));
        let look_up = match answered {
            Ok(Some(response)) => {
                let answer = EarlyResponse::FirstContact(Box::new(response));
                return self.respond(answer.into(), exchange, &body);
            }
            Ok(None) => catch_panic(|| source.look_up_by_head(&request, &self.config.shared())),
            Err(panic) => Err(panic),
        };
        let body = Input::Read(body, reservation);
        self.step.set(match look_up {
            Ok(look_up) => Step::Make { look_up, exchange, body },
            Err(rejection) => Step::Failed { rejection, exchange, body },
        });
        ControlFlow::Continue(())
    }

    /// Decides on a body, or looks up the verifier by it.
    fn decide(
        &mut self,
        verification: VerificationOf<M>,
        exchange: Exchange<S>,
        body: BufferedBody,
        reservation: Reservation,
    ) -> Next {
        self.recorder.body_read(body.bytes());
        let verdict = match verification {
            Verification::Verifier(verifier, mut state) => {
                let request = self.config.context(&exchange.head);
                finish(&verifier, &mut state, &request, body.bytes())
                    .map_err(|early| Refused::by(verifier, early))
            }
            Verification::AfterBody(look_up) => {
                match catch_panic(|| look_up.look_up(&exchange.head, body.bytes())) {
                    Ok(future) => {
                        self.step.set(Step::LookUp { future, exchange, body, reservation });
                        return ControlFlow::Continue(());
                    }
                    Err(panic) => Err(panic.into()),
                }
            }
            Verification::Rejected(rejection, suspect) => {
                Err(Refused { early: rejection.into(), suspect })
            }
        };
        self.admit(verdict, exchange, body)
    }

    /// Polls the lookup by the body. While it waits, the budget covers the body.
    pub(crate) fn poll_look_up(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let StepProjection::LookUp { future, body, reservation, .. } = self.step.as_mut().project()
        else {
            unreachable!("the step was in another state when it was polled")
        };
        let found = match catch_panic(|| future.poll(cx)) {
            Ok(Poll::Ready(found)) => found,
            Ok(Poll::Pending) => {
                let len = body.bytes().len();
                match reserve(reservation, len, len, &self.config.budget, cx.waker()) {
                    Ok(()) => return Poll::Pending,
                    Err(overload) => Err(Rejection::new(overload)),
                }
            }
            Err(panic) => Err(panic),
        };
        Poll::Ready(self.looked_up(found))
    }

    /// Runs the verifier that was looked up by the body.
    fn looked_up(&mut self, found: Result<M::Verifier, Rejection>) -> Next {
        let (exchange, body, _reservation) = take!(
            self.step,
            StepOwned::LookUp { exchange, body, reservation, .. } => (exchange, body, reservation)
        );
        let verdict = found.map_err(Refused::from).and_then(|verifier| {
            self.recorder.found(&verifier, &exchange.head);
            let request = self.config.context(&exchange.head);
            let verdict = verify(&verifier, &request, body.bytes());
            verdict.map_err(|early| Refused::by(verifier, early))
        });
        self.admit(verdict, exchange, body)
    }

    /// Marks the request and prepares the call of the inner service, or responds.
    fn admit(
        &mut self,
        verdict: Result<Verified, RefusedOf<M>>,
        mut exchange: Exchange<S>,
        body: BufferedBody,
    ) -> Next {
        let head = &mut exchange.head;
        if let Err(refused) = self.config.admit(verdict, head, body.bytes(), self.recorder) {
            return self.respond(refused, exchange, &body);
        }
        self.recorder.insert_into(&mut head.extensions);
        let Exchange { head, inner } = exchange;
        self.step.set(Step::Ready { inner, request: Request::from_parts(head, body) });
        ControlFlow::Continue(())
    }

    /// Calls the inner service with the request. Its clone is dropped before its future is polled.
    pub(crate) fn call(&mut self) -> Next {
        let (mut inner, request) =
            take!(self.step, StepOwned::Ready { inner, request } => (inner, request));
        let Self { step, recorder, .. } = self;
        recorder.watch(|| step.set(Step::Call { future: inner.call(request) }));
        ControlFlow::Continue(())
    }

    /// Ends the request with the status of the inner service, or without one if it failed.
    pub(crate) fn completed(&mut self, status: Option<StatusCode>) {
        self.step.set(Step::Done);
        self.recorder.end(EventKind::Completed { status });
    }

    /// Responds to a request whose body has been read.
    fn respond(
        &mut self,
        refused: RefusedOf<M>,
        exchange: Exchange<S>,
        body: &BufferedBody,
    ) -> Next {
        let Exchange { head, inner } = exchange;
        drop(inner);
        let (response, rejected) = respond(refused.early, &head, self.config, self.recorder);
        let (explaining, body) = (&self.config.explaining, body.bytes());
        explaining.evidence(rejected, refused.suspect, || head, body.len()).explain(body);
        ControlFlow::Break(response)
    }

    /// Responds to a request of whose body no frame has been polled.
    fn respond_unread(&mut self, refused: RefusedOf<M>, exchange: Exchange<S>, body: B) -> Next {
        let Exchange { head, inner } = exchange;
        drop(inner);
        let (response, rejected) = respond(refused.early, &head, self.config, self.recorder);
        let is_http1 = is_http1(&head);
        // A sender that waits for `100 Continue` sends nothing, and polling the body would ask for
        // it.
        if !body.is_end_stream() && (awaits_continue(&head) || !self.config.drains(&body)) {
            return ControlFlow::Break(closing(response, is_http1));
        }
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let explaining = &self.config.explaining;
        let evidence = explaining.evidence(rejected, refused.suspect, || head, declared);
        if body.is_end_stream() {
            evidence.explain(&Bytes::new());
            return ControlFlow::Break(response);
        }
        let task = Task::Discard(Draining::new(response, is_http1, evidence, self.config));
        self.step.set(Step::Body { task, body, timer: Timer::default() });
        ControlFlow::Continue(())
    }
}

/// Polls a lookup by the head, and catches its panic.
pub(crate) fn poll_source<T>(
    early: Pin<&mut impl Future<Output = Result<T, Rejection>>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, Rejection>> {
    catch_panic(|| early.poll(cx)).unwrap_or_else(|panic| Poll::Ready(Err(panic)))
}

/// Returns the response to a first contact: the source takes its token, the defaults declare it, or
/// the source's code recognises it.
fn answer_contact<M: Source>(
    source: &M,
    config: &Config,
    request: &context::Context<'_>,
    body: &Bytes,
) -> Option<Response<Bytes>> {
    if source.takes_token(request.head(), body) {
        return Some(Response::default());
    }
    let declared = config.defaults.first_contacts.answer(request.head(), body);
    declared.or_else(|| source.first_contact(request, body))
}
