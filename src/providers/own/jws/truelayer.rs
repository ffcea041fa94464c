//! TrueLayer webhooks.

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
        policy::{DAY, DeliveryPolicy},
    },
    scheme::public_url::PublicUrl,
};

pub(crate) const HEADER: &str = "tl-signature";

const RULES: Rules = Rules {
    defaults: TrueLayer::DEFAULTS,
    header: HEADER,
    algorithms: &[JwsAlgorithm::Es512],
    payload: Payload::Request,
    time: Some(Time::Named("x-tl-webhook-timestamp")),
    extensions: &[],
    #[cfg(feature = "sign")]
    key_id: None,
    delivery_id: None,
};

/// Environment of TrueLayer, which determines its keys.
///
/// ([TrueLayer](https://github.com/TrueLayer/truelayer-signing))
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrueLayerEnvironment {
    /// Keys at <https://webhooks.truelayer.com/.well-known/jwks>.
    Production,
    /// Keys at <https://webhooks.truelayer-sandbox.com/.well-known/jwks>.
    Sandbox,
}

impl TrueLayerEnvironment {
    pub(crate) const fn jwks(self) -> &'static str {
        match self {
            Self::Production => "https://webhooks.truelayer.com/.well-known/jwks",
            Self::Sandbox => "https://webhooks.truelayer-sandbox.com/.well-known/jwks",
        }
    }
}

/// TrueLayer webhooks: a detached JSON Web Signature of method, path, headers and body.
///
/// ```
/// use tower_webhook::{
///     PublicUrl, SignatureLayer,
///     fetched_keys::KeyFetcher,
///     providers::{TrueLayer, TrueLayerEnvironment},
/// };
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let url = PublicUrl::base("https://example.com")?;
/// let source = TrueLayer::with_fetched_keys(TrueLayerEnvironment::Production, url, &fetcher)?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `tl-signature: <JOSE header>..<signature>` |
/// | algorithm | ES512; the keys are in TrueLayer's list |
/// | signed content | method, path, the headers that `tl_headers` in the JOSE header names, and body |
/// | tolerance | none by default; see [`tolerance`](Self::tolerance) |
/// | delivery ID | `event_id` in the body |
/// | challenge | none |
///
/// - **TrueLayer signs for all its clients with the same keys**, and neither the host nor the client is
///   signed: a client of TrueLayer can send you a webhook of its own if it knows your path. Check in the
///   handler that the payment is yours, and choose a path that nobody can guess.
/// - For [replay protection](crate::replay), use `event_id` as
///   [the event's ID](crate::replay::ReplayLayer::event_id).
/// - `jku` in the JOSE header must be the URL of the environment's keys, and `tl_version` must be `2`.
/// - The path is that of the [`PublicUrl`](crate::PublicUrl), without the query, with or without a slash at
///   its end.
/// - A header that `tl_headers` names twice, or that the request has twice, is rejected. So is a malformed
///   `x-tl-webhook-timestamp` that it names.
///
/// # Evidence
///
/// Vendor vector: `test-resources/webhook-signature.txt` in TrueLayer/truelayer-signing @95fdf17. Vendor's
/// documentation: <https://docs.truelayer.com/docs/webhook-notifications-paydirect>.
///
#[doc = crate::providers::macros::page!(TrueLayer)]
#[derive(Clone, Debug)]
pub struct TrueLayer(JwsVerifier);

registered! {
    TrueLayer = "truelayer";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(3 * DAY, "https://docs.truelayer.com/docs/webhook-notifications-paydirect");
    signature: "ECDSA P-521 of method, path, headers and body";
}

impl TrueLayer {
    /// Creates a verifier for webhooks of this environment to this URL, with these public keys: for tests.
    /// TrueLayer changes its keys, so use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if a key is not one of ECDSA with P-521, or if there are no keys or more than 16.
    pub fn new(
        environment: TrueLayerEnvironment,
        url: PublicUrl,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::keyless(environment, url).with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless(environment: TrueLayerEnvironment, url: PublicUrl) -> Self {
        let verifier = JwsVerifier::empty(&RULES)
            .with_url(url)
            .with_parameter("tl_version", "2")
            .with_parameter("jku", environment.jwks());
        Self(verifier)
    }

    /// Sets how far `x-tl-webhook-timestamp` can be off, and rejects signatures that do not name it. By
    /// default, the time is not limited: TrueLayer does not say whether a retry is signed anew.
    #[must_use]
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        Self(self.0.with_tolerance(tolerance))
    }
}

verifies_jws!(TrueLayer);
