//! Strava webhooks.

use bytes::Bytes;
use http::{Method, Response, request::Parts};

use crate::{
    crypto::{secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{kind::RejectionKind, rejection::Rejection},
    providers::{
        macros::{registered, sign_as},
        own::shared_token::{SharedToken, of_provider},
        policy::DeliveryPolicy,
        support::subscription,
    },
    verifier::{
        challenge::{
            challenge::Challenge,
            response::{is_token, json_answer},
        },
        defaults::VerifierDefaults,
        delegate::delegate_verifier,
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

registered! {
    Strava = "strava";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "nothing: a token in the URL";
}

impl Strava {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_secret_url().with_challenge(Challenge::Query("hub.mode"));

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

    /// Returns the response to the challenge of a new subscription.
    fn subscription(&self, head: &Parts) -> Option<Result<Response<Bytes>, Rejection>> {
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
}

impl Verifier for Strava {
    delegate_verifier! {
        self => self.callback, usize;
        after(outcome, _request, _body) => Ok(of_provider(&outcome, Self::DEFAULTS.provider()));
        challenge(request) => self.subscription(request.head());
        defaults => Self::DEFAULTS;
        sensitive_parts => Self::DEFAULTS.sensitive_parts().and(self.callback.sensitive_parts())
    }
}

sign_as!(Strava, self => &self.callback);
