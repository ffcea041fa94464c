//! Verifiers of one type for all providers.

use std::{any::Any, fmt, sync::Arc};

use bytes::Bytes;
use http::Response;

use crate::{
    Context, Outcome, Rejection, Verifier, sensitive::SensitiveParts, verifier::VerifierDefaults,
};

/// A verifier of any provider: one type for tenants who use different ones.
///
/// Against a provider's own type it costs a virtual call for each step and one allocation for the
/// state.
#[derive(Clone)]
pub struct BoxVerifier(Arc<dyn Erased + Send + Sync>);

/// What an [`BoxVerifier`] carries from the head to the end of the body.
#[doc(hidden)]
pub struct AnyState(Box<dyn Any + Send>);

impl BoxVerifier {
    /// Hides the verifier's type.
    pub fn new<V>(verifier: V) -> Self
    where
        V: Verifier<State: 'static> + Send + Sync + 'static,
    {
        Self(Arc::new(verifier))
    }
}

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
}

impl<V: Verifier<State: 'static>> Erased for V {
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
        // A state of another verifier proves nothing to this one.
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
}

impl Verifier for BoxVerifier {
    type State = AnyState;

    fn begin(&self, request: &Context<'_>) -> Result<AnyState, Rejection> {
        self.0.begin(request)
    }

    fn update(&self, state: &mut AnyState, chunk: &[u8]) {
        self.0.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut AnyState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.0.finish(state, request, body)
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        self.0.challenge(request)
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        self.0.first_contact(request, body)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.0.defaults()
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.0.sensitive_parts()
    }
}

impl fmt::Debug for BoxVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoxVerifier").field(&self.0.defaults().provider()).finish()
    }
}

impl fmt::Debug for AnyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyState").finish_non_exhaustive()
    }
}
