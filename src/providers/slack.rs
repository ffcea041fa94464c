use bytes::Bytes;
use http::{Response, request::Parts};

use super::scheme_methods;
use crate::{
    Verifier,
    handshake::{MAX_CHALLENGE, echo, short_field},
    scheme::{Part, Scheme, SchemeState, SchemeVerifier, TimeFormat, TimeSource, Tolerance},
    verifier::delegate_verifier,
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
/// | handshake | the signed POST with `"type": "url_verification"` is answered with its challenge and does not reach the handler |
/// | evidence | vendor vector: <https://docs.slack.dev/authentication/verifying-requests-from-slack>, slackapi/python-slack-sdk `tests/signature` |
#[derive(Clone, Debug)]
pub struct Slack(SchemeVerifier);

impl Slack {
    /// How it signs.
    pub const SCHEME: Scheme = Scheme::hmac_sha256("x-slack-signature")
        .provider("slack")
        .prefix("v0=")
        .template(&[Part::Literal("v0:"), Part::Time, Part::Literal(":"), Part::Body])
        .time(TimeSource::Header("x-slack-request-timestamp"), TimeFormat::Seconds)
        .tolerance(Tolerance::seconds(300));

    scheme_methods!(timed);
}

impl Verifier for Slack {
    delegate_verifier!(self => self.0, SchemeState);

    fn reply(&self, _: &Parts, body: &Bytes) -> Option<Response<Bytes>> {
        if short_field(body, "type")? != "url_verification" {
            return None;
        }
        let challenge = short_field(body, "challenge");
        let challenge = challenge.filter(|challenge| challenge.len() <= MAX_CHALLENGE)?;
        Some(echo(challenge.as_bytes()))
    }
}

super::sign_as!(Slack, self => &self.0);
