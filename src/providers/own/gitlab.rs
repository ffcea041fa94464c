use bytes::Bytes;
use http::HeaderName;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    parse::headers::optional,
    providers::{
        apply,
        own::{shared_token::SharedToken, standard_webhooks::family},
    },
    scheme::{declaration::Scheme, verification::SchemeState, verifier::SchemeVerifier},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

const DELIVERY_ID: &str = "idempotency-key";

/// GitLab, with its secret token or with its signing token.
///
/// | | |
/// |---|---|
/// | header | [`token`](Self::token): `X-Gitlab-Token: <token>`; [`signed`](Self::signed): `webhook-signature: v1,<base64>`, `webhook-id`, `webhook-timestamp: <seconds>` |
/// | algorithm | none; HMAC-SHA256, the key is the base64 after `whsec_` |
/// | signed content | **nothing**; `<id>.<time>.<body>` |
/// | freshness | none; 5 minutes both ways |
/// | delivery id | `Idempotency-Key`, **not signed**, the same when GitLab resends (<https://gitlab.com/gitlab-org/gitlab/-/merge_requests/160952>); `webhook-id`, **signed** |
/// | challenge | none |
/// | status | 403 |
/// | retries | none (<https://docs.gitlab.com/user/project/integrations/webhooks/>) |
/// | body limit | 25 MiB (<https://gitlab.com/gitlab-org/gitlab/-/merge_requests/38687>) |
/// | after a refusal | it does not come again, whatever the status (second-hand: <https://hookdeck.com/webhooks/platforms/how-to-solve-gitlab-automatic-webhook-disabling>) |
/// | evidence | vendor's documentation: <https://docs.gitlab.com/user/project/integrations/webhooks/> |
///
/// The secret token is **weaker**: it does not cover the body, so whoever sees one request can send
/// any other. Where GitLab has both set, it sends both; only the one chosen here is looked at.
#[derive(Clone, Debug)]
pub struct GitLab(Mode);

#[derive(Clone, Debug)]
enum Mode {
    Signed(SchemeVerifier),
    Token(SharedToken),
}

/// Carried from the head to the end of the body.
#[doc(hidden)]
#[derive(Debug)]
pub struct GitLabState(State);

#[derive(Debug)]
enum State {
    Signed(SchemeState),
    Token(usize),
}

impl GitLab {
    /// How it signs with a signing token.
    pub const SCHEME: Scheme = apply::applied(
        family(["webhook-signature", "webhook-id", "webhook-timestamp"]).provider("gitlab"),
    );

    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults =
        Self::SCHEME.defaults().with_sensitive_headers(&["x-gitlab-token"]);

    /// Expects one of these secret tokens, as GitLab sends it.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn token(tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        const HEADER: HeaderName = HeaderName::from_static("x-gitlab-token");
        Ok(Self(Mode::Token(SharedToken::of(Self::DEFAULTS.provider(), HEADER, tokens)?)))
    }

    /// Creates a verifier of the signatures that GitLab makes with these signing tokens, the current one
    /// first.
    ///
    /// # Errors
    ///
    /// When a signing token's text is not base64 after `whsec_`, or there are none or more than 16.
    pub fn signed(signing_tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::SCHEME.verifier(signing_tokens).map(|scheme| Self(Mode::Signed(scheme)))
    }

    /// How far a signed time may be off, in place of five minutes.
    #[must_use]
    pub fn tolerance(self, tolerance: crate::parse::timestamp::Tolerance) -> Self {
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
                optional(request.head(), DELIVERY_ID)?; // not twice (T-10)
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
            // A state of the other mode proves nothing to this one.
            _ => Err(Rejection::mismatch()),
        }
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        // GitLab sends both where both are set.
        Self::DEFAULTS.sensitive_parts().and(Self::SCHEME.sensitive_parts())
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
