//! The [`Verifier`] trait, and what runs one.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, Response, StatusCode, request::Parts};

use crate::{
    outcome::{rejection::Rejection, verified::Verified},
    parse::timestamp::Clock,
    scheme::declaration::SignatureSource,
    verifier::{
        challenge::Challenge,
        combine::{AllOf, AnyOf, all_of, any_of},
        context::Context,
        first_contact::{FirstContact, FirstContacts},
        outcome::Outcome,
        sensitive::SensitiveParts,
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

    /// Returns the same verifier, whose [`Verified`] names the tenant: for look-ups.
    fn for_tenant(self, tenant: impl Into<Arc<str>>) -> ForTenant<Self>
    where
        Self: Sized,
    {
        ForTenant { verifier: self, tenant: tenant.into() }
    }
}

/// What a layer takes from its verifier unless it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerifierDefaults {
    pub(crate) provider: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) body_limit: usize,
    pub(crate) www_authenticate: &'static str,
    pub(crate) first_contacts: FirstContacts,
    challenge: Option<Challenge>,
    secret_url: bool,
    sensitive_headers: &'static [&'static str],
    sensitive_fields: &'static [&'static str],
}

impl VerifierDefaults {
    /// Provider `custom`, 403, 16 MiB.
    ///
    /// Most providers document no maximum, and some deliver files in JSON. The [byte
    /// budget](crate::SignatureLayer::byte_budget) bounds what all unverified bodies hold together, so
    /// a limit that is too high costs little; one that is too low refuses genuine deliveries.
    pub const DEFAULT: Self = Self {
        provider: "custom",
        status: StatusCode::FORBIDDEN,
        body_limit: 16 << 20,
        www_authenticate: "",
        first_contacts: FirstContacts::NONE,
        challenge: None,
        secret_url: false,
        sensitive_headers: &[],
        sensitive_fields: &[],
    };

    /// The provider's name, as it appears in [`Verified`] and [`Rejection`].
    pub const fn with_provider(mut self, provider: &'static str) -> Self {
        self.provider = provider;
        self
    }

    /// The status of every verdict against a request.
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The longest body, in bytes.
    pub const fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Sets the `WWW-Authenticate` header of every 401, such as `Basic realm="webhooks"`: some senders
    /// show their credentials only in answer to it.
    pub const fn with_www_authenticate(mut self, challenge: &'static str) -> Self {
        self.www_authenticate = challenge;
        self
    }

