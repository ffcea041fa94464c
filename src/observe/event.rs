//! An event: what happened, and to which request.

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::{
    observe::{
        attempt::{Attempt, Proof, REQUEST_ID},
        kind::EventKind,
    },
    outcome::{
        kind::RejectionKind,
        redact::{
            text::{MAX_SEARCHED, REDACTED, escape, holds_secret},
            url::url,
        },
        rejection::Rejection,
        replay_answer::ReplayAnswer,
        verified::Verified,
    },
    verifier::sensitive::SensitiveParts,
};

/// Something that happened to a request.
///
/// All text that comes from the request is escaped to printable ASCII and cut after 256 bytes, so
/// that it can forge no line of a log. Nothing here is a secret, a tag or a received signature, but
/// for the [`headers`](Self::headers) and the [`body`](Self::body), which only an observer that
/// asks for them sees.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    attempt: &'a Attempt,
    kind: EventKind,
}

impl<'a> Event<'a> {
    /// An event of a layer of your own, for example [`EventKind::RateLimited`].
    #[must_use]
    pub const fn new(attempt: &'a Attempt, kind: EventKind) -> Self {
        Self { attempt, kind }
    }

    /// What happened.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        self.kind
    }

    /// The request that it happened to.
    #[must_use]
    pub const fn attempt(&self) -> &'a Attempt {
        self.attempt
    }

    /// Whether the request had a verdict that sent it to the inner service.
    #[must_use]
    pub fn is_dispatched(&self) -> bool {
        self.attempt.is_dispatched()
    }

    /// A stable name for the sort of event.
    ///
    /// | what happened | name |
    /// |---|---|
    /// | a verdict against a request | `invalid_webhook_signature` |
    /// | a GET or HEAD without a signature: a browser or a health check | `webhook_unsigned_probe` |
    /// | an ownership challenge that failed | `webhook_verification_failed` |
    /// | we could not decide: store down, clock wrong, verifier panicked | `webhook_config_error` |
    /// | the body was too long, too slow or unreadable | `webhook_body_refused` |
    /// | the byte budget is spent | `webhook_overload` |
    /// | too many requests | `rate_limit_exceeded` |
    /// | the replay guard is not set up right | `webhook_config_error` |
    /// | a repetition of a delivery that has been handled | `webhook_duplicate` |
    /// | a repetition of one that is being handled | `webhook_in_flight` |
    /// | the replay store failed: refused, dispatched unguarded (and the end of that), not told of the handler's answer | `webhook_replay_store_failed`, `webhook_unguarded` (`webhook_guard_restored`), `webhook_unsettled` |
    /// | the replay store forgot deliveries before their time | `webhook_replay_evicted` |
    /// | the handler took longer than the lease | `webhook_lease_lost` |
    /// | the replay guard remembers without end, cannot guard, or cannot know deliveries by an id in the body | `webhook_replay_unbounded`, `webhook_unguardable`, `webhook_event_id_not_signed` |
    /// | the others | `webhook_accepted`, `webhook_cancelled`, `webhook_completed`, `webhook_first_contact`, `webhook_handshake`, `webhook_panicked`, `webhook_events_suppressed` |
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            EventKind::Accepted => "webhook_accepted",
            EventKind::Cancelled => "webhook_cancelled",
            EventKind::Completed { .. } => "webhook_completed",
            EventKind::EventIdNotSigned => "webhook_event_id_not_signed",
            EventKind::Evicted { .. } => "webhook_replay_evicted",
            EventKind::FirstContact { .. } => "webhook_first_contact",
            EventKind::GuardRestored { .. } => "webhook_guard_restored",
            EventKind::Challenge { .. } => "webhook_handshake",
            EventKind::LeaseLost => "webhook_lease_lost",
            EventKind::Panicked => "webhook_panicked",
            EventKind::RateLimited => "rate_limit_exceeded",
            EventKind::RetentionUnbounded => "webhook_replay_unbounded",
            EventKind::Suppressed { .. } => "webhook_events_suppressed",
            EventKind::Unguardable => "webhook_unguardable",
            EventKind::Unguarded { .. } => "webhook_unguarded",
            EventKind::Unsettled => "webhook_unsettled",
            EventKind::Replay(answer) => match answer {
                ReplayAnswer::Duplicate => "webhook_duplicate",
                ReplayAnswer::InFlight => "webhook_in_flight",
                ReplayAnswer::NothingSigned | ReplayAnswer::NotVerified => "webhook_config_error",
                ReplayAnswer::StoreFailed => "webhook_replay_store_failed",
            },
            EventKind::Rejected { .. } | EventKind::Unverified => {
                match self.rejection().map_or(RejectionKind::SignatureMismatch, Rejection::kind) {
                    RejectionKind::ChallengeFailed
                    | RejectionKind::ChallengeMalformed
                    | RejectionKind::ChallengeUnexpected => "webhook_verification_failed",
                    RejectionKind::ClockUnreliable
                    | RejectionKind::VerifierPanicked
                    | RejectionKind::VerifierUnavailable => "webhook_config_error",
                    RejectionKind::BodyTimeout
                    | RejectionKind::BodyTooLarge
                    | RejectionKind::BodyUnreadable => "webhook_body_refused",
                    RejectionKind::Overloaded => "webhook_overload",
                    RejectionKind::Missing
                        if matches!(*self.method(), Method::GET | Method::HEAD) =>
                    {
                        "webhook_unsigned_probe"
                    }
                    _ => "invalid_webhook_signature",
                }
            }
        }
    }

    /// Why the replay guard answered in the handler's place, also in the
    /// [`Completed`](EventKind::Completed) that follows.
    #[must_use]
    pub fn replay_answer(&self) -> Option<ReplayAnswer> {
        self.attempt.replay_answer()
    }

    /// Whether the replay guard let the request pass although its store failed.
    #[must_use]
    pub fn is_unguarded(&self) -> bool {
        self.attempt.is_unguarded()
    }

    /// Whether this is the last event of its request. `RateLimited` is, unless a layer below says
    /// so of a request that was let through: its answer is still to come.
    #[must_use]
    pub fn is_last(&self) -> bool {
        match self.kind {
            EventKind::Cancelled
            | EventKind::Completed { .. }
            | EventKind::FirstContact { .. }
            | EventKind::Challenge { .. }
            | EventKind::Panicked
            | EventKind::Rejected { .. } => true,
            EventKind::RateLimited => !self.is_dispatched(),
            EventKind::Accepted
            | EventKind::EventIdNotSigned
            | EventKind::Evicted { .. }
            | EventKind::GuardRestored { .. }
            | EventKind::LeaseLost
            | EventKind::RetentionUnbounded
            | EventKind::Suppressed { .. }
            | EventKind::Unguardable
            | EventKind::Unguarded { .. }
            | EventKind::Unsettled
            | EventKind::Unverified
            | EventKind::Replay(_) => false,
        }
    }

    /// Why the request was refused, or goes on unverified: [`RejectionKind::as_str`].
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        Some(self.rejection()?.kind().as_str())
    }

    /// Why the request was refused, or goes on unverified.
    #[must_use]
    pub fn rejection(&self) -> Option<&'a Rejection> {
        match self.attempt.proof() {
            Some(Proof::Refused(rejection)) => Some(rejection),
            _ => None,
        }
    }

    /// What was proven.
    #[must_use]
    pub fn verified(&self) -> Option<&'a Verified> {
        match self.attempt.proof() {
            Some(Proof::Verified(verified)) => Some(verified),
            _ => None,
        }
    }

    /// The provider's name.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        match self.attempt.proof() {
            Some(Proof::Verified(verified)) => verified.provider(),
            Some(Proof::Refused(rejection)) => rejection.provider(),
            None => self.attempt.provider,
        }
    }

    /// The tenant, as the look-up writes it: nothing is escaped. On a request that was accepted it is the one whose secret matched, and otherwise
    /// only the one that the look-up named.
    #[must_use]
    pub fn tenant(&self) -> Option<&'a str> {
        match self.attempt.proof() {
            Some(Proof::Verified(verified)) => verified.tenant(),
            Some(Proof::Refused(rejection)) => rejection.tenant(),
            None => None,
        }
        .or(self.attempt.tenant.as_deref())
    }

    /// Returns the id that was looked up, where no tenant was found by it; see [`Rejection::claimed_tenant`].
    #[must_use]
    pub fn claimed_tenant(&self) -> Option<&'a str> {
        self.rejection()?.claimed_tenant()
    }

    /// Which secret matched: 0 for the first, which is the current one.
    #[must_use]
    pub fn key_index(&self) -> Option<usize> {
        self.verified().map(Verified::key_index)
    }

    /// The sender's address, as [`ClientIp`](super::ClientIp) tells it.
    #[must_use]
    pub const fn client_ip(&self) -> Option<IpAddr> {
        self.attempt.client_ip
    }

    /// The request's method.
    #[must_use]
    pub const fn method(&self) -> &'a Method {
        &self.attempt.method
    }

    /// The request's URL as received, without the values of sensitive parameters and without user
    /// information. Where the URL is a [secret](SensitiveParts::url) of its own, without its path and
    /// without the values of all parameters.
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.attempt.uri, self.attempt.has_secret_url())
    }

    /// Returns the URL that the verifier took for the signed one, where no signature matched; see
    /// [`Rejection::signed_url`].
    #[must_use]
    pub fn signed_url(&self) -> Option<String> {
        self.rejection()?.signed_url_of(self.attempt.has_secret_url())
    }

    /// Returns the parts of the request that hold a secret or a signature. An observer that stores
    /// [`headers`](Self::headers) or [`body`](Self::body) leaves them out.
    pub fn sensitive_parts(&self) -> &'a SensitiveParts {
        self.attempt.sensitive_parts()
    }

    /// Whether a header's value must not be shown: it repeats a secret of the request, names a secret
    /// of any sort and holds its value, or is too long to be searched.
    pub(crate) fn is_secret(&self, value: &HeaderValue) -> bool {
        let value = value.as_bytes();
        value.len() > MAX_SEARCHED
            || self.attempt.repeats_secret(&String::from_utf8_lossy(value))
            || holds_secret(value)
    }

    /// Returns whether no verifier was found, so that any header may be the one that it would have read.
    pub(crate) fn is_open(&self) -> bool {
        self.sensitive_parts().is_open() && self.attempt.has_secret_url()
    }

    /// What the sender calls itself; `[redacted]` where it holds a secret.
    #[must_use]
    pub fn user_agent(&self) -> Option<String> {
        Some(self.header(&header::USER_AGENT, self.attempt.user_agent.as_ref()?))
    }

    /// The request's `x-request-id`; `[redacted]` where it holds a secret.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        Some(self.header(&REQUEST_ID, self.attempt.request_id.as_ref()?))
    }

    fn header(&self, name: &HeaderName, value: &HeaderValue) -> String {
        let is_sensitive = self.sensitive_parts().has_header(name);
        let is_secret =
            self.is_open() || is_sensitive || self.attempt.is_repeated() || self.is_secret(value);
        if is_secret { REDACTED.into() } else { escape(value.as_bytes()) }
    }

    /// The delivery's id, as the provider sent it.
    #[must_use]
    pub fn delivery_id(&self) -> Option<String> {
        let id = self.verified()?.delivery_id()?;
        let is_secret = self.is_secret(id);
        Some(if is_secret { REDACTED.into() } else { escape(id.as_bytes()) })
    }

    /// What the delivery is about, as the handler [says](Attempt::set_event_name); nothing is escaped.
    #[must_use]
    pub fn delivery_event(&self) -> Option<String> {
        self.attempt.notes().event_name.clone()
    }

    /// How the delivery ended, as the handler [says](Attempt::set_status).
    #[must_use]
    pub fn status_name(&self) -> Option<String> {
        self.attempt.notes().status.clone()
    }

    /// The handler's [message](Attempt::set_status), as it is written, on how the delivery ended.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        self.attempt.notes().message.clone()
    }

    /// When the request's head was received.
    #[must_use]
    pub const fn received_at(&self) -> SystemTime {
        self.attempt.received_at
    }

    /// [`received_at`](Self::received_at) in milliseconds since 1970.
    #[must_use]
    pub fn received_at_millis(&self) -> u64 {
        self.attempt.received_at_millis()
    }

    /// The time from the request's head until now.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.attempt.elapsed()
    }

    /// When this is told. Heads are not told in the order in which they came: a slow body, which
    /// is its sender's choice, must not turn an observer's clock back.
    pub(crate) fn told_at(&self) -> SystemTime {
        self.attempt.told_at()
    }

    /// The time from the request's head until the verdict, the reading of the body included;
    /// `None` before there is one.
    #[must_use]
    pub fn time_to_verdict(&self) -> Option<Duration> {
        self.attempt.time_to_verdict()
    }

    /// The body's length in bytes, where the body was read to its end.
    #[must_use]
    pub fn body_len(&self) -> Option<usize> {
        self.attempt.body_len()
    }

    /// The request's headers, **secrets and signatures included**, where an observer of the layer
    /// [keeps the request](super::Observer::keeps_request). Store only headers that you list.
    #[must_use]
    pub const fn headers(&self) -> Option<&'a HeaderMap> {
        self.attempt.headers.as_ref()
    }

    /// The body as received, where an observer of the layer [keeps the
    /// request](super::Observer::keeps_request) and the body was read to its end. Whoever it
    /// came from, unless the request was accepted.
    #[must_use]
    pub fn body(&self) -> Option<&'a Bytes> {
        self.attempt.body()
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .field("event_type", &self.name())
            .field("reason", &self.reason())
            .field("attempt", &self.attempt)
            .finish()
    }
}
