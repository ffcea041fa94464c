//! SendGrid.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        apply,
        macros::{scheme_methods, sign_as},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        verification::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// SendGrid's Event Webhook and Inbound Parse, with their signatures switched on: Inbound Parse by a
/// security policy (<https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks>).
///
/// | | |
/// |---|---|
/// | header | `X-Twilio-Email-Event-Webhook-Signature: <base64>`, `X-Twilio-Email-Event-Webhook-Timestamp: <seconds>` |
/// | algorithm | ECDSA over P-256 with SHA-256, in DER; the verification key, [`PublicKey::from_spki_base64`](crate::PublicKey::from_spki_base64) |
/// | signed content | `<time><body>`; the CR LF at the body's end is part of it. The time must have 10 digits, so that none of them is the body's |
/// | freshness | 26 hours and 24 minutes back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard a captured delivery can be sent again for as long |
/// | delivery id | in the body (`sg_event_id`) |
/// | challenge | none |
/// | status | 403 |
/// | retries | for 24 hours (<https://github.com/sendgrid/docs/blob/c3eb3fef6132c26b9ee0f94de031e6b0fac7b1c5/content/docs/for-developers/tracking-events/getting-started-event-webhook.md>); whether each is signed anew is unknown |
/// | body limit | 50 MiB (<https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/inbound-email>) |
/// | after a refusal | it does not come again; of all statuses only a 5xx such as `rejection_status(StatusCode::SERVICE_UNAVAILABLE)` brings it back, which proxies count against the server (<https://support.sendgrid.com/hc/en-us/articles/46513815674395-Understanding-Inbound-Parse-Webhook-Retry-Logic>) |
/// | evidence | vendor vector: sendgrid/sendgrid-python `test/unit/test_eventwebhook.py`; <https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features> |
#[derive(Clone, Debug)]
pub struct SendGrid(SchemeVerifier);

impl SendGrid {
    /// How it signs.
    pub const SCHEME: Scheme = apply::applied(
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
