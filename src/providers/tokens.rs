//! Fixed tokens and passwords, and signatures of something else than the body: **weaker than a
//! signature** of it.
//!
//! They do not cover the body: whoever sees one request can send any other. Use HTTPS, and prefer
//! the provider's signature where it has one. They are compared in constant time, and before the
//! body is read where they do not stand in it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, Response, request::Parts};

use super::{SharedToken, shared_token::index_of, standard_webhooks::family};
pub use super::{
    azure_event_grid::AzureEventGrid, mailgun::Mailgun, microsoft_graph::MicrosoftGraph,
    strava::Strava,
};
use crate::{
    ConfigError, Profile, Rejection, Secret, Verified, Verifier,
    head::credentials,
    scheme::{Handshake, Scheme, SchemeState, SchemeVerifier},
};

/// Types around a verifier whose state is the index of the secret.
macro_rules! verifies_as {
    ($name:ident, $id:literal $(, $handshake:expr)?) => {
        impl $name {
            /// The provider's name, the status of refusals and the body limit, for look-ups.
            pub const PROFILE: Profile = Profile::DEFAULT.with_provider($id);
        }

        impl Verifier for $name {
            type State = usize;

            fn begin(&self, head: &Parts) -> Result<usize, Rejection> {
                self.0.begin(head)
            }

            fn finish(&self, key: usize, _: &Parts, _: &Bytes) -> Result<Verified, Rejection> {
                Ok(Verified::new($id).with_key_index(key))
            }

            $(fn handshake(&self, head: &Parts) -> Option<Result<Response<Bytes>, Rejection>> {
                $handshake.before_verification(head, None)
            })?

            fn profile(&self) -> Profile {
                Self::PROFILE
            }
        }

        super::sign_as!($name, self => &self.0);
    };
}

/// Providers that send a fixed token in a header.
macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $header:literal $(, $handshake:expr)?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(SharedToken);

        impl $name {
            /// Expects this token as the header's whole value.
            #[must_use]
            pub fn new(token: Secret) -> Self {
                Self(SharedToken::new(HeaderName::from_static($header), token))
            }

            /// Accepts a further token, for a rotation.
            #[must_use]
            pub fn or_secret(self, token: Secret) -> Self {
                Self(self.0.or_secret(token))
            }
        }

        verifies_as!($name, $id $(, $handshake)?);
    )*};
}

tokens! {
    /// Deepgram callbacks.
    ///
    /// | | |
    /// |---|---|
    /// | header | `dg-token: <API key id>` |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery id | in the body (`request_id`) |
    /// | evidence | **second-hand**: hookdeck's page on Deepgram webhooks |
    ///
    /// The token is the *id* of the API key that made the request, not the key.
    Deepgram = "deepgram", "dg-token";

    /// Flutterwave.
    ///
    /// | | |
    /// |---|---|
    /// | header | `verif-hash: <secret hash>` |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery id | in the body (`id`) |
    /// | evidence | **second-hand**: several receivers; the vendor's page is no longer found |
    ///
    /// For version 3. Readers of version 4 name a signature, `flutterwave-signature`, without
    /// agreeing on what it holds: declare it as a [`Scheme`] once you have seen one.
    Flutterwave = "flutterwave", "verif-hash";

    /// Okta event hooks.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: <token>`, the whole value as it was typed in |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery id | in the body (`eventId`) |
    /// | handshake | the unsigned GET with `X-Okta-Verification-Challenge` is answered with `{"verification":"<challenge>"}` and does not reach the handler |
    /// | evidence | vendor's documentation: <https://developer.okta.com/docs/guides/secure-hooks/-/main/> |
    ///
    /// For a header of your own choice there, use [`SharedToken`] with
    /// [`with_handshake`](crate::with_handshake).
    Okta = "okta", "authorization", Handshake::HeaderToJson {
        header: "x-okta-verification-challenge",
        field: "verification",
    };

    /// Telegram bots.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Telegram-Bot-Api-Secret-Token: <token>` |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery id | in the body (`update_id`) |
    /// | evidence | vendor's source: tdlib/telegram-bot-api `telegram-bot-api/WebhookActor.cpp` |
    ///
    /// The token is `secret_token` of `setWebhook`: 1 to 256 of `A-Z a-z 0-9 _ -`.
    Telegram = "telegram", "x-telegram-bot-api-secret-token";
}

