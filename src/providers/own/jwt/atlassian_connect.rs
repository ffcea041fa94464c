//! Atlassian Connect webhooks.

use std::time::Duration;

use http::request::Parts;

use crate::{
    crypto::{jwt::Jwt, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection},
    parse::{form::Form, headers::original_uri},
    providers::{
        macros::{of_pairs, registered},
        own::jwt::{
            claims::Claims,
            methods::verifies_tokens,
            rules::{HS256, Issuer, Rules, UrlClaim},
            verifier::{JwtVerifier, SignedRequest},
        },
        policy::DeliveryPolicy,
    },
};

const HEADER: &str = "authorization";

const RULES: Rules = Rules {
    auth_scheme: "JWT",
    issuer: Issuer::KeyId,
    times: &["iat", "exp"],
    url: Some(UrlClaim::Sha256("qsh")),
    ..Rules::new(AtlassianConnect::DEFAULTS, HEADER, HS256)
};

/// Webhooks of Atlassian Connect apps for Jira and Confluence: a JSON Web Token, which proves the
/// sender and not the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::AtlassianConnect};
///
/// let layer = SignatureLayer::new(AtlassianConnect::new("made-up-client-key", "made-up-secret")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: JWT <token>` |
/// | algorithm | HS256; the key is the shared secret of the installation |
/// | signed content | the claims `qsh`, the SHA-256 of method, path and query, `iat`, `exp` and `iss`, which is the client key; **nothing about the body** |
/// | tolerance | until `exp`, and [10 seconds](Self::leeway) more |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - The token proves that the installation sent a request to this path, not that it sent this body.
///   Anyone who captures a token can send another body with it until it expires. Treat an event as a
///   hint: fetch the issue or the page that it names.
/// - Calls of the lifecycle, such as `installed`, are signed with Atlassian's own keys: use
///   `AtlassianConnectLifecycle` (feature `fetched-keys`). They are rejected here, and so are context
///   tokens, which name no path.
/// - Atlassian sorts the values of a parameter that occurs several times, so their order is not
///   signed.
/// - A token in the query (`?jwt=…`), as in the URL of an iframe, is not accepted.
/// - Webhooks of Jira and Bitbucket outside of apps are [`Jira`](crate::providers::Jira) and
///   [`Bitbucket`](crate::providers::Bitbucket).
///
/// # Secret
///
/// `clientKey` and `sharedSecret` in the body of the lifecycle's `installed` call. Each installation
/// has its own: look them up by [`client_key`](Self::client_key).
/// ([Atlassian](https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/))
///
/// # Settings
///
/// The signed path is relative to the app's `baseUrl`. If that has a path, and the requests arrive
/// with it, set the path with [`base_path`](Self::base_path).
///
/// # Evidence
///
/// Vendor vector: Atlassian's `atlassian-jwt`, for the canonical request. Vendor's documentation:
/// <https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/>.
///
#[doc = crate::providers::macros::page!(AtlassianConnect)]
#[derive(Clone, Debug)]
pub struct AtlassianConnect(JwtVerifier);

registered! {
    AtlassianConnect = "atlassian_connect" as "Atlassian Connect";
    policy: DeliveryPolicy::UNKNOWN
        .leaves_body_open();
    signature: "JWT with method, path, query and times; not the body";
    "atlassian_connect": KeyIdAndSecret, p => of_pairs!(AtlassianConnect, key, KeyIdAndSecret, p);
}

impl AtlassianConnect {
    /// Creates a verifier with this client key and its shared secrets, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if the client key is empty or contains a character other than visible ASCII
    /// and the space, if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(client_key: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let verifier = JwtVerifier::of_key(&RULES, client_key, secrets)?;
        Ok(Self(verifier).base_path(""))
    }

    /// Adds a client key with its shared secrets.
    ///
    /// [`Verified::key_index`](crate::Verified::key_index) counts the secrets of all client keys in
    /// the order in which they were added.
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`new`](Self::new), and if all client keys together
    /// have more than 16 secrets.
    pub fn key(self, client_key: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        self.0.with_key(client_key, secrets).map(Self)
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

    /// Returns the client key that a request claims in `iss`, to look up the installation.
    ///
    /// Nothing is verified: anyone can claim any client key.
    #[must_use]
    pub fn client_key(head: &Parts) -> Option<String> {
        let claims = Jwt::read(RULES.token(head).ok()??)?.claims()?;
        Some(Claims(claims.get().as_bytes()).required("iss").ok()?.into_owned())
    }
}

/// Returns the signed text of requests to an app with this path in its `baseUrl`.
pub(crate) fn signed_request(path: &str) -> SignedRequest {
    let base_path = match path.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    };
    SignedRequest { text: canonical_request, base_path }
}

/// Returns method, path and parameters of the query as Atlassian signs them: the parameters sorted,
/// and without the token itself.
fn canonical_request(head: &Parts, base_path: &str) -> Result<String, Rejection> {
    let uri = original_uri(head);
    let query = uri.query().unwrap_or_default();
    let form = Form::parse(query.as_bytes()).ok_or(Rejection::malformed_in(Field::query("")))?;
    let mut parameters: Vec<_> = form
        .iter()
        .filter(|(name, _)| *name != b"jwt")
        .map(|(name, value)| (percent_encoded(name), percent_encoded(value)))
        .collect();
    parameters.sort();
    let mut text = format!("{}&{}&", head.method, canonical_path(uri.path(), base_path)?);
    let mut before = None;
    for (name, value) in &parameters {
        match before {
            Some(known) if known == name => text.extend([",", value]),
            Some(_) => text.extend(["&", name, "=", value]),
            None => text.extend([&**name, "=", value]),
        }
        before = Some(name);
    }
    Ok(text)
}

/// Returns the path below the app's base path, without a slash at its end.
fn canonical_path(path: &str, base_path: &str) -> Result<String, Rejection> {
    // One token must not be valid for two paths.
    let below = path.strip_prefix(base_path);
    let below = below.filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = below.ok_or(Rejection::malformed_in(Field::Path))?;
    let path = match path.strip_suffix('/') {
        Some("") | None => path,
        Some(bare) => bare,
    };
    // It would otherwise look like the beginning of the query.
    Ok(if path.is_empty() { "/".to_owned() } else { path.replace('&', "%26") })
}

/// Returns the text with every byte escaped that RFC 3986 does not leave alone.
fn percent_encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

verifies_tokens!(AtlassianConnect);
