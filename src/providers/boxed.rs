//! Type-erased verifiers: one type for all providers.

use std::{any::Any, fmt, sync::Arc};

use bytes::Bytes;
use http::Response;

use crate::{
    outcome::rejection::Rejection,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Type-erased verifier, for tenants with different providers.
///
/// Compared with a provider's own type, it costs a virtual call for each step and one allocation
/// for the state.
///
/// With the feature `sign`, the verifiers of providers that [`by_name`](super::by_name) returns can
/// also sign.
#[derive(Clone)]
pub struct BoxVerifier {
    verifier: Arc<dyn Erased + Send + Sync>,
    #[cfg(feature = "sign")]
    signer: Option<Arc<dyn Signs + Send + Sync>>,
}

/// State of a [`BoxVerifier`], from the head to the end of the body.
#[doc(hidden)]
pub struct AnyState(Box<dyn Any + Send>);

impl BoxVerifier {
    /// Erases the type of a verifier.
    pub fn new<V>(verifier: V) -> Self
    where
        V: Verifier,
    {
        Self {
            verifier: Arc::new(verifier),
            #[cfg(feature = "sign")]
            signer: None,
        }
    }

    /// Erases the type of a verifier that can also sign.
    #[cfg(feature = "sign")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sign")))]
    pub fn signing<V>(verifier: V) -> Self
    where
        V: crate::sign::sign::Sign,
    {
        let verifier = Arc::new(verifier);
        Self { signer: Some(Arc::clone(&verifier) as _), verifier }
    }

    /// Erases the type of a verifier. Without the feature `sign`, it cannot sign.
    #[cfg(not(feature = "sign"))]
    pub(crate) fn signing<V>(verifier: V) -> Self
    where
        V: Verifier,
    {
        Self::new(verifier)
    }
}

/// Type-erased signer.
#[cfg(feature = "sign")]
trait Signs {
    fn sign(
        &self,
        head: &mut http::request::Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection>;
}

#[cfg(feature = "sign")]
impl<V: crate::sign::sign::Sign> Signs for V {
    fn sign(
        &self,
        head: &mut http::request::Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        crate::sign::sign::Sign::sign(self, head, body, with)
    }
}

#[cfg(feature = "sign")]
#[cfg_attr(docsrs, doc(cfg(feature = "sign")))]
impl crate::sign::sign::Sign for BoxVerifier {
    fn sign(
        &self,
        head: &mut http::request::Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let signer = self.signer.as_ref();
        let signer = signer.ok_or_else(|| Rejection::unavailable("this verifier does not sign"))?;
        signer.sign(head, body, with)
    }
}

/// Object-safe form of [`Verifier`].
trait Erased {
    fn begin(&self, request: &Context<'_>) -> Result<AnyState, Rejection>;
    fn update(&self, state: &mut AnyState, chunk: &[u8]);
    fn finish(
        &self,
        state: &mut AnyState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection>;
    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>>;
    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>>;
    fn defaults(&self) -> VerifierDefaults;
    fn sensitive_parts(&self) -> SensitiveParts;
    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>);
}

impl<V: Verifier> Erased for V {
    fn begin(&self, request: &Context<'_>) -> Result<AnyState, Rejection> {
        Verifier::begin(self, request).map(|state| AnyState(Box::new(state)))
    }

    fn update(&self, state: &mut AnyState, chunk: &[u8]) {
        if let Some(state) = state.0.downcast_mut() {
            Verifier::update(self, state, chunk);
        }
    }

    fn finish(
        &self,
        state: &mut AnyState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        // The state of another verifier proves nothing.
        let state = state.0.downcast_mut().ok_or(Rejection::mismatch())?;
        Verifier::finish(self, state, request, body)
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        Verifier::challenge(self, request)
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

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        Verifier::explain(self, probe);
    }
}

impl Verifier for BoxVerifier {
    type State = AnyState;

    fn begin(&self, request: &Context<'_>) -> Result<AnyState, Rejection> {
        self.verifier.begin(request)
    }

    fn update(&self, state: &mut AnyState, chunk: &[u8]) {
        self.verifier.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut AnyState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.verifier.finish(state, request, body)
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        self.verifier.challenge(request)
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

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.verifier.explain(probe);
    }
}

impl fmt::Debug for BoxVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoxVerifier").field(&self.verifier.defaults().provider()).finish()
    }
}

impl fmt::Debug for AnyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyState").finish_non_exhaustive()
    }
}