    /// Sets the unsigned requests that are answered before verification, in place of those set before.
    /// They are looked for where none of these headers is there: those in which a signature stands. An empty
    /// list is for a verifier that answers by [`Verifier::first_contact`]. Of verifiers that are combined, the first four with first contacts keep theirs.
    ///
    /// # Panics
    ///
    /// When one is not a lower-case header name.
    pub const fn with_first_contacts(
        mut self,
        contacts: &'static [FirstContact],
        signature_headers: &'static [&'static str],
    ) -> Self {
        let mut at = 0;
        while at < signature_headers.len() {
            crate::scheme::declaration::checked(signature_headers[at]);
            at += 1;
        }
        let signature = SignatureSource::Headers(signature_headers);
        self.first_contacts = FirstContacts::new(contacts, signature, [&[], &[]]);
        self
    }

    /// Names the unsigned challenge that the verifier answers, so that a look-up lets it through without the headers
    /// that it [requires](crate::layer::Requires) of other requests. Of verifiers that are combined, the first one's
    /// counts.
    pub const fn with_challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Returns whether this request is the unsigned challenge.
    pub(crate) fn is_challenge(&self, head: &Parts) -> bool {
        self.challenge.is_some_and(|challenge| challenge.is_asked(head))
    }

    /// Names the URL as secret: [events](crate::observe::Event::url) and the log show neither its
    /// path nor what its parameters are.
    pub const fn with_secret_url(mut self) -> Self {
        self.secret_url = true;
        self
    }

    pub(crate) const fn has_secret_url(&self) -> bool {
        self.secret_url
    }

    /// Names the headers that hold a secret or a signature, in place of those named before. The log
    /// does not store them.
    ///
    /// # Panics
    ///
    /// When one is not a lower-case header name.
    pub const fn with_sensitive_headers(mut self, names: &'static [&'static str]) -> Self {
        let mut at = 0;
        while at < names.len() {
            crate::scheme::declaration::checked(names[at]);
            at += 1;
        }
        self.sensitive_headers = names;
        self
    }

    /// Names the fields of the body that hold a secret or a signature, in place of those named
    /// before: members of JSON objects at any depth, or parameters of a form. The log does not store
    /// their values.
    pub const fn with_sensitive_fields(mut self, names: &'static [&'static str]) -> Self {
        self.sensitive_fields = names;
        self
    }

    pub(crate) const fn with_exchange(mut self, contacts: &'static [FirstContact]) -> Self {
        self.first_contacts = self.first_contacts.with_exchange(contacts);
        self
    }

    /// Returns the defaults that a user sets, with the first contacts of the source where those name none.
    pub(crate) const fn replaced_by(&self, mut set: Self) -> Self {
        if set.first_contacts.is_none() {
            set.first_contacts = self.first_contacts;
        } else {
            set.first_contacts = set.first_contacts.with_exchange(self.first_contacts.exchanged());
        }
        set
    }

    /// Whether refusals ask for credentials.
    fn asks(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && !self.www_authenticate.is_empty()
    }

    /// The defaults of two verifiers that both look at a request.
    pub(crate) fn and(mut self, second: &Self) -> Self {
        self.body_limit = self.body_limit.max(second.body_limit);
        self.secret_url |= second.secret_url;
        self.first_contacts = self.first_contacts.and(second.first_contacts);
        self.challenge = self.challenge.or(second.challenge);
        if !self.asks() && second.asks() {
            (self.status, self.www_authenticate) = (second.status, second.www_authenticate);
        } else if self.www_authenticate.is_empty() {
            self.www_authenticate = second.www_authenticate;
        }
        self
    }

    /// Returns the parts of a request that this defaults names as sensitive.
    pub fn sensitive_parts(&self) -> SensitiveParts {
        let parts = SensitiveParts::none();
        let parts = if self.secret_url { parts.url() } else { parts };
        let headers = self.sensitive_headers.iter().copied().map(HeaderName::from_static);
        let fields = self.sensitive_fields.iter().copied();
        fields.fold(headers.fold(parts, SensitiveParts::header), SensitiveParts::field)
    }

    /// The provider's name.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// The status of every verdict against a request.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The longest body, in bytes.
    #[must_use]
    pub const fn body_limit(&self) -> usize {
        self.body_limit
    }
}

/// Runs a verifier over a head and a body that are both at hand: for queues and streams, and for servers that take no
/// tower layers. It writes nothing to the log: the [`Rejection`] says why the message was refused.
///
/// ```
/// use bytes::Bytes;
/// use tower_webhook::{Secret, providers::GitHub, verify};
///
/// let github = GitHub::new("It's a Secret to Everybody")?;
/// let (head, ()) = http::Request::post("/")
///     .header(
///         "x-hub-signature-256",
///         "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
///     )
///     .body(())?
///     .into_parts();
/// let outcome = verify(&github, &head, &Bytes::from("Hello, World!"))?;
/// assert_eq!(outcome.verified().provider(), "github");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Why the message is refused.
pub fn verify<V: Verifier>(verifier: &V, head: &Parts, body: &Bytes) -> Result<Outcome, Rejection> {
    run(verifier, &Context::new(head), body)
}

/// Runs a verifier as [`verify`] does, by this clock: for messages that have waited in a queue, and for tests.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use bytes::Bytes;
/// use tower_webhook::{providers::Stripe, verifier::verify_at};
///
/// # fn received(stripe: &Stripe, head: &http::request::Parts, body: &Bytes) -> Result<(), tower_webhook::Rejection> {
/// let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000); // when it was received
/// let verified = verify_at(stripe, head, body, at)?.accepted();
/// # let _ = verified;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Why the message is refused.
pub fn verify_at<V: Verifier>(
    verifier: &V,
    head: &Parts,
    body: &Bytes,
    clock: impl Into<Clock>,
) -> Result<Outcome, Rejection> {
    run(verifier, &Context::new(head).at(&clock.into()), body)
}

pub(crate) fn run<V: Verifier>(
    verifier: &V,
    request: &Context<'_>,
    body: &Bytes,
) -> Result<Outcome, Rejection> {
    let decide = || {
        let mut state = verifier.begin(request)?;
        verifier.update(&mut state, body);
        verifier.finish(&mut state, request, body)
    };
    decide().map_err(|rejection| {
        let has_secret_url = verifier.sensitive_parts().has_url();
        rejection.with_secret_url(has_secret_url).attributed(&verifier.defaults())
    })
}

