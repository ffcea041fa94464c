//! The service that the layer puts around the inner service.

use std::{
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    layer::{
        body::{BufferedBody, ResponseBody},
        config::{Config, Shared},
        future::ResponseFuture,
    },
    observe::recorder::Recorder,
    verifier::source::Source,
};

/// Service of a [`SignatureLayer`](crate::SignatureLayer).
pub struct SignatureService<M, S> {
    shared: Arc<Shared<M>>,
    inner: S,
}

impl<M, S> SignatureService<M, S> {
    pub(crate) fn new(source: M, inner: S, config: Arc<Config>) -> Self {
        Self { shared: Arc::new(Shared { source, config }), inner }
    }

    /// Returns a reference to the inner service. Requests that you send to it directly are not
    /// verified.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service. Requests that you send to it directly are
    /// not verified.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service. Requests that you send to it directly are not verified.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// A service that takes `http::Request<BufferedBody>` and responds with an `http::Response`.
///
/// It is implemented for every service of this kind, and cannot be implemented for any other type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take `http::Request<BufferedBody>`, or does not return an `http::Response`",
    label = "this service takes requests with another body",
    note = "convert the body with `SignatureLayer::map_body`, called last: `.map_body(axum::body::Body::new)` \
            for axum's `from_fn`",
    note = "a `service_fn` or a handler takes `Request<BufferedBody>`"
)]
pub trait InnerService: Service<Request<BufferedBody>, Response = Response<Self::Body>> {
    /// The body of the response.
    type Body;
}

#[diagnostic::do_not_recommend]
impl<S, R> InnerService for S
where
    S: Service<Request<BufferedBody>, Response = Response<R>>,
{
    type Body = R;
}

impl<M, S, B> Service<Request<B>> for SignatureService<M, S>
where
    M: Source,
    S: InnerService + Clone,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<ResponseBody<S::Body>>;
    type Error = S::Error;
    type Future = ResponseFuture<M, S, B>;

    /// Returns ready immediately.
    ///
    /// The inner service is polled for readiness only after a request has been verified, so that
    /// unverified requests hold none of its capacity.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let shared = Arc::clone(&self.shared);
        let config = &shared.config;
        let recorder = Recorder::new(&config.observe, config.defaults.provider, &head);
        // This clone is polled for readiness and then called, because readiness belongs to the
        // instance that was polled.
        ResponseFuture::new(shared, recorder, head, self.inner.clone(), body)
    }
}

impl<M, S: Clone> Clone for SignatureService<M, S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), inner: self.inner.clone() }
    }
}

impl<M: fmt::Debug, S: fmt::Debug> fmt::Debug for SignatureService<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureService")
            .field("source", &self.shared.source)
            .field("inner", &self.inner)
            .field("config", &self.shared.config)
            .finish()
    }
}
