//! GitLab webhooks.

use bytes::Bytes;
use http::HeaderName;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    parse::headers::optional,
    providers::{
        macros::registered,
        own::{shared_token::SharedToken, standard_webhooks::webhook_family},
        policy::{DeliveryPolicy, MIB},
    },
    scheme::{declaration::Scheme, state::SchemeState, verifier::SchemeVerifier},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

const DELIVERY_ID: &str = "idempotency-key";

/// GitLab webhooks: HMAC-SHA256 of ID, time and body, or a token that proves the sender and not the
/// body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::GitLab};
///
/// let gitlab = GitLab::signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let layer = SignatureLayer::new(gitlab);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | [`signed`](Self::signed) | [`token`](Self::token) |
/// |---|---|---|
/// | header | `webhook-signature: v1,<base64>`, `webhook-id`, `webhook-timestamp: <seconds>` | `x-gitlab-token: <token>` |
/// | algorithm | HMAC-SHA256; the key is the decoded base64 after `whsec_` | none |
/// | signed content | `<id>.<time>.<body>` | **nothing** |
/// | tolerance | 5 minutes both ways | none: a captured request can be sent again |
/// | delivery ID | `webhook-id`, **signed** | `idempotency-key`, **not signed** |
/// | challenge | none | none |
///
/// - [`by_name`](crate::providers::by_name) finds the secret token as `"gitlab"`, and the signing
///   token as `"gitlab_signed"`.
/// - The secret token is **weaker** than the signing token: it does not cover the body, so anyone
///   who sees one request can send any other.
/// - If both are set in GitLab, GitLab sends both. This type checks only the one that you chose
///   here.
/// - GitLab sends the same `Idempotency-Key` when it resends a delivery
///   (<https://gitlab.com/gitlab-org/gitlab/-/merge_requests/160952>).
///
/// # Secret
///
/// You choose the secret token. Project or group: *Settings* → *Webhooks* → *Add new webhook* →
/// *Secret token*. ([GitLab](https://docs.gitlab.com/user/project/integrations/webhooks/))
/// The signing token has its own field in the same form. ([GitLab](https://gitlab.com/gitlab-org/gitlab/-/issues/596374))
/// It is `whsec_` and the base64 of 32 bytes. The API never returns it. ([GitLab](https://gitlab.com/gitlab-org/gitlab/-/merge_requests/231325))
///
/// # Settings
///
/// Set a signing token if your GitLab has the field, and use `GitLab::signed`. Otherwise set a
/// secret token and use `GitLab::token`. ([GitLab](https://gitlab.com/gitlab-org/gitlab/-/merge_requests/230944))
///
/// # Evidence
///
/// Vendor's documentation: <https://docs.gitlab.com/user/project/integrations/webhooks/>.
///
#[doc = crate::providers::macros::page!(GitLab)]
#[derive(Clone, Debug)]
pub struct GitLab(Mode);

registered! {
    GitLab = "gitlab";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(0, "https://docs.gitlab.com/user/project/integrations/webhooks/")
        .largest_body(25 * MIB, "https://gitlab.com/gitlab-org/gitlab/-/merge_requests/38687")
        .gives_up(None, "second-hand: https://hookdeck.com/webhooks/platforms/how-to-solve-gitlab-automatic-webhook-disabling");
    signature: "HMAC-SHA256 of ID, time and body; or nothing: a token in a header";
    "gitlab": Secret, p => GitLab::token(p.secrets);
    "gitlab_signed": Secret timed, p => GitLab::signed(p.secrets);
}

#[derive(Clone, Debug)]
enum Mode {
    Signed(SchemeVerifier),
    Token(SharedToken),
}

/// State of a verification, from the head to the end of the body.
#[doc(hidden)]
#[derive(Debug)]
pub struct GitLabState(State);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box for each request would cost more")]
enum State {
    Signed(SchemeState),
    Token(usize),
}

impl GitLab {
    /// The signature scheme with a signing token.
    pub const SCHEME: Scheme = Self::POLICY.apply(webhook_family().provider("gitlab"));

    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::SCHEME.defaults().with_sensitive_headers(&["x-gitlab-token"]);

    /// Creates a verifier that expects one of these secret tokens as the value of `X-Gitlab-Token`.
    ///
    /// # Errors
    ///
    /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn token(tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        const HEADER: HeaderName = HeaderName::from_static("x-gitlab-token");
        Ok(Self(Mode::Token(SharedToken::of(Self::DEFAULTS.provider(), HEADER, tokens)?)))
    }

    /// Creates a verifier of signatures with these signing tokens, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a signing token is invalid (see [`Secret::new`](crate::Secret::new)) or
    /// not in the provider's format, which is base64 after `whsec_`, or if there are none or more
    /// than 16.
    pub fn signed(signing_tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::SCHEME.verifier(signing_tokens).map(|scheme| Self(Mode::Signed(scheme)))
    }

    /// Sets how far a signed time may be off, instead of 5 minutes.
    ///
    /// It has no effect on a verifier of secret tokens.
    #[must_use]
    pub fn tolerance(self, tolerance: crate::parse::tolerance::Tolerance) -> Self {
        self.map_signed(|signed| signed.map_scheme(|scheme| scheme.tolerance(tolerance)))
    }

    fn map_signed(self, change: impl FnOnce(SchemeVerifier) -> SchemeVerifier) -> Self {
        match self.0 {
            Mode::Signed(signed) => Self(Mode::Signed(change(signed))),
            token @ Mode::Token(_) => Self(token),
        }
    }
}

impl Verifier for GitLab {
    type State = GitLabState;

    fn begin(&self, request: &Context<'_>) -> Result<GitLabState, Rejection> {
        Ok(GitLabState(match &self.0 {
            Mode::Signed(scheme) => State::Signed(scheme.begin(request)?),
            Mode::Token(token) => {
                // A repeated delivery ID is rejected.
                optional(request.head(), DELIVERY_ID)?;
                State::Token(token.begin(request)?)
            }
        }))
    }

    fn update(&self, state: &mut GitLabState, chunk: &[u8]) {
        if let (Mode::Signed(scheme), State::Signed(state)) = (&self.0, &mut state.0) {
            scheme.update(state, chunk);
        }
    }

    fn finish(
        &self,
        state: &mut GitLabState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        match (&self.0, &mut state.0) {
            (Mode::Signed(scheme), State::Signed(state)) => scheme.finish(state, request, body),
            (Mode::Token(_), State::Token(index)) => {
                let verified = Verified::new(Self::DEFAULTS.provider()).with_key_index(*index);
                Ok(verified.with_unsigned_id(request.head(), DELIVERY_ID).into())
            }
            // A state of the other mode proves nothing here.
            _ => Err(Rejection::mismatch()),
        }
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        // GitLab sends both tokens if both are set.
        Self::DEFAULTS.sensitive_parts().and(Self::SCHEME.sensitive_parts())
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        match &self.0 {
            Mode::Signed(scheme) => scheme.explain(probe),
            Mode::Token(token) => token.explain(probe),
        }
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for GitLab {
    fn sign(
        &self,
        head: &mut http::request::Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        match &self.0 {
            Mode::Signed(scheme) => scheme.sign(head, body, with),
            Mode::Token(token) => token.sign(head, body, with),
        }
    }
}
