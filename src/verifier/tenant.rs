//! Verifiers of one tenant.

use std::sync::Arc;

use crate::verifier::{delegate::delegate_verifier, verifier::Verifier};

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
}

impl<V: Verifier> Verifier for ForTenant<V> {
    delegate_verifier! {
        self => self.verifier, V::State;
        rejected(rejection) => rejection.with_tenant(Arc::clone(&self.tenant));
        after(outcome, _request, _body) => {
            Ok(outcome.map(|verified| verified.with_tenant(Arc::clone(&self.tenant))))
        }
    }
}
