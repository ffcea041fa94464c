//! Transitions between the states of a request, with one method for each state that ends.

use std::{
    error::Error,
    future::Future,
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
        exchange::{Decided, Exchange, Found, StateOf},
        read::{Interrupted, Reading},
        respond::{EarlyResponse, Refused},
        step::{Early, Input, Next, Step, StepOwned, StepProjection, Task},
        take::take,
    },
    observe::kind::EventKind,
    outcome::rejection::Rejection,
    panic::catch_panic,
    verifier::{
        context,
        source::{LookUpByBody, Source, sealed},
    },
};

type LookUp<M> = <<M as sealed::Engine>::BodyLookUp as LookUpByBody>::Future;

/// The states of the requests of this source, in front of this service.
pub(crate) type StepOf<M, S, B> = Step<
    <M as sealed::Engine>::HeadLookUp,
    StateOf<M>,
    LookUp<M>,
    <S as Service<Request<BufferedBody>>>::Future,
    B,
>;

/// The state of a request, and the data that all states need.
pub(crate) struct Engine<'a, M, S, B>
where
    M: Source,
    S: Service<Request<BufferedBody>>,
{
    pub(crate) exchange: &'a mut Exchange<M, S>,
    pub(crate) step: Pin<&'a mut StepOf<M, S, B>>,
}

impl<M, S, B> Engine<'_, M, S, B>
where
    M: Source,
    S: Service<Request<BufferedBody>>,
    B: Body,
{
    /// Passes the head to the verifier that was looked up by it.
    pub(crate) fn made(&mut self, found: Found<M>) -> Next {
        let body = take!(self.step, StepOwned::Make { body, .. } => body);
        match body {
            Input::Unread(body) => {
                let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
                self.step.set(Step::read(Reading::new(declared, false), body));
                let StepProjection::Body { task, body, .. } = self.step.as_mut().project() else {
                    unreachable!("this step has just been set");
                };
                self.exchange.begin(Some(found), task, &*body)
            }
            Input::Read(body, reservation) => self.begin_read(Some(found), body, reservation),
        }
    }

    /// Runs all steps of the verifier, for a body that could have been a first contact.
    fn begin_read(
        &mut self,
        found: Option<Found<M>>,
        body: BufferedBody,
        reservation: Reservation,
    ) -> Next {
        let mut reading = Reading::new(body.bytes().len(), false);
        let judged = self.exchange.judge_head(found, &mut reading);
        let decided = judged.and_then(|()| {
            let Exchange { decider, shared, .. } = &*self.exchange;
            reading.update(body.bytes(), decider.verifier(&shared.source), &shared.config)?;
            self.exchange.decide(&mut reading, body.bytes())
        });
        self.decided(decided, body, reservation)
    }

    /// Polls the body, to verify it or to discard it.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Next>
    where
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let StepProjection::Body { task, mut body, timer } = self.step.as_mut().project() else {
            unreachable!("the step was in another state when it was polled");
        };
        let Exchange { decider, shared, .. } = &*self.exchange;
        let reading = match task {
            Task::Read(reading) => reading,
            Task::Discard(draining) => {
                let response = ready!(draining.poll(body, timer, &shared.config, cx));
                return Poll::Ready(ControlFlow::Break(response));
            }
        };
        let verifier = decider.verifier(&shared.source).filter(|_| !reading.is_of_contact);
        let read = ready!(reading.poll(body.as_mut(), timer, verifier, &shared.config, cx));
        if let Err(Interrupted { early, is_broken }) = read {
            return Poll::Ready(match self.exchange.interrupt(early, is_broken, &*body) {
                Early::Send(response) => ControlFlow::Break(response),
                Early::Drain(draining) => {
                    // Frees the bytes that were read, their share of the budget, and the keys.
                    *task = Task::Discard(draining);
                    ControlFlow::Continue(())
                }
            });
        }
        let (body, reservation) = reading.take_body();
        if reading.is_of_contact {
            return Poll::Ready(self.contact(body, reservation));
        }
        let decided = self.exchange.decide(reading, body.bytes());
        Poll::Ready(self.decided(decided, body, reservation))
    }

    /// Responds to a first contact, or asks for the verifier of any other request.
    fn contact(&mut self, body: BufferedBody, reservation: Reservation) -> Next {
        let Exchange { shared, .. } = &*self.exchange;
        let request = shared.config.context(self.exchange.head());
        let answered =
            catch_panic(|| answer_contact(&shared.source, &shared.config, &request, body.bytes()));
        let failed = match answered {
            Ok(Some(response)) => {
                let answer = EarlyResponse::FirstContact(Box::new(response));
                return ControlFlow::Break(self.exchange.refuse(answer.into(), body.bytes()));
            }
            Ok(None) => match self.exchange.look_up() {
                Some(Ok(look_up)) => {
                    self.step.set(Step::Make { look_up, body: Input::Read(body, reservation) });
                    return ControlFlow::Continue(());
                }
                Some(Err(panic)) => Some(Err(panic)),
                None => None,
            },
            Err(panic) => Some(Err(panic)),
        };
        self.begin_read(failed, body, reservation)
    }

    /// Polls the lookup by the body. While it waits, the budget covers the body.
    pub(crate) fn poll_look_up(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let StepProjection::LookUp { future, body, reservation } = self.step.as_mut().project()
        else {
            unreachable!("the step was in another state when it was polled");
        };
        let found = match catch_panic(|| future.poll(cx)) {
            Ok(Poll::Ready(found)) => found,
            Ok(Poll::Pending) => {
                let len = body.bytes().len();
                let budget = &self.exchange.shared.config.budget;
                match reserve(reservation, len, len, budget, cx.waker()) {
                    Ok(()) => return Poll::Pending,
                    Err(overload) => Err(Rejection::new(overload)),
                }
            }
            Err(panic) => Err(panic),
        };
        let (body, reservation) = take!(
            self.step, StepOwned::LookUp { body, reservation, .. } => (body, reservation)
        );
        let decided = self.exchange.decide_at_once(found, body.bytes());
        Poll::Ready(self.decided(decided, body, reservation))
    }

    /// Passes a request on, looks its verifier up by the body, or responds.
    fn decided(
        &mut self,
        decided: Result<Decided<LookUp<M>>, Refused>,
        body: BufferedBody,
        reservation: Reservation,
    ) -> Next {
        self.step.set(match decided {
            Ok(Decided::Forward) => Step::Ready { body },
            Ok(Decided::LookUp(future)) => Step::LookUp { future, body, reservation },
            Err(refused) => {
                return ControlFlow::Break(self.exchange.refuse(refused, body.bytes()));
            }
        });
        ControlFlow::Continue(())
    }

    /// Calls the inner service with the request. Its clone is dropped before its future is polled.
    pub(crate) fn call(&mut self, body: BufferedBody) -> Next {
        let Self { exchange, step } = self;
        let (head, mut inner) = exchange.take_request();
        let watch = exchange.recorder.watch();
        step.set(Step::Call { future: inner.call(Request::from_parts(head, body)) });
        drop(inner);
        watch.done();
        ControlFlow::Continue(())
    }

    /// Ends the request with the status of the inner service, or without one if it failed.
    pub(crate) fn completed(&mut self, status: Option<StatusCode>) {
        self.step.set(Step::Done);
        self.exchange.recorder.end(EventKind::Completed { status });
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
