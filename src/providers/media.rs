//! Video, content and games.

use super::providers;
use crate::scheme::{
    Encoding, Grammar, Handshake, Part, Scheme, TimeFormat, TimeSource, Tolerance,
};

providers! {
    /// Datasaur.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Datasaur-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | public vector: docs.datasaur.ai |
    Datasaur() = Scheme::hmac_sha256("x-datasaur-signature")
        .provider("datasaur");

    /// Frame.io.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Frameio-Signature: v0=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `v0:<time>:<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | none known |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | vendor's source: Frameio/webhooks-example-app:main.go |
    FrameIo(timed) = Scheme::hmac_sha256("x-frameio-signature")
        .provider("frameio")
        .prefix("v0=")
        .template(&[Part::Literal("v0:"), Part::Time, Part::Literal(":"), Part::Body])
        .time(TimeSource::Header("x-frameio-request-timestamp"), TimeFormat::Seconds)
        .tolerance(Tolerance::seconds(300));

    /// Mux.
    ///
    /// | | |
    /// |---|---|
    /// | header | `mux-signature: t=<s>,v1=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | in the body (`id`) |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | public vector: mux-node-sdk |
    Mux(timed) = Scheme::hmac_sha256("mux-signature")
        .provider("mux")
        .unique_content()
        .grammar(Grammar::pairs("t", "v1"))
        .template(&[Part::Time, Part::Literal("."), Part::Body])
        .time(TimeSource::Signature, TimeFormat::Seconds)
        .tolerance(Tolerance::seconds(300));

    /// Sanity.
    ///
    /// | | |
    /// |---|---|
    /// | header | `sanity-webhook-signature: t=<ms>,v1=<base64url>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | the time is signed, and judged once [`tolerance`](Self::tolerance) is set: the provider names no window |
    /// | delivery id | `idempotency-key`, **not signed** |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | public vector: sanity webhook-toolkit |
    ///
    /// Space after the comma allowed; a vector needs canonical base64.
    Sanity(timed) = Scheme::hmac_sha256("sanity-webhook-signature")
        .provider("sanity")
        .grammar(Grammar::pairs("t", "v1").spaced())
        .encoding(Encoding::Base64Url)
        .template(&[Part::Time, Part::Literal("."), Part::Body])
        .time(TimeSource::Signature, TimeFormat::Milliseconds)
        .delivery_id("idempotency-key");

    /// Twitch EventSub.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Twitch-Eventsub-Message-Signature: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<id><time><body>` |
    /// | freshness | 10 minutes both ways |
    /// | delivery id | `twitch-eventsub-message-id`, **signed** |
    /// | handshake | the signed POST with `Twitch-Eventsub-Message-Type: webhook_callback_verification` is answered with its `challenge` and does not reach the handler |
    /// | status | 403 |
    /// | evidence | public vector: dev.twitch.tv; two test suites |
    ///
    /// Sign the timestamp text as received.
    Twitch(timed) = Scheme::hmac_sha256("twitch-eventsub-message-signature")
        .provider("twitch")
        .takes_any_body()
        .prefix("sha256=")
        .template(&[Part::Id, Part::Time, Part::Body])
        .time(TimeSource::Header("twitch-eventsub-message-timestamp"), TimeFormat::Rfc3339)
        .delivery_id("twitch-eventsub-message-id")
        .tolerance(Tolerance::seconds(600))
        .handshake(Handshake::SignedField {
            header: "twitch-eventsub-message-type",
            value: "webhook_callback_verification",
            field: "challenge",
        });

    /// Webflow.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-webflow-signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<time>:<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | none known |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | vendor's documentation or source: hookdeck skills |
    Webflow(timed) = Scheme::hmac_sha256("x-webflow-signature")
        .provider("webflow")
        .template(&[Part::Time, Part::Literal(":"), Part::Body])
        .time(TimeSource::Header("x-webflow-timestamp"), TimeFormat::Milliseconds)
        .tolerance(Tolerance::seconds(300));
}
