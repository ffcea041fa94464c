//! Lookup of the verifier for each request.

use std::future::{Future, Ready, ready};

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    outcome::rejection::Rejection,
    verifier::{
        context::Context, defaults::VerifierDefaults, sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// A lookup of the verifier for each request, for example with the secret of the tenant in the
/// request path.
///
/// Every [`Verifier`] that is `Clone` implements this trait: it returns a clone of itself, without
/// a box and without waiting. To look up the verifier with a closure, use
/// [`SignatureLayer::by_head`](crate::SignatureLayer::by_head).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a webhook verifier and does not look one up",
    label = "expected a `Verifier` that is `Clone`, or a `MakeVerifier`",
    note = "use a provider such as `Meta::new(secret)?`, a `Scheme` by `scheme.verifier(secret)?`, \
            `verifier_fn(…)`, `SignatureLayer::by_head(…)` for lookups, or implement `Verifier`",
    note = "wrap a verifier that is not `Clone` in an `Arc`"
)]
pub trait MakeVerifier {
    /// Type of the verifier.
    type Verifier: Verifier;
    /// Future of the verifier, or of a [`Rejection`] if there is none for the request.
    type Future: Future<Output = Result<Self::Verifier, Rejection>>;

    /// Returns the verifier for the request with this head.
    fn make_verifier(&self, head: &Parts) -> Self::Future;

    /// Returns the provider's name, the status of rejections and the body limit.
    ///
    /// They are the same for every request: a status that depended on the tenant would reveal which
    /// tenants exist.
    fn defaults(&self) -> VerifierDefaults {
        VerifierDefaults::DEFAULT
    }

    /// Returns the response to an unsigned request that is not a delivery, before the verifier is
    /// looked up; see [`Verifier::first_contact`].
    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        let _ = (request, body);
        None
    }

    /// Returns the parts of any request that may hold a secret or a signature, regardless of the
    /// verifier.
    ///
    /// By default, these are the parts that [`defaults`](Self::defaults) names. The parts of the
    /// verifier are added after the lookup.
    fn sensitive_parts(&self) -> SensitiveParts {
        self.defaults().sensitive_parts()
    }

    /// Returns this lookup itself, if it is a verifier. The layer then borrows it for each request.
    #[doc(hidden)]
    fn at_hand(&self) -> Option<&Self::Verifier> {
        None
    }

    /// Returns the verifier of all requests, if there is one. Other layers try it when they explain
    /// a rejection.
    #[doc(hidden)]
    fn own_verifier(&self) -> Option<Self::Verifier> {
        None
    }
}

impl<V: Verifier + Clone> MakeVerifier for V {
    type Verifier = V;
    type Future = Ready<Result<V, Rejection>>;

    fn make_verifier(&self, _: &Parts) -> Self::Future {
        ready(Ok(self.clone()))
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        Verifier::first_contact(self, request, body)
    }

    fn defaults(&self) -> VerifierDefaults {
        Verifier::defaults(self)
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        Verifier::sensitive_parts(self)
    }

    #[inline]
    fn at_hand(&self) -> Option<&V> {
        Some(self)
    }

    fn own_verifier(&self) -> Option<V> {
        Some(self.clone())
    }
}
