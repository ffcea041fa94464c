//! The service of the replay guard.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use crate::{
    layer::body::ResponseBody,
    replay::{
        config::{Answer, Config, Guarded},
        future::{Exchange, ReplayFuture, Step},
        guard::{ClaimGuard, Claimed},
        recorder::ReplayRecorder,
        store::ReplayStore,
    },
};

/// Middleware that keeps repeated deliveries from the inner service; see
/// [`ReplayLayer`](super::ReplayLayer).
#[derive(Clone)]
pub struct ReplayService<S, T> {
    inner: S,
    store: T,
    config: Arc<Config>,
}

impl<S, T> ReplayService<S, T> {
    pub(crate) const fn new(inner: S, store: T, config: Arc<Config>) -> Self {
        Self { inner, store, config }
    }

    /// Returns a reference to the inner service.
    ///
    /// Requests sent to it directly are not guarded.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    ///
    /// Requests sent to it directly are not guarded.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Consumes the service and returns the inner one.
    ///
    /// Requests sent to it directly are not guarded.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, T, B, R> Service<Request<B>> for ReplayService<S, T>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    T: ReplayStore,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ReplayFuture<S, T, B>;

    /// Always returns ready.
    ///
    /// The inner service is polled only once a delivery has been claimed, so that repetitions take
    /// none of its capacity.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let config = Arc::clone(&self.config);
        let recorder = ReplayRecorder::of(&request);
        let exchange = |request| Exchange { request, inner: self.inner.clone() };
        let step = match config.decide(request.extensions(), |kind| recorder.setup(kind)) {
            Ok(Some(Guarded { key, retention })) => {
                let (guard, future) = ClaimGuard::claim(self.store.clone(), key, config.lease);
                let claim = Claimed { guard, retention };
                Step::Claim { future, claim, exchange: exchange(request) }
            }
            Ok(None) => Step::Ready { exchange: exchange(request), claim: None },
            Err(kind) => Step::Answer { answer: Answer { kind, key: None, error: None }, request },
        };
        ReplayFuture::new(step, config, recorder)
    }
}

impl<S: fmt::Debug, T> fmt::Debug for ReplayService<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayService")
            .field("inner", &self.inner)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
