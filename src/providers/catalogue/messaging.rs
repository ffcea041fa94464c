//! Chat, mail, voice and social networks.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{macros::providers, own::standard_webhooks::family, support::VERIFICATION_KEY},
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
    verifier::challenge::challenge::Challenge,
};

providers! {
    /// Airship.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-UA-Signature: <hex>` + `X-UA-Timestamp` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<time>:<body>` |
    /// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | **second-hand**, several sources agree: three receivers |
    ///
    /// For open-channel webhooks.
    Airship(timed) = Scheme::hmac_sha256("x-ua-signature")
        .provider("airship")
        .signed_content(&[Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-ua-timestamp"), TimestampFormat::UnixSeconds);

    /// Customer.io.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-CIO-Signature: <hex>` + `X-CIO-Timestamp` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `v0:<time>:<body>` |
    /// | freshness | 7 days back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard a captured delivery can be sent again for as long |
    /// | delivery id | in the body (`event_id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 7 days (second-hand: <https://github.com/hookdeck/webhook-skills>); whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://docs.customer.io/api/webhooks/>) |
    /// | evidence | **second-hand**, several sources agree: <https://www.customer.io/docs/api/webhooks/> |
    ///
    /// Bare hex although the text starts with v0:.
    CustomerIo(timed) = Scheme::hmac_sha256("x-cio-signature")
        .provider("customer_io")
        .unique_content()
        .signed_content(&[Component::Literal("v0:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-cio-timestamp"), TimestampFormat::UnixSeconds);

    /// Front.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Front-Signature: <base64>` + `X-Front-Request-Timestamp` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<time>:<body>` |
    /// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | the signed POST of type `sync` with `X-Front-Challenge` is answered with that header's text and does not reach the handler |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://dev.frontapp.com/docs/application-webhooks> |
    ///
    /// For application webhooks. Rule webhooks sign otherwise (HMAC-SHA1 of the body, without a time).
    Front(timed) = Scheme::hmac_sha256("x-front-signature")
        .provider("front")
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-front-request-timestamp"), TimestampFormat::UnixMillis)
        .challenge(Challenge::SignedHeader {
            header: "x-front-challenge",
            field: "type",
            value: "sync",
        });

    /// Intercom.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Hub-Signature: sha1=<hex>` |
    /// | algorithm | HMAC-SHA1; key: client secret, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id` (notif_)) |
    /// | challenge | HEAD is answered with an empty 200, unverified: it tells and proves nothing |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://developers.intercom.com/intercom-api-reference/v1.0/reference/signed-notifications> |
    ///
    /// Canvas Kit signs in `X-Body-Signature: <hex>`, HMAC-SHA256 by the same secret, which decides where it
    /// is there (**second-hand**: three receivers agree).
    Intercom() = Scheme::hmac_sha1("x-hub-signature")
        .provider("intercom")
        .prefix("sha1=")
        .challenge(Challenge::Head)
        .families(&[Scheme::hmac_sha256("x-body-signature").provider("intercom")]);

    /// Klaviyo.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Klaviyo-Signature: <hex>` + `Klaviyo-Timestamp` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<body><Klaviyo-Timestamp>` |
    /// | freshness | none: `Klaviyo-Timestamp` is an HTTP date, signed, and known to be hours off (<https://developers.klaviyo.com/en/docs/working_with_system_webhooks>), so it is not judged. Nothing bounds for how long a captured delivery can be sent again |
    /// | delivery id | none: `Klaviyo-Webhook-Id` names the subscription |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | **second-hand**, the order of body and time, and the date's form: several receivers agree, one test with captured values; the rest: vendor's documentation, <https://developers.klaviyo.com/en/docs/working_with_system_webhooks> |
    ///
    /// A replay guard reports that it does not know one delivery from another
    /// ([`Unguardable`](crate::observe::EventKind::Unguardable)). Turned on by
    /// [`guard_body_only`](crate::replay::ReplayLayer::guard_body_only) it reports that nothing bounds
    /// how long it must remember
    /// ([`RetentionUnbounded`](crate::observe::EventKind::RetentionUnbounded)).
    Klaviyo() = Scheme::hmac_sha256("klaviyo-signature")
        .provider("klaviyo")
        .signed_content(&[Component::Body, Component::HttpDate("klaviyo-timestamp")]);

    /// LINE.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-line-signature: <base64>` |
    /// | algorithm | HMAC-SHA256; key: channel secret, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`webhookEventId` in body) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: line-bot-sdk-nodejs; LINE docs |
    Line() = Scheme::hmac_sha256("x-line-signature")
        .provider("line")
        .encoding(Encoding::Base64);

    /// MailerSend.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Signature: <hex>`, or `X-MailerSend-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: mailersend/mailersend-nodejs:src/services/mailersend.utils.ts, README.md, src/__tests__/services/mailersend.utils.test.ts |
    ///
    /// Its documentation names `Signature`, its library reads `X-MailerSend-Signature`: either is accepted.
    MailerSend() = Scheme::hmac_sha256("signature")
        .provider("mailersend")
        .headers(&["signature", "x-mailersend-signature"]);

    /// Microsoft Teams outgoing webhooks.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Authorization: HMAC <base64>` |
    /// | algorithm | HMAC-SHA256; key: base64-decoded security token |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: OfficeDev/microsoft-teams-sample-outgoing-webhook:WebhookSampleBot/Models/AuthProvider.cs |
    ///
    /// Outgoing webhooks only; must answer in 5 s.
    MicrosoftTeams() = Scheme::hmac_sha256("authorization")
        .provider("microsoft_teams")
        .authorization("HMAC")
        .encoding(Encoding::Base64)
        .secret_encoding(SecretEncoding::Base64 { prefix: "" });

    /// Nylas.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Nylas-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | a GET with `challenge` is answered with its text, unverified |
    /// | status | 403 |
    /// | body limit | 2 MiB (<https://developer.nylas.com/docs/cookbook/use-cases/build/retry-failed-webhooks/>) |
    /// | after a refusal | it comes again (<https://developer.nylas.com/docs/cookbook/use-cases/build/retry-failed-webhooks/>) |
    /// | evidence | vendor's documentation: <https://developer.nylas.com/docs/cookbook/use-cases/build/verify-webhook-signatures/> |
    ///
    /// Body may be gzip: sign the bytes as sent.
    Nylas() = Scheme::hmac_sha256("x-nylas-signature")
        .provider("nylas")
        .challenge(Challenge::Query("challenge"));

    /// Resend.
    ///
    /// | | |
    /// |---|---|
    /// | header | `svix-signature`, `svix-id`, `svix-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: base64 after `whsec_`, which may be left out |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `svix-id`, **signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 27 hours and 36 minutes (<https://resend.com/docs/webhooks/retries-and-replays>); each is signed anew (<https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: resend docs; hookdeck skills |
    Resend(timed) = family(["svix-signature", "svix-id", "svix-timestamp"])
        .provider("resend");

    /// Salesforce Marketing Cloud, its Event Notification Service.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-sfmc-ens-signature: <base64>` |
    /// | algorithm | HMAC-SHA256; key: the callback's signature key as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | first contact | a new callback's POST of `callbackId` and `verificationKey`, with no signature, is answered with 200 (<https://developer.salesforce.com/docs/marketing/marketing-cloud/guide/ens-get-started.html>); [`with_token_exchange`](Self::with_token_exchange) hands the key over |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | **second-hand**, that the key is not decoded; the rest <https://developer.salesforce.com/docs/marketing/marketing-cloud/guide/ens-notification-signing.html> |
    ///
    /// Should the key have to be decoded first, make it with
    /// [`Secret::from_base64`](crate::Secret::from_base64).
    SalesforceMarketingCloud() = Scheme::hmac_sha256("x-sfmc-ens-signature")
        .provider("salesforce_marketing_cloud")
        .sensitive_fields(&["verificationKey"])
        .encoding(Encoding::Base64)
        .first_contacts(&[VERIFICATION_KEY]);

    /// Sinch.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-sinch-webhook-signature: <base64>` + `-nonce`, `-timestamp`, `-algorithm` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<body>.<nonce>.<time>` |
    /// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard a captured delivery can be sent again for as long |
    /// | delivery id | nonce |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: sinch dotnet SDK |
    ///
    /// Other Sinch APIs use Authorization: Application ….
    Sinch(timed) = Scheme::hmac_sha256("x-sinch-webhook-signature")
        .provider("sinch")
        .unique_content()
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Body, Component::Literal("."), Component::Header("x-sinch-webhook-signature-nonce"), Component::Literal("."), Component::Time])
        .time(TimestampSource::Header("x-sinch-webhook-signature-timestamp"), TimestampFormat::UnixSeconds);

    /// TikTok for Developers.
    ///
    /// | | |
    /// |---|---|
    /// | header | `TikTok-Signature: t=<s>,s=<hex>` |
    /// | algorithm | HMAC-SHA256; key: client secret, the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 3 days and 7 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 3 days (<https://developers.tiktok.com/doc/webhooks-overview/>); whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://developers.tiktok.com/doc/webhooks-verification> |
    ///
    /// TikTok Shop is different: `Authorization` hex over app_key + body.
    TikTok(timed) = Scheme::hmac_sha256("tiktok-signature")
        .provider("tiktok")
        .signature_format(SignatureFormat::pairs("t", "s"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);

    /// X (Twitter).
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Twitter-Webhooks-Signature: sha256=<base64>` |
    /// | algorithm | HMAC-SHA256; key: consumer secret, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | a GET with `crc_token` is answered with `{"response_token":"sha256=<base64>"}`, unverified, by the first secret |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: X docs; convoy |
    ///
    /// The tag is base64, although it follows `sha256=`.
    ///
    /// By X's design anybody can ask for the HMAC of a token, and that of a body is its signature. So
    /// only letters, digits and `-._~+/=` are taken for a token, and a body made of nothing else,
    /// which X does not send, is refused.
    Twitter() = Scheme::hmac_sha256("x-twitter-webhooks-signature")
        .provider("twitter")
        .prefix("sha256=")
        .encoding(Encoding::Base64)
        .challenge(Challenge::CrcToken);

    /// Viber.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Viber-Content-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: auth token, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`message_token`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: viber-bot-python |
    Viber() = Scheme::hmac_sha256("x-viber-content-signature")
        .provider("viber");

    /// Webex webhooks: Messaging and Meetings. Contact Center is [`WebexContactCenter`](crate::providers::WebexContactCenter).
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Spark-Signature: <hex>` |
    /// | algorithm | HMAC-SHA1, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: valgaze/speedybot-mini `docs/webhooks.md`; <https://developer.webex.com/blog/using-a-webhook-secret> |
    Webex() = Scheme::hmac_sha1("x-spark-signature").provider("webex");

    /// Zendesk.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Zendesk-Webhook-Signature: <base64>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<time><body>` |
    /// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | `x-zendesk-webhook-invocation-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::CONFLICT)` it comes again (second-hand: <https://alboz.eu/insights/master-webhooks-maximize-stability-performance>) |
    /// | evidence | vendor's documentation: <https://developer.zendesk.com/documentation/webhooks/verifying/> |
    ///
    /// Test deliveries use the fixed secret `dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==` verbatim; GET has an empty body.
    Zendesk(timed) = Scheme::hmac_sha256("x-zendesk-webhook-signature")
        .provider("zendesk")
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Time, Component::Body])
        .time(TimestampSource::Header("x-zendesk-webhook-signature-timestamp"), TimestampFormat::Rfc3339)
        .delivery_id("x-zendesk-webhook-invocation-id");

    /// Zoom.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-zm-signature: v0=<hex>` |
    /// | algorithm | HMAC-SHA256; key: secret token, the secret as it is |
    /// | signed content | `v0:<time>:<body>` |
    /// | freshness | 1 hour and 34 minutes back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | `x-zm-trackingid` |
    /// | challenge | the signed POST with `"event":"endpoint.url_validation"` is answered with its `plainToken` and that token's HMAC by the first secret, and does not reach the handler |
    /// | status | 403 |
    /// | retries | for 1 hour and 25 minutes (<https://developers.zoom.us/blog/webhook-delays.md>); whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://devsupport.zoom.us/hc/en-us/articles/360059893812-Webhook-delays>) |
    /// | evidence | vendor's source: zoom/webhook-sample @e4d48a7 `index.js` |
    ///
    /// Zoom documents no window, and its sample judges no time. The one here follows from its retries.
    Zoom(timed) = Scheme::hmac_sha256("x-zm-signature")
        .provider("zoom")
        .prefix("v0=")
        .signed_content(&[Component::Literal("v0:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-zm-request-timestamp"), TimestampFormat::UnixSeconds)
        .challenge(Challenge::PlainToken);
}
