//! Another request body for the inner service.

use std::{
    fmt,
    task::{self, Poll},
};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::layer::{body::BufferedBody, layer::SignatureLayer, service::SignatureService};

impl<M> SignatureLayer<M> {
    /// Converts the request body of the inner service from [`BufferedBody`] into another type.
    ///
    /// Use it for services that need a body type of their own, such as axum's `from_fn`. Call it
    /// last: the layer that it returns has no options.
    ///
    /// ```
    /// use axum::{
    ///     Router, body::Body, extract::Request, middleware::{Next, from_fn}, routing::post,
    /// };
    /// use tower::ServiceBuilder;
    /// use tower_webhook::{SignatureLayer, providers::GitHub};
    ///
    /// let signed = SignatureLayer::new(GitHub::new("s3cret-of-the-hook")?).map_body(Body::new);
    /// let stack = ServiceBuilder::new()
    ///     .layer(signed)
    ///     .layer(from_fn(async |request: Request, next: Next| next.run(request).await));
    /// let app: Router = Router::new().route("/", post(async || "thanks").layer(stack));
    /// # let _ = app;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// Without `map_body` this does not compile, and the compiler names the method:
    ///
    /// ```compile_fail,E0277
    /// # use axum::{Router, extract::Request, middleware::{Next, from_fn}, routing::post};
    /// # use tower::ServiceBuilder;
    /// # use tower_webhook::{SignatureLayer, providers::GitHub};
    /// # let signed = SignatureLayer::new(GitHub::new("s3cret-of-the-hook").unwrap());
    /// let stack = ServiceBuilder::new()
    ///     .layer(signed)
    ///     .layer(from_fn(async |request: Request, next: Next| next.run(request).await));
    /// let app: Router = Router::new().route("/", post(async || "thanks").layer(stack));
    /// ```
    pub fn map_body<F, B>(self, map: F) -> MapBodyLayer<M, F>
    where
        F: Fn(BufferedBody) -> B + Clone,
    {
        MapBodyLayer::new(self, map)
    }
}

/// Layer that passes another request body to its inner service; see [`SignatureLayer::map_body`].
#[derive(Clone)]
#[must_use]
pub struct MapBodyLayer<M, F> {
    layer: SignatureLayer<M>,
    map: F,
}

impl<M, F> MapBodyLayer<M, F> {
    pub(crate) const fn new(layer: SignatureLayer<M>, map: F) -> Self {
        Self { layer, map }
    }
}

impl<M: Clone, F: Clone, S> Layer<S> for MapBodyLayer<M, F> {
    type Service = SignatureService<M, MapBody<S, F>>;

    fn layer(&self, inner: S) -> Self::Service {
        self.layer.layer(MapBody { inner, map: self.map.clone() })
    }
}

impl<M: fmt::Debug, F> fmt::Debug for MapBodyLayer<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapBodyLayer").field("layer", &self.layer).finish_non_exhaustive()
    }
}

/// Service of a [`MapBodyLayer`], below the [`SignatureService`].
#[derive(Clone)]
pub struct MapBody<S, F> {
    inner: S,
    map: F,
}

impl<S, F, B> Service<Request<BufferedBody>> for MapBody<S, F>
where
    S: Service<Request<B>>,
    F: Fn(BufferedBody) -> B,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<BufferedBody>) -> S::Future {
        self.inner.call(request.map(&self.map))
    }
}

impl<S: fmt::Debug, F> fmt::Debug for MapBody<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapBody").field("inner", &self.inner).finish_non_exhaustive()
    }
}
