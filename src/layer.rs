//! The layer and its knobs.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use tower_layer::Layer;

use crate::{
    Context, Drain, Rejection, SensitiveParts, SignatureService, Source, VerifierDefaults,
    budget::Budget,
    observe::{ClientIp, Observer, Observers},
    time::Clock,
};

/// Lets only genuinely signed webhooks through to the inner service.
///
/// It reads the request body, runs a [`Verifier`](crate::Verifier) over the bytes as received and
/// answers 403 itself unless they hold. The inner service gets the same bytes as a
/// [`BufferedBody`](crate::BufferedBody), and [`Verified`](crate::Verified) in the request's
/// extensions.
///
/// # Where it stands
///
/// - **Below** it: load shedding, concurrency limits, timeouts of the handler, decompression. The
///   inner service is asked for room only after a request has been verified, so senders that
///   trickle a body hold none of it.
/// - **Above** it: tracing, a second concurrency limit against floods, IP rate limits. A refused
///   request holds the permits of layers above until its body has been [drained](crate::Drain), up
///   to 5 seconds: let such a limit be many more than the requests that stall. A shorter timeout
///   above answers in place of the refusal.
/// - Never above it: decompression, or anything else that changes the body.
/// - axum: prefer `route_layer` to `layer`, which also guards the fallback. An
///   `axum::middleware::from_fn` below it in one `ServiceBuilder` needs
///   `.layer(MapRequestBodyLayer::new(axum::body::Body::new))` between the two.
///
/// # Cancellation
///
/// Dropping the future at any point leaves nothing behind: no task, no permit of the inner service,
/// no byte of the budget, no place to drain.
#[derive(Clone)]
#[must_use]
pub struct SignatureLayer<M> {
    make: M,
    config: Arc<Config>,
}

/// What a request needs beside the verifier.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) defaults: VerifierDefaults,
    /// The `WWW-Authenticate` of a verifier that was looked up, for all refusals since: what only some
    /// of them had would tell whose id is known.
    pub(crate) found_challenge: OnceLock<&'static str>,
    /// Of every request, whichever verifier is looked up for it.
    pub(crate) sensitive: Arc<SensitiveParts>,
    pub(crate) budget: Budget,
    pub(crate) drain: Drain,
    /// Places for requests that wait for the rest of a body to discard.
    pub(crate) drain_places: Budget,
    pub(crate) body_deadline: Option<Duration>,
    pub(crate) rejection_response: Option<OnRejection>,
    pub(crate) report_only: bool,
    pub(crate) observers: Observers,
    pub(crate) client_ip: Option<ClientIp>,
    pub(crate) clock: Clock,
}

type OnRejection = Arc<dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync>;

impl<M: Source> SignatureLayer<M> {
    /// A layer with this [`Verifier`](crate::Verifier), [`MakeVerifier`](crate::MakeVerifier) or
    /// [look-up after the body](crate::make_verifier_after_body_fn).
    pub fn new(make: M) -> Self {
        let config = Config {
            defaults: make.shared_defaults(),
            found_challenge: OnceLock::new(),
            sensitive: Arc::new(make.shared_sensitive_parts()),
            budget: Budget::of_bytes(256 << 20),
            drain: Drain::new(),
            drain_places: Drain::new().places(),
            body_deadline: if cfg!(feature = "tokio") {
                Some(Duration::from_secs(10))
            } else {
                None
            },
            rejection_response: None,
            report_only: false,
            observers: Observers::default(),
            client_ip: None,
            clock: Clock::default(),
        };
        Self { make, config: Arc::new(config) }
    }
}

impl<M> SignatureLayer<M> {
    /// Sets the longest body in bytes, in place of the provider's own: the vendor's documented maximum,
    /// or 16 MiB. A longer one is answered with 413: from the head if its length is declared, when
    /// the limit is passed if not.
    pub fn body_limit(self, bytes: usize) -> Self {
        self.with(|config| config.defaults = config.defaults.with_body_limit(bytes))
    }

    /// Sets how many bytes of unverified bodies may be held at once, 256 MiB by default, so that no
    /// crowd of senders fills the memory. Clones of the layer and their services share one budget;
    /// this call starts a new one.
    ///
    /// Bytes count while their request waits: for more of the body, for other tasks after 64 frames,
    /// or for a look-up by the body. They are free again when the body has been verified or its
    /// request has ended. When the budget is spent:
    ///
    /// - A body that is there at once is verified all the same.
    /// - A body of at most 64 KiB (and at most a sixteenth of the budget) takes the place of the
    ///   bodies that have waited longest, so that genuine small deliveries get through. A body that
    ///   has lost its place is answered with 503 when it has to wait again, and frees its memory
    ///   then: up to a sixteenth more than the budget can be in memory for that moment. A body of
    ///   undeclared length is small until it exceeds this.
    /// - A larger body that has to wait gives up its own bytes and is answered with 503 and
    ///   `Retry-After`. If older bodies gave way to it, none would complete under load.
    ///
    /// Set it to many times the body limit. A body longer than the whole budget is answered with
    /// 413.
    pub fn byte_budget(self, bytes: usize) -> Self {
        self.with(|config| config.budget = Budget::of_bytes(bytes))
    }

    /// Sets the limits on reading and discarding the rest of a body behind an early response; see
    /// [`Drain`]. Clones of the layer and their services share the places; this call starts new
    /// ones.
    pub fn drain(self, drain: Drain) -> Self {
        self.with(|config| {
            config.drain = drain;
            config.drain_places = drain.places();
        })
    }

