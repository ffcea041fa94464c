//! Asana's secret exchange, which is trust on first use.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{self, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, request::Parts};
use pin_project_lite::pin_project;

use crate::{
    crypto::secret::Secret,
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::headers::optional,
    providers::catalogue::productivity::Asana,
    verifier::{
        challenge::response::MAX_CHALLENGE, context::Context, defaults::VerifierDefaults,
        make::MakeVerifier, outcome::Outcome, sensitive::SensitiveParts, verifier::Verifier,
    },
};

const SECRET: &str = "x-hook-secret";

impl Asana {
    /// Creates a source of verifiers that takes the secret from Asana's first request to a new
    /// webhook. No secret is known before that request.
    ///
    /// **This is trust on first use: anyone who reaches the URL while an exchange is expected can
    /// set the secret, and can then sign any request.** Let `accept` return `true` only between
    /// your own request for the webhook and Asana's response to it, only for that webhook's own
    /// URL, which must be unguessable, and only once. Never let it replace a secret.
    ///
    /// The layer calls `accept` with the head and the secret of a POST that has no signature and
    /// has a secret in `X-Hook-Secret`: 1 to 256 visible ASCII characters. `accept` stores this
    /// secret and returns `true`. The layer then sends the header back, as Asana expects. If
    /// `accept` returns `false`, because no exchange is expected, the response is `404 Not Found`.
    /// If it returns [`Rejection::unavailable`], because it could not store the secret, the
    /// response is `503 Service Unavailable`. None of these requests reaches the handler.
    ///
    /// The layer calls `look_up` for every other request, as in
    /// [`SignatureLayer::by_head`](crate::SignatureLayer::by_head). `look_up` returns the verifier,
    /// or [`Rejection::unknown_tenant`] while there is no secret.
    ///
    /// ```
    /// use std::{collections::HashMap, sync::{Arc, Mutex}};
    /// use tower_webhook::{Rejection, Secret, SignatureLayer, providers::Asana};
    ///
    /// // `None` while the webhook is being created. Before that, it has no entry.
    /// type Webhooks = HashMap<String, Option<Secret>>;
    /// let webhooks = Arc::new(Mutex::new(Webhooks::new()));
    ///
    /// let known = Arc::clone(&webhooks);
    /// let layer = SignatureLayer::new(Asana::with_secret_exchange(
    ///     move |head| {
    ///         let secret = known.lock().unwrap().get(head.uri.path()).cloned().flatten();
    ///         async move {
    ///             let secret = secret.ok_or(Rejection::unknown_tenant())?;
    ///             Asana::new(secret).map_err(Rejection::unavailable)
    ///         }
    ///     },
    ///     move |head, secret| {
    ///         let is_expected = match webhooks.lock().unwrap().get_mut(head.uri.path()) {
    ///             Some(place @ None) => {
    ///                 *place = Some(secret);
    ///                 true
    ///             }
    ///             _ => false,
    ///         };
    ///         async move { Ok(is_expected) }
    ///     },
    /// ));
    /// # let _ = layer;
    /// ```
    pub const fn with_secret_exchange<L, LF, V, A, AF>(look_up: L, accept: A) -> AsanaExchange<L, A>
    where
        L: Fn(&Parts) -> LF,
        LF: Future<Output = Result<V, Rejection>>,
        V: Verifier,
        A: Fn(&Parts, Secret) -> AF,
        AF: Future<Output = Result<bool, Rejection>>,
    {
        AsanaExchange { look_up, accept }
    }
}

/// Source of Asana's verifiers that includes the secret exchange; see
/// [`Asana::with_secret_exchange`].
#[derive(Clone)]
#[must_use]
pub struct AsanaExchange<L, A> {
    look_up: L,
    accept: A,
}

impl<L, A> fmt::Debug for AsanaExchange<L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsanaExchange").finish_non_exhaustive()
    }
}

impl<L, LF, V, A, AF> MakeVerifier for AsanaExchange<L, A>
where
    L: Fn(&Parts) -> LF,
    LF: Future<Output = Result<V, Rejection>>,
    V: Verifier,
    A: Fn(&Parts, Secret) -> AF,
    AF: Future<Output = Result<bool, Rejection>>,
{
    type Verifier = AsanaHook<V>;
    type Future = AsanaFuture<LF, AF>;

    fn make_verifier(&self, head: &Parts) -> Self::Future {
        let step = match offered(head) {
            None => Step::LookUp { future: (self.look_up)(head) },
            Some(Ok((secret, echo))) => {
                Step::Accept { future: (self.accept)(head, secret), echo: Some(echo) }
            }
            Some(Err(rejection)) => Step::Refused { rejection: Some(rejection) },
        };
        AsanaFuture { step }
    }

    fn defaults(&self) -> VerifierDefaults {
        Asana::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        Asana::SCHEME.sensitive_parts().header(HeaderName::from_static(SECRET))
    }
}

