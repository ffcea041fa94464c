//! Lookup of tenants, with its cache.

use std::{fmt, net::IpAddr, sync::Arc};

use crate::{
    outcome::{kind::RejectionKind, rejection::Rejection},
    panic::catch_panic,
    tenants::{
        gate::Lane,
        id::TenantId,
        lookup::{Config, Shared},
        verifier::{LookUp, TenantVerifier},
    },
    verifier::{context::Context, requires::Requires, source::LayerContext, verifier::Verifier},
};

/// Lookup of tenants' secrets, with a cache in front of the store; see the [module](super).
///
/// Clones share the cache. Keep a clone, to [`forget`](Self::forget) a tenant whose secret has
/// changed.
pub struct Tenants<V>(pub(crate) Arc<Shared<V>>);

impl<V: Verifier + Clone> Tenants<V> {
    /// Returns the verifier of this tenant, or the decoy, for messages without a server; see
    /// [`verify`](crate::verify()).
    ///
    /// The future fails if the store does. A lookup of a tenant that is not known yet waits in the
    /// queue of requests without an address; see
    /// [`max_concurrent_lookups`](super::TenantsBuilder::max_concurrent_lookups).
    pub fn verifier(&self, tenant: &str) -> LookUp<V> {
        self.look_up(Some(tenant), || Miss::Ask(None))
    }

    pub(crate) fn decoy(&self) -> TenantVerifier<V> {
        self.0.decoy()
    }

    /// Rejects a request without the headers, unless it is a challenge.
    pub(crate) fn check(
        &self,
        requires: &Requires,
        request: &Context<'_>,
        layer: &LayerContext<'_>,
    ) -> Result<(), Rejection> {
        let checked = layer.check(requires, request.head());
        checked.or_else(
            |rejection| {
                if self.is_challenge(request) { Ok(()) } else { Err(rejection) }
            },
        )
    }

    /// Returns `true` if the decoy answers this request itself, or panics. The tenant's verifier
    /// then decides on the request.
    fn is_challenge(&self, request: &Context<'_>) -> bool {
        catch_panic(|| self.0.config.decoy.challenge(request).is_some()).unwrap_or(true)
    }

    /// Returns `true` if every tenant's verifier rejects this request from its head, whatever its
    /// secrets.
    pub(crate) fn is_refused_by_all(&self, request: &Context<'_>) -> bool {
        let Config { decoy, decoy_stands_for_all, .. } = &self.0.config;
        if !decoy_stands_for_all || self.is_challenge(request) {
            return false;
        }
        let refused = catch_panic(|| decoy.begin(request).err().map(|rejection| rejection.kind()));
        // These kinds do not depend on a secret. On all others the tenant's verifier decides.
        matches!(
            refused,
            Ok(Some(RejectionKind::Malformed | RejectionKind::Missing | RejectionKind::Repeated))
        )
    }

    /// Looks the tenant up. `miss` decides what to do if the caches hold no answer.
    pub(crate) fn look_up(&self, id: Option<&str>, miss: impl FnOnce() -> Miss) -> LookUp<V> {
        let shared = &self.0;
        // Malformed IDs are treated as unknown tenants: the decoy verifies, and the store is not
        // called.
        let id = id.and_then(|id| TenantId::new(id, &*shared.config.is_in_form));
        let Some(id) = id else { return LookUp::cached(shared.decoy()) };
        if let Some(found) = shared.cached(&id) {
            return LookUp::cached(found);
        }
        let Miss::Ask(address) = miss() else {
            return LookUp::cached(shared.decoy_of(id));
        };
        // An expired entry shows that the tenant existed.
        let is_known = shared.known.contains_key(&id);
        let lane = if is_known { Lane::Known } else { Lane::of(address) };
        match shared.flights.join(id, |id| shared.cached(id)) {
            Err(found) => LookUp::cached(found),
            Ok(waiter) => LookUp::store(Arc::clone(shared).run(waiter, lane)),
        }
    }
}

/// Treatment of an ID that is in no cache.
pub(crate) enum Miss {
    /// The decoy rejects the request as every tenant's verifier would.
    Decoy,
    /// The store is called, for a client with this address.
    Ask(Option<IpAddr>),
}

impl<V: Clone> Tenants<V> {
    /// Removes this tenant from the caches, whether it is known or unknown, so that its next
    /// request calls the store.
    ///
    /// Call it in every process when the tenant's secret has changed, or when the tenant was
    /// created or deleted.
    ///
    /// The outcome of a call in progress goes to the requests that wait for it, and is not cached.
    pub fn forget(&self, tenant: &str) {
        let Shared { known, unknown, flights, .. } = &*self.0;
        // A call for another spelling may be in progress.
        flights.forget(|| {
            known.retain(|_, cached| !cached.verifier.is_of(tenant));
            known.remove(tenant);
            unknown.remove(tenant);
        });
    }

    /// Removes all tenants from the caches; see [`forget`](Self::forget).
    pub fn clear(&self) {
        let Shared { known, unknown, flights, .. } = &*self.0;
        flights.forget(|| {
            known.clear();
            unknown.clear();
        });
    }
}

impl<V> Clone for Tenants<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: Clone> fmt::Debug for Tenants<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { config, known, unknown, flights, gate } = &*self.0;
        f.debug_struct("Tenants")
            .field("known", &known.len())
            .field("unknown", &unknown.len())
            .field("asking", &flights.len())
            .field("max_concurrent_lookups", &gate.slots())
            .field("ttl", &config.ttl)
            .field("unknown_ttl", &config.unknown_ttl)
            .field("time_limit", &config.time_limit)
            .field("clock", &config.clock)
            .finish_non_exhaustive()
    }
}
