//! Meta webhooks.

use std::sync::Arc;

use http::Method;

use crate::{
    crypto::{secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    providers::{
        macros::{registered, sign_as},
        policy::{DeliveryPolicy, MIB},
        support::subscription,
    },
    scheme::{declaration::Scheme, state::SchemeState, verifier::SchemeVerifier},
    verifier::{
        challenge::{challenge::Challenge, response::echo},
        defaults::VerifierDefaults,
        delegate::delegate_verifier,
        verifier::Verifier,
    },
};

/// Meta webhooks (WhatsApp, Messenger, Instagram, Graph API): HMAC-SHA256 of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Meta};
///
/// let meta = Meta::new("the app secret")?.verify_token("the token typed into the dashboard")?;
/// let layer = SignatureLayer::new(meta);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-hub-signature-256: sha256=<hex>` |
/// | algorithm | HMAC-SHA256; the key is the app secret |
/// | signed content | the body |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | message IDs in the body |
/// | challenge | an unsigned GET with `hub.mode=subscribe`, `hub.verify_token` and `hub.challenge`: the response is the challenge, once [`verify_token`](Self::verify_token) is set |
///
/// - Meta signs the body as sent, with its `\u00e4` escapes. A body that was decoded and written
///   again does not match the signature.
/// - axum's own extractors limit bodies to 2 MB: use `axum::Signed`, or raise `DefaultBodyLimit`.
///
/// # Secret
///
/// In the Meta App Dashboard: *App settings* → *Basic* → *App Secret*. ([Meta](https://developers.facebook.com/documentation/instagram-platform/webhooks.md), [Meta](https://developers.facebook.com/documentation/development/create-an-app/app-dashboard/basic-settings))
/// WhatsApp and Messenger have it in the same place. ([Meta](https://github.com/fbsamples/whatsapp-business-jaspers-market/blob/0662be2d78caf668da082ac1ea18b2a8e294f307/README.md), [Meta](https://github.com/fbsamples/original-coast-clothing/blob/1163b84e4ff4ae90dc229874430c3ce86ae7a7e6/README.md))
///
/// # Settings
///
/// You choose the verify token. Type it into the *Verify token* field beside *Callback URL* in the
/// App Dashboard. Pass the same value to `verify_token`, and start the server before you save: Meta
/// then sends its GET request.
/// ([Meta](https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint.md))
///
/// # Evidence
///
/// Public vector: hexdocs.pm/whatsapp_sdk;
/// <https://developers.facebook.com/docs/graph-api/webhooks/getting-started>.
///
#[doc = crate::providers::macros::page!(Meta)]
#[derive(Clone, Debug)]
pub struct Meta(Arc<Inner>);

registered! {
    Meta = "meta";
    policy: DeliveryPolicy::UNKNOWN
        .largest_body(3 * MIB, "https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks")
        .comes_again("https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks");
    signature: SCHEME;
    "meta": Secret, p => Meta::new(p.secrets);
}

#[derive(Clone, Debug)]
struct Inner {
    scheme: SchemeVerifier,
    verify_tokens: Vec<Secret>,
}

impl Meta {
    /// The signature scheme.
    pub const SCHEME: Scheme = Self::POLICY.apply(
        Scheme::hmac_sha256("x-hub-signature-256")
            .provider("meta")
            .prefix("sha256=")
            .legacy(&Scheme::hmac_sha1("x-hub-signature").provider("meta").prefix("sha1=")),
    );

    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::SCHEME.defaults().with_challenge(Challenge::Query("hub.mode"));

    /// Creates a verifier with these app secrets, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), is not in
    /// the provider's format or is another credential of Meta, or if there are none or more than
    /// 16.
    pub fn new(app_secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let scheme = Self::SCHEME.verifier(app_secrets)?;
        Ok(Self(Arc::new(Inner { scheme, verify_tokens: Vec::new() })))
    }

    /// Adds verify tokens, so that the layer responds to Meta's challenge, a GET.
    ///
    /// - A challenge with one of these tokens gets its `hub.challenge` back, as plain text.
    /// - Another token or mode gets `403 Forbidden`.
    /// - A challenge with a missing part gets `400 Bad Request`.
    ///
    /// From then on, no GET reaches the handler. Requests with other methods are verified. Call
    /// this method again to add tokens: a WhatsApp number can have a token of its own.
    ///
    /// # Errors
    ///
    /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16 in all.
    pub fn verify_token(mut self, tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        let all = &mut Arc::make_mut(&mut self.0).verify_tokens;
        all.extend(tokens.into_secrets()?.counted(all.len())?);
        Ok(self)
    }

    /// Also accepts requests that carry only the older `X-Hub-Signature: sha1=<hex>`.
    ///
    /// If the newer header is present, only it is verified, so that an attacker cannot choose the
    /// weaker one. Removing the newer header from a captured delivery does not change its
    /// [`replay_key`](crate::Verified::replay_key).
    #[must_use]
    pub fn accept_legacy_sha1(mut self) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.scheme = inner.scheme.clone().accept_legacy();
        self
    }
}

impl Verifier for Meta {
    delegate_verifier! {
        self => self.0.scheme, SchemeState;
        // Only GET, so that no other method bypasses verification.
        challenge(request) => (request.head().method == Method::GET
            && !self.0.verify_tokens.is_empty())
            .then(|| subscription(request.head(), &self.0.verify_tokens))
            .map(|challenge| Ok(echo(challenge?.as_bytes())));
        defaults => Self::DEFAULTS
    }
}

sign_as!(Meta, self => &self.0.scheme);
