//! Providers for payments, billing and banking.

use http::StatusCode;

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::providers,
        own::standard_webhooks::{either_family, family, svix_family, webhook_family},
        policy::{DAY, DeliveryPolicy, MINUTE},
    },
    scheme::{
        component::{Component, DigestEncoding, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
};

providers! {
    /// This type covers webhooks for platforms, balance platforms and banking.
    ///
    /// # Secret
    ///
    /// In the Customer Area: *Developers* → *Webhooks* → *Platforms* → the webhook → *Edit webhook*
    /// → *Security*. Generate the HMAC key there, copy it and save. Each endpoint has its own key.
    /// Test and live keys differ. After you generate a new key, pass both keys for some time.
    /// ([Adyen](https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures))
    ///
    /// # Settings
    ///
    /// A user name and password that you set for the webhook arrive as basic authentication. Check
    /// them with [`BasicAuth`](crate::providers::BasicAuth).
    /// ([Adyen](https://docs.adyen.com/development-resources/webhooks/best-practices/))
    ///
    /// # Not covered
    ///
    /// Standard (payments) webhooks. They carry the signature in the body: see
    /// [`Adyen`](crate::providers::Adyen).
    /// ([Adyen](https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures))
    ///
    /// # Evidence
    ///
    /// Public vector: adyen-node.
    AdyenPlatform "Adyen platform"() = Scheme::hmac_sha256("hmacsignature")
        .provider("adyen_platform")
        .encoding(Encoding::Base64)
        .secret_encoding(SecretEncoding::Hex);

    /// The secret is the private API key.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://docs.affirm.com/developers/docs/checking-webhook-signatures>.
    Affirm(timed) = Scheme::hmac_sha512("x-affirm-signature")
        .provider("affirm")
        .signature_format(SignatureFormat::pairs("t", "v0"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .retried_for(0, "https://docs.affirm.com/developers/docs/webhook-best-practices")
            .window(5 * MINUTE, "https://docs.affirm.com/developers/docs/webhook-best-practices")
            .gives_up(None, "https://docs.affirm.com/developers/docs/webhook-best-practices");

    /// # Evidence
    ///
    /// Vendor's source: `includes/Services/WebhookService.php` in
    /// airwallex/paymentacceptance-plugin-woocommerce.
    Airwallex(timed) = Scheme::hmac_sha256("x-signature")
        .provider("airwallex")
        .signed_content(&[Component::Time, Component::Body])
        .time(TimestampSource::Header("x-timestamp"), TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .retried_for(3 * DAY, "https://www.airwallex.com/docs/developer-tools/webhooks/webhooks-overview");

    /// - The secret is the signature key. According to the vendor's forum, the secret string is the
    ///   key of the MAC. The vendor's documentation does not say whether it is decoded.
    /// - The delivery ID is `notificationId` in the body.
    /// - The hex digits are in upper case.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: several sources agree, the crate authorizenet 0.2.0 and
    /// <https://community.developer.cybersource.com/t5/Integration-and-Testing/HMAC-SHA-512-hash-not-matching-in-webhook-callback/m-p/82772>.
    AuthorizeNet "Authorize.Net"() = Scheme::hmac_sha512("x-anet-signature")
        .provider("authorize_net")
        .prefix("sha512=");

    /// # Evidence
    ///
    /// Vendor's source: `Helper/Hook.php` in BoltApp/bolt-magento2.
    Bolt() = Scheme::hmac_sha256("x-bolt-hmac-sha256")
        .provider("bolt")
        .encoding(Encoding::Base64);

    /// After a rotation, `webhook-signature` has one signature for each secret.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developer.brex.com/guides/webhooks.md>.
    Brex(timed) = webhook_family()
        .provider("brex"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// # Evidence
    ///
    /// Vendor's documentation or source: Cashfree's documentation.
    Cashfree(timed) = Scheme::hmac_sha256("x-webhook-signature")
        .provider("cashfree")
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Time, Component::Body])
        .time(TimestampSource::Header("x-webhook-timestamp"), TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .retried_for(42 * MINUTE, "https://www.cashfree.com/docs/api-reference/webhooks/reliability-and-operations");

    /// - The secret is the site shared key.
    /// - `signature` in the body is an older MD5 signature. This type does not read it.
    ///
    /// # Evidence
    ///
    /// **Second-hand** for the header. Vendor's source for the form of the signature:
    /// maxio-com/ab-typescript-sdk @4aecf7e `doc/models/webhook.md`.
    #[doc(alias = "maxio")]
    Chargify() = Scheme::hmac_sha256("x-chargify-webhook-signature-hmac-sha-256")
        .provider("chargify")
        .delivery_id("x-chargify-webhook-id");

    /// The delivery ID is `id` in the body.
    ///
    /// # Secret
    ///
    /// In the Dashboard: *Developers* → *Webhooks* → *Create configuration* → *Signature key*. In a
    /// workflow that you create through the API, you choose the key in the webhook action. The
    /// secret is not your API key.
    /// ([Checkout.com](https://www.checkout.com/docs/developer-resources/event-notifications/receive-webhooks/configure-your-webhook-server))
    ///
    /// # Settings
    ///
    /// Set a *Signature key*. The field is optional. An *Authorization header key* arrives in
    /// `Authorization`. Check it with [`SharedToken`](crate::providers::SharedToken).
    /// ([Checkout.com](https://checkout.com/docs/business-operations/use-the-dashboard/developers/webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://www.checkout.com/docs/developer-resources/webhooks/manage-webhooks/set-up-your-webhook-receiver>.
    CheckoutCom "Checkout.com"() = Scheme::hmac_sha256("cko-signature")
        .provider("checkout_com"),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://www.checkout.com/docs/developer-resources/webhooks/manage-webhooks/set-up-your-webhook-receiver");

    /// This type verifies `v0`, which covers the time and the body. The header also has `h` and
    /// `v1`, which covers the headers that `h` names. Coinbase recommends `v0` unless you need
    /// those headers (<https://docs.cdp.coinbase.com/webhooks/verify-signatures>).
    ///
    /// # Secret
    ///
    /// Create a webhook subscription through the API. The response contains the secret in `secret`.
    /// Each subscription has its own secret.
    /// ([Coinbase](https://docs.cdp.coinbase.com/webhooks/verify-signatures.md))
    ///
    /// # Not covered
    ///
    /// Requests with `v1` alone. Coinbase's pages about
    /// [transfers](https://docs.cdp.coinbase.com/webhooks/transfers/verification.md) and
    /// [payment acceptance](https://docs.cdp.coinbase.com/webhooks/payment-acceptance/verification)
    /// name only `t`, `h` and `v1`. The page about signatures says that every request has both
    /// versions.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://docs.cdp.coinbase.com/webhooks/verify-signatures>.
    CoinbaseCdp "Coinbase Developer Platform"(timed) also ["Coinbase Business"] = Scheme::hmac_sha256("x-hook0-signature")
        .provider("coinbase_cdp")
        .signature_format(SignatureFormat::pairs("t", "v0"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
        .delivery_id("x-event-id"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://docs.cdp.coinbase.com/webhooks/payment-acceptance/verification");

    /// The delivery ID is `event.id` in the body.
    ///
    /// Coinbase closed Commerce on 31 March 2026 (second-hand). For its successor, Coinbase Business,
    /// use [`CoinbaseCdp`](crate::providers::CoinbaseCdp).
    ///
    /// # Evidence
    ///
    /// Public vector: coinbase-commerce-python.
    CoinbaseCommerce "Coinbase Commerce"() also ["Coinbase"] = Scheme::hmac_sha256("x-cc-webhook-signature")
        .provider("coinbase_commerce");

    /// # Secret
    ///
    /// In the dashboard: *Developer* → *Webhooks* → the endpoint → *Overview*.
    /// ([Dodo Payments](https://docs.dodopayments.com/developer-resources/webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://docs.dodopayments.com/developer-resources/webhooks>.
    /// Vendor's source: `src/resources/webhooks/webhooks.ts` in
    /// dodopayments/dodopayments-typescript @3d8d895, which passes the secret to the Standard
    /// Webhooks library.
    DodoPayments "Dodo Payments"(timed) = webhook_family()
        .provider("dodo_payments"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/dodopayments/dodopayments-typescript/blob/3d8d895afc8d5d8f4ec2243d921b5900ef937377/src/resources/webhooks/webhooks.ts");

    /// The delivery ID is `id` in the body.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `src/handlers/webhook.ts` in Dwolla/webhook-receiver.
    Dwolla() = Scheme::hmac_sha256("x-request-signature-sha-256")
        .provider("dwolla");

    /// A body can contain several events, in `events`.
    ///
    /// # Secret
    ///
    /// You choose the secret, in the field *HMAC SHA256 Secret* of the webhook in the FastSpring
    /// App. ([FastSpring](https://developer.fastspring.com/docs/message-security))
    ///
    /// # Settings
    ///
    /// The secret is optional: set one.
    /// ([FastSpring](https://developer.fastspring.com/docs/message-security))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developer.fastspring.com/docs/message-security>.
    FastSpring() = Scheme::hmac_sha256("x-fs-signature")
        .provider("fastspring")
        .encoding(Encoding::Base64);

    /// # Evidence
    ///
    /// Public vector: finch-api-python.
    Finch(timed) = family(["finch-signature", "finch-event-id", "finch-timestamp"])
        .provider("finch")
        .secret_encoding(SecretEncoding::Base64 { prefix: "" }),
        DeliveryPolicy::UNKNOWN
            .retried_for(99_305, "second-hand: https://developer.tryfinch.com/docs/documentation/col7xfm69ll1t-webhooks")
            .signs_anew(true, "second-hand: sent through Svix, https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs")
            .window(5 * MINUTE, "https://github.com/Finch-API/finch-api-python");

    /// The key is the whole secret string, **not** decoded, even if it begins with `whsec_`.
    ///
    /// # Secret
    ///
    /// Fintoc generates the secret when you register a webhook endpoint, and shows it once.
    /// ([Fintoc](https://docs.fintoc.com/docs/webhooks-validating))
    ///
    /// # Evidence
    ///
    /// Vendor vector: `src/spec/webhook.spec.ts` in fintoc-com/fintoc-node and
    /// `tests/test_webhook.py` in fintoc-com/fintoc-python. See also
    /// <https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-validating>.
    Fintoc(timed) = Scheme::hmac_sha256("fintoc-signature")
        .provider("fintoc")
        .unique_content()
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-good-practices.md")
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/fintoc-com/fintoc-node/blob/d3f74853fcf641fad5dbc8e3736fa30f6682489f/src/lib/webhook.ts")
            .comes_again("https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-creating-guide");

    /// - The delivery ID is `events[].id` in the body.
    /// - GoCardless asks for status 498 on an invalid signature. Set it with
    ///   [`rejection_status`](crate::SignatureLayer::rejection_status).
    ///
    /// # Secret
    ///
    /// In the GoCardless Dashboard: create a webhook endpoint, click it in the list, and copy its
    /// secret.
    /// ([GoCardless](https://developer.gocardless.com/getting-started/api/staying-up-to-date-with-webhooks))
    ///
    /// # Evidence
    ///
    /// Public vector: gocardless-pro-python.
    GoCardless() = Scheme::hmac_sha256("webhook-signature")
        .provider("gocardless"),
        DeliveryPolicy::UNKNOWN
            .comes_again("https://support.gocardless.com/hc/en-nz/articles/360000989989-Webhook-retries-failures");

    /// Several providers use this header name, with different schemes.
    ///
    /// # Secret
    ///
    /// You choose the secret when you create the webhook. In the dashboard: *Settings* →
    /// *Webhooks*, the field *Signing secret*, of 6 to 40 characters. Test mode and live mode have
    /// separate webhooks. ([Lemon Squeezy](https://docs.lemonsqueezy.com/help/webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's source: `src/app/api/webhook/route.ts` in lmsqueezy/nextjs-billing.
    LemonSqueezy "Lemon Squeezy"() = Scheme::hmac_sha256("x-signature")
        .provider("lemon_squeezy");

    /// # Evidence
    ///
    /// Public vector: lithic-python.
    Lithic(timed) = webhook_family()
        .provider("lithic"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .signs_anew(true, "second-hand: sent through Svix, https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs")
            .window(5 * MINUTE, "https://github.com/lithic-com/lithic-python");

    /// # Evidence
    ///
    /// Public vector: modern-treasury-python.
    ModernTreasury "Modern Treasury"() = Scheme::hmac_sha256("x-signature")
        .provider("modern_treasury")
        .delivery_id("x-webhook-id");

    /// This type covers next-gen webhooks. While Mollie replaces a secret, it signs with both: in
    /// several lines of the header, or in one line that a proxy has joined.
    ///
    /// # Secret
    ///
    /// Mollie shows the signing secret when you create the webhook.
    /// ([Mollie](https://docs.mollie.com/reference/webhooks-best-practices.md))
    ///
    /// # Not covered
    ///
    /// Classic webhooks. They are not signed: fetch the payment by its ID.
    /// ([Mollie](https://github.com/mollie/mollie-api-php/blob/0ab576ed717fa39b422f188fc7d298b80a73d5d9/src/Webhooks/SignatureValidator.php))
    ///
    /// # Evidence
    ///
    /// Vendor's source: `src/Webhooks/SignatureValidator.php` in mollie/mollie-api-php @0ab576e.
    Mollie() = Scheme::hmac_sha256("x-mollie-signature")
        .provider("mollie")
        .lines()
        .signature_format(SignatureFormat::OptionalPrefix { prefix: "sha256=", separator: b',' });

    /// This type covers the webhook subscriptions of NMI's API, which report the status of
    /// applications.
    ///
    /// # Secret
    ///
    /// The secret is that of the webhook subscription.
    /// ([NMI](https://docs.nmi.com/reference/subscriptions))
    ///
    /// # Not covered
    ///
    /// Webhooks of the payment gateway, such as `transaction.sale.success`. For them, use
    /// [`NmiGateway`](crate::providers::NmiGateway).
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://docs.nmi.com/reference/subscriptions>. It gives the PHP call
    /// `hash_hmac`, which writes hex.
    Nmi "NMI"() = Scheme::hmac_sha256("signature")
        .provider("nmi");

    /// # Secret
    ///
    /// In Nomod: *Settings* → *Tools & customisations* → *Apps & APIs* → *Webhooks* → the webhook →
    /// *Signing secret*. ([Nomod](https://nomod.com/docs/webhooks/managing-webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://nomod.com/docs/webhooks/managing-webhooks>.
    Nomod(timed) = svix_family()
        .provider("nomod"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs")
            .window(5 * MINUTE, "https://nomod.com/docs/webhooks/managing-webhooks");

    /// OpenMeter sends through Svix and does not name the headers. This type accepts both families.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://openmeter.io/docs/guides/webhooks>, and Svix's for the
    /// format.
    OpenMeter(timed) = either_family()
        .provider("openmeter"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");

    /// The timestamp has no UTC offset. This type reads it as UTC.
    ///
    /// # Evidence
    ///
    /// Public vector: orb-python.
    Orb(timed) = Scheme::hmac_sha256("x-orb-signature")
        .provider("orb")
        .signature_format(SignatureFormat::tagged("v1").assigned_by(b'='))
        .signed_content(&[Component::Literal("v1:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-orb-timestamp"), TimestampFormat::Rfc3339NoOffset),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/orbcorp/orb-python");

    /// The delivery ID is `event_id` or `notification_id` in the body.
    ///
    /// # Secret
    ///
    /// In Paddle: *Developer tools* → *Notifications* → *…* of the destination → *Edit
    /// destination*. Each destination has its own secret key, `pdl_ntf_…`. The key is the whole
    /// string. ([Paddle](https://developer.paddle.com/webhooks/about/signature-verification)) The
    /// API returns the key as `endpoint_secret_key`.
    /// ([Paddle](https://developer.paddle.com/api-reference/notification-settings/create-notification-setting.md))
    ///
    /// # Settings
    ///
    /// Choose the notification type `url` (webhook), not `email`.
    /// ([Paddle](https://developer.paddle.com/webhooks/about/signature-verification.md))
    ///
    /// # Not covered
    ///
    /// Paddle Classic. It signs PHP-serialised fields with RSA and SHA-1, in the form's
    /// `p_signature`. The key is the account's public key.
    /// ([Paddle](https://developer.paddle.com/webhook-reference/verifying-webhooks))
    ///
    /// # Evidence
    ///
    /// Public vector: paddle-python-sdk.
    Paddle(timed) = Scheme::hmac_sha256("paddle-signature")
        .provider("paddle")
        .unique_content()
        .signature_format(SignatureFormat::pairs("ts", "h1").separated_by(b';'))
        .signed_content(&[Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .known_by("event_id", "https://developer.paddle.com/webhooks/respond-to-webhooks")
            .retried_for(3 * DAY, "https://developer.paddle.com/webhooks/about/respond-to-webhooks")
            .window(5, "https://github.com/PaddleHQ/paddle-node-sdk");

    /// # Secret
    ///
    /// The secret is the API secret key of the mode, live or test. In the Paystack Dashboard:
    /// *Settings* → *API Keys & Webhooks* → the secret key. Click the eye icon to see it. Test mode
    /// and live mode have one key each.
    /// ([Paystack](https://support.paystack.com/en/articles/2123458)) The webhook has no secret of
    /// its own.
    /// ([Paystack](https://github.com/PaystackOSS/doc-code-snippets/blob/56c397bd82d727fdf5f68d2faed4e7144be4be07/dist/doc/payments/webhooks/verifying-transaction.js))
    ///
    /// # Evidence
    ///
    /// Vendor's source: `dist/doc/payments/webhooks/verifying-transaction.js` in
    /// PaystackOSS/doc-code-snippets.
    Paystack() = Scheme::hmac_sha512("x-paystack-signature")
        .provider("paystack");

    /// The headers are those of Standard Webhooks, but the key is the whole secret string, **not**
    /// decoded, even if it begins with `whsec_`.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `src/webhooks.ts` in polarsource/polar-js.
    Polar(timed) = webhook_family()
        .provider("polar")
        .secret_encoding(SecretEncoding::Text),
        DeliveryPolicy::UNKNOWN
            .retried_for(2044, "https://github.com/polarsource/polar/blob/c6c3645e639ee8eeaa05aa0835cf8e39e330382f/server/polar/webhook/tasks.py")
            .signs_anew(true, "https://github.com/polarsource/polar/blob/c6c3645e639ee8eeaa05aa0835cf8e39e330382f/server/polar/webhook/tasks.py")
            .comes_again("https://github.com/polarsource/polar/blob/c6c3645e639ee8eeaa05aa0835cf8e39e330382f/docs/integrate/webhooks/delivery.mdx");

    /// This type covers the webhooks of PortOne V2 with a secret.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `javascript/src/webhook.ts` in portone-io/server-sdk @f944c0a.
    PortOne(timed) = webhook_family()
        .provider("portone"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/portone-io/server-sdk/blob/f944c0a57d6d323a3a7e64e5a9c15d3d8ca73cf4/javascript/src/webhook.ts");

    /// While secrets are rotated, Primer sends both headers.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://primer.io/docs/api-reference/get-started/configure-webhooks>.
    Primer() = Scheme::hmac_sha256("x-signature-primary")
        .provider("primer")
        .headers(&["x-signature-primary", "x-signature-secondary"])
        .encoding(Encoding::Base64);

    /// # Secret
    ///
    /// The secret is the verifier token. At developer.intuit.com: *My Hub* → *App dashboard* → the
    /// app → *Webhooks* → *Verifier Token*. The token appears after you save the endpoint URL.
    /// Production and development have separate webhooks. Set up each one.
    /// ([Intuit](https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks/configure-webhooks))
    ///
    /// # Settings
    ///
    /// The CloudEvents format changes the JSON. The signature stays in `intuit-signature`.
    /// ([Intuit](https://github.com/IntuitDeveloper/SampleApp-Webhooks-Java-Cloudevents/blob/16a88b1dfddef6946c43fcbae4707c7c7dda2d5b/README.md))
    ///
    /// # Evidence
    ///
    /// Vendor's source: `util/util.js` and `routes/routes.js` in
    /// IntuitDeveloper/SampleApp-Webhooks-nodejs.
    QuickBooks() also ["Intuit"] = Scheme::hmac_sha256("intuit-signature")
        .provider("quickbooks")
        .encoding(Encoding::Base64)
        .delivery_id("intuit-notification-id");

    /// This type covers Ramp's cards and expenses, not Ramp Network.
    ///
    /// # Secret
    ///
    /// The secret is that of the webhook subscription.
    /// ([second-hand](https://www.skills.sh/jeremylongshore/tons-of-skills-marketplace/ramp-webhooks-events))
    ///
    /// # Settings
    ///
    /// A new subscription is pending until you submit the challenge that Ramp sends to your URL.
    /// ([second-hand](https://www.skills.sh/jeremylongshore/tons-of-skills-marketplace/ramp-webhooks-events))
    /// Receivers accept this request without a signature, and this type rejects it. Receive it on a
    /// route without the layer.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: the header and the body as signed content,
    /// <https://www.skills.sh/jeremylongshore/tons-of-skills-marketplace/ramp-webhooks-events>.
    /// Hex: several receivers agree. Others accept base64 as well, because the vendor's documentation
    /// does not name the encoding.
    Ramp() = Scheme::hmac_sha256("x-ramp-signature")
        .provider("ramp")
        .delivery_id("x-ramp-webhook-id"),
        DeliveryPolicy::UNKNOWN
            .gives_up(Some(429), "second-hand: https://www.skills.sh/jeremylongshore/tons-of-skills-marketplace/ramp-webhooks-events");

    /// # Secret
    ///
    /// You choose the secret. In the Dashboard: *Accounts & Settings* → *Webhooks* →
    /// *+ Add New Webhook* → *Secret*. It need not be the secret of the API key.
    /// ([Razorpay](https://razorpay.com/docs/payments/dashboard/settings/webhooks)) In RazorpayX:
    /// *My Account & Settings* → *Developer Controls* → *Secret*.
    /// ([Razorpay](https://razorpay.com/docs/webhooks/setup-edit-x))
    ///
    /// # Settings
    ///
    /// The secret is optional: set one. After a change, Razorpay still signs retries of older
    /// events with the old secret. Pass both secrets.
    /// ([Razorpay](https://razorpay.com/docs/webhooks/faqs))
    ///
    /// # Not covered
    ///
    /// `razorpay_signature` of the payment callback. It covers other content, and its key is the
    /// secret of the API key.
    /// ([Razorpay](https://razorpay.com/docs/payments/payment-gateway/s2s-integration/test-s2s/best-practices/security))
    ///
    /// # Evidence
    ///
    /// Public vector: razorpay-python.
    Razorpay() = Scheme::hmac_sha256("x-razorpay-signature")
        .provider("razorpay")
        .delivery_id("x-razorpay-event-id"),
        DeliveryPolicy::UNKNOWN
            .comes_again("https://razorpay.com/docs/webhooks/best-practices");

    /// This type covers JSON notifications. XML notifications are not signed.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: docs.recurly.com.
    Recurly(timed) = Scheme::hmac_sha256("recurly-signature")
        .provider("recurly")
        .signature_format(SignatureFormat::Unnamed { separator: b',', time_first: true })
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .retried_for(262_308, "https://docs.recurly.com/recurly-subscriptions/docs/automatic-retries");

    /// The header can have several signatures while a secret is rotated (second-hand).
    ///
    /// # Secret
    ///
    /// The secret is the signing secret of the webhook integration, in the dashboard under
    /// *Integrations* → *Webhooks* (second-hand). The value of the authorization header is not the
    /// secret.
    ///
    /// # Settings
    ///
    /// Switch on signatures for the webhook integration. Without them, a request only carries the
    /// authorization header, if you set one.
    ///
    /// # Not covered
    ///
    /// The authorization header, a static value that you choose.
    /// ([RevenueCat](https://www.revenuecat.com/docs/webhooks/)) It proves nothing about the body.
    /// Check it with [`SharedToken`](crate::providers::SharedToken) and the header `authorization`.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: several receivers agree on the header, the signed content and hex. One of the
    /// vendor's guides names `X-RevenueCat-Signature` instead
    /// (<https://www.revenuecat.com/guides/revenuecat-android-sdk/webhooks>).
    RevenueCat(timed) = Scheme::hmac_sha256("x-revenuecat-webhook-signature")
        .provider("revenuecat")
        .unique_content()
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .known_by("event.id", "https://www.revenuecat.com/guides/revenuecat-android-sdk/webhooks")
            .unknown_retries();

    /// - The key is the whole secret string, `wsk_…`.
    /// - The example in Revolut's documentation does not verify, since its IDs were redacted.
    ///
    /// # Evidence
    ///
    /// Public vector: developer.revolut.com.
    Revolut(timed) = Scheme::hmac_sha256("revolut-signature")
        .provider("revolut")
        .signature_format(SignatureFormat::tagged("v1").separated_by(b',').assigned_by(b'='))
        .signed_content(&[Component::Literal("v1."), Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Header("revolut-request-timestamp"), TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .retried_for(30 * MINUTE, "https://developer.revolut.com/docs/guides/accept-payments/tutorials/work-with-webhooks/using-webhooks")
            .window(5 * MINUTE, "https://developer.revolut.com/docs/guides/crypto-ramp/tutorials/work-with-webhooks/verify-the-payload-signature");

    /// - `X-Webhook-Timestamp` repeats the signed time. Only the time in the signature header is read.
    ///
    /// # Secret
    ///
    /// The secret is `signature_verification_key` in the response that creates the subscription. Pass
    /// it as it is, in base64.
    /// ([Ripple](https://docs.ripple.com/products/collections/guides/verifying-webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://docs.ripple.com/products/collections/guides/verifying-webhooks>. The headers and the
    /// signed content are **second-hand**: a receiver quotes that page.
    Ripple "Ripple Collections"(timed) = Scheme::hmac_sha256("x-webhook-signature")
        .provider("ripple")
        .secret_encoding(SecretEncoding::Base64 { prefix: "" })
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[
            Component::Time,
            Component::Literal("."),
            Component::BodySha256(DigestEncoding::Hex),
        ])
        .time(TimestampSource::Signature, TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://docs.ripple.com/products/collections/guides/verifying-webhooks");

    /// The delivery ID is `event_id` in the body.
    ///
    /// The signature covers the registered URL, byte for byte, and then the body, with nothing
    /// between them. The end of the URL could therefore pass as the beginning of the body. This
    /// type rejects a request in which bytes were moved across the boundary between URL and JSON
    /// body. Bodies in other formats are not protected. For them, put the layer on an exact route
    /// or use [`PublicUrl::fixed`](crate::PublicUrl::fixed).
    ///
    /// # Secret
    ///
    /// In the Developer Console: the application → *Webhooks* → *Subscriptions* → the subscription
    /// → *Signature Key* → *Show*.
    /// ([Square](https://developer.squareup.com/docs/webhooks/step2subscribe)) Sandbox and
    /// production have separate keys.
    /// ([Square](https://developer.squareup.com/docs/webhooks/movetoprod))
    ///
    /// # Settings
    ///
    /// Create the [`PublicUrl`](crate::PublicUrl) from the subscription's notification URL, byte
    /// for byte. The URL must be HTTPS.
    /// ([Square](https://developer.squareup.com/docs/webhooks/step2subscribe))
    ///
    /// # Evidence
    ///
    /// Public vector: Square's SDK sample.
    Square(url) = Scheme::hmac_sha256("x-square-hmacsha256-signature")
        .provider("square")
        .takes_any_body()
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Url, Component::Body]),
        DeliveryPolicy::UNKNOWN
            .known_by("event_id", "https://developer.squareup.com/docs/webhooks/overview")
            .comes_again("https://developer.squareup.com/forums/t/webhook-logs-returning-error-400/11123");

    /// The delivery ID is `id` in the body.
    ///
    /// # Secret
    ///
    /// In the Stripe Dashboard: *Workbench* → *Webhooks* → the endpoint → *Reveal secret*
    /// (`whsec_…`). The key is the whole string, **not** decoded. Each endpoint has its own secret.
    /// The secret for test mode differs from the secret for live mode. `stripe listen` prints
    /// another one. ([Stripe](https://docs.stripe.com/webhooks),
    /// [Stripe](https://docs.stripe.com/webhooks/signature))
    ///
    /// # Settings
    ///
    /// *Snapshot* and *Thin* payloads are both signed. ([Stripe](https://docs.stripe.com/webhooks))
    ///
    /// # Not covered
    ///
    /// Events that Stripe sends to Amazon EventBridge or Azure Event Grid. They do not arrive as
    /// Stripe webhooks. For a webhook of Event Grid, use
    /// [`AzureEventGrid`](crate::providers::AzureEventGrid).
    /// ([Stripe](https://docs.stripe.com/webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor vector: `EventUtilityTest` in stripe/stripe-dotnet. See also
    /// <https://docs.stripe.com/webhooks>.
    Stripe(timed) = Scheme::hmac_sha256("stripe-signature")
        .provider("stripe")
        .unique_content()
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://docs.stripe.com/webhooks#handle-duplicate-events")
            .retried_for(3 * DAY, "https://docs.stripe.com/webhooks")
            .signs_anew(true, "https://docs.stripe.com/webhooks")
            .comes_again("https://docs.stripe.com/webhooks");

    /// For 48 hours after a rotation, TabaPay signs with both secrets. The signature by the previous
    /// secret is `v2`: pass both secrets, the new one first.
    ///
    /// # Secret
    ///
    /// The response of the API to `POST /v2/clients/{ClientID}/webhooks/secrets` has it in `secret`,
    /// once. ([TabaPay](https://developers.tabapay.com/reference/verifying-webhook-signatures))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://developers.tabapay.com/reference/webhook-signature-headers>.
    TabaPay(timed) = Scheme::hmac_sha256("x-hmac-signature")
        .provider("tabapay")
        .delivery_id("idempotency-key")
        .signature_format(SignatureFormat::pairs("t", "v1").or_named("v2"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .signs_anew(true, "https://developers.tabapay.com/reference/webhook-signature-headers");

    /// The body identifies deliveries by sequence numbers.
    ///
    /// # Secret
    ///
    /// At developer.xero.com: *My Apps* → the app → *Webhooks*. The page shows the webhook key. You
    /// set up webhooks for each app.
    /// ([Xero](https://github.com/XeroAPI/XeroWebhooksReceiver/blob/0b9b12b2bfc863f162e056f475a8d42dc6b217a2/README.md))
    ///
    /// # Settings
    ///
    /// Use an HTTPS URL on port 443. Run *Intent to receive* after you create the webhook or change
    /// its URL. Xero then sends POSTs with valid and invalid signatures, and expects `200 OK` and
    /// `401 Unauthorized`. Respond within 5 seconds with 200, no body and no cookies.
    /// ([Xero](https://developer.xero.com/documentation/webhooks/configuring-your-server))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: developer.xero.com and Nango.
    Xero() = Scheme::hmac_sha256("x-xero-signature")
        .provider("xero")
        .encoding(Encoding::Base64),
        DeliveryPolicy::UNKNOWN
            .demands(StatusCode::UNAUTHORIZED, "https://developer.xero.com/documentation/webhooks/configuring-your-server")
            .comes_again("https://developer.xero.com/documentation/webhooks/configuring-your-server");

    /// # Secret
    ///
    /// Yoco returns the secret, `whsec_…`, when you register the webhook through its API.
    /// (second-hand: receivers)
    ///
    /// # Evidence
    ///
    /// **Second-hand**: receivers that quote
    /// <https://developer.yoco.com/guides/online-payments/webhooks/verifying-the-events>, such as
    /// `docs/05-payments-yoco.md` in kleinboy100/nosty_app. Those recommend to accept a time of the
    /// last 3 minutes.
    Yoco(timed) = webhook_family()
        .provider("yoco"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// The secret is the webhook's signing key, which Zoho Payments shows when you register the
    /// endpoint: *Settings* → *Developer Space* → *Webhooks*.
    /// ([Zoho](https://zoho.com/in/payments/developerdocs/webhooks/configure))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://zoho.com/in/payments/developerdocs/webhooks/verification>. Its
    /// sample header has hex digits.
    ZohoPayments "Zoho Payments"(timed) = Scheme::hmac_sha256("x-zoho-webhook-signature")
        .provider("zoho_payments")
        .signature_format(SignatureFormat::pairs("t", "v"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();
}
