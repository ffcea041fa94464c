//! Documents, forms, planning and customer records.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{macros::providers, own::standard_webhooks::family},
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
    verifier::challenge::challenge::Challenge,
};

providers! {
    /// Airtable.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Airtable-Content-MAC: hmac-sha256=<hex>` |
    /// | algorithm | HMAC-SHA256; key: base64-decoded MAC secret |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: pyairtable 3.5.1 `tests/test_models_webhook.py`; <https://airtable.com/developers/web/api/webhooks-overview> |
    Airtable() = Scheme::hmac_sha256("x-airtable-content-mac")
        .provider("airtable")
        .prefix("hmac-sha256=")
        .secret_encoding(SecretEncoding::Base64 { prefix: "" });

    /// Asana.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Hook-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret of the challenge, as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | the unsigned POST with `X-Hook-Secret`, only through [`with_secret_exchange`](Self::with_secret_exchange) |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://developers.asana.com/docs/webhooks-guide>) |
    /// | evidence | vendor's documentation or source: Asana/devrel-examples `javascript/webhooks-nodejs/index.js` |
    ///
    /// The secret comes with the first request to a new webhook, in `X-Hook-Secret`, which
    /// [`with_secret_exchange`](Self::with_secret_exchange) takes and answers.
    Asana() = Scheme::hmac_sha256("x-hook-signature")
        .provider("asana");

    /// Attio.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Attio-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `idempotency-key`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: Nango |
    Attio() = Scheme::hmac_sha256("attio-signature")
        .provider("attio")
        .delivery_id("idempotency-key");

    /// Autotask PSA.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Hook-Signature: sha1=<base64>` |
    /// | algorithm | HMAC-SHA1; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: Nango tests |
    ///
    /// Same header name as asana, other scheme.
    Autotask() = Scheme::hmac_sha1("x-hook-signature")
        .provider("autotask")
        .prefix("sha1=")
        .encoding(Encoding::Base64);

    /// Box, named after its address: `Box` is the standard library's.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Box-Signature-Primary: <base64>` or `Box-Signature-Secondary`, either is enough, + `Box-Delivery-Timestamp`; `Box-Signature-Version` must be `1` and `Box-Signature-Algorithm` must be `HmacSHA256` |
    /// | algorithm | HMAC-SHA256; key: the primary or the secondary key as it is; give both |
    /// | signed content | `<body><time>` |
    /// | freshness | 10 minutes back, 5 minutes ahead |
    /// | delivery id | `box-delivery-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 2 hours (<https://developer.box.com/guides/webhooks/v2/>); whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/box/developer.box.com/blob/eee1aa64089f0d46d362bf044d40a03a58946b6b/content/guides/webhooks/v2/signatures-v2.md>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://developer.box.com/guides/webhooks/v2>) |
    /// | evidence | vendor vector: box/box-typescript-sdk-gen webhook tests |
    ///
    /// Box writes what is not ASCII as `\uXXXX` in the body. The signature covers the body as sent
    /// (box/box-node-sdk @7dcf9c2).
    BoxCom(timed) = Scheme::hmac_sha256("box-signature-primary")
        .provider("box")
        .headers(&["box-signature-primary", "box-signature-secondary"])
        .required(&[
            ("box-signature-version", "1"),
            ("box-signature-algorithm", "HmacSHA256"),
        ])
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Body, Component::Time])
        .time(TimestampSource::Header("box-delivery-timestamp"), TimestampFormat::Rfc3339)
        .delivery_id("box-delivery-id");

    /// Cal.com.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Cal-Signature-256: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: Nango |
    ///
    /// Without a secret the header reads `no-secret-provided`, which is refused.
    CalCom() = Scheme::hmac_sha256("x-cal-signature-256")
        .provider("cal_com");

    /// Calendly.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Calendly-Webhook-Signature: t=<s>,v1=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 3 minutes back, 5 minutes ahead |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 24 hours (<https://developer.calendly.com/api-docs/overview/webhooks/webhook-errors>); whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://community.calendly.com/developer-faq-62/why-am-i-not-receiving-webhook-data-how-does-a-webhook-become-disabled-548>) |
    /// | evidence | vendor's documentation or source: developer.calendly.com; Nango |
    Calendly(timed) = Scheme::hmac_sha256("calendly-webhook-signature")
        .provider("calendly")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);

    /// ClickUp.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`webhook_id`+history id) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://developer.clickup.com/docs/webhooksignature> |
    ClickUp() = Scheme::hmac_sha256("x-signature")
        .provider("clickup");

    /// DocuSign Connect.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-DocuSign-Signature-1: <base64>` to `X-DocuSign-Signature-10`, one for each key in use; any that matches is enough |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 40 MiB (<https://developers.docusign.com/docs/esign-soap-api/esign101/api-info/file-limitations.md>) |
    /// | evidence | vendor's documentation: <https://developers.docusign.com/docs/platform/webhooks/connect/validate> |
    ///
    /// Signing is off until it is switched on there. DocuSign numbers headers to 100; those from
    /// 11 on are not looked at.
    DocuSign() = Scheme::hmac_sha256("x-docusign-signature-1")
        .provider("docusign")
        .headers(&[
            "x-docusign-signature-1",
            "x-docusign-signature-2",
            "x-docusign-signature-3",
            "x-docusign-signature-4",
            "x-docusign-signature-5",
            "x-docusign-signature-6",
            "x-docusign-signature-7",
            "x-docusign-signature-8",
            "x-docusign-signature-9",
            "x-docusign-signature-10",
        ])
        .encoding(Encoding::Base64);

    /// Dropbox.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Dropbox-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: app secret, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | a GET with `challenge` is answered with its text, unverified |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://www.dropbox.com/developers/reference/webhooks> |
    Dropbox() = Scheme::hmac_sha256("x-dropbox-signature")
        .provider("dropbox")
        .challenge(Challenge::Query("challenge"));

    /// Fathom.
    ///
    /// | | |
    /// |---|---|
    /// | header | `webhook-signature`, `webhook-id`, `webhook-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: base64 after `whsec_`, which may be left out |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard a captured delivery can be sent again for as long |
    /// | delivery id | `webhook-id`, **signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: Nango |
    Fathom(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("fathom");

    /// Go1.
    ///
    /// | | |
    /// |---|---|
    /// | header | `go1-signature: t=<s>,v1=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 1 minute back, 5 minutes ahead |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/go1com/webhook-verifier-js>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: go1com/webhook-verifier-js |
    ///
    /// README says s= but code demands v1=.
    Go1(timed) = Scheme::hmac_sha256("go1-signature")
        .provider("go1")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);

    /// Jobber.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Jobber-Hmac-SHA256: <base64>` |
    /// | algorithm | HMAC-SHA256; key: client secret, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: Nango |
    Jobber() = Scheme::hmac_sha256("x-jobber-hmac-sha256")
        .provider("jobber")
        .encoding(Encoding::Base64);

    /// Linear.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Linear-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | 7 hours and 44 minutes back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | `linear-delivery`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 7 hours and 1 minute (second-hand: <https://linear.app/developers/webhooks>); each repeats the first attempt's time (second-hand: <https://github.com/vercel/eve/issues/1570>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: linear.app/developers; Nango |
    ///
    /// The time is `webhookTimestamp` of the body, which every payload has. `Linear-Timestamp`, a header
    /// with the same time, is not signed and not looked at (linear/linear @8335e09).
    Linear(timed) = Scheme::hmac_sha256("linear-signature")
        .provider("linear")
        .time(TimestampSource::Json("webhookTimestamp"), TimestampFormat::UnixMillis)
        .delivery_id("linear-delivery");

    /// Notion.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Notion-Signature: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256; key: verification token, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | first contact | the first POST brings the `verification_token`, which then is the secret: [`with_token_exchange`](Self::with_token_exchange) hands it over (<https://developers.notion.com/reference/webhooks>) |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: developers.notion.com |
    Notion() = Scheme::hmac_sha256("x-notion-signature")
        .provider("notion")
        // The secret itself, in the first POST.
        .sensitive_fields(&["verification_token"])
        .prefix("sha256=");

    /// Trello.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Trello-Webhook: <base64>` |
    /// | algorithm | HMAC-SHA1; key: app secret, the secret as it is |
    /// | signed content | `<body><callbackURL>` |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`action.id`) |
    /// | challenge | HEAD is answered with an empty 200, unverified: it tells and proves nothing |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: developer.atlassian.com; n8n |
    ///
    /// Nothing stands between body and URL, so the end of the one could be taken for the beginning of the
    /// other. What is cut out of a JSON body or out of a URL beside it is refused. Bodies of other sorts
    /// are not guarded: put the layer on an exact route, or use
    /// [`PublicUrl::fixed`](crate::PublicUrl::fixed).
    Trello(url) = Scheme::hmac_sha1("x-trello-webhook")
        .provider("trello")
        .takes_any_body()
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Body, Component::Url])
        .challenge(Challenge::Head);

    /// Typeform.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Typeform-Signature: sha256=<base64>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`event_id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://typeform.com/developers/webhooks>) |
    /// | evidence | vendor's documentation: <https://www.typeform.com/developers/webhooks/secure-your-webhooks/> |
    ///
    /// Base64 after `sha256=`.
    Typeform() = Scheme::hmac_sha256("typeform-signature")
        .provider("typeform")
        .prefix("sha256=")
        .encoding(Encoding::Base64);
}
