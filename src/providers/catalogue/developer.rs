//! Providers for code, builds, hosting and AI.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::providers,
        own::standard_webhooks::{either_family, webhook_family},
        policy::{DAY, DeliveryPolicy, HOUR, KIB, MIB, MINUTE},
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
    /// - The secret is the signing key.
    /// - The delivery ID is `id` in the body.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: the alchemy-webhooks page of Hookdeck's webhook skills.
    Alchemy() = Scheme::hmac_sha256("x-alchemy-signature")
        .provider("alchemy");

    /// This type covers the webhooks of Claude Managed Agents. The event's ID is `id` in the body.
    ///
    /// # Secret
    ///
    /// In the Claude Console: *Manage* → *Webhooks*. The secret begins with `whsec_` and is shown
    /// once. ([Hookdeck, second-hand](https://hookdeck.com/webhooks/platforms/guide-to-claude-webhooks-features-and-best-practices))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://platform.claude.com/docs/en/api/ruby/beta/webhooks/unwrap>.
    /// Vendor's source: `src/resources/beta/webhooks.ts` in anthropics/anthropic-sdk-typescript
    /// @00da52f, which passes the secret to the Standard Webhooks library.
    Anthropic(timed) also ["Claude"] = webhook_family()
        .provider("anthropic"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/anthropics/anthropic-sdk-typescript/blob/00da52f8f1413b6928548c30d769f562f0f6be23/src/resources/beta/webhooks.ts");

    /// - This type covers Bitbucket Cloud and Bitbucket Data Center.
    /// - The test connection of Data Center sends `X-Event-Key: diagnostics:ping` with
    ///   `{"test":true}` and no signature. The layer responds to this
    ///   [first contact](crate::scheme::FirstContact) with `200 OK`
    ///   (<https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html>).
    /// - Other providers send SHA-1 signatures in a header of the same name.
    ///
    /// # Secret
    ///
    /// You choose the secret. In Cloud: *Repository settings* → *Webhooks* → *Add webhook*.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/56a5f9960f4e7c7e134fbc0412f74b51b2df5eca/integrations/webhooks/bitbucket-webhooks.mdx))
    /// Enter a secret there, or let Bitbucket generate one.
    /// ([Bitbucket](https://bitbucket.org/blog/enhanced-webhook-security)) In Data Center: edit the
    /// webhook → *Authentication* → *Secret token*.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/56a5f9960f4e7c7e134fbc0412f74b51b2df5eca/integrations/webhooks/bitbucket-webhooks.mdx))
    ///
    /// # Not covered
    ///
    /// Basic authentication, which Data Center also offers. Use
    /// [`BasicAuth`](crate::providers::BasicAuth).
    /// ([Bitbucket](https://confluence.atlassian.com/bitbucketserver/managing-webhooks-in-bitbucket-server-938025878.html))
    ///
    /// # Evidence
    ///
    /// Public vector: support.atlassian.com and go-playground/webhooks.
    #[doc(alias = "atlassian")]
    Bitbucket() also ["Bitbucket Server"] = Scheme::hmac_sha256("x-hub-signature")
        .provider("bitbucket")
        .prefix("sha256=")
        .delivery_id("x-request-uuid")
        .first_contacts(&[
            FirstContact::json(&[("test", ContactField::True)])
                .header("x-event-key", "diagnostics:ping"),
        ]);

    /// # Secret
    ///
    /// Browserbase returns the secret when you create the webhook, and when you rotate its secret.
    /// ([Browserbase](https://docs.browserbase.com/platform/webhooks/verifying-deliveries))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://docs.browserbase.com/platform/webhooks/verifying-deliveries>.
    Browserbase(timed) = webhook_family()
        .provider("browserbase"),
        DeliveryPolicy::UNKNOWN
            .retried_for(99_305, "https://docs.browserbase.com/platform/webhooks/verifying-deliveries")
            .window(5 * MINUTE, "https://docs.browserbase.com/platform/webhooks/verifying-deliveries");

    /// This type covers Buildkite's signature mode. For its token mode, use
    /// [`SharedToken`](crate::providers::SharedToken) with `X-Buildkite-Token`.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: `_verifying_hmac_signatures.md`, `_webhook_signature.md` and
    /// `_http_headers.md` in `pages/apis/webhooks` of buildkite/docs.
    Buildkite(timed) = Scheme::hmac_sha256("x-buildkite-signature")
        .provider("buildkite")
        .signature_format(SignatureFormat::pairs("timestamp", "signature"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
        .delivery_id("x-buildkite-request"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .signs_anew(true, "https://github.com/buildkite/docs/blob/35cf0294c6ea68f41d90da114120d73278f6fc0b/pages/apis/webhooks/_webhook_signature.md");

    /// The delivery ID is `id` in the body.
    ///
    /// # Evidence
    ///
    /// Public vector: CircleCI's documentation.
    CircleCi "CircleCI"() = Scheme::hmac_sha256("circleci-signature")
        .provider("circleci")
        .signature_format(SignatureFormat::tagged("v1").separated_by(b',').assigned_by(b'=')),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://circleci.com/docs/reference/outbound-webhooks-reference/")
            .comes_again("https://github.com/circleci/circleci-docs/blob/9734a1410cc98741bc09b84f187325a8f43baf68/docs/guides/modules/integration/pages/outbound-webhooks.adoc");

    /// This type covers advanced signatures in hex. A simple signature is the bare MAC of the body,
    /// in hex or base64: declare a [`Scheme`] for it.
    ///
    /// # Evidence
    ///
    /// Public vector: Convoy's `signature-vectors.json`.
    Convoy(timed) = Scheme::hmac_sha256("x-convoy-signature")
        .provider("convoy")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal(","), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
        .delivery_id("x-convoy-event-id"),
        DeliveryPolicy::UNKNOWN
            .retried_for(1000, "https://github.com/frain-dev/convoy/blob/2b60cc652e1d4babc1857280d5911817960e83e7/datastore/models.go")
            .signs_anew(true, "https://github.com/frain-dev/convoy/blob/2b60cc652e1d4babc1857280d5911817960e83e7/worker/task/process_event_delivery.go");

    /// # Evidence
    ///
    /// **Second-hand**: Hookdeck's webhook skills.
    Cursor() = Scheme::hmac_sha256("x-webhook-signature")
        .provider("cursor")
        .prefix("sha256=")
        .delivery_id("x-webhook-id");

    /// # Evidence
    ///
    /// Vendor's documentation or source: Hookdeck's webhook skills and the SDK.
    ElevenLabs(timed) = Scheme::hmac_sha256("elevenlabs-signature")
        .provider("elevenlabs")
        .signature_format(SignatureFormat::pairs("t", "v0"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .retried_for(2430, "https://elevenlabs.io/docs/eleven-api/resources/webhooks")
            .window(30 * MINUTE, "https://github.com/elevenlabs/elevenlabs-js")
            .gives_up(Some(429), "https://elevenlabs.io/docs/eleven-api/resources/webhooks");

    /// This type covers webhooks of EAS Build and EAS Submit.
    ///
    /// # Secret
    ///
    /// You choose the secret, of at least 16 characters: `eas webhook:create --secret`.
    /// ([Expo](https://docs.expo.dev/eas/webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: `docs/pages/eas/webhooks.mdx` in expo/expo @02040a2.
    Expo "Expo (EAS)"() also ["EAS"] = Scheme::hmac_sha1("expo-signature")
        .provider("expo")
        .prefix("sha1="),
        DeliveryPolicy::UNKNOWN
            .comes_again("https://docs.expo.dev/eas/webhooks");

    /// Forgejo sends these headers under two names, `X-Forgejo-…` and `X-Gitea-…`. This type reads
    /// the `X-Gitea-…` headers.
    ///
    /// # Evidence
    ///
    /// Public vector: go-playground/webhooks.
    Gitea() also ["Forgejo"] = Scheme::hmac_sha256("x-gitea-signature")
        .provider("gitea")
        .delivery_id("x-gitea-delivery"),
        DeliveryPolicy::UNKNOWN
            .gives_up(None, "https://github.com/go-gitea/gitea/blob/05a2257af2f29077a2c0374111aa12becf7f6083/services/webhook/deliver.go");

    /// Also works for services that use GitHub's signature scheme.
    ///
    /// - Form deliveries (`application/x-www-form-urlencoded`) are signed in the same way.
    /// - A redelivery has the same `x-github-delivery`.
    /// - The `ping` event is signed.
    /// - GitHub also sends the older `X-Hub-Signature` (SHA-1). This type ignores it unless you
    ///   call [`accept_legacy_sha1`](Self::accept_legacy_sha1).
    ///
    /// # Secret
    ///
    /// You choose the secret. For a repository: *Settings* → *Webhooks* → *Add webhook* → *Secret*.
    /// For an organization: *Your organizations* → *Settings* → *Webhooks*. For a GitHub App:
    /// *Developer settings* → *GitHub Apps* → *Edit* → *Webhook secret*.
    /// ([GitHub](https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks))
    ///
    /// # Settings
    ///
    /// Without a secret, GitHub does not sign.
    /// ([GitHub](https://github.blog/changelog/2020-10-26-webhooks-configuration-enhancements))
    /// Choose the *Content type* `application/json`. The other type puts the JSON into the form
    /// field `payload`.
    /// ([GitHub](https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks))
    ///
    /// # Not covered
    ///
    /// Messages of the secret scanning partner program. They carry an ECDSA signature in
    /// `Github-Public-Key-Signature`. Use `GitHubSecretScanning` (feature `asymmetric`).
    /// ([GitHub](https://github.com/github/docs/blob/058fa63bfe93d4d06889d0d18c601d6c56b66c56/content/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program.md))
    ///
    /// # Evidence
    ///
    /// Vendor vector:
    /// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries> and
    /// octokit/webhooks-methods.js.
    GitHub() = Scheme::hmac_sha256("x-hub-signature-256")
        .provider("github")
        .prefix("sha256=")
        .delivery_id("x-github-delivery")
        .legacy(&Scheme::hmac_sha1("x-hub-signature")
            .provider("github")
            .prefix("sha1=")
            .delivery_id("x-github-delivery")),
        DeliveryPolicy::UNKNOWN
            .largest_body(25 * MIB, "https://docs.github.com/en/enterprise-server@3.13/webhooks/webhook-events-and-payloads")
            .gives_up(None, "https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries");

    /// # Evidence
    ///
    /// Public vector: go-playground/webhooks.
    Gogs() = Scheme::hmac_sha256("x-gogs-signature")
        .provider("gogs")
        .delivery_id("x-gogs-delivery"),
        DeliveryPolicy::UNKNOWN
            .gives_up(None, "https://github.com/gogs/gogs/blob/eb1054e5432fc8397678372f08613429be233d7c/internal/database/webhook.go");

    /// The delivery ID is `id` in the body.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://devcenter.heroku.com/articles/app-webhooks>.
    Heroku() = Scheme::hmac_sha256("heroku-webhook-hmac-sha256")
        .provider("heroku")
        .encoding(Encoding::Base64);

    /// This type verifies `v0`, which covers the time and the body. For Coinbase, use
    /// [`CoinbaseCdp`](crate::providers::CoinbaseCdp).
    ///
    /// # Secret
    ///
    /// Each subscription has its own secret. The application secret is an API token, not the secret.
    /// ([Hook0](https://github.com/hook0/hook0/blob/86a9d665080c89ba6f9c7b9de0cb50d72a406125/documentation/concepts/subscriptions.md))
    ///
    /// # Settings
    ///
    /// **By default, Hook0 sends only `v1`, and this type rejects it.** Set
    /// `ENABLED_SIGNATURE_VERSIONS=v0,v1` for the output worker of your Hook0 server. The name of the
    /// header can also be changed there. Declare a [`Scheme`] for another name.
    /// ([Hook0](https://github.com/hook0/hook0/blob/86a9d665080c89ba6f9c7b9de0cb50d72a406125/output-worker/src/main.rs))
    ///
    /// # Not covered
    ///
    /// Requests with `v1` alone. It also covers the headers that `h` names.
    ///
    /// # Evidence
    ///
    /// Vendor vector: the tests in `output-worker/src/work.rs` of hook0/hook0 @86a9d66.
    Hook0(timed) = Scheme::hmac_sha256("x-hook0-signature")
        .provider("hook0")
        .signature_format(SignatureFormat::pairs("t", "v0"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
        .delivery_id("x-event-id"),
        DeliveryPolicy::UNKNOWN
            .retried_for(8 * DAY, "https://github.com/hook0/hook0/blob/86a9d665080c89ba6f9c7b9de0cb50d72a406125/documentation/explanation/webhook-retry-logic.md")
            .signs_anew(true, "https://github.com/hook0/hook0/blob/86a9d665080c89ba6f9c7b9de0cb50d72a406125/output-worker/src/work.rs")
            .window(5 * MINUTE, "https://github.com/hook0/hook0/blob/86a9d665080c89ba6f9c7b9de0cb50d72a406125/clients/rust/src/lib.rs");

    /// # Evidence
    ///
    /// **Second-hand**: Hookdeck's webhook skills.
    Hookdeck() = Scheme::hmac_sha256("x-hookdeck-signature")
        .provider("hookdeck")
        .headers(&["x-hookdeck-signature", "x-hookdeck-signature-2"])
        .encoding(Encoding::Base64)
        .delivery_id("x-hookdeck-eventid");

    /// # Secret
    ///
    /// You choose the secret. As an administrator: *Settings* → *System* → *WebHooks* →
    /// *Create a WebHook* → *Secret*.
    /// ([ngrok, second-hand](https://github.com/ngrok/ngrok-docs/blob/56a5f9960f4e7c7e134fbc0412f74b51b2df5eca/integrations/webhooks/jira-webhooks.mdx))
    /// Jira can also generate it. You cannot read it again.
    /// ([Hookdeck, second-hand](https://github.com/hookdeck/webhook-skills/blob/225a0f75642424da1b6ab1eb249883e0c992d715/skills/jira-webhooks/references/verification.md))
    ///
    /// # Settings
    ///
    /// Jira does not sign a webhook that has no secret.
    /// ([Hookdeck, second-hand](https://github.com/hookdeck/webhook-skills/blob/225a0f75642424da1b6ab1eb249883e0c992d715/skills/jira-webhooks/references/verification.md))
    ///
    /// # Not covered
    ///
    /// Webhooks of Connect and OAuth apps. They carry a JWT in `Authorization`, which no type of
    /// this crate verifies.
    /// ([Hookdeck, second-hand](https://github.com/hookdeck/webhook-skills/blob/225a0f75642424da1b6ab1eb249883e0c992d715/skills/jira-webhooks/references/verification.md))
    /// The JWT of a Connect app has a `qsh` claim. Only admin webhooks have a secret.
    /// ([Atlassian](https://developer.atlassian.com/cloud/jira/platform/webhooks))
    ///
    /// # Evidence
    ///
    /// Public vector: developer.atlassian.com.
    #[doc(alias = "atlassian")]
    Jira() = Scheme::hmac_sha256("x-hub-signature")
        .provider("jira")
        .prefix("sha256=")
        .delivery_id("x-atlassian-webhook-identifier"),
        DeliveryPolicy::UNKNOWN
            .gives_up(Some(429), "https://community.developer.atlassian.com/t/new-jira-cloud-webhook-retry-policy/30554");

    /// This type covers webhooks of LangSmith Engine.
    ///
    /// # Secret
    ///
    /// Each webhook subscription has a signing secret.
    /// ([LangChain](https://docs.langchain.com/langsmith/engine-webhooks)) Open the *Engine Settings*
    /// panel on the *Engine* tab of a tracing project.
    /// ([LangChain](https://docs.langchain.com/langsmith/engine-webhooks.md))
    ///
    /// # Not covered
    ///
    /// Callbacks of the sandbox proxy. They carry a JWT in `X-LangSmith-Signature-JWT`
    /// (<https://reference.langchain.com/python/langsmith/sandbox/_verify/CALLBACK_SIGNATURE_HEADER>).
    /// No type of this crate verifies them.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://docs.langchain.com/langsmith/engine-webhooks>.
    LangSmith() = Scheme::hmac_sha256("x-langsmith-signature")
        .provider("langsmith")
        .prefix("sha256="),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://docs.langchain.com/langsmith/engine-webhooks")
            .gives_up(Some(429), "https://docs.langchain.com/langsmith/engine-webhooks");

    /// The delivery ID is `_id` in the body.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: several sources agree, a receiver in getsentry/sentry and
    /// `integrations/compass/manifest.json` in launchdarkly/integration-framework.
    LaunchDarkly() = Scheme::hmac_sha256("x-ld-signature")
        .provider("launch_darkly");

    /// # Secret
    ///
    /// In the dashboard: the project → *Webhooks* → the endpoint.
    /// ([Liveblocks](https://liveblocks.io/docs/platform/webhooks)) The secret begins with `whsec_`.
    /// ([Liveblocks](https://github.com/liveblocks/liveblocks/blob/0489584aa05b0654af92e872cce058f68e9b7539/packages/liveblocks-node/src/webhooks.ts))
    ///
    /// # Evidence
    ///
    /// Vendor's source: `packages/liveblocks-node/src/webhooks.ts` in liveblocks/liveblocks
    /// @0489584.
    Liveblocks(timed) = webhook_family()
        .provider("liveblocks"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/liveblocks/liveblocks/blob/0489584aa05b0654af92e872cce058f68e9b7539/packages/liveblocks-node/src/webhooks.ts");

    /// - This type covers alerts of MongoDB Atlas.
    /// - The delivery ID is `id` in the body.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://www.mongodb.com/docs/atlas/tutorial/webhook-integration/>.
    #[doc(alias = "atlas")]
    MongoDb "MongoDB Atlas"() = Scheme::hmac_sha1("x-mms-signature")
        .provider("mongodb")
        .encoding(Encoding::Base64);

    /// # Evidence
    ///
    /// Vendor's source: `index.js` in npm/npm-hook-receiver.
    Npm "npm"() = Scheme::hmac_sha256("x-npm-signature")
        .provider("npm")
        .prefix("sha256=");

    /// # Secret
    ///
    /// Choose *Create* on the project's
    /// [webhook settings page](https://platform.openai.com/settings/project/webhooks). OpenAI then
    /// shows the secret once. Each project has its own webhooks.
    /// ([OpenAI](https://platform.openai.com/docs/webhooks))
    ///
    /// # Evidence
    ///
    /// Public vector: the tests of openai-python.
    #[doc(alias = "chatgpt")]
    OpenAi "OpenAI"(timed) = webhook_family()
        .provider("openai"),
        DeliveryPolicy::UNKNOWN
            .retried_for(3 * DAY, "https://platform.openai.com/docs/webhooks")
            .signs_anew(true, "https://platform.openai.com/docs/webhooks")
            .window(5 * MINUTE, "https://github.com/openai/openai-node");

    /// - Workspaces with one secret for all events send `webhook-…` headers. The bot status webhooks
    ///   of older workspaces send `svix-…` headers.
    ///   ([Recall.ai](https://docs.recall.ai/update/docs/status-change-webhooks-setup-verification))
    /// - In an older workspace, each endpoint for bot status has its own secret. Pass it together
    ///   with the workspace's secret.
    ///   ([Recall.ai](https://docs.recall.ai/docs/verify-events))
    /// - The retry schedule below is that of the webhooks in the dashboard. Real-time endpoints have
    ///   another one. ([Recall.ai](https://docs.recall.ai/reference-link/webhooks-overview))
    ///
    /// # Secret
    ///
    /// In the Recall dashboard: *Developers* → create the secret. Without one, the headers are
    /// absent. ([Recall.ai](https://docs.recall.ai/docs/authenticating-requests-from-recallai))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://docs.recall.ai/docs/authenticating-requests-from-recallai>.
    RecallAi "Recall.ai"(timed) = either_family()
        .provider("recall_ai"),
        DeliveryPolicy::UNKNOWN
            .retried_for(99_305, "https://docs.recall.ai/reference-link/webhooks-overview")
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");

    /// # Evidence
    ///
    /// Vendor's source: `app.ts` in render-examples/webhook-github-action.
    Render(timed) = webhook_family()
        .provider("render"),
        DeliveryPolicy::UNKNOWN
            .retried_for(33 * HOUR, "https://render.com/docs/webhooks")
            .signs_anew(true, "https://render.com/docs/webhooks")
            .window(5 * MINUTE, "https://render.com/docs/webhooks");

    /// # Evidence
    ///
    /// **Second-hand**: Hookdeck's webhook skills.
    Replicate(timed) = webhook_family()
        .provider("replicate"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// The delivery ID is `messageId` in the body.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: Segment's documentation and webhook-verify.
    Segment() = Scheme::hmac_sha1("x-signature")
        .provider("segment"),
        DeliveryPolicy::UNKNOWN
            .gives_up(Some(429), "https://support.twilio.com/hc/en-us/articles/51769112022299-Understanding-Segment-Retry-Logic-for-HTTP-Status-Codes");

    /// # Secret
    ///
    /// You choose the secret when you create the webhook through the API.
    /// ([Snyk](https://docs.snyk.io/snyk-api/snyk-webhooks/validation-and-versioning-of-payloads))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://docs.snyk.io/snyk-api/snyk-webhooks/validation-and-versioning-of-payloads>.
    Snyk() = Scheme::hmac_sha256("x-hub-signature")
        .provider("snyk")
        .prefix("sha256=");

    /// Some receivers serialise the JSON again before they verify it. The body as received
    /// verifies, too.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: `nexus.go` in fluxcd/flux-recv.
    #[doc(alias = "nexus")]
    Sonatype "Sonatype Nexus"() = Scheme::hmac_sha1("x-nexus-webhook-signature")
        .provider("sonatype")
        .delivery_id("x-nexus-webhook-delivery");

    /// This type covers Supabase's auth hooks.
    ///
    /// While secrets are rotated, Supabase puts a comma after every signature but the last one, so
    /// this type reads only the last one. Keep the new secret last in Supabase's settings.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `internal/hooks/hookshttp/hookshttp.go` and
    /// `internal/conf/configuration.go` in supabase/auth.
    Supabase(timed) = webhook_family()
        .provider("supabase")
        .secret_encoding(SecretEncoding::Base64 { prefix: "v1,whsec_" }),
        DeliveryPolicy::UNKNOWN
            .retried_for(5, "https://supabase.com/docs/guides/auth/auth-hooks")
            .signs_anew(true, "https://github.com/supabase/auth/blob/8983071348fd964d5132948abe63ea076f9af3a0/internal/hooks/hookshttp/hookshttp.go")
            .largest_body(20 * KIB, "https://github.com/supabase/supabase/blob/02d2e00b01d16ba6e7d664bf56beeb49be073e02/apps/docs/content/guides/auth/auth-hooks.mdx")
            .gives_up(None, "https://supabase.com/docs/guides/auth/auth-hooks");

    /// The body is a list of events.
    ///
    /// # Secret
    ///
    /// In the admin console: *Webhooks* → *Add endpoint*. Tailscale shows the secret once.
    /// ([Trigger.dev, second-hand](https://trigger.dev/docs/webhooks/providers/tailscale))
    ///
    /// # Evidence
    ///
    /// Vendor's source: `docs/webhooks/example.go` in tailscale/tailscale @1beb145.
    Tailscale(timed) = Scheme::hmac_sha256("tailscale-webhook-signature")
        .provider("tailscale")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/tailscale/tailscale/blob/1beb145804012f2d05f9c6183a2cc50930bbef79/docs/webhooks/example.go");

    /// Run tasks are signed in `X-Tfc-Task-Signature`, with a key of their own
    /// (<https://developer.hashicorp.com/terraform/enterprise/integrations/run-tasks>).
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: HashiCorp's documentation.
    #[doc(alias = "hashicorp")]
    Terraform "HCP Terraform"() = Scheme::hmac_sha512("x-tfe-notification-signature")
        .provider("terraform")
        .families(&[Scheme::hmac_sha512("x-tfc-task-signature").provider("terraform")]);

    /// The delivery ID is `id` in the body.
    ///
    /// # Secret
    ///
    /// For an account webhook: the team's *Settings* → *Webhooks* → *Create Webhook*. The dialog
    /// *Webhook Created* shows the secret once.
    /// ([Vercel](https://vercel.com/docs/observability/webhooks-overview)) For an integration
    /// webhook: *Integration Console* → *Integration Secret* or *Client Secret*.
    /// ([Vercel](https://vercel.com/docs/observability/webhooks-overview)) For a drain: *Edit* in
    /// the list of drains. ([Vercel](https://vercel.com/docs/headers/request-headers))
    ///
    /// # Settings
    ///
    /// Account webhooks require the plan Pro or Enterprise.
    /// ([Vercel](https://vercel.com/docs/observability/webhooks-overview))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: vercel.com/docs and Hookdeck's webhook skills.
    Vercel() = Scheme::hmac_sha1("x-vercel-signature")
        .provider("vercel");
}

impl GitHub {
    /// Also accepts requests that carry only the older `X-Hub-Signature: sha1=<hex>`.
    ///
    /// GitHub Enterprise Server before version 3.0 sends these requests. If the newer header is
    /// present, only it is checked, so that an attacker cannot choose the weaker signature. A
    /// captured delivery without its newer header has the same
    /// [`replay_key`](crate::Verified::replay_key) as with it.
    ///
    /// Source: <https://github.com/gidgethub/gidgethub/pull/160>, which compares the vendor's pages.
    #[must_use]
    pub fn accept_legacy_sha1(self) -> Self {
        Self(self.0.accept_legacy())
    }
}
