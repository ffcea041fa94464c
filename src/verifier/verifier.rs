//! The [`Verifier`] trait.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use crate::{
    outcome::rejection::Rejection,
    verifier::{
        combine::{AllOf, AnyOf, all_of, any_of},
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        sensitive::SensitiveParts,
        tenant::ForTenant,
    },
};

/// Decides whether a request is genuine, in three steps: the head, each chunk of the body, the end.
///
/// The layer calls [`begin`](Self::begin) before it polls the body,
/// [`update`](Self::update) for each chunk as it arrives, and [`finish`](Self::finish) once, at the
/// end. Only an `Ok` from `finish` lets the request through.
///
/// Every verifier that is also `Clone` can be given to [`SignatureLayer::new`].
///
/// # Example
///
/// ```
/// use bytes::Bytes;
/// use tower_webhook::{Context, Outcome, Rejection, Secret, Verified, Verifier};
///
/// /// Acme sends the shared token back in reverse.
/// #[derive(Clone, Debug)]
/// struct Acme(Secret);
///
/// impl Verifier for Acme {
///     type State = ();
///
///     fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
///         let token = request.head().headers.get("x-acme").ok_or(Rejection::missing("x-acme"))?;
///         let reversed: Vec<u8> = token.as_bytes().iter().rev().copied().collect();
///         self.0.matches(&reversed).then_some(()).ok_or(Rejection::mismatch())
///     }
///
///     fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
///         Ok(Verified::new("acme").into())
///     }
/// }
/// ```
///
/// [`SignatureLayer::new`]: crate::SignatureLayer::new
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not verify webhooks",
    label = "not a `Verifier`",
    note = "use a provider such as `Meta::new(secret)`, a declared `Scheme`'s `verifier(secret)`, \
            `verifier_fn(…)` around a closure, or implement `Verifier`",
    note = "a fallible constructor needs `?`: `StandardWebhooks::new(secret)?`"
)]
pub trait Verifier {
    /// Carried from the head to the end of the body. It is `Send` so that every verifier works in
    /// axum and tonic, whose futures move between threads.
    type State: Send;

    /// Looks at the head alone, before the body is polled. A missing, repeated, malformed or stale
    /// header is refused here: no byte of the body is kept or hashed, and what is still on its way is
    /// discarded (see [`Drain`](crate::layer::Drain)).
    ///
    /// # Errors
    ///
    /// Why the head is refused.
    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection>;

    /// Sees each chunk of the body as it arrives, so that hashing overlaps receiving. The chunks
    /// put together are the `body` that [`finish`](Self::finish) sees; the cuts mean nothing.
    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        let _ = (state, chunk);
    }

    /// Decides, with the whole body at hand. It is called once for each state. A **signed** challenge
    /// (Slack's `url_verification`) is answered here too, by [`Outcome::Reply`].
    ///
    /// # Errors
    ///
    /// Why the request is refused.
    fn finish(
        &self,
        state: &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection>;

    /// Answers an unsigned ownership challenge (Meta's GET with `hub.challenge`) from the head
    /// alone; `None` for every other request. The handler is never called. The body is not read,
    /// unless a look-up by the body comes first.
    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let _ = request;
        None
    }

    /// Answers an unsigned request that is no delivery, such as a ping when a webhook is made, by head and
    /// body; `None` for every other request. The handler is never called.
    ///
    /// The layer asks before verification, for each POST with a declared body of 1 to 1,024 bytes and none of the
    /// signature headers that [`VerifierDefaults::with_first_contacts`] names: without these it never asks.
    /// **The answer must prove nothing and have no effect: anybody can ask.**
    ///
    /// What can be declared needs no code: see [`Scheme::first_contacts`](crate::Scheme::first_contacts).
    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        let _ = (request, body);
        None
    }

    /// The provider's name, the status of its refusals and the body limit.
    fn defaults(&self) -> VerifierDefaults {
        VerifierDefaults::DEFAULT
    }

    /// Returns the parts of a request that hold this verifier's secret or signature, so that events
    /// and the log leave them out: by default those of its [`defaults`](Self::defaults).
    fn sensitive_parts(&self) -> SensitiveParts {
        self.defaults().sensitive_parts()
    }

    /// Returns a verifier that accepts what **either** of the two accepts; see [`any_of`].
    fn or<B: Verifier>(self, other: B) -> AnyOf<Self, B>
    where
        Self: Sized,
    {
        any_of(self, other)
    }

    /// Returns a verifier that accepts what **both** accept; see [`all_of`].
    fn and<B: Verifier>(self, other: B) -> AllOf<Self, B>
    where
        Self: Sized,
    {
        all_of(self, other)
    }

    /// Returns the same verifier, whose [`Verified`](crate::Verified) names the tenant: for look-ups.
    fn for_tenant(self, tenant: impl Into<Arc<str>>) -> ForTenant<Self>
    where
        Self: Sized,
    {
        ForTenant::new(self, tenant.into())
    }
}
