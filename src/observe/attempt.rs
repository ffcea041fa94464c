//! One request on its way, as events tell of it.

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
    observe::{event::Event, kind::EventKind, observers::Observers, settings::Settings},
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

/// One request, from its head to its answer.
///
/// A layer with an [`Observer`](super::Observer) puts an `Arc<Attempt>` into the request's
/// extensions, so that layers below it can tell the same observers of events of their own, and the
/// handler can say what the delivery was about.
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
    /// With those of a verifier that was looked up.
    pub(crate) found_sensitive: OnceLock<SensitiveParts>,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) user_agent: Option<HeaderValue>,
    pub(crate) request_id: Option<HeaderValue>,
    pub(crate) client_ip: Option<IpAddr>,
    pub(crate) received_at: SystemTime,
    pub(crate) headers: Option<HeaderMap>,
    /// By the [steady](steady) clock.
    started: Duration,
    clock: Clock,
    pub(crate) observers: Observers,
    verdict: OnceLock<(Proof, Duration)>,
    pub(crate) dispatched: AtomicBool,
    notes: Mutex<Notes>,
    replay_answer: OnceLock<ReplayAnswer>,
    unguarded: AtomicBool,
    /// A sensitive header's value stands in the URL, too, or in another header that events show.
    is_repeated: AtomicBool,
    pub(crate) body: OnceLock<(usize, Option<Bytes>)>,
    /// State that observers keep with the request.
    #[allow(dead_code, reason = "the delivery log is an observer that does")]
    extensions: Mutex<Extensions>,
}

/// What the handler says of a request.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) event_name: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) message: Option<String>,
}

/// What the layer found out.
pub(crate) enum Proof {
    Verified(Verified),
    Refused(Rejection),
}

impl Attempt {
    /// Creates an attempt of the request with this head, for an event of a layer of your own. With the feature
    /// `tracing` its events are [written](crate::observe#what-is-written-to-tracing), too.
    #[must_use]
    pub fn new(provider: &'static str, head: &Parts) -> Self {
        let observers = Observers::of_no_layer();
        let settings = Settings::new(SensitiveParts::none(), observers.clone());
        Self::at(&settings, provider, head, None, observers)
    }

    pub(crate) fn at(
        settings: &Settings,
        provider: &'static str,
        head: &Parts,
        client_ip: Option<IpAddr>,
        observers: Observers,
    ) -> Self {
        Self {
            provider,
            sensitive: Arc::clone(&settings.sensitive),
            found_sensitive: OnceLock::new(),
            tenant: None,
            method: head.method.clone(),
            uri: original_uri(head).clone(),
            user_agent: head.headers.get(header::USER_AGENT).cloned(),
            request_id: head.headers.get(REQUEST_ID).cloned(),
            client_ip,
            received_at: settings.clock.now(),
            headers: observers.keep_request().then(|| head.headers.clone()),
            started: steady(),
            clock: settings.clock.clone(),
            observers,
            verdict: OnceLock::new(),
            dispatched: AtomicBool::new(false),
            notes: Mutex::default(),
            replay_answer: OnceLock::new(),
            unguarded: AtomicBool::new(false),
            is_repeated: AtomicBool::new(false),
            body: OnceLock::new(),
            extensions: Mutex::default(),
        }
    }

    /// The layer's provider. [`Event::provider`] tells whose verifier decided, where a look-up
    /// chose it.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// Names the parts of the request that events must not show, such as a URL that holds a secret.
    #[must_use]
    pub fn with_sensitive_parts(mut self, parts: SensitiveParts) -> Self {
        self.sensitive = Arc::new(parts);
        self
    }

    /// Names the sender's address.
    #[must_use]
    pub const fn with_client_ip(mut self, address: IpAddr) -> Self {
        self.client_ip = Some(address);
        self
    }

    /// Names the tenant.
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Says what the delivery is about, for the events that follow: `message.received`.
    pub fn set_event_name(&self, name: impl Into<String>) {
        self.notes().event_name = Some(name.into());
    }

    /// Says how the delivery ended in words of your own, for the events that follow: status
    /// `subscription_inactive`, and a message for whoever reads the log.
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

    /// Tells the layer's observers what happened.
    pub fn report(&self, kind: EventKind) {
        if let EventKind::Replay(replay_answer) = kind {
            // Its answer is to be told from the handler's in the end.
            let _ = self.replay_answer.set(replay_answer);
        }
        self.observers.observe(&Event::new(self, kind));
    }

    pub(crate) fn sensitive_parts(&self) -> &SensitiveParts {
        self.found_sensitive.get().unwrap_or(&self.sensitive)
    }

    /// Whether the URL must not be shown. Where no verifier was found it may be any verifier's; but of
    /// an unknown tenant it is nobody's, and says whose it was meant to be.
    pub(crate) fn has_secret_url(&self) -> bool {
        let parts = self.sensitive_parts();
        let is_nobodys = || match self.proof() {
            Some(Proof::Refused(rejection)) => rejection.kind() == RejectionKind::UnknownTenant,
            _ => false,
        };
        parts.has_url() || parts.is_open() && !is_nobodys() || self.is_repeated()
    }

    /// Returns whether the sender repeats a secret where events show it.
    pub(crate) fn is_repeated(&self) -> bool {
        self.is_repeated.load(Ordering::Relaxed)
    }

    /// Searches URL, user agent and request id for the values of sensitive headers.
    pub(crate) fn look_for_repetitions(&self, head: &Parts) {
        let shown = [self.user_agent.as_ref(), self.request_id.as_ref()];
        let shown = shown.into_iter().flatten().map(HeaderValue::as_bytes);
        let target = self.uri.path_and_query().map(|target| target.as_str().as_bytes());
        let is_there = |value: &[u8]| {
            let is_in = |text: &[u8]| text.windows(value.len()).any(|window| window.eq(value));
            value.len() >= 6 && shown.clone().chain(target).any(is_in)
        };
        let is_repeated = self.sensitive_parts().headers().any(|name| {
            head.headers.get_all(name).iter().any(|value| {
                let value = value.as_bytes();
                // As in `Bearer abc`.
                let word = value.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
                is_there(value) || is_there(word)
            })
        });
        if is_repeated {
            self.is_repeated.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a text repeats a secret of the request: a piece of its URL, a sensitive header's value.
    pub(crate) fn repeats_secret(&self, text: &str) -> bool {
        let parts = self.sensitive_parts();
        let is_header_in = |headers: &HeaderMap| {
            headers.iter().any(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                parts.has_header(name) && value.len() >= 6 && text.contains(&*value)
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

    /// Whether the replay guard let the request pass although its store failed, so that it may be a
    /// repetition.
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

    /// By the clock that was set, else by one that no correction of the system's time moves.
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
        // The first verdict stands: there is one per request.
        let _ = self.verdict.set((proof, self.elapsed()));
    }
}

impl fmt::Debug for Attempt {
    /// Without headers and body, which may hold secrets.
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
