//! HTTP Basic authentication, and providers that use it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::StatusCode;

#[cfg(feature = "explain")]
use crate::providers::own::variants::probe_secrets;
use crate::{
    crypto::{secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    parse::headers::credentials,
    providers::{
        macros::{of_pairs, registered, sign_as},
        other_credentials,
        own::shared_token::{index_of, of_provider, verifies_as},
        policy::{DeliveryPolicy, MIB},
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, delegate::delegate_verifier,
        outcome::Outcome, verifier::Verifier,
    },
};

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
#[derive(Clone, Debug)]
pub struct BasicAuth(Vec<Secret>);

registered! {
    BasicAuth = "basic_auth";
    policy: DeliveryPolicy::UNKNOWN
        .demands(StatusCode::UNAUTHORIZED, "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2");
    signature: "nothing: user and password";
    "basic_auth": UserAndPassword, p => of_pairs!(BasicAuth, user, UserAndPassword, p);
}

impl BasicAuth {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY
        .defaults()
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

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        for known in &self.0 {
            let decoded =
                zeroize::Zeroizing::new(STANDARD.decode(known.expose()).unwrap_or_default());
            let text = std::str::from_utf8(&decoded).ok();
            let Some((user, password)) = text.and_then(|text| text.split_once(':')) else {
                continue;
            };
            let password: Vec<_> = Secret::documented(password).into_iter().collect();
            let credentials = other_credentials::of(Self::DEFAULTS.provider());
            probe_secrets(probe, &password, credentials, |key| Self(vec![encoded(user, &key)]));
        }
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
    ($($(#[$doc:meta])* $name:ident = $id:literal $(as $title:literal)? $(, $policy:expr)?;)*) => {$(
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
            Self::POLICY.defaults().with_www_authenticate(BASIC_CHALLENGE)
        );

        registered! {
            $name = $id $(as $title)?;
            policy: $crate::verifier::delegate::first!($($policy,)? DeliveryPolicy::UNKNOWN);
            signature: "nothing: user and password";
            $id: UserAndPassword, p => of_pairs!($name, user, UserAndPassword, p);
        }
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
    /// - If you set another header in Brevo, use [`SharedToken`](crate::providers::SharedToken).
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developers.brevo.com/docs/secured-webhooks.md>.
    Brevo = "brevo", DeliveryPolicy::UNKNOWN
        .gives_up(Some(429), "https://developers.brevo.com/docs/retry-mechanism");

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
    Mailjet = "mailjet", DeliveryPolicy::UNKNOWN
        .comes_again("https://documentation.mailjet.com/hc/en-us/articles/360043578154-Event-Tracking-API");

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
    Postmark = "postmark", DeliveryPolicy::UNKNOWN
        .largest_body(50 * MIB, "https://postmarkapp.com/support/article/1056-what-are-the-attachment-and-email-size-limits")
        .gives_up(Some(401), "https://postmarkapp.com/support/article/understanding-inbound-webhook-retries-in-postmark");

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
    SparkPost = "sparkpost", DeliveryPolicy::UNKNOWN
        .comes_again("https://support.sparkpost.com/docs/tech-resources/webhook-data-streams");

    /// Event notifications of VMware Workspace ONE UEM: user name and password, which prove the
    /// sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::VMwareWorkspaceOne};
    ///
    /// let layer = SignatureLayer::new(VMwareWorkspaceOne::new("made-up-user", "made-up-password")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `authorization: Basic <base64 of user:password>` |
    /// | proves | that the sender knows user name and password; **nothing about the body** |
    /// | challenge | none |
    ///
    /// # Secret
    ///
    /// You choose user name and password. In Workspace ONE UEM: *Event Notifications* → the
    /// notification → *Edit*.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/052e08274a9f199d06fab1ef82f6a2e77384d9f2/integrations/webhooks/vmware-webhooks.mdx))
    ///
    /// # Evidence
    ///
    /// **Second-hand**: `integrations/webhooks/vmware-webhooks.mdx` in ngrok/ngrok-docs @052e082.
    VMwareWorkspaceOne = "vmware_workspace" as "VMware Workspace ONE UEM";
}
