//! Providers, ready to use. Each type's page is one table: what is signed and how, and where that
//! is known from.
//!
//! | type | signature | proves freshness |
//! |---|---|---|
//! | [`GitHub`] | HMAC-SHA256 of the body | no |
//! | [`Meta`] (WhatsApp, Messenger, Instagram) | HMAC-SHA256 of the body | no |
//! | [`SharedToken`] | none: a fixed token in a header | no |
//! | [`Shopify`] | HMAC-SHA256 of the body | no |
//! | [`Slack`] | HMAC-SHA256 of time and body | 5 minutes |
//! | [`StandardWebhooks`] (Svix and its users) | HMAC-SHA256 of id, time and body | 5 minutes |
//! | [`Stripe`] | HMAC-SHA256 of time and body | 5 minutes |
//! | [`Twilio`] | HMAC-SHA1 of URL and parameters | no |
//! | [`Webex`] | HMAC-SHA1 of the body | no |
//! | [`WebexContactCenter`] | HMAC-SHA256 of the body | 5 minutes |
//! | [`Wsapi`] | HMAC-SHA256 of the body | on request |
//!
//! Where freshness is not proven, whoever captures one genuine request can send it again.
//!
//! # Evidence
//!
//! *Vendor vector*: a test vector that the vendor publishes is recomputed in this crate's tests.
//! *Public vector*: likewise, published by others. *Vendor's source*: read in the vendor's own code
//! or documentation, with vectors derived from it by another tool.

mod meta;
mod shared_token;
mod slack;
mod standard_webhooks;
mod twilio;
mod webex_contact_center;
mod wsapi;

pub use self::{
    meta::Meta,
    shared_token::SharedToken,
    slack::Slack,
    standard_webhooks::StandardWebhooks,
    twilio::{Twilio, TwilioState},
    webex_contact_center::WebexContactCenter,
    wsapi::Wsapi,
};
use crate::scheme::{
    Encoding, Grammar, Part, Scheme, SchemeState, TimeFormat, TimeSource, Tolerance,
};

/// The constructors and knobs of a provider around a [`SchemeVerifier`] in `self.0`.
///
/// [`SchemeVerifier`]: crate::scheme::SchemeVerifier
macro_rules! scheme_methods {
    ($name:ident) => {
        /// The provider's name, the status of refusals and the body limit, for look-ups.
        pub const PROFILE: $crate::Profile = Self::SCHEME.profile();

        /// A verifier with this secret.
        #[must_use]
        pub fn new(secret: $crate::Secret) -> Self {
            Self($crate::providers::text_keyed(Self::SCHEME, secret))
        }

        /// Accepts a further secret, for a rotation: the first stays the current one.
        ///
        /// # Panics
        ///
        /// With more than 16 secrets.
        #[must_use]
        pub fn or_secret(self, secret: $crate::Secret) -> Self {
            Self($crate::providers::or_text_key(self.0, secret))
        }
    };
    ($name:ident, timed) => {
        scheme_methods!($name);

        /// How far the signed time may be off, in place of five minutes.
        #[must_use]
        pub fn tolerance(self, tolerance: $crate::scheme::Tolerance) -> Self {
            Self(self.0.map_scheme(|scheme| scheme.tolerance(tolerance)))
        }

        /// Tells the time, in place of the system's clock: for tests.
        #[must_use]
        pub fn clock(
            self,
            now: impl Fn() -> std::time::SystemTime + Send + Sync + 'static,
        ) -> Self {
            Self(self.0.clock(now))
        }
    };
}
use scheme_methods;

