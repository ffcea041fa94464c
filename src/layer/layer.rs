//! The layer and its options.

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

/// Layer that verifies webhook signatures and forwards only authentic requests to the inner
/// service.
///
/// The layer reads the request body and runs a [`Verifier`] over the bytes as received. If
/// verification fails, it responds with `403 Forbidden`. The inner service gets the same bytes as a
/// [`BufferedBody`](crate::BufferedBody), and [`Verified`](crate::Verified) in the request's
/// extensions.
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_webhook::{SignatureLayer, providers::GitHub};
///
/// let github = GitHub::new("s3cret-of-the-hook")?;
/// let app: Router =
///     Router::new().route("/github", post(async || "pushed").layer(SignatureLayer::new(github)));
/// # let _ = app;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// See [frameworks](crate::guide::frameworks) for axum, hyper and tonic.
///
/// # Order of layers
///
/// - **Below** it: load shedding, concurrency limits, timeouts of the handler, decompression. The
///   layer polls the inner service for readiness only after it has verified a request, so senders
///   that trickle a body hold none of the inner service's capacity.
/// - **Above** it: tracing, a second concurrency limit against floods, rate limits by IP address. A
///   rejected request holds the permits of layers above until its body has been
///   [drained](crate::layer::Drain), up to 5 seconds. Set that limit well above the number of
///   stalled requests you expect. A shorter timeout above responds instead of the layer.
/// - Never above it: decompression, or any other layer that changes the body.
/// - axum: pass the layer to the method router, as in `post(handler).layer(layer)`, and several
///   layers in one `tower::ServiceBuilder`. `Router::route_layer` guards all routes before it,
///   including another provider's. An `axum::middleware::from_fn` below the layer in one
///   `ServiceBuilder` needs [`map_body`](Self::map_body).
///
/// # Cancellation
///
/// Dropping the response future at any point leaves nothing behind: no task, no permit of the inner
/// service, no byte of the budget, no place in the drain.
#[derive(Clone)]
#[must_use]
pub struct SignatureLayer<M> {
    source: M,
    config: Arc<Config>,
}

impl<M: Source> SignatureLayer<M> {
    /// Creates a layer with this [source](Source) of verifiers, usually a [`Verifier`].
    pub fn new(source: M) -> Self {
        let config = Config::new(&source);
        Self { source, config: Arc::new(config) }
    }
}

impl<F> SignatureLayer<ByHead<F>> {
    /// Creates a layer that looks up the verifier by the request head, before the body is read.
    ///
    /// The closure takes the data that it needs from the head and returns a future that owns it, as
    /// in the example below. An `async` closure would borrow the head. A
    /// [`ConfigError`](crate::ConfigError) becomes a `503 Service Unavailable` through `?`.
    /// [`Rejection::unknown_tenant`] gets the same response as an invalid signature,
    /// [`Rejection::unavailable`] gets 503. [`Verifier::for_tenant`] names the tenant in
    /// [`Verified`](crate::Verified).
    ///
    /// The status of rejections and the body limit are those of [`defaults`](Self::defaults).
    ///
    /// The layer calls the closure for each request that carries the headers of
    /// [`requires`](Self::requires), without a time limit. With the feature `tenants`,
    /// `tenants::Tenants` adds a cache, a time limit and a limit on concurrent calls.
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

    /// Sets the headers that a request must carry before the layer calls the closure. The default
    /// is none.
    ///
    /// A request that is a challenge by the [`defaults`](Self::defaults) needs none of them.
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
    /// Creates a layer that looks up the verifier by the request head and the **unverified** body,
    /// for providers that name the tenant only in the body.
    ///
    /// The data that the lookup finds in the request is only a hint: the verifier that it returns
    /// must still accept the request, and only [`Verified::tenant`](crate::Verified::tenant) names
    /// the proven tenant.
    ///
    /// No verifier is known before the body has been read, so name the header of the signature. The
    /// layer then rejects a request without it before it keeps a byte of the body, unless the
    /// request is a challenge by the [`defaults`](Self::defaults).
    ///
    /// The layer clones the closure for each request.
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
    /// Sets the provider's name, the status of rejections, the body limit and the first contacts of
    /// all requests, instead of the source's.
    ///
    /// A lookup needs these shared defaults: a status that depended on the tenant would reveal
    /// which tenants exist.
    ///
    /// **If the URL of your lookup holds a secret, declare it** with
    /// [`VerifierDefaults::with_secret_url`].
    pub fn defaults(self, defaults: VerifierDefaults) -> Self {
        self.update(|config| {
            let sensitive = &mut config.observe.sensitive;
            *sensitive = Arc::new((**sensitive).clone().found().and(defaults.sensitive_parts()));
            config.defaults = config.defaults.replaced_by(defaults);
        })
    }

    /// Sets the longest body in bytes, instead of the provider's own limit: the vendor's documented
    /// maximum, or 16 MiB.
    ///
    /// The layer rejects a longer body with `413 Payload Too Large`: from the head if its length is
    /// declared, otherwise when the limit is exceeded.
    pub fn body_limit(self, bytes: usize) -> Self {
        self.update(|config| config.defaults = config.defaults.with_body_limit(bytes))
    }

