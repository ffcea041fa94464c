//! Joins verifiers, look-ups by the head and look-ups by the body for the engine.

#![expect(unnameable_types, reason = "only the engine uses what is behind `Source`")]

use std::{
    convert::Infallible,
    fmt,
    future::{Future, Ready, ready},
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready as poll_ready},
};

use bytes::Bytes;
use http::{Response, request::Parts};
use pin_project_lite::pin_project;

use crate::{
    MakeVerifier, MakeVerifierAfterBodyFn, Rejection, SensitiveParts, Verifier, VerifierDefaults,
    observe::ClientIp,
};

/// The source of a [`SignatureLayer`](crate::SignatureLayer)'s verifiers: a [`Verifier`], a [`MakeVerifier`], the
/// result of [`make_verifier_after_body_fn`](crate::make_verifier_after_body_fn), or with the
/// feature `tenants` that of `Tenants::by_head` and `Tenants::by_body`. It joins them for the engine
/// and cannot be implemented elsewhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` neither is nor makes a webhook verifier",
    label = "not a `Verifier + Clone`, and not a `MakeVerifier`",
    note = "use a provider such as `Meta::new(secret)`, a declared `Scheme`'s `verifier(secret)`, \
            `verifier_fn(…)`, `make_verifier_fn(…)` for look-ups, or implement `Verifier`",
    note = "a verifier that is not `Clone` can be put into an `Arc`, \
            and a fallible constructor needs `?`"
)]
pub trait Source: sealed::Sealed {
    /// What decides.
    type Verifier: Verifier;
    #[doc(hidden)]
    type Early: Future<Output = Result<Found<Self::Verifier, Self::Later>, Rejection>>;
    #[doc(hidden)]
    type Later: LookUpLater<Verifier = Self::Verifier>;

    /// `client_ip` is the layer's.
    #[doc(hidden)]
    fn early(&self, request: &crate::Context<'_>, client_ip: Option<&ClientIp>) -> Self::Early;
    #[doc(hidden)]
    fn shared_defaults(&self) -> VerifierDefaults;
    /// Answers a first contact by code.
    #[doc(hidden)]
    fn first_contact(&self, _: &crate::Context<'_>, _: &Bytes) -> Option<Response<Bytes>> {
        None
    }
    /// Hands a first contact's token over. `false` where none was taken.
    #[doc(hidden)]
    fn takes_token(&self, _: &Parts, _: &Bytes) -> bool {
        false
    }
    #[doc(hidden)]
    fn shared_sensitive_parts(&self) -> SensitiveParts {
        self.shared_defaults().sensitive_parts()
    }
}

/// What a look-up found from the head.
#[doc(hidden)]
#[derive(Debug)]
pub enum Found<V, L> {
    Verifier(V),
    /// Nothing yet: the body is needed.
    Later(L),
}

#[doc(hidden)]
#[allow(unreachable_pub, reason = "Rust 1.88 does not see that `Source` names it")]
pub trait LookUpLater: sealed::Sealed {
    type Verifier: Verifier;
    type Future: Future<Output = Result<Self::Verifier, Rejection>>;

    fn look_up(&self, head: &Parts, body: &Bytes) -> Self::Future;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl<M: MakeVerifier> sealed::Sealed for M {}

impl<M: MakeVerifier> Source for M {
    type Verifier = M::Verifier;
    type Early = Early<M::Future>;
    type Later = Never<M::Verifier>;

    fn early(&self, request: &crate::Context<'_>, _: Option<&ClientIp>) -> Self::Early {
        Early::new(self.make_verifier(request.head()))
    }

    fn first_contact(&self, request: &crate::Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
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
    #[doc(hidden)]
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(poll_ready!(self.project().future.poll(cx)).map(Found::Verifier))
    }
}

/// The look-up that never comes, because the head was enough.
#[doc(hidden)]
#[derive(Debug)]
pub struct Never<V>(Infallible, PhantomData<fn() -> V>);

impl<V> sealed::Sealed for Never<V> {}

impl<V: Verifier> LookUpLater for Never<V> {
    type Verifier = V;
    type Future = Ready<Result<V, Rejection>>;

    fn look_up(&self, _: &Parts, _: &Bytes) -> Self::Future {
        match self.0 {}
    }
}

impl<F> sealed::Sealed for MakeVerifierAfterBodyFn<F> {}

impl<F, Fut, V> Source for MakeVerifierAfterBodyFn<F>
where
    F: Fn(&Parts, &Bytes) -> Fut + Clone,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
    type Verifier = V;
    type Early = Ready<Result<Found<V, Later<F>>, Rejection>>;
    type Later = Later<F>;

    fn early(&self, request: &crate::Context<'_>, _: Option<&ClientIp>) -> Self::Early {
        let later = || Found::Later(Later(self.function.clone()));
        ready(self.requires.check(request.head()).map(|()| later()))
    }

    fn shared_defaults(&self) -> VerifierDefaults {
        self.defaults.unwrap_or(VerifierDefaults::DEFAULT)
    }

    fn shared_sensitive_parts(&self) -> SensitiveParts {
        crate::make::shared_parts(self.defaults).and(self.requires.sensitive_parts())
    }
}

#[doc(hidden)]
pub struct Later<F>(F);

impl<F> fmt::Debug for Later<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Later").finish_non_exhaustive()
    }
}

impl<F> sealed::Sealed for Later<F> {}

impl<F, Fut, V> LookUpLater for Later<F>
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
