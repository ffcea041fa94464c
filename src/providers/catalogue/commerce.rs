//! Providers for shops, shipping and design.

use http::StatusCode;

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::providers,
        own::standard_webhooks::{either_family, webhook_family},
        policy::{DAY, DeliveryPolicy, HOUR},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
    verifier::first_contact::{ContactField, FirstContact},
};

providers! {
    /// Each product has a secret of its own. Returns and Warranty use `as-signature-hmac-sha256`.
    /// Older accounts of Returns use `am-webhook-signature: hmac-sha256=<base64>`
    /// (<https://www.aftership.com/docs/returns/2025-04/webhook/signature>).
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://www.aftership.com/docs/tracking/webhook/webhook-signature>.
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

    /// This type covers Autodesk Platform Services.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://aps.autodesk.com/blog/practice-payload-signature-webhook>.
    #[doc(alias = "forge")]
    Autodesk() = Scheme::hmac_sha1("x-adsk-signature")
        .provider("autodesk")
        .prefix("sha1hash=")
        .delivery_id("x-adsk-delivery-id");

    /// # Secret
    ///
    /// The secret is the client secret of the API account. Pass it unchanged and without base64:
    /// the key is the whole string, **not** decoded.
    /// ([BigCommerce](https://github.com/bigcommerce/docs/blob/94be67d4adf30f56ee204f5141181411651c6637/docs/integrations/webhooks/https-webhook-overview.mdx))
    /// You create a store's account at *Settings* → *Store-level API accounts*. An app has its
    /// account in the Developer Portal.
    /// ([BigCommerce](https://github.com/bigcommerce/docs/blob/32bd58b6af9b7ad82c12317e0dcaf58fb175b673/docs/start/authentication/api-accounts.mdx))
    ///
    /// # Settings
    ///
    /// Create the webhook through the API, with an HTTPS destination on port 443. Check the
    /// webhook's optional `headers` with [`SharedToken`](crate::providers::SharedToken).
    /// ([BigCommerce](https://github.com/bigcommerce/docs/blob/94be67d4adf30f56ee204f5141181411651c6637/docs/integrations/webhooks/https-webhook-overview.mdx))
    ///
    /// # Not covered
    ///
    /// Amazon EventBridge destinations. BigCommerce does not send these events to your URL.
    /// ([BigCommerce](https://github.com/bigcommerce/docs/blob/07e702f78b597a59577f2f6b74154d734e9ce9fa/docs/integrations/webhooks/aws-webhooks-overview.mdx))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: `docs/integrations/webhooks/https-webhook-overview.mdx` in
    /// bigcommerce/docs.
    BigCommerce(timed) = webhook_family()
        .provider("bigcommerce")
        .secret_encoding(SecretEncoding::Text),
        DeliveryPolicy::UNKNOWN
            .retried_for(2 * DAY, "https://github.com/bigcommerce/docs/blob/24f580ca6d2981728b7ed70a2049e00fc602c335/docs/integrations/webhooks/overview.mdx")
            .comes_again("https://docs.bigcommerce.com/developer/docs/integrations/webhooks");

    /// This type covers webhooks and the callbacks of external resources, such as payment gateways.
    ///
    /// # Secret
    ///
    /// The secret is the shared secret.
    /// ([Commerce Layer](https://docs.commercelayer.io/core/callbacks-security)) The API returns
    /// `shared_secret` once, when you create the webhook.
    /// ([Hookdeck, second-hand](https://www.skills.sh/hookdeck/webhook-skills/commercelayer-webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://docs.commercelayer.io/core/callbacks-security>.
    CommerceLayer "Commerce Layer"() = Scheme::hmac_sha256("x-commercelayer-signature")
        .provider("commerce_layer")
        .encoding(Encoding::Base64);

    /// The delivery ID is `id` in the body.
    ///
    /// If the secret contains characters outside ASCII, normalise it to NFKD before you pass it to
    /// [`Secret`](crate::Secret).
    ///
    /// # Evidence
    ///
    /// Public vector: EasyPost's SDK tests.
    EasyPost() = Scheme::hmac_sha256("x-hmac-signature")
        .provider("easypost")
        .prefix("hmac-sha256-hex=");

    /// # Evidence
    ///
    /// **Second-hand** for the headers: api-evangelist/etsy `asyncapi`. Vendor's documentation for
    /// the signing secret: <https://developers.etsy.com/documentation/essentials/webhooks>.
    Etsy(timed) = webhook_family()
        .provider("etsy"),
        DeliveryPolicy::UNKNOWN
            .retried_for(99_305, "second-hand: https://raw.githubusercontent.com/api-evangelist/etsy/refs/heads/main/asyncapi/etsy-webhooks-asyncapi.yml")
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");

    /// Goody sends through Svix. Its documentation shows the `svix-…` headers. This type also accepts
    /// `webhook-…`.
    ///
    /// # Secret
    ///
    /// On the configuration page of the webhook: *Signing Secret*.
    /// ([Goody](https://developer.ongoody.com/webhooks/webhook-security))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developer.ongoody.com/webhooks/webhook-security>.
    Goody(timed) = either_family()
        .provider("goody"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");

    /// # Evidence
    ///
    /// **Second-hand**: several sources agree, among them stored pages of the vendor.
    Lob(timed) = Scheme::hmac_sha256("lob-signature")
        .provider("lob")
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Header("lob-signature-timestamp"), TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// This type covers the webhooks and callbacks of neonpay.com, the merchant of record for games. It
    /// does not cover those of Neon, the database.
    ///
    /// The event's ID is `id` in the body.
    ///
    /// # Secret
    ///
    /// You choose the secret of each webhook, or Neon generates it.
    /// ([Neon](https://docs.neonpay.com/docs/webhooks-and-callbacks))
    ///
    /// # Evidence
    ///
    /// Receivers: six public ones agree on the header, the hash and the raw body. They cite the vendor's
    /// documentation: <https://docs.neonpay.com/docs/webhooks-and-callbacks>.
    NeonPay "Neon Pay"() = Scheme::hmac_sha256("x-neon-digest")
        .provider("neon_pay");

    /// - Recharge also sends the older `X-Recharge-Hmac-Sha256` with each webhook. Despite its name it is
    ///   no HMAC, and it covers no time: the plain SHA-256 hash of the secret and the body. This type
    ///   ignores it unless you call [`accept_plain_hash`](Self::accept_plain_hash).
    /// - `X-Recharge-Webhook-Timestamp` repeats the time, unsigned.
    ///
    /// # Secret
    ///
    /// The client secret of the API token, not the token.
    /// ([Hookdeck](https://github.com/garethx/webhook-skills/blob/595f031f2a045f4ed4356a5ea3e7a2e967fbf1bd/skills/recharge-webhooks/references/verification.md))
    ///
    /// # Evidence
    ///
    /// Receivers: `skills/recharge-webhooks/references/verification.md` in garethx/webhook-skills
    /// @595f031, Hookdeck's summary of the vendor's documentation. The newer signature is
    /// **second-hand**; the older one has many receivers.
    Recharge(timed) = Scheme::hmac_sha256("x-recharge-webhook-signature")
        .provider("recharge")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
        .legacy(&Scheme::plain_sha256("x-recharge-hmac-sha256")
            .provider("recharge")
            .signed_content(&[Component::Secret, Component::Body])),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(48 * HOUR, "second-hand: https://github.com/garethx/webhook-skills/blob/595f031f2a045f4ed4356a5ea3e7a2e967fbf1bd/skills/recharge-webhooks/references/verification.md");

    /// Signatures are optional. Shippo's support enables them.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: several sources agree. See
    /// <https://docs.goshippo.com/docs/tracking/webhooksecurity>.
    Shippo(timed) = Scheme::hmac_sha256("shippo-auth-signature")
        .provider("shippo")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .gives_up(Some(429), "https://github.com/api-evangelist/shippo/blob/5f5c56930f59bd788bcce58ca9dbf485a98f0ee2/asyncapi/shippo-webhooks-asyncapi.yaml");

    /// The compliance checks for public apps send an invalid signature and expect
    /// `401 Unauthorized`, the status of this type.
    ///
    /// Shopify's Events have their signature in `shopify-hmac-sha256` and carry
    /// `shopify-webhook-id` (<https://shopify.dev/docs/apps/build/events/verify-deliveries>). If
    /// `shopify-hmac-sha256` is present, only it is checked, as in the vendor's library
    /// (`packages/apps/shopify-api/lib/webhooks/validate.ts` of Shopify/shopify-app-js).
    ///
    /// # Secret
    ///
    /// The secret of an app's webhooks is the app's client secret: Dev Dashboard → *Apps* → the app
    /// → *Settings* → *Credentials*.
    /// ([Shopify](https://shopify.dev/docs/apps/build/authentication-authorization/manage-credentials.md))
    /// Webhooks that you create in the admin, at *Settings* → *Notifications* → *Webhooks*, have a
    /// different secret.
    /// ([Shopify](https://help.shopify.com/en/manual/orders/notifications/webhooks)) The admin
    /// shows it. The app's secret does not verify these webhooks.
    /// ([Shopify](https://github.com/Shopify/shopify-api-ruby/issues/1266))
    ///
    /// # Settings
    ///
    /// After a rotation it can take an hour until Shopify signs with the app's new secret. Pass
    /// both secrets. ([Shopify](https://shopify.dev/docs/apps/build/webhooks/verify-deliveries))
    ///
    /// # Not covered
    ///
    /// Deliveries to Google Cloud Pub/Sub and Amazon EventBridge. Only HTTPS deliveries are
    /// verified this way.
    /// ([Shopify](https://shopify.dev/docs/apps/build/webhooks/verify-deliveries))
    ///
    /// # Evidence
    ///
    /// Vendor vector: `tests/Webhooks/RegistryTest.php` in Shopify/shopify-api-php. See also
    /// <https://shopify.dev/docs/apps/build/webhooks/subscribe/https>.
    Shopify() = Scheme::hmac_sha256("x-shopify-hmac-sha256")
        .provider("shopify")
        .encoding(Encoding::Base64)
        .delivery_id("x-shopify-webhook-id")
        .families(&[Scheme::hmac_sha256("shopify-hmac-sha256")
            .provider("shopify")
            .encoding(Encoding::Base64)
            .delivery_id("shopify-webhook-id")]),
        DeliveryPolicy::UNKNOWN
            .demands(StatusCode::UNAUTHORIZED, "https://community.shopify.com/t/app-must-verify-the-authenticity-of-the-request-from-shopify/108155")
            .comes_again("https://dev.to/shannonllc/shopify-webhooks-hmac-verification-5-second-timeout-retries-jkj");

    /// - When you save a webhook, WooCommerce sends an unsigned form with only `webhook_id`. The
    ///   layer responds to this [first contact](crate::scheme::FirstContact) with `200 OK`
    ///   (<https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php>,
    ///   `deliver_ping`).
    /// - WooCommerce decodes HTML entities in the secret before it signs
    ///   (`wp_specialchars_decode`). If your secret contains `&amp;`, `&lt;`, `&gt;`, `&quot;` or
    ///   `&#039;`, pass the character instead.
    /// - A filter in WooCommerce can select an algorithm other than SHA-256. Signatures of other
    ///   algorithms are rejected.
    ///
    /// # Secret
    ///
    /// You choose the secret in the WordPress admin: *WooCommerce* → *Settings* → *Advanced* →
    /// *Webhooks* → the webhook → *Secret*.
    /// ([WooCommerce](https://github.com/woocommerce/woocommerce/blob/e450639a9debb68b6f61fb75fcddc8f0d17d8a3a/docs/building-a-woo-store/webhooks.md))
    /// If you leave the field empty, WooCommerce generates 50 random characters.
    /// ([WooCommerce](https://github.com/woocommerce/woocommerce/blob/09f8d6ff62a4888dcfee5bee4644ba8edce15cf2/plugins/woocommerce/includes/admin/class-wc-admin-webhooks.php))
    ///
    /// # Settings
    ///
    /// Set *Status* to *Active*. Otherwise WooCommerce delivers nothing.
    /// ([WooCommerce](https://github.com/woocommerce/woocommerce/blob/e450639a9debb68b6f61fb75fcddc8f0d17d8a3a/docs/building-a-woo-store/webhooks.md))
    ///
    /// # Evidence
    ///
    /// Vendor's source: `generate_signature` in `includes/class-wc-webhook.php` of
    /// woocommerce/woocommerce.
    WooCommerce() = Scheme::hmac_sha256("x-wc-webhook-signature")
        .provider("woocommerce")
        .encoding(Encoding::Base64)
        .delivery_id("x-wc-webhook-delivery-id")
        .first_contacts(&[FirstContact::form(&[("webhook_id", ContactField::Digits)])]),
        DeliveryPolicy::UNKNOWN
            .gives_up(None, "https://seresa.io/?p=7234");
}

impl Recharge {
    /// Also accepts requests that carry only the older `X-Recharge-Hmac-Sha256: <hex>`, a plain hash of
    /// secret and body.
    ///
    /// It covers no time, so a captured request can be sent again at any time. Anyone who can capture a
    /// request can remove the newer header from it. A replay guard takes the two for different
    /// deliveries. If the newer header is present, only it is checked. A body with a zero byte is
    /// rejected: anyone could append text to the hash of another body.
    #[must_use]
    pub fn accept_plain_hash(self) -> Self {
        Self(self.0.accept_legacy())
    }
}
