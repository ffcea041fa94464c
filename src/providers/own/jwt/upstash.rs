//! Upstash QStash messages.

use std::time::Duration;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    parse::encoding::Encoding,
    providers::{
        macros::registered,
        own::jwt::{
            methods::verifies_tokens,
            rules::{BodyClaim, HS256, Issuer, Rules, UrlClaim},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
    scheme::public_url::PublicUrl,
};

const HEADER: &str = "upstash-signature";

const RULES: Rules = Rules {
    body: Some(BodyClaim::new("body", Encoding::Base64Url)),
    issuer: Issuer::Is("Upstash"),
    times: &["nbf", "exp"],
    url: Some(UrlClaim::Equals("sub")),
    has_id: true,
    ..Rules::new(Upstash::DEFAULTS, HEADER, HS256)
};

/// Upstash QStash messages: a JSON Web Token with the URL and the hash of the body.
///
/// ```
/// use tower_webhook::{PublicUrl, SignatureLayer, providers::Upstash};
///
/// let url = PublicUrl::base("https://example.com")?;
/// let layer = SignatureLayer::new(Upstash::new(["sig_current", "sig_next"], url)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `upstash-signature: <JWT>` |
/// | algorithm | HS256; the key is the signing key's text |
/// | signed content | the claims `body`, the SHA-256 of the body in URL-safe base64, `sub`, which is the URL, `nbf`, `exp`, `jti` and `iss`, which is `Upstash` |
/// | tolerance | from `nbf` to `exp`, and [10 seconds](Self::leeway) more on both sides |
/// | delivery ID | none known |
/// | challenge | none |
///
/// # Secret
///
/// The current and the next signing key. The console shows both on the page of QStash. Configure
/// both, because Upstash rolls the keys by making the next one the current one.
/// ([Upstash](https://github.com/upstash/qstash-js/blob/01e1c0d5146bbd25fe4496d9d734c24def5f4ee0/src/receiver.ts))
///
/// # Settings
///
/// Create the [`PublicUrl`] from the destination of the messages, with its query.
///
/// # Evidence
///
/// Vendor's source: upstash/qstash-js @01e1c0d `src/receiver.ts`.
///
#[doc = crate::providers::macros::page!(Upstash)]
#[derive(Clone, Debug)]
pub struct Upstash(JwtVerifier);

registered! {
    Upstash = "upstash";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "JWT with the URL, the hash of the body, and times";
    "upstash": Secret url, p => Upstash::new(p.secrets, p.url.ok_or(ConfigError::UrlMissing)?);
}

impl Upstash {
    /// Creates a verifier with these signing keys, for messages that QStash sends to this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(keys: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        Ok(Self(JwtVerifier::new(&RULES, keys)?.with_url(url)))
    }

    /// Sets how long before `nbf` and after `exp` a token is accepted, instead of 10 seconds.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

verifies_tokens!(Upstash);
