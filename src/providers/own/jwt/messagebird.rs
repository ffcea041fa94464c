//! MessageBird webhooks.

use std::time::Duration;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    parse::encoding::Encoding,
    providers::{
        macros::registered,
        own::jwt::{
            methods::verifies_tokens,
            rules::{BodyClaim, HMACS, Issuer, Rules, UrlClaim},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
    scheme::public_url::PublicUrl,
};

const HEADER: &str = "messagebird-signature-jwt";

const RULES: Rules = Rules {
    body: Some(BodyClaim {
        is_absent_if_empty: true,
        ..BodyClaim::new("payload_hash", Encoding::Hex)
    }),
    issuer: Issuer::Is("MessageBird"),
    times: &["nbf", "exp"],
    url: Some(UrlClaim::Sha256("url_hash")),
    has_id: true,
    ..Rules::new(MessageBird::DEFAULTS, HEADER, HMACS)
};

/// MessageBird webhooks: a JSON Web Token with the hashes of URL and body.
///
/// The webhooks of Bird, as the company is called now, are [`Bird`](crate::providers::Bird).
///
/// ```
/// use tower_webhook::{PublicUrl, SignatureLayer, providers::MessageBird};
///
/// let url = PublicUrl::base("https://example.com")?;
/// let layer = SignatureLayer::new(MessageBird::new("made-up-signing-key", url)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `messagebird-signature-jwt: <JWT>` |
/// | algorithm | HS256, HS384 or HS512; the key is the signing key's text |
/// | signed content | the claims `url_hash` and `payload_hash`, the SHA-256 of URL and body in hexadecimal, `nbf`, `exp`, `jti` and `iss`, which is `MessageBird` |
/// | tolerance | from `nbf` to `exp`, and [1 second](Self::leeway) more on both sides |
/// | delivery ID | none known |
/// | challenge | none |
///
/// A token has no `payload_hash` if the body is empty, and only then.
///
/// # Secret
///
/// The signing key, not the API key. The dashboard shows it in *Developers* → *Settings*.
/// ([MessageBird](https://github.com/messagebird/go-rest-api/blob/9e46bb9ad3743a542c32562a53746ab489c526b2/signature_jwt/signature.go))
///
/// # Settings
///
/// Create the [`PublicUrl`] from the URL that MessageBird has, with its query.
///
/// # Evidence
///
/// Vendor vector: messagebird/go-rest-api @e0a41ed `signature_jwt/testdata/reference.json`.
///
#[doc = crate::providers::macros::page!(MessageBird)]
#[derive(Clone, Debug)]
pub struct MessageBird(JwtVerifier);

registered! {
    MessageBird = "messagebird";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "JWT with the hashes of URL and body, and times";
    "messagebird": Secret url, p => MessageBird::new(p.secrets, p.url.ok_or(ConfigError::UrlMissing)?);
}

impl MessageBird {
    /// Creates a verifier with these signing keys, the current one first, for webhooks that
    /// MessageBird sends to this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(keys: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        let verifier = JwtVerifier::new(&RULES, keys)?;
        Ok(Self(verifier.with_url(url).with_leeway(Duration::from_secs(1))))
    }

    /// Sets how long before `nbf` and after `exp` a token is accepted, instead of 1 second, which is
    /// that of MessageBird's own verifier.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

verifies_tokens!(MessageBird);
