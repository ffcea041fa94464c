//! Security events of Google accounts.

use http::StatusCode;

use crate::{
    crypto::public_key::{IntoPublicKeys, PublicKey},
    error::ConfigError,
    providers::{
        macros::registered,
        own::jwt::{
            methods::{finds_keys_in_bodies, one_of, verifies_tokens},
            rules::{Issuer, RS256, Rules},
            security_event_tokens::security_event,
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
};

/// Issuer of the tokens. Google's page writes it with the slash, and its configuration without.
const GOOGLE: &[&str] = &["https://accounts.google.com/", "https://accounts.google.com"];

const RULES: Rules = Rules {
    issuer: Issuer::OneOf(GOOGLE),
    // An event is about the past.
    ignores_exp: true,
    ..security_event(GoogleRisc::DEFAULTS, RS256)
};

/// Security events of Google accounts (Cross-Account Protection, RISC): the body is a signed security
/// event token.
///
/// ```
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::GoogleRisc};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let client = "123456789-made-up.apps.googleusercontent.com";
/// let layer = SignatureLayer::new(GoogleRisc::with_fetched_keys([client], &fetcher)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the body is the JWT |
/// | algorithm | RS256; the keys are in Google's list |
/// | signed content | the body, with the claims `iss`, which is Google, `aud`, one of your client IDs, `iat`, `jti` and `events` |
/// | tolerance | none: an event is about the past, so `exp` is ignored, as Google advises |
/// | delivery ID | `jti`, **signed** |
/// | challenge | none |
///
/// - **An ID token of Google Sign-In has the same issuer, audience and keys**, and each of your users
///   has one. It has no `events`, so it is rejected.
/// - A captured token can be sent again. Use [replay protection](crate::replay), which knows a token by its
///   `jti`.
/// - Respond with `202 Accepted`. [`token_claims`](crate::providers::token_claims) returns the event.
/// - Rejected requests get `400 Bad Request`, as RFC 8935 demands.
///
/// # Settings
///
/// The OAuth client IDs of your project that receive events. The Google Cloud console lists them under
/// *APIs & Services* → *Credentials*.
/// ([Google](https://developers.google.com/identity/protocols/risc))
///
/// # Evidence
///
/// Vendor's documentation: <https://developers.google.com/identity/protocols/risc>.
///
#[doc = crate::providers::macros::page!(GoogleRisc)]
#[derive(Clone, Debug)]
pub struct GoogleRisc(JwtVerifier);

registered! {
    GoogleRisc = "google_risc" as "Google RISC";
    policy: DeliveryPolicy::UNKNOWN
        .demands(StatusCode::BAD_REQUEST, "https://www.rfc-editor.org/rfc/rfc8935");
    signature: "JWT that is the body, with audience and ID";
}

impl GoogleRisc {
    /// Creates a verifier for events to one of these OAuth client IDs, with these public keys: for
    /// tests. Google changes its keys, so use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no client ID, if one is empty, if a key is not one of RSA, or if
    /// there are no keys or more than 16.
    pub fn new<T: Into<String>>(
        client_ids: impl IntoIterator<Item = T>,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::keyless(client_ids)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless<T: Into<String>>(
        client_ids: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        Ok(Self(JwtVerifier::empty(&RULES).with_one_of(one_of("aud", client_ids)?)))
    }

    pub(crate) fn with_keys(self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        self.0.with_public_keys(keys).map(Self)
    }
}

verifies_tokens!(GoogleRisc, []);
finds_keys_in_bodies!(GoogleRisc);
