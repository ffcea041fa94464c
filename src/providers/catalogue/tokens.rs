//! Fixed tokens and passwords, and signatures that do not cover the body.
//!
//! They are **weaker than a signature of the body**: anyone who sees one request can send any
//! other. Use HTTPS, and prefer the provider's signature if it has one. Tokens and passwords are
//! compared in constant time, and before the body is read unless they are in the body.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, Response};

#[doc(alias = "azure")]
#[doc(alias = "eventgrid")]
pub use crate::providers::own::azure_event_grid::AzureEventGrid;
#[doc(alias = "office365")]
#[doc(alias = "onedrive")]
#[doc(alias = "outlook")]
pub use crate::providers::own::microsoft_graph::MicrosoftGraph;
pub use crate::providers::own::{
    gitlab::{GitLab, GitLabState},
    mailgun::Mailgun,
    strava::Strava,
};
use crate::{
    crypto::{secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    parse::{encoding::Encoding, headers::credentials},
    providers::{
        apply,
        macros::sign_as,
        other_credentials,
        own::shared_token::{SharedToken, index_of},
    },
    scheme::{declaration::Scheme, verification::SchemeState, verifier::SchemeVerifier},
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        outcome::Outcome, sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// Implements [`Verifier`] for a type around a verifier whose state is the index of the secret.
macro_rules! verifies_as {
    ($name:ident, $id:literal, $defaults:expr $(, $challenge:expr)?) => {
        impl $name {
            /// Default layer settings for this provider: its name, the status of rejections and the
            /// body limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
            pub const DEFAULTS: VerifierDefaults = $defaults;
        }

        impl Verifier for $name {
            type State = usize;

            fn begin(&self, request: &Context<'_>) -> Result<usize, Rejection> {
                self.0.begin(request)
            }

            fn finish(&self, key: &mut usize, _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
                Ok(Verified::new($id).with_key_index(*key).into())
            }

            $(fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
                $challenge.before_verification(request.head(), None)
            })?

            fn defaults(&self) -> VerifierDefaults {
                Self::DEFAULTS
            }

            fn sensitive_parts(&self) -> SensitiveParts {
                self.0.sensitive_parts()
            }
        }

        sign_as!($name, self => &self.0);
    };
}

/// Providers that send a fixed token in a header.
macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $header:literal $(, $challenge:expr)?;)*) => {$(
        $(#[$doc])*
        ///
        #[doc = crate::providers::macros::page!($name)]
        #[derive(Clone, Debug)]
        pub struct $name(SharedToken);

        impl $name {
            /// Creates a verifier that expects one of these tokens as the header's whole value.
            ///
            /// # Errors
            ///
            /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)) or
            /// is another credential of the provider, or if there are none or more than 16.
            pub fn new(tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
                SharedToken::of($id, HeaderName::from_static($header), tokens).map(Self)
            }
        }

        verifies_as!($name, $id, apply::defaults($id)$(.with_challenge($challenge))? $(, $challenge)?);
    )*};
}

