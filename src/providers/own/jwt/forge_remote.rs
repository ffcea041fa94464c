//! Requests of Atlassian Forge to a remote back end.

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

const RULES: Rules = Rules {
    auth_scheme: "Bearer",
    issuer: Issuer::Is("forge/invocation-token"),
    times: &["exp"],
    ..Rules::new(ForgeRemote::DEFAULTS, HEADER, RS256)
};

/// Requests of Atlassian Forge to an app's remote back end: a Forge Invocation Token, which proves the
/// sender and not the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::ForgeRemote};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let app = "ari:cloud:ecosystem::app/00000000-0000-4000-8000-000000000000";
/// let layer = SignatureLayer::new(ForgeRemote::with_fetched_keys(app, &fetcher)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: Bearer <JWT>` |
/// | algorithm | RS256; the keys are in Atlassian's list |
/// | signed content | the claims `aud`, the app's ID, `iss`, which is `forge/invocation-token`, and `exp`; **nothing about the body** |
/// | tolerance | until `exp`, and [10 seconds](Self::leeway) more |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - The token proves that Forge sent a request to your app, not that it sent this body. Anyone who
///   captures a token can send another body with it until it expires.
/// - All installations of the app have one audience: the claim `app.installationId` names the one
///   that sent the request. Read it in the handler.
///
/// # Settings
///
/// The app's ID is `app.id` in `manifest.yml`.
/// ([Atlassian](https://developer.atlassian.com/platform/forge/remote/essentials/))
///
/// # Evidence
///
/// Vendor's documentation: <https://developer.atlassian.com/platform/forge/remote/essentials/>.
///
#[doc = crate::providers::macros::page!(ForgeRemote)]
#[derive(Clone, Debug)]
pub struct ForgeRemote(JwtVerifier);

registered! {
    ForgeRemote = "forge_remote" as "Forge Remote";
    policy: DeliveryPolicy::UNKNOWN
        .leaves_body_open();
    signature: "JWT with audience and times; not the body";
}

impl ForgeRemote {
    /// Creates a verifier for tokens of the app with this ID, with these public keys: for tests.
    /// Atlassian changes its keys, so use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if the ID is empty, if a key is not one of RSA, or if there are no keys or
    /// more than 16.
    pub fn new(app_id: &str, keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        Self::keyless(app_id)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless(app_id: &str) -> Result<Self, ConfigError> {
        Ok(Self(JwtVerifier::empty(&RULES).with_claim("aud", setting(app_id)?)))
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

verifies_tokens!(ForgeRemote);
