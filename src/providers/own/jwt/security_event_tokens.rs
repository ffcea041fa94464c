//! Security event tokens of any transmitter.

use std::time::Duration;

use http::StatusCode;

use crate::{
    crypto::{
        mac::Algorithm,
        public_key::{IntoPublicKeys, PublicKey},
    },
    error::ConfigError,
    providers::{
        macros::registered,
        own::jwt::{
            methods::{finds_keys_in_bodies, one_of, setting, verifies_tokens},
            rules::{Content, Place, Rules},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
    verifier::defaults::VerifierDefaults,
};

/// Creates rules for security event tokens (RFC 8417).
pub(crate) const fn security_event(
    defaults: VerifierDefaults,
    algorithms: &'static [Algorithm],
) -> Rules {
    Rules {
        // An access token or a logout token may have the same keys and the same audience.
        types: &["secevent+jwt", "JWT"],
        times: &["iat"],
        // So may an ID token, which has no events.
        contents: &[("events", Content::Events)],
        delivery_id: Some("jti"),
        ..Rules::in_body(defaults, Place::Body, algorithms)
    }
}

const RULES: Rules = security_event(
    SecurityEventTokens::DEFAULTS,
    &[Algorithm::RsaPkcs1Sha256, Algorithm::EcdsaP256Sha256, Algorithm::Ed25519],
);

/// Security event tokens (RFC 8417) that a transmitter pushes (RFC 8935): Shared Signals, CAEP and RISC,
/// such as those of Okta.
///
/// ```
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::SecurityEventTokens};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let source = SecurityEventTokens::with_fetched_keys(
///     "https://idp.example.com",
///     ["https://receiver.example.com"],
///     "https://idp.example.com/jwks.json",
///     &fetcher,
/// )?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the body is the JWT, with the media type `application/secevent+jwt` |
/// | algorithm | RS256, ES256 or EdDSA; the keys are in the transmitter's list |
/// | signed content | the body, with the claims `iss`, your transmitter, `aud`, one of your audiences, `iat`, `jti` and `events` |
/// | tolerance | until `exp`, if the token has it, which RFC 8417 does not recommend, and [10 seconds](Self::leeway) more |
/// | delivery ID | `jti`, **signed** |
/// | challenge | none |
///
/// - **A transmitter signs ID tokens and access tokens with the same keys.** A token without `events`, with
///   the event of a logout token, or with another `typ` than `secevent+jwt` and `JWT`, is rejected.
/// - The token must name its key in `kid`.
/// - Use [replay protection](crate::replay), which knows a token by `iss` and `jti`.
/// - Respond with `202 Accepted`. [`token_claims`](crate::providers::token_claims) returns the event.
/// - Rejected requests get `400 Bad Request`, as RFC 8935 demands. Its JSON with `err` is not sent: use
///   [`rejection_response`](crate::SignatureLayer::rejection_response) if your transmitter reads it.
///
/// # Settings
///
/// The transmitter's configuration, at `/.well-known/ssf-configuration`, has its `issuer` and its
/// `jwks_uri`. The audience is shown when you create the stream.
/// ([OpenID Foundation](https://openid.net/specs/openid-sharedsignals-framework-1_0-final.html))
///
/// # Evidence
///
/// Vendor's documentation: RFC 8417, RFC 8935 and the
/// [Shared Signals Framework](https://openid.net/specs/openid-sharedsignals-framework-1_0-final.html).
///
#[doc = crate::providers::macros::page!(SecurityEventTokens)]
#[derive(Clone, Debug)]
pub struct SecurityEventTokens(JwtVerifier);

registered! {
    SecurityEventTokens = "security_event_tokens" as "Security event tokens";
    policy: DeliveryPolicy::UNKNOWN
        .demands(StatusCode::BAD_REQUEST, "https://www.rfc-editor.org/rfc/rfc8935");
    signature: "JWT that is the body, with issuer, audience and ID";
}

impl SecurityEventTokens {
    /// Creates a verifier for events of this issuer to one of these audiences, with these public keys:
    /// for tests, and for transmitters without a list of keys.
    ///
    /// # Errors
    ///
    /// Returns an error if the issuer is empty, if there is no audience, if one is empty, if a key has
    /// another algorithm, or if there are no keys or more than 16.
    pub fn new<T: Into<String>>(
        issuer: &str,
        audiences: impl IntoIterator<Item = T>,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::keyless(issuer, audiences)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless<T: Into<String>>(
        issuer: &str,
        audiences: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let verifier = JwtVerifier::empty(&RULES)
            .with_claim("iss", setting(issuer)?)
            .with_one_of(one_of("aud", audiences)?);
        Ok(Self(verifier))
    }

    pub(crate) fn with_keys(self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        self.0.with_public_keys(keys).map(Self)
    }

    /// Sets how long after `exp` a token is accepted, instead of 10 seconds.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

verifies_tokens!(SecurityEventTokens, []);
finds_keys_in_bodies!(SecurityEventTokens);
