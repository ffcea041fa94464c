//! Wix webhooks.

use std::time::Duration;

use crate::{
    crypto::{mac::Algorithm, public_key::IntoPublicKeys},
    error::ConfigError,
    providers::{
        macros::registered,
        own::jwt::{
            methods::verifies_tokens,
            rules::{Content, Place, Rules},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
};

const RULES: Rules = Rules {
    // Wix's calls of service plugins have the same key, and an object there.
    contents: &[("data", Content::Text)],
    #[cfg(feature = "sign")]
    event_in: Some("data"),
    ..Rules::in_body(Wix::DEFAULTS, Place::Body, &[Algorithm::RsaPkcs1Sha256])
};

/// Wix webhooks: the body is a JSON Web Token.
///
/// ```no_run
/// use tower_webhook::{PublicKey, SignatureLayer, providers::Wix};
///
/// let key = PublicKey::from_pem(&std::fs::read_to_string("wix.pem")?)?;
/// let layer = SignatureLayer::new(Wix::new(key)?);
/// # let _ = layer;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the body is the JWT |
/// | algorithm | RS256; the key is the app's public key, [`PublicKey::from_pem`](crate::PublicKey::from_pem) |
/// | signed content | the body |
/// | tolerance | until `exp`, if the token has it, and [10 seconds](Self::leeway) more |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - [`token_claims`](crate::providers::token_claims) returns the claims. `data` in them is JSON in a
///   string, and so is `data` in that.
/// - Calls of service plugins, which have a token with an object as `data`, are rejected.
/// - Wix demands a response within 1,250 milliseconds.
///   ([Wix](https://dev.wix.com/docs/rest/articles/getting-started/webhooks))
///
/// # Public key
///
/// In the app's dashboard, *Webhooks* → *Get Public Key*.
/// ([Wix](https://dev.wix.com/docs/build-apps/develop-your-app/access/authentication/verify-requests-received-from-wix))
///
/// # Evidence
///
/// Vendor's documentation:
/// <https://dev.wix.com/docs/build-apps/develop-your-app/access/authentication/verify-requests-received-from-wix>.
/// Receivers agree that the token is the body.
///
#[doc = crate::providers::macros::page!(Wix)]
#[derive(Clone, Debug)]
pub struct Wix(JwtVerifier);

registered! {
    Wix = "wix";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "JWT that is the body";
    "wix": PublicKey, p => Wix::new(p.public_keys()?);
}

impl Wix {
    /// Creates a verifier with these public keys, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is not one of RSA, or if there are no keys or more than 16.
    pub fn new(keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        JwtVerifier::empty(&RULES).with_public_keys(keys.into_public_keys()).map(Self)
    }

    /// Sets how long after `exp` a token is accepted, instead of 10 seconds.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

verifies_tokens!(Wix, []);
