//! Fixed tokens and passwords, and signatures of something else than the body: **weaker than a
//! signature** of it.
//!
//! They do not cover the body: whoever sees one request can send any other. Use HTTPS, and prefer
//! the provider's signature where it has one. They are compared in constant time, and before the
//! body is read where they do not stand in it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, Response};

pub use crate::providers::own::{
    azure_event_grid::AzureEventGrid,
    gitlab::{GitLab, GitLabState},
    mailgun::Mailgun,
    microsoft_graph::MicrosoftGraph,
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

/// Types around a verifier whose state is the index of the secret.
macro_rules! verifies_as {
    ($name:ident, $id:literal, $defaults:expr $(, $challenge:expr)?) => {
        impl $name {
            /// The provider's name, the status of refusals and the body limit, for look-ups.
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
        #[derive(Clone, Debug)]
        pub struct $name(SharedToken);

        impl $name {
            /// Expects one of these tokens as the header's whole value.
            ///
            /// # Errors
            ///
            /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
            pub fn new(tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
                SharedToken::of($id, HeaderName::from_static($header), tokens).map(Self)
            }
        }

        verifies_as!($name, $id, apply::defaults($id)$(.with_challenge($challenge))? $(, $challenge)?);
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
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://developers.deepgram.com/docs/callback>) |
    /// | evidence | **second-hand**: hookdeck's page on Deepgram webhooks |
    ///
    /// The token is the *id* of the API key that made the request, not the key.
    Deepgram = "deepgram", "dg-token";

    /// Okta event hooks.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: <token>`, the whole value as it was typed in |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery id | in the body (`eventId`) |
    /// | challenge | the unsigned GET with `X-Okta-Verification-Challenge` is answered with `{"verification":"<challenge>"}` and does not reach the handler |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://developer.okta.com/docs/guides/secure-hooks/-/main/> |
    ///
    /// For a header of your own choice there, use [`SharedToken`] with
    /// [`with_challenge`](crate::verifier::with_challenge).
    Okta = "okta", "authorization", Challenge::HeaderToJson {
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
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://github.com/tdlib/telegram-bot-api/blob/01a3679c0bbf9bbba03d1d3e20f621fa4becddcc/telegram-bot-api/WebhookActor.cpp>) |
    /// | evidence | vendor's source: tdlib/telegram-bot-api `telegram-bot-api/WebhookActor.cpp` |
    ///
    /// The token is `secret_token` of `setWebhook`: 1 to 256 of `A-Z a-z 0-9 _ -`.
    Telegram = "telegram", "x-telegram-bot-api-secret-token";
}

/// Datadog.
///
/// | | |
/// |---|---|
/// | header | one of your choice, typed in at the webhook's custom headers |
/// | proves | that the sender knows the token; **nothing about the body** |
/// | challenge | none |
/// | status | 403 |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | **second-hand**: a public registry of webhook adapters |
#[derive(Clone, Debug)]
pub struct Datadog(SharedToken);

impl Datadog {
    /// Expects one of these tokens as this header's whole value.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn new(header: HeaderName, tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        SharedToken::of(Self::DEFAULTS.provider(), header, tokens).map(Self)
    }
}

verifies_as!(Datadog, "datadog", apply::defaults("datadog"));

/// Flutterwave: a signature in version 4, a token in version 3.
///
/// | | |
/// |---|---|
/// | header | `flutterwave-signature: <base64>`, or `verif-hash: <secret hash>` |
/// | algorithm | HMAC-SHA256; key: the secret hash as it is |
/// | proves | version 4: the body; version 3: that the sender knows the token, **nothing about the body** |
/// | delivery id | in the body (`id`) |
/// | challenge | none |
/// | status | 403 |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | **second-hand**, that the signature is base64 of the raw body's; the header <https://developer.flutterwave.com/docs/webhooks>; the token, several receivers |
///
/// A request with the signature's header is verified by it, whatever its `verif-hash` is: the token is
/// no way round a bad signature. Whoever has seen a token of version 3 can still send without one;
/// once your integration is on version 4, use [`signed_only`](Self::signed_only).
#[derive(Clone, Debug)]
pub struct Flutterwave {
    token: SharedToken,
    signed: SchemeVerifier,
    is_signed_only: bool,
}

const FLUTTERWAVE_SIGNATURE: &str = "flutterwave-signature";

impl Flutterwave {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults = apply::defaults("flutterwave");

    /// How version 4 signs.
    pub const SCHEME: Scheme = Scheme::hmac_sha256(FLUTTERWAVE_SIGNATURE)
        .provider("flutterwave")
        .encoding(Encoding::Base64);

    /// Creates a verifier with these secret hashes, the current one first.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
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

    /// Refuses version 3, which signs nothing.
    #[must_use]
    pub fn signed_only(mut self) -> Self {
        self.is_signed_only = true;
        self
    }
}

impl Verifier for Flutterwave {
    /// Of the signature, or the index of the token.
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

/// What a 401 asks for (RFC 7617).
const BASIC_CHALLENGE: &str = r#"Basic realm="webhooks""#;

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
/// | challenge | none |
/// | status | 401 with `WWW-Authenticate: Basic realm="webhooks"` (<https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2>) |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor's documentation: RFC 7617 |
///
/// Twilio, Bandwidth and others take name and password from the webhook's URL, and show them only in
/// answer to a 401 with this header. `all_of(twilio, basic_auth)` answers so, too. A look-up needs
/// `.defaults(BasicAuth::DEFAULTS)` for it: until a verifier is found the layer knows no other.
#[derive(Clone, Debug)]
pub struct BasicAuth(Vec<Secret>);

impl BasicAuth {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults = apply::defaults("basic_auth")
        .with_www_authenticate(BASIC_CHALLENGE)
        .with_sensitive_headers(&["authorization"]);

    /// Expects this name and one of these passwords, the current one first. In a URL they stand
    /// percent-encoded; here they do not.
    ///
    /// # Errors
    ///
    /// When the name has a colon or a control character, as [`Secret::new`](crate::Secret::new), and when there
    /// are none or more than 16.
    pub fn new(user: &str, passwords: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self(Vec::new()).user(user, passwords)
    }

    /// Accepts a further name and its passwords.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and when there are more than 16 passwords of all names.
    pub fn user(mut self, user: &str, passwords: impl IntoSecrets) -> Result<Self, ConfigError> {
        if user.contains(|letter: char| letter == ':' || letter.is_control()) {
            let why = "it has a colon or a control character, as no user's name may (RFC 7617)";
            return Err(ConfigError::IdInvalid { why });
        }
        let passwords =
            other_credentials::checked(passwords, self.0.len(), Self::DEFAULTS.provider())?;
        self.0.extend(passwords.iter().map(|password| encoded(user, password)));
        Ok(self)
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
        #[derive(Clone, Debug)]
        pub struct $name(BasicAuth);

        impl $name {
            /// Expects this name and one of these passwords, the current one first. In a URL they stand
            /// percent-encoded; here they do not.
            ///
            /// # Errors
            ///
            /// When the name has a colon or a control character, as [`Secret::new`](crate::Secret::new), and
            /// when there are none or more than 16.
            pub fn new(user: &str, passwords: impl IntoSecrets) -> Result<Self, ConfigError> {
                BasicAuth::new(user, passwords).map(Self)
            }

            /// Accepts a further name and its passwords.
            ///
            /// # Errors
            ///
            /// As for [`new`](Self::new), and when there are more than 16 passwords of all names.
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
    /// Brevo, with name and password in the webhook's URL.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows name and password; **nothing about the body** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::TOO_MANY_REQUESTS)` it comes again (<https://developers.brevo.com/docs/retry-mechanism>) |
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
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: chargebee/chargebee-node @31f906a, whose webhook handler knows Basic authentication alone |
    Chargebee = "chargebee";

    /// Mailjet, with name and password in the webhook's URL.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows name and password; **nothing about the body** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://documentation.mailjet.com/hc/en-us/articles/360043578154-Event-Tracking-API>) |
    /// | evidence | **second-hand**: anymail/django-anymail |
    Mailjet = "mailjet";

    /// Postmark, with name and password in the webhook's URL.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows name and password; **nothing about the body** |
    /// | delivery id | in the body (`MessageID`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 50 MiB (<https://postmarkapp.com/support/article/1056-what-are-the-attachment-and-email-size-limits>) |
    /// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::UNAUTHORIZED)` it comes again (<https://postmarkapp.com/support/article/understanding-inbound-webhook-retries-in-postmark>) |
    /// | evidence | **second-hand**: hookdeck's page on Postmark webhooks |
    Postmark = "postmark";

    /// SparkPost.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows name and password; **nothing about the body** |
    /// | delivery id | `X-MessageSystems-Batch-ID`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://support.sparkpost.com/docs/tech-resources/webhook-data-streams>) |
    /// | evidence | **second-hand**: anymail/django-anymail |
    SparkPost = "sparkpost";
}
