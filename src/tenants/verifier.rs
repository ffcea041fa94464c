//! Result of a lookup: a tenant's verifier, or the decoy.

use std::{
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};

use bytes::Bytes;
use http::Response;
use sha2::{Digest, Sha256};

use crate::{
    outcome::{kind::RejectionKind, rejection::Rejection},
    tenants::{id::TenantId, others::Others},
    verifier::{
        context::Context, defaults::VerifierDefaults, delegate, outcome::Outcome,
        sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// Verifier of a tenant, or the decoy if there is no such tenant.
///
/// The decoy is a verifier of the same kind with a secret of its own. It does all the work and then
/// rejects the request with [`UnknownTenant`](crate::RejectionKind::UnknownTenant), whatever its
/// result. A request for an unknown tenant is therefore read, hashed and rejected at the same
/// points as one for a known tenant with a bad signature, and a missing header is rejected as for a
/// known tenant. The decoy also answers unsigned challenges itself: a wrong token is rejected
/// there, too.
#[derive(Clone)]
pub struct TenantVerifier<V> {
    verifier: V,
    /// The decoy has an ID, too, and clones and drops it where a known tenant does: counting
    /// references takes time.
    tenant: TenantId,
    /// Name that replaces the tenant in the replay key.
    replay_name: Option<Arc<[u8; 32]>>,
    /// The decoy has them, too, for the same reason.
    others: Others<V>,
    is_decoy: bool,
}

impl<V> TenantVerifier<V> {
    pub(crate) const fn known(verifier: V, tenant: TenantId) -> Self {
        Self { verifier, tenant, replay_name: None, others: Others::none(), is_decoy: false }
    }

    /// Sets the name for the replay key, which depends on the ID in lower case and on the secrets.
    /// A store may find a tenant by its ID in another case. Another tenant whose ID differs only in
    /// case has other secrets.
    pub(crate) fn with_replay_name(mut self, id: &TenantId, secrets: &[u8; 32]) -> Self {
        let hash = Sha256::new_with_prefix(secrets).chain_update(id.to_ascii_lowercase());
        self.replay_name = Some(Arc::new(hash.finalize().into()));
        self
    }

    pub(crate) const fn decoy(verifier: V, nobody: TenantId) -> Self {
        Self { verifier, tenant: nobody, replay_name: None, others: Others::none(), is_decoy: true }
    }

    /// Sets the tenants that are tried to explain a rejection.
    pub(crate) fn beside(mut self, others: Others<V>) -> Self {
        self.others = others;
        self
    }

    #[cfg(feature = "explain")]
    pub(crate) const fn inner(&self) -> &V {
        &self.verifier
    }

    /// Returns the tenant whose secrets the verifier uses; `None` for the decoy.
    #[must_use]
    pub const fn tenant(&self) -> Option<&TenantId> {
        if self.is_decoy { None } else { Some(&self.tenant) }
    }

    /// Returns `true` if this is the verifier of the tenant with this ID, whatever the spelling by
    /// which it was found.
    pub(crate) fn is_of(&self, id: &str) -> bool {
        !self.is_decoy && self.tenant.as_str() == id
    }

    /// Adds the tenant to a rejection, for observers. The sender does not see it.
    fn named(&self, rejection: Rejection) -> Rejection {
        let tenant = self.tenant.to_shared();
        if self.is_decoy {
            rejection.with_claimed_tenant(tenant)
        } else {
            rejection.with_tenant(tenant)
        }
    }

    /// Turns every authentication failure of the decoy into an unknown tenant. Rejections of known
    /// tenants go through the same steps, so that they take as long.
    fn hide_decoy(&self, mut rejection: Rejection) -> Rejection {
        // Other failures are shown for known tenants, too.
        let is_hidden = self.is_decoy && rejection.kind.is_authentication_failure();
        rejection.kind = if is_hidden { RejectionKind::UnknownTenant } else { rejection.kind };
        rejection.field = rejection.field.filter(|_| !is_hidden);
        rejection.measure = rejection.measure.filter(|_| !is_hidden);
        if let Some(details) = rejection.details.as_mut().filter(|_| is_hidden) {
            // The URL stays, and is shown only for a mismatch: removing it would take less time.
            Arc::make_mut(details).source = None;
        }
        rejection
    }
}

impl<V: Verifier> Verifier for TenantVerifier<V> {
    type State = V::State;

    fn begin(&self, request: &Context<'_>) -> Result<V::State, Rejection> {
        delegate::begin(self, request)
    }

    fn begin_in(
        &self,
        request: &Context<'_>,
        state: &mut Option<V::State>,
    ) -> Result<(), Rejection> {
        self.verifier.begin_in(request, state).map_err(|rejection| self.named(rejection))
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
        match self.verifier.finish(state, request, body) {
            // The function that makes the verifier may have named the tenant by its row.
            Ok(outcome) if !self.is_decoy && outcome.verified().tenant().is_some() => Ok(outcome),
            Ok(outcome) if !self.is_decoy => Ok(outcome.map(|verified| {
                let mut verified = verified.with_tenant(self.tenant.to_shared());
                verified.replay_name.clone_from(&self.replay_name);
                verified
            })),
            // The signature was made with the decoy's secret, which no sender knows.
            Ok(_) => Err(self.named(Rejection::unknown_tenant())),
            Err(rejection) => Err(self.hide_decoy(self.named(rejection))),
        }
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let answer = self.verifier.challenge(request)?;
        Some(answer.map_err(|rejection| self.named(rejection)))
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
        // The decoy's secret explains nothing.
        if !self.is_decoy {
            self.verifier.explain(probe);
            self.others.probe(&self.tenant, &self.verifier, probe);
        }
    }
}

impl<V> fmt::Debug for TenantVerifier<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantVerifier").field("tenant", &self.tenant()).finish_non_exhaustive()
    }
}

pub(crate) type Found<V> = Result<TenantVerifier<V>, Rejection>;

/// Lookup of a tenant: immediately from the cache, or by a call to the store.
///
/// Poll it within a Tokio runtime whose timer is enabled, unless the tenant is cached.
#[must_use = "futures do nothing unless they are polled"]
pub struct LookUp<V>(Way<V>);

enum Way<V> {
    Cached(Ready<Found<V>>),
    Store(Pin<Box<dyn Future<Output = Found<V>> + Send>>),
}

impl<V> LookUp<V> {
    pub(crate) fn cached(verifier: TenantVerifier<V>) -> Self {
        Self(Way::Cached(ready(Ok(verifier))))
    }

    pub(crate) fn refused(rejection: Rejection) -> Self {
        Self(Way::Cached(ready(Err(rejection))))
    }

    pub(crate) fn store(asking: impl Future<Output = Found<V>> + Send + 'static) -> Self {
        Self(Way::Store(Box::pin(asking)))
    }
}

impl<V> Future for LookUp<V> {
    type Output = Found<V>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Found<V>> {
        match &mut self.0 {
            Way::Cached(found) => Pin::new(found).poll(cx),
            Way::Store(asking) => asking.as_mut().poll(cx),
        }
    }
}

impl<V> fmt::Debug for LookUp<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.0 {
            Way::Cached(_) => "cached",
            Way::Store(_) => "store",
        };
        f.debug_tuple("LookUp").field(&way).finish()
    }
}
