//! Providers for monitoring and incidents.

use crate::{
    parse::timestamp::TimestampFormat,
    providers::{
        macros::providers,
        own::standard_webhooks::{either_family, webhook_family},
        policy::{DAY, DeliveryPolicy, KIB},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        signature_format::SignatureFormat,
    },
};

providers! {
    /// This type covers Grafana Alerting without its timestamp option. In Grafana you can rename
    /// the header and add a timestamp. Declare a [`Scheme`] for these settings.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `http/hmac.go` and `receivers/webhook/v1/config.go` in grafana/alerting.
    Grafana() = Scheme::hmac_sha256("x-grafana-alerting-signature")
        .provider("grafana");

    /// # Evidence
    ///
    /// Vendor's documentation: <https://docs.incident.io/api-reference/webhooks>.
    IncidentIo "incident.io"(timed) = webhook_family()
        .provider("incident_io"),
        DeliveryPolicy::UNKNOWN
            .retried_for(DAY, "https://docs.incident.io/api-reference/webhooks")
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");

    /// - The key is the secret string, **not** decoded, whatever it looks like.
    /// - While secrets are rotated, the header has one `v1` signature for each secret.
    ///
    /// # Secret
    ///
    /// In PagerDuty: *Integrations* → *Generic Webhooks (v3)* → *New Webhook* → *Add Webhook*.
    /// ([PagerDuty](https://support.pagerduty.com/docs/webhooks)) The dialog that then appears
    /// shows the secret.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/56a5f9960f4e7c7e134fbc0412f74b51b2df5eca/integrations/webhooks/pagerduty-webhooks.mdx))
    /// If you create the webhook through the API, the response contains the secret.
    /// ([PagerDuty](https://github.com/PagerDuty/developer-docs/blob/94224391aa3eac8fa73ea6a6af542dee0613d3e8/docs/webhooks/04-Signatures.md))
    ///
    /// # Not covered
    ///
    /// V1 and V2 webhook extensions. PagerDuty describes only v3 webhooks as signed.
    /// ([PagerDuty](https://github.com/PagerDuty/developer-docs/blob/94224391aa3eac8fa73ea6a6af542dee0613d3e8/docs/webhooks/04-Signatures.md))
    /// V1 no longer works. V2 still works, without support.
    /// ([PagerDuty](https://github.com/PagerDuty/developer-docs/blob/94224391aa3eac8fa73ea6a6af542dee0613d3e8/docs/webhooks/01-Overview.md))
    ///
    /// # Evidence
    ///
    /// Public vector: go-pagerduty.
    PagerDuty() = Scheme::hmac_sha256("x-pagerduty-signature")
        .provider("pagerduty")
        .signature_format(SignatureFormat::tagged("v1").separated_by(b',').assigned_by(b'='))
        .delivery_id("x-webhook-id"),
        DeliveryPolicy::UNKNOWN
            .largest_body(256 * KIB, "https://github.com/PagerDuty/developer-docs/blob/94224391aa3eac8fa73ea6a6af542dee0613d3e8/docs/webhooks/02-Behavior.md")
            .gives_up(Some(429), "https://github.com/PagerDuty/developer-docs/blob/94224391aa3eac8fa73ea6a6af542dee0613d3e8/docs/webhooks/02-Behavior.md");

    /// # Evidence
    ///
    /// Public vector: `internal/hook/hook_test.go` in adnanh/webhook.
    Scalr(timed) = Scheme::hmac_sha1("x-signature")
        .provider("scalr")
        .signed_content(&[Component::Body, Component::Time])
        .time(TimestampSource::Header("date"), TimestampFormat::HttpDate),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// - `Sentry-Hook-Timestamp` is not signed.
    /// - UI components, alert rule actions and issue links have their signature in
    ///   `Sentry-App-Signature` (`src/sentry/sentry_apps/external_requests` of getsentry/sentry).
    ///   The signature of a GET covers only the empty body, **not the URL**. Anyone who has seen
    ///   one such signature can send any GET.
    ///
    /// # Secret
    ///
    /// The secret is the integration's *Client Secret*: *Settings* → *Developer Settings* →
    /// *Create New Integration*. Copy it after you save the integration.
    /// ([Sentry](https://github.com/getsentry/integration-platform-example/blob/04b0f32049085b6aa6702a7b2b890224711be9c4/README.md))
    ///
    /// # Settings
    ///
    /// Give the integration a webhook URL. Switch on the webhooks that you want, for example
    /// `issue`.
    /// ([Sentry](https://github.com/getsentry/integration-platform-example/blob/04b0f32049085b6aa6702a7b2b890224711be9c4/README.md))
    ///
    /// # Not covered
    ///
    /// Service hooks. Their signature is in `X-ServiceHook-Signature` and uses the hook's own
    /// secret. Declare a [`Scheme`] for them.
    /// ([Sentry](https://github.com/getsentry/sentry/blob/1dafd77332e10006d3bfa9d1866a4c72981d7b41/src/sentry/sentry_apps/tasks/service_hooks.py))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: docs.sentry.io, Nango, and a public registry of webhook
    /// adapters.
    Sentry() = Scheme::hmac_sha256("sentry-hook-signature")
        .provider("sentry")
        .delivery_id("request-id")
        .families(&[Scheme::hmac_sha256("sentry-app-signature")
            .provider("sentry")
            .delivery_id("request-id")]),
        DeliveryPolicy::UNKNOWN
            .gives_up(Some(503), "https://github.com/getsentry/sentry/blob/000f94ca5362741b9fd8628cbcae41ffad0481ac/src/sentry/sentry_apps/tasks/sentry_apps.py");

    /// - This type covers Signal Sciences, the Next-Gen WAF of Fastly.
    /// - The secret is the signing key.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: Fastly's documentation.
    #[doc(alias = "fastly")]
    SignalSciences "Signal Sciences"() = Scheme::hmac_sha256("x-sigsci-signature")
        .provider("signal_sciences");

    /// The secret is the token.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: docs.trendmicro.com.
    TrendMicroConformity "Trend Micro Conformity"() = Scheme::hmac_sha256("x-trendmicro-signature")
        .provider("trendmicro_conformity");

    /// Vanta sends through Svix and does not name the headers. This type accepts both families.
    ///
    /// # Secret
    ///
    /// In the Vanta dashboard: *Settings* → *Webhooks* → the endpoint.
    /// ([Vanta](https://developer.vanta.com/docs/webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developer.vanta.com/docs/webhooks>, and Svix's for the
    /// format.
    Vanta(timed) = either_family()
        .provider("vanta"),
        DeliveryPolicy::UNKNOWN
            .retried_for(5 * DAY, "https://help.vanta.com/en/articles/13909210-configure-and-use-webhooks-in-vanta")
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");
}
