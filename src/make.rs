//! Which verifier decides on a request: always the same one, or one looked up for it.

use std::{
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{self, Poll},
};

use bytes::Bytes;
use http::{Response, request::Parts};
use pin_project_lite::pin_project;

use crate::{Context, Rejection, Requires, SensitiveParts, Verifier, VerifierDefaults};

/// Makes the verifier for one request, for example with the secret of the tenant that the path
/// names.
///
/// Every [`Verifier`] that is `Clone` is one: it makes clones of itself, without a box and without
/// waiting. [`make_verifier_fn`] makes one of a closure that returns a future.
#[diagnostic::on_unimplemented(
    message = "`{Self}` neither is nor makes a webhook verifier",
    label = "not a `Verifier + Clone`, and not a `MakeVerifier`",
    note = "use a provider such as `Meta::new(secret)`, a declared `Scheme`'s `verifier(secret)`, \
            `verifier_fn(…)`, `make_verifier_fn(…)` for look-ups, or implement `Verifier`",
    note = "a verifier that is not `Clone` can be put into an `Arc`"
)]
pub trait MakeVerifier {
    /// What is made.
    type Verifier: Verifier;
    /// Makes it.
    type Future: Future<Output = Result<Self::Verifier, Rejection>>;

    /// Makes the verifier for the request with this head.
    fn make_verifier(&self, head: &Parts) -> Self::Future;

    /// The provider's name, the status of refusals and the body limit, for every request alike: a
    /// status that depended on the tenant would tell which tenants exist.
    fn defaults(&self) -> VerifierDefaults {
        VerifierDefaults::DEFAULT
    }

    /// Answers an unsigned request that is no delivery, before a verifier is made; see
    /// [`Verifier::first_contact`].
    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        let _ = (request, body);
        None
    }

    /// Returns the parts of every request that may hold a secret or a signature, whichever verifier
    /// is made: by default those that the defaults name. Those of the verifier are added once it is made.
    fn sensitive_parts(&self) -> SensitiveParts {
        self.defaults().sensitive_parts()
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
}

/// A look-up by the head; see [`make_verifier_fn`].
#[derive(Clone)]
#[must_use]
pub struct MakeVerifierFn<F> {
    function: F,
    defaults: Option<VerifierDefaults>,
    requires: Requires,
}

/// Looks the verifier up by the head, before the body is read.
///
/// The closure takes what it needs from the head and returns a future that owns it, as below; an
/// `async` closure would borrow the head. A [`ConfigError`](crate::ConfigError) becomes a 503 by
/// `?`. [`Rejection::unknown_tenant`] is answered
/// like a bad signature, [`Rejection::unavailable`] with 503. [`Verifier::for_tenant`] names the
/// tenant in [`Verified`](crate::Verified).
///
/// The status of refusals and the body limit are those of [`defaults`](MakeVerifierFn::defaults).
///
/// The closure is called for each request that carries the headers of
/// [`requires`](MakeVerifierFn::requires), and has all the time it takes. With the feature
/// `tenants`, `tenants::Tenants` has a cache, a time limit, and a bound on calls at once.
///
/// ```
/// use std::{collections::HashMap, sync::Arc};
/// use tower_webhook::{
///     Rejection, Secret, SignatureLayer, Verifier, make_verifier_fn, providers::Meta,
/// };
///
/// let secrets = Arc::new(HashMap::from([("7".to_owned(), Secret::new("app secret")?)]));
/// let layer = SignatureLayer::new(
///     make_verifier_fn(move |head| {
///         let secrets = Arc::clone(&secrets);
///         let tenant = head.uri.path().trim_start_matches("/hooks/").to_owned();
///         async move {
///             let secret = secrets.get(&tenant).ok_or(Rejection::unknown_tenant())?;
///             let meta = Meta::new(secret.clone()).map_err(Rejection::unavailable)?;
///             Ok(meta.for_tenant(tenant))
///         }
///     })
///     .defaults(Meta::DEFAULTS),
/// );
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
pub const fn make_verifier_fn<F, Fut, V>(function: F) -> MakeVerifierFn<F>
where
    F: Fn(&Parts) -> Fut,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
    MakeVerifierFn { function, defaults: None, requires: Requires::nothing() }
}

impl<F> MakeVerifierFn<F> {
    /// Sets the headers that a request must carry before the closure is called, none by default.
    ///
    /// A closure cannot tell a challenge from other requests, so a GET challenge without the headers
    /// is refused as well.
    pub fn requires(mut self, requires: Requires) -> Self {
        self.requires = requires;
        self
    }

