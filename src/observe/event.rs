//! An event: what happened, and to which request.

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

#[cfg(feature = "explain")]
use crate::outcome::explanation::Explanation;
use crate::{
    observe::{
        attempt::{Attempt, Proof, REQUEST_ID},
        kind::EventKind,
    },
    outcome::{
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

/// Event in the processing of a request.
///
/// Text from the request is escaped to printable ASCII and truncated to 256 bytes, so that it
/// cannot forge log lines; the exception is [`claimed_tenant`](Self::claimed_tenant). An event
/// contains no secret, tag or received signature, except in [`headers`](Self::headers) and
/// [`body`](Self::body), which exist only if an observer of the layer [keeps the
/// request](super::Observer::keeps_request).
#[derive(Clone, Copy)]
pub struct Event<'a> {
    attempt: &'a Attempt,
    kind: EventKind,
}

impl<'a> Event<'a> {
    /// Creates an event of a custom layer, for example [`EventKind::RateLimited`].
    #[must_use]
    pub const fn new(attempt: &'a Attempt, kind: EventKind) -> Self {
        Self { attempt, kind }
    }

    /// Returns the kind of the event.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        self.kind
    }

    /// Returns the request that the event is about.
    #[must_use]
    pub const fn attempt(&self) -> &'a Attempt {
        self.attempt
    }

    /// Returns `true` if the layer has forwarded the request to the inner service.
    #[must_use]
    pub fn is_dispatched(&self) -> bool {
        self.attempt.is_dispatched()
    }

    /// Returns the reason for which the replay guard responded instead of the handler, also in the
    /// [`Completed`](EventKind::Completed) event that follows.
    #[must_use]
    pub fn replay_answer(&self) -> Option<ReplayAnswer> {
        self.attempt.replay_answer()
    }

    /// Returns `true` if the replay guard dispatched the request although its store failed.
    #[must_use]
    pub fn is_unguarded(&self) -> bool {
        self.attempt.is_unguarded()
    }

    /// Returns the name of the reason for the rejection; see
    /// [`RejectionKind::as_str`](crate::RejectionKind::as_str).
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        Some(self.rejection()?.kind().as_str())
    }

    /// Returns the reason why the request was rejected, or was forwarded unverified.
    #[must_use]
    pub fn rejection(&self) -> Option<&'a Rejection> {
        match self.attempt.proof() {
            Some(Proof::Refused(rejection)) => Some(rejection),
            _ => None,
        }
    }

    /// Returns the name of the cause that an explanation found, if the rejection has been explained:
    /// with the feature `explain`, for [few rejections](EventKind::Explained). It may be about another
    /// tenant, so it is for the operator alone.
    #[must_use]
    pub fn cause(&self) -> Option<&'static str> {
        self.attempt.explained.cause()
    }

    /// Returns the explanation of the rejection, for [few rejections](EventKind::Explained).
    ///
    /// Some findings are [for the operator](crate::explain::Finding::is_for_operator) alone.
    #[cfg(feature = "explain")]
    #[cfg_attr(docsrs, doc(cfg(feature = "explain")))]
    #[must_use]
    pub fn explanation(&self) -> Option<&'a Explanation> {
        self.attempt.explained.get()
    }

    /// Returns the proof of authenticity, if the request was verified.
    #[must_use]
    pub fn verified(&self) -> Option<&'a Verified> {
        match self.attempt.proof() {
            Some(Proof::Verified(verified)) => Some(verified),
            _ => None,
        }
    }

    /// Returns the name of the provider.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        match self.attempt.proof() {
            Some(Proof::Verified(verified)) => verified.provider(),
            Some(Proof::Refused(rejection)) => rejection.provider(),
            None => self.attempt.provider,
        }
    }

    /// Returns the tenant in the spelling of the lookup, unescaped.
    ///
    /// For an accepted request, this is the tenant whose secret matched; otherwise only the tenant
    /// that the lookup named.
    #[must_use]
    pub fn tenant(&self) -> Option<&'a str> {
        match self.attempt.proof() {
            Some(Proof::Verified(verified)) => verified.tenant(),
            Some(Proof::Refused(rejection)) => rejection.tenant(),
            None => None,
        }
        .or(self.attempt.tenant.as_deref())
    }

    /// Returns the tenant to show to operators, or the claimed one if the lookup found none. The
    /// reason tells which it is.
    #[allow(dead_code, reason = "log lines ask for it")]
    pub(crate) fn shown_tenant(&self) -> Option<String> {
        let id = self.tenant().or(self.claimed_tenant())?;
        // The ID may be a piece of a secret URL.
        let is_secret = self.attempt.repeats_secret(id);
        Some(if is_secret { REDACTED.into() } else { escape(id.as_bytes()) })
    }

    /// Returns the ID that was looked up, if the lookup found no tenant for it.
    ///
    /// The ID is the sender's text: escape it before you log it. See [`Rejection::claimed_tenant`].
    #[must_use]
    pub fn claimed_tenant(&self) -> Option<&'a str> {
        self.rejection()?.claimed_tenant()
    }

    /// Returns the index of the secret that matched: 0 for the first, which is the current one.
    #[must_use]
    pub fn key_index(&self) -> Option<usize> {
        self.verified().map(Verified::key_index)
    }

    /// Returns the IP address of the client, as determined by [`ClientIp`](super::ClientIp).
    #[must_use]
    pub const fn client_ip(&self) -> Option<IpAddr> {
        self.attempt.client_ip
    }

    /// Returns the method of the request.
    #[must_use]
    pub const fn method(&self) -> &'a Method {
        &self.attempt.method
    }

    /// Returns the URL as received, without user information and with the values of sensitive
    /// parameters redacted.
    ///
    /// If the URL is itself a [secret](SensitiveParts::url), its path and the values of all
    /// parameters are redacted.
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.attempt.uri, self.attempt.has_secret_url())
    }

    /// Returns the URL that the verifier expected the signature to cover, if no signature matched;
    /// see [`Rejection::signed_url`].
    #[must_use]
    pub fn signed_url(&self) -> Option<String> {
        self.rejection()?.signed_url_of(self.attempt.has_secret_url())
    }

    /// Returns the parts of the request that hold a secret or a signature.
    ///
    /// Omit them if you store [`headers`](Self::headers) or [`body`](Self::body).
    pub fn sensitive_parts(&self) -> &'a SensitiveParts {
        self.attempt.sensitive_parts()
    }

    /// Returns `true` if a header value must not be shown: it repeats a secret of the request,
    /// contains the name and the value of any secret, or is too long to be searched.
    pub(crate) fn is_secret(&self, value: &HeaderValue) -> bool {
        let value = value.as_bytes();
        value.len() > MAX_SEARCHED
            || self.attempt.repeats_secret(&String::from_utf8_lossy(value))
            || holds_secret(value)
    }

    /// Returns `true` if no verifier was found: any header may be one that it would have read.
    pub(crate) fn is_open(&self) -> bool {
        self.sensitive_parts().is_open() && self.attempt.has_secret_url()
    }

    /// Returns the user agent; `[redacted]` if it contains a secret.
    #[must_use]
    pub fn user_agent(&self) -> Option<String> {
        Some(self.header(&header::USER_AGENT, self.attempt.user_agent.as_ref()?))
    }

    /// Returns the `x-request-id` header; `[redacted]` if it contains a secret.
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

    /// Returns the delivery ID of the provider; `[redacted]` if it contains a secret.
    #[must_use]
    pub fn delivery_id(&self) -> Option<String> {
        let id = self.verified()?.delivery_id()?;
        let is_secret = self.is_secret(id);
        Some(if is_secret { REDACTED.into() } else { escape(id.as_bytes()) })
    }

    /// Returns the event name that the handler [set](Attempt::set_event_name), unescaped.
    #[must_use]
    pub fn delivery_event(&self) -> Option<String> {
        self.attempt.notes().event_name.clone()
    }

    /// Returns the status of the delivery that the handler [set](Attempt::set_status), unescaped.
    #[must_use]
    pub fn status_name(&self) -> Option<String> {
        self.attempt.notes().status.clone()
    }

    /// Returns the message that the handler [set](Attempt::set_status) with the status, unescaped.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        self.attempt.notes().message.clone()
    }

    /// Returns the time at which the request head was received.
    #[must_use]
    pub const fn received_at(&self) -> SystemTime {
        self.attempt.received_at
    }

    /// Returns [`received_at`](Self::received_at) in milliseconds since 1970.
    #[must_use]
    pub fn received_at_millis(&self) -> u64 {
        self.attempt.received_at_millis()
    }

    /// Returns the time since the request head was received.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.attempt.elapsed()
    }

    /// Returns the time of this event, not of its head: a slow body, which its sender controls,
    /// must not turn an observer's clock back.
    pub(crate) fn told_at(&self) -> SystemTime {
        self.attempt.told_at()
    }

    /// Returns the time from the request head to the result of verification, including the time to
    /// read the body; `None` before there is a result.
    #[must_use]
    pub fn time_to_verdict(&self) -> Option<Duration> {
        self.attempt.time_to_verdict()
    }

    /// Returns the length of the body in bytes, if the body was read to its end.
    #[must_use]
    pub fn body_len(&self) -> Option<usize> {
        self.attempt.body_len()
    }

    /// Returns the request headers, **including secrets and signatures**, if an observer of the
    /// layer [keeps the request](super::Observer::keeps_request). Store only headers that you list.
    #[must_use]
    pub const fn headers(&self) -> Option<&'a HeaderMap> {
        self.attempt.headers.as_ref()
    }

    /// Returns the body as received, if an observer of the layer [keeps the
    /// request](super::Observer::keeps_request) and the body was read to its end. It may come from
    /// anyone, unless the request was accepted.
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