/// A provider that is a scheme and nothing more.
macro_rules! provider {
    ($(#[$doc:meta])* $name:ident $(($knobs:ident))? = $scheme:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($crate::scheme::SchemeVerifier);

        impl $name {
            /// How it signs.
            pub const SCHEME: Scheme = $scheme;

            scheme_methods!($name $(, $knobs)?);
        }

        impl $crate::Verifier for $name {
            $crate::verifier::delegate_verifier!(self => self.0, SchemeState);
        }
    };
}

provider! {
    /// GitHub, and everything else that signs as it does.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Hub-Signature-256: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256, the secret as it is |
    /// | signed content | the body, also of `application/x-www-form-urlencoded` deliveries |
    /// | freshness | none: a captured delivery can be sent again |
    /// | delivery id | `X-GitHub-Delivery`, **not signed**; the same when GitHub redelivers |
    /// | handshake | none; the `ping` event is signed |
    /// | body limit | 25 MiB, GitHub's own |
    /// | evidence | vendor vector: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>; octokit/webhooks-methods.js |
    ///
    /// The older `X-Hub-Signature` (SHA-1), which GitHub sends beside it, is never looked at.
    GitHub = Scheme::hmac_sha256("x-hub-signature-256")
        .provider("github")
        .prefix("sha256=")
        .delivery_id("x-github-delivery")
        .body_limit(25 << 20)
}

provider! {
    /// Shopify.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Shopify-Hmac-Sha256: <base64>` |
    /// | algorithm | HMAC-SHA256, the app's client secret as it is |
    /// | signed content | the body |
    /// | freshness | none: `X-Shopify-Triggered-At` is not signed |
    /// | delivery id | `X-Shopify-Webhook-Id`, **not signed** |
    /// | handshake | none |
    /// | evidence | vendor vector: Shopify/shopify-api-php `tests/Webhooks/RegistryTest.php`; <https://shopify.dev/docs/apps/build/webhooks/subscribe/https> |
    ///
    /// The compliance checks for public apps send a bad signature and expect 401: set
    /// [`rejection_status`](crate::SignatureLayer::rejection_status).
    Shopify = Scheme::hmac_sha256("x-shopify-hmac-sha256")
        .provider("shopify")
        .encoding(Encoding::Base64)
        .delivery_id("x-shopify-webhook-id")
}

provider! {
    /// Stripe.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>]`; other names are skipped |
    /// | algorithm | HMAC-SHA256, the whole `whsec_…` text as it is, **not** decoded |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 5 minutes both ways; Stripe's own libraries bound the past only |
    /// | delivery id | in the body (`id`); a retry has a new time and signature |
    /// | handshake | none |
    /// | evidence | vendor vector: stripe/stripe-dotnet `EventUtilityTest`; <https://docs.stripe.com/webhooks> |
    Stripe(timed) = Scheme::hmac_sha256("stripe-signature")
        .provider("stripe")
        .grammar(Grammar::pairs("t", "v1"))
        .template(&[Part::Time, Part::Literal("."), Part::Body])
        .time(TimeSource::Signature, TimeFormat::Seconds)
        .tolerance(Tolerance::seconds(300))
}

provider! {
    /// Webex webhooks: Messaging and Meetings. Contact Center is [`WebexContactCenter`].
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Spark-Signature: <hex>` |
    /// | algorithm | HMAC-SHA1, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none |
    /// | delivery id | in the body (`id`) |
    /// | handshake | none |
    /// | evidence | public vector: valgaze/speedybot-mini `docs/webhooks.md`; <https://developer.webex.com/blog/using-a-webhook-secret> |
    Webex = Scheme::hmac_sha1("x-spark-signature").provider("webex")
}

/// A verifier for a scheme whose key is the secret as it is.
#[expect(clippy::expect_used, reason = "only schemes with a text key call this")]
fn text_keyed(scheme: Scheme, secret: crate::Secret) -> crate::scheme::SchemeVerifier {
    scheme.verifier(secret).expect("any secret is a text key")
}

/// A further secret, documented to panic when there are too many.
#[expect(clippy::panic, reason = "documented; a mistake in the configuration")]
fn or_text_key(
    verifier: crate::scheme::SchemeVerifier,
    secret: crate::Secret,
) -> crate::scheme::SchemeVerifier {
    match verifier.or_secret(secret) {
        Ok(verifier) => verifier,
        Err(error) => panic!("{error}"),
    }
}
