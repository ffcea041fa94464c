//! Video, content and games.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::macros::providers,
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        signature_format::SignatureFormat,
    },
    verifier::challenge::challenge::Challenge,
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
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
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
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/AdobeDocs/frameio-api/blob/2bd80f8b13c29fd4d7a761535cb590df98a50a44/src/pages/guides/Webhooks/index.md>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: Frameio/webhooks-example-app:main.go |
    FrameIo(timed) = Scheme::hmac_sha256("x-frameio-signature")
        .provider("frameio")
        .prefix("v0=")
        .signed_content(&[Component::Literal("v0:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-frameio-request-timestamp"), TimestampFormat::UnixSeconds);

    /// Mux.
    ///
    /// | | |
    /// |---|---|
    /// | header | `mux-signature: t=<s>,v1=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 24 hours (<https://www.mux.com/docs/core/listen-for-webhooks.md>); whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/muxinc/mux-node-sdk>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: mux-node-sdk |
    Mux(timed) = Scheme::hmac_sha256("mux-signature")
        .provider("mux")
        .unique_content()
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);

    /// Sanity.
    ///
    /// | | |
    /// |---|---|
    /// | header | `sanity-webhook-signature: t=<ms>,v1=<base64url>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `idempotency-key`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 1 minute (<https://www.sanity.io/docs/changelog/50ec6abf-fe0c-475b-ae72-314148860132.md>); whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::TOO_MANY_REQUESTS)` it comes again (<https://www.sanity.io/docs/changelog/50ec6abf-fe0c-475b-ae72-314148860132.md>) |
    /// | evidence | public vector: sanity webhook-toolkit |
    ///
    /// Space after the comma allowed; a vector needs canonical base64.
    Sanity(timed) = Scheme::hmac_sha256("sanity-webhook-signature")
        .provider("sanity")
        .signature_format(SignatureFormat::pairs("t", "v1").spaced())
        .encoding(Encoding::Base64Url)
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixMillis)
        .delivery_id("idempotency-key");

    /// Twitch EventSub.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Twitch-Eventsub-Message-Signature: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<id><time><body>` |
    /// | freshness | 10 minutes back, 5 minutes ahead |
    /// | delivery id | `twitch-eventsub-message-id`, **signed** |
    /// | challenge | the signed POST with `Twitch-Eventsub-Message-Type: webhook_callback_verification` is answered with its `challenge` and does not reach the handler |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://dev.twitch.tv/docs/eventsub/handling-webhook-events>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: dev.twitch.tv; two test suites |
    ///
    /// Sign the timestamp text as received.
    Twitch(timed) = Scheme::hmac_sha256("twitch-eventsub-message-signature")
        .provider("twitch")
        .takes_any_body()
        .prefix("sha256=")
        .signed_content(&[Component::Id, Component::Time, Component::Body])
        .time(TimestampSource::Header("twitch-eventsub-message-timestamp"), TimestampFormat::Rfc3339)
        .delivery_id("twitch-eventsub-message-id")
        .challenge(Challenge::SignedField {
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
    /// | freshness | 33 minutes back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 30 minutes (<https://developers.webflow.com/data/v1.0.0/docs/limits-and-retries>); whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: hookdeck skills |
    Webflow(timed) = Scheme::hmac_sha256("x-webflow-signature")
        .provider("webflow")
        .signed_content(&[Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-webflow-timestamp"), TimestampFormat::UnixMillis);
}
