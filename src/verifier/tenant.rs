//! Verifiers of one tenant.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use crate::{
    outcome::rejection::Rejection,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Verifier that names the tenant in its results; see [`Verifier::for_tenant`].
#[derive(Clone, Debug)]
pub struct ForTenant<V> {
    verifier: V,
    tenant: Arc<str>,
}

impl<V> ForTenant<V> {
    pub(crate) const fn new(verifier: V, tenant: Arc<str>) -> Self {
        Self { verifier, tenant }
    }

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
