//! The other tenants of a store, whose secrets may have signed a rejected request.

use std::sync::{Arc, Weak};

use crate::{
    outcome::{cause::Cause, explanation::Finding},
    tenants::id::TenantId,
    verifier::{probe::Probe, verifier::Verifier},
};

/// Maximum number of tenants that are tried for one explanation.
const MAX: usize = 64;

/// A cache of tenants.
pub(crate) trait Known<V>: Send + Sync {
    /// Passes tenants in the cache to `visit` until it returns `false`.
    fn each(&self, visit: &mut dyn FnMut(&TenantId, &V) -> bool);
}

/// The tenants in the cache from which a verifier came.
pub(crate) struct Others<V>(Option<Weak<dyn Known<V>>>);

impl<V> Others<V> {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) fn of(known: &Arc<impl Known<V> + 'static>) -> Self {
        // The cache holds the verifiers. A strong reference would keep it for ever.
        let known = Arc::downgrade(known);
        Self(Some(known as _))
    }
}

impl<V: Verifier> Others<V> {
    /// Tries these tenants, except the one with this ID, whose verifier rejected the request.
    pub(crate) fn probe(&self, own: &TenantId, verifier: &V, probe: &mut Probe<'_>) {
        let known = self.0.as_ref().and_then(Weak::upgrade).filter(|_| !probe.is_nested());
        let mut left = MAX;
        if let Some(known) = known {
            let unsigned = probe.unsigned(&verifier.sensitive_parts());
            known.each(&mut |tenant, verifier| {
                if tenant == own {
                    return true;
                }
                let finding = Finding::proven(Cause::SecretOfAnother).for_operator();
                // The ID may be a piece of a secret URL.
                let detail = match probe.hides_url() {
                    true => "it is for another tenant".to_owned(),
                    false => format!("it is for the tenant {:?}", tenant.as_str()),
                };
                probe.other(finding.with_detail(detail), verifier, &unsigned);
                left -= 1;
                left > 0 && probe.is_open()
            });
        }
    }
}

impl<V> Clone for Others<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
