//! Vonage webhooks.

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    parse::{encoding::Encoding, tolerance::Tolerance},
    providers::{
        macros::registered,
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
    auth_scheme: "Bearer",
    body: Some(BodyClaim {
        is_of_query_in_get: true,
        ..BodyClaim::new("payload_hash", Encoding::Hex)
    }),
    issuer: Issuer::Is("Vonage"),
    times: &["iat"],
    has_id: true,
    ..Rules::new(Vonage::DEFAULTS, HEADER, HS256)
};

/// Webhooks of Vonage's Messages, Dispatch and Voice APIs: a JSON Web Token with the hash of the
/// body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Vonage};
///
/// let layer = SignatureLayer::new(Vonage::new("made-up-signature-secret")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: Bearer <JWT>` |
/// | algorithm | HS256; the key is the signature secret |
/// | signed content | the claims `payload_hash`, the SHA-256 of the body in hexadecimal, `iat`, `jti` and `iss`, which is `Vonage` |
/// | tolerance | see below |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - `payload_hash` of a GET is the hash of the query's parameters as a JSON object, in their order.
///   ([Vonage](https://api.support.vonage.com/hc/en-us/articles/19033783342876-How-do-I-verify-that-the-Voice-API-Webhook-request-and-it-s-payload-has-not-been-tampered-during-transit))
///   Add the route for GET, too, if the answer webhook of the Voice API uses it.
/// - Vonage lets you check the hash only if the webhook has no TLS. It is always checked here.
/// - The token covers neither the method nor the URL of a POST. All applications of an account have
///   one secret: see [`application_id`](Self::application_id).
/// - After an internal error Vonage may send a webhook without a signature. Vonage signs it again
///   after a response with a 5xx status.
///   ([Vonage](https://developer.vonage.com/en/messages/concepts/signed-webhooks))
///
/// # Secret
///
/// The signature secret of the account whose API key is the claim `api_key`. The dashboard shows it
/// in *API settings*.
/// ([Vonage](https://developer.vonage.com/en/messages/concepts/signed-webhooks))
///
/// # Evidence
///
/// Vendor's documentation: <https://developer.vonage.com/en/messages/concepts/signed-webhooks>, also
/// mheap/nexmo-developer @010e9f7 `_documentation/en/voice/voice-api/guides/signed-webhooks.md`.
///
#[doc = crate::providers::macros::page!(Vonage)]
#[derive(Clone, Debug)]
pub struct Vonage(JwtVerifier);

registered! {
    Vonage = "vonage";
    policy: DeliveryPolicy::UNKNOWN
        .unknown_retries();
    signature: "JWT with the hash of the body and a time";
    "vonage": Secret timed, p => Vonage::new(p.secrets);
}

impl Vonage {
    /// Creates a verifier with these signature secrets, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let verifier = JwtVerifier::new(&RULES, secrets)?;
        Ok(Self(verifier.with_age(Self::POLICY.tolerance())))
    }

    /// Accepts only webhooks of the account with this API key, which is the claim `api_key`.
    #[must_use]
    pub fn api_key(self, api_key: &str) -> Self {
        Self(self.0.with_claim("api_key", api_key))
    }

    /// Accepts only webhooks of this application, which is the claim `application_id`. The secret is
    /// that of all applications of an account.
    #[must_use]
    pub fn application_id(self, id: &str) -> Self {
        Self(self.0.with_claim("application_id", id))
    }

    /// Sets how far `iat` can be off, instead of the default (see above).
    #[must_use]
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        Self(self.0.with_age(tolerance))
    }
}

verifies_tokens!(Vonage);
