//! Discord interactions and webhook events.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};

use crate::{
    parse::{
        json::{self, Value},
        timestamp::TimestampFormat,
    },
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::{DeliveryPolicy, MINUTE},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// Discord interactions and webhook events: Ed25519 of time and body.
///
/// ```
/// use tower_webhook::{PublicKey, SignatureLayer, providers::Discord};
///
/// let key = "a6fbf9fc39e1cd92a49b2e6860095d34a9047319ddd56904792e428da60f901b";
/// let layer = SignatureLayer::new(Discord::new(PublicKey::from_hex(key)?)?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-signature-ed25519: <hex>`, `x-signature-timestamp: <seconds>` |
/// | algorithm | Ed25519; the key is the application's public key, [`PublicKey::from_hex`](crate::PublicKey::from_hex) |
/// | signed content | `<time><body>` |
/// | tolerance | 11 minutes back, 5 minutes ahead |
/// | delivery ID | `id` in the body of an interaction |
/// | challenge | a signed PING: the response is `{"type":1}` or 204 |
///
/// - The tolerance is this long because a retry may carry the first attempt's time. Without a
///   replay guard, a captured delivery can be sent again within this window.
/// - The PING of an interaction (`"type": 1`) gets `{"type":1}`. The PING of webhook events
///   (`"type": 0`) gets `204 No Content`. Neither reaches the handler. A body with an `event`
///   always does: there, `"type": 1` is an event.
///
/// # Secret
///
/// Discord has no secret. The public key is in the Developer Portal: the app → *General
/// Information* → *Public Key*. ([Discord](https://github.com/discord/discord-api-docs/blob/0617dfa2176e5cd9f945ec142ba340b41d286ba1/docs/quick-start/getting-started.mdx))
///
/// # Settings
///
/// Start the server before you save the URL: Discord sends a PING first. Webhook events: the app →
/// *Webhooks* → *Endpoint*, then turn *Events* on. ([Discord](https://github.com/discord/discord-api-docs/blob/2001e741f6aae8e4e043baac9bec7879c5a59b38/docs/events/webhook-events.mdx))
///
/// # Not covered
///
/// Events over the Gateway, which has its own connection. Incoming webhooks, which Discord
/// receives. ([Discord](https://github.com/discord/discord-api-docs/blob/2001e741f6aae8e4e043baac9bec7879c5a59b38/docs/events/webhook-events.mdx))
///
/// # Evidence
///
/// Vendor's source: <https://docs.discord.com/developers/interactions/overview>,
/// <https://docs.discord.com/developers/events/webhook-events>, discord/discord-interactions-js
/// `src/index.ts`.
///
#[doc = crate::providers::macros::page!(Discord)]
#[derive(Clone, Debug)]
pub struct Discord(SchemeVerifier);

registered! {
    Discord = "discord";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(10 * MINUTE, "https://github.com/discord/discord-api-docs/blob/2001e741f6aae8e4e043baac9bec7879c5a59b38/docs/events/webhook-events.mdx")
        .demands(StatusCode::UNAUTHORIZED, "https://docs.discord.com/developers/events/webhook-events");
    signature: SCHEME;
    "discord": PublicKey timed, p => Discord::new(p.public_keys()?);
}

/// Maximum length of a PING, in bytes. Longer bodies are not parsed to look for one.
const MAX_PING: usize = 16 << 10;

impl Discord {
    /// The signature scheme.
    pub const SCHEME: Scheme = Self::POLICY.apply(
        Scheme::ed25519("x-signature-ed25519")
            .provider("discord")
            .unique_content()
            // The token of an interaction lets anyone respond in the application's name.
            .sensitive_fields(&["token"])
            .signed_content(&[Component::Time, Component::Body])
            .time(TimestampSource::Header("x-signature-timestamp"), TimestampFormat::UnixSeconds),
    );

    scheme_methods!(public_key, timed);
}

impl Verifier for Discord {
    delegate_verifier! {
        self => self.0, SchemeState;
        after(outcome, _request, body) => outcome.or_reply(|| ping(body).map(Ok))
    }
}

/// Returns the response to a PING, or `None` for every other body.
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

sign_as!(Discord, self => &self.0);

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
