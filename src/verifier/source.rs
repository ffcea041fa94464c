//! Joins verifiers, look-ups by the head and look-ups by the body for the engine.

#![expect(unnameable_types, reason = "only the engine uses what is behind `Source`")]

use std::{
    convert::Infallible,
    future::{Future, Ready},
    marker::PhantomData,
    pin::Pin,
    task::{self, Poll, ready},
};

use bytes::Bytes;
use http::{Response, request::Parts};
use pin_project_lite::pin_project;

use crate::{
    outcome::rejection::Rejection,
    parse::client_ip::ClientIp,
    verifier::{
        context::Context, defaults::VerifierDefaults, make::MakeVerifier, requires::Requires,
        sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// The source of a [`SignatureLayer`](crate::SignatureLayer)'s verifiers. These are sources:
///
/// - a [`Verifier`] that is `Clone`, such as each provider, or one in an `Arc`;
/// - a [`MakeVerifier`], a look-up that is a type of yours;
/// - the closures of [`SignatureLayer::by_head`](crate::SignatureLayer::by_head) and
///   [`by_body`](crate::SignatureLayer::by_body): [`ByHead`](crate::layer::ByHead) and
///   [`ByBody`](crate::layer::ByBody);
/// - with the feature `tenants`, the results of `Tenants::by_head` and `Tenants::by_body`;
/// - an exchange: [`Asana::with_secret_exchange`](crate::providers::Asana::with_secret_exchange) and
///   [`Notion::with_token_exchange`](crate::providers::Notion::with_token_exchange).
///
/// It is sealed: it cannot be implemented elsewhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` neither is nor makes a webhook verifier",
    label = "not a `Verifier + Clone`, and not a `MakeVerifier`",
    note = "use a provider such as `Meta::new(secret)?`, a declared `Scheme`'s `verifier(secret)?`, \
            `verifier_fn(…)`, `SignatureLayer::by_head(…)` for look-ups, or implement `Verifier`",
    note = "a verifier that is not `Clone` can be put into an `Arc`, \
            and a fallible constructor needs `?`"
)]
pub trait Source: sealed::Engine {}

/// What a source may ask of its layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerContext<'a> {
    #[allow(dead_code, reason = "stores ask for it")]
    pub(crate) client_ip: Option<&'a ClientIp>,
    pub(crate) defaults: &'a VerifierDefaults,
}

impl LayerContext<'_> {
    /// Refuses a request without the headers, unless it is a challenge by the defaults.
    pub(crate) fn check(&self, requires: &Requires, head: &Parts) -> Result<(), Rejection> {
        requires.check(head).or_else(|rejection| {
            if self.defaults.is_challenge(head) { Ok(()) } else { Err(rejection) }
        })
    }
}

pub(crate) mod sealed {
    use super::*;

    pub trait Sealed {}

    /// What the engine asks of a source.
    pub trait Engine: Sealed {
        /// What decides.
        type Verifier: Verifier;
        type Early: Future<Output = Result<Found<Self::Verifier, Self::Later>, Rejection>>;
        type Later: LookUpLater<Verifier = Self::Verifier>;

        fn early(&self, request: &Context<'_>, layer: &LayerContext<'_>) -> Self::Early;
        fn shared_defaults(&self) -> VerifierDefaults;
        /// Answers a first contact by code.
        fn first_contact(&self, _: &Context<'_>, _: &Bytes) -> Option<Response<Bytes>> {
            None
        }
        /// Hands a first contact's token over. `false` where none was taken.
        fn takes_token(&self, _: &Parts, _: &Bytes) -> bool {
            false
        }
        fn shared_sensitive_parts(&self) -> SensitiveParts {
            self.shared_defaults().sensitive_parts()
        }
    }
}

/// What a look-up found from the head.
#[derive(Debug)]
pub enum Found<V, L> {
    Verifier(V),
    /// Nothing yet: the body is needed.
    Later(L),
}

#[allow(unreachable_pub, reason = "Rust 1.88 does not see that a sealed trait names it")]
pub trait LookUpLater {
    type Verifier: Verifier;
    type Future: Future<Output = Result<Self::Verifier, Rejection>>;

    fn look_up(&self, head: &Parts, body: &Bytes) -> Self::Future;
}

impl<M: MakeVerifier> sealed::Sealed for M {}

impl<M: MakeVerifier> Source for M {}

impl<M: MakeVerifier> sealed::Engine for M {
    type Verifier = M::Verifier;
    type Early = Early<M::Future>;
    type Later = Never<M::Verifier>;

    fn early(&self, request: &Context<'_>, _: &LayerContext<'_>) -> Self::Early {
        Early::new(self.make_verifier(request.head()))
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        MakeVerifier::first_contact(self, request, body)
    }

    fn shared_defaults(&self) -> VerifierDefaults {
        self.defaults()
    }

    fn shared_sensitive_parts(&self) -> SensitiveParts {
        self.sensitive_parts()
    }
}

pin_project! {
    /// A look-up by the head.
    #[derive(Debug)]
    pub struct Early<Fut> {
        #[pin]
        future: Fut,
    }
}

impl<Fut> Early<Fut> {
    pub(crate) const fn new(future: Fut) -> Self {
        Self { future }
    }
}

impl<Fut, V> Future for Early<Fut>
where
    Fut: Future<Output = Result<V, Rejection>>,
{
    type Output = Result<Found<V, Never<V>>, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(self.project().future.poll(cx)).map(Found::Verifier))
    }
}

/// The look-up that never comes, because the head was enough.
#[derive(Debug)]
pub struct Never<V>(Infallible, PhantomData<fn() -> V>);

impl<V: Verifier> LookUpLater for Never<V> {
    type Verifier = V;
    type Future = Ready<Result<V, Rejection>>;

    fn look_up(&self, _: &Parts, _: &Bytes) -> Self::Future {
        match self.0 {}
    }
}
