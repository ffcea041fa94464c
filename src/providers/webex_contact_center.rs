use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;

use super::{or_text_key, text_keyed};
use crate::{
    Profile, Rejection, Secret, SensitiveParts, Verified, Verifier,
    head::optional,
    json,
    scheme::{Scheme, SchemeState, SchemeVerifier, TimeFormat, Tolerance, json_time},
    time::{Clock, Timestamp},
};

const TIME_FIELD: &str = "comciscotimestamp";
const TIME_HEADER: &str = "x-webexcc-timestamp";

/// Webex Contact Center subscriptions. Webex messaging webhooks are [`Webex`](super::Webex).
///
/// | | |
/// |---|---|
/// | header | `X-WebexCC-Signature: <hex>` |
/// | algorithm | HMAC-SHA256, the subscription's secret as it is |
/// | signed content | the body |
/// | freshness | 5 minutes both ways, by `comciscotimestamp` in the signed body (milliseconds, string or number). The header `X-WebExCC-Timestamp` is not signed: where it is present it must equal the body's, and leaving it out changes nothing |
/// | delivery id | in the body (`id`) |
/// | handshake | none |
/// | status | 403 |
/// | evidence | vendor's source: <https://developer.webex.com/docs/receive-and-verify-contact-center-webhooks> |
///
/// Version 1 events carry no time and are accepted unless [`require_time`](Self::require_time) is
/// set. Cisco's sample refuses only times in the past; times in the future are refused here too.
///
/// Cisco can set an endpoint inactive that answers with errors:
/// [`rejection_status`](crate::SignatureLayer::rejection_status) with 204 accepts and drops.
#[derive(Clone, Debug)]
pub struct WebexContactCenter {
    scheme: SchemeVerifier,
    requires_time: bool,
    tolerance: Tolerance,
    clock: Clock,
}

impl WebexContactCenter {
    /// How it signs. The freshness rule stands beside it.
    pub const SCHEME: Scheme = Scheme::hmac_sha256("x-webexcc-signature")
        .provider("webex_contact_center")
        .unique_content();

    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const PROFILE: Profile = Self::SCHEME.profile();

    /// A verifier with this subscription's secret.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            scheme: text_keyed(Self::SCHEME, secret),
            requires_time: false,
            tolerance: Tolerance::seconds(300),
            clock: Clock::default(),
        }
    }

    /// Accepts a further secret, for a rotation: the first stays the current one.
    ///
    /// # Panics
    ///
    /// With more than 16 secrets.
    #[must_use]
    pub fn or_secret(mut self, secret: Secret) -> Self {
        self.scheme = or_text_key(self.scheme, secret);
        self
    }

    /// Refuses version 1 events, which carry no time.
    #[must_use]
    pub const fn require_time(mut self) -> Self {
        self.requires_time = true;
        self
    }

    /// How far the signed time may be off, in place of five minutes.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Tells the time, in place of the system's clock: for tests.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// The subscription that an **unverified** body names, for a look-up by
    /// [`make_verifier_after_body_fn`](crate::make_verifier_after_body_fn): the last segment of
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
    let time = Timestamp::parse(text, TimeFormat::Milliseconds);
    time.map(Some).ok_or_else(|| Rejection::malformed(TIME_HEADER))
}

impl Verifier for WebexContactCenter {
    type State = SchemeState;

    fn begin(&self, head: &Parts) -> Result<SchemeState, Rejection> {
        header_time(head)?;
        self.scheme.begin(head)
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        self.scheme.update(state, chunk);
    }

    fn finish(
        &self,
        state: SchemeState,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        let verified = self.scheme.finish(state, head, body)?;
        let header = header_time(head)?;
        let body = json_time(body, TIME_FIELD, TimeFormat::Milliseconds)?;
        match (body, header) {
            (None, None) if !self.requires_time => Ok(verified),
            (None, None) => Err(Rejection::missing(TIME_FIELD)),
            (Some(body), Some(header)) if body != header => Err(Rejection::malformed(TIME_HEADER)),
            // The header alone is worth nothing: whoever replays a body can write it.
            (None, Some(_)) => Err(Rejection::missing(TIME_FIELD)),
            (Some(time), _) => {
                time.check(self.tolerance, &self.clock)
                    .map_err(|rejection| rejection.with_field(TIME_FIELD))?;
                let verified = match time.fresh_for(self.tolerance, &self.clock) {
                    Some(fresh_for) => verified.with_fresh_for(fresh_for),
                    None => verified,
                };
                Ok(match time.to_system_time() {
                    Some(time) => verified.with_signed_at(time),
                    None => verified,
                })
            }
        }
    }

    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.scheme.sensitive_parts()
    }
}

super::sign_as!(WebexContactCenter, self => &self.scheme);
