//! Functions as verifiers.

use std::fmt;

use bytes::Bytes;
use http::request::Parts;

use crate::{
    outcome::{rejection::Rejection, verified::Verified},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

/// Verifier made of a function; see [`verifier_fn`].
#[derive(Clone, Copy)]
pub struct VerifierFn<F> {
    function: F,
    defaults: VerifierDefaults,
}

/// Creates a verifier from a function of the request head and the whole body.
///
/// The function decides after the body has been read. To reject a request by its head, or to check
/// a time by the layer's clock, implement [`Verifier`]. In a function, check a time with
/// [`Tolerance::check`](crate::scheme::Tolerance::check) and a custom
/// [`Clock`](crate::verifier::Clock). [`with_defaults`](VerifierFn::with_defaults) sets the
/// provider's name in its rejections.
///
/// ```
/// use tower_webhook::{Rejection, Secret, SignatureLayer, Verified, verifier::verifier_fn};
///
/// let token = Secret::new("s3cret-token")?;
/// let layer = SignatureLayer::new(verifier_fn(move |head, _body| {
///     let received = head.headers.get("x-token").ok_or(Rejection::missing("x-token"))?;
///     let genuine = token.matches(received.as_bytes());
///     genuine.then(|| Verified::new("acme")).ok_or(Rejection::mismatch())
/// }));
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
pub const fn verifier_fn<F>(function: F) -> VerifierFn<F>
where
    F: Fn(&Parts, &Bytes) -> Result<Verified, Rejection> + Send + Sync + 'static,
{
    VerifierFn { function, defaults: VerifierDefaults::DEFAULT }
}

impl<F> VerifierFn<F> {
    /// Sets the provider's name, the status of rejections, the body limit, and the parts of a
    /// request that hold a secret, instead of [`VerifierDefaults::DEFAULT`].
    #[must_use]
    pub const fn with_defaults(mut self, defaults: VerifierDefaults) -> Self {
        self.defaults = defaults;
        self
    }
}

impl<F> Verifier for VerifierFn<F>
where
    F: Fn(&Parts, &Bytes) -> Result<Verified, Rejection> + Send + Sync + 'static,
{
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    fn finish(
        &self,
        _: &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        (self.function)(request.head(), body).map(Outcome::from)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.defaults
    }
}

impl<F> fmt::Debug for VerifierFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierFn").finish_non_exhaustive()
    }
}
