//! A request in progress, as its events report it.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, header, request::Parts};

use crate::{
    observe::{event::Event, explained::Explained, kind::EventKind, observers::Observers},
    outcome::{
        kind::RejectionKind, redact::url::url, rejection::Rejection, replay_answer::ReplayAnswer,
        verified::Verified,
    },
    parse::{
        clock::{Clock, steady},
        headers::original_uri,
    },
    verifier::sensitive::SensitiveParts,
};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Shared state of one request: lets layers report events and handlers annotate the delivery.
///
/// A layer with an [`Observer`](super::Observer) or a `tracing` subscriber inserts an
/// `Arc<Attempt>` into the request extensions. Layers below it can report further events to the
/// same observers.
///
/// ```
/// use std::sync::Arc;
/// use axum::Extension;
/// use tower_webhook::observe::Attempt;
///
/// async fn handler(Extension(attempt): Extension<Arc<Attempt>>) {
///     attempt.set_event_name("message.received");
/// }
/// # let _ = handler;
/// ```
pub struct Attempt {
    pub(crate) provider: &'static str,
    pub(crate) sensitive: Arc<SensitiveParts>,
    /// `sensitive` with the parts of the verifier that was looked up.
    pub(crate) found_sensitive: OnceLock<SensitiveParts>,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) user_agent: Option<HeaderValue>,
    pub(crate) request_id: Option<HeaderValue>,
    pub(crate) client_ip: Option<IpAddr>,
    pub(crate) received_at: SystemTime,
    pub(crate) headers: Option<HeaderMap>,
    /// Start of the request by the [steady](steady) clock.
    started: Duration,
    clock: Clock,
    pub(crate) observers: Observers,
    verdict: OnceLock<(Proof, Duration)>,
    pub(crate) dispatched: AtomicBool,
    notes: Mutex<Notes>,
    replay_answer: OnceLock<ReplayAnswer>,
    unguarded: AtomicBool,
    /// Set if the value of a sensitive header also occurs in the URL or in another header that
    /// events show.
    is_repeated: AtomicBool,
    pub(crate) body: OnceLock<(usize, Option<Bytes>)>,
    pub(crate) explained: Explained,
    /// State that observers keep with the request.
    #[allow(dead_code, reason = "the delivery log is an observer that does")]
    extensions: Mutex<Extensions>,
}

/// The handler's description of the delivery.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) event_name: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) message: Option<String>,
}

/// Result of verification.
pub(crate) enum Proof {
    Verified(Verified),
    Refused(Rejection),
}

impl Attempt {
    pub(crate) fn at(
        provider: &'static str,
        head: &Parts,
        sensitive: Arc<SensitiveParts>,
        client_ip: Option<IpAddr>,
        clock: Clock,
        observers: Observers,
    ) -> Self {
        Self {
            provider,
            sensitive,
            found_sensitive: OnceLock::new(),
            tenant: None,
            method: head.method.clone(),
            uri: original_uri(head).clone(),
            user_agent: head.headers.get(header::USER_AGENT).cloned(),
            request_id: head.headers.get(REQUEST_ID).cloned(),
            client_ip,
            received_at: clock.now(),
            headers: observers.keep_request().then(|| head.headers.clone()),
            started: steady(),
            clock,
            observers,
            verdict: OnceLock::new(),
            dispatched: AtomicBool::new(false),
            notes: Mutex::default(),
            replay_answer: OnceLock::new(),
            unguarded: AtomicBool::new(false),
            is_repeated: AtomicBool::new(false),
            body: OnceLock::new(),
            explained: Explained::none(),
            extensions: Mutex::default(),
        }
    }

    /// Returns the provider of the layer.
    ///
    /// If a lookup chose the verifier, [`Event::provider`] returns the provider of that verifier.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// Sets the event name that later events report, such as `message.received`.
    pub fn set_event_name(&self, name: impl Into<String>) {
        self.notes().event_name = Some(name.into());
    }

