//! Providers for chat, mail, voice and social networks.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::providers,
        own::standard_webhooks::{either_family, svix_family, webhook_family},
        policy::{DAY, DeliveryPolicy, MIB, MINUTE},
        support::VERIFICATION_KEY,
    },
    scheme::{
        component::{Component, DigestEncoding, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
    verifier::challenge::challenge::Challenge,
};

providers! {
    /// This type covers open-channel webhooks.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: three receivers agree.
    #[doc(alias = "urban_airship")]
    Airship(timed) = Scheme::hmac_sha256("x-ua-signature")
        .provider("airship")
        .signed_content(&[Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-ua-timestamp"), TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// The URL is the one that Bird has. Bird retries with the timestamp of the first attempt for about
    /// 24 hours (second-hand: several receivers).
    ///
    /// # Secret
    ///
    /// The signing key that you set for the webhook subscription.
    /// ([Bird](https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook-subscription))
    ///
    /// # Not covered
    ///
    /// Webhooks of the older MessageBird API. They sign the sorted query in place of the URL, or send
    /// a JWT in `MessageBird-Signature-JWT`.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook-subscription>.
    Bird(url, timed) = Scheme::hmac_sha256("messagebird-signature")
        .provider("bird")
        .encoding(Encoding::Base64)
        .signed_content(&[
            Component::Time,
            Component::Literal("\n"),
            Component::Url,
            Component::Literal("\n"),
            Component::BodySha256(DigestEncoding::Raw),
        ])
        .time(TimestampSource::Header("messagebird-request-timestamp"), TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// # Secret
    ///
    /// Each webhook has its own secret, which Chatwoot generates.
    /// ([Chatwoot](https://github.com/chatwoot/chatwoot/pull/13573)) Agent bots and API inboxes have
    /// secrets of their own. ([Chatwoot](https://github.com/chatwoot/chatwoot/pull/13892))
    ///
    /// # Settings
    ///
    /// Older versions of Chatwoot do not sign.
    /// ([Chatwoot](https://github.com/chatwoot/chatwoot/pull/13573))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: the pull request that introduced the signature,
    /// <https://github.com/chatwoot/chatwoot/pull/13573>. The full stop between time and body is
    /// **second-hand**: several receivers agree.
    Chatwoot(timed) = Scheme::hmac_sha256("x-chatwoot-signature")
        .provider("chatwoot")
        .prefix("sha256=")
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Header("x-chatwoot-timestamp"), TimestampFormat::UnixSeconds)
        .delivery_id("x-chatwoot-delivery"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .signs_anew(true, "https://github.com/chatwoot/chatwoot/pull/13573")
            .window(5 * MINUTE, "https://github.com/chatwoot/chatwoot/pull/13573");

    /// The delivery ID is `event_id` in the body.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: several sources agree. See <https://www.customer.io/docs/api/webhooks/>.
    CustomerIo "Customer.io"(timed) = Scheme::hmac_sha256("x-cio-signature")
        .provider("customer_io")
        .unique_content()
        .signed_content(&[Component::Literal("v0:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-cio-timestamp"), TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .known_by("event_id", "https://docs.customer.io/integrations/data-out/connections/webhooks/")
            .retried_for(7 * DAY, "second-hand: https://github.com/hookdeck/webhook-skills")
            .comes_again("https://docs.customer.io/api/webhooks/");

    /// This type covers application webhooks. Rule webhooks sign differently, with HMAC-SHA1 of the
    /// body and without a timestamp.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://dev.frontapp.com/docs/application-webhooks>.
    #[doc(alias = "frontapp")]
    Front(timed) = Scheme::hmac_sha256("x-front-signature")
        .provider("front")
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-front-request-timestamp"), TimestampFormat::UnixMillis)
        .challenge(Challenge::SignedHeader {
            header: "x-front-challenge",
            field: "type",
            value: "sync",
        }),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// # Secret
    ///
    /// The secret is the secret key of the webhook.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: several receivers agree. The same header and form are in
    /// `warehouse/admin/views/helpscout.py` of pypi/warehouse, for a custom app.
    HelpScout "Help Scout"() = Scheme::hmac_sha1("x-helpscout-signature")
        .provider("help_scout")
        .encoding(Encoding::Base64);

    /// - The delivery ID is `id` in the body. It begins with `notif_`.
    /// - Canvas Kit puts its signature into `X-Body-Signature: <hex>`, with HMAC-SHA256 and the
    ///   same secret. If the request has this header, only this header is checked (**second-hand**:
    ///   three receivers agree).
    ///
    /// # Secret
    ///
    /// The secret is the client secret. In the Developer Hub: the app → *Basic Info*.
    /// ([Intercom](https://community.intercom.com/apps-integrations-25/how-to-set-up-auth-for-messenger-app-lifecycle-flow-6342))
    /// An old subscription that was created through the API has its own `hub_secret`. Pass that one
    /// instead.
    /// ([Intercom](https://developers.intercom.com/intercom-api-reference/v1.0/reference/signed-notifications))
    ///
    /// # Settings
    ///
    /// Set the URL at *Configure* → *Webhooks* in the app. It must be HTTPS and respond to `HEAD`.
    /// ([Intercom](https://developers.intercom.com/docs/webhooks/setting-up-webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://developers.intercom.com/intercom-api-reference/v1.0/reference/signed-notifications>.
    Intercom() = Scheme::hmac_sha1("x-hub-signature")
        .provider("intercom")
        .prefix("sha1=")
        .challenge(Challenge::Head)
        .families(&[Scheme::hmac_sha256("x-body-signature").provider("intercom")]),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://developers.intercom.com/docs/webhooks/webhook-notifications");

    /// `Klaviyo-Webhook-Id` identifies the subscription, not the delivery.
    ///
    /// The replay guard cannot distinguish deliveries and reports
    /// [`Unguardable`](crate::observe::EventKind::Unguardable). If you enable it with
    /// [`guard_body_only`](crate::replay::ReplayLayer::guard_body_only), it reports
    /// [`RetentionUnbounded`](crate::observe::EventKind::RetentionUnbounded), because nothing
    /// bounds the time for which it must remember a delivery.
    ///
    /// # Evidence
    ///
    /// **Second-hand** for the order of body and time and for the form of the date: several
    /// receivers agree, one of them with captured values in a test. Vendor's documentation for the
    /// rest: <https://developers.klaviyo.com/en/docs/working_with_system_webhooks>.
    Klaviyo() = Scheme::hmac_sha256("klaviyo-signature")
        .provider("klaviyo")
        .signed_content(&[Component::Body, Component::HttpDate("klaviyo-timestamp")]);

    /// A plain hash with the key in it, not an HMAC.
    ///
    /// - Lark signs only if the app has an Encrypt Key. The body is then
    ///   `{"encrypt":"<base64>"}`: AES-256-CBC under the SHA-256 digest of the key, with the IV in front.
    ///   The handler decrypts it.
    /// - When you save the request URL, Lark sends a `url_verification` request, which is not signed and,
    ///   with an Encrypt Key, encrypted. This crate cannot decrypt it, so the layer rejects it. Respond
    ///   to it in a service above the layer: decrypt the body, compare its `token` with the Verification
    ///   Token, and respond with `{"challenge":"<challenge>"}`.
    ///   ([Lark](https://github.com/larksuite/oapi-sdk-go/blob/9494618e8cd35005d152819fff6749059f7a53d1/event/dispatcher/dispatcher.go))
    /// - The time must be in seconds, with ten digits. A body with a zero byte is rejected: anyone could
    ///   append text to the hash of another body.
    ///
    /// # Secret
    ///
    /// The Encrypt Key of the app: *Events & callbacks* → *Encryption strategy*. It is not the
    /// Verification Token.
    /// ([Lark](https://open.larkoffice.com/document/ukTMukTMukTM/uYDNxYjL2QTM24iN0EjN/event-subscription-configure-/choose-a-subscription-mode/send-notifications-to-developers-server.md))
    ///
    /// # Evidence
    ///
    /// Vendor's source: `event/event.go` and `event/dispatcher/dispatcher.go` in larksuite/oapi-sdk-go
    /// @9494618. The unit of the time is **second-hand**: the SDK does not read it.
    Lark(timed) also ["Feishu"] = Scheme::plain_sha256("x-lark-signature")
        .provider("lark")
        .signed_content(&[
            Component::Time,
            Component::Header("x-lark-request-nonce"),
            Component::Secret,
            Component::Body,
        ])
        .time(TimestampSource::Header("x-lark-request-timestamp"), TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// The delivery ID is `webhookEventId` in the body.
    ///
    /// # Secret
    ///
    /// The secret is the channel secret, not the channel access token. In the LINE Developers
    /// Console: the Messaging API channel → *Basic settings* → *Channel secret*. You need Admin
    /// privileges for the channel. *Issue* creates a new secret and invalidates the old one.
    /// ([LINE](https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature))
    ///
    /// # Settings
    ///
    /// On *Messaging API*, set *Webhook URL* and enable *Use webhook*.
    /// ([LINE](https://developers.line.biz/en/docs/messaging-api/building-bot/))
    ///
    /// # Evidence
    ///
    /// Public vector: line-bot-sdk-nodejs and LINE's documentation.
    #[doc(alias = "line_messaging")]
    Line "LINE"() = Scheme::hmac_sha256("x-line-signature")
        .provider("line")
        .encoding(Encoding::Base64);

    /// # Secret
    ///
    /// In Loops: *Settings* → *Webhooks*. ([Loops](https://loops.so/docs/webhooks.md)) The secret
    /// begins with `whsec_`.
    /// ([Trigger.dev, second-hand](https://trigger.dev/docs/webhooks/providers/loops.md))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://loops.so/docs/webhooks.md>. The headers are second-hand:
    /// <https://trigger.dev/docs/webhooks/providers/loops.md>.
    Loops(timed) = webhook_family()
        .provider("loops"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// MailerSend's documentation names the header `Signature`. Its library reads
    /// `X-MailerSend-Signature`. This type accepts either.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `src/services/mailersend.utils.ts`, `README.md` and
    /// `src/__tests__/services/mailersend.utils.test.ts` in mailersend/mailersend-nodejs.
    MailerSend() = Scheme::hmac_sha256("signature")
        .provider("mailersend")
        .headers(&["signature", "x-mailersend-signature"]);

    /// - This type covers only outgoing webhooks.
    /// - The secret is the security token.
    /// - Respond within 5 seconds.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `WebhookSampleBot/Models/AuthProvider.cs` in
    /// OfficeDev/microsoft-teams-sample-outgoing-webhook.
    #[doc(alias = "teams")]
    MicrosoftTeams "Microsoft Teams outgoing"() = Scheme::hmac_sha256("authorization")
        .provider("microsoft_teams")
        .authorization("HMAC")
        .encoding(Encoding::Base64)
        .secret_encoding(SecretEncoding::Base64 { prefix: "" });

    /// Novu sends through Svix. Its documentation shows the `webhook-…` headers. This type also
    /// accepts `svix-…`.
    ///
    /// # Secret
    ///
    /// In the Novu dashboard: *Webhooks* → *Endpoints* → the endpoint.
    /// ([Novu](https://github.com/novuhq/docs/blob/0721c00815d01cdec7a300ee339536851a835f41/content/docs/platform/developer/webhooks/index.mdx))
    ///
    /// # Settings
    ///
    /// Webhooks require the plan Team or Enterprise.
    /// ([Novu](https://github.com/novuhq/docs/blob/0721c00815d01cdec7a300ee339536851a835f41/content/docs/platform/developer/webhooks/index.mdx))
    ///
    /// # Not covered
    ///
    /// Requests to your bridge endpoint, which have the header `Novu-Signature`. The Novu Framework
    /// verifies them.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: `content/docs/platform/developer/webhooks/index.mdx` in novuhq/docs
    /// @0721c00.
    Novu(timed) = either_family()
        .provider("novu"),
        DeliveryPolicy::UNKNOWN
            .retried_for(99_305, "https://github.com/novuhq/docs/blob/0721c00815d01cdec7a300ee339536851a835f41/content/docs/platform/developer/webhooks/index.mdx")
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");

    /// - The delivery ID is `id` in the body.
    /// - The body may be compressed with gzip. The signature covers the compressed bytes.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://developer.nylas.com/docs/cookbook/use-cases/build/verify-webhook-signatures/>.
    Nylas() = Scheme::hmac_sha256("x-nylas-signature")
        .provider("nylas")
        .challenge(Challenge::Query("challenge")),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://developer.nylas.com/docs/v3/notifications/")
            .largest_body(2 * MIB, "https://developer.nylas.com/docs/cookbook/use-cases/build/retry-failed-webhooks/")
            .comes_again("https://developer.nylas.com/docs/cookbook/use-cases/build/retry-failed-webhooks/");

    /// # Secret
    ///
    /// In the dashboard: *Webhooks* → the webhook. Its details page shows the signing secret
    /// (`whsec_…`). ([Resend](https://resend.com/docs/webhooks/verify-webhooks-requests)) The API
    /// also returns the secret when you create or retrieve a webhook.
    /// ([Resend](https://resend.com/changelog/managing-webhooks-via-api)) For 24 hours after you
    /// rotate the secret, deliveries carry a signature for each secret. Either secret then verifies
    /// them. ([Resend](https://resend.com/docs/api-reference/webhooks/rotate-signing-secret.md))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: Resend's documentation and Hookdeck's webhook skills.
    Resend(timed) = svix_family()
        .provider("resend"),
        DeliveryPolicy::UNKNOWN
            .retried_for(99_305, "https://resend.com/docs/webhooks/retries-and-replays")
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");

    /// This type covers the Event Notification Service of Marketing Cloud.
    ///
    /// - The secret is the signature key of the callback. If the key has to be decoded from base64,
    ///   create the secret with [`Secret::from_base64`](crate::Secret::from_base64).
    /// - Marketing Cloud sends `callbackId` and `verificationKey` to a new callback, in an unsigned
    ///   POST. The layer responds to this [first contact](crate::scheme::FirstContact) with
    ///   `200 OK`
    ///   (<https://developer.salesforce.com/docs/marketing/marketing-cloud/guide/ens-get-started.html>).
    ///   [`with_token_exchange`](Self::with_token_exchange) hands you the key.
    ///
    /// # Evidence
    ///
    /// **Second-hand** for the key, which is not decoded. Vendor's documentation for the rest:
    /// <https://developer.salesforce.com/docs/marketing/marketing-cloud/guide/ens-notification-signing.html>.
    SalesforceMarketingCloud "Salesforce Marketing Cloud"() also ["Salesforce", "Salesforce MC"] = Scheme::hmac_sha256("x-sfmc-ens-signature")
        .provider("salesforce_marketing_cloud")
        .sensitive_fields(&["verificationKey"])
        .encoding(Encoding::Base64)
        .first_contacts(&[VERIFICATION_KEY]);

    /// Other Sinch APIs use `Authorization: Application …`, which this type does not verify.
    ///
    /// # Evidence
    ///
    /// Public vector: Sinch's .NET SDK.
    Sinch(timed) = Scheme::hmac_sha256("x-sinch-webhook-signature")
        .provider("sinch")
        .unique_content()
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Body, Component::Literal("."), Component::Header("x-sinch-webhook-signature-nonce"), Component::Literal("."), Component::Time])
        .time(TimestampSource::Header("x-sinch-webhook-signature-timestamp"), TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// - This type covers TikTok for Developers.
    /// - The secret is the client secret.
    /// - TikTok Shop signs differently: `Authorization` has the hex signature of `app_key` and
    ///   body. This type does not verify it.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developers.tiktok.com/doc/webhooks-verification>.
    TikTok(timed) = Scheme::hmac_sha256("tiktok-signature")
        .provider("tiktok")
        .signature_format(SignatureFormat::pairs("t", "s"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .retried_for(3 * DAY, "https://developers.tiktok.com/doc/webhooks-overview/");

    /// The secret is the consumer secret.
    ///
    /// By X's design, anyone can obtain the HMAC of a token that they choose, and the HMAC of a
    /// body is its signature. This type therefore accepts only tokens of at most 256 letters,
    /// digits and `-._~+/=`, and rejects a body of this form. X sends no bodies of this form.
    ///
    /// # Evidence
    ///
    /// Public vector: X's documentation and Convoy.
    Twitter "X (Twitter)"() also ["X"] = Scheme::hmac_sha256("x-twitter-webhooks-signature")
        .provider("twitter")
        .prefix("sha256=")
        .encoding(Encoding::Base64)
        .challenge(Challenge::CrcToken);

    /// - The secret is the auth token.
    /// - The delivery ID is `message_token` in the body.
    ///
    /// # Evidence
    ///
    /// Public vector: viber-bot-python.
    Viber() = Scheme::hmac_sha256("x-viber-content-signature")
        .provider("viber");

    /// - This type covers Messaging and Meetings. For Contact Center, use
    ///   [`WebexContactCenter`](crate::providers::WebexContactCenter).
    /// - The delivery ID is `id` in the body.
    ///
    /// # Evidence
    ///
    /// Public vector: `docs/webhooks.md` in valgaze/speedybot-mini. See also
    /// <https://developer.webex.com/blog/using-a-webhook-secret>.
    #[doc(alias = "cisco")]
    Webex() = Scheme::hmac_sha1("x-spark-signature").provider("webex");

    /// - Test deliveries are signed with the fixed secret
    ///   `dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==`. Its key is the string itself, not decoded.
    /// - A GET delivery has an empty body.
    ///
    /// # Secret
    ///
    /// `GET /api/v2/webhooks/{webhook_id}/signing_secret` returns the signing secret. Each webhook
    /// has its own secret.
    /// ([Zendesk](https://developer.zendesk.com/api-reference/webhooks/introduction)) In Admin
    /// Center: *Apps and integrations* → *Webhooks* → the webhook → *Reveal secret*.
    /// ([Trigger.dev, not the vendor](https://trigger.dev/docs/webhooks/providers/zendesk))
    ///
    /// # Settings
    ///
    /// For a trigger or an automation, choose POST, PUT or PATCH with JSON. Other methods have no
    /// payload. Webhooks that subscribe to events always use POST with JSON.
    /// ([Zendesk](https://support.zendesk.com/hc/en-us/articles/4408839108378-Creating-webhooks-to-interact-with-third-party-systems))
    /// Zendesk publishes the secret of test deliveries. Do not pass it in production.
    /// ([Zendesk](https://developer.zendesk.com/documentation/webhooks/verifying/))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developer.zendesk.com/documentation/webhooks/verifying/>.
    Zendesk(timed) = Scheme::hmac_sha256("x-zendesk-webhook-signature")
        .provider("zendesk")
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Time, Component::Body])
        .time(TimestampSource::Header("x-zendesk-webhook-signature-timestamp"), TimestampFormat::Rfc3339)
        .delivery_id("x-zendesk-webhook-invocation-id"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .gives_up(Some(409), "second-hand: https://alboz.eu/insights/master-webhooks-maximize-stability-performance");

    /// Zoom documents no time window, and its sample does not check the timestamp. The tolerance of
    /// this type follows from Zoom's retries.
    ///
    /// # Secret
    ///
    /// The secret is the secret token, not the client secret. In the Zoom App Marketplace: *Manage*
    /// → the app → *Features* → *Secret Token*.
    /// ([Zoom](https://github.com/zoom/webhook-sample/blob/2482d3c95ad1792688e9c771c493f910d200f656/README.md))
    ///
    /// # Settings
    ///
    /// Add the URL at *Features* → *Access* → *Event Subscriptions* and validate it. Zoom validates
    /// it again every 72 hours. ([Zoom](https://developers.zoom.us/docs/api/webhooks))
    ///
    /// # Not covered
    ///
    /// The old verification token in `Authorization`, which Zoom has deprecated.
    /// ([Zoom](https://developers.zoom.us/changelog/platform/webhook-url-validation.md))
    ///
    /// # Evidence
    ///
    /// Vendor's source: zoom/webhook-sample @e4d48a7 `index.js`.
    Zoom(timed) = Scheme::hmac_sha256("x-zm-signature")
        .provider("zoom")
        .prefix("v0=")
        .signed_content(&[Component::Literal("v0:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-zm-request-timestamp"), TimestampFormat::UnixSeconds)
        .challenge(Challenge::PlainToken),
        DeliveryPolicy::UNKNOWN
            .retried_for(85 * MINUTE, "https://developers.zoom.us/blog/webhook-delays.md")
            .comes_again("https://devsupport.zoom.us/hc/en-us/articles/360059893812-Webhook-delays");
}
