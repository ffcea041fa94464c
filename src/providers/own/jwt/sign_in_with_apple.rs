//! Server-to-server notifications of Sign in with Apple.

use std::time::Duration;

use crate::{
    crypto::public_key::{IntoPublicKeys, PublicKey},
    error::ConfigError,
    providers::{
        macros::registered,
        own::jwt::{
            methods::{finds_keys_in_bodies, one_of, verifies_tokens},
            rules::{Content, Issuer, Place, RS256, Rules},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
};

const RULES: Rules = Rules {
    issuer: Issuer::Is("https://appleid.apple.com"),
    times: &["iat"],
    // An ID token of a user has the same issuer, audience and keys.
    contents: &[("events", Content::TextOrObject)],
    #[cfg(feature = "sign")]
    event_in: Some("events"),
    delivery_id: Some("jti"),
    ..Rules::in_body(SignInWithApple::DEFAULTS, Place::Json("payload"), RS256)
};

/// Server-to-server notifications of Sign in with Apple: a JSON Web Token in the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::SignInWithApple};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let source = SignInWithApple::with_fetched_keys(["com.example.app"], &fetcher)?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: `payload` in the body is the JWT |
/// | algorithm | RS256; the keys are in Apple's list |
/// | signed content | the token, with the claims `iss`, which is Apple, `aud`, one of your apps, `iat`, `jti` and `events`; **nothing else in the body** |
/// | tolerance | until `exp`, if the token has it, and [10 seconds](Self::leeway) more |
/// | delivery ID | `jti`, **signed** |
/// | challenge | none |
///
/// - **An ID token of Sign in with Apple has the same issuer, audience and keys**, and each of your users
///   has one. It has no `events`, so it is rejected.
/// - Read only the token, with [`token_claims`](crate::providers::token_claims). `events` in it is JSON
///   in a string.
/// - For notifications of purchases, use [`AppleAppStore`](crate::providers::AppleAppStore).
///
/// # Settings
///
/// The bundle IDs and service IDs of your apps. The endpoint belongs to the primary app ID, and gets the
/// notifications of the apps in its group.
/// ([Apple](https://developer.apple.com/documentation/signinwithapple/processing-changes-for-sign-in-with-apple-accounts))
///
/// # Evidence
///
/// Vendor's documentation:
/// <https://developer.apple.com/documentation/signinwithapple/processing-changes-for-sign-in-with-apple-accounts>.
/// Receivers, for the claims: <https://developer.apple.com/forums/thread/655485>.
///
#[doc = crate::providers::macros::page!(SignInWithApple)]
#[derive(Clone, Debug)]
pub struct SignInWithApple(JwtVerifier);

registered! {
    SignInWithApple = "sign_in_with_apple" as "Sign in with Apple";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "JWT in the body, with audience and ID";
}

impl SignInWithApple {
    /// Creates a verifier for notifications to one of these apps, with these public keys: for tests.
    /// Apple changes its keys, so use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no app, if an ID is empty, if a key is not one of RSA, or if there
    /// are no keys or more than 16.
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

    /// Sets how long after `exp` a token is accepted, instead of 10 seconds.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

verifies_tokens!(SignInWithApple, []);
finds_keys_in_bodies!(SignInWithApple);