tokens! {
    /// Deepgram callbacks: a token in a header, which proves the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Deepgram};
    ///
    /// let layer = SignatureLayer::new(Deepgram::new("made-up-secret")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `dg-token: <API key ID>` |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery ID | `request_id` in the body |
    /// | challenge | none |
    ///
    /// The token is the *ID* of the API key that made the request, not the key.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: hookdeck's page on Deepgram webhooks.
    Deepgram = "deepgram", "dg-token";

    /// Okta event hooks: a token in a header, which proves the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Okta};
    ///
    /// let layer = SignatureLayer::new(Okta::new("made-up-secret")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `authorization: <token>` |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery ID | `eventId` in the body |
    /// | challenge | an unsigned GET with `x-okta-verification-challenge`: the response is `{"verification":"<challenge>"}` |
    ///
    /// - The token is the whole value of the header, as you typed it in.
    /// - The challenge does not reach the handler.
    /// - If you set another header in Okta, use [`SharedToken`] with
    ///   [`with_challenge`](crate::verifier::with_challenge).
    ///
    /// # Secret
    ///
    /// You choose it. In the Admin Console: *Workflow* → *Event Hooks* → *Create Event Hook* →
    /// *Authentication secret*. ([Okta](https://github.com/okta/okta-developer-docs/blob/468de9c511b5e4009bb5f06c25cbf4b85fecb8d0/packages/@okta/vuepress-site/docs/guides/event-hook-hookdeck/main/index.md))
    ///
    /// # Settings
    ///
    /// Set *Authentication field* to `authorization`. Choose *Verify* when the server runs: the
    /// layer responds to that request. ([Okta](https://github.com/okta/okta-developer-docs/blob/468de9c511b5e4009bb5f06c25cbf4b85fecb8d0/packages/@okta/vuepress-site/docs/guides/event-hook-hookdeck/main/index.md))
    ///
    /// # Not covered
    ///
    /// Inline hooks with OAuth 2.0, which send a JWT: no type here verifies it. ([Okta](https://github.com/okta/okta-developer-docs/blob/468de9c511b5e4009bb5f06c25cbf4b85fecb8d0/packages/@okta/vuepress-site/docs/guides/secure-hooks/main/index.md))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developer.okta.com/docs/guides/secure-hooks/-/main/>.
    Okta = "okta", "authorization", Challenge::HeaderToJson {
        header: "x-okta-verification-challenge",
        field: "verification",
    };

    /// Telegram bot webhooks: a token in a header, which proves the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Telegram};
    ///
    /// let layer = SignatureLayer::new(Telegram::new("made-up-secret")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-telegram-bot-api-secret-token: <token>` |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery ID | `update_id` in the body |
    /// | challenge | none |
    ///
    /// # Secret
    ///
    /// Telegram has no console for it. You choose `secret_token` when you call `setWebhook`.
    /// It has 1 to 256 characters of `A-Z`, `a-z`, `0-9`, `_` and `-`. It is not the bot token.
    /// Without `secret_token`, Telegram sends no header. ([Telegram](https://core.telegram.org/bots/api#setwebhook))
    ///
    /// # Settings
    ///
    /// Use port 443, 80, 88 or 8443. ([Telegram](https://core.telegram.org/bots/api#setwebhook))
    ///
    /// # Not covered
    ///
    /// Telegram Gateway reports, which have another signature. This crate has no type for them. ([Telegram](https://core.telegram.org/gateway/api))
    ///
    /// # Evidence
    ///
    /// Vendor's source: tdlib/telegram-bot-api `telegram-bot-api/WebhookActor.cpp`.
    Telegram = "telegram", "x-telegram-bot-api-secret-token";
}

/// Datadog webhooks: a token in a header, which proves the sender and not the body.
///
/// ```
/// use http::HeaderName;
/// use tower_webhook::{SignatureLayer, providers::Datadog};
///
/// let header = HeaderName::from_static("x-webhook-token");
/// let layer = SignatureLayer::new(Datadog::new(header, "made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | one that you choose, in the webhook's custom headers |
/// | proves | that the sender knows the token; **nothing about the body** |
/// | challenge | none |
///
/// # Evidence
///
/// **Second-hand**: a public registry of webhook adapters.
///
#[doc = crate::providers::macros::page!(Datadog)]
#[derive(Clone, Debug)]
pub struct Datadog(SharedToken);

impl Datadog {
    /// Creates a verifier that expects one of these tokens as this header's whole value.
    ///
    /// # Errors
    ///
    /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(header: HeaderName, tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        SharedToken::of(Self::DEFAULTS.provider(), header, tokens).map(Self)
    }
}

verifies_as!(Datadog, "datadog", apply::defaults("datadog"));

/// Flutterwave webhooks: HMAC-SHA256 of the body in version 4, a token in a header in version 3.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Flutterwave};
///
/// let layer = SignatureLayer::new(Flutterwave::new("made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | version 4 | version 3 |
/// |---|---|---|
/// | header | `flutterwave-signature: <base64>` | `verif-hash: <secret hash>` |
/// | algorithm | HMAC-SHA256; the key is the secret hash | none |
/// | proves | the body | that the sender knows the token; **nothing about the body** |
/// | delivery ID | `id` in the body | `id` in the body |
/// | challenge | none | none |
///
/// - A request with the header of version 4 is verified by its signature, whatever its `verif-hash`
///   is. A token cannot replace an invalid signature.
/// - Anyone who has seen a token of version 3 can still send requests without a signature. Once
///   your integration is on version 4, use [`signed_only`](Self::signed_only).
///
/// # Evidence
///
/// **Second-hand**: the form of the signature, base64 of the raw body's HMAC, and the token, which
/// several receivers check. Vendor's documentation: the header,
/// <https://developer.flutterwave.com/docs/webhooks>.
///
#[doc = crate::providers::macros::page!(Flutterwave)]
#[derive(Clone, Debug)]
pub struct Flutterwave {
    token: SharedToken,
    signed: SchemeVerifier,
    is_signed_only: bool,
}

const FLUTTERWAVE_SIGNATURE: &str = "flutterwave-signature";

impl Flutterwave {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = apply::defaults("flutterwave");

    /// The signature scheme of version 4.
    pub const SCHEME: Scheme = Scheme::hmac_sha256(FLUTTERWAVE_SIGNATURE)
        .provider("flutterwave")
        .encoding(Encoding::Base64);