    /// Sets the time that a body may take in all, 10 seconds by default; then the answer is 408.
    /// `None` waits for ever.
    ///
    /// Tokio's timer keeps it. Outside a Tokio runtime there is no deadline. In a runtime whose timer
    /// is off, the first body that makes the request wait panics: set `None` there,
    /// and [`Drain::max_bytes`] to 0.
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub fn body_deadline(self, deadline: Option<Duration>) -> Self {
        self.with(|config| config.body_deadline = deadline)
    }

    /// The status of every verdict against a request, in place of the provider's own (403 unless
    /// its page says otherwise).
    ///
    /// With a 2xx the layer **accepts and drops**: the sender believes that the delivery was
    /// handled, and the inner service is not called. That suits providers that switch off an
    /// endpoint which answers with errors. Failures that are no verdict keep their status.
    pub fn rejection_status(self, status: StatusCode) -> Self {
        self.with(|config| config.defaults = config.defaults.with_status(status))
    }

    /// Builds the answer to every refusal, in place of [`default_response`](crate::default_response)
    /// and of the gRPC answer to gRPC requests.
    ///
    /// Answer all verdicts alike: whoever can tell "unknown tenant" from "bad signature" can find
    /// out which tenants exist.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Response, StatusCode, header};
    /// use tower_webhook::{RejectionKind, SignatureLayer, providers::Meta};
    ///
    /// let meta = Meta::new("app secret")?.verify_token("token")?;
    /// let layer = SignatureLayer::new(meta).rejection_response(|rejection| {
    ///     let message = match rejection.kind() {
    ///         RejectionKind::ChallengeMalformed => "Missing parameters",
    ///         RejectionKind::ChallengeFailed => "Verification failed",
    ///         _ => "Invalid signature",
    ///     };
    ///     let body = format!(r#"{{"status":"error","message":"{message}"}}"#);
    ///     let mut response = Response::new(Bytes::from(body));
    ///     *response.status_mut() = rejection.status();
    ///     let json = http::HeaderValue::from_static("application/json");
    ///     response.headers_mut().insert(header::CONTENT_TYPE, json);
    ///     response
    /// });
    /// # let _ = layer;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    pub fn rejection_response(
        self,
        answer: impl Fn(&Rejection) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.rejection_response = Some(Arc::new(answer)))
    }

    /// Tells this observer what happens to each request, after those that were given before it; see
    /// [`observe`](crate::observe).
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        self.with(|config| config.observers.push(Arc::new(observer)))
    }

    /// Tells events the address that a request came from.
    pub fn client_ip(self, client_ip: ClientIp) -> Self {
        self.with(|config| config.client_ip = Some(client_ip))
    }

    /// Sets the clock of the verifier and of events, in place of the system's: for tests. A closure and a
    /// [`SystemTime`](std::time::SystemTime) are clocks, too.
    ///
    /// `Tenants`, a [`ReplayLayer`](crate::replay::ReplayLayer) and `sign` have clocks of their own.
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        let clock = clock.into();
        self.with(|config| config.clock = clock)
    }

    /// **Verifies nothing away**: requests that fail verification reach the inner service too, with
    /// [`Unverified`](crate::Unverified) in their extensions where genuine ones have
    /// [`Verified`](crate::Verified), and an event each.
    ///
    /// It is for the roll-out in front of a handler that is already in use: to see, before anything
    /// is refused, whether secret and URL are right. **Anyone can call the inner service while it
    /// is on.** To leave it, wait until no [`Unverified`](crate::observe::EventKind::Unverified)
    /// event comes for a genuine delivery, then delete this call. A handler that asks for
    /// `Extension<Verified>` answers unverified requests with 500; ask for an `Option` of it, or
    /// for neither, meanwhile.
    ///
    /// Bodies over the limit or the budget, too slow or unreadable are still refused, because there
    /// is nothing whole to hand on, and ownership challenges are still answered.
    pub fn dangerously_report_only(self) -> Self {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            target: "security",
            provider = self.config.defaults.provider,
            "report-only: unverified webhooks reach the handler"
        );
        self.with(|config| config.report_only = true)
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

impl<M: Clone, S> Layer<S> for SignatureLayer<M> {
    type Service = SignatureService<M, S>;

    fn layer(&self, inner: S) -> Self::Service {
        SignatureService::new(self.make.clone(), inner, Arc::clone(&self.config))
    }
}

impl<M: fmt::Debug> fmt::Debug for SignatureLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureLayer")
            .field("make", &self.make)
            .field("config", &self.config)
            .finish()
    }
}

impl Config {
    /// The context in which a verifier sees this request.
    pub(crate) const fn context<'a>(&'a self, head: &'a Parts) -> Context<'a> {
        Context::new(head).at(&self.clock)
    }

    /// The longest body that can ever be held.
    pub(crate) fn body_limit(&self) -> usize {
        self.defaults.body_limit.min(self.budget.limit())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("defaults", &self.defaults)
            .field("byte_budget", &self.budget.limit())
            .field("drain", &self.drain)
            .field("body_deadline", &self.body_deadline)
            .field("rejection_response", &self.rejection_response.as_ref().map(|_| "<fn>"))
            .field("report_only", &self.report_only)
            .field("observers", &self.observers.len())
            .field("client_ip", &self.client_ip)
            .finish()
    }
}
