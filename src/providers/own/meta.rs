use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};

use crate::{
    crypto::{secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::rejection::Rejection,
    providers::{apply, macros::sign_as, support::subscription},
    scheme::{declaration::Scheme, verification::SchemeState, verifier::SchemeVerifier},
    verifier::{
        challenge::{challenge::Challenge, response::echo},
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Meta: WhatsApp, Messenger, Instagram and the Graph API.
///
/// | | |
/// |---|---|
/// | header | `X-Hub-Signature-256: sha256=<hex>` |
/// | algorithm | HMAC-SHA256, the app secret as it is |
/// | signed content | the body as sent, with its `\u00e4` escapes; decoding and writing it anew breaks the signature |
/// | freshness | none: a captured delivery can be sent again |
/// | delivery id | in the body (message ids) |
/// | challenge | GET with `hub.mode=subscribe`, `hub.verify_token`, `hub.challenge`: answered once [`verify_token`](Self::verify_token) is set |
/// | status | 403 |
/// | body limit | 3 MiB (<https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks>) |
/// | after a refusal | it comes again (<https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks>) |
/// | evidence | public vector: hexdocs.pm/whatsapp_sdk; <https://developers.facebook.com/docs/graph-api/webhooks/getting-started> |
///
/// Axum's own extractors have a limit of 2 MB: use `axum::Signed`, or raise `DefaultBodyLimit`.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Meta};
///
/// let meta = Meta::new("the app secret")?.verify_token("the token typed into the dashboard")?;
/// let layer = SignatureLayer::new(meta);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Meta(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    scheme: SchemeVerifier,
    verify_tokens: Vec<Secret>,
}

impl Meta {
    /// How it signs.
    pub const SCHEME: Scheme = apply::applied(
        Scheme::hmac_sha256("x-hub-signature-256")
            .provider("meta")
            .prefix("sha256=")
            .legacy(&Scheme::hmac_sha1("x-hub-signature").provider("meta").prefix("sha1=")),
    );

    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults =
        Self::SCHEME.defaults().with_challenge(Challenge::Query("hub.mode"));

    /// Creates a verifier with these app secrets, the current one first.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn new(app_secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let scheme = Self::SCHEME.verifier(app_secrets)?;
        Ok(Self(Arc::new(Inner { scheme, verify_tokens: Vec::new() })))
    }

    /// Answers Meta's challenge (a GET) when it carries one of these tokens: with the challenge as plain
    /// text, with 403 for another token or mode, and with 400 when a part is missing. No GET
    /// reaches the handler then; every other method is verified as before. Single WhatsApp numbers can
    /// have a token of their own: a further call adds its tokens.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16 in all.
    pub fn verify_token(mut self, tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        let all = &mut Arc::make_mut(&mut self.0).verify_tokens;
        all.extend(tokens.into_secrets()?.counted(all.len())?);
        Ok(self)
    }

    /// Also accepts requests that carry only the older `X-Hub-Signature: sha1=<hex>`. Where the
    /// newer header is present it decides alone, so that nobody can choose the weaker one. A captured
    /// delivery whose newer header was taken off has the same
    /// [`replay_key`](crate::Verified::replay_key).
    #[must_use]
    pub fn accept_legacy_sha1(mut self) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.scheme = inner.scheme.clone().accept_legacy();
        self
    }
}

impl Verifier for Meta {
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        self.0.scheme.begin(request)
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        self.0.scheme.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.0.scheme.finish(state, request, body)
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let head = request.head();
        // Only GET, so that no other method gets round verification (T-43).
        (head.method == Method::GET && !self.0.verify_tokens.is_empty())
            .then(|| subscription(head, &self.0.verify_tokens))
            .map(|challenge| Ok(echo(challenge?.as_bytes())))
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.0.scheme.sensitive_parts()
    }
}

sign_as!(Meta, self => &self.0.scheme);
