use bytes::Bytes;
use http::Response;

use crate::{
    outcome::rejection::Rejection,
    parse::{json::text_field, timestamp::TimestampFormat},
    providers::{
        apply,
        macros::{scheme_methods, sign_as},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        verification::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{
        challenge::{
            challenge::malformed,
            response::{echo, short_field, text},
        },
        context::Context,
        defaults::VerifierDefaults,
        first_contact::{ContactField, FirstContact},
        outcome::Outcome,
        sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Slack: events, slash commands and interactions.
///
/// | | |
/// |---|---|
/// | header | `X-Slack-Signature: v0=<hex>`, `X-Slack-Request-Timestamp: <seconds>` |
/// | algorithm | HMAC-SHA256, the signing secret as it is |
/// | signed content | `v0:<time>:<body>` |
/// | freshness | 5 minutes both ways |
/// | delivery id | in the body (`event_id`) |
/// | challenge | the signed POST with `"type": "url_verification"` is answered with its challenge and does not reach the handler |
/// | first contact | a slash command's `ssl_check=1`, a form with no signature, is answered with 200 (<https://docs.slack.dev/interactivity/implementing-slash-commands>) |
/// | status | 403 |
/// | retries | for 6 minutes (<https://docs.slack.dev/apis/events-api/>); whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://docs.slack.dev/authentication/verifying-requests-from-slack>) |
/// | body limit | 16 MiB; no maximum is documented |
/// | after a refusal | it comes again (<https://docs.slack.dev/apis/events-api/>) |
/// | evidence | vendor vector: <https://docs.slack.dev/authentication/verifying-requests-from-slack>, slackapi/python-slack-sdk `tests/signature` |
#[derive(Clone, Debug)]
pub struct Slack(SchemeVerifier);

impl Slack {
    /// How it signs.
    pub const SCHEME: Scheme = apply::applied(
        Scheme::hmac_sha256("x-slack-signature")
            .provider("slack")
            .unique_content()
            // The older verification token, by which other receivers know Slack.
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
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        self.0.begin(request)
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        self.0.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.0.finish(state, request, body)?.or_reply(|| challenge(body))
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.0.sensitive_parts()
    }
}

/// The answer to `url_verification`.
fn challenge(body: &Bytes) -> Option<Result<Response<Bytes>, Rejection>> {
    if short_field(body, "type")? != "url_verification" {
        return None;
    }
    let challenge = text_field(body, "challenge");
    let challenge = challenge.as_deref().and_then(|challenge| text(challenge.as_bytes()));
    Some(challenge.map(|challenge| echo(challenge.as_bytes())).ok_or_else(malformed))
}

sign_as!(Slack, self => &self.0);