    /// Sets the status and the message that later events report for the delivery, such as the
    /// status `subscription_inactive` and a message for readers of the log.
    pub fn set_status(&self, status: impl Into<String>, message: impl Into<String>) {
        let mut notes = self.notes();
        notes.status = Some(status.into());
        notes.message = Some(message.into());
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state that observers keep with the request.
    #[allow(dead_code, reason = "the delivery log is an observer that does")]
    pub(crate) fn extensions(&self) -> MutexGuard<'_, Extensions> {
        self.extensions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports an event to the observers of the layer.
    pub fn report(&self, kind: EventKind) {
        if let EventKind::Replay(replay_answer) = kind {
            // Distinguishes the guard's response from the handler's in the `Completed` event that
            // follows.
            let _ = self.replay_answer.set(replay_answer);
        }
        self.observers.observe(&Event::new(self, kind));
    }

    pub(crate) fn sensitive_parts(&self) -> &SensitiveParts {
        self.found_sensitive.get().unwrap_or(&self.sensitive)
    }

    /// Returns `true` if the URL must not be shown.
    ///
    /// Before a verifier is found, the URL may be its secret. If the tenant is unknown, the URL is
    /// no verifier's secret. It is then shown, because it names the tenant that the sender meant.
    pub(crate) fn has_secret_url(&self) -> bool {
        let parts = self.sensitive_parts();
        let is_nobodys = || match self.proof() {
            Some(Proof::Refused(rejection)) => rejection.kind() == RejectionKind::UnknownTenant,
            _ => false,
        };
        parts.has_url() || parts.is_open() && !is_nobodys() || self.is_repeated()
    }

    /// Returns `true` if the sender repeats a secret in a part of the request that events show.
    pub(crate) fn is_repeated(&self) -> bool {
        self.is_repeated.load(Ordering::Relaxed)
    }

    /// Searches the URL, the user agent and the request ID for values of sensitive headers.
    pub(crate) fn look_for_repetitions(&self, head: &Parts) {
        const SHORTEST: usize = 6;
        let shown = [self.user_agent.as_ref(), self.request_id.as_ref()];
        let shown = shown.into_iter().flatten().map(HeaderValue::as_bytes);
        let target = self.uri.path_and_query().map(|target| target.as_str().as_bytes());
        let shown = shown.chain(target);
        let longest = shown.clone().map(<[u8]>::len).max().unwrap_or_default();
        if longest < SHORTEST {
            return;
        }
        let is_there = |value: &[u8]| {
            let is_in = |text: &[u8]| text.windows(value.len()).any(|window| window.eq(value));
            (SHORTEST..=longest).contains(&value.len()) && shown.clone().any(is_in)
        };
        let is_repeated = self.sensitive_parts().headers().any(|name| {
            head.headers.get_all(name).iter().any(|value| {
                let value = value.as_bytes();
                // The token in `Bearer abc`.
                let word = value.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
                is_there(value) || is_there(word)
            })
        });
        if is_repeated {
            self.is_repeated.store(true, Ordering::Relaxed);
        }
    }

    /// Returns `true` if the text repeats a secret of the request: a piece of a secret URL or the
    /// value of a sensitive header.
    pub(crate) fn repeats_secret(&self, text: &str) -> bool {
        let parts = self.sensitive_parts();
        let is_header_in = |headers: &HeaderMap| {
            headers.iter().filter(|(name, _)| parts.has_header(name)).any(|(_, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                value.len() >= 6 && text.contains(&*value)
            })
        };
        self.has_secret_url() && parts.is_url_in(&self.uri, text)
            || self.headers.as_ref().is_some_and(is_header_in)
    }

    pub(crate) fn proof(&self) -> Option<&Proof> {
        self.verdict.get().map(|(proof, _)| proof)
    }

    pub(crate) fn replay_answer(&self) -> Option<ReplayAnswer> {
        self.replay_answer.get().copied()
    }

    /// Returns `true` if the replay guard dispatched the request although its store failed.
    ///
    /// The delivery may be a repetition.
    #[must_use]
    pub fn is_unguarded(&self) -> bool {
        self.unguarded.load(Ordering::Relaxed)
    }

    pub(crate) fn set_unguarded(&self) {
        self.unguarded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_dispatched(&self) {
        self.dispatched.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_dispatched(&self) -> bool {
        self.dispatched.load(Ordering::Relaxed)
    }

    pub(crate) fn time_to_verdict(&self) -> Option<Duration> {
        self.verdict.get().map(|(_, time)| *time)
    }

    pub(crate) fn body_len(&self) -> Option<usize> {
        self.body.get().map(|(len, _)| *len)
    }

    pub(crate) fn body(&self) -> Option<&Bytes> {
        self.body.get()?.1.as_ref()
    }

    /// Returns the time since the request was received, by the configured clock or else by a
    /// monotonic one.
    pub(crate) fn elapsed(&self) -> Duration {
        if self.clock.is_system() {
            steady().saturating_sub(self.started)
        } else {
            self.clock.now().duration_since(self.received_at).unwrap_or_default()
        }
    }

    pub(crate) fn told_at(&self) -> SystemTime {
        self.received_at.checked_add(self.elapsed()).unwrap_or(self.received_at)
    }

    pub(crate) fn received_at_millis(&self) -> u64 {
        let since = self.received_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn decide(&self, proof: Proof) {
        // Each request has one result: the first.
        let _ = self.verdict.set((proof, self.elapsed()));
    }
}

impl fmt::Debug for Attempt {
    /// Omits headers and body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("provider", &self.provider)
            .field("tenant", &self.tenant)
            .field("method", &self.method)
            .field("url", &url(&self.uri, self.has_secret_url()))
            .field("client_ip", &self.client_ip)
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}
