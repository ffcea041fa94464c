//! What a verifier says of a request, and what the layer answers.

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    layer::config::Config,
    observe::{event::EventKind, recorder::Recorder},
    outcome::{
        kind::RejectionKind,
        rejection::Rejection,
        response::{default_response, grpc_content_type, grpc_response},
        verified::{Unverified, Verified},
    },
    panic::catch_panic,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, source::Found,
        verifier::Verifier,
    },
};

/// Who decides at the end of the body.
pub(crate) enum Decider<V, T, L> {
    Verifier(V, T),
    Later(L),
    /// It is decided already, and the layer only reports.
    Refused(Rejection),
}

/// How a request's way to the inner service ended early.
pub(crate) enum Stop {
    /// A challenge, and what was proven of it.
    Answer(Box<(Response<Bytes>, Option<Verified>)>),
    /// A first contact.
    Contact(Box<Response<Bytes>>),
    Refuse(Rejection),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Refuse(rejection)
    }
}

impl From<RejectionKind> for Stop {
    fn from(kind: RejectionKind) -> Self {
        Self::Refuse(Rejection::new(kind))
    }
}

impl Config {
    /// Marks a request that goes to the inner service. Whatever a layer above us has put there: of
    /// the two marks there is only ever one.
    pub(crate) fn admit(
        &self,
        verdict: Result<Verified, Stop>,
        head: &mut Parts,
        body: &Bytes,
        recorder: &Recorder,
    ) -> Result<(), Stop> {
        let marks = &mut head.extensions;
        match verdict {
            Ok(mut verified) => {
                verified.set_body(body.clone());
                recorder.accepted(&verified);
                marks.remove::<Unverified>();
                marks.insert(verified);
            }
            Err(stop) => {
                let rejection = self.report_only(stop)?;
                recorder.unverified(&rejection);
                marks.remove::<Verified>();
                marks.insert(Unverified::new(rejection));
            }
        }
        Ok(())
    }

    /// Why a request that is refused goes on all the same. One without a whole body never does.
    pub(crate) fn report_only(&self, stop: Stop) -> Result<Rejection, Stop> {
        match stop {
            Stop::Refuse(rejection) if self.report_only && !rejection.kind().is_of_body() => {
                Ok(self.attributed(rejection))
            }
            stop => Err(stop),
        }
    }

    fn attributed(&self, rejection: Rejection) -> Rejection {
        let rejection = self.defaults.complete(rejection, &self.observe.sensitive);
        rejection.with_status(self.defaults.status).with_shared_challenge(&self.found_challenge)
    }
}

pub(crate) fn begin<V: Verifier, L>(
    found: Found<V, L>,
    request: &Context<'_>,
) -> Result<Decider<V, V::State, L>, Stop> {
    Ok(match found {
        Found::Later(later) => Decider::Later(later),
        Found::Verifier(verifier) => {
            let state = start(&verifier, request)?;
            Decider::Verifier(verifier, state)
        }
    })
}

/// The steps that need the head alone.
pub(crate) fn start<V: Verifier>(verifier: &V, request: &Context<'_>) -> Result<V::State, Stop> {
    match decide(verifier, || verifier.challenge(request).transpose())? {
        Some(response) => Err(Stop::Answer(Box::new((response, None)))),
        None => Ok(decide(verifier, || verifier.begin(request))?),
    }
}

/// What a verifier decides, under its own provider's name: a look-up may find any provider's.
fn decide<V: Verifier, T>(
    verifier: &V,
    run: impl FnOnce() -> Result<T, Rejection>,
) -> Result<T, Rejection> {
    catch_panic(run).and_then(|result| result).map_err(|rejection| {
        let parts = catch_panic(|| verifier.sensitive_parts()).unwrap_or_default();
        let defaults = catch_panic(|| verifier.defaults());
        let mut defaults = defaults.unwrap_or(VerifierDefaults::DEFAULT);
        if defaults.provider == VerifierDefaults::DEFAULT.provider {
            // Without a name the layer's own says more.
            defaults = defaults.with_provider("");
        }
        defaults.complete(rejection, &parts)
    })
}

/// The verdict, and the reply to a signed challenge.
pub(crate) fn finish<V: Verifier>(
    verifier: &V,
    state: &mut V::State,
    request: &Context<'_>,
    body: &Bytes,
) -> Result<Verified, Stop> {
    // Without the room for a reply, so that less is moved on the way up.
    let split = |outcome| match outcome {
        Outcome::Accept(verified) => Ok(verified),
        Outcome::Reply(response, verified) => Err(Box::new((response, Some(verified)))),
    };
    decide(verifier, || verifier.finish(state, request, body).map(split))?.map_err(Stop::Answer)
}

/// Makes every response of the layer's own, and tells the observers. The rest of the body is drained
/// after that.
pub(crate) fn answer(
    stop: Stop,
    head: &Parts,
    config: &Config,
    recorder: &mut Recorder,
) -> Response<Bytes> {
    match stop {
        Stop::Answer(answer) => {
            let (response, verified) = *answer;
            let status = response.status();
            recorder.answered(verified.as_ref(), EventKind::Challenge { status });
            response
        }
        Stop::Contact(response) => {
            let status = response.status();
            recorder.answered(None, EventKind::FirstContact { status });
            *response
        }
        Stop::Refuse(rejection) => {
            let rejection = config.attributed(rejection);
            let grpc = grpc_content_type(head.version, &head.headers);
            let mut response = match (&config.rejection_response, grpc) {
                (Some(answer), _) => catch_panic(|| answer(&rejection))
                    .unwrap_or_else(|_| default_response(&rejection)),
                (None, Some(grpc)) => grpc_response(&rejection, grpc.clone()),
                (None, None) => default_response(&rejection),
            };
            rejection.add_challenge(&mut response);
            let status = response.status();
            recorder.rejected(&rejection, EventKind::Rejected { status });
            response.extensions_mut().insert(rejection);
            response
        }
    }
}
