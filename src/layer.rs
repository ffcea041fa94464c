//! The layer and its knobs.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};
use tower_layer::Layer;

use crate::{Profile, Rejection, SignatureService, Source};

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
/// - **Above** it: tracing, a second concurrency limit against floods, IP rate limits.
/// - Never above it: decompression, or anything else that changes the body.
/// - axum: prefer `route_layer` to `layer`, which also guards the fallback. An
///   `axum::middleware::from_fn` below it in one `ServiceBuilder` needs
///   `.layer(MapRequestBodyLayer::new(axum::body::Body::new))` between the two.
///
/// # Cancellation
///
/// Dropping the future at any point leaves nothing behind: no task, no permit of the inner service.
#[derive(Clone)]
#[must_use]
pub struct SignatureLayer<M> {
    make: M,
    config: Config,
}

/// What a request needs beside the verifier.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) profile: Profile,
    pub(crate) body_deadline: Option<Duration>,
    pub(crate) on_rejection: Option<OnRejection>,
}

type OnRejection = Arc<dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync>;

impl<M: Source> SignatureLayer<M> {
    /// A layer with this [`Verifier`](crate::Verifier), [`MakeVerifier`](crate::MakeVerifier) or
    /// [look-up after the body](crate::make_verifier_after_body_fn).
    pub fn new(make: M) -> Self {
        let config = Config {
            profile: make.shared_profile(),
            body_deadline: if cfg!(feature = "tokio") {
                Some(Duration::from_secs(10))
            } else {
                None
            },
            on_rejection: None,
        };
        Self { make, config }
    }
}

impl<M> SignatureLayer<M> {
    /// The longest body in bytes, in place of the provider's own (1 MiB unless its page says
    /// otherwise). A longer one is answered with 413: before the first byte is read if its length
    /// is declared, when the limit is passed if not.
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.config.profile = self.config.profile.with_body_limit(bytes);
        self
    }

    /// The time that a body may take in all, 10 seconds by default; then the answer is 408.
    /// `None` waits for ever.
    ///
    /// It is kept by tokio's timer. Polling a body that is not there at once panics outside a
    /// tokio runtime with its timer enabled: set `None` there.
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub const fn body_deadline(mut self, deadline: Option<Duration>) -> Self {
        self.config.body_deadline = deadline;
        self
    }

    /// The status of every verdict against a request, in place of the provider's own (403 unless
    /// its page says otherwise).
    ///
    /// With a 2xx the layer **accepts and drops**: the sender believes that the delivery was
    /// handled, and the inner service is not called. That suits providers that switch off an
    /// endpoint which answers with errors. Failures that are no verdict keep their status.
    pub const fn rejection_status(mut self, status: StatusCode) -> Self {
        self.config.profile = self.config.profile.with_status(status);
        self
    }

    /// Builds the answer to every refusal, in place of [`empty_response`](crate::empty_response)
    /// and of the gRPC answer to gRPC requests.
    ///
    /// Answer all verdicts alike: whoever can tell "unknown tenant" from "bad signature" can find
    /// out which tenants exist.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Response, StatusCode, header};
    /// use tower_webhook::{RejectionKind, Secret, SignatureLayer, providers::Meta};
    ///
    /// let meta = Meta::new(Secret::new("app secret")?).verify_token(Secret::new("token")?);
    /// let layer = SignatureLayer::new(meta).on_rejection(|rejection| {
    ///     let message = match rejection.kind() {
    ///         RejectionKind::HandshakeMalformed => "Missing parameters",
    ///         RejectionKind::HandshakeFailed => "Verification failed",
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
    pub fn on_rejection(
        mut self,
        answer: impl Fn(&Rejection) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.config.on_rejection = Some(Arc::new(answer));
        self
    }
}

impl<M: Clone, S> Layer<S> for SignatureLayer<M> {
    type Service = SignatureService<M, S>;

    fn layer(&self, inner: S) -> Self::Service {
        SignatureService::new(self.make.clone(), inner, self.config.clone())
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

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("profile", &self.profile)
            .field("body_deadline", &self.body_deadline)
            .field("on_rejection", &self.on_rejection.as_ref().map(|_| "<fn>"))
            .finish()
    }
}
