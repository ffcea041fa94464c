//! Notifications of banks with the header `x-jws-signature`.

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
        policy::DeliveryPolicy,
    },
};

pub(crate) const HEADER: &str = "x-jws-signature";

const TIME: &str = "http://openbanking.org.uk/iat";
const ISSUER: &str = "http://openbanking.org.uk/iss";
const TRUST_ANCHOR: &str = "http://openbanking.org.uk/tan";

const RULES: Rules = Rules {
    defaults: OpenBanking::DEFAULTS,
    header: HEADER,
    algorithms: &[JwsAlgorithm::Ps256, JwsAlgorithm::Es256],
    payload: Payload::Body,
    time: Some(Time::Parameter(TIME)),
    extensions: &["b64", TIME, ISSUER, TRUST_ANCHOR],
    #[cfg(feature = "sign")]
    key_id: None,
    delivery_id: None,
};

/// Notifications of banks with a detached JSON Web Signature in `x-jws-signature`, the header of UK Open
/// Banking for messages.
///
/// ```
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::OpenBanking};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let source = OpenBanking::with_fetched_keys(
///     "0015800000jfwxXAAQ",
///     "openbanking.org.uk",
///     "https://keystore.example.com/0015800000jfwxXAAQ.jwks",
///     &fetcher,
/// )?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-jws-signature: <JOSE header>..<signature>` |
/// | algorithm | PS256 or ES256; the keys are in the bank's list |
/// | signed content | the body, in base64url, or as it is if `b64` is `false` (RFC 7797) |
/// | tolerance | 24 hours back, because retries are not documented, and 5 minutes ahead, of `http://openbanking.org.uk/iat` |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - **A bank signs for all its clients with the same key**, its responses as well as its notifications, and
///   the signature names no recipient: a client of the bank can send you a response that it got. Accept in the
///   handler only notifications about what is yours.
/// - `http://openbanking.org.uk/iss` and `http://openbanking.org.uk/tan` in the JOSE header must be the bank
///   and the trust anchor, byte for byte. Other extensions in `crit` are rejected.
/// - The event notifications of UK Open Banking, which are a token in the body, are not of this kind.
///
/// # Settings
///
/// The directory shows the bank's identifier and the URL of its keys.
/// ([Open Banking](https://openbankinguk.github.io/read-write-api-site3/v3.1.11/profiles/read-write-data-api-profile.html))
///
/// # Evidence
///
/// Vendor's documentation:
/// <https://openbankinguk.github.io/read-write-api-site3/v3.1.11/profiles/read-write-data-api-profile.html>.
///
#[doc = crate::providers::macros::page!(OpenBanking)]
#[derive(Clone, Debug)]
pub struct OpenBanking(JwsVerifier);

registered! {
    OpenBanking = "open_banking" as "Open Banking";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "RSA-PSS or ECDSA of the body and a time";
}

impl OpenBanking {
    /// Creates a verifier for signatures of this issuer under this trust anchor, with these public keys: for
    /// tests. A bank changes its keys, so use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if the issuer or the trust anchor is empty, if a key is not one of RSA or of ECDSA
    /// with P-256, or if there are no keys or more than 16.
    pub fn new(
        issuer: &str,
        trust_anchor: &str,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::keyless(issuer, trust_anchor)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless(issuer: &str, trust_anchor: &str) -> Result<Self, ConfigError> {
        if issuer.is_empty() || trust_anchor.is_empty() {
            return Err(ConfigError::IdInvalid {
                why: "pass the bank's identifier and the trust anchor, such as `openbanking.org.uk`",
            });
        }
        let verifier = JwsVerifier::empty(&RULES)
            .with_parameter(ISSUER, issuer)
            .with_parameter(TRUST_ANCHOR, trust_anchor)
            .with_tolerance(Self::POLICY.tolerance());
        Ok(Self(verifier))
    }

    /// Sets how far the time can be off, instead of the provider's default (see above).
    #[must_use]
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        Self(self.0.with_tolerance(tolerance))
    }
}

verifies_jws!(OpenBanking);
