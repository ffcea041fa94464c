//! Netlify webhooks.

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    parse::encoding::Encoding,
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

const HEADER: &str = "x-webhook-signature";

const RULES: Rules = Rules {
    body: Some(BodyClaim::new("sha256", Encoding::Hex)),
    issuer: Issuer::Is("netlify"),
    ..Rules::new(Netlify::DEFAULTS, HEADER, HS256)
};

/// Netlify notifications: a JSON Web Token with the hash of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Netlify};
///
/// let layer = SignatureLayer::new(Netlify::new("made-up-secret")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-webhook-signature: <JWT>` |
/// | algorithm | HS256; the key is the secret string |
/// | signed content | the claims `sha256`, the SHA-256 of the body in hexadecimal, and `iss`, which is `netlify` |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | none known |
/// | challenge | none |
///
/// # Secret
///
/// The *JWS secret token* of the notification, which you choose. Without it, Netlify signs nothing.
/// ([Netlify](https://docs.netlify.com/deploy/deploy-notifications/#payload-signature))
///
/// # Evidence
///
/// Vendor's documentation: <https://docs.netlify.com/deploy/deploy-notifications/#payload-signature>.
///
#[doc = crate::providers::macros::page!(Netlify)]
#[derive(Clone, Debug)]
pub struct Netlify(JwtVerifier);

registered! {
    Netlify = "netlify";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "JWT with the hash of the body";
    "netlify": Secret, p => Netlify::new(p.secrets);
}

impl Netlify {
    /// Creates a verifier with these secrets, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        JwtVerifier::new(&RULES, secrets).map(Self)
    }
}

verifies_tokens!(Netlify);