/// HTTP Basic authentication: a user's name and password, which providers take from the webhook's
/// URL or ask for beside it.
///
/// It is **weaker than a signature**: it does not cover the body, so whoever sees one request can
/// send any other.
///
/// | | |
/// |---|---|
/// | header | `Authorization: Basic <base64 of user:password>` |
/// | proves | that the sender knows name and password; **nothing about the body** |
/// | evidence | vendor's documentation: RFC 7617 |
#[derive(Clone, Debug)]
pub struct BasicAuth(Vec<Secret>);

impl BasicAuth {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const PROFILE: Profile = Profile::DEFAULT.with_provider("basic_auth");

    /// Expects this name and password. In a URL they stand percent-encoded; here they do not.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "as every constructor with a secret")]
    pub fn new(user: &str, password: Secret) -> Self {
        Self(vec![encoded(user, &password)])
    }

    /// Accepts a further name and password, for a rotation.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "as every constructor with a secret")]
    pub fn or_credentials(mut self, user: &str, password: Secret) -> Self {
        self.0.push(encoded(user, &password));
        self
    }
}

/// As it must stand in the header. Strict base64 has one spelling, so that comparing what is
/// encoded is comparing what is meant, and nothing of a sender's has to be decoded.
#[expect(clippy::expect_used, reason = "the base64 of something with a colon is not empty")]
fn encoded(user: &str, password: &Secret) -> Secret {
    let both = [user.as_bytes(), b":", password.expose()].concat();
    let both = Secret::from_bytes(both).expect("there is a colon in it");
    Secret::from_bytes(STANDARD.encode(both.expose())).expect("it is not empty")
}

impl Verifier for BasicAuth {
    type State = usize;

    fn begin(&self, head: &Parts) -> Result<usize, Rejection> {
        index_of(&self.0, credentials(head, "Basic")?).ok_or(Rejection::mismatch())
    }

    fn finish(&self, key: usize, _: &Parts, _: &Bytes) -> Result<Verified, Rejection> {
        Ok(Verified::new(Self::PROFILE.provider()).with_key_index(key))
    }

    fn profile(&self) -> Profile {
        Self::PROFILE
    }
}

#[cfg(feature = "sign")]
impl crate::sign::Sign for BasicAuth {
    fn sign(&self, head: &mut Parts, _: &[u8], _: std::time::SystemTime) -> Result<(), Rejection> {
        let first = self.0.first().map(Secret::expose).unwrap_or_default();
        super::shared_token::put(head, &http::header::AUTHORIZATION, &[b"Basic ", first].concat())
    }
}

/// Providers that send a name and a password.
macro_rules! passwords {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(BasicAuth);

        impl $name {
            /// Expects this name and password. In a URL they stand percent-encoded; here they do
            /// not.
            #[must_use]
            pub fn new(user: &str, password: Secret) -> Self {
                Self(BasicAuth::new(user, password))
            }

            /// Accepts a further name and password, for a rotation.
            #[must_use]
            pub fn or_credentials(self, user: &str, password: Secret) -> Self {
                Self(self.0.or_credentials(user, password))
            }
        }

        verifies_as!($name, $id);
    )*};
}

passwords! {
    /// Brevo, with name and password in the webhook's URL.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows name and password; **nothing about the body** |
    /// | evidence | vendor's documentation: <https://developers.brevo.com/docs/secured-webhooks.md> |
    ///
    /// For a header of your own choice there, use [`SharedToken`].
    Brevo = "brevo";

    /// Chargebee.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows name and password; **nothing about the body** |
    /// | delivery id | in the body (`id`) |
    /// | evidence | **second-hand**: hookdeck's page on Chargebee webhooks |
    Chargebee = "chargebee";

    /// Mailjet, with name and password in the webhook's URL.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows name and password; **nothing about the body** |
    /// | evidence | **second-hand**: anymail/django-anymail |
    Mailjet = "mailjet";

    /// Postmark, with name and password in the webhook's URL.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows name and password; **nothing about the body** |
    /// | delivery id | in the body (`MessageID`) |
    /// | evidence | **second-hand**: hookdeck's page on Postmark webhooks |
    Postmark = "postmark";

    /// SparkPost.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows name and password; **nothing about the body** |
    /// | delivery id | `X-MessageSystems-Batch-ID`, **not signed** |
    /// | evidence | **second-hand**: anymail/django-anymail |
    SparkPost = "sparkpost";
}

