//! Fixed tokens and passwords, and signatures that do not cover the body.
//!
//! They are **weaker than a signature of the body**: anyone who sees one request can send any
//! other. Use HTTPS, and prefer the provider's signature if it has one. Tokens and passwords are
//! compared in constant time, and before the body is read unless they are in the body.

use http::HeaderName;

pub use crate::providers::own::list::{
    Adyen, AzureEventGrid, BasicAuth, Brevo, Chargebee, DropboxSign, Figma, Flutterwave, GitLab,
    GitLabState, LiveChat, Mailgun, Mailjet, MicrosoftGraph, Midtrans, Postmark, SparkPost, Strava,
    VMwareWorkspaceOne,
};
use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    providers::{
        macros::{registered, sign_as},
        own::shared_token::{SharedToken, of_provider, verifies_as},
        policy::{DAY, DeliveryPolicy},
        registration::Registration,
    },
    verifier::{
        challenge::challenge::Challenge, defaults::VerifierDefaults, delegate::delegate_verifier,
        verifier::Verifier,
    },
};

/// Providers that send a fixed token in a header.
macro_rules! tokens {
    ($(
        $(#[$doc:meta])*
        $name:ident = $id:literal $(as $title:literal)?, $header:literal $(, challenge: $challenge:expr)? $(, policy: $policy:expr)?;
    )*) => {$(
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

        verifies_as!($name, $id, Self::POLICY.defaults()$(.with_challenge($challenge))? $(, $challenge)?);

        registered! {
            $name = $id $(as $title)?;
            policy: $crate::verifier::delegate::first!($($policy,)? DeliveryPolicy::UNKNOWN);
            signature: "nothing: a token in a header";
            $id: Secret, p => $name::new(p.secrets);
        }
    )*};
}

tokens! {
    /// Cloudflare notifications: a token in a header, which proves the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::CloudflareNotifications};
    ///
    /// let layer = SignatureLayer::new(CloudflareNotifications::new("made-up-secret")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `cf-webhook-auth: <token>` |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery ID | none |
    /// | challenge | none |
    ///
    /// # Secret
    ///
    /// You choose it. In the Cloudflare dashboard: *Notifications* → *Destinations* → *Webhooks* →
    /// *Create* → *Secret*. Without one, Cloudflare sends no header.
    /// ([Cloudflare](https://github.com/cloudflare/cloudflare-docs/blob/25ff63eb52ede0357ee5c583410a9d89ab12bd42/src/content/docs/notifications/get-started/configure-webhooks.mdx))
    ///
    /// # Settings
    ///
    /// *Save and Test* sends a test message. Generic webhooks need a public address and port 80 or
    /// 443.
    /// ([Cloudflare](https://github.com/cloudflare/cloudflare-docs/blob/25ff63eb52ede0357ee5c583410a9d89ab12bd42/src/content/docs/notifications/get-started/configure-webhooks.mdx))
    ///
    /// # Not covered
    ///
    /// Webhooks of other Cloudflare products, such as Stream, which are signed.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: `notifications/get-started/configure-webhooks.mdx` in
    /// cloudflare/cloudflare-docs @25ff63e.
    CloudflareNotifications = "cloudflare_notifications" as "Cloudflare Notifications", "cf-webhook-auth";

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
    Deepgram = "deepgram", "dg-token", policy: DeliveryPolicy::UNKNOWN
        .comes_again("https://developers.deepgram.com/docs/callback");

    #[doc(alias = "Google Drive")]
    #[doc(alias = "Google Calendar")]
    /// Google push notification channels (Drive, Calendar): a token in a header, which proves the
    /// sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::GoogleChannel};
    ///
    /// let layer = SignatureLayer::new(GoogleChannel::new("made-up-secret")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-goog-channel-token: <token>` |
    /// | proves | that the sender knows the token; **nothing about the other headers or the body** |
    /// | delivery ID | `x-goog-channel-id` and `x-goog-message-number`, **not signed** |
    /// | challenge | none |
    ///
    /// - Use it for channels that an API method named `watch` creates.
    /// - A channel's first message has `X-Goog-Resource-State: sync`, and carries the token, too.
    /// - If each channel has a token of its own, look it up by `X-Goog-Channel-ID` with
    ///   [`SignatureLayer::by_head`](crate::SignatureLayer::by_head).
    ///
    /// # Secret
    ///
    /// You choose `token` when you call `watch`. Without it, Google sends no header.
    ///
    /// # Not covered
    ///
    /// Pub/Sub push subscriptions, so Gmail, which send a JWT.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: the description of `token` in Google's API definitions. The header is
    /// second-hand: receivers.
    GoogleChannel = "google_channel" as "Google channels", "x-goog-channel-token";

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
    Okta = "okta", "authorization", challenge: Challenge::HeaderToJson {
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
    Telegram = "telegram", "x-telegram-bot-api-secret-token", policy: DeliveryPolicy::UNKNOWN
        .comes_again("https://github.com/tdlib/telegram-bot-api/blob/01a3679c0bbf9bbba03d1d3e20f621fa4becddcc/telegram-bot-api/WebhookActor.cpp");

    /// Xendit webhooks: a token in a header, which proves the sender and not the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Xendit};
    ///
    /// let layer = SignatureLayer::new(Xendit::new("made-up-secret")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-callback-token: <token>` |
    /// | proves | that the sender knows the token; **nothing about the body** |
    /// | delivery ID | none |
    /// | challenge | none |
    ///
    /// The token is the same for all webhooks of an account. Fetch the payment before you act on a
    /// notification.
    ///
    /// # Secret
    ///
    /// In the Xendit dashboard, in the webhook settings: the verification token.
    /// ([Xendit](https://help.xendit.co/hc/en-us/articles/360038072991-How-to-validate-if-the-webhook-is-sent-from-Xendit))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://docsv2.xendit.co/v1/docs/handling-webhooks>.
    Xendit = "xendit", "x-callback-token", policy: DeliveryPolicy::UNKNOWN
        .retried_for(DAY, "https://docs.xendit.co/apidocs/webhook-behavior")
        .comes_again("https://docs.xendit.co/apidocs/webhook-behavior");
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

registered! {
    Datadog = "datadog";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "nothing: a token in a header";
    "datadog": HeaderAndToken, p => {
        let (header, tokens) = p.header_and_tokens()?;
        Datadog::new(header, tokens)
    };
}

verifies_as!(Datadog, "datadog", Self::POLICY.defaults());

/// Types of this module.
pub(crate) const TYPES: &[Registration] = &[
    CloudflareNotifications::REGISTRATION,
    Datadog::REGISTRATION,
    Deepgram::REGISTRATION,
    Registration { aliases: &["Google Drive", "Google Calendar"], ..GoogleChannel::REGISTRATION },
    Okta::REGISTRATION,
    Telegram::REGISTRATION,
    Xendit::REGISTRATION,
];
