//! SendGrid webhooks.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::{DAY, DeliveryPolicy, MIB},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// SendGrid webhooks (Event Webhook, Inbound Parse): ECDSA P-256 of time and body.
///
/// ```
/// use tower_webhook::{PublicKey, SignatureLayer, providers::SendGrid};
///
/// let key = PublicKey::from_spki_base64(
///     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe6\
///      2gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
/// )?;
/// let layer = SignatureLayer::new(SendGrid::new(key)?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-twilio-email-event-webhook-signature: <base64>`, `x-twilio-email-event-webhook-timestamp: <seconds>` |
/// | algorithm | ECDSA P-256 with SHA-256, in DER; the key is the verification key, [`PublicKey::from_spki_base64`](crate::PublicKey::from_spki_base64) |
/// | signed content | `<time><body>` |
/// | tolerance | 26 hours and 24 minutes back, 5 minutes ahead |
/// | delivery ID | `sg_event_id` in the body |
/// | challenge | none |
///
/// - The signed body includes the CR LF at its end.
/// - The time must have 10 digits, so that none of its digits can be moved to the body.
/// - The tolerance is this long because a retry may carry the first attempt's time. Without a
///   replay guard, a captured delivery can be sent again within this window.
///
/// # Secret
///
/// SendGrid has no secret: pass its public key. *Settings* → *Mail Settings* → *Event Webhooks* →
/// edit the webhook → *Enable Signed Event Webhook* → *Save*. Edit it again to see the key. Each
/// webhook has its own. ([Twilio SendGrid](https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features))
/// For Inbound Parse, the API returns `public_key` when you create a policy. ([Twilio SendGrid](https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks))
///
/// # Settings
///
/// Turn the signature on: for the Event Webhook as above, for Inbound Parse with a security policy
/// (<https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks>).
/// Save before you use *Test Integration*. The test is unsigned before that. ([Twilio SendGrid](https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features))
///
/// # Not covered
///
/// Inbound Parse without a security policy is unsigned. ([Twilio SendGrid](https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks))
/// This type does not check OAuth 2.0 tokens in `Authorization`. ([Twilio SendGrid](https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features))
///
/// # Evidence
///
/// Vendor vector: sendgrid/sendgrid-python `test/unit/test_eventwebhook.py`;
/// <https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features>.
///
#[doc = crate::providers::macros::page!(SendGrid)]
#[derive(Clone, Debug)]
pub struct SendGrid(SchemeVerifier);

registered! {
    SendGrid = "sendgrid";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(DAY, "https://github.com/sendgrid/docs/blob/c3eb3fef6132c26b9ee0f94de031e6b0fac7b1c5/content/docs/for-developers/tracking-events/getting-started-event-webhook.md")
        .largest_body(50 * MIB, "https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/inbound-email")
        .gives_up(Some(503), "https://support.sendgrid.com/hc/en-us/articles/46513815674395-Understanding-Inbound-Parse-Webhook-Retry-Logic");
    signature: SCHEME;
    "sendgrid": PublicKey timed, p => SendGrid::new(p.public_keys()?);
}

impl SendGrid {
    /// The signature scheme.
    pub const SCHEME: Scheme = Self::POLICY.apply(
        Scheme::ecdsa_p256_sha256("x-twilio-email-event-webhook-signature")
            .provider("sendgrid")
            .unique_content()
            .encoding(Encoding::Base64)
            .signed_content(&[Component::Time, Component::Body])
            .time(
                TimestampSource::Header("x-twilio-email-event-webhook-timestamp"),
                TimestampFormat::UnixSeconds,
            ),
    );

    scheme_methods!(public_key, timed);
}

impl Verifier for SendGrid {
    delegate_verifier!(self => self.0, SchemeState);
}

sign_as!(SendGrid, self => &self.0);
