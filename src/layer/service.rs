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
        config::Config,
        future::ResponseFuture,
    },
    observe::recorder::Recorder,
    panic::catch_panic,
    verifier::source::Source,
};

/// Service of a [`SignatureLayer`](crate::SignatureLayer).
#[derive(Clone)]
pub struct SignatureService<M, S> {
    source: M,
    inner: S,
    config: Arc<Config>,
}

impl<M, S> SignatureService<M, S> {
    pub(crate) const fn new(source: M, inner: S, config: Arc<Config>) -> Self {
        Self { source, inner, config }
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
    M: Source + Clone,
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let config = &self.config;
        let recorder = Recorder::new(&config.observe, config.defaults.provider, &head);
        if config.defaults.first_contacts.may_be(&head, body.size_hint().exact()) {
            // A first contact needs no lookup, so none starts before the body shows whether it is
            // one.
            let source = self.source.clone();
            let (inner, config) = (self.inner.clone(), Arc::clone(config));
            return ResponseFuture::of_contact(head, body, source, inner, config, recorder);
        }
        let look_up =
            catch_panic(|| self.source.look_up_by_head(&config.context(&head), &config.shared()));
        // This clone is polled for readiness and then called, because readiness belongs to the
        // instance that was polled.
        ResponseFuture::new(head, body, look_up, self.inner.clone(), Arc::clone(config), recorder)
    }
}

impl<M: fmt::Debug, S: fmt::Debug> fmt::Debug for SignatureService<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureService")
            .field("source", &self.source)
            .field("inner", &self.inner)
            .field("config", &self.config)
            .finish()
    }
}
