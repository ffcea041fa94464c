use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::form::Form,
    providers::{apply, macros::sign_as},
    scheme::{declaration::Scheme, verification::SchemeState, verifier::SchemeVerifier},
    verifier::{
        challenge::{
            challenge::Challenge,
            response::{echo, text},
        },
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// WebSub: the hub's authenticated distribution of content.
///
/// | | |
/// |---|---|
/// | header | `X-Hub-Signature: <method>=<hex>`; the method must be the one chosen here, whatever the request says |
/// | algorithm | HMAC-SHA256, or with another constructor HMAC-SHA1, -SHA384 or -SHA512; key: `hub.secret` as it is |
/// | signed content | the body |
/// | freshness | none: a captured request can be sent again |
/// | delivery id | none known |
/// | challenge | the hub's unsigned GET with `hub.mode` is answered once [`topic`](Self::topic) is set |
/// | status | **202 for what is refused**: a hub that is told of bad signatures helps those who guess (<https://www.w3.org/TR/websub/#signature-validation>). Nothing of it reaches the handler |
/// | body limit | 16 MiB; no maximum is documented |
/// | after a refusal | it comes again after `rejection_status(StatusCode::FORBIDDEN)` (<https://www.w3.org/TR/websub/>) |
/// | evidence | vendor's documentation: <https://www.w3.org/TR/websub/> 5.3 and 7.1.2 |
///
/// A delivery that is answered with 202 and never arrives was **accepted and dropped**: look for its
/// [`Rejection`] in the response's extensions, or set another status with
/// [`rejection_status`](crate::SignatureLayer::rejection_status).
///
/// The method is the hub's choice: see which one yours uses. To accept two, combine two verifiers
/// with [`any_of`](crate::verifier::any_of).
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
#[derive(Clone, Debug)]
pub struct WebSub {
    scheme: SchemeVerifier,
    intents: Arc<Vec<Intent>>,
}

/// What we have asked a hub for.
#[derive(Clone, Debug)]
struct Intent {
    mode: &'static str,
    topic: String,
}

impl WebSub {
    /// How it signs with `sha256`.
    pub const SCHEME: Scheme = named(Scheme::hmac_sha256(HEADER), "sha256=");

    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults =
        Self::SCHEME.defaults().with_challenge(Challenge::Query("hub.mode"));

    /// Creates a verifier of `sha256=` with these values of `hub.secret`, the current one first.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(Self::SCHEME, secrets)
    }

    /// Creates a verifier of `sha1=` with these secrets. Older hubs send it.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn sha1(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(named(Scheme::hmac_sha1(HEADER), "sha1="), secrets)
    }

    /// Creates a verifier of `sha384=` with these secrets.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn sha384(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(named(Scheme::hmac_sha384(HEADER), "sha384="), secrets)
    }

    /// Creates a verifier of `sha512=` with these secrets.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn sha512(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(named(Scheme::hmac_sha512(HEADER), "sha512="), secrets)
    }

    fn with(scheme: Scheme, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Ok(Self { scheme: scheme.verifier(secrets)?, intents: Arc::default() })
    }

    /// Confirms to the hub that we subscribe to this topic, which `hub.topic` must equal to the
    /// letter. Called again it adds a further one.
    ///
    /// From then on every GET with `hub.mode` is answered here: with the challenge as plain text,
    /// with 400 when that is missing or longer than 256 bytes, with 404 for another topic or mode,
    /// so that nobody else subscribes this endpoint to anything, and `hub.mode=denied` with an
    /// empty 200. A denial is not signed, and so changes nothing.
    #[must_use]
    pub fn topic(self, topic: impl Into<String>) -> Self {
        self.intent("subscribe", topic.into())
    }

    /// Confirms to the hub that we **end** the subscription to this topic. Without it an
    /// unsubscription is refused with 404: anybody can ask a hub for one.
    #[must_use]
    pub fn former_topic(self, topic: impl Into<String>) -> Self {
        self.intent("unsubscribe", topic.into())
    }

    fn intent(mut self, mode: &'static str, topic: String) -> Self {
        Arc::make_mut(&mut self.intents).push(Intent { mode, topic });
        self
    }

    fn confirm(&self, mode: &[u8], form: &Form) -> Result<Response<Bytes>, Rejection> {
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
    apply::applied(scheme.provider("websub").prefix(prefix))
}

impl Verifier for WebSub {
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        self.scheme.begin(request)
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        self.scheme.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.scheme.finish(state, request, body)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.scheme.defaults().with_challenge(Challenge::Query("hub.mode"))
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.scheme.sensitive_parts()
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let head = request.head();
        // Only GET, so that no other method gets round verification (T-43).
        if head.method != Method::GET || self.intents.is_empty() {
            return None;
        }
        let form = Form::parse(head.uri.query()?.as_bytes())?;
        Some(self.confirm(form.first("hub.mode")?, &form))
    }
}

sign_as!(WebSub, self => &self.scheme);