/// Returns the secret that a request offers and the header to send back, or `None` for every
/// request that must be verified.
fn offered(head: &Parts) -> Option<Result<(Secret, HeaderValue), Rejection>> {
    let is_exchange = head.method == Method::POST
        && head.headers.contains_key(SECRET)
        // A signed request is verified, even with a secret in it.
        && !head.headers.contains_key("x-hook-signature");
    is_exchange.then(|| {
        let malformed = || Rejection::new(RejectionKind::ChallengeMalformed).in_header(SECRET);
        let value = optional(head, SECRET).ok().flatten().ok_or_else(malformed)?;
        let is_in_form = value.len() <= MAX_CHALLENGE && value.iter().all(u8::is_ascii_graphic);
        let text = std::str::from_utf8(value).ok().filter(|_| is_in_form).ok_or_else(malformed)?;
        let secret = Secret::new(text).map_err(|_| malformed())?;
        let mut echo = HeaderValue::from_str(text).map_err(|_| malformed())?;
        echo.set_sensitive(true);
        Ok((secret, echo))
    })
}

pin_project! {
    /// Future that looks up the verifier or offers the secret.
    #[doc(hidden)]
    pub struct AsanaFuture<LF, AF> {
        #[pin]
        step: Step<LF, AF>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<LF, AF> {
        LookUp { #[pin] future: LF },
        Accept { #[pin] future: AF, echo: Option<HeaderValue> },
        Refused { rejection: Option<Rejection> },
    }
}

impl<LF, AF> fmt::Debug for AsanaFuture<LF, AF> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsanaFuture").finish_non_exhaustive()
    }
}

impl<LF, AF, V> Future for AsanaFuture<LF, AF>
where
    LF: Future<Output = Result<V, Rejection>>,
    AF: Future<Output = Result<bool, Rejection>>,
{
    type Output = Result<AsanaHook<V>, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let unexpected = Rejection::new(RejectionKind::ChallengeUnexpected).in_header(SECRET);
        Poll::Ready(match self.project().step.project() {
            StepProjection::LookUp { future } => {
                ready!(future.poll(cx)).map(|asana| AsanaHook(Role::Verify(asana)))
            }
            StepProjection::Accept { future, echo } => match ready!(future.poll(cx)) {
                Ok(true) => echo.take().map(|echo| AsanaHook(Role::Answer(echo))).ok_or(unexpected),
                Ok(false) => Err(unexpected),
                Err(rejection) => Err(rejection),
            },
            StepProjection::Refused { rejection } => Err(rejection.take().unwrap_or(unexpected)),
        })
    }
}

/// Verifier of one request to a webhook that may still wait for its secret.
#[derive(Clone, Debug)]
pub struct AsanaHook<V = Asana>(Role<V>);

#[derive(Clone, Debug)]
enum Role<V> {
    /// The response to an accepted exchange. This role accepts no request.
    Answer(HeaderValue),
    Verify(V),
}

impl<V> AsanaHook<V> {
    fn verifier(&self) -> Result<&V, Rejection> {
        match &self.0 {
            Role::Verify(verifier) => Ok(verifier),
            Role::Answer(_) => Err(Rejection::mismatch()),
        }
    }
}

impl<V: Verifier> Verifier for AsanaHook<V> {
    type State = V::State;

    fn begin(&self, request: &Context<'_>) -> Result<V::State, Rejection> {
        self.verifier()?.begin(request)
    }

    fn update(&self, state: &mut V::State, chunk: &[u8]) {
        if let Ok(verifier) = self.verifier() {
            verifier.update(state, chunk);
        }
    }

    fn finish(
        &self,
        state: &mut V::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.verifier()?.finish(state, request, body)
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        match &self.0 {
            Role::Verify(verifier) => verifier.challenge(request),
            Role::Answer(echo) => {
                let mut response = Response::new(Bytes::new());
                response.headers_mut().insert(HeaderName::from_static(SECRET), echo.clone());
                Some(Ok(response))
            }
        }
    }

    fn defaults(&self) -> VerifierDefaults {
        Asana::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        Asana::SCHEME.sensitive_parts().header(HeaderName::from_static(SECRET))
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        if let Ok(verifier) = self.verifier() {
            verifier.explain(probe);
        }
    }
}