/// GitLab, with its secret token or with its signing token.
///
/// | | |
/// |---|---|
/// | header | [`token`](Self::token): `X-Gitlab-Token: <token>`; [`signed`](Self::signed): `webhook-signature: v1,<base64>`, `webhook-id`, `webhook-timestamp: <seconds>` |
/// | algorithm | none; HMAC-SHA256, the key is the base64 after `whsec_` |
/// | signed content | **nothing**; `<id>.<time>.<body>` |
/// | freshness | none; 5 minutes both ways |
/// | delivery id | none; `webhook-id`, **signed** |
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
#[derive(Debug)]
pub struct GitLabState(State);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would cost an allocation per request")]
enum State {
    Signed(SchemeState),
    Token(usize),
}

impl GitLab {
    /// How it signs with a signing token.
    pub const SCHEME: Scheme =
        family(["webhook-signature", "webhook-id", "webhook-timestamp"]).provider("gitlab");

    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const PROFILE: Profile = Self::SCHEME.profile();

    /// Expects this secret token, as GitLab sends it.
    #[must_use]
    pub fn token(token: Secret) -> Self {
        const HEADER: HeaderName = HeaderName::from_static("x-gitlab-token");
        Self(Mode::Token(SharedToken::new(HEADER, token)))
    }

    /// A verifier of the signatures that GitLab makes with this signing token.
    ///
    /// # Errors
    ///
    /// When the signing token's text is not base64 after `whsec_`.
    pub fn signed(signing_token: Secret) -> Result<Self, ConfigError> {
        Self::SCHEME.verifier(signing_token).map(|scheme| Self(Mode::Signed(scheme)))
    }

    /// Accepts a further token of the same sort, for a rotation: the first stays the current one.
    ///
    /// # Errors
    ///
    /// For a signing token, when its text is not base64 after `whsec_`, or there are 16 already.
    pub fn or_secret(self, secret: Secret) -> Result<Self, ConfigError> {
        Ok(Self(match self.0 {
            Mode::Signed(scheme) => Mode::Signed(scheme.or_secret(secret)?),
            Mode::Token(token) => Mode::Token(token.or_secret(secret)),
        }))
    }

    /// How far a signed time may be off, in place of five minutes.
    #[must_use]
    pub fn tolerance(self, tolerance: crate::scheme::Tolerance) -> Self {
        self.map_signed(|signed| signed.map_scheme(|scheme| scheme.tolerance(tolerance)))
    }

    /// Tells the time, in place of the system's clock: for tests.
    #[must_use]
    pub fn clock(self, now: impl Fn() -> std::time::SystemTime + Send + Sync + 'static) -> Self {
        self.map_signed(|signed| signed.clock(now))
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

    fn begin(&self, head: &Parts) -> Result<GitLabState, Rejection> {
        Ok(GitLabState(match &self.0 {
            Mode::Signed(scheme) => State::Signed(scheme.begin(head)?),
            Mode::Token(token) => State::Token(token.begin(head)?),
        }))
    }

    fn update(&self, state: &mut GitLabState, chunk: &[u8]) {
        if let (Mode::Signed(scheme), State::Signed(state)) = (&self.0, &mut state.0) {
            scheme.update(state, chunk);
        }
    }

    fn finish(
        &self,
        state: GitLabState,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        match (&self.0, state.0) {
            (Mode::Signed(scheme), State::Signed(state)) => scheme.finish(state, head, body),
            (Mode::Token(_), State::Token(index)) => {
                Ok(Verified::new(Self::PROFILE.provider()).with_key_index(index))
            }
            // A state of the other mode proves nothing to this one.
            _ => Err(Rejection::mismatch()),
        }
    }

    fn profile(&self) -> Profile {
        Self::PROFILE
    }
}

#[cfg(feature = "sign")]
impl crate::sign::Sign for GitLab {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        time: std::time::SystemTime,
    ) -> Result<(), Rejection> {
        match &self.0 {
            Mode::Signed(scheme) => scheme.sign(head, body, time),
            Mode::Token(token) => token.sign(head, body, time),
        }
    }
}
