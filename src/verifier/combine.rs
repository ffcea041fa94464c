//! Combinations of two verifiers.

use bytes::Bytes;
use http::Response;

use crate::{
    outcome::{kind::RejectionKind, rejection::Rejection, verified::Verified},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Verifier that requires both of its verifiers to accept; see [`all_of`].
#[derive(Clone, Debug)]
pub struct AllOf<A, B> {
    first: A,
    second: B,
}

/// Verifier that requires one of its verifiers to accept; see [`any_of`].
#[derive(Clone, Debug)]
pub struct AnyOf<A, B> {
    first: A,
    second: B,
}

/// Creates a verifier that accepts a request if **both** verifiers accept it, for example by a
/// signature and a shared token.
///
/// [`Verified`] is that of the first verifier, so pass the verifier of the signature first. The
/// body limit and the status follow the rules of [`any_of`].
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

/// Creates a verifier that accepts a request if **either** verifier accepts it, for use during a
/// migration.
///
/// The combination is only as strong as the weaker verifier. Remove the old verifier once no
/// delivery has used it for a long time, which you see from [`Verified`]. Only a verifier that
/// accepts the request can answer a signed challenge in it.
///
/// The body limit is the larger one. The status is that of the first verifier, or that of the
/// verifier that asks for credentials with a
/// [`WWW-Authenticate`](VerifierDefaults::with_www_authenticate) header, because senders that wait
/// for this header have no other way to authenticate.
///
/// If both verifiers accept, [`Verified`] is that of the first. Its [replay
/// key](Verified::replay_key) is that of the verifier that accepts the delivery for longer, if that
/// verifier's signed content is [unique](Verified::has_unique_replay_key). The replay guard then
/// recognises the delivery for as long as either verifier accepts it. If the second verifier proves
/// nothing unique, such as a token beside a signature, it still accepts a delivery that the first
/// no longer accepts, and no replay guard can detect the repetition.
///
/// If both verifiers reject, the rejection is that of the verifier that got further: a signature
/// mismatch says more than a missing header.
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
        // Both always run, so that the time taken does not reveal which one rejected.
        let first = self.first.finish(first, request, body);
        let second = self.second.finish(second, request, body);
        let first = first?;
        // A token beside a signature must not hide the signed identity from the replay guard.
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

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.first.explain(probe);
        self.second.explain(probe);
    }
}

/// Returns the rejection that says more, or the first one if both say as much.
pub(crate) fn one_of(first: Rejection, second: Rejection) -> Rejection {
    if rank(second.kind()) > rank(first.kind()) { second } else { first }
}

/// Returns the rejection of the only verifier that accepted the head, because the request was meant
/// for it. Returns the other rejection if only the other verifier could not decide, so that the
/// sender retries.
fn of_the_meant(meant: Rejection, other: Rejection) -> Rejection {
    if meant.kind().is_authentication_failure() && !other.kind().is_authentication_failure() {
        other
    } else {
        meant
    }
}

/// Ranks a rejection by the progress of its verifier.
///
/// Tenant lookups depend on one property: a mismatch, which another secret may turn into an
/// acceptance, ranks above the kinds that no secret can change.
const fn rank(kind: RejectionKind) -> u8 {
    match kind {
        // The request has no part for this verifier.
        RejectionKind::Missing => 0,
        // The request has a part for this verifier, but it is malformed or repeated.
        RejectionKind::Malformed | RejectionKind::Repeated => 1,
        RejectionKind::SignatureMismatch => 3,
        // Well-formed. If the verifier checks the time last, the signature has matched.
        RejectionKind::TimestampInFuture | RejectionKind::TimestampStale => 4,
        // The verifier could not decide, so the sender must retry.
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
            // A verifier that rejects does not contribute to the outcome.
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

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.first.explain(probe);
        self.second.explain(probe);
    }
}
