//! Responses that the layer sends itself.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    layer::config::Config,
    observe::{attempt::Attempt, kind::EventKind, recorder::Recorder},
    outcome::{
        kind::RejectionKind,
        rejection::Rejection,
        response::{default_response, grpc_content_type, grpc_response},
        verified::Verified,
    },
    panic::catch_panic,
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

/// An early response, and whether the verifier caused it.
pub(crate) struct Refused {
    pub(crate) early: EarlyResponse,
    pub(crate) is_verifiers: bool,
}

impl Refused {
    pub(crate) fn by_verifier(early: impl Into<EarlyResponse>) -> Self {
        Self { early: early.into(), is_verifiers: true }
    }
}

impl<E: Into<EarlyResponse>> From<E> for Refused {
    fn from(early: E) -> Self {
        Self { early: early.into(), is_verifiers: false }
    }
}

impl Config {
    /// Completes the rejection of a request that report-only mode forwards. A request without a
    /// complete body is never forwarded.
    pub(crate) fn report_only(&self, refused: Refused) -> Result<Refused, Refused> {
        match refused.early {
            EarlyResponse::Rejection(rejection)
                if self.report_only && !rejection.kind().is_of_body() =>
            {
                let early = self.attributed(rejection).into();
                Ok(Refused { early, is_verifiers: refused.is_verifiers })
            }
            early => Err(Refused { early, ..refused }),
        }
    }

    fn attributed(&self, rejection: Rejection) -> Rejection {
        let has_secret_url = || self.observe.sensitive.has_url();
        let rejection = self.defaults.complete(rejection, has_secret_url);
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
