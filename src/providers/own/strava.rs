//! Strava webhooks.

use bytes::Bytes;
use http::{Method, Response};

use crate::{
    crypto::{secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{kind::RejectionKind, rejection::Rejection, verified::Verified},
    providers::{apply, macros::sign_as, own::shared_token::SharedToken, support::subscription},
    verifier::{
        challenge::{
            challenge::Challenge,
            response::{is_token, json_answer},
        },
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Strava webhooks: a token in the URL, which proves the sender and not the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::{SharedToken, Strava}};
///
/// // Subscribed with the callback https://example.com/strava/the-secret.
/// let callback = SharedToken::in_path("the-secret")?;
/// let layer = SignatureLayer::new(Strava::new(callback, "verify_token")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the token is in the URL, at the place that the [`SharedToken`] defines |
/// | proves | that the sender knows the URL; **nothing about the body** |
/// | delivery ID | none known |
/// | challenge | an unsigned GET with `hub.mode=subscribe`, `hub.verify_token` and `hub.challenge`: the response is `{"hub.challenge":"<challenge>"}` |
///
/// - Strava **signs nothing**. You choose the token and put it into the callback's URL.
/// - Treat an event as a hint: fetch the activity that it names from Strava, and compare
///   `subscription_id` with your own.
/// - No GET reaches the handler.
///
/// # Evidence
///
/// Vendor's documentation: <https://developers.strava.com/docs/webhooks/>.
///
#[doc = crate::providers::macros::page!(Strava)]
#[derive(Clone, Debug)]
pub struct Strava {
    callback: SharedToken,
    verify_tokens: Vec<Secret>,
}

impl Strava {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        apply::defaults("strava").with_secret_url().with_challenge(Challenge::Query("hub.mode"));

    /// Creates a verifier of the shared token in the callback's URL.
    ///
    /// Strava's challenge must carry one of `verify_tokens`.
    ///
    /// # Errors
    ///
    /// Returns an error if a verify token is invalid (see [`Secret::new`](crate::Secret::new)), or
    /// if there are none or more than 16.
    pub fn new(
        callback: SharedToken,
        verify_tokens: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        Ok(Self { callback, verify_tokens: verify_tokens.into_secrets()?.counted(0)? })
    }
}

impl Verifier for Strava {
    type State = usize;

    fn begin(&self, request: &Context<'_>) -> Result<usize, Rejection> {
        self.callback.begin(request)
    }

    fn finish(&self, key: &mut usize, _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        Ok(Verified::new(Self::DEFAULTS.provider()).with_key_index(*key).into())
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let head = request.head();
        // Only GET, so that no other method bypasses verification.
        (head.method == Method::GET).then(|| {
            let challenge = subscription(head, &self.verify_tokens)?;
            // A token has no character that JSON escapes.
            if !is_token(challenge.as_bytes()) {
                return Err(Rejection::new(RejectionKind::ChallengeMalformed));
            }
            Ok(json_answer(&format!(r#"{{"hub.challenge":"{challenge}"}}"#)))
        })
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        Self::DEFAULTS.sensitive_parts().and(self.callback.sensitive_parts())
    }
}

sign_as!(Strava, self => &self.callback);
