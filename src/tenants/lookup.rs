//! Lookup of one tenant: the cache, and the call to the store.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::time::timeout;

use crate::{
    error::ConfigError,
    outcome::rejection::Rejection,
    panic::catch_panic,
    parse::clock::{Clock, is_within},
    tenants::{
        gate::{Gate, Lane},
        id::TenantId,
        others::Others,
        single_flight::{SingleFlight, WaitOutcome, Waiter},
        verifier::{Found, TenantVerifier},
    },
    verifier::verifier::Verifier,
};

pub(crate) struct Shared<V> {
    pub(crate) config: Config<V>,
    pub(crate) known: Cache<TenantId, Cached<V>>,
    /// Separate from the known tenants, so that unknown IDs can evict only each other. Each entry
    /// holds its decoy: to make one would take other steps than to clone a known tenant's verifier.
    pub(crate) unknown: Cache<TenantId, Cached<V>>,
    pub(crate) flights: Arc<SingleFlight<Found<V>>>,
    /// Limit on the calls to the store.
    pub(crate) gate: Arc<Gate>,
}

/// Configuration that a [`TenantsBuilder`](super::TenantsBuilder) sets.
pub(crate) struct Config<V> {
    pub(crate) store: Store<V>,
    pub(crate) decoy: V,
    /// `true` if all tenants' verifiers differ from the decoy in nothing but their secrets.
    pub(crate) decoy_stands_for_all: bool,
    /// ID of the decoy, which is no tenant's.
    pub(crate) nobody: TenantId,
    pub(crate) is_in_form: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    pub(crate) ttl: Duration,
    pub(crate) unknown_ttl: Duration,
    pub(crate) time_limit: Duration,
    pub(crate) clock: Clock,
}

/// Store of the user, with the function that makes a verifier of its result.
type Store<V> = Arc<dyn Fn(TenantId) -> Asking<V> + Send + Sync>;
type Asking<V> = Pin<Box<dyn Future<Output = Result<Option<Answer<V>>, Rejection>> + Send>>;

/// Answer of the store about a tenant.
pub(crate) struct Answer<V> {
    pub(crate) verifier: V,
    /// ID in the spelling of the store.
    pub(crate) id: Option<TenantId>,
    /// Fingerprint of the secrets, if the store does not return an ID.
    pub(crate) fingerprint: Option<[u8; 32]>,
}

/// Milliseconds since 1970.
type Millis = i64;

#[derive(Clone)]
pub(crate) struct Cached<V> {
    pub(crate) verifier: TenantVerifier<V>,
    asked_at: Millis,
}

impl<V> Answer<V> {
    /// Returns the verifier of the tenant that was found by this ID.
    pub(crate) fn into_verifier(self, id: &TenantId) -> TenantVerifier<V> {
        let known = TenantVerifier::known(self.verifier, self.id.unwrap_or_else(|| id.clone()));
        match self.fingerprint {
            Some(secrets) => known.with_replay_name(id, &secrets),
            None => known,
        }
    }
}

#[cfg(feature = "explain")]
impl<V: Verifier + Clone> crate::tenants::others::Known<V> for Shared<V> {
    fn each(&self, visit: &mut dyn FnMut(&TenantId, &V) -> bool) {
        for (id, cached) in self.known.iter() {
            if !visit(&id, cached.verifier.inner()) {
                return;
            }
        }
    }
}

impl<V: Verifier + Clone> Shared<V> {
    pub(crate) fn decoy(self: &Arc<Self>) -> TenantVerifier<V> {
        self.decoy_of(self.config.nobody.clone())
    }

    /// Returns the decoy for an ID that no tenant has.
    pub(crate) fn decoy_of(self: &Arc<Self>, id: TenantId) -> TenantVerifier<V> {
        TenantVerifier::decoy(self.config.decoy.clone(), id).beside(Others::of(self))
    }

    /// Returns the verifier of this tenant from the caches, if it is still fresh.
    pub(crate) fn cached(&self, id: &TenantId) -> Option<TenantVerifier<V>> {
        // Both caches are read for every ID. It is in at most one of them.
        let (known, unknown) = (self.known.get(id), self.unknown.get(id));
        let (cached, ttl) = match (known, unknown) {
            (Some(known), _) => (known, self.config.ttl),
            (None, Some(unknown)) => (unknown, self.config.unknown_ttl),
            (None, None) => return None,
        };
        // Without a reliable clock, no entry is fresh.
        let now = self.config.clock.millis().ok()?;
        is_within(cached.asked_at, now, ttl).then_some(cached.verifier)
    }

    /// Waits for the call that another request makes, or makes it.
    pub(crate) async fn run(self: Arc<Self>, waiter: Waiter<Found<V>>, lane: Lane) -> Found<V> {
        let limit = self.config.time_limit;
        let _call = match waiter.wait(limit, &self.gate, lane).await {
            WaitOutcome::MustCall(call) => call,
            WaitOutcome::Completed(found) => return found,
            WaitOutcome::Late => return Err(named(late(), &waiter.id)),
            WaitOutcome::Crowded => return Err(named(crowded(), &waiter.id)),
        };
        // Read before the call, because the answer can be as old as that.
        let asked_at = self.config.clock.millis();
        let answer = timeout(limit, self.ask(&waiter.id)).await.unwrap_or_else(|_| Err(late()));
        let found = answer.map(|answer| match answer {
            Some(answer) => answer.into_verifier(&waiter.id).beside(Others::of(&self)),
            None => self.decoy_of(waiter.id.clone()),
        });
        let found = found.map_err(|rejection| named(rejection, &waiter.id));
        waiter.complete(found.clone(), || self.keep(&waiter.id, &found, asked_at));
        found
    }

    /// Calls the user's store. A panic becomes a rejection, as everywhere in this crate.
    async fn ask(&self, id: &TenantId) -> Result<Option<Answer<V>>, Rejection> {
        let mut asking = catch_panic(|| (self.config.store)(id.clone()))?;
        poll_fn(|cx| {
            catch_panic(|| asking.as_mut().poll(cx))
                .unwrap_or_else(|panicked| Poll::Ready(Err(panicked)))
        })
        .await
    }

    /// Caches an answer. Failures are not cached, and without a reliable clock no answer is.
    pub(crate) fn keep(
        &self,
        id: &TenantId,
        found: &Found<V>,
        asked_at: Result<Millis, Rejection>,
    ) {
        let (Ok(found), Ok(asked_at)) = (found, asked_at) else { return };
        // An ID is in only one of the two caches.
        let (into, other) = match found.tenant() {
            Some(_) => (&self.known, &self.unknown),
            None => (&self.unknown, &self.known),
        };
        other.remove(id);
        into.insert(id.clone(), Cached { verifier: found.clone(), asked_at });
    }
}

/// Returns the rejection for a tenant whose row makes no verifier.
pub(crate) fn unusable(error: ConfigError, tenant: &TenantId) -> Rejection {
    Rejection::from(error).with_tenant(tenant.to_shared())
}

/// Adds the ID that was looked up, unless the rejection names a tenant already.
pub(crate) fn named(rejection: Rejection, id: &TenantId) -> Rejection {
    if rejection.tenant().is_some() {
        rejection
    } else {
        rejection.with_claimed_tenant(id.to_shared())
    }
}

pub(crate) fn late() -> Rejection {
    Rejection::unavailable("tenant store did not respond in time")
}

pub(crate) fn crowded() -> Rejection {
    Rejection::unavailable("too many concurrent tenant lookups: no slot became free in time")
}
