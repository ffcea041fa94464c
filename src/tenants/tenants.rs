//! The look-up of tenants, with its cache.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::request::Parts;
use quick_cache::sync::Cache;
use tokio::time::timeout;

use crate::{
    crypto::secrets::Secrets,
    error::ConfigError,
    outcome::{kind::RejectionKind, rejection::Rejection},
    panic::catch_panic,
    parse::timestamp::Clock,
    tenants::{
        builder::TenantsBuilder,
        gate::{Gate, Lane},
        id::TenantId,
        secrets::{TenantSecrets, decoy_secret, fingerprint},
        single_flight::{Flights, Seat, Turn},
        source::{ByBody, ByHead},
        verifier::{Found, LookUp, TenantVerifier},
    },
    verifier::{context::Context, requires::Requires, source::LayerContext, verifier::Verifier},
};

/// Looks up tenants' secrets, with a cache in front of the store; see the [module](super).
///
/// Clones share the cache. Keep one, to [`forget`](Self::forget) a tenant whose secret has changed.
pub struct Tenants<V>(pub(crate) Arc<Shared<V>>);

pub(crate) struct Shared<V> {
    pub(crate) config: Config<V>,
    pub(crate) known: Cache<TenantId, Cached<V>>,
    /// Apart from the known ones, so that unknown ids can drive out only each other. Each has its
    /// decoy there: to make one would take other steps than a known tenant's clone.
    pub(crate) unknown: Cache<TenantId, Cached<V>>,
    pub(crate) flights: Arc<Flights<Found<V>>>,
    /// In front of the store.
    pub(crate) gate: Arc<Gate>,
}

/// What a [`TenantsBuilder`] settles.
pub(crate) struct Config<V> {
    pub(crate) store: Store<V>,
    pub(crate) decoy: V,
    /// True when all tenants' verifiers are the decoy's but for their secrets.
    pub(crate) decoy_stands_for_all: bool,
    /// The decoy's id, which is none.
    pub(crate) nobody: TenantId,
    pub(crate) is_in_form: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    pub(crate) ttl: Duration,
    pub(crate) unknown_ttl: Duration,
    pub(crate) time_limit: Duration,
    pub(crate) clock: Clock,
}

/// The user's store, and what makes a verifier of its answer.
type Store<V> = Arc<dyn Fn(TenantId) -> Asking<V> + Send + Sync>;
type Asking<V> = Pin<Box<dyn Future<Output = Result<Option<Answer<V>>, Rejection>> + Send>>;

/// What the store says of a tenant.
pub(crate) struct Answer<V> {
    verifier: V,
    /// As the store itself writes it.
    id: Option<TenantId>,
    /// Of the secrets, where the store does not write an id.
    fingerprint: Option<[u8; 32]>,
}

/// Milliseconds since 1970.
type Millis = i64;

#[derive(Clone)]
pub(crate) struct Cached<V> {
    verifier: TenantVerifier<V>,
    asked_at: Millis,
}

impl<V> Answer<V> {
    /// The verifier of the tenant that was found by this id.
    fn into_verifier(self, id: &TenantId) -> TenantVerifier<V> {
        let known = TenantVerifier::known(self.verifier, self.id.unwrap_or_else(|| id.clone()));
        match self.fingerprint {
            Some(secrets) => known.with_replay_name(id, &secrets),
            None => known,
        }
    }
}

