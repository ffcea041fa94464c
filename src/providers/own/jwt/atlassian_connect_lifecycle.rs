//! Calls of the lifecycle of Atlassian Connect apps.

use std::time::Duration;

use crate::{
    crypto::public_key::{IntoPublicKeys, PublicKey},
    error::ConfigError,
    providers::{
        macros::registered,
        own::jwt::{
            atlassian_connect::signed_request,
            methods::{setting, verifies_tokens},
            rules::{RS256, Rules, UrlClaim},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
};

pub(crate) const HEADER: &str = "authorization";

const RULES: Rules = Rules {
    auth_scheme: "JWT",
    times: &["iat", "exp"],
    url: Some(UrlClaim::Sha256("qsh")),
    // Otherwise, the token of one installation could replace the secret of another.
    body_fields: &[("iss", "clientKey")],
    ..Rules::new(AtlassianConnectLifecycle::DEFAULTS, HEADER, RS256)
};

/// Calls of the lifecycle of Atlassian Connect apps, `installed` and `uninstalled`: a JSON Web Token,
/// which proves the sender and the client key, and nothing else of the body.
///
/// ```
/// use tower_webhook::{
///     SignatureLayer, fetched_keys::KeyFetcher, providers::AtlassianConnectLifecycle,
/// };
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let base_url = "https://app.example.com";
/// let source = AtlassianConnectLifecycle::with_fetched_keys(base_url, &fetcher)?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: JWT <token>` |
/// | algorithm | RS256; `kid` names the key |
/// | signed content | the claims `qsh`, the SHA-256 of method, path and query, `aud`, the app's `baseUrl`, `iss`, which is `clientKey` of the body, `iat` and `exp`; **nothing else about the body** |
/// | tolerance | until `exp`, and [10 seconds](Self::leeway) more |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - `installed` has the shared secret with which [`AtlassianConnect`](crate::providers::AtlassianConnect)
///   verifies all further calls of the installation. Keep it by `clientKey`.
/// - Anyone who captures a token can send another `sharedSecret` with it until it expires: take the
///   call over TLS alone.
/// - Whoever installs an app with your `baseUrl` on a site of their own causes an authentic call, with
///   their own client key. Accept only client keys that you expect, if the app is not for everyone.
/// - Connect ends: Atlassian asks for new apps to use Forge. See
///   [`ForgeRemote`](crate::providers::ForgeRemote).
///
/// # Settings
///
/// `baseUrl` of the app's descriptor, to the letter. If it has a path, and the requests arrive with
/// it, set the path with [`base_path`](Self::base_path).
///
/// # Evidence
///
/// Vendor's documentation:
/// <https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/>. Receivers
/// agree on the client key: <https://gitlab.com/gitlab-org/gitlab/-/merge_requests/71080>.
///
#[doc = crate::providers::macros::page!(AtlassianConnectLifecycle)]
#[derive(Clone, Debug)]
pub struct AtlassianConnectLifecycle(JwtVerifier);

registered! {
    AtlassianConnectLifecycle = "atlassian_connect_lifecycle" as "Atlassian Connect lifecycle";
    policy: DeliveryPolicy::UNKNOWN
        .leaves_body_open();
    signature: "JWT with method, path, query, times and the client key; not the rest of the body";
}

impl AtlassianConnectLifecycle {
    /// Creates a verifier for calls to the app with this `baseUrl`, with these public keys: for tests.
    /// Use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is empty, if a key is not one of RSA, or if there are no keys or
    /// more than 16.
    pub fn new(base_url: &str, keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        Self::keyless(base_url)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless(base_url: &str) -> Result<Self, ConfigError> {
        let verifier = JwtVerifier::empty(&RULES).with_claim("aud", setting(base_url)?);
        Ok(Self(verifier).base_path(""))
    }

    pub(crate) fn with_keys(self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        self.0.with_public_keys(keys).map(Self)
    }

    /// Sets the path of the app's `baseUrl`, such as `/jira-app`, if requests arrive with it. A request
    /// without it is then rejected.
    #[must_use]
    pub fn base_path(self, path: &str) -> Self {
        Self(self.0.with_signed_request(signed_request(path)))
    }

    /// Sets how long after `exp` a token is accepted, instead of 10 seconds.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

verifies_tokens!(AtlassianConnectLifecycle);
