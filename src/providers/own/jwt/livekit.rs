//! LiveKit webhooks.

use std::time::Duration;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    parse::encoding::Encoding,
    providers::{
        macros::{of_pairs, registered},
        own::jwt::{
            methods::verifies_tokens,
            rules::{BodyClaim, HS256, Issuer, Rules},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
};

const HEADER: &str = "authorization";

const RULES: Rules = Rules {
    body: Some(BodyClaim::new("sha256", Encoding::Base64)),
    issuer: Issuer::KeyId,
    times: &["nbf", "exp"],
    event_id: LiveKit::POLICY.event(),
    ..Rules::new(LiveKit::DEFAULTS, HEADER, HS256)
};

/// LiveKit webhooks: a JSON Web Token with the hash of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::LiveKit};
///
/// let layer = SignatureLayer::new(LiveKit::new("APImadeup", "made-up-secret")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: <JWT>`, without `Bearer` |
/// | algorithm | HS256; the key is the API secret |
/// | signed content | the claims `sha256`, the SHA-256 of the body in base64, `iss`, which is the API key, `nbf` and `exp` |
/// | tolerance | from `nbf` to `exp`, and [10 seconds](Self::leeway) more on both sides |
/// | delivery ID | none known; `id` in the body is the event's |
/// | challenge | none |
///
/// - The same API secret signs the tokens with which participants join a room. Such a token has no
///   hash of a body, so it is rejected here.
/// - The media type of the body is `application/webhook+json`, which axum's `Json` accepts.
///
/// # Secret
///
/// The API key with its API secret: the key that LiveKit has as `webhook.api_key`.
/// ([LiveKit](https://docs.livekit.io/home/server/webhooks/))
///
/// # Evidence
///
/// Vendor's source: livekit/node-sdks @3619521 `packages/livekit-server-sdk/src/WebhookReceiver.ts`.
///
#[doc = crate::providers::macros::page!(LiveKit)]
#[derive(Clone, Debug)]
pub struct LiveKit(JwtVerifier);

registered! {
    LiveKit = "livekit";
    policy: DeliveryPolicy::UNKNOWN
        .known_by("id", "https://docs.livekit.io/home/server/webhooks/");
    signature: "JWT with the hash of the body and times";
    "livekit": KeyIdAndSecret, p => of_pairs!(LiveKit, key, KeyIdAndSecret, p);
}

impl LiveKit {
    /// Creates a verifier with this API key and its secrets, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if the API key is empty or contains a character other than visible ASCII
    /// and the space, if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(api_key: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        JwtVerifier::of_key(&RULES, api_key, secrets).map(Self)
    }

    /// Adds an API key with its secrets.
    ///
    /// [`Verified::key_index`](crate::Verified::key_index) counts the secrets of all API keys in the
    /// order in which they were added.
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`new`](Self::new), and if all API keys together have
    /// more than 16 secrets.
    pub fn key(self, api_key: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        self.0.with_key(api_key, secrets).map(Self)
    }

    /// Sets how long before `nbf` and after `exp` a token is accepted, instead of 10 seconds.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

verifies_tokens!(LiveKit);
