//! Providers that sign with a private key.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};

use super::{policy, scheme_methods};
use crate::{
    Context, Outcome, Rejection, Verifier,
    json::{self, Value},
    scheme::{
        Component, Encoding, Scheme, SchemeState, SchemeVerifier, TimestampFormat, TimestampSource,
    },
    sensitive::SensitiveParts,
    verifier::{VerifierDefaults, delegate_verifier},
};

/// Discord: interactions and webhook events.
///
/// | | |
/// |---|---|
/// | header | `X-Signature-Ed25519: <hex>`, `X-Signature-Timestamp: <seconds>` |
/// | algorithm | Ed25519; the application's public key, [`PublicKey::from_hex`](crate::PublicKey::from_hex) |
/// | signed content | `<time><body>` |
/// | freshness | 11 minutes back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard a captured delivery can be sent again for as long |
/// | delivery id | in the body (`id`) of interactions |
/// | challenge | an interaction's signed PING (`"type": 1`) is answered with `{"type":1}`, a webhook event's (`"type": 0`) with 204, and neither reaches the handler. A body with an `event` always does: there, `"type": 1` is an event |
/// | status | 401, which Discord demands for the bad signatures that it sends as a probe (<https://docs.discord.com/developers/events/webhook-events>) |
/// | retries | for 10 minutes (<https://github.com/discord/discord-api-docs/blob/2001e741f6aae8e4e043baac9bec7879c5a59b38/docs/events/webhook-events.mdx>); whether each is signed anew is unknown |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor's source: <https://docs.discord.com/developers/interactions/overview>, <https://docs.discord.com/developers/events/webhook-events>, discord/discord-interactions-js `src/index.ts` |
#[derive(Clone, Debug)]
pub struct Discord(SchemeVerifier);

/// Longest PING, in bytes. Most other bodies are longer, or are parsed once more.
const MAX_PING: usize = 16 << 10;

impl Discord {
    /// How it signs.
    pub const SCHEME: Scheme = policy::applied(
        Scheme::ed25519("x-signature-ed25519")
            .provider("discord")
            .unique_content()
            // Of an interaction: it lets anybody answer in the application's name.
            .sensitive_fields(&["token"])
            .signed_content(&[Component::Time, Component::Body])
            .time(TimestampSource::Header("x-signature-timestamp"), TimestampFormat::UnixSeconds),
    );

    scheme_methods!(public_key, timed);
}

impl Verifier for Discord {
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        self.0.begin(request)
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        self.0.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.0.finish(state, request, body)?.or_reply(|| ping(body).map(Ok))
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.0.sensitive_parts()
    }
}

/// The answer to a PING.
fn ping(body: &Bytes) -> Option<Response<Bytes>> {
    if body.len() > MAX_PING || json::field(body, "event") != Ok(None) {
        return None;
    }
    let Ok(Some(Value::Number(number))) = json::field(body, "type") else { return None };
    let mut response = Response::new(Bytes::new());
    match number {
        "0" => *response.status_mut() = StatusCode::NO_CONTENT,
        "1" => *response.body_mut() = Bytes::from_static(br#"{"type":1}"#),
        _ => return None,
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(response)
}

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
    pub const SCHEME: Scheme = policy::applied(
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

/// Telnyx, API v2.
///
/// | | |
/// |---|---|
/// | header | `telnyx-signature-ed25519: <base64>`, `telnyx-timestamp: <seconds>` |
/// | algorithm | Ed25519; the account's public key, [`PublicKey::from_base64`](crate::PublicKey::from_base64) |
/// | signed content | <code>&lt;time&gt;\|&lt;body&gt;</code> |
/// | freshness | 5 minutes both ways |
/// | delivery id | in the body (`data.id`) |
/// | challenge | none |
/// | status | 403 |
/// | retries | for an unknown time; whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/team-telnyx/telnyx-ruby>) |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor's source: <https://developers.telnyx.com/api-reference/callbacks/number-order-status-update>, team-telnyx/telnyx-ruby `lib/telnyx/lib/webhook_verification.rb` |
#[derive(Clone, Debug)]
pub struct Telnyx(SchemeVerifier);

impl Telnyx {
    /// How it signs.
    pub const SCHEME: Scheme = policy::applied(
        Scheme::ed25519("telnyx-signature-ed25519")
            .provider("telnyx")
            .unique_content()
            .encoding(Encoding::Base64)
            .signed_content(&[Component::Time, Component::Literal("|"), Component::Body])
            .time(TimestampSource::Header("telnyx-timestamp"), TimestampFormat::UnixSeconds),
    );

    scheme_methods!(public_key, timed);
}

impl Verifier for Telnyx {
    delegate_verifier!(self => self.0, SchemeState);
}

/// Wise.
///
/// | | |
/// |---|---|
/// | header | `X-Signature-SHA256: <base64>` |
/// | algorithm | RSA (PKCS#1 v1.5) with SHA-256; Wise publishes one key for production and one for its sandbox, [`PublicKey::from_pem`](crate::PublicKey::from_pem) |
/// | signed content | the body |
/// | freshness | none |
/// | delivery id | `X-Delivery-Id`, **not signed** |
/// | challenge | none; a test delivery with `X-Test-Notification` is signed as the others |
/// | status | 403 |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor's source: <https://docs.wise.com/guides/developer/webhooks/event-handling>, transferwise/digital-signatures-examples `verify-webhook-signature` |
///
/// Every customer of Wise gets signatures by the same key, over the body alone: a genuine delivery
/// to somebody else is genuine here too. Check in the handler that its subscription is yours.
#[derive(Clone, Debug)]
pub struct Wise(SchemeVerifier);

impl Wise {
    /// How it signs.
    pub const SCHEME: Scheme = policy::applied(
        Scheme::rsa_pkcs1_sha256("x-signature-sha256")
            .provider("wise")
            .encoding(Encoding::Base64)
            .delivery_id("x-delivery-id"),
    );

    scheme_methods!(public_key);
}

impl Verifier for Wise {
    delegate_verifier!(self => self.0, SchemeState);
}

super::sign_as!(Discord, self => &self.0);
super::sign_as!(SendGrid, self => &self.0);
super::sign_as!(Telnyx, self => &self.0);
super::sign_as!(Wise, self => &self.0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_is_looked_for_in_short_bodies_alone() {
        let of_len = |len: usize| Bytes::from(format!("{:len$}", r#"{"type":1}"#));
        assert!(ping(&of_len(MAX_PING)).is_some());
        assert!(ping(&of_len(MAX_PING + 1)).is_none());
        assert!(ping(&of_len(MAX_PING + 2)).is_none());
    }
}