impl<V: Verifier + Clone + Send + Sync + 'static> Tenants<V> {
    /// Looks tenants up in this store, and makes their verifiers by this function.
    ///
    /// The store answers with the tenant's [`Secrets`], or what can become them, or with `None`
    /// where there is no such tenant. A store that may find a tenant by other spellings of its id
    /// answers with [`TenantSecrets`]. What makes a verifier of them also makes the decoy, so
    /// anything else that it takes, such as a [`PublicUrl`](crate::PublicUrl), holds for both.
    ///
    /// # Unsigned requests
    ///
    /// Tenants differ in their secrets alone, so the decoy refuses from the head what every tenant's
    /// verifier would: a request whose signature is missing, malformed or repeated costs no call of
    /// the store, unless it is a challenge or its id is cached.
    ///
    /// The [`begin`](Verifier::begin) of a verifier of your own must therefore not return
    /// [`Missing`](RejectionKind::Missing), [`Malformed`](RejectionKind::Malformed) or
    /// [`Repeated`](RejectionKind::Repeated) for a reason that depends on the secret: genuine
    /// requests would be refused with it. Return [`Rejection::mismatch`] for such a reason. Where
    /// `make` chooses between providers, use [`builder_with_decoy`](Self::builder_with_decoy).
    ///
    /// # Errors
    ///
    /// When no verifier can be made for the decoy, which is then true for every tenant.
    pub fn new<F, Fut, S, E, M>(store: F, make: M) -> Result<Self, ConfigError>
    where
        F: Fn(TenantId) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<S>, E>> + Send + 'static,
        S: Into<TenantSecrets>,
        E: Into<Box<dyn Error + Send + Sync>>,
        M: Fn(Secrets) -> Result<V, ConfigError> + Send + Sync + 'static,
    {
        Self::builder(store, make).build()
    }

    /// As [`new`](Self::new), with other times and bounds.
    pub fn builder<F, Fut, S, E, M>(store: F, make: M) -> TenantsBuilder<V>
    where
        F: Fn(TenantId) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<S>, E>> + Send + 'static,
        S: Into<TenantSecrets>,
        E: Into<Box<dyn Error + Send + Sync>>,
        M: Fn(Secrets) -> Result<V, ConfigError> + Send + Sync + 'static,
    {
        // Without one, which does not happen, `make` fails, and `build` with it.
        let decoy = make(decoy_secret().into_iter().collect());
        let make = Arc::new(make);
        let builder = TenantsBuilder::new(decoy, move |tenant| {
            let (asking, make) = (store(tenant.clone()), Arc::clone(&make));
            async move {
                let row = asking.await.map_err(Rejection::unavailable)?;
                // Without a secret it is as if the tenant did not exist.
                let row = row.map(Into::into).filter(|row| !row.secrets.is_empty());
                let Some(TenantSecrets { id, secrets }) = row else { return Ok(None) };
                let id = id.map(|id| TenantId::of_store(&id));
                let own = id.as_ref().unwrap_or(&tenant);
                Ok(Some(Answer {
                    fingerprint: id.is_none().then(|| fingerprint(&secrets)),
                    verifier: make(secrets).map_err(|error| unusable(error, own))?,
                    id,
                }))
            }
        });
        builder.with_decoy_for_all()
    }

    /// As [`builder`](Self::builder), for a store whose answers are more than secrets: the
    /// provider, if tenants use different ones, or a verify token for each.
    ///
    /// `decoy` is such an answer for a tenant that does not exist. Its secrets, and whatever else is
    /// secret in it, come from [`decoy_secret`].
    ///
    /// With different providers the decoy is of one of them, so for a request as another one sends
    /// it, an unknown tenant is refused from the head and a known one after the body. Where that
    /// matters, put the provider into the path, and give each its own `Tenants`.
    ///
    /// Where the store may find a tenant by other spellings of its id, let `make` name the tenant by
    /// [`for_tenant`](Verifier::for_tenant) with the id of its row: as for [`TenantSecrets`].
    ///
    /// This decoy does not decide which requests are looked up, as that of [`new`](Self::new) does, for
    /// the same reason. Name the headers in which the providers send their signatures with
    /// [`ByHead::requires`] or for [`by_body`](Self::by_body). Requests that the decoy takes for a challenge
    /// need no header.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use tower_webhook::{
    ///     Secret, SignatureLayer,
    ///     providers::{self, Provider},
    ///     tenants::{TenantId, Tenants, decoy_secret},
    /// };
    ///
    /// struct Row {
    ///     provider: Provider,
    ///     secret: Secret,
    /// }
    ///
    /// async fn load(tenant: TenantId) -> Result<Option<Row>, Box<dyn std::error::Error + Send + Sync>> {
    ///     let name = if tenant.as_str() == "anna" { "stripe" } else { "github" };
    ///     let secret = Secret::new(format!("secret-of-{tenant}"))?;
    ///     Ok(Some(Row { provider: providers::by_name(name)?, secret }))
    /// }
    ///
    /// let decoy = Row { provider: providers::by_name("stripe")?, secret: decoy_secret()? };
    /// let tenants =
    ///     Tenants::builder_with_decoy(decoy, load, |row| row.provider.verifier(row.secret)).build()?;
    /// # let _ = tenants;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder_with_decoy<F, Fut, R, E, M>(decoy: R, store: F, make: M) -> TenantsBuilder<V>
    where
        F: Fn(TenantId) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<R>, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
        M: Fn(R) -> Result<V, ConfigError> + Send + Sync + 'static,
    {
        let decoy = make(decoy);
        let make = Arc::new(make);
        TenantsBuilder::new(decoy, move |tenant| {
            let (asking, make) = (store(tenant.clone()), Arc::clone(&make));
            async move {
                let row = asking.await.map_err(Rejection::unavailable)?;
                let verifier = row.map(&*make).transpose();
                let verifier = verifier.map_err(|error| unusable(error, &tenant))?;
                Ok(verifier.map(|verifier| Answer { verifier, id: None, fingerprint: None }))
            }
        })
    }

    /// For a [`SignatureLayer`](crate::SignatureLayer): the head names the tenant, by a segment of
    /// the path, the query, or a header. `None` is answered like an unknown tenant.
    ///
    /// Status and body limit are the decoy's unless
    /// [`SignatureLayer::defaults`](crate::SignatureLayer::defaults) sets others, never the tenant's.
    pub fn by_head<F>(&self, tenant: F) -> ByHead<V, F>
    where
        F: Fn(&Parts) -> Option<String> + Clone,
    {
        ByHead::new(self.clone(), tenant, Requires::nothing())
    }

    /// For a [`SignatureLayer`](crate::SignatureLayer): the **unverified** body names the tenant,
    /// as a field of a form ([`form_field`](super::form_field)) or of JSON ([`json_field`](super::json_field)), for providers that name
    /// it only there. `None` is answered like an unknown tenant.
    ///
    /// A request must carry the headers that `requires` names before its body is read; one that the decoy
    /// takes for a challenge needs none. Where the decoy decides on unsigned requests, as [`new`](Self::new)
    /// has it, [`Requires::nothing`] will do.
    pub fn by_body<F>(&self, requires: Requires, tenant: F) -> ByBody<V, F>
    where
        F: Fn(&Parts, &Bytes) -> Option<String> + Clone,
    {
        ByBody::new(self.clone(), tenant, requires)
    }

    /// The verifier of this tenant, or the decoy, for messages without a server: see
    /// [`verify`](crate::verify()). The future fails when the store does. A look-up of a tenant that
    /// is not known yet shares the bound's lane of requests without an address.
    pub fn verifier(&self, tenant: &str) -> LookUp<V> {
        self.look_up(Some(tenant), || Miss::Ask(None))
    }

    pub(crate) fn decoy(&self) -> TenantVerifier<V> {
        self.0.decoy()
    }

    /// Refuses a request without the headers, unless it is a challenge.
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

    /// Returns whether the decoy answers this request itself. A tenant's verifier says what becomes of it, of
    /// a panic as well.
    fn is_challenge(&self, request: &Context<'_>) -> bool {
        catch_panic(|| self.0.config.decoy.challenge(request).is_some()).unwrap_or(true)
    }

    /// Returns whether every tenant's verifier refuses this request from its head, whatever its secrets.
    pub(crate) fn is_refused_by_all(&self, request: &Context<'_>) -> bool {
        let Config { decoy, decoy_stands_for_all, .. } = &self.0.config;
        if !decoy_stands_for_all || self.is_challenge(request) {
            return false;
        }
        let refused = catch_panic(|| decoy.begin(request).err().map(|rejection| rejection.kind()));
        // What cannot depend on a secret. All else is the tenant's to say.
        matches!(
            refused,
            Ok(Some(RejectionKind::Malformed | RejectionKind::Missing | RejectionKind::Repeated))
        )
    }

    /// Looks the tenant up. `miss` says what to do where the caches hold no answer.
    pub(crate) fn look_up(&self, id: Option<&str>, miss: impl FnOnce() -> Miss) -> LookUp<V> {
        let shared = &self.0;
        // What cannot be an id is no id. The store is not asked, and the decoy does its work.
        let id = id.and_then(|id| TenantId::new(id, &*shared.config.is_in_form));
        let Some(id) = id else { return LookUp::cached(shared.decoy()) };
        if let Some(found) = shared.cached(&id) {
            return LookUp::cached(found);
        }
        let Miss::Ask(address) = miss() else {
            return LookUp::cached(TenantVerifier::decoy(shared.config.decoy.clone(), id));
        };
        // An entry that is too old tells that there was such a tenant.
        let is_known = shared.known.contains_key(&id);
        let lane = if is_known { Lane::Known } else { Lane::of(address) };
        match shared.flights.board(id, |id| shared.cached(id)) {
            Err(found) => LookUp::cached(found),
            Ok(seat) => LookUp::store(Arc::clone(shared).fly(seat, lane)),
        }
    }
}

