//! A request in the layer, from its head to the call of the inner service.

use std::{
    mem,
    ops::ControlFlow,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use crate::{
    layer::{
        config::Shared,
        discard::{Draining, closing},
        evidence::Evidence,
        read::Reading,
        respond::{EarlyResponse, Refused, respond},
        step::{Early, Next, Task},
        verification::{finish, start, update},
    },
    observe::{attempt::Attempt, recorder::Recorder},
    outcome::{
        rejection::Rejection,
        verified::{Unverified, Verified},
    },
    panic::catch_panic,
    parse::headers::{awaits_continue, check_transfer_encoding, is_http1},
    verifier::{
        source::{FoundByHead, LookUpByBody, Source, sealed},
        verifier::Verifier,
    },
};

type VerifierOf<M> = <M as sealed::Engine>::Verifier;

/// The state of the verifiers of this source.
pub(crate) type StateOf<M> = <VerifierOf<M> as Verifier>::State;

/// The result of a lookup by the head.
pub(crate) type Found<M> =
    Result<FoundByHead<VerifierOf<M>, <M as sealed::Engine>::BodyLookUp>, Rejection>;

type LookUp<M> = <<M as sealed::Engine>::BodyLookUp as LookUpByBody>::Future;

/// A request without its body, and everything that decides on it.
pub(crate) struct Exchange<M: Source, S> {
    pub(crate) shared: Arc<Shared<M>>,
    /// Reports to the observers how the request ended, also when it is dropped.
    pub(crate) recorder: Recorder,
    pub(crate) decider: Decider<VerifierOf<M>, M::BodyLookUp>,
    /// The head, and the instance of the inner service that is polled for readiness and then
    /// called. They are taken when the layer responds or calls the inner service.
    pub(crate) request: Option<(Parts, S)>,
}

/// The verifier of a request.
pub(crate) enum Decider<V, L> {
    /// The source itself is the verifier, or there is none yet.
    Source,
    /// The verifier was looked up.
    Found(V),
    /// The verifier is looked up by the body.
    AfterBody(L),
}

/// A decision on a request whose body has been read.
pub(crate) enum Decided<F> {
    /// The request has been marked, and goes to the inner service.
    Forward,
    /// The verifier is being looked up by the body.
    LookUp(F),
}

impl<M: Source, S> Exchange<M, S> {
    pub(crate) fn head(&self) -> &Parts {
        head(&self.request)
    }

    /// Starts a lookup of the verifier by the head, unless the source is the verifier.
    pub(crate) fn look_up(&self) -> Option<Result<M::HeadLookUp, Rejection>> {
        let Shared { source, config } = &*self.shared;
        if source.at_hand().is_some() {
            return None;
        }
        let request = config.context(self.head());
        Some(catch_panic(|| source.look_up_by_head(&request, &config.shared())))
    }

    /// Passes the head to the verifier before the body is read, and responds if it is rejected.
    ///
    /// `found` is the result of a lookup, if there was one.
    pub(crate) fn begin(
        &mut self,
        found: Option<Found<M>>,
        task: &mut Task<StateOf<M>>,
        body: &impl Body,
    ) -> Next {
        let Task::Read(reading) = task else { return ControlFlow::Continue(()) };
        let judged = self.judge_head(found, reading).and_then(|()| {
            let config = &self.shared.config;
            Ok(config.check_declared(reading.declared(), head(&self.request))?)
        });
        let Err(refused) = judged else { return ControlFlow::Continue(()) };
        match self.refuse_unread(refused, body) {
            Early::Send(response) => ControlFlow::Break(response),
            Early::Drain(draining) => {
                *task = Task::Discard(draining);
                ControlFlow::Continue(())
            }
        }
    }

    /// Passes the head to the verifier.
    pub(crate) fn judge_head(
        &mut self,
        found: Option<Found<M>>,
        reading: &mut Reading<StateOf<M>>,
    ) -> Result<(), Refused> {
        let Self { shared, recorder, decider, request } = self;
        let (config, head) = (&*shared.config, head(request));
        match found {
            None => {}
            Some(Ok(FoundByHead::Verifier(verifier))) => {
                recorder.looked_up(&verifier);
                *decider = Decider::Found(verifier);
            }
            Some(Ok(FoundByHead::NeedsBody(look_up))) => *decider = Decider::AfterBody(look_up),
            Some(Err(rejection)) => reading.reject(rejection.into(), config)?,
        }
        if let Some(verifier) = decider.verifier(&shared.source)
            && reading.rejected.is_none()
        {
            recorder.look_for_repetitions(head);
            if let Err(early) = start(verifier, &config.context(head), &mut reading.state) {
                reading.reject(Refused::by_verifier(early), config)?;
            }
        }
        Ok(check_transfer_encoding(head)?)
    }

    /// Decides on a request whose body has been read, and marks it for the inner service.
    pub(crate) fn decide(
        &mut self,
        reading: &mut Reading<StateOf<M>>,
        body: &Bytes,
    ) -> Result<Decided<LookUp<M>>, Refused> {
        let Self { shared, recorder, decider, request: Some((head, _)) } = self else {
            return Err(Rejection::mismatch().into());
        };
        let config = &*shared.config;
        recorder.body_read(body);
        if let Decider::AfterBody(look_up) = decider
            && reading.rejected.is_none()
        {
            match catch_panic(|| look_up.look_up(head, body)) {
                Ok(future) => return Ok(Decided::LookUp(future)),
                Err(panic) => reading.reject(panic.into(), config)?,
            }
        }
        let verifier = decider.verifier(&shared.source);
        let refused = match (reading.rejected.take(), verifier, &mut reading.state) {
            (Some(refused), ..) => *refused,
            (None, Some(verifier), Some(state)) => {
                let accept = |verified: &mut Verified| {
                    verified.set_body(body.clone());
                    recorder.accepted(verified);
                    config.explaining.verified(recorder);
                };
                match finish(verifier, state, head, &config.observe.clock, body, accept) {
                    Ok(()) => {
                        recorder.insert_into(&mut head.extensions);
                        return Ok(Decided::Forward);
                    }
                    Err(early) => Refused::by_verifier(early),
                }
            }
            // Nothing is proven without a verifier and its state.
            _ => Rejection::mismatch().into(),
        };
        self.forward_unverified(refused, body)
    }

    /// Runs all steps of the verifier that was looked up by the body.
    pub(crate) fn decide_at_once(
        &mut self,
        found: Result<VerifierOf<M>, Rejection>,
        body: &Bytes,
    ) -> Result<Decided<LookUp<M>>, Refused> {
        let Self { shared, recorder, decider, request } = self;
        let (config, head) = (&*shared.config, head(request));
        let mut reading = Reading::new(body.len(), false);
        match found {
            Ok(verifier) => {
                recorder.looked_up(&verifier);
                recorder.look_for_repetitions(head);
                let begun = start(&verifier, &config.context(head), &mut reading.state);
                let updated = begun.and_then(|()| Ok(update(&verifier, &mut reading.state, body)?));
                *decider = Decider::Found(verifier);
                if let Err(early) = updated {
                    reading.reject(Refused::by_verifier(early), config)?;
                }
            }
            Err(rejection) => {
                *decider = Decider::Source;
                reading.reject(rejection.into(), config)?;
            }
        }
        self.decide(&mut reading, body)
    }

    /// Polls the inner service for readiness.
    pub(crate) fn poll_inner<B>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>>
    where
        S: Service<Request<B>>,
    {
        let Self { recorder, request, .. } = self;
        match request {
            Some((_, inner)) => {
                let watch = recorder.watch();
                let ready = inner.poll_ready(cx);
                watch.done();
                ready
            }
            None => unreachable!("the inner service has not been called"),
        }
    }

    /// Takes the head and the inner service, to respond or to call it.
    pub(crate) fn take_request(&mut self) -> (Parts, S) {
        match self.request.take() {
            Some(request) => request,
            None => unreachable!("the layer responds once"),
        }
    }

    /// Marks a request that report-only mode forwards, although it is not authentic.
    #[cold]
    fn forward_unverified(
        &mut self,
        refused: Refused,
        body: &Bytes,
    ) -> Result<Decided<LookUp<M>>, Refused> {
        let Refused { early, is_verifiers } = self.shared.config.report_only(refused)?;
        let (EarlyResponse::Rejection(rejection), Some((head, _))) = (early, &mut self.request)
        else {
            return Err(Rejection::mismatch().into());
        };
        self.recorder.unverified(&rejection);
        let attempt = self.recorder.attempt().cloned();
        let suspect = self.decider.suspect(&self.shared.source, is_verifiers);
        let explaining = &self.shared.config.explaining;
        explaining.evidence(attempt, suspect, || head.clone(), body.len()).explain(body);
        let marks = &mut head.extensions;
        marks.remove::<Verified>();
        marks.insert(Unverified::new(rejection));
        self.recorder.insert_into(marks);
        Ok(Decided::Forward)
    }
}

/// Responses.
impl<M: Source, S> Exchange<M, S> {
    /// Responds to a request whose body has been read.
    #[cold]
    pub(crate) fn refuse(&mut self, refused: Refused, body: &Bytes) -> Response<Bytes> {
        let (head, rejected, response) = self.respond(refused.early);
        let is_verifiers = refused.is_verifiers;
        self.evidence(rejected, is_verifiers, head, body.len()).explain(body);
        response
    }

    /// Responds to a request of whose body no frame has been polled.
    #[cold]
    pub(crate) fn refuse_unread(&mut self, refused: Refused, body: &impl Body) -> Early {
        let (head, rejected, response) = self.respond(refused.early);
        let is_http1 = is_http1(&head);
        // A sender that waits for `100 Continue` sends nothing, and polling the body would ask for
        // it.
        if !body.is_end_stream() && (awaits_continue(&head) || !self.shared.config.drains(body)) {
            return Early::Send(closing(response, is_http1));
        }
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let evidence = self.evidence(rejected, refused.is_verifiers, head, declared);
        if body.is_end_stream() {
            evidence.explain(&Bytes::new());
            return Early::Send(response);
        }
        self.drain(response, is_http1, evidence)
    }

    /// Responds to a request whose body was not read to its end. Such bodies are not explained.
    #[cold]
    pub(crate) fn interrupt(
        &mut self,
        early: EarlyResponse,
        is_broken: bool,
        body: &impl Body,
    ) -> Early {
        let (head, _, response) = self.respond(early);
        let is_http1 = is_http1(&head);
        if is_broken || !self.shared.config.drains(body) {
            return Early::Send(closing(response, is_http1));
        }
        self.drain(response, is_http1, Evidence::none())
    }

    /// Lets the response wait for the end of the body. The keys of a verifier that was looked up are
    /// dropped meanwhile.
    fn drain(&mut self, response: Response<Bytes>, is_http1: bool, evidence: Evidence) -> Early {
        self.decider = Decider::Source;
        Early::Drain(Draining::new(response, is_http1, evidence, &self.shared.config))
    }

    /// Builds the response, and drops the inner service.
    fn respond(&mut self, early: EarlyResponse) -> (Parts, Option<Arc<Attempt>>, Response<Bytes>) {
        let (head, inner) = self.take_request();
        drop(inner);
        let (response, rejected) = respond(early, &head, &self.shared.config, &mut self.recorder);
        (head, rejected, response)
    }

    fn evidence(
        &mut self,
        rejected: Option<Arc<Attempt>>,
        is_verifiers: bool,
        head: Parts,
        len: usize,
    ) -> Evidence {
        let suspect = self.decider.suspect(&self.shared.source, is_verifiers);
        self.shared.config.explaining.evidence(rejected, suspect, || head, len)
    }
}

impl<V, L> Decider<V, L> {
    #[inline]
    pub(crate) fn verifier<'a, M: Source<Verifier = V>>(&'a self, source: &'a M) -> Option<&'a V> {
        match self {
            Self::Source => source.at_hand(),
            Self::Found(verifier) => Some(verifier),
            Self::AfterBody(_) => None,
        }
    }

    /// Returns a function that takes the verifier out, if it rejected the request.
    fn suspect<'a, M: Source<Verifier = V>>(
        &'a mut self,
        source: &'a M,
        is_verifiers: bool,
    ) -> impl FnOnce() -> Option<V> + 'a {
        move || match mem::replace(self, Self::Source) {
            Self::Source if is_verifiers => source.own_verifier(),
            Self::Found(verifier) if is_verifiers => Some(verifier),
            _ => None,
        }
    }
}

fn head<S>(request: &Option<(Parts, S)>) -> &Parts {
    match request {
        Some((head, _)) => head,
        None => unreachable!("the request has been answered or passed on"),
    }
}
