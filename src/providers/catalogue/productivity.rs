//! Providers for documents, forms, planning and customer records.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::providers,
        own::standard_webhooks::webhook_family,
        policy::{DAY, DeliveryPolicy, HOUR, MIB, MINUTE},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
    verifier::challenge::challenge::Challenge,
};

providers! {
    /// The secret is the MAC secret.
    ///
    /// # Evidence
    ///
    /// Public vector: `tests/test_models_webhook.py` in pyairtable 3.5.1. See also
    /// <https://airtable.com/developers/web/api/webhooks-overview>.
    Airtable() = Scheme::hmac_sha256("x-airtable-content-mac")
        .provider("airtable")
        .prefix("hmac-sha256=")
        .secret_encoding(SecretEncoding::Base64 { prefix: "" });

    /// # Secret
    ///
    /// No console shows the secret. Asana sends it in `X-Hook-Secret`, with the first request to a
    /// new webhook, an unsigned POST, while your own request for the webhook is still in progress.
    /// Your response must carry the same header.
    /// ([Asana](https://developers.asana.com/reference/createwebhook))
    /// [`with_secret_exchange`](Self::with_secret_exchange) hands you the secret and sends the
    /// response.
    ///
    /// # Settings
    ///
    /// Your server must accept requests while it waits for the response to its own request. Asana
    /// rejects `localhost` as a target.
    /// ([Asana](https://developers.asana.com/reference/createwebhook))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: `javascript/webhooks-nodejs/index.js` in
    /// Asana/devrel-examples.
    Asana() = Scheme::hmac_sha256("x-hook-signature")
        .provider("asana"),
        DeliveryPolicy::UNKNOWN
            .comes_again("https://developers.asana.com/docs/webhooks-guide");

    /// # Secret
    ///
    /// You choose the *Secret Token* of a webhook, in *Admin* → *Integrations* → *Webhooks*.
    /// ([Ashby](https://developers.ashbyhq.com/docs/setting-up-webhooks))
    ///
    /// # Settings
    ///
    /// The secret token is optional: set one.
    /// ([Ashby](https://developers.ashbyhq.com/docs/setting-up-webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developers.ashbyhq.com/docs/authenticating-webhooks>.
    Ashby() = Scheme::hmac_sha256("ashby-signature")
        .provider("ashby")
        .prefix("sha256="),
        DeliveryPolicy::UNKNOWN
            .retried_for(10_130, "https://developers.ashbyhq.com/docs/retries")
            .gives_up(Some(400), "https://developers.ashbyhq.com/docs/retries");

    /// # Evidence
    ///
    /// **Second-hand**: Nango.
    Attio() = Scheme::hmac_sha256("attio-signature")
        .provider("attio")
        .delivery_id("idempotency-key");

    /// Asana uses the same header name with another scheme.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: Nango's tests.
    Autotask() = Scheme::hmac_sha1("x-hook-signature")
        .provider("autotask")
        .prefix("sha1=")
        .encoding(Encoding::Base64);

    /// - The type is named after Box's domain, because the standard library has a type `Box`.
    /// - Box writes characters outside ASCII as `\uXXXX` in the body. The signature covers the body
    ///   as sent (box/box-node-sdk @7dcf9c2).
    ///
    /// # Secret
    ///
    /// In the Developer Console: the application → *Webhooks* → *Manage signature keys* →
    /// *Generate Key*. The application has a primary and a secondary key. Pass both.
    /// ([Box](https://developer.box.com/guides/webhooks/handle/setup-signatures))
    ///
    /// # Settings
    ///
    /// Create a *V2* webhook. The application needs the scope *Manage Webhooks*.
    /// ([Box](https://github.com/box/developer.box.com/blob/eee1aa64089f0d46d362bf044d40a03a58946b6b/content/guides/webhooks/v2/create-v2.md))
    ///
    /// # Not covered
    ///
    /// V1 webhooks. Box offers no verification for them.
    /// ([Box](https://github.com/box/developer.box.com/blob/eee1aa64089f0d46d362bf044d40a03a58946b6b/content/guides/webhooks/index.md))
    ///
    /// # Evidence
    ///
    /// Vendor vector: the webhook tests of box/box-typescript-sdk-gen.
    BoxCom "Box"(timed) = Scheme::hmac_sha256("box-signature-primary")
        .provider("box")
        .headers(&["box-signature-primary", "box-signature-secondary"])
        .required(&[
            ("box-signature-version", "1"),
            ("box-signature-algorithm", "HmacSHA256"),
        ])
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Body, Component::Time])
        .time(TimestampSource::Header("box-delivery-timestamp"), TimestampFormat::Rfc3339)
        .delivery_id("box-delivery-id"),
        DeliveryPolicy::UNKNOWN
            .retried_for(2 * HOUR, "https://developer.box.com/guides/webhooks/v2/")
            .window(10 * MINUTE, "https://github.com/box/developer.box.com/blob/eee1aa64089f0d46d362bf044d40a03a58946b6b/content/guides/webhooks/v2/signatures-v2.md")
            .comes_again("https://developer.box.com/guides/webhooks/v2");

    /// If the webhook has no secret, the header reads `no-secret-provided`. This type rejects it.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: Nango.
    CalCom "Cal.com"() = Scheme::hmac_sha256("x-cal-signature-256")
        .provider("cal_com");

    /// # Secret
    ///
    /// With a personal access token, you choose the secret. Pass it as `signing_key` when you
    /// create the webhook subscription through the API. Calendly does not show it again.
    /// ([Calendly](https://developer.calendly.com/docs/webhooks/overview)) An OAuth app gets one
    /// key for all its webhooks when you create the app. If you lose it, write to Calendly's
    /// developer support.
    /// ([Calendly](https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures))
    ///
    /// # Settings
    ///
    /// With a personal access token, the key is optional: set one.
    /// ([Calendly](https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: developer.calendly.com and Nango.
    Calendly(timed) = Scheme::hmac_sha256("calendly-webhook-signature")
        .provider("calendly")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .retried_for(DAY, "https://developer.calendly.com/api-docs/overview/webhooks/webhook-errors")
            .window(3 * MINUTE, "https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures")
            .comes_again("https://community.calendly.com/developer-faq-62/why-am-i-not-receiving-webhook-data-how-does-a-webhook-become-disabled-548");

    /// The delivery ID consists of `webhook_id` and the history ID in the body.
    ///
    /// # Secret
    ///
    /// Create the webhook through the API. The response contains the secret in `webhook.secret`.
    /// ([ClickUp](https://developer.clickup.com/docs/webhooksignature))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developer.clickup.com/docs/webhooksignature>.
    ClickUp() = Scheme::hmac_sha256("x-signature")
        .provider("clickup");

    /// DocuSign numbers its signature headers up to 100. This type reads the first 10.
    ///
    /// # Secret
    ///
    /// Open *Admin* → *Integrations* → *Connect*.
    /// ([Docusign](https://developers.docusign.com/platform/webhooks/connect/setting-up-hmac.md))
    /// Then choose *Connect Keys* → *Add Secret Key*.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/56a5f9960f4e7c7e134fbc0412f74b51b2df5eca/integrations/webhooks/docusign-webhooks.mdx))
    /// Copy the key immediately: the API later returns only a part of it.
    /// ([Docusign](https://developers.docusign.com/docs/esign-rest-api/reference/connect/connectconfigurations/getconnectsecret.md))
    ///
    /// # Settings
    ///
    /// DocuSign does not sign by default. Switch on *Include HMAC Signature* in the Connect
    /// configuration.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/56a5f9960f4e7c7e134fbc0412f74b51b2df5eca/integrations/webhooks/docusign-webhooks.mdx))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://developers.docusign.com/docs/platform/webhooks/connect/validate>.
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
        .encoding(Encoding::Base64),
        DeliveryPolicy::UNKNOWN
            .largest_body(40 * MIB, "https://developers.docusign.com/docs/esign-soap-api/esign101/api-info/file-limitations.md");

    /// # Secret
    ///
    /// The secret is the app secret: *App Console* → the app → *Settings* → *App secret* → *Show*.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/56a5f9960f4e7c7e134fbc0412f74b51b2df5eca/integrations/webhooks/dropbox-webhooks.mdx))
    ///
    /// # Settings
    ///
    /// Add the URI at *App Console* → the app → *Webhooks*. Dropbox immediately sends it a GET with
    /// `challenge`. The layer responds to it.
    /// ([Dropbox](https://www.dropbox.com/developers/reference/webhooks))
    ///
    /// # Not covered
    ///
    /// Dropbox Sign, which puts an event hash into the body: see
    /// [`DropboxSign`](crate::providers::DropboxSign).
    /// ([Dropbox Sign](https://developers.hellosign.com/docs/guides/events-and-callbacks/walkthrough.md))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://www.dropbox.com/developers/reference/webhooks>.
    Dropbox() = Scheme::hmac_sha256("x-dropbox-signature")
        .provider("dropbox")
        .challenge(Challenge::Query("challenge"));

    /// # Evidence
    ///
    /// **Second-hand**: Nango.
    Fathom(timed) = webhook_family()
        .provider("fathom"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// # Secret
    ///
    /// folk shows the secret once, when you create the webhook.
    /// ([folk](https://developer.folk.app/webhooks/handle-deliveries))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developer.folk.app/webhooks/handle-deliveries>, which refers
    /// to the Standard Webhooks libraries.
    Folk "folk"(timed) = webhook_family()
        .provider("folk"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://developer.folk.app/webhooks/handle-deliveries");

    /// This type covers the deliveries of Glean's triggers.
    ///
    /// # Secret
    ///
    /// Glean returns the secret, `whsec_…`, once, when you create the trigger.
    /// ([Glean](https://github.com/gleanwork/glean-developer-site/blob/156138cf9ca51ece5a524ea625f17eb806148820/docs/guides/triggers/webhook-delivery.mdx))
    ///
    /// # Settings
    ///
    /// With `delivery.auth`, Glean also sends a bearer token.
    /// ([Glean](https://github.com/gleanwork/glean-developer-site/blob/156138cf9ca51ece5a524ea625f17eb806148820/docs/guides/triggers/webhook-delivery.mdx))
    /// To check both, use [`all_of`](crate::verifier::all_of) with
    /// [`SharedToken`](crate::providers::SharedToken).
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: `docs/guides/triggers/webhook-delivery.mdx` in
    /// gleanwork/glean-developer-site @156138c.
    Glean(timed) = webhook_family()
        .provider("glean"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/gleanwork/glean-developer-site/blob/156138cf9ca51ece5a524ea625f17eb806148820/docs/guides/triggers/webhook-delivery.mdx")
            .gives_up(Some(429), "https://github.com/gleanwork/glean-developer-site/blob/156138cf9ca51ece5a524ea625f17eb806148820/docs/guides/triggers/webhook-delivery.mdx");

    /// The README of Go1's verifier names the signature `s=`, but its code requires `v1=`.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: go1com/webhook-verifier-js.
    Go1(timed) = Scheme::hmac_sha256("go1-signature")
        .provider("go1")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(MINUTE, "https://github.com/go1com/webhook-verifier-js");

    /// The secret is the client secret.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: Nango.
    Jobber() = Scheme::hmac_sha256("x-jobber-hmac-sha256")
        .provider("jobber")
        .encoding(Encoding::Base64);

    /// Every payload has `webhookTimestamp`. The header `Linear-Timestamp` carries the same time,
    /// but it is not signed, and this type does not read it (linear/linear @8335e09).
    ///
    /// # Secret
    ///
    /// The webhook's detail page shows the secret.
    /// ([Linear](https://linear.app/developers/webhooks)) Open *Settings* → *Administration* →
    /// *API* → *Webhooks*. The field is *Signing secret*.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/56a5f9960f4e7c7e134fbc0412f74b51b2df5eca/integrations/webhooks/linear-webhooks.mdx))
    ///
    /// # Settings
    ///
    /// Only workspace admins, and OAuth applications with the scope `admin`, can create or read
    /// webhooks. ([Linear](https://linear.app/developers/webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: linear.app/developers and Nango.
    Linear(timed) = Scheme::hmac_sha256("linear-signature")
        .provider("linear")
        .time(TimestampSource::Json("webhookTimestamp"), TimestampFormat::UnixMillis)
        .delivery_id("linear-delivery"),
        DeliveryPolicy::UNKNOWN
            .retried_for(421 * MINUTE, "second-hand: https://linear.app/developers/webhooks")
            .signs_anew(false, "second-hand: https://github.com/vercel/eve/issues/1570")
            .window(MINUTE, "https://linear.app/developers/webhooks");

    /// The delivery ID is `id` in the body.
    ///
    /// # Secret
    ///
    /// The secret is the verification token. Notion does not show it. In the connection's settings:
    /// *Webhooks* → *Create a subscription*. Notion then sends `verification_token` to your URL, in
    /// one POST. [`with_token_exchange`](Self::with_token_exchange) hands you the token. Paste it
    /// at *Webhooks* → *Verify* → *Verify subscription*. *Resend token* sends it again.
    /// ([Notion](https://developers.notion.com/reference/webhooks))
    ///
    /// # Settings
    ///
    /// A subscription that you create again has another token.
    /// ([Notion](https://developers.notion.com/reference/webhooks))
    ///
    /// # Evidence
    ///
    /// Public vector: developers.notion.com.
    Notion() = Scheme::hmac_sha256("x-notion-signature")
        .provider("notion")
        // The first POST contains the secret.
        .sensitive_fields(&["verification_token"])
        .prefix("sha256="),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://developers.notion.com/reference/webhooks");

    /// The delivery ID is the same for every retry. PandaDoc sends it since 20 July 2026.
    /// ([PandaDoc](https://developers.pandadoc.com/changelog/2026-07-20-webhooks-deduplicate))
    ///
    /// # Secret
    ///
    /// The shared key of the webhook subscription, in the Developer Dashboard.
    /// ([PandaDoc](https://developers.pandadoc.com/docs/webhook-verification))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developers.pandadoc.com/docs/webhook-verification>.
    PandaDoc() = Scheme::hmac_sha256("signature")
        .provider("pandadoc")
        .query("signature")
        .delivery_id("x-pandadoc-webhook-event-id");

    /// # Secret
    ///
    /// In the dashboard: *Settings* → *Webhooks* → the endpoint. The secret begins with `whsec_`.
    /// ([SignatureAPI](https://signatureapi.com/docs/api/guides/how-to/verify-webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://signatureapi.com/docs/api/guides/how-to/verify-webhooks>.
    SignatureApi "SignatureAPI"(timed) = webhook_family()
        .provider("signature_api"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://signatureapi.com/docs/api/guides/how-to/verify-webhooks");

    /// # Settings
    ///
    /// The signing secret of a webhook is optional: set one.
    /// ([Hookdeck, second-hand](https://www.skills.sh/hookdeck/webhook-skills/tally-webhooks))
    ///
    /// # Evidence
    ///
    /// **Second-hand**: several receivers agree, and
    /// <https://www.skills.sh/hookdeck/webhook-skills/tally-webhooks>.
    Tally() = Scheme::hmac_sha256("tally-signature")
        .provider("tally")
        .encoding(Encoding::Base64);

    /// - The secret is the app secret.
    /// - The delivery ID is `action.id` in the body.
    ///
    /// The signature covers the body and then the URL, with nothing between them. The end of the
    /// body could therefore pass as the beginning of the URL. This type rejects a request in which
    /// bytes were moved across the boundary between URL and JSON body. Bodies in other formats are
    /// not protected. For them, put the layer on an exact route or use
    /// [`PublicUrl::fixed`](crate::PublicUrl::fixed).
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: developer.atlassian.com and n8n.
    #[doc(alias = "atlassian")]
    Trello(url) = Scheme::hmac_sha1("x-trello-webhook")
        .provider("trello")
        .takes_any_body()
        .encoding(Encoding::Base64)
        .signed_content(&[Component::Body, Component::Url])
        .challenge(Challenge::Head);

    /// # Secret
    ///
    /// The secret is the signing key of the webhook.
    /// ([Tripleseat](https://support.tripleseat.com/hc/en-us/articles/360002146094-Tripleseat-Webhooks))
    ///
    /// # Evidence
    ///
    /// **Second-hand**: `json-schema/tripleseat-webhooks-webhook-headers-schema.json` in
    /// api-evangelist/tripleseat has the header, the algorithm and the body as signed content. It does
    /// not name the encoding; a list of providers says hexadecimal.
    Tripleseat() = Scheme::hmac_sha256("x-signature")
        .provider("tripleseat");

    /// The delivery ID is `event_id` in the body.
    ///
    /// # Secret
    ///
    /// You choose the secret. Pass `secret` when you create or update the webhook through the API.
    /// ([Typeform](https://www.typeform.com/developers/webhooks/secure-your-webhooks/)) In the
    /// form: *Connect* → *Webhooks* → the webhook → *Edit* → *Secret*.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/56a5f9960f4e7c7e134fbc0412f74b51b2df5eca/integrations/webhooks/typeform-webhooks.mdx))
    ///
    /// # Settings
    ///
    /// Typeform signs only if a secret is set.
    /// ([Typeform](https://www.typeform.com/developers/webhooks/reference/create-or-update-webhook/))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://www.typeform.com/developers/webhooks/secure-your-webhooks/>.
    Typeform() = Scheme::hmac_sha256("typeform-signature")
        .provider("typeform")
        .prefix("sha256=")
        .encoding(Encoding::Base64),
        DeliveryPolicy::UNKNOWN
            .comes_again("https://typeform.com/developers/webhooks");

    /// This type covers the connection webhooks of Zapier's White Label.
    ///
    /// # Secret
    ///
    /// Zapier returns the secret, `whsec_…`, when you create the webhook. To replace a lost secret,
    /// delete the webhook and create a new one.
    /// ([Zapier](https://docs.zapier.com/white-label/connection-webhooks/verify-signatures))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://docs.zapier.com/white-label/connection-webhooks/verify-signatures>.
    Zapier(timed) = webhook_family()
        .provider("zapier"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://docs.zapier.com/white-label/connection-webhooks/verify-signatures");
}
