//! FusionAuth webhooks.

#[cfg(feature = "fetched-keys")]
use crate::crypto::{mac::Algorithm, public_key::PublicKey};
use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    parse::encoding::Encoding,
    providers::{
        macros::registered,
        own::jwt::{
            methods::verifies_tokens,
            rules::{BodyClaim, HMACS, Rules},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
};

pub(crate) const HEADER: &str = "x-fusionauth-signature-jwt";

const RULES: Rules = Rules {
    body: Some(BodyClaim::new("request_body_sha256", Encoding::Base64)),
    ..Rules::new(FusionAuth::DEFAULTS, HEADER, HMACS)
};

/// Rules of tokens that are signed with a public key's pair.
#[cfg(feature = "fetched-keys")]
const PUBLIC: Rules = Rules {
    body: Some(BodyClaim::new("request_body_sha256", Encoding::Base64)),
    ..Rules::new(
        FusionAuth::DEFAULTS,
        HEADER,
        &[Algorithm::EcdsaP256Sha256, Algorithm::Ed25519, Algorithm::RsaPkcs1Sha256],
    )
};

/// FusionAuth webhooks: a JSON Web Token with the hash of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::FusionAuth};
///
/// let layer = SignatureLayer::new(FusionAuth::new("made-up-secret")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-fusionauth-signature-jwt: <JWT>` |
/// | algorithm | HS256, HS384 or HS512; the key is the secret string |
/// | signed content | the claim `request_body_sha256`, the SHA-256 of the body in base64 |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | none known |
/// | challenge | none |
///
/// FusionAuth also signs with EC, RSA and Ed25519 keys. These tokens are rejected by a verifier with
/// secrets: use `FusionAuth::with_fetched_keys` (feature `fetched-keys`).
///
/// # Secret
///
/// The HMAC key that the webhook has as its *Signing key*. FusionAuth lists the keys in *Settings* →
/// *Key Master*.
/// ([FusionAuth](https://github.com/FusionAuth/fusionauth-site/blob/8d41408c71adf3f1dec40cb6cb2d616fdc0aa54c/astro/src/content/docs/extend/events-and-webhooks/signing.mdx))
///
/// # Evidence
///
/// Vendor's documentation: FusionAuth/fusionauth-site @8d41408
/// `astro/src/content/docs/extend/events-and-webhooks/signing.mdx`, for the header and the claim. For
/// the text of the secret as the key, receivers: hookdeck/webhook-skills `fusionauth-webhooks`.
///
#[doc = crate::providers::macros::page!(FusionAuth)]
#[derive(Clone, Debug)]
pub struct FusionAuth(JwtVerifier);

registered! {
    FusionAuth = "fusionauth";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "JWT with the hash of the body";
    "fusionauth": Secret, p => FusionAuth::new(p.secrets);
}

impl FusionAuth {
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

#[cfg(feature = "fetched-keys")]
impl FusionAuth {
    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless() -> Self {
        Self(JwtVerifier::empty(&PUBLIC))
    }

    pub(crate) fn of_public_keys(keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        Self::keyless().0.with_public_keys(keys).map(Self)
    }
}

verifies_tokens!(FusionAuth);
