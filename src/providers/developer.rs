//! Code, builds, hosting and AI.

use super::{providers, standard_webhooks::family};
use crate::scheme::{Encoding, Grammar, KeyRule, Part, Scheme, TimeFormat, TimeSource, Tolerance};

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
    /// | handshake | none |
    /// | status | 403 |
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
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | public vector: support.atlassian.com; go-playground/webhooks |
    ///
    /// Same header name as sha1 senders.
    Bitbucket() = Scheme::hmac_sha256("x-hub-signature")
        .provider("bitbucket")
        .prefix("sha256=")
        .delivery_id("x-request-uuid");

    /// Buildkite, in signature mode.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Buildkite-Signature: timestamp=<s>,signature=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<timestamp>.<body>` |
    /// | freshness | 5 minutes both ways; the provider names no window |
    /// | delivery id | `x-buildkite-request`, **not signed** |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | vendor's documentation: buildkite/docs:pages/apis/webhooks/_verifying_hmac_signatures.md, _webhook_signature.md, _http_headers.md |
    ///
    /// In signature mode. In token mode use [`SharedToken`](super::SharedToken) with `X-Buildkite-Token`.
    Buildkite(timed) = Scheme::hmac_sha256("x-buildkite-signature")
        .provider("buildkite")
        .grammar(Grammar::pairs("timestamp", "signature"))
        .template(&[Part::Time, Part::Literal("."), Part::Body])
        .time(TimeSource::Signature, TimeFormat::Seconds)
        .delivery_id("x-buildkite-request")
        .tolerance(Tolerance::seconds(300));

    /// CircleCI.
    ///
    /// | | |
    /// |---|---|
    /// | header | `circleci-signature: v1=<hex>[,v2=…]` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | public vector: circleci docs |
    CircleCi() = Scheme::hmac_sha256("circleci-signature")
        .provider("circleci")
        .grammar(Grammar::list("v1").separated_by(b',').assigned_by(b'='));

    /// Convoy, advanced signatures in hex.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Convoy-Signature: t=<s>,v1=<hex>[,v1=<hex>]` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>,<body>`, with a comma |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `x-convoy-event-id`, **not signed** |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | public vector: convoy signature-vectors.json |
    ///
    /// For advanced signatures in hex. Simple ones are the bare tag of the body, in hex or base64: declare a [`Scheme`] for those.
    Convoy(timed) = Scheme::hmac_sha256("x-convoy-signature")
        .provider("convoy")
        .grammar(Grammar::pairs("t", "v1"))
        .template(&[Part::Time, Part::Literal(","), Part::Body])
        .time(TimeSource::Signature, TimeFormat::Seconds)
        .delivery_id("x-convoy-event-id")
        .tolerance(Tolerance::seconds(300));

    /// Cursor.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Webhook-Signature: sha256=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-webhook-id`, **not signed** |
    /// | handshake | none |
    /// | status | 403 |
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
    /// | freshness | 30 minutes both ways |
    /// | delivery id | none known |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | vendor's documentation or source: hookdeck skills; SDK |
    ElevenLabs(timed) = Scheme::hmac_sha256("elevenlabs-signature")
        .provider("elevenlabs")
        .grammar(Grammar::pairs("t", "v0"))
        .template(&[Part::Time, Part::Literal("."), Part::Body])
        .time(TimeSource::Signature, TimeFormat::Seconds)
        .tolerance(Tolerance::seconds(1800));

    /// Gitea.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Gitea-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-gitea-delivery`, **not signed** |
    /// | handshake | none |
    /// | status | 403 |
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
    /// | handshake | none; the `ping` event is signed |
    /// | body limit | 25 MiB, GitHub's own |
    /// | status | 403 |
    /// | evidence | vendor vector: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>; octokit/webhooks-methods.js |
    ///
    /// The older `X-Hub-Signature` (SHA-1), which GitHub sends beside it, is never looked at.
    GitHub() = Scheme::hmac_sha256("x-hub-signature-256")
        .provider("github")
        .prefix("sha256=")
        .delivery_id("x-github-delivery")
        .body_limit(25 << 20);

    /// Gogs.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Gogs-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-gogs-delivery`, **not signed** |
    /// | handshake | none |
    /// | status | 403 |
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
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | **second-hand**, several sources agree: <https://devcenter3.assets.heroku.com/articles/addon-webhooks> |
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
    /// | handshake | none |
    /// | status | 403 |
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
    /// | handshake | none |
    /// | status | 403 |
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
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | **second-hand**, several sources agree: launchdarkly/integration-framework:integrations/compass/manifest.json |
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
    /// | handshake | none |
    /// | status | 403 |
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
    /// | handshake | none |
    /// | status | 403 |
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
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | public vector: openai-python tests |
    OpenAi(decoded, timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
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
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | vendor's source: render-examples/webhook-github-action:app.ts |
    Render(decoded, timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("render");

    /// Replicate.
    ///
    /// | | |
    /// |---|---|
    /// | header | `webhook-signature`, `webhook-id`, `webhook-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: base64 after `whsec_`, which may be left out |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `webhook-id`, **signed** |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | vendor's documentation or source: hookdeck skills |
    Replicate(decoded, timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
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
    /// | handshake | none |
    /// | status | 403 |
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
    /// | handshake | none |
    /// | status | 403 |
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
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | vendor's source: supabase/auth:internal/hooks/hookshttp/hookshttp.go, internal/conf/configuration.go |
    ///
    /// While secrets are rolled the sender puts a comma behind every signature but the last, so only the last one is read: keep the new secret last there.
    Supabase(decoded, timed) = family(["webhook-signature", "webhook-id", "webhook-timestamp"])
        .provider("supabase")
        .key_rule(KeyRule::Base64 { prefix: "v1,whsec_" });

    /// HCP Terraform.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-TFE-Notification-Signature: <hex>` |
    /// | algorithm | HMAC-SHA512; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | vendor's documentation or source: hashicorp docs |
    Terraform() = Scheme::hmac_sha512("x-tfe-notification-signature")
        .provider("terraform");

    /// Vercel.
    ///
    /// | | |
    /// |---|---|
    /// | header | `x-vercel-signature: <hex>` |
    /// | algorithm | HMAC-SHA1; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | handshake | none |
    /// | status | 403 |
    /// | evidence | vendor's documentation or source: vercel.com/docs; hookdeck skills |
    Vercel() = Scheme::hmac_sha1("x-vercel-signature")
        .provider("vercel");
}
