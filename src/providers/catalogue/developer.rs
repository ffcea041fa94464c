//! Code, builds, hosting and AI.

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
    /// Alchemy.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Alchemy-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: signing key, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: hookdeck alchemy-webhooks skill page |
    Alchemy() = Scheme::hmac_sha256("x-alchemy-signature")
        .provider("alchemy");

    /// Bitbucket Cloud and Data Center.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Hub-Signature: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-request-uuid`, **not signed** |
    /// | challenge | none |
    /// | first contact | Data Center's "test connection", `X-Event-Key: diagnostics:ping` with `{"test":true}` and no signature, is answered with 200 (<https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html>) |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: support.atlassian.com; go-playground/webhooks |
    ///
    /// Same header name as sha1 senders.
    Bitbucket() = Scheme::hmac_sha256("x-hub-signature")
        .provider("bitbucket")
        .prefix("sha256=")
        .delivery_id("x-request-uuid")
        .first_contacts(&[
            FirstContact::json(&[("test", ContactField::True)])
                .header("x-event-key", "diagnostics:ping"),
        ]);

    /// Buildkite, in signature mode.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Buildkite-Signature: timestamp=<s>,signature=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<timestamp>.<body>` |
    /// | freshness | 5 minutes both ways; the provider names no window |
    /// | delivery id | `x-buildkite-request`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; each is signed anew (<https://github.com/buildkite/docs/blob/35cf0294c6ea68f41d90da114120d73278f6fc0b/pages/apis/webhooks/_webhook_signature.md>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: buildkite/docs:pages/apis/webhooks/_verifying_hmac_signatures.md, _webhook_signature.md, _http_headers.md |
    ///
    /// In signature mode. In token mode use [`SharedToken`](crate::providers::SharedToken) with `X-Buildkite-Token`.
    Buildkite(timed) = Scheme::hmac_sha256("x-buildkite-signature")
        .provider("buildkite")
        .signature_format(SignatureFormat::pairs("timestamp", "signature"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
        .delivery_id("x-buildkite-request");

    /// CircleCI.
    ///
    /// | | |
    /// |---|---|
    /// | header | `circleci-signature: v1=<hex>[,v2=…]` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://github.com/circleci/circleci-docs/blob/9734a1410cc98741bc09b84f187325a8f43baf68/docs/guides/modules/integration/pages/outbound-webhooks.adoc>) |
    /// | evidence | public vector: circleci docs |
    CircleCi() = Scheme::hmac_sha256("circleci-signature")
        .provider("circleci")
        .signature_format(SignatureFormat::tagged("v1").separated_by(b',').assigned_by(b'='));

    /// Convoy, advanced signatures in hex.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Convoy-Signature: t=<s>,v1=<hex>[,v1=<hex>]` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>,<body>`, with a comma |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `x-convoy-event-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 17 minutes (<https://github.com/frain-dev/convoy/blob/2b60cc652e1d4babc1857280d5911817960e83e7/datastore/models.go>); each is signed anew (<https://github.com/frain-dev/convoy/blob/2b60cc652e1d4babc1857280d5911817960e83e7/worker/task/process_event_delivery.go>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: convoy signature-vectors.json |
    ///
    /// For advanced signatures in hex. Simple ones are the bare tag of the body, in hex or base64: declare a [`Scheme`] for those.
    Convoy(timed) = Scheme::hmac_sha256("x-convoy-signature")
        .provider("convoy")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal(","), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
        .delivery_id("x-convoy-event-id");

    /// Cursor.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Webhook-Signature: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-webhook-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: hookdeck skills |
    Cursor() = Scheme::hmac_sha256("x-webhook-signature")
        .provider("cursor")
        .prefix("sha256=")
        .delivery_id("x-webhook-id");

    /// ElevenLabs.
    ///
    /// | | |
    /// |---|---|
    /// | header | `ElevenLabs-Signature: t=<s>,v0=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 30 minutes back, 5 minutes ahead |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 41 minutes (<https://elevenlabs.io/docs/eleven-api/resources/webhooks>); whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/elevenlabs/elevenlabs-js>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::TOO_MANY_REQUESTS)` it comes again (<https://elevenlabs.io/docs/eleven-api/resources/webhooks>) |
    /// | evidence | vendor's documentation or source: hookdeck skills; SDK |
    ElevenLabs(timed) = Scheme::hmac_sha256("elevenlabs-signature")
        .provider("elevenlabs")
        .signature_format(SignatureFormat::pairs("t", "v0"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);

    /// Gitea.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Gitea-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-gitea-delivery`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it does not come again, whatever the status (<https://github.com/go-gitea/gitea/blob/05a2257af2f29077a2c0374111aa12becf7f6083/services/webhook/deliver.go>) |
    /// | evidence | public vector: go-playground/webhooks |
    ///
    /// Forgejo: X-Forgejo-*.
    Gitea() = Scheme::hmac_sha256("x-gitea-signature")
        .provider("gitea")
        .delivery_id("x-gitea-delivery");

    /// GitHub, and everything else that signs as it does.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Hub-Signature-256: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256, the secret as it is |
    /// | signed content | the body, also of `application/x-www-form-urlencoded` deliveries |
    /// | freshness | none: a captured delivery can be sent again |
    /// | delivery id | `X-GitHub-Delivery`, **not signed**; the same when GitHub redelivers |
    /// | challenge | none; the `ping` event is signed |
    /// | status | 403 |
    /// | body limit | 25 MiB (<https://docs.github.com/en/enterprise-server@3.13/webhooks/webhook-events-and-payloads>) |
    /// | after a refusal | it does not come again, whatever the status (<https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries>) |
    /// | evidence | vendor vector: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>; octokit/webhooks-methods.js |
    ///
    /// The older `X-Hub-Signature` (SHA-1), which GitHub sends beside it, is not looked at, unless
    /// [`accept_legacy_sha1`](Self::accept_legacy_sha1) is called.
    GitHub() = Scheme::hmac_sha256("x-hub-signature-256")
        .provider("github")
        .prefix("sha256=")
        .delivery_id("x-github-delivery")
        .legacy(&Scheme::hmac_sha1("x-hub-signature")
            .provider("github")
            .prefix("sha1=")
            .delivery_id("x-github-delivery"));

    /// Gogs.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Gogs-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-gogs-delivery`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it does not come again, whatever the status (<https://github.com/gogs/gogs/blob/eb1054e5432fc8397678372f08613429be233d7c/internal/database/webhook.go>) |
    /// | evidence | public vector: go-playground/webhooks |
    Gogs() = Scheme::hmac_sha256("x-gogs-signature")
        .provider("gogs")
        .delivery_id("x-gogs-delivery");

    /// Heroku.
    ///
    /// | | |
    /// |---|---|
    /// | header | `Heroku-Webhook-Hmac-SHA256: <base64>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://devcenter.heroku.com/articles/app-webhooks> |
    Heroku() = Scheme::hmac_sha256("heroku-webhook-hmac-sha256")
        .provider("heroku")
        .encoding(Encoding::Base64);

    /// Hookdeck.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-hookdeck-signature: <base64>` (+ `-signature-2` while rolling) |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-hookdeck-eventid`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: hookdeck skills |
    Hookdeck() = Scheme::hmac_sha256("x-hookdeck-signature")
        .provider("hookdeck")
        .headers(&["x-hookdeck-signature", "x-hookdeck-signature-2"])
        .encoding(Encoding::Base64)
        .delivery_id("x-hookdeck-eventid");

    /// Jira.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Hub-Signature: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-atlassian-webhook-identifier`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::TOO_MANY_REQUESTS)` it comes again (<https://community.developer.atlassian.com/t/new-jira-cloud-webhook-retry-policy/30554>) |
    /// | evidence | public vector: developer.atlassian.com |
    ///
    /// Connect apps use a JWT with `qsh` in place of it.
    Jira() = Scheme::hmac_sha256("x-hub-signature")
        .provider("jira")
        .prefix("sha256=")
        .delivery_id("x-atlassian-webhook-identifier");

    /// LaunchDarkly.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-LD-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`_id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | **second-hand**, several sources agree: a receiver in getsentry/sentry; launchdarkly/integration-framework `integrations/compass/manifest.json` |
    LaunchDarkly() = Scheme::hmac_sha256("x-ld-signature")
        .provider("launch_darkly");

    /// MongoDB Atlas alerts.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-MMS-Signature: <base64>` |
    /// | algorithm | HMAC-SHA1; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://www.mongodb.com/docs/atlas/tutorial/webhook-integration/> |
    ///
    /// Atlas alerts.
    MongoDb() = Scheme::hmac_sha1("x-mms-signature")
        .provider("mongodb")
        .encoding(Encoding::Base64);

    /// npm.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-npm-signature: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: npm/npm-hook-receiver:index.js |
    Npm() = Scheme::hmac_sha256("x-npm-signature")
        .provider("npm")
        .prefix("sha256=");

    /// OpenAI.
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
    /// | retries | for 3 days (<https://platform.openai.com/docs/webhooks>); each is signed anew (<https://platform.openai.com/docs/webhooks>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: openai-python tests |
    OpenAi(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("openai");

    /// Render.
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
    /// | retries | for 33 hours (<https://render.com/docs/webhooks>); each is signed anew (<https://render.com/docs/webhooks>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: render-examples/webhook-github-action:app.ts |
    Render(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("render");

    /// Replicate.
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
    /// | evidence | vendor's documentation or source: hookdeck skills |
    Replicate(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("replicate");

    /// Segment.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Signature: <hex>` |
    /// | algorithm | HMAC-SHA1; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`messageId`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::TOO_MANY_REQUESTS)` it comes again (<https://support.twilio.com/hc/en-us/articles/51769112022299-Understanding-Segment-Retry-Logic-for-HTTP-Status-Codes>) |
    /// | evidence | vendor's documentation or source: segment docs; webhook-verify |
    Segment() = Scheme::hmac_sha1("x-signature")
        .provider("segment");

    /// Sonatype Nexus.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Nexus-Webhook-Signature: <hex>` |
    /// | algorithm | HMAC-SHA1; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-nexus-webhook-delivery`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: fluxcd/flux-recv nexus.go |
    ///
    /// Sent JSON is re-serialised by some receivers; raw works.
    Sonatype() = Scheme::hmac_sha1("x-nexus-webhook-signature")
        .provider("sonatype")
        .delivery_id("x-nexus-webhook-delivery");

    /// Supabase auth hooks.
    ///
    /// | | |
    /// |---|---|
    /// | header | `webhook-signature`, `webhook-id`, `webhook-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: base64 after `v1,whsec_`, which may be left out |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `webhook-id`, **signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 5 seconds (<https://supabase.com/docs/guides/auth/auth-hooks>); each is signed anew (<https://github.com/supabase/auth/blob/8983071348fd964d5132948abe63ea076f9af3a0/internal/hooks/hookshttp/hookshttp.go>) |
    /// | body limit | 2 MiB; 20 KiB is documented (<https://github.com/supabase/supabase/blob/02d2e00b01d16ba6e7d664bf56beeb49be073e02/apps/docs/content/guides/auth/auth-hooks.mdx>) |
    /// | after a refusal | it does not come again, whatever the status (<https://supabase.com/docs/guides/auth/auth-hooks>) |
    /// | evidence | vendor's source: supabase/auth:internal/hooks/hookshttp/hookshttp.go, internal/conf/configuration.go |
    ///
    /// While secrets are rolled the sender puts a comma behind every signature but the last, so only the last one is read: keep the new secret last there.
    Supabase(timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("supabase")
        .secret_encoding(SecretEncoding::Base64 { prefix: "v1,whsec_" });

    /// HCP Terraform.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-TFE-Notification-Signature: <hex>` |
    /// | algorithm | HMAC-SHA512; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: hashicorp docs |
    ///
    /// Run tasks sign in `X-Tfc-Task-Signature`, by a key of their own
    /// (<https://developer.hashicorp.com/terraform/enterprise/integrations/run-tasks>).
    Terraform() = Scheme::hmac_sha512("x-tfe-notification-signature")
        .provider("terraform")
        .families(&[Scheme::hmac_sha512("x-tfc-task-signature").provider("terraform")]);

    /// Vercel.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-vercel-signature: <hex>` |
    /// | algorithm | HMAC-SHA1; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: vercel.com/docs; hookdeck skills |
    Vercel() = Scheme::hmac_sha1("x-vercel-signature")
        .provider("vercel");
}

impl GitHub {
    /// Also accepts requests that carry only the older `X-Hub-Signature: sha1=<hex>`, as GitHub
    /// Enterprise Server sends them before version 3.0. Where the newer header is present it decides alone,
    /// so that nobody can choose the weaker one. A captured delivery whose newer header was taken off has
    /// the same [`replay_key`](crate::Verified::replay_key).
    ///
    /// Source: <https://github.com/gidgethub/gidgethub/pull/160>, which compares the vendor's pages.
    #[must_use]
    pub fn accept_legacy_sha1(self) -> Self {
        Self(self.0.accept_legacy())
    }
}
