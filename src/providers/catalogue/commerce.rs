//! Shops, shipping and field service.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{macros::providers, own::standard_webhooks::family},
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
    verifier::first_contact::{ContactField, FirstContact},
};

providers! {
    /// AfterShip.
    ///
    /// | | |
    /// |---|---|
    /// | header | `aftership-hmac-sha256: <base64>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://www.aftership.com/docs/tracking/webhook/webhook-signature> |
    ///
    /// Returns and Warranty sign in `as-signature-hmac-sha256`, older accounts of Returns in
    /// `am-webhook-signature: hmac-sha256=<base64>`
    /// (<https://www.aftership.com/docs/returns/2025-04/webhook/signature>). Each product has a secret of
    /// its own.
    AfterShip() = Scheme::hmac_sha256("aftership-hmac-sha256")
        .provider("aftership")
        .encoding(Encoding::Base64)
        .families(&[
            Scheme::hmac_sha256("as-signature-hmac-sha256")
                .provider("aftership")
                .encoding(Encoding::Base64),
            Scheme::hmac_sha256("am-webhook-signature")
                .provider("aftership")
                .prefix("hmac-sha256=")
                .encoding(Encoding::Base64),
        ]);

    /// Autodesk Platform Services.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-adsk-signature: sha1hash=<hex>` |
    /// | algorithm | HMAC-SHA1; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-adsk-delivery-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://aps.autodesk.com/blog/practice-payload-signature-webhook> |
    Autodesk() = Scheme::hmac_sha1("x-adsk-signature")
        .provider("autodesk")
        .prefix("sha1hash=")
        .delivery_id("x-adsk-delivery-id");

    /// BigCommerce.
    ///
    /// | | |
    /// |---|---|
    /// | header | `webhook-signature`, `webhook-id`, `webhook-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: the whole text as it is, **not** decoded |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 2 days and 4 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard a captured delivery can be sent again for as long |
    /// | delivery id | `webhook-id`, **signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 2 days (<https://github.com/bigcommerce/docs/blob/24f580ca6d2981728b7ed70a2049e00fc602c335/docs/integrations/webhooks/overview.mdx>); whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://docs.bigcommerce.com/developer/docs/integrations/webhooks>) |
    /// | evidence | vendor's documentation: bigcommerce/docs:docs/integrations/webhooks/https-webhook-overview.mdx |
    ///
    /// Signed with the app client secret as it is. Headers that the user chooses can be checked with [`SharedToken`](crate::providers::SharedToken) beside it.
    BigCommerce(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("bigcommerce")
        .secret_encoding(SecretEncoding::Text);

    /// EasyPost.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Hmac-Signature: hmac-sha256-hex=<hex>` |
    /// | algorithm | HMAC-SHA256; key: NFKD-normalised, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: EasyPost SDK tests |
    ///
    /// A secret outside ASCII must be normalised (NFKD) before it is given to [`Secret`](crate::Secret).
    EasyPost() = Scheme::hmac_sha256("x-hmac-signature")
        .provider("easypost")
        .prefix("hmac-sha256-hex=");

    /// Etsy.
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
    /// | retries | for 27 hours and 36 minutes (second-hand: <https://raw.githubusercontent.com/api-evangelist/etsy/refs/heads/main/asyncapi/etsy-webhooks-asyncapi.yml>); each is signed anew (<https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | **second-hand**, the headers: api-evangelist/etsy `asyncapi`; the signing secret: vendor's documentation, <https://developers.etsy.com/documentation/essentials/webhooks> |
    Etsy(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("etsy");

    /// Lob.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Lob-Signature: <hex>` + `Lob-Signature-Timestamp` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<time>.<body>` |
    /// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | **second-hand**, several sources agree: vendor pages stored |
    Lob(timed) = Scheme::hmac_sha256("lob-signature")
        .provider("lob")
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Header("lob-signature-timestamp"), TimestampFormat::UnixMillis);

    /// Shippo.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Shippo-Auth-Signature: t=<s>,v1=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::TOO_MANY_REQUESTS)` it comes again (<https://github.com/api-evangelist/shippo/blob/5f5c56930f59bd788bcce58ca9dbf485a98f0ee2/asyncapi/shippo-webhooks-asyncapi.yaml>) |
    /// | evidence | **second-hand**, several sources agree: <https://docs.goshippo.com/docs/tracking/webhooksecurity> |
    ///
    /// Opt-in by support.
    Shippo(timed) = Scheme::hmac_sha256("shippo-auth-signature")
        .provider("shippo")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);

    /// Shopify.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Shopify-Hmac-Sha256: <base64>` |
    /// | algorithm | HMAC-SHA256, the app's client secret as it is |
    /// | signed content | the body |
    /// | freshness | none: `X-Shopify-Triggered-At` is not signed |
    /// | delivery id | `X-Shopify-Webhook-Id`, **not signed** |
    /// | challenge | none |
    /// | status | 401, which the provider demands (<https://community.shopify.com/t/app-must-verify-the-authenticity-of-the-request-from-shopify/108155>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://dev.to/shannonllc/shopify-webhooks-hmac-verification-5-second-timeout-retries-jkj>) |
    /// | evidence | vendor vector: Shopify/shopify-api-php `tests/Webhooks/RegistryTest.php`; <https://shopify.dev/docs/apps/build/webhooks/subscribe/https> |
    ///
    /// The compliance checks for public apps send a bad signature and expect this 401.
    ///
    /// Events sign in `shopify-hmac-sha256`, with `shopify-webhook-id`
    /// (<https://shopify.dev/docs/apps/build/events/verify-deliveries>). Where it is there, it decides, as in
    /// the vendor's library (`packages/apps/shopify-api/lib/webhooks/validate.ts` of
    /// Shopify/shopify-app-js).
    Shopify() = Scheme::hmac_sha256("x-shopify-hmac-sha256")
        .provider("shopify")
        .encoding(Encoding::Base64)
        .delivery_id("x-shopify-webhook-id")
        .families(&[Scheme::hmac_sha256("shopify-hmac-sha256")
            .provider("shopify")
            .encoding(Encoding::Base64)
            .delivery_id("shopify-webhook-id")]);

    /// WooCommerce.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-WC-Webhook-Signature: <base64>` |
    /// | algorithm | HMAC-SHA256; key: the secret with its HTML entities decoded |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-wc-webhook-delivery-id`, **not signed** |
    /// | challenge | none |
    /// | first contact | an unsigned form with `webhook_id` alone, on saving, is answered with 200 (<https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php>, `deliver_ping`) |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it does not come again, whatever the status (<https://seresa.io/?p=7234>) |
    /// | evidence | vendor's source: woocommerce/woocommerce `includes/class-wc-webhook.php`, `generate_signature` |
    ///
    /// WooCommerce decodes HTML entities in the secret before it signs (`wp_specialchars_decode`). Where your
    /// secret has `&amp;`, `&lt;`, `&gt;`, `&quot;` or `&#039;`, give the character in its place. A filter
    /// there can set another algorithm than SHA-256: such signatures are refused.
    WooCommerce() = Scheme::hmac_sha256("x-wc-webhook-signature")
        .provider("woocommerce")
        .encoding(Encoding::Base64)
        .delivery_id("x-wc-webhook-delivery-id")
        .first_contacts(&[FirstContact::form(&[("webhook_id", ContactField::Digits)])]);
}
