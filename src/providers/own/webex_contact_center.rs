use bytes::Bytes;
use http::request::Parts;

use crate::{
    outcome::{field::Field, rejection::Rejection},
    parse::{
        headers::optional,
        json,
        timestamp::{Timestamp, TimestampFormat},
    },
    providers::{
        apply,
        macros::{scheme_methods, sign_as},
    },
    scheme::{
        component::TimestampSource, declaration::Scheme, verification::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

const TIME_FIELD: &str = "comciscotimestamp";
const TIME_HEADER: &str = "x-webexcc-timestamp";

/// Webex Contact Center subscriptions. Webex messaging webhooks are [`Webex`](crate::providers::Webex).
///
/// | | |
/// |---|---|
/// | header | `X-WebexCC-Signature: <hex>` |
/// | algorithm | HMAC-SHA256, the subscription's secret as it is |
/// | signed content | the body |
/// | freshness | 5 minutes both ways, by `comciscotimestamp` in the signed body (milliseconds, string or number). The header `X-WebExCC-Timestamp` is not signed: where it is present it must equal the body's, and leaving it out changes nothing |
/// | delivery id | in the body (`id`) |
/// | challenge | none |
/// | status | 403 |
/// | retries | for an unknown time; whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://developer.webex.com/docs/receive-and-verify-contact-center-webhooks>) |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor's source: <https://developer.webex.com/docs/receive-and-verify-contact-center-webhooks> |
///
/// Version 1 events carry no time and are accepted unless [`require_time`](Self::require_time) is
/// set. Cisco's sample refuses only times in the past; times in the future are refused here too.
///
/// Cisco can set an endpoint inactive that answers with errors:
/// [`rejection_status`](crate::SignatureLayer::rejection_status) with 204 accepts and drops.
#[derive(Clone, Debug)]
pub struct WebexContactCenter(SchemeVerifier);

impl WebexContactCenter {
    /// How it signs.
    pub const SCHEME: Scheme = apply::applied(
        Scheme::hmac_sha256("x-webexcc-signature")
            .provider("webex_contact_center")
            .unique_content()
            .time(TimestampSource::Json(TIME_FIELD), TimestampFormat::UnixMillis)
            .time_may_be_absent(true),
    );

    scheme_methods!(timed);

    /// Refuses version 1 events, which carry no time.
    #[must_use]
    pub fn require_time(self) -> Self {
        Self(self.0.map_scheme(|scheme| scheme.time_may_be_absent(false)))
    }

    /// The subscription that an **unverified** body names, for a look-up by
    /// [`SignatureLayer::by_body`](crate::SignatureLayer::by_body): the last segment of
    /// `source`, as in `/com/cisco/wxcc/<id>`. `None` when the body cannot be parsed.
    #[must_use]
    pub fn subscription_id(body: &[u8]) -> Option<String> {
        let source = json::field(body, "source").ok()??.into_text()?;
        let (_, id) = source.rsplit_once('/')?;
        (!id.is_empty()).then(|| id.to_owned())
    }
}

fn header_time(head: &Parts) -> Result<Option<Timestamp>, Rejection> {
    let Some(text) = optional(head, TIME_HEADER)? else {
        return Ok(None);
    };
    let time = Timestamp::parse(text, TimestampFormat::UnixMillis);
    time.map(Some).ok_or_else(|| Rejection::malformed(TIME_HEADER))
}

impl Verifier for WebexContactCenter {
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        header_time(request.head())?;
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
        let outcome = self.0.finish(state, request, body)?;
        match (outcome.verified().signed_at(), header_time(request.head())?) {
            // The header alone is worth nothing: whoever replays a body can write it.
            (None, Some(_)) => Err(Rejection::missing_in(Field::json(TIME_FIELD))),
            (signed, Some(header)) if signed != header.to_system_time() => {
                Err(Rejection::malformed(TIME_HEADER))
            }
            _ => Ok(outcome),
        }
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.0.sensitive_parts()
    }
}

sign_as!(WebexContactCenter, self => &self.0);
