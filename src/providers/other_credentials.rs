//! Other credentials of a vendor, which users could paste instead of the signing secret.
//!
//! Each entry has its source. If the vendor issues the signing secret, other credentials are
//! rejected. If the customer chooses the secret, they are accepted, and a warning is logged.

use crate::{
    crypto::{
        credentials::{Credential, CredentialForm, Credentials},
        secret::Secret,
        secrets::IntoSecrets,
    },
    error::ConfigError,
    providers::support::is_same,
};

/// Checks and returns the secrets of a provider with code of its own. The verifier already has
/// `present` secrets.
pub(crate) fn checked(
    secrets: impl IntoSecrets,
    present: usize,
    provider: &'static str,
) -> Result<Vec<Secret>, ConfigError> {
    secrets.into_secrets()?.checked(present, provider, of(provider))
}

const fn begins(prefix: &'static str, is: &'static str, source: &'static str) -> Credential {
    Credential { form: CredentialForm::Prefix(prefix), is, source }
}

const fn with_hex(
    prefix: &'static str,
    digits: usize,
    is: &'static str,
    source: &'static str,
) -> Credential {
    Credential { form: CredentialForm::PrefixThenHex(prefix, digits), is, source }
}

const fn issued(
    provider: &'static str,
    wanted: &'static str,
    others: &'static [Credential],
) -> (&'static str, Credentials) {
    (provider, Credentials { wanted, others, is_issued: true })
}

const fn chosen(
    provider: &'static str,
    wanted: &'static str,
    others: &'static [Credential],
) -> (&'static str, Credentials) {
    (provider, Credentials { wanted, others, is_issued: false })
}

const STRIPE: &str = "https://docs.stripe.com/keys";
const STRIPE_IDS: &str = "https://docs.stripe.com/api/webhook_endpoints/object";
const TWILIO: &str = "https://www.twilio.com/docs/glossary/what-is-a-sid";
const SLACK: &str = "https://docs.slack.dev/authentication/tokens";
const SHOPIFY: &str =
    "https://shopify.dev/changelog/length-of-the-shopify-access-token-is-increasing";
const GITHUB: &str = "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats";
const GITLAB: &str = "https://docs.gitlab.com/security/tokens/#token-prefixes";
const META: &str = "https://developers.facebook.com/docs/facebook-login/guides/access-tokens";
const LINEAR: &str = "https://linear.app/developers/graphql";
const MAILGUN: &str = "https://documentation.mailgun.com/docs/mailgun/user-manual/get-started";
const PADDLE: &str = "https://developer.paddle.com/api-reference/about/authentication";
const PAYSTACK: &str = "https://paystack.com/docs/api/authentication/";
const RAZORPAY: &str = "https://razorpay.com/docs/api/authentication/";
const SENTRY: &str = "https://docs.sentry.io/account/auth-tokens/";
const SQUARE: &str = "https://developer.squareup.com/docs/build-basics/access-tokens";
const DROPBOX: &str = "https://developers.dropbox.com/oauth-guide";
const NOTION: &str = "https://developers.notion.com/page/changelog";
const CLERK: &str = "https://clerk.com/docs/guides/development/clerk-environment-variables";
const FLUTTERWAVE: &str = "https://developer.flutterwave.com/v3.0/docs/authentication";
const LAUNCH_DARKLY: &str = "https://launchdarkly.com/docs/sdk/concepts/client-side-server-side";
const PERSONA: &str = "https://docs.withpersona.com/api-keys";
const TYPEFORM: &str = "https://www.typeform.com/developers/get-started/personal-access-token/";
const WOOCOMMERCE: &str = "https://woocommerce.github.io/woocommerce-rest-api-docs/#authentication";
const KLAVIYO: &str = "https://developers.klaviyo.com/en/docs/authenticate_";
const POLAR: &str = "https://polar.sh/docs/integrate/oat";
const CHECKOUT: &str = "https://www.checkout.com/docs/developer-resources/api/manage-api-keys";
const STYTCH: &str = "https://stytch.com/docs/workspace-management/api-keys";
const TRELLO: &str = "https://developer.atlassian.com/cloud/trello/guides/rest-api/authorization/";
const ATLASSIAN: &str = "https://support.atlassian.com/bitbucket-cloud/docs/api-tokens/";

