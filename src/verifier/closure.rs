//! Lookup closures as sources of verifiers.

use std::{
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{self, Poll},
};

use bytes::Bytes;
use http::request::Parts;
use pin_project_lite::pin_project;

use crate::{
    outcome::rejection::Rejection,
    verifier::{
        context::Context,
        defaults::VerifierDefaults,
        requires::Requires,
        sensitive::SensitiveParts,
        source::{
            FoundByHead, LayerContext, LookUpByBody, NoLookUpByBody, Source, VerifierByHead,
            sealed::{Engine, Sealed},
        },
        verifier::Verifier,
    },
};

/// Source that looks up the verifier by the request head with a closure; see
/// [`SignatureLayer::by_head`](crate::SignatureLayer::by_head).
#[derive(Clone)]
#[must_use]
pub struct ByHead<F> {
    look_up: F,
    requires: Requires,
}

/// Source that looks up the verifier by the request head and body with a closure; see
/// [`SignatureLayer::by_body`](crate::SignatureLayer::by_body).
#[derive(Clone)]
#[must_use]
pub struct ByBody<F> {
    look_up: F,
    requires: Requires,
}

impl<F> ByHead<F> {
    /// Creates a source from this closure, for functions that take a source, such as
    /// [`Notion::with_token_exchange`](crate::providers::Notion::with_token_exchange).
    pub const fn new<Fut, V>(look_up: F) -> Self
    where
        F: Fn(&Parts) -> Fut,
        Fut: Future<Output = Result<V, Rejection>>,
        V: Verifier,
    {
        Self { look_up, requires: Requires::nothing() }
    }

    /// Sets the headers that a request must carry before the closure is called, none by default.
    ///
    /// A request that is a challenge according to the layer's
    /// [`defaults`](crate::SignatureLayer::defaults) needs none of them.
    pub fn requires(mut self, requires: Requires) -> Self {
        self.requires = requires;
        self
    }
}

impl<F> ByBody<F> {
    /// Creates a source from this closure, for functions that take a source, such as
    /// [`Notion::with_token_exchange`](crate::providers::Notion::with_token_exchange).
    pub const fn new<Fut, V>(requires: Requires, look_up: F) -> Self
    where
        F: Fn(&Parts, &Bytes) -> Fut,
        Fut: Future<Output = Result<V, Rejection>>,
        V: Verifier,
    {
        Self { look_up, requires }
    }
}

impl<F> Sealed for ByHead<F> {}

impl<F, Fut, V> Source for ByHead<F>
where
    F: Fn(&Parts) -> Fut,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
}

impl<F, Fut, V> Engine for ByHead<F>
where
    F: Fn(&Parts) -> Fut,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
    type Verifier = V;
    type HeadLookUp = VerifierByHead<LookUp<Fut>>;
    type BodyLookUp = NoLookUpByBody<V>;

    fn look_up_by_head(&self, request: &Context<'_>, layer: &LayerContext<'_>) -> Self::HeadLookUp {
        let head = request.head();
        VerifierByHead::new(match layer.check(&self.requires, head) {
            Ok(()) => LookUp::Ask { future: (self.look_up)(head) },
            Err(rejection) => LookUp::Refuse { rejection: ready(rejection) },
        })
    }

    fn shared_defaults(&self) -> VerifierDefaults {
        VerifierDefaults::DEFAULT
    }

    fn shared_sensitive_parts(&self) -> SensitiveParts {
        // The parts of the verifier are not known before it is looked up.
        SensitiveParts::none().until_found().and(self.requires.sensitive_parts())
    }
}

impl<F> Sealed for ByBody<F> {}

impl<F, Fut, V> Source for ByBody<F>
where
    F: Fn(&Parts, &Bytes) -> Fut + Clone,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
}

impl<F, Fut, V> Engine for ByBody<F>
where
    F: Fn(&Parts, &Bytes) -> Fut + Clone,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
    type Verifier = V;
    type HeadLookUp = Ready<Result<FoundByHead<V, ClosureByBody<F>>, Rejection>>;
    type BodyLookUp = ClosureByBody<F>;

    fn look_up_by_head(&self, request: &Context<'_>, layer: &LayerContext<'_>) -> Self::HeadLookUp {
        let needs_body = || FoundByHead::NeedsBody(ClosureByBody(self.look_up.clone()));
        ready(layer.check(&self.requires, request.head()).map(|()| needs_body()))
    }

    fn shared_defaults(&self) -> VerifierDefaults {
        VerifierDefaults::DEFAULT
    }

    fn shared_sensitive_parts(&self) -> SensitiveParts {
        // The parts of the verifier are not known before it is looked up.
        SensitiveParts::none().until_found().and(self.requires.sensitive_parts())
    }
}

/// Closure of a request whose body is being read.
#[allow(unnameable_types, reason = "only the engine uses what is behind `Source`")]
pub struct ClosureByBody<F>(F);

impl<F> fmt::Debug for ClosureByBody<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosureByBody").finish_non_exhaustive()
    }
}

impl<F, Fut, V> LookUpByBody for ClosureByBody<F>
where
    F: Fn(&Parts, &Bytes) -> Fut,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
    type Verifier = V;
    type Future = Fut;

    fn look_up(&self, head: &Parts, body: &Bytes) -> Fut {
        (self.0)(head, body)
    }
}

pin_project! {
    /// Future of the lookup closure, or a rejection without calling the closure.
    #[project = LookUpProjection]
    #[must_use = "futures do nothing unless they are polled"]
    pub enum LookUp<Fut> {
        Ask { #[pin] future: Fut },
        // A required header is missing, empty or repeated.
        Refuse { rejection: Ready<Rejection> },
    }
}

impl<Fut, V> Future for LookUp<Fut>
where
    Fut: Future<Output = Result<V, Rejection>>,
{
    type Output = Result<V, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            LookUpProjection::Ask { future } => future.poll(cx),
            LookUpProjection::Refuse { rejection } => Pin::new(rejection).poll(cx).map(Err),
        }
    }
}

impl<Fut> fmt::Debug for LookUp<Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookUp").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for ByHead<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByHead").field("requires", &self.requires).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for ByBody<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByBody").field("requires", &self.requires).finish_non_exhaustive()
    }
}