    /// Sets how many bytes of unverified bodies the layer may hold, 256 MiB by default.
    ///
    /// Bounds the memory used by unverified bodies, however many clients send them. Clones of the
    /// layer and their services share one budget; calling `byte_budget` starts a new one.
    ///
    /// Set the budget to many times the body limit. A body longer than the whole budget is rejected
    /// with `413 Payload Too Large`.
    ///
    /// Bytes count while their request waits: for more of the body, for other tasks after 64
    /// frames, or for a lookup by the body. They are free again when the body has been verified or
    /// its request has ended.
    ///
    /// # When the budget is full
    ///
    /// - A body that has arrived completely is still verified.
    /// - A body of at most 64 KiB (and at most a sixteenth of the budget) evicts the bodies that
    ///   have waited longest, so that authentic small deliveries get through. An evicted body is
    ///   rejected with `503 Service Unavailable` the next time it waits. Memory may exceed the
    ///   budget by one sixteenth until then. A body of undeclared length counts as small until it
    ///   exceeds this size.
    /// - A larger body that has to wait is dropped and rejected with 503 and `Retry-After`.
    ///   Evicting older bodies instead would prevent any from completing under load.
    pub fn byte_budget(self, bytes: usize) -> Self {
        self.update(|config| config.budget = Budget::of_bytes(bytes))
    }

    /// Sets the limits on draining the rest of a body before an early response; see [`Drain`].
    ///
    /// Clones of the layer and their services share one [`max_concurrent`](Drain::max_concurrent)
    /// count; calling `drain` starts a new one.
    pub fn drain(self, drain: Drain) -> Self {
        self.update(|config| {
            config.drain = drain;
            config.drain_places = drain.places();
        })
    }

    /// Sets the total time that a body may take, 10 seconds by default. A body that takes longer is
    /// rejected with `408 Request Timeout`. `None` sets no limit.
    ///
    /// Tokio's timer enforces the limit. Outside a Tokio runtime there is none. In a Tokio runtime
    /// whose timer is disabled, polling the first body that makes the request wait panics: set
    /// `None` there, and [`Drain::max_bytes`] to 0.
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub fn body_deadline(self, deadline: Option<Duration>) -> Self {
        self.update(|config| config.body_deadline = deadline)
    }

    /// Sets the status of every authentication failure, instead of the provider's own. That is
    /// `403 Forbidden` unless the provider's page names another. All other failures keep their
    /// status.
    ///
    /// With a 2xx the layer **accepts and drops**: the sender assumes that the delivery was
    /// handled, and the inner service is not called. Use it for providers that disable an endpoint
    /// which responds with errors.
    pub fn rejection_status(self, status: StatusCode) -> Self {
        self.update(|config| config.defaults = config.defaults.with_status(status))
    }

    /// Sets the function that builds the response to every rejection, instead of
    /// [`default_response`](crate::layer::default_response) and of the gRPC response to gRPC
    /// requests.
    ///
    /// Return the same response for all authentication failures. A sender that can tell "unknown
    /// tenant" from "bad signature" can find out which tenants exist.
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

    /// Adds an observer, which receives the events of each request after the observers that were
    /// added before it; see [`observe`](crate::observe).
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        self.update(|config| config.observe.observers.push(Arc::new(observer)))
    }

    /// Disables the events that the layer otherwise writes to `tracing`; see
    /// [`observe`](crate::observe#what-is-written-to-tracing) for the list.
    #[cfg(feature = "tracing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
    pub fn without_tracing(self) -> Self {
        self.update(|config| config.observe.observers.without_tracing())
    }

    /// Sets how the client's IP address is determined, for events.
    pub fn client_ip(self, client_ip: ClientIp) -> Self {
        self.update(|config| config.observe.client_ip = Some(client_ip))
    }

    /// Sets the clock of the verifier and of events, instead of the system clock.
    ///
    /// Use it in tests, and on targets without a system clock, such as `wasm32-unknown-unknown`. A
    /// closure and a [`SystemTime`](std::time::SystemTime) convert into a clock. A
    /// [`verifier_fn`](crate::verifier::verifier_fn) does not see this clock.
    ///
    /// `Tenants`, a [`ReplayLayer`](crate::replay::ReplayLayer) and `sign` have clocks of their
    /// own.
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        let clock = clock.into();
        self.update(|config| config.observe.clock = clock)
    }

    /// **Disables enforcement.** Requests that fail verification are forwarded to the inner
    /// service, too.
    ///
    /// An unverified request carries [`Unverified`](crate::Unverified) in its extensions instead of
    /// [`Verified`](crate::Verified), and causes an event.
    ///
    /// Use this mode to roll the layer out in front of a handler that is already in use: it shows
    /// whether the secret and the URL are right before the layer rejects anything. **Anyone can
    /// call the inner service while it is on.** To leave it, wait until authentic deliveries cause
    /// no [`Unverified`](crate::observe::EventKind::Unverified) event, then delete this call.
    ///
    /// **[`Signed`](crate::axum::Signed) and [`Verified`](crate::Verified) still respond with
    /// `500 Internal Server Error` to an unverified request.** So does `Extension<Verified>`. Until
    /// then, extract `Option<Verified>`, or neither type.
    ///
    /// A body that is over the limit or the budget, too slow or unreadable is still rejected,
    /// because there is no complete body to forward. The layer still responds to challenges.
    pub fn dangerously_report_only(self) -> Self {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            target: "tower_webhook::security",
            provider = self.config.defaults.provider,
            "report-only mode is on: unverified webhooks reach the handler"
        );
        self.update(|config| config.report_only = true)
    }

    pub(crate) fn update(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

impl<M: Clone, S> Layer<S> for SignatureLayer<M> {
    type Service = SignatureService<M, S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.config.check_clock();
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