/// Forwards a [`Verifier`]'s methods to another verifier.
macro_rules! delegate_verifier {
    ($self:ident => $inner:expr, $state:ty) => {
        type State = $state;

        fn begin(&$self, request: &$crate::verifier::context::Context<'_>) -> Result<Self::State, $crate::outcome::rejection::Rejection> {
            $crate::verifier::verifier::Verifier::begin(&$inner, request)
        }

        fn update(&$self, state: &mut Self::State, chunk: &[u8]) {
            $crate::verifier::verifier::Verifier::update(&$inner, state, chunk);
        }

        fn finish(
            &$self,
            state: &mut Self::State,
            request: &$crate::verifier::context::Context<'_>,
            body: &bytes::Bytes,
        ) -> Result<$crate::verifier::outcome::Outcome, $crate::outcome::rejection::Rejection> {
            $crate::verifier::verifier::Verifier::finish(&$inner, state, request, body)
        }

        fn challenge(
            &$self,
            request: &$crate::verifier::context::Context<'_>,
        ) -> Option<Result<http::Response<bytes::Bytes>, $crate::outcome::rejection::Rejection>> {
            $crate::verifier::verifier::Verifier::challenge(&$inner, request)
        }

        fn first_contact(
            &$self,
            request: &$crate::verifier::context::Context<'_>,
            body: &bytes::Bytes,
        ) -> Option<http::Response<bytes::Bytes>> {
            $crate::verifier::verifier::Verifier::first_contact(&$inner, request, body)
        }

        fn defaults(&$self) -> $crate::verifier::verifier::VerifierDefaults {
            $crate::verifier::verifier::Verifier::defaults(&$inner)
        }

        fn sensitive_parts(&$self) -> $crate::verifier::sensitive::SensitiveParts {
            $crate::verifier::verifier::Verifier::sensitive_parts(&$inner)
        }
    };
}
pub(crate) use delegate_verifier;

impl<V: Verifier + ?Sized> Verifier for Arc<V> {
    delegate_verifier!(self => **self, V::State);
}

/// A verifier made of a function; see [`verifier_fn`].
#[derive(Clone, Copy)]
pub struct VerifierFn<F> {
    function: F,
    defaults: VerifierDefaults,
}

/// A verifier made of a function that sees the whole request.
///
/// It decides after the body has been read. To refuse from the head alone, or to judge a time by the layer's clock,
/// implement [`Verifier`]. Without it, judge a time by [`Tolerance::check`](crate::scheme::Tolerance::check) and a clock
/// of your own. [`with_defaults`](VerifierFn::with_defaults) names the provider of its refusals.
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
    F: Fn(&Parts, &Bytes) -> Result<Verified, Rejection>,
{
    VerifierFn { function, defaults: VerifierDefaults::DEFAULT }
}

impl<F> VerifierFn<F> {
    /// Sets the provider's name, the status of refusals, the body limit, and the parts of a request
    /// that hold a secret, in place of [`VerifierDefaults::DEFAULT`].
    #[must_use]
    pub const fn with_defaults(mut self, defaults: VerifierDefaults) -> Self {
        self.defaults = defaults;
        self
    }
}

impl<F> Verifier for VerifierFn<F>
where
    F: Fn(&Parts, &Bytes) -> Result<Verified, Rejection>,
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

/// A verifier that names the tenant; see [`Verifier::for_tenant`].
#[derive(Clone, Debug)]
pub struct ForTenant<V> {
    verifier: V,
    tenant: Arc<str>,
}

impl<V> ForTenant<V> {
    fn name(&self, rejection: Rejection) -> Rejection {
        rejection.with_tenant(Arc::clone(&self.tenant))
    }
}

impl<V: Verifier> Verifier for ForTenant<V> {
    type State = V::State;

    fn begin(&self, request: &Context<'_>) -> Result<V::State, Rejection> {
        self.verifier.begin(request).map_err(|rejection| self.name(rejection))
    }

    fn update(&self, state: &mut V::State, chunk: &[u8]) {
        self.verifier.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut V::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let outcome = self.verifier.finish(state, request, body);
        let outcome = outcome.map_err(|rejection| self.name(rejection))?;
        Ok(outcome.map(|verified| verified.with_tenant(Arc::clone(&self.tenant))))
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let answer = self.verifier.challenge(request)?;
        Some(answer.map_err(|rejection| self.name(rejection)))
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        self.verifier.first_contact(request, body)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.verifier.defaults()
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.verifier.sensitive_parts()
    }
}
