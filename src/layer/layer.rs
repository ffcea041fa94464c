//! The layer and its settings.

#[cfg(feature = "tokio")]
use std::time::Duration;
use std::{fmt, future::Future, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use tower_layer::Layer;

use crate::{
    layer::{budget::Budget, config::Config, drain::Drain, service::SignatureService},
    observe::observer::Observer,
    outcome::rejection::Rejection,
    parse::{client_ip::ClientIp, clock::Clock},
    verifier::{
        closure::{ByBody, ByHead},
        defaults::VerifierDefaults,
        requires::Requires,
        source::Source,
        verifier::Verifier,
    },
};

/// Lets only genuinely signed webhooks through to the inner service.
///
/// It reads the request body, runs a [`Verifier`] over the bytes as received and
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
///   request holds the permits of layers above until its body has been [drained](crate::layer::Drain), up
///   to 5 seconds: let such a limit be many more than the requests that stall. A shorter timeout
///   above answers in place of the refusal.
/// - Never above it: decompression, or anything else that changes the body.
/// - axum: give it to the method router, as `post(handler).layer(layer)`, and several layers in one
///   `tower::ServiceBuilder`. `Router::route_layer` guards all routes before it, another provider's too. An
///   `axum::middleware::from_fn` below it in one `ServiceBuilder` needs [`map_body`](Self::map_body).
///
/// # Cancellation
///
/// Dropping the future at any point leaves nothing behind: no task, no permit of the inner service,
/// no byte of the budget, no place to drain.
#[derive(Clone)]
#[must_use]
pub struct SignatureLayer<M> {
    source: M,
    config: Arc<Config>,
}

impl<M: Source> SignatureLayer<M> {
    /// Creates a layer with this [source](Source) of verifiers, mostly a [`Verifier`].
    pub fn new(source: M) -> Self {
        let config = Config::new(&source);
        Self { source, config: Arc::new(config) }
    }
}

impl<F> SignatureLayer<ByHead<F>> {
    /// Creates a layer that looks the verifier up by the head, before the body is read.
    ///
    /// The closure takes what it needs from the head and returns a future that owns it, as below; an
    /// `async` closure would borrow the head. A [`ConfigError`](crate::ConfigError) becomes a 503 by
    /// `?`. [`Rejection::unknown_tenant`] is answered
    /// like a bad signature, [`Rejection::unavailable`] with 503.
    /// [`Verifier::for_tenant`] names the tenant in
    /// [`Verified`](crate::Verified).
    ///
    /// The status of refusals and the body limit are those of [`defaults`](Self::defaults).
    ///
    /// The closure is called for each request that carries the headers of
    /// [`requires`](Self::requires), and has all the time it takes. With the feature
    /// `tenants`, `tenants::Tenants` has a cache, a time limit, and a bound on calls at once.
    ///
    /// ```
    /// use std::{collections::HashMap, sync::Arc};
    /// use tower_webhook::{Rejection, Secret, SignatureLayer, Verifier, providers::Meta};
    ///
    /// let secrets = Arc::new(HashMap::from([("7".to_owned(), Secret::new("app secret")?)]));
    /// let layer = SignatureLayer::by_head(move |head| {
    ///     let secrets = Arc::clone(&secrets);
    ///     let tenant = head.uri.path().trim_start_matches("/hooks/").to_owned();
    ///     async move {
    ///         // Events name the tenant.
    ///         let unknown = || Rejection::unknown_tenant().with_tenant(&*tenant);
    ///         let secret = secrets.get(&tenant).ok_or_else(unknown)?;
    ///         Ok(Meta::new(secret)?.for_tenant(tenant))
    ///     }
    /// })
    /// .defaults(Meta::DEFAULTS);
    /// # let _ = layer;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    pub fn by_head<Fut, V>(look_up: F) -> Self
    where
        F: Fn(&Parts) -> Fut,
        Fut: Future<Output = Result<V, Rejection>>,
        V: Verifier,
    {
        Self::new(ByHead::new(look_up))
    }

    /// Sets the headers that a request must carry before the closure is called, none by default.
    ///
    /// A request that is a challenge by the [`defaults`](Self::defaults) needs none.
    pub fn requires(mut self, requires: Requires) -> Self {
        let parts = requires.sensitive_parts();
        self.source = self.source.requires(requires);
        self.update(|config| {
            let sensitive = &mut config.observe.sensitive;
            *sensitive = Arc::new((**sensitive).clone().and(parts));
        })
    }
}

impl<F> SignatureLayer<ByBody<F>> {
    /// Creates a layer that looks the verifier up by the head and the **unverified** body, for providers that
    /// name the tenant only there.
    ///
    /// The look-up's findings are a hint and nothing more: the verifier it returns must still accept
    /// the request, and only [`Verified::tenant`](crate::Verified::tenant) says who was proven.
    ///
    /// No verifier is known before the body has been read, so name the signature's header: requests without it
    /// are then refused before a byte is kept, unless they are a challenge by the
    /// [`defaults`](Self::defaults).
    ///
    /// The closure is cloned for each request.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_webhook::{
    ///     Rejection, Secret, SignatureLayer, layer::Requires, providers::WebexContactCenter,
    /// };
    ///
    /// # async fn secret_of(subscription: Option<String>) -> Result<Secret, Rejection> {
    /// #     Err(Rejection::unknown_tenant())
    /// # }
    /// let signature = HeaderName::from_static("x-webexcc-signature");
    /// let layer = SignatureLayer::by_body(Requires::header(signature), |_, body| {
    ///     let subscription = WebexContactCenter::subscription_id(body);
    ///     async move { Ok(WebexContactCenter::new(secret_of(subscription).await?)?) }
    /// })
    /// .defaults(WebexContactCenter::DEFAULTS);
    /// # let _ = layer;
    /// ```
    pub fn by_body<Fut, V>(requires: Requires, look_up: F) -> Self
    where
        F: Fn(&Parts, &Bytes) -> Fut + Clone,
        Fut: Future<Output = Result<V, Rejection>>,
        V: Verifier,
    {
        Self::new(ByBody::new(requires, look_up))
    }
}

impl<M> SignatureLayer<M> {
    /// Sets the provider's name, the status of refusals, the body limit and the first contacts of all requests
    /// alike, in place of the source's. A look-up needs it: a status that depended on the tenant would tell
    /// which tenants exist.
    ///
    /// **A look-up of yours whose URL holds a secret must say so**, by
    /// [`VerifierDefaults::with_secret_url`].
    pub fn defaults(self, defaults: VerifierDefaults) -> Self {
        self.update(|config| {
            let sensitive = &mut config.observe.sensitive;
            *sensitive = Arc::new((**sensitive).clone().found().and(defaults.sensitive_parts()));
            config.defaults = config.defaults.replaced_by(defaults);
        })
    }

    /// Sets the longest body in bytes, in place of the provider's own: the vendor's documented maximum,
    /// or 16 MiB. A longer one is answered with 413: from the head if its length is declared, when
    /// the limit is passed if not.
    pub fn body_limit(self, bytes: usize) -> Self {
        self.update(|config| config.defaults = config.defaults.with_body_limit(bytes))
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
        self.update(|config| config.budget = Budget::of_bytes(bytes))
    }

    /// Sets the limits on reading and discarding the rest of a body behind an early response; see
    /// [`Drain`]. Clones of the layer and their services share the places; this call starts new
    /// ones.
    pub fn drain(self, drain: Drain) -> Self {
        self.update(|config| {
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
        self.update(|config| config.body_deadline = deadline)
    }

    /// The status of every verdict against a request, in place of the provider's own (403 unless
    /// its page says otherwise).
    ///
    /// With a 2xx the layer **accepts and drops**: the sender believes that the delivery was
    /// handled, and the inner service is not called. That suits providers that switch off an
    /// endpoint which answers with errors. Failures that are no verdict keep their status.
    pub fn rejection_status(self, status: StatusCode) -> Self {
        self.update(|config| config.defaults = config.defaults.with_status(status))
    }

    /// Builds the answer to every refusal, in place of [`default_response`](crate::layer::default_response)
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
        self.update(|config| config.rejection_response = Some(Arc::new(answer)))
    }

    /// Tells this observer what happens to each request, after those that were given before it; see
    /// [`observe`](crate::observe).
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        self.update(|config| config.observe.observers.push(Arc::new(observer)))
    }

    /// Writes no events to `tracing`; see [`observe`](crate::observe#what-is-written-to-tracing) for what is written
    /// otherwise.
    #[cfg(feature = "tracing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
    pub fn without_tracing(self) -> Self {
        self.update(|config| config.observe.observers.without_tracing())
    }

    /// Tells events the address that a request came from.
    pub fn client_ip(self, client_ip: ClientIp) -> Self {
        self.update(|config| config.observe.client_ip = Some(client_ip))
    }

    /// Sets the clock of the verifier and of events, in place of the system's: for tests, and for targets without one,
    /// such as `wasm32-unknown-unknown`. A closure and a [`SystemTime`](std::time::SystemTime) are clocks, too.
    /// A [`verifier_fn`](crate::verifier::verifier_fn) does not see it.
    ///
    /// `Tenants`, a [`ReplayLayer`](crate::replay::ReplayLayer) and `sign` have clocks of their own.
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        let clock = clock.into();
        self.update(|config| config.observe.clock = clock)
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
            target: "tower_webhook::security",
            provider = self.config.defaults.provider,
            "report-only: unverified webhooks reach the handler"
        );
        self.update(|config| config.report_only = true)
    }

    fn update(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

impl<M: Clone, S> Layer<S> for SignatureLayer<M> {
    type Service = SignatureService<M, S>;

    fn layer(&self, inner: S) -> Self::Service {
        SignatureService::new(self.source.clone(), inner, Arc::clone(&self.config))
    }
}

impl<M: fmt::Debug> fmt::Debug for SignatureLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureLayer")
            .field("source", &self.source)
            .field("config", &self.config)
            .finish()
    }
}
