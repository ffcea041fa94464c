//! Kinde webhooks.

use crate::{
    crypto::public_key::{IntoPublicKeys, PublicKey},
    error::ConfigError,
    providers::{
        macros::registered,
        own::jwt::{
            methods::{finds_keys_in_bodies, verifies_tokens},
            rules::{Content, Place, RS256, Rules},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
};

const RULES: Rules = Rules {
    // The access token and the ID token of a user have the same keys, and none of these.
    contents: &[("type", Content::Text), ("data", Content::Object)],
    delivery_id: Some("event_id"),
    ..Rules::in_body(Kinde::DEFAULTS, Place::Body, RS256)
};

/// Kinde webhooks: the body is a JSON Web Token.
///
/// ```
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::Kinde};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let url = "https://example.kinde.com/.well-known/jwks";
/// let layer = SignatureLayer::new(Kinde::with_fetched_keys(url, &fetcher)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the body is the JWT, with the media type `application/jwt` |
/// | algorithm | RS256; the keys are in the list of your Kinde domain |
/// | signed content | the body, with the claims `event_id`, `type` and `data` |
/// | tolerance | until `exp`, if the token has it, and 10 seconds more; Kinde documents none |
/// | delivery ID | `event_id`, **signed** |
/// | challenge | none |
///
/// - **Kinde signs the tokens of your users with the same keys.** A token without `event_id`, `type` or
///   `data` is rejected.
/// - [`token_claims`](crate::providers::token_claims) returns the event.
/// - The header `webhook-id` stays the same when a delivery is repeated. It is not signed, so use
///   `event_id`.
///
/// # Settings
///
/// The list of keys is at `/.well-known/jwks` of your Kinde domain.
/// ([Kinde](https://docs.kinde.com/integrate/webhooks/add-manage-webhooks))
///
/// # Evidence
///
/// Vendor's documentation: <https://docs.kinde.com/integrate/webhooks/about-webhooks>. Receivers, for the
/// claims: kinde-oss/webhook.
///
#[doc = crate::providers::macros::page!(Kinde)]
#[derive(Clone, Debug)]
pub struct Kinde(JwtVerifier);

registered! {
    Kinde = "kinde";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "JWT that is the body, with an ID";
}

impl Kinde {
    /// Creates a verifier with these public keys: for tests. Kinde changes its keys, so use
    /// [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if a key is not one of RSA, or if there are no keys or more than 16.
    pub fn new(keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        Self::keyless().with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless() -> Self {
        Self(JwtVerifier::empty(&RULES))
    }

    pub(crate) fn with_keys(self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        self.0.with_public_keys(keys).map(Self)
    }
}

verifies_tokens!(Kinde, []);
finds_keys_in_bodies!(Kinde);