    /// Creates a verifier with these secret hashes, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret hash is invalid (see [`Secret::new`](crate::Secret::new)), or
    /// if there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let secrets = secrets.into_secrets()?;
        let signed = Self::SCHEME.verifier(secrets.clone())?;
        let token = SharedToken::of(
            Self::DEFAULTS.provider(),
            HeaderName::from_static("verif-hash"),
            secrets,
        )?;
        Ok(Self { token, signed, is_signed_only: false })
    }

    /// Rejects version 3, which signs nothing.
    #[must_use]
    pub fn signed_only(mut self) -> Self {
        self.is_signed_only = true;
        self
    }
}

impl Verifier for Flutterwave {
    /// State of the signature, or the index of the token.
    type State = Result<SchemeState, usize>;

    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
        if self.is_signed_only || request.head().headers.contains_key(FLUTTERWAVE_SIGNATURE) {
            return self.signed.begin(request).map(Ok);
        }
        self.token.begin(request).map(Err)
    }

    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        if let Ok(state) = state {
            self.signed.update(state, chunk);
        }
    }

    fn finish(
        &self,
        state: &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        match state {
            Ok(state) => self.signed.finish(state, request, body),
            Err(key) => Ok(Verified::new(Self::DEFAULTS.provider()).with_key_index(*key).into()),
        }
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.token.sensitive_parts().and(self.signed.sensitive_parts())
    }
}

sign_as!(Flutterwave, self => &self.token);

/// Value of `WWW-Authenticate` in a 401 (RFC 7617).
const BASIC_CHALLENGE: &str = r#"Basic realm="webhooks""#;

/// HTTP Basic authentication: user name and password, which prove the sender and not the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::BasicAuth};
///
/// let layer = SignatureLayer::new(BasicAuth::new("made-up-user", "made-up-password")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: Basic <base64 of user:password>` |
/// | proves | that the sender knows user name and password; **nothing about the body** |
/// | challenge | none |
///
/// - It is **weaker than a signature**: it does not cover the body, so anyone who sees one request
///   can send any other.
/// - Providers take user name and password from the webhook's URL, or have fields for them beside
///   it.
/// - Twilio, Bandwidth and others take them from the URL, and send them only after a response with
///   `401 Unauthorized` and `WWW-Authenticate`. `all_of(twilio, basic_auth)` sends this response,
///   too. A lookup needs `.defaults(BasicAuth::DEFAULTS)` for it, because the layer does not know
///   the header before it has a verifier.
///
/// # Evidence
///
/// Vendor's documentation: RFC 7617.
///
#[doc = crate::providers::macros::page!(BasicAuth)]
#[doc(alias = "basic")]
#[derive(Clone, Debug)]
pub struct BasicAuth(Vec<Secret>);

impl BasicAuth {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = apply::defaults("basic_auth")
        .with_www_authenticate(BASIC_CHALLENGE)
        .with_sensitive_headers(&["authorization"]);

    /// Creates a verifier that expects this user name and one of these passwords, the current one
    /// first.
    ///
    /// Pass name and password without percent-encoding, which they have only in a URL.
    ///
    /// # Errors
    ///
    /// Returns an error if the name contains a colon or a control character, if a password is
    /// invalid (see [`Secret::new`](crate::Secret::new)), or if there are none or more than 16.
    pub fn new(user: &str, passwords: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self(Vec::new()).user(user, passwords)
    }

    /// Adds a user name and its passwords.
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`new`](Self::new), and if all names together have
    /// more than 16 passwords.
    pub fn user(mut self, user: &str, passwords: impl IntoSecrets) -> Result<Self, ConfigError> {
        if user.contains(|letter: char| letter == ':' || letter.is_control()) {
            let why =
                "it contains a colon or a control character, which RFC 7617 forbids in a user name";
            return Err(ConfigError::IdInvalid { why });
        }
        let passwords =
            other_credentials::checked(passwords, self.0.len(), Self::DEFAULTS.provider())?;
        self.0.extend(passwords.iter().map(|password| encoded(user, password)));
        Ok(self)
    }
}

/// Returns the credentials in the form of the header.
///
/// Strict base64 has only one spelling, so it is enough to compare the encoded form, and the
/// sender's value is never decoded.
#[expect(clippy::expect_used, reason = "the base64 of something with a colon is not empty")]
fn encoded(user: &str, password: &Secret) -> Secret {
    let both = [user.as_bytes(), b":", password.expose()].concat();
    let both = Secret::from_bytes(both).expect("there is a colon in it");
    Secret::from_bytes(STANDARD.encode(both.expose())).expect("it is not empty")
}

impl Verifier for BasicAuth {
    type State = usize;

    fn begin(&self, request: &Context<'_>) -> Result<usize, Rejection> {
        index_of(&self.0, credentials(request.head(), "Basic")?)
    }

