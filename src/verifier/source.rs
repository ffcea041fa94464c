//! Common interface of verifiers, lookups by head and lookups by body for the engine.

#![expect(unnameable_types, reason = "only the engine uses what is behind `Source`")]

use std::{
    convert::Infallible,
    future::{Future, Ready},
    marker::PhantomData,
    net::IpAddr,
    pin::Pin,
    task::{self, Poll, ready},
};

use bytes::Bytes;
use http::{Response, request::Parts};
use pin_project_lite::pin_project;

use crate::{
    outcome::rejection::Rejection,
    panic::catch_panic,
    parse::client_ip::ClientIp,
    verifier::{
        context::Context, defaults::VerifierDefaults, make::MakeVerifier, requires::Requires,
        sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// Source of a layer's verifiers: a verifier, a lookup, or `Tenants`.
///
/// These types are sources of a [`SignatureLayer`](crate::SignatureLayer):
///
/// - a [`Verifier`] that is `Clone`, such as each provider, or a verifier in an `Arc`;
/// - a [`MakeVerifier`], a lookup with a custom type;
/// - the closures of [`SignatureLayer::by_head`](crate::SignatureLayer::by_head) and
///   [`by_body`](crate::SignatureLayer::by_body): [`ByHead`](crate::layer::ByHead) and
///   [`ByBody`](crate::layer::ByBody);
/// - with the feature `tenants`, the return values of `Tenants::by_head` and `Tenants::by_body`;
/// - with the feature `fetched-keys`, a provider whose keys are fetched, such as
///   `GitHubSecretScanning::with_fetched_keys`;
/// - an exchange: [`Asana::with_secret_exchange`](crate::providers::Asana::with_secret_exchange)
///   and [`Notion::with_token_exchange`](crate::providers::Notion::with_token_exchange).
///
/// This trait is sealed: you cannot implement it, but you can implement [`MakeVerifier`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a webhook verifier and does not look one up",
    label = "expected a `Verifier` that is `Clone`, or a `MakeVerifier`",
    note = "use a provider such as `Meta::new(secret)?`, a `Scheme` by `scheme.verifier(secret)?`, \
            `verifier_fn(…)`, `SignatureLayer::by_head(…)` for lookups, or implement `Verifier`",
    note = "wrap a verifier that is not `Clone` in an `Arc`, \
            and add `?` after a fallible constructor"
)]
pub trait Source: sealed::Engine {}

/// Properties of the layer that a source can use.
#[derive(Clone, Copy, Debug)]
pub struct LayerContext<'a> {
    #[allow(dead_code, reason = "stores ask for it")]
    pub(crate) client_ip: Option<&'a ClientIp>,
    pub(crate) defaults: &'a VerifierDefaults,
}

impl LayerContext<'_> {
    /// Checks that a request has the required headers, unless it is a challenge according to the
    /// layer's defaults.
    ///
    /// # Errors
    ///
    /// Returns a [`Rejection`] that names the header at fault.
    pub(crate) fn check(&self, requires: &Requires, head: &Parts) -> Result<(), Rejection> {
        requires.check(head).or_else(|rejection| {
            if self.defaults.is_challenge(head) { Ok(()) } else { Err(rejection) }
        })
    }
}

/// Returns the address of the client. It comes from the user's code. If that panics, there is none.
#[allow(dead_code, reason = "stores ask for it")]
pub(crate) fn client_address(head: &Parts, client_ip: Option<&ClientIp>) -> Option<IpAddr> {
    client_ip.and_then(|client_ip| catch_panic(|| client_ip.of(head)).ok().flatten())
}

pub(crate) mod sealed {
    use super::*;

    pub trait Sealed {}

    /// Interface of a source for the engine.
    pub trait Engine: Sealed {
        /// Type of the verifier.
        type Verifier: Verifier;
        type HeadLookUp: Future<
            Output = Result<FoundByHead<Self::Verifier, Self::BodyLookUp>, Rejection>,
        >;
        type BodyLookUp: LookUpByBody<Verifier = Self::Verifier>;

        fn look_up_by_head(
            &self,
            request: &Context<'_>,
            layer: &LayerContext<'_>,
        ) -> Self::HeadLookUp;
        fn shared_defaults(&self) -> VerifierDefaults;
        /// Returns the response to a first contact that the source recognises by its own code.
        fn first_contact(&self, _: &Context<'_>, _: &Bytes) -> Option<Response<Bytes>> {
            None
        }
        /// Hands over the token of a first contact. Returns `false` if no token was taken.
        fn takes_token(&self, _: &Parts, _: &Bytes) -> bool {
            false
        }
        fn shared_sensitive_parts(&self) -> SensitiveParts {
            self.shared_defaults().sensitive_parts()
        }
        /// Returns the source itself, if it is a verifier and looks up none.
        fn at_hand(&self) -> Option<&Self::Verifier> {
            None
        }
        /// Returns the verifier of all requests, if the source looks up none.
        fn own_verifier(&self) -> Option<Self::Verifier> {
            None
        }
    }
}

/// Result of a lookup by the head.
#[derive(Debug)]
pub enum FoundByHead<V, L> {
    Verifier(V),
    /// The lookup needs the body, too.
    NeedsBody(L),
}

#[allow(unreachable_pub, reason = "Rust 1.88 does not see that a sealed trait names it")]
pub trait LookUpByBody {
    type Verifier: Verifier;
    type Future: Future<Output = Result<Self::Verifier, Rejection>>;

    fn look_up(&self, head: &Parts, body: &Bytes) -> Self::Future;
}

impl<M: MakeVerifier> sealed::Sealed for M {}

impl<M: MakeVerifier> Source for M {}

impl<M: MakeVerifier> sealed::Engine for M {
    type Verifier = M::Verifier;
    type HeadLookUp = VerifierByHead<M::Future>;
    type BodyLookUp = NoLookUpByBody<M::Verifier>;

    fn look_up_by_head(&self, request: &Context<'_>, _: &LayerContext<'_>) -> Self::HeadLookUp {
        VerifierByHead::new(self.make_verifier(request.head()))
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

    #[inline]
    fn at_hand(&self) -> Option<&M::Verifier> {
        MakeVerifier::at_hand(self)
    }

    fn own_verifier(&self) -> Option<M::Verifier> {
        MakeVerifier::own_verifier(self)
    }
}

pin_project! {
    /// Future of a lookup by the head.
    #[derive(Debug)]
    pub struct VerifierByHead<Fut> {
        #[pin]
        future: Fut,
    }
}

impl<Fut> VerifierByHead<Fut> {
    pub(crate) const fn new(future: Fut) -> Self {
        Self { future }
    }
}

impl<Fut, V> Future for VerifierByHead<Fut>
where
    Fut: Future<Output = Result<V, Rejection>>,
{
    type Output = Result<FoundByHead<V, NoLookUpByBody<V>>, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(self.project().future.poll(cx)).map(FoundByHead::Verifier))
    }
}

/// Lookup by the body of a source that needs only the head. It cannot be constructed.
#[derive(Debug)]
pub struct NoLookUpByBody<V>(Infallible, PhantomData<fn() -> V>);

impl<V: Verifier> LookUpByBody for NoLookUpByBody<V> {
    type Verifier = V;
    type Future = Ready<Result<V, Rejection>>;

    fn look_up(&self, _: &Parts, _: &Bytes) -> Self::Future {
        match self.0 {}
    }
}