/// The treatment of an id that is in no cache.
pub(crate) enum Miss {
    /// The decoy refuses the request as every tenant's verifier would.
    Decoy,
    /// The store is asked, for a sender with this address.
    Ask(Option<IpAddr>),
}

impl<V: Clone> Tenants<V> {
    /// Forgets what is known of this tenant, and that it is unknown: its next request asks the
    /// store. Call it when its secret has changed, or when the tenant was made or has gone, in
    /// every process.
    ///
    /// What a call that is under way brings is used for the requests that wait for it, and not kept.
    pub fn forget(&self, tenant: &str) {
        let Shared { known, unknown, flights, .. } = &*self.0;
        // A call for another spelling may be under way.
        flights.forget(|| {
            known.retain(|_, cached| !cached.verifier.is_of(tenant));
            known.remove(tenant);
            unknown.remove(tenant);
        });
    }

    /// Forgets all tenants, as [`forget`](Self::forget) does one.
    pub fn clear(&self) {
        let Shared { known, unknown, flights, .. } = &*self.0;
        flights.forget(|| {
            known.clear();
            unknown.clear();
        });
    }
}

impl<V: Verifier + Clone> Shared<V> {
    fn decoy(&self) -> TenantVerifier<V> {
        TenantVerifier::decoy(self.config.decoy.clone(), self.config.nobody.clone())
    }