    fn finish(&self, key: &mut usize, _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        Ok(Verified::new(Self::DEFAULTS.provider()).with_key_index(*key).into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for BasicAuth {
    fn sign(
        &self,
        head: &mut http::request::Parts,
        _: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let first = self.0.first().map(Secret::expose).unwrap_or_default();
        crate::providers::own::shared_token::put(
            head,
            &http::header::AUTHORIZATION,
            &[b"Basic ", first].concat(),
        )?;
        Ok(None)
    }
}

/// Providers that send a name and a password.
macro_rules! passwords {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {$(
        $(#[$doc])*
        ///
        #[doc = crate::providers::macros::page!($name)]
        #[derive(Clone, Debug)]
        pub struct $name(BasicAuth);

        impl $name {
            /// Creates a verifier that expects this user name and one of these passwords, the
            /// current one first.
            ///
            /// Pass name and password without percent-encoding, which they have only in a URL.
            ///
            /// # Errors
            ///
            /// Returns an error if the name contains a colon or a control character, if a password
            /// is invalid (see [`Secret::new`](crate::Secret::new)), or if there are none or more
            /// than 16.
            pub fn new(user: &str, passwords: impl IntoSecrets) -> Result<Self, ConfigError> {
                BasicAuth::new(user, passwords).map(Self)
            }

            /// Adds a user name and its passwords.
            ///
            /// # Errors
            ///
            /// Returns an error in the same cases as [`new`](Self::new), and if all names together
            /// have more than 16 passwords.
            pub fn user(self, user: &str, passwords: impl IntoSecrets) -> Result<Self, ConfigError> {
                self.0.user(user, passwords).map(Self)
            }
        }

        verifies_as!(
            $name,
            $id,
            apply::defaults($id).with_www_authenticate(BASIC_CHALLENGE)
        );
    )*};
}

passwords! {
    /// Brevo webhooks: user name and password, which prove the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Brevo};
    ///
    /// let layer = SignatureLayer::new(Brevo::new("made-up-user", "made-up-password")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows user name and password; **nothing about the body** |
    /// | challenge | none |
    ///
    /// - Put user name and password into the webhook's URL.
    /// - If you set another header in Brevo, use [`SharedToken`].
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developers.brevo.com/docs/secured-webhooks.md>.
    Brevo = "brevo";

    /// Chargebee webhooks: user name and password, which prove the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Chargebee};
    ///
    /// let layer = SignatureLayer::new(Chargebee::new("made-up-user", "made-up-password")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows user name and password; **nothing about the body** |
    /// | delivery ID | `id` in the body |
    /// | challenge | none |
    ///
    /// # Evidence
    ///
    /// Vendor's source: chargebee/chargebee-node @31f906a, whose webhook handler has only Basic
    /// authentication.
    Chargebee = "chargebee";

    /// Mailjet webhooks: user name and password, which prove the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Mailjet};
    ///
    /// let layer = SignatureLayer::new(Mailjet::new("made-up-user", "made-up-password")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows user name and password; **nothing about the body** |
    /// | challenge | none |
    ///
    /// Put user name and password into the webhook's URL.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: anymail/django-anymail.
    Mailjet = "mailjet";

    /// Postmark webhooks: user name and password, which prove the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Postmark};
    ///
    /// let layer = SignatureLayer::new(Postmark::new("made-up-user", "made-up-password")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows user name and password; **nothing about the body** |
    /// | delivery ID | `MessageID` in the body |
    /// | challenge | none |
    ///
    /// # Secret
    ///
    /// You choose user name and password. *Server* → the stream → *Webhooks* → *Add webhook*: enter
    /// them as basic auth credentials. ([Postmark](https://postmarkapp.com/support/article/1115-how-do-modular-webhooks-work))
    /// Or put them into the URL: `https://<username>:<password>@example.com/webhook`.
    /// Use that form for the inbound webhook. ([Postmark](https://postmarkapp.com/developer/user-guide/inbound/configure-an-inbound-server))
    ///
    /// # Settings
    ///
    /// Use an HTTPS URL. ([Postmark](https://postmarkapp.com/developer/webhooks/webhooks-overview))
    /// Check a custom header with `SharedToken`. ([Postmark](https://postmarkapp.com/support/article/1115-how-do-modular-webhooks-work))
    ///
    /// # Evidence
    ///
    /// **Second-hand**: hookdeck's page on Postmark webhooks.
    Postmark = "postmark";

    /// SparkPost webhooks: user name and password, which prove the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::SparkPost};
    ///
    /// let layer = SignatureLayer::new(SparkPost::new("made-up-user", "made-up-password")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows user name and password; **nothing about the body** |
    /// | delivery ID | `x-messagesystems-batch-id`, **not signed** |
    /// | challenge | none |
    ///
    /// # Evidence
    ///
    /// **Second-hand**: anymail/django-anymail.
    SparkPost = "sparkpost";
}
