//! Requests of Google Chat to an app.

use std::time::Duration;

use http::StatusCode;

use crate::{
    crypto::public_key::{IntoPublicKeys, PublicKey},
    error::ConfigError,
    providers::{
        macros::registered,
        own::jwt::{
            google_pub_sub::GOOGLE,
            methods::{setting, verifies_tokens},
            rules::{Issuer, RS256, Rules},
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
};

pub(crate) const HEADER: &str = "authorization";
const CHAT: &str = "chat@system.gserviceaccount.com";

/// Rules of tokens for the URL of an app.
const OF_URL: Rules = Rules {
    auth_scheme: "Bearer",
    issuer: Issuer::OneOf(GOOGLE),
    times: &["exp"],
    is_true: &["email_verified"],
    ..Rules::new(GoogleChat::DEFAULTS, HEADER, RS256)
};

/// Rules of tokens for the project of an app.
const OF_PROJECT: Rules = Rules {
    auth_scheme: "Bearer",
    issuer: Issuer::Is(CHAT),
    times: &["exp"],
    ..Rules::new(GoogleChat::DEFAULTS, HEADER, RS256)
};

/// Audience of a Chat app's tokens: the *Authentication Audience* of its connection settings.
///
/// ([Google](https://developers.google.com/workspace/chat/verify-requests-from-chat))
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GoogleChatAudience {
    /// The URL of the app's HTTP endpoint.
    Url(String),
    /// The number of the app's Google Cloud project.
    ProjectNumber(String),
}

/// Requests of Google Chat to an app: a JSON Web Token, which proves the sender and not the body.
///
/// ```
/// use tower_webhook::{
///     SignatureLayer,
///     fetched_keys::KeyFetcher,
///     providers::{GoogleChat, GoogleChatAudience},
/// };
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let audience = GoogleChatAudience::Url("https://example.com/chat".into());
/// let layer = SignatureLayer::new(GoogleChat::with_fetched_keys(audience, &fetcher)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: Bearer <JWT>` |
/// | algorithm | RS256; the keys are in Google's list, or in that of Chat's service account |
/// | signed content | the claims `aud`, your audience, `exp`, and Chat's service account in `email` or `iss`; **nothing about the body** |
/// | tolerance | until `exp`, and [10 seconds](Self::leeway) more |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - The token proves that Chat sent a request for this audience, not that it sent this body. Anyone
///   who captures a token can send another body with it until it expires.
/// - **With a URL as the audience, Chat sends the requests of all apps with one account**: whoever
///   enters your URL for an app of their own has Chat send its requests to you. A project number
///   names your app.
/// - An app that is a Google Workspace add-on has an account of its own: see
///   [`service_account`](Self::service_account).
/// - Rejected requests get `401 Unauthorized`, as Google asks.
///
/// # Evidence
///
/// Vendor's documentation:
/// <https://developers.google.com/workspace/chat/verify-requests-from-chat>.
///
#[doc = crate::providers::macros::page!(GoogleChat)]
#[derive(Clone, Debug)]
pub struct GoogleChat(JwtVerifier);

registered! {
    GoogleChat = "google_chat" as "Google Chat";
    policy: DeliveryPolicy::UNKNOWN
        .demands(StatusCode::UNAUTHORIZED, "https://developers.google.com/workspace/chat/verify-requests-from-chat")
        .leaves_body_open();
    signature: "JWT with audience, account and times; not the body";
}

impl GoogleChat {
    /// Creates a verifier for tokens with this audience, with these public keys: for tests. Google
    /// changes its keys, so use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if the audience is empty, if a key is not one of RSA, or if there are no keys
    /// or more than 16.
    pub fn new(
        audience: GoogleChatAudience,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::keyless(&audience)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless(audience: &GoogleChatAudience) -> Result<Self, ConfigError> {
        let verifier = match audience {
            GoogleChatAudience::Url(url) => JwtVerifier::empty(&OF_URL)
                .with_claim("aud", setting(url)?)
                .with_claim("email", CHAT),
            GoogleChatAudience::ProjectNumber(number) => {
                JwtVerifier::empty(&OF_PROJECT).with_claim("aud", setting(number)?)
            }
        };
        Ok(Self(verifier))
    }

    pub(crate) fn with_keys(self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        self.0.with_public_keys(keys).map(Self)
    }

    /// Sets the service account in `email`, instead of `chat@system.gserviceaccount.com`, for an app that
    /// is a Google Workspace add-on: `service-<project number>@gcp-sa-gsuiteaddons.iam.gserviceaccount.com`.
    /// The audience must be a URL.
    #[must_use]
    pub fn service_account(self, email: &str) -> Self {
        Self(self.0.with_claim("email", email))
    }

    /// Sets how long after `exp` a token is accepted, instead of 10 seconds.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

verifies_tokens!(GoogleChat);
