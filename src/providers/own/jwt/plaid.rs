//! Plaid webhooks.

use crate::{
    crypto::{mac::Algorithm, public_key::IntoPublicKeys},
    error::ConfigError,
    parse::{encoding::Encoding, tolerance::Tolerance},
    providers::{
        macros::registered,
        own::jwt::{
            methods::verifies_tokens,
            rules::{BodyClaim, Rules},
            verifier::JwtVerifier,
        },
        policy::{DAY, DeliveryPolicy, MINUTE},
    },
};

pub(crate) const HEADER: &str = "plaid-verification";

const RULES: Rules = Rules {
    body: Some(BodyClaim::new("request_body_sha256", Encoding::Hex)),
    times: &["iat"],
    ..Rules::new(Plaid::DEFAULTS, HEADER, &[Algorithm::EcdsaP256Sha256])
};

/// Plaid webhooks: a JSON Web Token with the hash of the body, and a key that Plaid's API returns.
///
/// ```
/// use tower_webhook::{
///     SignatureLayer,
///     fetched_keys::KeyFetcher,
///     providers::{Plaid, PlaidEnvironment},
/// };
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let source = Plaid::with_fetched_keys(PlaidEnvironment::Production, &fetcher)?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `plaid-verification: <JWT>` |
/// | algorithm | ES256; the key is that of Plaid's API |
/// | signed content | the claims `request_body_sha256`, the SHA-256 of the body in hexadecimal, and `iat` |
/// | tolerance | 5 minutes both ways, of `iat` |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - **Plaid signs for all its customers with the same keys**, and the token names no customer: an
///   authentic webhook to another customer is accepted here, too. Check in the handler that
///   `item_id` is yours.
/// - A key that Plaid has marked as expired is not used.
///
/// # Evidence
///
/// Public vector: a delivery of Plaid's sandbox with its key, in
/// <https://stackoverflow.com/questions/62143991>. Vendor's documentation:
/// <https://plaid.com/docs/api/webhooks/webhook-verification/>.
///
#[doc = crate::providers::macros::page!(Plaid)]
#[derive(Clone, Debug)]
pub struct Plaid(JwtVerifier);

registered! {
    Plaid = "plaid";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(DAY, "https://plaid.com/docs/api/webhooks/")
        .window(5 * MINUTE, "https://plaid.com/docs/api/webhooks/webhook-verification/");
    signature: "JWT with the hash of the body and a time";
}

impl Plaid {
    /// Creates a verifier with these public keys: for tests. Plaid changes its keys, so use
    /// [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if a key is not one of ECDSA with P-256, or if there are none or more than
    /// 16.
    pub fn new(keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        Self::keyless().0.with_public_keys(keys.into_public_keys()).map(Self)
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless() -> Self {
        Self(JwtVerifier::empty(&RULES).with_age(Self::POLICY.tolerance()))
    }

    /// Sets how far `iat` can be off, instead of the provider's default (see above).
    #[must_use]
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        Self(self.0.with_age(tolerance))
    }
}

verifies_tokens!(Plaid);

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use bytes::Bytes;
    use http::Request;

    use super::*;
    use crate::{
        outcome::kind::RejectionKind,
        parse::clock::Clock,
        verifier::{context::Context, verifier::Verifier},
    };

    /// The source hands it out only for requests that it rejects from their heads.
    #[test]
    fn verifier_without_a_key_accepts_nothing() {
        let [header, claims] = [
            r#"{"alg":"ES256","kid":"6c5516e1-92dc-479e-a8ff-5a51992e0001"}"#,
            // The hash of an empty body.
            r#"{"iat":1700000000,"request_body_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
        ]
        .map(|text| Encoding::Base64Url.encode(text.as_bytes()));
        let token = format!("{header}.{claims}.{}", Encoding::Base64Url.encode(&[1; 64]));
        let head = Request::post("/").header(HEADER, token).body(()).unwrap().into_parts().0;
        let clock = Clock::fixed(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let (plaid, request) = (Plaid::keyless(), Context::new(&head).at(&clock));
        let mut state = plaid.begin(&request).unwrap();
        let why = plaid.finish(&mut state, &request, &Bytes::new()).unwrap_err();
        assert_eq!(why.kind(), RejectionKind::SignatureMismatch);
    }
}
