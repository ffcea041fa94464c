//! Payments, billing and banking.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{macros::providers, own::standard_webhooks::family},
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
};

providers! {
    /// Adyen, for platform and balance platform webhooks.
    ///
    /// | | |
    /// |---|---|
    /// | header | `HmacSignature: <base64>` (+ `Protocol: HmacSHA256`) |
    /// | algorithm | HMAC-SHA256; key: hex-decoded |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: adyen-node |
    ///
    /// Banking and platform webhooks.
    AdyenPlatform() = Scheme::hmac_sha256("hmacsignature")
        .provider("adyen_platform")
        .encoding(Encoding::Base64)
        .secret_encoding(SecretEncoding::Hex);

    /// Affirm.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Affirm-Signature: t=<s>,v0=<hex>` |
    /// | algorithm | HMAC-SHA512; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 5 minutes both ways; the provider names no window |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | none (<https://docs.affirm.com/developers/docs/webhook-best-practices>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it does not come again, whatever the status (<https://docs.affirm.com/developers/docs/webhook-best-practices>) |
    /// | evidence | vendor's documentation: <https://docs.affirm.com/developers/docs/checking-webhook-signatures> |
    ///
    /// The key is the private API key.
    Affirm(timed) = Scheme::hmac_sha512("x-affirm-signature")
        .provider("affirm")
        .signature_format(SignatureFormat::pairs("t", "v0"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);

    /// Airwallex.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-signature: <hex>` + `x-timestamp` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<time><body>` |
    /// | freshness | 3 days and 7 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 3 days (<https://www.airwallex.com/docs/developer-tools/webhooks/webhooks-overview>); whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: airwallex/paymentacceptance-plugin-woocommerce:includes/Services/WebhookService.php |
    Airwallex(timed) = Scheme::hmac_sha256("x-signature")
        .provider("airwallex")
        .signed_content(&[Component::Time, Component::Body])
        .time(TimestampSource::Header("x-timestamp"), TimestampFormat::UnixMillis);

    /// Authorize.Net.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-ANET-Signature: sha512=<hex>` |
    /// | algorithm | HMAC-SHA512; key: the signature key's text as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`notificationId`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | **second-hand**, several sources agree: the crate authorizenet 0.2.0; <https://community.developer.cybersource.com/t5/Integration-and-Testing/HMAC-SHA-512-hash-not-matching-in-webhook-callback/m-p/82772> |
    ///
    /// Hex digits are in upper case. In the vendor-run forum the key is the text of the signature key; its documentation does not say whether it is decoded.
    AuthorizeNet() = Scheme::hmac_sha512("x-anet-signature")
        .provider("authorize_net")
        .prefix("sha512=");

    /// Bolt.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Bolt-Hmac-Sha256: <base64>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: BoltApp/bolt-magento2:Helper/Hook.php |
    Bolt() = Scheme::hmac_sha256("x-bolt-hmac-sha256")
        .provider("bolt")
        .encoding(Encoding::Base64);

    /// Brex.
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
    /// | evidence | vendor's documentation: <https://developer.brex.com/guides/webhooks.md> |
    ///
    /// After a rotation `webhook-signature` has a signature by each secret.
    Brex(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("brex");

    /// Cashfree.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-webhook-signature: <base64>` + `x-webhook-timestamp` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<time><body>` |
    /// | freshness | 47 minutes back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 42 minutes (<https://www.cashfree.com/docs/api-reference/webhooks/reliability-and-operations>); whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: cashfree docs |
    Cashfree(timed) = Scheme::hmac_sha256("x-webhook-signature")
        .provider("cashfree")
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Time, Component::Body])
        .time(TimestampSource::Header("x-webhook-timestamp"), TimestampFormat::UnixMillis);

    /// Chargify (Maxio).
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Chargify-Webhook-Signature-Hmac-Sha-256: <hex>` |
    /// | algorithm | HMAC-SHA256; key: site shared key, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-chargify-webhook-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | **second-hand**, the header; the signature's form: vendor's source, maxio-com/ab-typescript-sdk @4aecf7e `doc/models/webhook.md` |
    ///
    /// `signature` in body is MD5 (old).
    Chargify() = Scheme::hmac_sha256("x-chargify-webhook-signature-hmac-sha-256")
        .provider("chargify")
        .delivery_id("x-chargify-webhook-id");

    /// Checkout.com.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Cko-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://www.checkout.com/docs/developer-resources/webhooks/manage-webhooks/set-up-your-webhook-receiver> |
    CheckoutCom() = Scheme::hmac_sha256("cko-signature")
        .provider("checkout_com");

    /// Coinbase Commerce.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-CC-Webhook-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`event.id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: coinbase-commerce-python |
    ///
    /// Coinbase closed Commerce on 31 March 2026 (second-hand). Coinbase Business takes its place and signs
    /// in `X-Hook0-Signature` (<https://docs.cdp.coinbase.com/webhooks/verify-signatures>). Declare it:
    ///
    /// ```
    /// use tower_webhook::{Scheme, Secret, scheme::{SignatureFormat, Component, TimestampFormat, TimestampSource, Tolerance}};
    ///
    /// const COINBASE_CDP: Scheme = Scheme::hmac_sha256("x-hook0-signature")
    ///     .provider("coinbase_cdp")
    ///     .signature_format(SignatureFormat::pairs("t", "v0"))
    ///     .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
    ///     .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
    ///     .tolerance(Tolerance::seconds(300));
    /// let verifier = COINBASE_CDP.verifier(Secret::new("the subscription's secret")?)?;
    /// # let _ = verifier;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    CoinbaseCommerce() = Scheme::hmac_sha256("x-cc-webhook-signature")
        .provider("coinbase_commerce");

    /// Dwolla.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Request-Signature-SHA-256: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: Dwolla/webhook-receiver:src/handlers/webhook.ts |
    Dwolla() = Scheme::hmac_sha256("x-request-signature-sha-256")
        .provider("dwolla");

    /// Finch.
    ///
    /// | | |
    /// |---|---|
    /// | header | `finch-signature`, `finch-event-id`, `finch-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: base64, without a prefix |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `finch-event-id`, **signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 27 hours and 36 minutes (second-hand: <https://developer.tryfinch.com/docs/documentation/col7xfm69ll1t-webhooks>); each is signed anew (second-hand: sent through Svix, <https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: finch-api-python |
    Finch(timed) = family(["finch-signature", "finch-event-id", "finch-timestamp"])
        .provider("finch")
        .secret_encoding(SecretEncoding::Base64 { prefix: "" });

    /// GoCardless.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Webhook-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`events[].id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://support.gocardless.com/hc/en-nz/articles/360000989989-Webhook-retries-failures>) |
    /// | evidence | public vector: gocardless-pro-python |
    ///
    /// Vendor asks for 498 on a bad signature.
    GoCardless() = Scheme::hmac_sha256("webhook-signature")
        .provider("gocardless");

    /// Lemon Squeezy.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: lmsqueezy/nextjs-billing:src/app/api/webhook/route.ts |
    ///
    /// Generic header name shared by several senders.
    LemonSqueezy() = Scheme::hmac_sha256("x-signature")
        .provider("lemon_squeezy");

    /// Lithic.
    ///
    /// | | |
    /// |---|---|
    /// | header | `webhook-signature`, `webhook-id`, `webhook-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: base64 after `whsec_`, which may be left out |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `webhook-id`, **signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; each is signed anew (second-hand: sent through Svix, <https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: lithic-python |
    Lithic(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("lithic");

    /// Modern Treasury.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-webhook-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: modern-treasury-python |
    ModernTreasury() = Scheme::hmac_sha256("x-signature")
        .provider("modern_treasury")
        .delivery_id("x-webhook-id");

    /// Orb.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Orb-Signature: v1=<hex>[ v1=<hex>]` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `v1:<time>:<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/orbcorp/orb-python>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: orb-python |
    ///
    /// Zone-less time; space-separated list.
    Orb(timed) = Scheme::hmac_sha256("x-orb-signature")
        .provider("orb")
        .signature_format(SignatureFormat::tagged("v1").assigned_by(b'='))
        .signed_content(&[Component::Literal("v1:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-orb-timestamp"), TimestampFormat::Rfc3339NoOffset);

    /// Paddle Billing.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Paddle-Signature: ts=<s>;h1=<hex>[;h1=<hex>]` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is, whole `pdl_ntf_…` |
    /// | signed content | `<time>:<body>` |
    /// | freshness | 5 seconds back, 5 minutes ahead |
    /// | delivery id | `event_id` / `notification_id` in body |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 3 days (<https://developer.paddle.com/webhooks/about/respond-to-webhooks>); whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/PaddleHQ/paddle-node-sdk>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: paddle-python-sdk |
    ///
    /// Semicolon separator; classic Paddle = RSA-SHA1 over PHP-serialised fields.
    Paddle(timed) = Scheme::hmac_sha256("paddle-signature")
        .provider("paddle")
        .unique_content()
        .signature_format(SignatureFormat::pairs("ts", "h1").separated_by(b';'))
        .signed_content(&[Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);

    /// Paystack.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-paystack-signature: <hex>` |
    /// | algorithm | HMAC-SHA512; key: API secret key, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: PaystackOSS/doc-code-snippets:dist/doc/payments/webhooks/verifying-transaction.js |
    ///
    /// Key is the live secret key.
    Paystack() = Scheme::hmac_sha512("x-paystack-signature")
        .provider("paystack");

    /// Polar.
    ///
    /// | | |
    /// |---|---|
    /// | header | `webhook-signature`, `webhook-id`, `webhook-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: the whole text as it is, **not** decoded |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `webhook-id`, **signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 35 minutes (<https://github.com/polarsource/polar/blob/c6c3645e639ee8eeaa05aa0835cf8e39e330382f/server/polar/webhook/tasks.py>); each is signed anew (<https://github.com/polarsource/polar/blob/c6c3645e639ee8eeaa05aa0835cf8e39e330382f/server/polar/webhook/tasks.py>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://github.com/polarsource/polar/blob/c6c3645e639ee8eeaa05aa0835cf8e39e330382f/docs/integrate/webhooks/delivery.mdx>) |
    /// | evidence | vendor's source: polarsource/polar-js:src/webhooks.ts |
    ///
    /// The framing is that of Standard Webhooks, but the key is the text as it is, although it may begin with `whsec_`.
    Polar(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("polar")
        .secret_encoding(SecretEncoding::Text);

    /// Primer.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Signature-Primary: <base64>`, and `X-Signature-Secondary` while secrets are rolled |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://primer.io/docs/api-reference/get-started/configure-webhooks> |
    ///
    /// Two headers while rolling.
    Primer() = Scheme::hmac_sha256("x-signature-primary")
        .provider("primer")
        .headers(&["x-signature-primary", "x-signature-secondary"])
        .encoding(Encoding::Base64);

    /// QuickBooks (Intuit).
    ///
    /// | | |
    /// |---|---|
    /// | header | `intuit-signature: <base64>` |
    /// | algorithm | HMAC-SHA256; key: verifier token, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `intuit-notification-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: IntuitDeveloper/SampleApp-Webhooks-nodejs:util/util.js, routes/routes.js |
    QuickBooks() = Scheme::hmac_sha256("intuit-signature")
        .provider("quickbooks")
        .encoding(Encoding::Base64)
        .delivery_id("intuit-notification-id");

    /// Razorpay.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Razorpay-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-razorpay-event-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://razorpay.com/docs/webhooks/best-practices>) |
    /// | evidence | public vector: razorpay-python |
    Razorpay() = Scheme::hmac_sha256("x-razorpay-signature")
        .provider("razorpay")
        .delivery_id("x-razorpay-event-id");

    /// Recurly, for JSON notifications.
    ///
    /// | | |
    /// |---|---|
    /// | header | `recurly-signature: <ms>,<hex>[,<hex>]` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<time>.<body>` |
    /// | freshness | 3 days and 8 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 3 days (<https://docs.recurly.com/recurly-subscriptions/docs/automatic-retries>); whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: docs.recurly.com |
    ///
    /// XML notifications are not signed.
    Recurly(timed) = Scheme::hmac_sha256("recurly-signature")
        .provider("recurly")
        .signature_format(SignatureFormat::Unnamed { separator: b',', time_first: true })
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixMillis);

    /// Revolut Business.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Revolut-Signature: v1=<hex>[,v1=<hex>]` + `Revolut-Request-Timestamp` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is, whole `wsk_…` |
    /// | signed content | `v1.<time>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 30 minutes (<https://developer.revolut.com/docs/guides/accept-payments/tutorials/work-with-webhooks/using-webhooks>); whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://developer.revolut.com/docs/guides/crypto-ramp/tutorials/work-with-webhooks/verify-the-payload-signature>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: developer.revolut.com |
    ///
    /// Docs example broken since its ids were redacted.
    Revolut(timed) = Scheme::hmac_sha256("revolut-signature")
        .provider("revolut")
        .signature_format(SignatureFormat::tagged("v1").separated_by(b',').assigned_by(b'='))
        .signed_content(&[Component::Literal("v1."), Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Header("revolut-request-timestamp"), TimestampFormat::UnixMillis);

    /// Square.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-square-hmacsha256-signature: <base64>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<notification_url><body>` |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`event_id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://developer.squareup.com/forums/t/webhook-logs-returning-error-400/11123>) |
    /// | evidence | public vector: Square SDK sample |
    ///
    /// The URL is the one registered, byte for byte. Nothing stands between it and the body, so the end
    /// of the one could be taken for the beginning of the other. What is cut out of a JSON body or out
    /// of a URL beside it is refused. Bodies of other sorts are not guarded: put the layer on an exact
    /// route, or use [`PublicUrl::fixed`](crate::PublicUrl::fixed).
    Square(url) = Scheme::hmac_sha256("x-square-hmacsha256-signature")
        .provider("square")
        .takes_any_body()
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Url, Component::Body]);

    /// Stripe.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>]`; other names are skipped |
    /// | algorithm | HMAC-SHA256, the whole `whsec_…` text as it is, **not** decoded |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 5 minutes both ways; Stripe's own libraries bound the past only |
    /// | delivery id | in the body (`id`); a retry has a new time and signature |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 3 days (<https://docs.stripe.com/webhooks>); each is signed anew (<https://docs.stripe.com/webhooks>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://docs.stripe.com/webhooks>) |
    /// | evidence | vendor vector: stripe/stripe-dotnet `EventUtilityTest`; <https://docs.stripe.com/webhooks> |
    Stripe(timed) = Scheme::hmac_sha256("stripe-signature")
        .provider("stripe")
        .unique_content()
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);

    /// Xero.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-xero-signature: <base64>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (sequence numbers) |
    /// | status | 401, which the provider requires (<https://developer.xero.com/documentation/webhooks/configuring-your-server>) |
    /// | challenge | none; the set-up sends signed POSTs, good and bad, and wants 200 and 401 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://developer.xero.com/documentation/webhooks/configuring-your-server>) |
    /// | evidence | vendor's documentation or source: developer.xero.com; Nango |
    Xero() = Scheme::hmac_sha256("x-xero-signature")
        .provider("xero")
        .encoding(Encoding::Base64);
}
