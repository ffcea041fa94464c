//! Push requests of Google Pub/Sub, and other requests with a token of a Google service account.

use std::time::Duration;

use crate::{
    crypto::public_key::{IntoPublicKeys, PublicKey},
    error::ConfigError,
    providers::{
        macros::registered,
        own::jwt::{
            methods::{setting, verifies_tokens},
            rules::{Issuer, RS256, Rules},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
};

pub(crate) const HEADER: &str = "authorization";

/// Issuer of Google's ID tokens. Old ones lack the scheme.
pub(crate) const GOOGLE: &[&str] = &["https://accounts.google.com", "accounts.google.com"];

const RULES: Rules = Rules {
    auth_scheme: "Bearer",
    issuer: Issuer::OneOf(GOOGLE),
    times: &["exp"],
    is_true: &["email_verified"],
    ..Rules::new(GooglePubSub::DEFAULTS, HEADER, RS256)
};

/// Push requests of Google Pub/Sub, so also of Gmail and Google Play: a JSON Web Token of your service
/// account, which proves the sender and not the body. Cloud Tasks and Cloud Scheduler send the same
/// tokens.
///
/// ```
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::GooglePubSub};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let source = GooglePubSub::with_fetched_keys(
///     "https://example.com/push",
///     "push@made-up-project.iam.gserviceaccount.com",
///     &fetcher,
/// )?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: Bearer <JWT>` |
/// | algorithm | RS256; the keys are in Google's list |
/// | signed content | the claims `aud`, your audience, `email`, your service account, with `email_verified`, `iss`, which is Google, and `exp`; **nothing about the body** |
/// | tolerance | until `exp`, at most 1 hour, and [10 seconds](Self::leeway) more |
/// | delivery ID | `message.messageId` in the body |
/// | challenge | none |
///
/// - The token proves that Google sent a request for your service account to your audience, not
///   that it sent this body. Anyone who captures a token can send another body with it until it
///   expires. Treat a message as a hint: fetch the mailbox or the purchase that it names.
/// - **Any Google customer can have tokens for any audience**, so both the audience and the service
///   account are checked. Use a service account that is for this webhook alone.
///
/// # Settings
///
/// Enable authentication in the push subscription, with a service account. The audience is the
/// subscription's *Audience*, or the push endpoint's URL if that is empty.
/// ([Google](https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions))
///
/// # Evidence
///
/// Vendor's documentation: <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>.
///
#[doc = crate::providers::macros::page!(GooglePubSub)]
#[derive(Clone, Debug)]
pub struct GooglePubSub(JwtVerifier);

registered! {
    GooglePubSub = "google_pub_sub" as "Google Pub/Sub";
    policy: DeliveryPolicy::UNKNOWN
        .leaves_body_open();
    signature: "JWT with audience, account and times; not the body";
}

impl GooglePubSub {
    /// Creates a verifier for tokens with this audience and this service account's e-mail address,
    /// with these public keys: for tests. Google changes its keys, so use
    /// [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if the audience is empty, if the address has no `@`, if a key is not one of
    /// RSA, or if there are no keys or more than 16.
    pub fn new(
        audience: &str,
        service_account: &str,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::keyless(audience, service_account)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless(audience: &str, service_account: &str) -> Result<Self, ConfigError> {
        if !service_account.contains('@') {
            return Err(ConfigError::IdInvalid {
                why: "the service account is an e-mail address, \
                      such as `push@my-project.iam.gserviceaccount.com`",
            });
        }
        let verifier = JwtVerifier::empty(&RULES)
            .with_claim("aud", setting(audience)?)
            .with_claim("email", service_account);
        Ok(Self(verifier))
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

verifies_tokens!(GooglePubSub);
