//! WebSub content distribution.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode, request::Parts};

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::form::Form,
    providers::{
        macros::{registered, sign_as},
        policy::DeliveryPolicy,
    },
    scheme::{declaration::Scheme, state::SchemeState, verifier::SchemeVerifier},
    verifier::{
        challenge::{
            challenge::Challenge,
            response::{echo, text},
        },
        defaults::VerifierDefaults,
        delegate::delegate_verifier,
        verifier::Verifier,
    },
};

/// WebSub content distribution: HMAC of the body, with a hash that the hub chooses.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::WebSub};
///
/// let websub = WebSub::new("hub.secret of the subscription")?
///     .topic("https://example.com/feed");
/// let layer = SignatureLayer::new(websub);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-hub-signature: <method>=<hex>` |
/// | algorithm | HMAC-SHA256, or HMAC-SHA1, -SHA384 or -SHA512 with another constructor; the key is `hub.secret` |
/// | signed content | the body |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | none known |
/// | challenge | an unsigned GET with `hub.mode`: the response is `hub.challenge`, once [`topic`](Self::topic) is set |
///
/// - The method in the header must be the one of the constructor, whatever the request says. The
///   hub chooses the method: find out which one yours uses. To accept two, combine two verifiers
///   with [`any_of`](crate::verifier::any_of).
/// - A delivery that gets `202 Accepted` and never reaches the handler was **accepted and
///   dropped**. Find its [`Rejection`] in the response's extensions, or set another status with
///   [`rejection_status`](crate::SignatureLayer::rejection_status).
///
/// # Evidence
///
/// Vendor's documentation: <https://www.w3.org/TR/websub/> 5.3 and 7.1.2.
///
#[doc = crate::providers::macros::page!(WebSub)]
#[derive(Clone, Debug)]
pub struct WebSub {
    scheme: SchemeVerifier,
    intents: Arc<Vec<Intent>>,
}

registered! {
    WebSub = "websub";
    policy: DeliveryPolicy::UNKNOWN
        .demands(StatusCode::ACCEPTED, "https://www.w3.org/TR/websub/#signature-validation")
        .comes_again("https://www.w3.org/TR/websub/");
    signature: "HMAC of the body with SHA-256, or with SHA-1, SHA-384 or SHA-512";
    "websub": Secret, p => WebSub::new(p.secrets);
}

/// A change of subscription that you requested from a hub.
#[derive(Clone, Debug)]
struct Intent {
    mode: &'static str,
    topic: String,
}

impl WebSub {
    /// The signature scheme with `sha256`.
    pub const SCHEME: Scheme = named(Scheme::hmac_sha256(HEADER), "sha256=");

    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::SCHEME.defaults().with_challenge(Challenge::Query("hub.mode"));

    /// Creates a verifier of `sha256=` signatures with these values of `hub.secret`, the current
    /// one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)) or not in
    /// the provider's format, or if there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(Self::SCHEME, secrets)
    }

    /// Creates a verifier of `sha1=` signatures with these secrets. Older hubs send them.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)) or not in
    /// the provider's format, or if there are none or more than 16.
    pub fn sha1(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(named(Scheme::hmac_sha1(HEADER), "sha1="), secrets)
    }

    /// Creates a verifier of `sha384=` signatures with these secrets.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)) or not in
    /// the provider's format, or if there are none or more than 16.
    pub fn sha384(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(named(Scheme::hmac_sha384(HEADER), "sha384="), secrets)
    }

    /// Creates a verifier of `sha512=` signatures with these secrets.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)) or not in
    /// the provider's format, or if there are none or more than 16.
    pub fn sha512(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(named(Scheme::hmac_sha512(HEADER), "sha512="), secrets)
    }

    fn with(scheme: Scheme, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Ok(Self { scheme: scheme.verifier(secrets)?, intents: Arc::default() })
    }

    /// Adds a topic to which you subscribe, so that the layer confirms the subscription to the hub.
    ///
    /// `hub.topic` must equal it exactly. From then on, the layer responds to every GET with
    /// `hub.mode`:
    ///
    /// - A subscription to this topic gets the challenge as plain text.
    /// - A challenge that is missing or longer than 256 bytes gets `400 Bad Request`.
    /// - Another topic or mode gets `404 Not Found`, so that an attacker cannot subscribe this
    ///   endpoint to it.
    /// - `hub.mode=denied` gets an empty `200 OK`. A denial is not signed, so it changes nothing.
    #[must_use]
    pub fn topic(self, topic: impl Into<String>) -> Self {
        self.intent("subscribe", topic.into())
    }

    /// Adds a topic from which you **unsubscribe**, so that the layer confirms it to the hub.
    ///
    /// Without it, an unsubscription gets `404 Not Found`, because anyone can request one from a
    /// hub.
    #[must_use]
    pub fn former_topic(self, topic: impl Into<String>) -> Self {
        self.intent("unsubscribe", topic.into())
    }

    fn intent(mut self, mode: &'static str, topic: String) -> Self {
        Arc::make_mut(&mut self.intents).push(Intent { mode, topic });
        self
    }

    /// Returns the response to a challenge of a hub, or `None` for every other request.
    fn confirmation(&self, head: &Parts) -> Option<Result<Response<Bytes>, Rejection>> {
        // Only GET, so that no other method bypasses verification.
        if head.method != Method::GET || self.intents.is_empty() {
            return None;
        }
        let form = Form::parse(head.uri.query()?.as_bytes())?;
        Some(self.confirm(form.first("hub.mode")?, &form))
    }

    fn confirm(&self, mode: &[u8], form: &Form<'_>) -> Result<Response<Bytes>, Rejection> {
        if mode == b"denied" {
            return Ok(Response::default());
        }
        let topic = form.first("hub.topic").unwrap_or_default();
        let is_ours =
            |intent: &Intent| intent.mode.as_bytes() == mode && intent.topic.as_bytes() == topic;
        if !self.intents.iter().any(is_ours) {
            return Err(Rejection::new(RejectionKind::ChallengeUnexpected));
        }
        let challenge = form.first("hub.challenge").and_then(text);
        challenge
            .map(|challenge| echo(challenge.as_bytes()))
            .ok_or(Rejection::new(RejectionKind::ChallengeMalformed))
    }
}

const HEADER: &str = "x-hub-signature";

const fn named(scheme: Scheme, prefix: &'static str) -> Scheme {
    WebSub::POLICY.apply(scheme.prefix(prefix))
}

impl Verifier for WebSub {
    delegate_verifier! {
        self => self.scheme, SchemeState;
        challenge(request) => self.confirmation(request.head());
        defaults => self.scheme.defaults().with_challenge(Challenge::Query("hub.mode"))
    }
}

sign_as!(WebSub, self => &self.scheme);