    /// The provider's name, the status of refusals and the body limit, in place of
    /// [`VerifierDefaults::DEFAULT`].
    pub const fn defaults(mut self, defaults: VerifierDefaults) -> Self {
        self.defaults = Some(defaults);
        self
    }
}

impl<F, Fut, V> MakeVerifier for MakeVerifierFn<F>
where
    F: Fn(&Parts) -> Fut,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
    type Verifier = V;
    type Future = MakeVerifierFuture<Fut>;

    fn make_verifier(&self, head: &Parts) -> Self::Future {
        let way = match self.requires.check(head) {
            Ok(()) => Way::LookUp { future: (self.function)(head) },
            Err(rejection) => Way::Refuse { rejection: Some(rejection) },
        };
        MakeVerifierFuture { way }
    }

    fn defaults(&self) -> VerifierDefaults {
        self.defaults.unwrap_or(VerifierDefaults::DEFAULT)
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        shared_parts(self.defaults).and(self.requires.sensitive_parts())
    }
}

/// What is sensitive whichever verifier is found. Without a defaults nobody knows.
pub(crate) fn shared_parts(defaults: Option<VerifierDefaults>) -> SensitiveParts {
    defaults.map_or(SensitiveParts::none().until_found(), |defaults| defaults.sensitive_parts())
}

pin_project! {
    /// The future of [`MakeVerifierFn`].
    #[must_use = "futures do nothing unless they are polled"]
    #[doc(hidden)]
    pub struct MakeVerifierFuture<Fut> {
        #[pin]
        way: Way<Fut>,
    }
}

pin_project! {
    #[project = WayProjection]
    enum Way<Fut> {
        // A required header is not there.
        Refuse { rejection: Option<Rejection> },
        LookUp { #[pin] future: Fut },
    }
}

impl<Fut, V> Future for MakeVerifierFuture<Fut>
where
    Fut: Future<Output = Result<V, Rejection>>,
{
    type Output = Result<V, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProjection::LookUp { future } => future.poll(cx),
            WayProjection::Refuse { rejection } => match rejection.take() {
                Some(rejection) => Poll::Ready(Err(rejection)),
                None => panic!("`MakeVerifierFuture` polled after completion"),
            },
        }
    }
}

impl<Fut> fmt::Debug for MakeVerifierFuture<Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MakeVerifierFuture").finish_non_exhaustive()
    }
}

/// A look-up by head and body; see [`make_verifier_after_body_fn`].
#[derive(Clone)]
#[must_use]
pub struct MakeVerifierAfterBodyFn<F> {
    pub(crate) function: F,
    pub(crate) defaults: Option<VerifierDefaults>,
    pub(crate) requires: Requires,
}

/// Looks the verifier up by the head and the **unverified** body, for providers that name the
/// tenant only there.
///
/// What the look-up reads is a hint and nothing more: the verifier it returns must still accept
/// the request, and only [`Verified::tenant`](crate::Verified::tenant) says who was proven.
///
/// No verifier is known before the body has been read, so name the signature's header with
/// [`requires`](MakeVerifierAfterBodyFn::requires): requests without it are then refused before a
/// byte is kept.
///
/// The closure is cloned for each request.
pub const fn make_verifier_after_body_fn<F, Fut, V>(function: F) -> MakeVerifierAfterBodyFn<F>
where
    F: Fn(&Parts, &Bytes) -> Fut,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
    MakeVerifierAfterBodyFn { function, defaults: None, requires: Requires::nothing() }
}

impl<F> MakeVerifierAfterBodyFn<F> {
    /// Sets the headers that a request must carry before its body is read, none by default.
    ///
    /// A closure cannot tell a challenge from other requests, so a GET challenge without the headers
    /// is refused as well.
    pub fn requires(mut self, requires: Requires) -> Self {
        self.requires = requires;
        self
    }

    /// The provider's name, the status of refusals and the body limit, in place of
    /// [`VerifierDefaults::DEFAULT`].
    pub const fn defaults(mut self, defaults: VerifierDefaults) -> Self {
        self.defaults = Some(defaults);
        self
    }
}

impl<F> fmt::Debug for MakeVerifierFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MakeVerifierFn")
            .field("defaults", &self.defaults)
            .field("requires", &self.requires)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for MakeVerifierAfterBodyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MakeVerifierAfterBodyFn")
            .field("defaults", &self.defaults)
            .field("requires", &self.requires)
            .finish_non_exhaustive()
    }
}
