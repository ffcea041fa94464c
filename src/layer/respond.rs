//! Responses that the layer sends itself.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    layer::{config::Config, evidence::Suspect},
    observe::{attempt::Attempt, kind::EventKind, recorder::Recorder},
    outcome::{
        kind::RejectionKind,
        rejection::Rejection,
        response::{default_response, grpc_content_type, grpc_response},
        verified::{Unverified, Verified},
    },
    panic::catch_panic,
    verifier::verifier::Verifier,
};

/// A response that the layer sends instead of the inner service.
pub(crate) enum EarlyResponse {
    /// The response to a challenge, and the proof if the challenge was signed.
    Challenge(Box<(Response<Bytes>, Option<Verified>)>),
    /// The response to a first contact.
    FirstContact(Box<Response<Bytes>>),
    Rejection(Rejection),
}

impl From<Rejection> for EarlyResponse {
    fn from(rejection: Rejection) -> Self {
        Self::Rejection(rejection)
    }
}

impl From<RejectionKind> for EarlyResponse {
    fn from(kind: RejectionKind) -> Self {
        Self::Rejection(Rejection::new(kind))
    }
}

/// An early response, and the verifier that caused it.
pub(crate) struct Refused<V> {
    pub(crate) early: EarlyResponse,
    pub(crate) suspect: Suspect<V>,
}

impl<V> Refused<V> {
    pub(crate) fn by(verifier: V, early: EarlyResponse) -> Self {
        Self { early, suspect: Suspect::of(verifier) }
    }
}

impl<V> From<EarlyResponse> for Refused<V> {
    fn from(early: EarlyResponse) -> Self {
        Self { early, suspect: Suspect::none() }
    }
}

impl<V> From<Rejection> for Refused<V> {
    fn from(rejection: Rejection) -> Self {
        EarlyResponse::from(rejection).into()
    }
}

impl<V> From<RejectionKind> for Refused<V> {
    fn from(kind: RejectionKind) -> Self {
        EarlyResponse::from(kind).into()
    }
}

impl Config {
    /// Marks a request that goes to the inner service as verified or unverified.
    ///
    /// A layer above may have inserted the other mark. It is removed, so that a request never
    /// carries both.
    pub(crate) fn admit<V: Verifier>(
        &self,
        verdict: Result<Verified, Refused<V>>,
        head: &mut Parts,
        body: &Bytes,
        recorder: &Recorder,
    ) -> Result<(), Refused<V>> {
        match verdict {
            Ok(mut verified) => {
                verified.set_body(body.clone());
                recorder.accepted(&verified);
                self.explaining.verified(recorder);
                let marks = &mut head.extensions;
                marks.remove::<Unverified>();
                marks.insert(verified);
            }
            Err(refused) => {
                let (rejection, suspect) = self.report_only(refused)?;
                recorder.unverified(&rejection);
                let attempt = recorder.attempt().cloned();
                let explaining = &self.explaining;
                explaining.evidence(attempt, suspect, || head.clone(), body.len()).explain(body);
                let marks = &mut head.extensions;
                marks.remove::<Verified>();
                marks.insert(Unverified::new(rejection));
            }
        }
        Ok(())
    }

    /// Returns the rejection of a request that report-only mode forwards. A request without a
    /// complete body is never forwarded.
    pub(crate) fn report_only<V>(
        &self,
        refused: Refused<V>,
    ) -> Result<(Rejection, Suspect<V>), Refused<V>> {
        match refused {
            Refused { early: EarlyResponse::Rejection(rejection), suspect }
                if self.report_only && !rejection.kind().is_of_body() =>
            {
                Ok((self.attributed(rejection), suspect))
            }
            refused => Err(refused),
        }
    }

    fn attributed(&self, rejection: Rejection) -> Rejection {
        let rejection = self.defaults.complete(rejection, &self.observe.sensitive);
        rejection.with_status(self.defaults.status).with_shared_challenge(&self.found_challenge)
    }
}

/// Builds every response that the layer sends itself, and reports it to the observers. The rest of
/// the body is drained afterwards. Returns the attempt, too, if the request was rejected.
pub(crate) fn respond(
    early: EarlyResponse,
    head: &Parts,
    config: &Config,
    recorder: &mut Recorder,
) -> (Response<Bytes>, Option<Arc<Attempt>>) {
    match early {
        EarlyResponse::Challenge(answer) => {
            let (response, verified) = *answer;
            let status = response.status();
            recorder.answered(verified.as_ref(), EventKind::Challenge { status });
            (response, None)
        }
        EarlyResponse::FirstContact(response) => {
            let status = response.status();
            recorder.answered(None, EventKind::FirstContact { status });
            (*response, None)
        }
        EarlyResponse::Rejection(rejection) => {
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
            let attempt = recorder.rejected(&rejection, EventKind::Rejected { status });
            response.extensions_mut().insert(rejection);
            (response, attempt)
        }
    }
}
