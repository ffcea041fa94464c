//! Which verifier decides on a request: always the same one, or one looked up for it.

use std::{
    fmt,
    future::{Future, Ready, ready},
};

use bytes::Bytes;
use http::{HeaderName, request::Parts};

use crate::{Profile, Rejection, Verifier};

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
    fn profile(&self) -> Profile {
        Profile::DEFAULT
    }
}

impl<V: Verifier + Clone> MakeVerifier for V {
    type Verifier = V;
    type Future = Ready<Result<V, Rejection>>;

    fn make_verifier(&self, _: &Parts) -> Self::Future {
        ready(Ok(self.clone()))
    }

    fn profile(&self) -> Profile {
        Verifier::profile(self)
    }
}

/// A look-up by the head; see [`make_verifier_fn`].
#[derive(Clone, Copy)]
#[must_use]
pub struct MakeVerifierFn<F> {
    function: F,
    profile: Profile,
}

/// Looks the verifier up by the head, before the body is read.
///
/// The closure takes what it needs from the head and returns a future that owns it, as below; an
/// `async` closure would borrow the head. A [`ConfigError`](crate::ConfigError) becomes a 503 by
/// `?`. [`Rejection::unknown_tenant`] is answered
/// like a bad signature, [`Rejection::unavailable`] with 503. [`Verifier::for_tenant`] names the
/// tenant in [`Verified`](crate::Verified).
///
/// The status of refusals and the body limit are those of [`profile`](MakeVerifierFn::profile).
///
/// The closure is called for each request, and has all the time it takes. With the feature
/// `tenants`, `tenants::Tenants` has a cache and a time limit.
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
///             Ok(Meta::new(secret.clone()).for_tenant(tenant))
///         }
///     })
///     .profile(Meta::PROFILE),
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
    MakeVerifierFn { function, profile: Profile::DEFAULT }
}

impl<F> MakeVerifierFn<F> {
    /// The provider's name, the status of refusals and the body limit, in place of
    /// [`Profile::DEFAULT`].
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
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
    type Future = Fut;

    fn make_verifier(&self, head: &Parts) -> Fut {
        (self.function)(head)
    }

    fn profile(&self) -> Profile {
        self.profile
    }
}

/// A look-up by head and body; see [`make_verifier_after_body_fn`].
#[derive(Clone)]
#[must_use]
pub struct MakeVerifierAfterBodyFn<F> {
    pub(crate) function: F,
    pub(crate) profile: Profile,
    pub(crate) required: Option<HeaderName>,
}

/// Looks the verifier up by the head and the **unverified** body, for providers that name the
/// tenant only there.
///
/// What the look-up reads is a hint and nothing more: the verifier it returns must still accept
/// the request, and only [`Verified::tenant`](crate::Verified::tenant) says who was proven.
///
/// Since no verifier is known before the body has been read, name the signature header with
/// [`require_header`](MakeVerifierAfterBodyFn::require_header): requests without it are then
/// refused before a byte is read, a GET handshake among them.
///
/// The closure is cloned for each request.
pub const fn make_verifier_after_body_fn<F, Fut, V>(function: F) -> MakeVerifierAfterBodyFn<F>
where
    F: Fn(&Parts, &Bytes) -> Fut,
    Fut: Future<Output = Result<V, Rejection>>,
    V: Verifier,
{
    MakeVerifierAfterBodyFn { function, profile: Profile::DEFAULT, required: None }
}

impl<F> MakeVerifierAfterBodyFn<F> {
    /// Refuses requests that do not carry this header exactly once, before the body is read.
    pub fn require_header(mut self, name: HeaderName) -> Self {
        self.required = Some(name);
        self
    }

    /// The provider's name, the status of refusals and the body limit, in place of
    /// [`Profile::DEFAULT`].
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }
}

impl<F> fmt::Debug for MakeVerifierFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("MakeVerifierFn");
        f.field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for MakeVerifierAfterBodyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MakeVerifierAfterBodyFn")
            .field("profile", &self.profile)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}