    /// What the caches hold of this tenant and is still fresh.
    fn cached(&self, id: &TenantId) -> Option<TenantVerifier<V>> {
        // Both are asked for every id, and it is in one of them at most.
        let (known, unknown) = (self.known.get(id), self.unknown.get(id));
        let (cached, ttl) = match (known, unknown) {
            (Some(known), _) => (known, self.config.ttl),
            (None, Some(unknown)) => (unknown, self.config.unknown_ttl),
            (None, None) => return None,
        };
        // Without a clock nothing is fresh.
        let now = self.config.clock.millis().ok()?;
        // Not from the future either: a clock that was set back would keep it for that long.
        let is_fresh = u128::try_from(now - cached.asked_at).is_ok_and(|age| age < ttl.as_millis());
        is_fresh.then_some(cached.verifier)
    }

    /// Waits for the call that another request makes, or makes it.
    async fn fly(self: Arc<Self>, seat: Seat<Found<V>>, lane: Lane) -> Found<V> {
        let limit = self.config.time_limit;
        let _call = match seat.turn(limit, &self.gate, lane).await {
            Turn::Ours(call) => call,
            Turn::Landed(found) => return found,
            Turn::Late => return Err(named(late(), &seat.id)),
            Turn::Crowded => return Err(named(crowded(), &seat.id)),
        };
        // Before the call: the answer can be as old as that.
        let asked_at = self.config.clock.millis();
        let answer = timeout(limit, self.ask(&seat.id)).await.unwrap_or_else(|_| Err(late()));
        let found = answer.map(|answer| match answer {
            Some(answer) => answer.into_verifier(&seat.id),
            None => TenantVerifier::decoy(self.config.decoy.clone(), seat.id.clone()),
        });
        let found = found.map_err(|rejection| named(rejection, &seat.id));
        seat.land(found.clone(), || self.keep(&seat.id, &found, asked_at));
        found
    }

    /// Asks the user's code. A panic there is told from an answer, as everywhere in this crate.
    async fn ask(&self, id: &TenantId) -> Result<Option<Answer<V>>, Rejection> {
        let mut asking = catch_panic(|| (self.config.store)(id.clone()))?;
        poll_fn(|cx| {
            catch_panic(|| asking.as_mut().poll(cx))
                .unwrap_or_else(|panicked| Poll::Ready(Err(panicked)))
        })
        .await
    }

    /// Keeps an answer. A failure is no answer, and without a clock none can be kept for its time.
    fn keep(&self, id: &TenantId, found: &Found<V>, asked_at: Result<Millis, Rejection>) {
        let (Ok(found), Ok(asked_at)) = (found, asked_at) else { return };
        // In one of the two only.
        let (into, other) = match found.tenant() {
            Some(_) => (&self.known, &self.unknown),
            None => (&self.unknown, &self.known),
        };
        other.remove(id);
        into.insert(id.clone(), Cached { verifier: found.clone(), asked_at });
    }
}

/// Why this tenant's own row makes no verifier.
fn unusable(error: ConfigError, tenant: &TenantId) -> Rejection {
    Rejection::from(error).with_tenant(tenant.to_shared())
}

/// Names the id that was looked up, unless the tenant is known.
fn named(rejection: Rejection, id: &TenantId) -> Rejection {
    if rejection.tenant().is_some() {
        rejection
    } else {
        rejection.with_claimed_tenant(id.to_shared())
    }
}

fn late() -> Rejection {
    Rejection::unavailable("the store of secrets did not answer in time")
}

fn crowded() -> Rejection {
    Rejection::unavailable("too many look-ups of secrets were under way for too long")
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
