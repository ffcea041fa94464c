//! Monitoring and incidents.

use crate::{
    parse::timestamp::TimestampFormat,
    providers::{macros::providers, own::standard_webhooks::family},
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        signature_format::SignatureFormat,
    },
};

providers! {
    /// Grafana alerting, without its timestamp option.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Grafana-Alerting-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: grafana/alerting:http/hmac.go, receivers/webhook/v1/config.go |
    ///
    /// The header can be renamed in Grafana, and a time can be added: declare a [`Scheme`] for that.
    Grafana() = Scheme::hmac_sha256("x-grafana-alerting-signature")
        .provider("grafana");

    /// incident.io.
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
    /// | retries | for 24 hours (<https://docs.incident.io/api-reference/webhooks>); each is signed anew (<https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://docs.incident.io/api-reference/webhooks> |
    IncidentIo(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("incident_io");

    /// PagerDuty.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-PagerDuty-Signature: v1=<hex>[,v1=<hex>]` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is, **not** decoded, whatever it looks like |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-webhook-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 2 MiB; 256 KiB is documented (<https://github.com/PagerDuty/developer-docs/blob/94224391aa3eac8fa73ea6a6af542dee0613d3e8/docs/webhooks/02-Behavior.md>) |
    /// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::TOO_MANY_REQUESTS)` it comes again (<https://github.com/PagerDuty/developer-docs/blob/94224391aa3eac8fa73ea6a6af542dee0613d3e8/docs/webhooks/02-Behavior.md>) |
    /// | evidence | public vector: go-pagerduty |
    ///
    /// Several v1.
    PagerDuty() = Scheme::hmac_sha256("x-pagerduty-signature")
        .provider("pagerduty")
        .signature_format(SignatureFormat::tagged("v1").separated_by(b',').assigned_by(b'='))
        .delivery_id("x-webhook-id");

    /// Scalr.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Signature: <hex>` + `Date: Thu 07 Sep 2017 06:30:04 UTC` |
    /// | algorithm | HMAC-SHA1; key: the secret as it is |
    /// | signed content | `<body><date>` |
    /// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: adnanh/webhook `internal/hook/hook_test.go` |
    Scalr(timed) = Scheme::hmac_sha1("x-signature")
        .provider("scalr")
        .signed_content(&[Component::Body, Component::Time])
        .time(TimestampSource::Header("date"), TimestampFormat::HttpDate);

    /// Sentry.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Sentry-Hook-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: client secret, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `request-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it does not come again; of all statuses only a 5xx such as `rejection_status(StatusCode::SERVICE_UNAVAILABLE)` brings it back, which proxies count against the server (<https://github.com/getsentry/sentry/blob/000f94ca5362741b9fd8628cbcae41ffad0481ac/src/sentry/sentry_apps/tasks/sentry_apps.py>) |
    /// | evidence | vendor's documentation or source: docs.sentry.io; Nango; a public registry of webhook adapters |
    ///
    /// `Sentry-Hook-Timestamp` is not signed.
    ///
    /// UI components, alert rule actions and issue links sign in `Sentry-App-Signature`
    /// (`src/sentry/sentry_apps/external_requests` of getsentry/sentry). That of a GET covers the empty body
    /// alone, **not its URL**: whoever has seen one can send any GET.
    Sentry() = Scheme::hmac_sha256("sentry-hook-signature")
        .provider("sentry")
        .delivery_id("request-id")
        .families(&[Scheme::hmac_sha256("sentry-app-signature")
            .provider("sentry")
            .delivery_id("request-id")]);

    /// Signal Sciences (Fastly).
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-SigSci-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: signing key, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: fastly docs |
    ///
    /// Fastly Next-Gen WAF.
    SignalSciences() = Scheme::hmac_sha256("x-sigsci-signature")
        .provider("signal_sciences");

    /// Trend Micro Conformity.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-TrendMicro-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: token, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: docs.trendmicro.com |
    TrendMicroConformity() = Scheme::hmac_sha256("x-trendmicro-signature")
        .provider("trendmicro_conformity");
}
