//! Webex Contact Center webhooks.

use http::request::Parts;

use crate::{
    outcome::{field::Field, rejection::Rejection},
    parse::{
        headers::optional,
        json,
        timestamp::{Timestamp, TimestampFormat},
    },
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::{DeliveryPolicy, MINUTE},
    },
    scheme::{
        component::TimestampSource, declaration::Scheme, state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, outcome::Outcome, verifier::Verifier},
};

const TIME_FIELD: &str = "comciscotimestamp";
const TIME_HEADER: &str = "x-webexcc-timestamp";

/// Webex Contact Center webhooks: HMAC-SHA256 of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::WebexContactCenter};
///
/// let layer = SignatureLayer::new(WebexContactCenter::new("made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-webexcc-signature: <hex>` |
/// | algorithm | HMAC-SHA256; the key is the subscription's secret |
/// | signed content | the body |
/// | tolerance | 5 minutes both ways, by `comciscotimestamp` in the body |
/// | delivery ID | `id` in the body |
/// | challenge | none |
///
/// - The signed `comciscotimestamp` has milliseconds, as a string or a number. Version 1 events
///   have no time, and are accepted unless [`require_time`](Self::require_time) is set.
/// - The header `X-WebExCC-Timestamp` is not signed. If it is present, it must equal the body's
///   time. Leaving it out changes nothing.
/// - Cisco's sample rejects only times in the past. This type also rejects times in the future.
/// - Cisco can set an endpoint to inactive if it responds with errors. If you set
///   [`rejection_status`](crate::SignatureLayer::rejection_status) to 204, the layer accepts and
///   drops the requests that it rejects.
/// - For Webex messaging webhooks, use [`Webex`](crate::providers::Webex).
///
/// # Evidence
///
/// Vendor's source: <https://developer.webex.com/docs/receive-and-verify-contact-center-webhooks>.
///
#[doc = crate::providers::macros::page!(WebexContactCenter)]
#[derive(Clone, Debug)]
pub struct WebexContactCenter(SchemeVerifier);

registered! {
    WebexContactCenter = "webex_contact_center" as "Webex Contact Center";
    policy: DeliveryPolicy::UNKNOWN
        .unknown_retries()
        .window(5 * MINUTE, "https://developer.webex.com/docs/receive-and-verify-contact-center-webhooks");
    signature: SCHEME;
    "webex_contact_center": Secret timed, p => WebexContactCenter::new(p.secrets);
}

impl WebexContactCenter {
    /// The signature scheme.
    pub const SCHEME: Scheme = Self::POLICY.apply(
        Scheme::hmac_sha256("x-webexcc-signature")
            .provider("webex_contact_center")
            .unique_content()
            .time(TimestampSource::Json(TIME_FIELD), TimestampFormat::UnixMillis)
            .time_may_be_absent(true),
    );

    scheme_methods!(timed);

    /// Rejects version 1 events, which have no time.
    #[must_use]
    pub fn require_time(self) -> Self {
        Self(self.0.map_scheme(|scheme| scheme.time_may_be_absent(false)))
    }

    /// Returns the subscription that an **unverified** body names, for a lookup with
    /// [`SignatureLayer::by_body`](crate::SignatureLayer::by_body).
    ///
    /// It is the last segment of `source`, as in `/com/cisco/wxcc/<id>`. Returns `None` if the body
    /// cannot be parsed or has no such segment.
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

/// Rejects a request whose header has another time than its signed body.
fn with_same_time(outcome: Outcome, head: &Parts) -> Result<Outcome, Rejection> {
    match (outcome.verified().signed_at(), header_time(head)?) {
        // The header proves nothing: anyone who replays a body can write it.
        (None, Some(_)) => Err(Rejection::missing_in(Field::json(TIME_FIELD))),
        (signed, Some(header)) if signed != header.to_system_time() => {
            Err(Rejection::malformed(TIME_HEADER))
        }
        _ => Ok(outcome),
    }
}

impl Verifier for WebexContactCenter {
    delegate_verifier! {
        self => self.0, SchemeState;
        before(request) => header_time(request.head());
        after(outcome, request, _body) => with_same_time(outcome, request.head())
    }
}

sign_as!(WebexContactCenter, self => &self.0);
