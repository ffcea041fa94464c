//! Verifiers made of two verifiers.

use bytes::Bytes;
use http::Response;

use crate::{
    outcome::{kind::RejectionKind, rejection::Rejection, verified::Verified},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Both verifiers must accept; see [`all_of`].
#[derive(Clone, Debug)]
pub struct AllOf<A, B> {
    first: A,
    second: B,
}

/// One verifier must accept; see [`any_of`].
#[derive(Clone, Debug)]
pub struct AnyOf<A, B> {
    first: A,
    second: B,
}

/// Accepts what **both** verifiers accept, for example a signature and a shared token.
///
/// [`Verified`] is that of the first; put the signature there. Body limit and status are as for
/// [`any_of`].
///
/// ```
/// use http::HeaderName;
/// use tower_webhook::{SignatureLayer, providers::{SharedToken, Wsapi}, verifier::all_of};
///
/// let signature = Wsapi::new("event signing secret")?;
/// let header = HeaderName::from_static("x-webhook-auth");
/// let token = SharedToken::new(header, "webhook auth value")?;
/// let layer = SignatureLayer::new(all_of(signature, token));
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
pub const fn all_of<A: Verifier, B: Verifier>(first: A, second: B) -> AllOf<A, B> {
    AllOf { first, second }
}

/// Accepts what **either** verifier accepts, for the time of a migration.
///
/// It is as strong as the weaker of the two: take it out when the last delivery of the old kind is
/// long ago, which [`Verified`] tells. Only a verifier that accepted a request answers a signed
/// challenge in it.
///
/// The body limit is the larger one. The status is that of the first, or of the one that asks for
/// credentials by a [`WWW-Authenticate`](VerifierDefaults::with_www_authenticate) header: senders that wait for
/// this header find no other way in.
///
/// When both accept, [`Verified`] is that of the first. Its
/// [replay key](Verified::replay_key) is that of the one that accepts the delivery longer, where what
/// is signed is [unique](Verified::has_unique_replay_key): a replay guard knows the delivery as long as either
/// accepts it. A second one that proves nothing unique, such as a token beside a signature, accepts
/// again what the first does not any more, and no guard can tell.
///
/// When both refuse, the rejection is that of the verifier that came further: a signature that does
/// not match says more than a header that is missing.
pub const fn any_of<A: Verifier, B: Verifier>(first: A, second: B) -> AnyOf<A, B> {
    AnyOf { first, second }
}

impl<A: Verifier, B: Verifier> Verifier for AllOf<A, B> {
    type State = (A::State, B::State);

    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
        Ok((self.first.begin(request)?, self.second.begin(request)?))
    }

    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        self.first.update(&mut state.0, chunk);
        self.second.update(&mut state.1, chunk);
    }

    fn finish(
        &self,
        (first, second): &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        // Both run in any case, so that the time taken does not tell which one refused.
        let first = self.first.finish(first, request, body);
        let second = self.second.finish(second, request, body);
        let first = first?;
        // A token beside a signature must not hide from a replay guard what the signature covers.
        second.map(|second| first.join(second, Verified::or_identity_of))
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        self.first.challenge(request).or_else(|| self.second.challenge(request))
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        let first = self.first.first_contact(request, body);
        first.or_else(|| self.second.first_contact(request, body))
    }

    fn defaults(&self) -> VerifierDefaults {
        self.first.defaults().and(&self.second.defaults())
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.first.sensitive_parts().and(self.second.sensitive_parts())
    }
}

/// The rejection that says more, the first of two that say as much.
pub(crate) fn one_of(first: Rejection, second: Rejection) -> Rejection {
    if rank(second.kind()) > rank(first.kind()) { second } else { first }
}

/// The rejection of the one verifier whose head was in order, since it is the one that was meant.
/// Another verifier that could not decide makes the sender come again all the same.
fn of_the_meant(meant: Rejection, other: Rejection) -> Rejection {
    if meant.kind().is_authentication_failure() && !other.kind().is_authentication_failure() {
        other
    } else {
        meant
    }
}

/// Ranks a refusal by the progress of its verifier.
///
/// Look-ups of tenants depend on one point: a mismatch, which another secret may turn into an
/// acceptance, ranks above the kinds that no secret can change.
const fn rank(kind: RejectionKind) -> u8 {
    match kind {
        // Nothing in the request is meant for this verifier.
        RejectionKind::Missing => 0,
        // Something is, and cannot be read.
        RejectionKind::Malformed | RejectionKind::Repeated => 1,
        RejectionKind::SignatureMismatch => 3,
        // In form; where the time is judged last, the signature has matched.
        RejectionKind::TimestampInFuture | RejectionKind::TimestampStale => 4,
        // A verifier that could not decide makes the sender come again.
        kind if !kind.is_authentication_failure() => 5,
        _ => 2,
    }
}

impl<A: Verifier, B: Verifier> Verifier for AnyOf<A, B> {
    type State = (Result<A::State, Rejection>, Result<B::State, Rejection>);

    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
        match (self.first.begin(request), self.second.begin(request)) {
            (Err(first), Err(second)) => Err(one_of(first, second)),
            states => Ok(states),
        }
    }

    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        if let Ok(state) = &mut state.0 {
            self.first.update(state, chunk);
        }
        if let Ok(state) = &mut state.1 {
            self.second.update(state, chunk);
        }
    }

    fn finish(
        &self,
        (first, second): &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let were_in_order = (first.is_ok(), second.is_ok());
        let first = match first {
            Ok(state) => self.first.finish(state, request, body),
            Err(rejection) => Err(rejection.clone()),
        };
        let second = match second {
            Ok(state) => self.second.finish(state, request, body),
            Err(rejection) => Err(rejection.clone()),
        };
        match (first, second) {
            // A verifier that refused has no say in the answer.
            (Ok(first), Ok(second)) => Ok(first.join(second, Verified::or_longer_of)),
            (Ok(verified), Err(_)) | (Err(_), Ok(verified)) => Ok(verified),
            (Err(first), Err(second)) => Err(match were_in_order {
                (true, false) => of_the_meant(first, second),
                (false, true) => of_the_meant(second, first),
                _ => one_of(first, second),
            }),
        }
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        match (self.first.challenge(request), self.second.challenge(request)) {
            (Some(Ok(response)), _) | (_, Some(Ok(response))) => Some(Ok(response)),
            (Some(Err(first)), Some(Err(second))) => Some(Err(one_of(first, second))),
            (answer, None) | (None, answer) => answer,
        }
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        let first = self.first.first_contact(request, body);
        first.or_else(|| self.second.first_contact(request, body))
    }

    fn defaults(&self) -> VerifierDefaults {
        self.first.defaults().and(&self.second.defaults())
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.first.sensitive_parts().and(self.second.sensitive_parts())
    }
}
