//! Delivery policies of all providers.
//!
//! Each fact has its source. A fact that is not listed is unknown. Schedules run from the first
//! attempt to the last. Durations are those of the provider's live environment.

use http::StatusCode;

use crate::providers::policy::DeliveryPolicy;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

pub(crate) const POLICIES: &[DeliveryPolicy] = &[
    DeliveryPolicy::of("ably"),
    DeliveryPolicy::of("adyen_platform"),
    DeliveryPolicy::of("affirm")
        .retried_for(0, "https://docs.affirm.com/developers/docs/webhook-best-practices")
        .window(5 * MINUTE, "https://docs.affirm.com/developers/docs/webhook-best-practices")
        .gives_up(None, "https://docs.affirm.com/developers/docs/webhook-best-practices"),
    DeliveryPolicy::of("aftership"),
    DeliveryPolicy::of("airship")
        .unknown_retries(),
    DeliveryPolicy::of("airtable"),
    DeliveryPolicy::of("airwallex")
        .retried_for(3 * DAY, "https://www.airwallex.com/docs/developer-tools/webhooks/webhooks-overview"),
    DeliveryPolicy::of("alchemy"),
    DeliveryPolicy::of("asana")
        .comes_again("https://developers.asana.com/docs/webhooks-guide"),
    DeliveryPolicy::of("attio"),
    DeliveryPolicy::of("authorize_net"),
    DeliveryPolicy::of("autodesk"),
    DeliveryPolicy::of("autotask"),
    DeliveryPolicy::of("azure_event_grid")
        .largest_body(MIB, "https://github.com/MicrosoftDocs/azure-docs/blob/main/articles/event-grid/event-schema.md")
        .gives_up(Some(404), "https://learn.microsoft.com/en-us/azure/event-grid/delivery-and-retry"),
    DeliveryPolicy::of("basic_auth")
        .demands(StatusCode::UNAUTHORIZED, "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2"),
    DeliveryPolicy::of("bigcommerce")
        .retried_for(2 * DAY, "https://github.com/bigcommerce/docs/blob/24f580ca6d2981728b7ed70a2049e00fc602c335/docs/integrations/webhooks/overview.mdx")
        .comes_again("https://docs.bigcommerce.com/developer/docs/integrations/webhooks"),
    DeliveryPolicy::of("bitbucket"),
    DeliveryPolicy::of("bolt"),
    DeliveryPolicy::of("box")
        .retried_for(2 * HOUR, "https://developer.box.com/guides/webhooks/v2/")
        .window(10 * MINUTE, "https://github.com/box/developer.box.com/blob/eee1aa64089f0d46d362bf044d40a03a58946b6b/content/guides/webhooks/v2/signatures-v2.md")
        .comes_again("https://developer.box.com/guides/webhooks/v2"),
    DeliveryPolicy::of("brevo")
        .gives_up(Some(429), "https://developers.brevo.com/docs/retry-mechanism"),
    DeliveryPolicy::of("brex")
        .unknown_retries(),
    DeliveryPolicy::of("buildkite")
        .unknown_retries()
        .signs_anew(true, "https://github.com/buildkite/docs/blob/35cf0294c6ea68f41d90da114120d73278f6fc0b/pages/apis/webhooks/_webhook_signature.md"),
    DeliveryPolicy::of("cal_com"),
    DeliveryPolicy::of("calendly")
        .retried_for(DAY, "https://developer.calendly.com/api-docs/overview/webhooks/webhook-errors")
        .window(3 * MINUTE, "https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures")
        .comes_again("https://community.calendly.com/developer-faq-62/why-am-i-not-receiving-webhook-data-how-does-a-webhook-become-disabled-548"),
    DeliveryPolicy::of("cashfree")
        .retried_for(42 * MINUTE, "https://www.cashfree.com/docs/api-reference/webhooks/reliability-and-operations"),
    DeliveryPolicy::of("castle"),
    DeliveryPolicy::of("chargebee"),
    DeliveryPolicy::of("chargify"),
    DeliveryPolicy::of("checkout_com")
        .known_by("id", "https://www.checkout.com/docs/developer-resources/webhooks/manage-webhooks/set-up-your-webhook-receiver"),
    DeliveryPolicy::of("checkr"),
    DeliveryPolicy::of("circleci")
        .known_by("id", "https://circleci.com/docs/reference/outbound-webhooks-reference/")
        .comes_again("https://github.com/circleci/circleci-docs/blob/9734a1410cc98741bc09b84f187325a8f43baf68/docs/guides/modules/integration/pages/outbound-webhooks.adoc"),
    DeliveryPolicy::of("clearbit"),
    DeliveryPolicy::of("clerk")
        .retried_for(99_305, "https://clerk.com/docs/core-1/integrations/webhooks/overview")
        .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs"),
    DeliveryPolicy::of("clickup"),
    DeliveryPolicy::of("coinbase_commerce"),
    DeliveryPolicy::of("convoy")
        .retried_for(1000, "https://github.com/frain-dev/convoy/blob/2b60cc652e1d4babc1857280d5911817960e83e7/datastore/models.go")
        .signs_anew(true, "https://github.com/frain-dev/convoy/blob/2b60cc652e1d4babc1857280d5911817960e83e7/worker/task/process_event_delivery.go"),
    DeliveryPolicy::of("cursor"),
    DeliveryPolicy::of("customer_io")
        .known_by("event_id", "https://docs.customer.io/integrations/data-out/connections/webhooks/")
        .retried_for(7 * DAY, "second-hand: https://github.com/hookdeck/webhook-skills")
        .comes_again("https://docs.customer.io/api/webhooks/"),
    DeliveryPolicy::of("datadog"),
    DeliveryPolicy::of("datasaur"),
    DeliveryPolicy::of("deepgram")
        .comes_again("https://developers.deepgram.com/docs/callback"),
    DeliveryPolicy::of("discord")
        .retried_for(10 * MINUTE, "https://github.com/discord/discord-api-docs/blob/2001e741f6aae8e4e043baac9bec7879c5a59b38/docs/events/webhook-events.mdx")
        .demands(StatusCode::UNAUTHORIZED, "https://docs.discord.com/developers/events/webhook-events"),
    DeliveryPolicy::of("docusign")
        .largest_body(40 * MIB, "https://developers.docusign.com/docs/esign-soap-api/esign101/api-info/file-limitations.md"),
    DeliveryPolicy::of("dropbox"),
    DeliveryPolicy::of("dwolla"),
    DeliveryPolicy::of("easypost"),
    DeliveryPolicy::of("elevenlabs")
        .retried_for(2430, "https://elevenlabs.io/docs/eleven-api/resources/webhooks")
        .window(30 * MINUTE, "https://github.com/elevenlabs/elevenlabs-js")
        .gives_up(Some(429), "https://elevenlabs.io/docs/eleven-api/resources/webhooks"),
    DeliveryPolicy::of("etsy")
        .retried_for(99_305, "second-hand: https://raw.githubusercontent.com/api-evangelist/etsy/refs/heads/main/asyncapi/etsy-webhooks-asyncapi.yml")
        .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs"),
    DeliveryPolicy::of("fathom")
        .unknown_retries(),
    DeliveryPolicy::of("finch")
        .retried_for(99_305, "second-hand: https://developer.tryfinch.com/docs/documentation/col7xfm69ll1t-webhooks")
        .signs_anew(true, "second-hand: sent through Svix, https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs")
        .window(5 * MINUTE, "https://github.com/Finch-API/finch-api-python"),
    DeliveryPolicy::of("flutterwave"),
    DeliveryPolicy::of("frameio")
        .unknown_retries()
        .window(5 * MINUTE, "https://github.com/AdobeDocs/frameio-api/blob/2bd80f8b13c29fd4d7a761535cb590df98a50a44/src/pages/guides/Webhooks/index.md"),
    DeliveryPolicy::of("front")
        .unknown_retries(),
    DeliveryPolicy::of("gitea")
        .gives_up(None, "https://github.com/go-gitea/gitea/blob/05a2257af2f29077a2c0374111aa12becf7f6083/services/webhook/deliver.go"),
    DeliveryPolicy::of("github")
        .largest_body(25 * MIB, "https://docs.github.com/en/enterprise-server@3.13/webhooks/webhook-events-and-payloads")
        .gives_up(None, "https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries"),
    DeliveryPolicy::of("gitlab")
        .retried_for(0, "https://docs.gitlab.com/user/project/integrations/webhooks/")
        .largest_body(25 * MIB, "https://gitlab.com/gitlab-org/gitlab/-/merge_requests/38687")
        .gives_up(None, "second-hand: https://hookdeck.com/webhooks/platforms/how-to-solve-gitlab-automatic-webhook-disabling"),
    DeliveryPolicy::of("go1")
        .unknown_retries()
        .window(MINUTE, "https://github.com/go1com/webhook-verifier-js"),
    DeliveryPolicy::of("gocardless")
        .comes_again("https://support.gocardless.com/hc/en-nz/articles/360000989989-Webhook-retries-failures"),
    DeliveryPolicy::of("gogs")
        .gives_up(None, "https://github.com/gogs/gogs/blob/eb1054e5432fc8397678372f08613429be233d7c/internal/database/webhook.go"),
    DeliveryPolicy::of("grafana"),
    DeliveryPolicy::of("heroku"),
    DeliveryPolicy::of("hookdeck"),
    DeliveryPolicy::of("incident_io")
        .retried_for(DAY, "https://docs.incident.io/api-reference/webhooks")
        .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs"),
    DeliveryPolicy::of("intercom")
        .known_by("id", "https://developers.intercom.com/docs/webhooks/webhook-notifications"),
    DeliveryPolicy::of("jira")
        .gives_up(Some(429), "https://community.developer.atlassian.com/t/new-jira-cloud-webhook-retry-policy/30554"),
    DeliveryPolicy::of("jobber"),
    DeliveryPolicy::of("klaviyo"),
    DeliveryPolicy::of("launch_darkly"),
    DeliveryPolicy::of("lemon_squeezy"),
    DeliveryPolicy::of("line"),
    DeliveryPolicy::of("linear")
        .retried_for(421 * MINUTE, "second-hand: https://linear.app/developers/webhooks")
        .signs_anew(false, "second-hand: https://github.com/vercel/eve/issues/1570")
        .window(MINUTE, "https://linear.app/developers/webhooks"),
    DeliveryPolicy::of("lithic")
        .unknown_retries()
        .signs_anew(true, "second-hand: sent through Svix, https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs")
        .window(5 * MINUTE, "https://github.com/lithic-com/lithic-python"),
    DeliveryPolicy::of("lob")
        .unknown_retries(),
    DeliveryPolicy::of("mailersend"),
    DeliveryPolicy::of("mailgun")
        .retried_for(8 * HOUR, "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-retries")
        .signs_anew(false, "second-hand: https://github.com/PostHog/posthog/pull/103057")
        .leaves_body_open()
        .largest_body(50 * MIB, "second-hand: https://help.gohighlevel.com/support/solutions/articles/48001208913-what-is-the-file-size-limit-of-an-attachment-to-an-sms-or-an-email-")
        .comes_again("https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-retries"),
    DeliveryPolicy::of("mailjet")
        .comes_again("https://documentation.mailjet.com/hc/en-us/articles/360043578154-Event-Tracking-API"),
    DeliveryPolicy::of("meta")
        .largest_body(3 * MIB, "https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks")
        .comes_again("https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks"),
    DeliveryPolicy::of("microsoft_graph")
        .comes_again("https://github.com/microsoftgraph/microsoft-graph-docs-contrib/commit/7f704aa53c2141ba9a494c4a80b6333c2acc1f0f"),
    DeliveryPolicy::of("microsoft_teams"),
    DeliveryPolicy::of("modern_treasury"),
    DeliveryPolicy::of("mongodb"),
    DeliveryPolicy::of("mux")
        .known_by("id", "https://www.mux.com/docs/core/listen-for-webhooks")
        .retried_for(DAY, "https://www.mux.com/docs/core/listen-for-webhooks.md")
        .window(5 * MINUTE, "https://github.com/muxinc/mux-node-sdk"),
    DeliveryPolicy::of("notion")
        .known_by("id", "https://developers.notion.com/reference/webhooks"),
    DeliveryPolicy::of("npm"),
    DeliveryPolicy::of("nylas")
        .known_by("id", "https://developer.nylas.com/docs/v3/notifications/")
        .largest_body(2 * MIB, "https://developer.nylas.com/docs/cookbook/use-cases/build/retry-failed-webhooks/")
        .comes_again("https://developer.nylas.com/docs/cookbook/use-cases/build/retry-failed-webhooks/"),
    DeliveryPolicy::of("okta"),
    DeliveryPolicy::of("onfido"),
    DeliveryPolicy::of("openai")
        .retried_for(3 * DAY, "https://platform.openai.com/docs/webhooks")
        .signs_anew(true, "https://platform.openai.com/docs/webhooks")
        .window(5 * MINUTE, "https://github.com/openai/openai-node"),
    DeliveryPolicy::of("orb")
        .unknown_retries()
        .window(5 * MINUTE, "https://github.com/orbcorp/orb-python"),
    DeliveryPolicy::of("paddle")
        .known_by("event_id", "https://developer.paddle.com/webhooks/respond-to-webhooks")
        .retried_for(3 * DAY, "https://developer.paddle.com/webhooks/about/respond-to-webhooks")
        .window(5, "https://github.com/PaddleHQ/paddle-node-sdk"),
    DeliveryPolicy::of("pagerduty")
        .largest_body(256 * KIB, "https://github.com/PagerDuty/developer-docs/blob/94224391aa3eac8fa73ea6a6af542dee0613d3e8/docs/webhooks/02-Behavior.md")
        .gives_up(Some(429), "https://github.com/PagerDuty/developer-docs/blob/94224391aa3eac8fa73ea6a6af542dee0613d3e8/docs/webhooks/02-Behavior.md"),
    DeliveryPolicy::of("paystack"),
    DeliveryPolicy::of("persona")
        .unknown_retries(),
    DeliveryPolicy::of("pinwheel")
        .unknown_retries(),
    DeliveryPolicy::of("polar")
        .retried_for(2044, "https://github.com/polarsource/polar/blob/c6c3645e639ee8eeaa05aa0835cf8e39e330382f/server/polar/webhook/tasks.py")
        .signs_anew(true, "https://github.com/polarsource/polar/blob/c6c3645e639ee8eeaa05aa0835cf8e39e330382f/server/polar/webhook/tasks.py")
        .comes_again("https://github.com/polarsource/polar/blob/c6c3645e639ee8eeaa05aa0835cf8e39e330382f/docs/integrate/webhooks/delivery.mdx"),
    DeliveryPolicy::of("postmark")
        .largest_body(50 * MIB, "https://postmarkapp.com/support/article/1056-what-are-the-attachment-and-email-size-limits")
        .gives_up(Some(401), "https://postmarkapp.com/support/article/understanding-inbound-webhook-retries-in-postmark"),
    DeliveryPolicy::of("primer"),
    DeliveryPolicy::of("pusher")
        .comes_again("https://docs.bird.com/pusher/channels/channels/webhooks/channels-webhook-timeouts-and-retries"),
    DeliveryPolicy::of("quickbooks"),
    DeliveryPolicy::of("razorpay")
        .comes_again("https://razorpay.com/docs/webhooks/best-practices"),
    DeliveryPolicy::of("recurly")
        .retried_for(262_308, "https://docs.recurly.com/recurly-subscriptions/docs/automatic-retries"),
    DeliveryPolicy::of("render")
        .retried_for(33 * HOUR, "https://render.com/docs/webhooks")
        .signs_anew(true, "https://render.com/docs/webhooks")
        .window(5 * MINUTE, "https://render.com/docs/webhooks"),
    DeliveryPolicy::of("replicate")
        .unknown_retries(),
    DeliveryPolicy::of("resend")
        .retried_for(99_305, "https://resend.com/docs/webhooks/retries-and-replays")
        .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs"),
    DeliveryPolicy::of("revolut")
        .retried_for(30 * MINUTE, "https://developer.revolut.com/docs/guides/accept-payments/tutorials/work-with-webhooks/using-webhooks")
        .window(5 * MINUTE, "https://developer.revolut.com/docs/guides/crypto-ramp/tutorials/work-with-webhooks/verify-the-payload-signature"),
    DeliveryPolicy::of("salesforce_marketing_cloud"),
    DeliveryPolicy::of("sanity")
        .retried_for(MINUTE, "https://www.sanity.io/docs/changelog/50ec6abf-fe0c-475b-ae72-314148860132.md")
        .gives_up(Some(429), "https://www.sanity.io/docs/changelog/50ec6abf-fe0c-475b-ae72-314148860132.md"),
    DeliveryPolicy::of("scalr")
        .unknown_retries(),
    DeliveryPolicy::of("segment")
        .gives_up(Some(429), "https://support.twilio.com/hc/en-us/articles/51769112022299-Understanding-Segment-Retry-Logic-for-HTTP-Status-Codes"),
    DeliveryPolicy::of("sendgrid")
        .retried_for(DAY, "https://github.com/sendgrid/docs/blob/c3eb3fef6132c26b9ee0f94de031e6b0fac7b1c5/content/docs/for-developers/tracking-events/getting-started-event-webhook.md")
        .largest_body(50 * MIB, "https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/inbound-email")
        .gives_up(Some(503), "https://support.sendgrid.com/hc/en-us/articles/46513815674395-Understanding-Inbound-Parse-Webhook-Retry-Logic"),
    DeliveryPolicy::of("sentry")
        .gives_up(Some(503), "https://github.com/getsentry/sentry/blob/000f94ca5362741b9fd8628cbcae41ffad0481ac/src/sentry/sentry_apps/tasks/sentry_apps.py"),
    DeliveryPolicy::of("shared_token"),
    DeliveryPolicy::of("shippo")
        .unknown_retries()
        .gives_up(Some(429), "https://github.com/api-evangelist/shippo/blob/5f5c56930f59bd788bcce58ca9dbf485a98f0ee2/asyncapi/shippo-webhooks-asyncapi.yaml"),
    DeliveryPolicy::of("shopify")
        .demands(StatusCode::UNAUTHORIZED, "https://community.shopify.com/t/app-must-verify-the-authenticity-of-the-request-from-shopify/108155")
        .comes_again("https://dev.to/shannonllc/shopify-webhooks-hmac-verification-5-second-timeout-retries-jkj"),
    DeliveryPolicy::of("signal_sciences"),
    DeliveryPolicy::of("sinch")
        .unknown_retries(),
    DeliveryPolicy::of("slack")
        .known_by("event_id", "https://docs.slack.dev/apis/events-api/")
        .retried_for(6 * MINUTE, "https://docs.slack.dev/apis/events-api/")
        .window(5 * MINUTE, "https://docs.slack.dev/authentication/verifying-requests-from-slack")
        .comes_again("https://docs.slack.dev/apis/events-api/"),
    DeliveryPolicy::of("sonatype"),
    DeliveryPolicy::of("sparkpost")
        .comes_again("https://support.sparkpost.com/docs/tech-resources/webhook-data-streams"),
    DeliveryPolicy::of("square")
        .known_by("event_id", "https://developer.squareup.com/docs/webhooks/overview")
        .comes_again("https://developer.squareup.com/forums/t/webhook-logs-returning-error-400/11123"),
    DeliveryPolicy::of("standard_webhooks")
        .retried_for(272_105, "https://github.com/standard-webhooks/standard-webhooks/blob/03f5f8c684881c36430d8b62d7bc54e518371720/spec/standard-webhooks.md")
        .signs_anew(true, "https://github.com/standard-webhooks/standard-webhooks/blob/b2fa7b8719fb75d326b591077f5d1b385cfcdfae/spec/standard-webhooks.md")
        .comes_again("https://docs.svix.com/retries"),
    DeliveryPolicy::of("strava"),
    DeliveryPolicy::of("stripe")
        .known_by("id", "https://docs.stripe.com/webhooks#handle-duplicate-events")
        .retried_for(3 * DAY, "https://docs.stripe.com/webhooks")
        .signs_anew(true, "https://docs.stripe.com/webhooks")
        .comes_again("https://docs.stripe.com/webhooks"),
    DeliveryPolicy::of("stytch")
        .retried_for(99_305, "https://stytch.com/docs/b2b/guides/webhooks")
        .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs"),
    DeliveryPolicy::of("supabase")
        .retried_for(5, "https://supabase.com/docs/guides/auth/auth-hooks")
        .signs_anew(true, "https://github.com/supabase/auth/blob/8983071348fd964d5132948abe63ea076f9af3a0/internal/hooks/hookshttp/hookshttp.go")
        .largest_body(20 * KIB, "https://github.com/supabase/supabase/blob/02d2e00b01d16ba6e7d664bf56beeb49be073e02/apps/docs/content/guides/auth/auth-hooks.mdx")
        .gives_up(None, "https://supabase.com/docs/guides/auth/auth-hooks"),
    DeliveryPolicy::of("telegram")
        .comes_again("https://github.com/tdlib/telegram-bot-api/blob/01a3679c0bbf9bbba03d1d3e20f621fa4becddcc/telegram-bot-api/WebhookActor.cpp"),
    DeliveryPolicy::of("telnyx")
        .known_by("data.id", "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks")
        .unknown_retries()
        .window(5 * MINUTE, "https://github.com/team-telnyx/telnyx-ruby"),
    DeliveryPolicy::of("terraform"),
    DeliveryPolicy::of("tiktok")
        .retried_for(3 * DAY, "https://developers.tiktok.com/doc/webhooks-overview/"),
    DeliveryPolicy::of("trello"),
    DeliveryPolicy::of("trendmicro_conformity"),
    DeliveryPolicy::of("twilio"),
    DeliveryPolicy::of("twitch")
        .unknown_retries()
        .window(10 * MINUTE, "https://dev.twitch.tv/docs/eventsub/handling-webhook-events"),
    DeliveryPolicy::of("twitter"),
    DeliveryPolicy::of("typeform")
        .comes_again("https://typeform.com/developers/webhooks"),
    DeliveryPolicy::of("vercel"),
    DeliveryPolicy::of("viber"),
    DeliveryPolicy::of("webex"),
    DeliveryPolicy::of("webex_contact_center")
        .unknown_retries()
        .window(5 * MINUTE, "https://developer.webex.com/docs/receive-and-verify-contact-center-webhooks"),
    DeliveryPolicy::of("webflow")
        .retried_for(30 * MINUTE, "https://developers.webflow.com/data/v1.0.0/docs/limits-and-retries"),
    DeliveryPolicy::of("websub")
        .demands(StatusCode::ACCEPTED, "https://www.w3.org/TR/websub/#signature-validation")
        .comes_again("https://www.w3.org/TR/websub/"),
    DeliveryPolicy::of("wise"),
    DeliveryPolicy::of("woocommerce")
        .gives_up(None, "https://seresa.io/?p=7234"),
    DeliveryPolicy::of("workos")
        .known_by("id", "https://workos.com/docs/events/data-syncing/webhooks")
        .retried_for(3 * DAY, "https://github.com/workos/skills/blob/8c8f4e7039ef065ba9204a8e88d93e394a5b09f0/skills/workos/workos-events.md")
        .window(3 * MINUTE, "https://github.com/workos/workos-node"),
    DeliveryPolicy::of("worldline"),
    DeliveryPolicy::of("worldpay")
        .demands(StatusCode::BAD_REQUEST, "https://docs.worldpay.com/access/products/events/signature"),
    DeliveryPolicy::of("wsapi")
        .retried_for(0, "https://github.com/wsapi-chat/wsapi-app/blob/d40e5c568e15589282e6a6efb1472321c2b5a1c3/wiki/Event-Delivery.md")
        .signs_anew(false, "https://github.com/wsapi-chat/wsapi-app/blob/d40e5c568e15589282e6a6efb1472321c2b5a1c3/internal/event/types.go")
        .gives_up(None, "https://github.com/wsapi-chat/wsapi-app/blob/d40e5c568e15589282e6a6efb1472321c2b5a1c3/wiki/Event-Delivery.md"),
    DeliveryPolicy::of("xero")
        .demands(StatusCode::UNAUTHORIZED, "https://developer.xero.com/documentation/webhooks/configuring-your-server")
        .comes_again("https://developer.xero.com/documentation/webhooks/configuring-your-server"),
    DeliveryPolicy::of("zendesk")
        .unknown_retries()
        .gives_up(Some(409), "second-hand: https://alboz.eu/insights/master-webhooks-maximize-stability-performance"),
    DeliveryPolicy::of("zoom")
        .retried_for(85 * MINUTE, "https://developers.zoom.us/blog/webhook-delays.md")
        .comes_again("https://devsupport.zoom.us/hc/en-us/articles/360059893812-Webhook-delays"),
];
