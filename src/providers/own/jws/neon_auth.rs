//! Neon Auth webhooks.

use crate::{
    crypto::{jws::JwsAlgorithm, public_key::IntoPublicKeys},
    error::ConfigError,
    parse::tolerance::Tolerance,
    providers::{
        macros::registered,
        own::jws::{
            rules::{Payload, Rules, Time},
            verifier::{JwsVerifier, verifies_jws},
        },
        policy::{DeliveryPolicy, MINUTE},
    },
};

pub(crate) const HEADER: &str = "x-neon-signature";
pub(crate) const KEY_ID: &str = "x-neon-signature-kid";

const RULES: Rules = Rules {
    defaults: NeonAuth::DEFAULTS,
    header: HEADER,
    algorithms: &[JwsAlgorithm::EdDsa],
    payload: Payload::TimeAndBody,
    time: Some(Time::Header("x-neon-timestamp")),
    extensions: &[],
    #[cfg(feature = "sign")]
    key_id: Some(KEY_ID),
    delivery_id: Some("x-neon-event-id"),
};

/// Neon Auth webhooks: a detached JSON Web Signature of time and body.
///
/// ```
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::NeonAuth};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let url = "https://ep-example.neonauth.us-east-1.aws.neon.tech/neondb/auth/.well-known/jwks.json";
/// let layer = SignatureLayer::new(NeonAuth::with_fetched_keys(url, &fetcher)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-neon-signature: <JOSE header>..<signature>`, `x-neon-signature-kid`, `x-neon-timestamp: <milliseconds>` |
/// | algorithm | EdDSA (Ed25519); the keys are in the list of your Neon Auth |
/// | signed content | `<time>.<body in base64url>` |
/// | tolerance | 5 minutes both ways |
/// | delivery ID | `x-neon-event-id`, not signed |
/// | challenge | none |
///
/// # Settings
///
/// The list of keys is at `/.well-known/jwks.json` of your *Auth URL*.
/// ([Neon](https://neon.com/docs/auth/guides/webhooks))
///
/// # Evidence
///
/// Vendor's documentation: <https://neon.com/docs/auth/guides/webhooks>. Receivers agree on the signed
/// content.
///
#[doc = crate::providers::macros::page!(NeonAuth)]
#[derive(Clone, Debug)]
pub struct NeonAuth(JwsVerifier);

registered! {
    NeonAuth = "neon_auth" as "Neon Auth";
    policy: DeliveryPolicy::UNKNOWN
        .window(5 * MINUTE, "https://neon.com/docs/auth/guides/webhooks");
    signature: "Ed25519 of time and body";
}

impl NeonAuth {
    /// Creates a verifier with these public keys: for tests. Neon changes its keys, so use
    /// [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if a key is not one of Ed25519, or if there are no keys or more than 16.
    pub fn new(keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        Self::keyless().with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless() -> Self {
        Self(JwsVerifier::empty(&RULES).with_tolerance(Self::POLICY.tolerance()))
    }

    /// Sets how far the time can be off, instead of the provider's default (see above).
    #[must_use]
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        Self(self.0.with_tolerance(tolerance))
    }
}

verifies_jws!(NeonAuth);
