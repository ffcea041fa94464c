//! Slack events, slash commands and interactions.

use bytes::Bytes;
use http::Response;

use crate::{
    outcome::rejection::Rejection,
    parse::{json::text_field, timestamp::TimestampFormat},
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::{DeliveryPolicy, MINUTE},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{
        challenge::{
            challenge::malformed,
            response::{echo, has_short_field, text},
        },
        delegate::delegate_verifier,
        first_contact::{ContactField, FirstContact},
        verifier::Verifier,
    },
};

/// Slack events, slash commands and interactions: HMAC-SHA256 of time and body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Slack};
///
/// let layer = SignatureLayer::new(Slack::new("made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-slack-signature: v0=<hex>`, `x-slack-request-timestamp: <seconds>` |
/// | algorithm | HMAC-SHA256; the key is the signing secret |
/// | signed content | `v0:<time>:<body>` |
/// | tolerance | 5 minutes both ways |
/// | delivery ID | `event_id` in the body |
/// | challenge | a signed POST with `"type": "url_verification"`: the response is its challenge |
///
/// - The challenge does not reach the handler.
/// - First contact: a slash command's `ssl_check=1`, a form without a signature, gets `200 OK`
///   (<https://docs.slack.dev/interactivity/implementing-slash-commands>).
///
/// # Secret
///
/// In the app's settings: *Basic Information* → *App Credentials* → *Signing Secret*. ([Slack](https://github.com/slackapi/bolt-python/blob/08491689d2cc1c5598e3d8c683cffe25bd4ae6a7/docs/_tutorials/getting_started_http.md))
/// Each app has its own. ([Slack](https://api.slack.com/docs/verifying-requests-from-slack))
///
/// # Settings
///
/// Set the *Request URL* in two places: *Event Subscriptions* and *Interactivity & Shortcuts*. ([Slack](https://github.com/slackapi/bolt-python/blob/08491689d2cc1c5598e3d8c683cffe25bd4ae6a7/docs/_tutorials/getting_started_http.md))
///
/// # Not covered
///
/// The older verification token, `token` in the body: this type does not check it. ([Slack](https://api.slack.com/docs/verifying-requests-from-slack))
///
/// # Evidence
///
/// Vendor vector: <https://docs.slack.dev/authentication/verifying-requests-from-slack>,
/// slackapi/python-slack-sdk `tests/signature`.
///
#[doc = crate::providers::macros::page!(Slack)]
#[derive(Clone, Debug)]
pub struct Slack(SchemeVerifier);

registered! {
    Slack = "slack";
    policy: DeliveryPolicy::UNKNOWN
        .known_by("event_id", "https://docs.slack.dev/apis/events-api/")
        .retried_for(6 * MINUTE, "https://docs.slack.dev/apis/events-api/")
        .window(5 * MINUTE, "https://docs.slack.dev/authentication/verifying-requests-from-slack")
        .comes_again("https://docs.slack.dev/apis/events-api/");
    signature: SCHEME;
    "slack": Secret timed, p => Slack::new(p.secrets);
}

impl Slack {
    /// The signature scheme.
    pub const SCHEME: Scheme = Self::POLICY.apply(
        Scheme::hmac_sha256("x-slack-signature")
            .provider("slack")
            .unique_content()
            // The older verification token, which other receivers accept as proof.
            .sensitive_fields(&["token"])
            .first_contacts(&[FirstContact::form(&[
                ("ssl_check", ContactField::Equals("1")),
                ("token", ContactField::OptionalToken),
            ])])
            .prefix("v0=")
            .signed_content(&[
                Component::Literal("v0:"),
                Component::Time,
                Component::Literal(":"),
                Component::Body,
            ])
            .time(
                TimestampSource::Header("x-slack-request-timestamp"),
                TimestampFormat::UnixSeconds,
            ),
    );

    scheme_methods!(timed);
}

impl Verifier for Slack {
    delegate_verifier! {
        self => self.0, SchemeState;
        after(outcome, _request, body) => outcome.or_reply(|| challenge(body))
    }
}

/// Returns the response to `url_verification`, or `None` for every other body.
fn challenge(body: &Bytes) -> Option<Result<Response<Bytes>, Rejection>> {
    if !has_short_field(body, "type", "url_verification") {
        return None;
    }
    let challenge = text_field(body, "challenge");
    let challenge = challenge.as_deref().and_then(|challenge| text(challenge.as_bytes()));
    Some(challenge.map(|challenge| echo(challenge.as_bytes())).ok_or_else(malformed))
}

sign_as!(Slack, self => &self.0);
