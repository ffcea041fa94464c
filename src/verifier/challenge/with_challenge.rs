//! Verifiers that also answer a challenge.

use crate::{
    error::ConfigError,
    verifier::{challenge::challenge::Challenge, delegate::delegate_verifier, verifier::Verifier},
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
    delegate_verifier! {
        self => self.verifier, V::State;
        after(outcome, request, body) => {
            outcome.or_reply(|| self.challenge.after_verification(request.head(), body, None))
        };
        challenge(request) => {
            let own = self.verifier.challenge(request);
            own.or_else(|| self.challenge.before_verification(request.head(), None))
        };
        defaults => self.verifier.defaults().with_challenge(self.challenge)
    }
}
