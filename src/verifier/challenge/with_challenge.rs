//! Verifiers that also answer a challenge.

use bytes::Bytes;
use http::Response;

use crate::{
    error::ConfigError,
    outcome::rejection::Rejection,
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        outcome::Outcome, sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// Verifier that also answers a challenge; see [`with_challenge`].
#[derive(Clone, Debug)]
pub struct WithChallenge<V> {
    verifier: V,
    challenge: Challenge,
}

/// Creates a verifier that answers this challenge in addition to those of `verifier`.
///
/// Use it for verifiers that are not a declared scheme, and for senders with more than one
/// challenge.
///
/// ```
/// use tower_webhook::{
///     SignatureLayer,
///     providers::SharedToken,
///     scheme::Challenge,
///     verifier::with_challenge,
/// };
///
/// let token = SharedToken::in_query("code", "the secret in the endpoint's URL")?;
/// let event_grid = with_challenge(token, Challenge::EventGrid)?;
/// let cloud_events = Challenge::WebHookOrigins(&["eventgrid.azure.net"]);
/// let layer = SignatureLayer::new(with_challenge(event_grid, cloud_events)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// # Errors
///
/// Returns an error if the response needs the secret, which only a scheme has (see
/// [`Scheme::challenge`]), or if the name of the challenge's header is not in lower case: such a
/// header would never be found.
///
/// [`Scheme::challenge`]: crate::Scheme::challenge
pub fn with_challenge<V: Verifier>(
    verifier: V,
    challenge: Challenge,
) -> Result<WithChallenge<V>, ConfigError> {
    if !challenge.has_lower_case_names() {
        let why = "the challenge's header name is not a lower-case header name";
        return Err(ConfigError::SchemeInvalid { why });
    }
    if challenge.is_keyed() {
        let why = "the response to the challenge needs the secret; use `Scheme::challenge`";
        return Err(ConfigError::SchemeInvalid { why });
    }
    Ok(WithChallenge { verifier, challenge })
}

impl<V: Verifier> Verifier for WithChallenge<V> {
    type State = V::State;

    fn begin(&self, request: &Context<'_>) -> Result<V::State, Rejection> {
        self.verifier.begin(request)
    }

    fn update(&self, state: &mut V::State, chunk: &[u8]) {
        self.verifier.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut V::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let outcome = self.verifier.finish(state, request, body)?;
        outcome.or_reply(|| self.challenge.after_verification(request.head(), body, None))
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let own = self.verifier.challenge(request);
        own.or_else(|| self.challenge.before_verification(request.head(), None))
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        self.verifier.first_contact(request, body)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.verifier.defaults().with_challenge(self.challenge)
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.verifier.sensitive_parts()
    }
}