/// Credentials by provider, in alphabetical order.
const CREDENTIALS: &[(&str, Credentials)] = &[
    chosen(
        "bitbucket",
        "the secret that you chose for the webhook",
        &[
            begins("ATATT3x", "an Atlassian API token", ATLASSIAN),
            begins("ATCTT3x", "an access token of a repository", ATLASSIAN),
        ],
    ),
    issued(
        "checkout_com",
        "the signature key of the webhook, not the public key",
        &[begins("pk_", "a public key", CHECKOUT)],
    ),
    issued(
        "clerk",
        "the endpoint's signing secret, which begins with `whsec_`, on the endpoint's page",
        &[begins("sk_", "a secret API key", CLERK), begins("pk_", "a publishable key", CLERK)],
    ),
    issued(
        "dropbox",
        "the app secret, on the app's page in the App Console",
        &[begins("sl.", "an access token", DROPBOX)],
    ),
    issued(
        "elevenlabs",
        "the webhook's secret, which begins with `wsec_`",
        &[begins("sk_", "an API key", "https://elevenlabs.io/docs/api-reference/authentication")],
    ),
    chosen(
        "flutterwave",
        "the secret hash that you chose for the webhook",
        &[
            begins("FLWPUBK", "a public key", FLUTTERWAVE),
            begins("FLWSECK", "a secret API key", FLUTTERWAVE),
        ],
    ),
    chosen(
        "github",
        "the secret that you chose for the webhook",
        &[
            begins("ghp_", "a personal access token", GITHUB),
            begins("github_pat_", "a personal access token", GITHUB),
            begins("gho_", "an OAuth access token", GITHUB),
            begins("ghu_", "a user access token of a GitHub App", GITHUB),
            begins("ghs_", "an installation access token", GITHUB),
            begins("ghr_", "a refresh token", GITHUB),
        ],
    ),
    chosen(
        "gitlab",
        "the secret token that you chose for the webhook",
        &[
            begins("glpat-", "a personal access token", GITLAB),
            begins("gldt-", "a deploy token", GITLAB),
            begins("glrt-", "a runner's authentication token", GITLAB),
            begins("glptt-", "a trigger token", GITLAB),
            begins("gloas-", "an OAuth application's secret", GITLAB),
        ],
    ),
    chosen(
        "jira",
        "the secret that you chose for the webhook",
        &[begins("ATATT3x", "an Atlassian API token", ATLASSIAN)],
    ),
    chosen(
        "klaviyo",
        "the secret that you chose for the webhook",
        &[begins("pk_", "a private API key", KLAVIYO)],
    ),
    chosen(
        "launch_darkly",
        "the secret of the webhook",
        &[
            begins("sdk-", "an SDK key", LAUNCH_DARKLY),
            begins("mob-", "a mobile key, which is public", LAUNCH_DARKLY),
            begins("api-", "an API access token", LAUNCH_DARKLY),
        ],
    ),
    issued(
        "linear",
        "the webhook's signing secret, which begins with `lin_wh_`, on the webhook's page",
        &[
            begins("lin_api_", "a personal API key", LINEAR),
            begins("lin_oauth_", "an OAuth token", LINEAR),
        ],
    ),
    // The signing key of an old account is its API key, and begins with `key-`.
    issued(
        "mailgun",
        "the HTTP webhook signing key, under \"API security\" in the account's settings",
        &[begins("pubkey-", "a public validation key", MAILGUN)],
    ),
    issued(
        "meta",
        "the app secret, under \"App settings\", \"Basic\"",
        &[begins("EAA", "an access token", META)],
    ),
    issued(
        "notion",
        "the verification token, which begins with `secret_` and was sent when the subscription was created",
        &[begins("ntn_", "an integration's API token", NOTION)],
    ),
    issued(
        "openai",
        "the webhook's signing secret, which begins with `whsec_`",
        &[begins(
            "sk-",
            "an API key",
            "https://platform.openai.com/docs/api-reference/authentication",
        )],
    ),
    issued(
        "paddle",
        "the notification destination's secret key, which begins with `pdl_ntfset_`",
        &[
            begins("pdl_live_apikey_", "an API key", PADDLE),
            begins("pdl_sdbx_apikey_", "an API key", PADDLE),
            begins("live_", "a client-side token, which is public", PADDLE),
            begins("test_", "a client-side token, which is public", PADDLE),
        ],
    ),
    issued(
        "paystack",
        "the secret key, which begins with `sk_`",
        &[begins("pk_", "a public key", PAYSTACK)],
    ),
    issued(
        "persona",
        "the webhook's secret, which begins with `wbhsec_`",
        &[
            begins("persona_production_", "an API key", PERSONA),
            begins("persona_sandbox_", "an API key", PERSONA),
        ],
    ),
    chosen(
        "polar",
        "the endpoint's secret",
        &[
            begins("polar_oat_", "an organization access token", POLAR),
            begins("polar_pat_", "a personal access token", POLAR),
        ],
    ),
    chosen(
        "razorpay",
        "the secret that you chose for the webhook",
        &[
            begins("rzp_live_", "a key id, which is public", RAZORPAY),
            begins("rzp_test_", "a key id, which is public", RAZORPAY),
        ],
    ),
    issued(
        "replicate",
        "the signing key, which begins with `whsec_`",
        &[begins("r8_", "an API token", "https://replicate.com/docs/topics/security/api-tokens")],
    ),
    issued(
        "resend",
        "the webhook's signing secret, which begins with `whsec_`",
        &[begins("re_", "an API key", "https://resend.com/docs/api-reference/introduction")],
    ),
    issued(
        "sentry",
        "the integration's client secret, on its page in the settings",
        &[
            begins("sntrys_", "an organization's auth token", SENTRY),
            begins("sntryu_", "a personal auth token", SENTRY),
        ],
    ),
    issued(
        "shopify",
        "the app's client secret, or the secret on the store's page \"Notifications\", \"Webhooks\"",
        &[
            begins("shpat_", "an Admin API access token", SHOPIFY),
            begins("shpca_", "a custom app's access token", SHOPIFY),
            begins("shppa_", "a private app's access token", SHOPIFY),
        ],
    ),
    issued(
        "slack",
        "the signing secret, under \"Basic Information\", \"App Credentials\"",
        &[
            begins("xoxb-", "a bot token", SLACK),
            begins("xoxp-", "a user token", SLACK),
            begins("xapp-", "an app-level token", SLACK),
            begins("xoxe.", "a rotated token", SLACK),
            begins("xoxe-", "a refresh token", SLACK),
            begins("xoxa-", "a workspace token", SLACK),
        ],
    ),
    issued(
        "square",
        "the webhook subscription's signature key",
        &[
            begins("sq0atp-", "an access token", SQUARE),
            begins("sq0idp-", "an application id, which is public", SQUARE),
            begins("sq0csp-", "the OAuth application secret", SQUARE),
            begins("sandbox-sq0", "a credential of the sandbox application", SQUARE),
        ],
    ),
    issued(
        "stripe",
        "the endpoint's signing secret, which begins with `whsec_`, on the endpoint's page or in the output of `stripe listen`",
        &[
            begins("sk_", "a secret API key", STRIPE),
            begins("pk_", "a publishable API key, which is public", STRIPE),
            begins("rk_", "a restricted API key", STRIPE),
            begins("we_", "the id of a webhook endpoint", STRIPE_IDS),
            begins("acct_", "the id of an account", "https://docs.stripe.com/api/accounts/object"),
        ],
    ),
    issued(
        "stytch",
        "the endpoint's signing secret, which begins with `whsec_`",
        &[
            begins("secret-", "an API secret", STYTCH),
            begins("public-token-", "a public token", STYTCH),
            begins("project-", "the id of a project", STYTCH),
        ],
    ),
    // The customer chooses the secret token, of letters, digits, `_` and `-`.
    issued(
        "telegram",
        "the `secret_token` that you gave to `setWebhook`",
        &[Credential {
            form: CredentialForm::Has(':'),
            is: "a bot's token (it has a colon, unlike a secret token)",
            source: "https://core.telegram.org/bots/api#setwebhook",
        }],
    ),
    issued(
        "trello",
        "the API secret, on the page of the API key",
        &[begins("ATTA", "a member's token", TRELLO)],
    ),
    issued(
        "twilio",
        "the auth token, on the Console's first page",
        &[
            with_hex("AC", 32, "an account SID, which is public", TWILIO),
            with_hex("SK", 32, "an API key SID", TWILIO),
        ],
    ),
    chosen(
        "typeform",
        "the secret that you chose for the webhook",
        &[begins("tfp_", "a personal access token", TYPEFORM)],
    ),
    chosen(
        "woocommerce",
        "the secret that you chose for the webhook",
        &[
            begins("ck_", "a consumer key", WOOCOMMERCE),
            begins("cs_", "a consumer secret", WOOCOMMERCE),
        ],
    ),
];

/// Returns the other credentials of a provider's vendor.
pub(crate) const fn of(provider: &str) -> &'static Credentials {
    let mut at = 0;
    while at < CREDENTIALS.len() {
        if is_same(CREDENTIALS[at].0, provider) {
            return &CREDENTIALS[at].1;
        }
        at += 1;
    }
    &Credentials::UNKNOWN
}

#[cfg(test)]
mod tests;
