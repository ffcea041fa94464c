//! The [`Verifier`] trait.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use crate::{
    outcome::{rejection::Rejection, verified::Verified},
    verifier::{
        combine::{AllOf, AnyOf, all_of, any_of},
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        sensitive::SensitiveParts,
        tenant::ForTenant,
    },
};

/// A webhook verifier, which checks a request in three steps: the head, each chunk of the body, and
/// the end of the body.
///
/// The layer calls [`begin`](Self::begin) before it polls the body, [`update`](Self::update) for
/// each chunk as it arrives, and [`finish`](Self::finish) once, at the end. Only an `Ok` from
/// `finish` accepts the request.
///
/// A verifier owns its data and is `Send` and `Sync`: tasks on several threads share it, and with
/// the feature `explain` another thread explains its rejections.
///
/// You can pass any verifier that is also `Clone` to [`SignatureLayer::new`].
///
/// Guide: [custom verifiers](crate::guide::custom_verifiers).
///
/// # Example
///
/// ```
/// use bytes::Bytes;
/// use hmac::{Hmac, KeyInit, Mac};
/// use sha2::Sha256;
/// use tower_webhook::{Context, Outcome, Rejection, SignatureLayer, Verified, Verifier};
///
/// /// HMAC-SHA256 of the body, in hexadecimal digits in `x-acme`.
/// #[derive(Clone)]
/// struct Acme(Hmac<Sha256>);
///
/// impl Verifier for Acme {
///     type State = (Vec<u8>, Hmac<Sha256>);
///
///     fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
///         let text = request.head().headers.get("x-acme").ok_or(Rejection::missing("x-acme"))?;
///         let hex = text.to_str().map_err(|_| Rejection::malformed("x-acme"))?;
///         let tag: Option<Vec<u8>> = (0..hex.len())
///             .step_by(2)
///             .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
///             .collect();
///         Ok((tag.ok_or(Rejection::malformed("x-acme"))?, self.0.clone()))
///     }
///
///     fn update(&self, (_, mac): &mut Self::State, chunk: &[u8]) {
///         mac.update(chunk);
///     }
///
///     fn finish(
///         &self,
///         (tag, mac): &mut Self::State,
///         _: &Context<'_>,
///         _: &Bytes,
///     ) -> Result<Outcome, Rejection> {
///         // Compares in constant time.
///         mac.clone().verify_slice(tag).map_err(|_| Rejection::mismatch())?;
///         Ok(Verified::new("acme").with_replay_material(tag).with_signed_body().into())
///     }
/// }
///
/// let layer = SignatureLayer::new(Acme(Hmac::new_from_slice(b"s3cret-of-acme")?));
/// # let _ = layer;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// [`SignatureLayer::new`]: crate::SignatureLayer::new
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a webhook verifier",
    label = "expected a `Verifier`",
    note = "use a provider such as `Meta::new(secret)?`, a `Scheme` by `scheme.verifier(secret)?`, \
            `verifier_fn(…)` around a closure, or implement `Verifier`",
    note = "add `?` after a fallible constructor: `StandardWebhooks::new(secret)?`"
)]
pub trait Verifier: Send + Sync + 'static {
    /// State that is carried from the head to the end of the body. It is `Send` so that every
    /// verifier works in axum and tonic, whose futures move between threads.
    type State: Send;

    /// Checks only the head, before the body is polled.
    ///
    /// Reject a missing, repeated, malformed or stale header here: no byte of the body is then kept
    /// or hashed, and the layer discards the rest of the body (see [`Drain`](crate::layer::Drain)).
    ///
    /// # Errors
    ///
    /// Returns a [`Rejection`] if the head is invalid.
    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection>;

    /// Does what [`begin`](Self::begin) does, and writes the state where it stays. A state is large,
    /// so each move of it costs as much as a small check.
    #[doc(hidden)]
    fn begin_in(
        &self,
        request: &Context<'_>,
        state: &mut Option<Self::State>,
    ) -> Result<(), Rejection> {
        *state = Some(self.begin(request)?);
        Ok(())
    }

    /// Processes a chunk of the body as it arrives, so that hashing overlaps receiving.
    ///
    /// The concatenated chunks are the `body` that [`finish`](Self::finish) gets. The boundaries
    /// between chunks have no meaning.
    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        let _ = (state, chunk);
    }

    /// Decides on the request, given the whole body. It is called once for each state.
    ///
    /// It also answers a **signed** challenge (Slack's `url_verification`), with
    /// [`Outcome::Reply`].
    ///
    /// # Errors
    ///
    /// Returns a [`Rejection`] if the request is not authentic, or cannot be verified.
    fn finish(
        &self,
        state: &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection>;

    /// Does what [`finish`](Self::finish) does, and writes the proof where it stays. Returns the
    /// response to a signed challenge.
    #[doc(hidden)]
    fn finish_in(
        &self,
        state: &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
        proof: &mut Verified,
    ) -> Result<Option<Response<Bytes>>, Rejection> {
        Ok(self.finish(state, request, body)?.split(proof))
    }

    /// Returns the response to an unsigned [challenge](crate::scheme::Challenge) (Meta's GET with
    /// `hub.challenge`) from the head, or the [`Rejection`] of a failed challenge. Returns `None`
    /// for any other request.
    ///
    /// The handler is never called for a challenge. The body is not read, unless a lookup by the
    /// body comes first.
    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let _ = request;
        None
    }

    /// Returns the response to an unsigned request that is not a delivery, such as a ping when a
    /// webhook is created. Returns `None` for any other request.
    ///
    /// The handler is never called for a first contact. The layer calls this method before
    /// verification, for each POST with a declared body of 1 to 1,024 bytes and none of the
    /// signature headers that [`VerifierDefaults::with_first_contacts`] names. Without that
    /// setting, the layer never calls it. **The response must prove nothing and have no effect:
    /// anyone can request it.**
    ///
    /// To declare first contacts without code, see
    /// [`Scheme::first_contacts`](crate::Scheme::first_contacts).
    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        let _ = (request, body);
        None
    }

    /// Returns the provider's name, the status of its rejections and the body limit.
    fn defaults(&self) -> VerifierDefaults {
        VerifierDefaults::DEFAULT
    }

    /// Returns the parts of a request that hold this verifier's secret or signature, so that events
    /// and the log leave them out. By default, these are the parts that its
    /// [`defaults`](Self::defaults) name.
    fn sensitive_parts(&self) -> SensitiveParts {
        self.defaults().sensitive_parts()
    }

    /// Tries the variants of this verifier that its user may have meant, to find the cause of a
    /// rejection. See [`Probe`](crate::explain::Probe).
    ///
    /// [`explain`](crate::explain::explain) calls it. It also tries changes of the request, for
    /// every verifier. By default, the verifier has no variants.
    #[cfg(feature = "explain")]
    #[cfg_attr(docsrs, doc(cfg(feature = "explain")))]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let _ = probe;
    }

    /// Returns a verifier that accepts a request if **either** verifier accepts it; see [`any_of`].
    fn or<B: Verifier>(self, other: B) -> AnyOf<Self, B>
    where
        Self: Sized,
    {
        any_of(self, other)
    }

    /// Returns a verifier that accepts a request if **both** verifiers accept it; see [`all_of`].
    fn and<B: Verifier>(self, other: B) -> AllOf<Self, B>
    where
        Self: Sized,
    {
        all_of(self, other)
    }

    /// Returns a verifier whose results name this tenant: its [`Verified`](crate::Verified) and its
    /// [`Rejection`]. Use it in lookups.
    fn for_tenant(self, tenant: impl Into<Arc<str>>) -> ForTenant<Self>
    where
        Self: Sized,
    {
        ForTenant::new(self, tenant.into())
    }
}
