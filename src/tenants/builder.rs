//! Options of a tenant lookup.

use std::error::Error;
use std::{fmt, future::Future, sync::Arc, time::Duration};

use quick_cache::sync::Cache;

use crate::{
    crypto::secrets::Secrets,
    error::ConfigError,
    outcome::rejection::Rejection,
    parse::clock::Clock,
    tenants::{
        gate::Gate,
        id::{TenantId, is_plain},
        lookup::{Answer, Config, Shared, unusable},
        secrets::{TenantSecrets, decoy_secret, fingerprint},
        single_flight::SingleFlight,
        tenants::Tenants,
    },
    verifier::verifier::Verifier,
};

/// Maximum time in a cache, because a revoked secret is accepted until the store is called again.
const LONGEST_TTL: Duration = Duration::from_secs(60);

/// Builder of [`Tenants`] with other times and bounds.
#[must_use]
pub struct TenantsBuilder<V> {
    config: Result<Config<V>, ConfigError>,
    capacity: usize,
    unknown_capacity: usize,
    max_concurrent_lookups: usize,
}

impl<V: Verifier + Clone> TenantsBuilder<V> {
    pub(crate) fn new<F, Fut>(decoy: Result<V, ConfigError>, store: F) -> Self
    where
        F: Fn(TenantId) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Answer<V>>, Rejection>> + Send + 'static,
    {
        let config = decoy.map(|decoy| Config {
            store: Arc::new(move |tenant| Box::pin(store(tenant))),
            decoy,
            decoy_stands_for_all: false,
            nobody: TenantId::nobody(),
            is_in_form: Arc::new(is_plain),
            ttl: LONGEST_TTL,
            unknown_ttl: Duration::from_secs(10),
            time_limit: Duration::from_secs(2),
            clock: Clock::default(),
        });
        Self { config, capacity: 10_000, unknown_capacity: 1_000, max_concurrent_lookups: 64 }
    }

    /// Builds the lookup.
    ///
    /// # Errors
    ///
    /// Returns an error if the decoy cannot be made, if a cache time is over 60 seconds, or if no
    /// concurrent lookup is allowed.
    pub fn build(self) -> Result<Tenants<V>, ConfigError> {
        let config = self.config?;
        if config.ttl.max(config.unknown_ttl) > LONGEST_TTL {
            return Err(ConfigError::TenantsInvalid {
                why: "a revoked secret would be accepted for too long; \
                      cache for at most 60 seconds",
            });
        }
        if self.max_concurrent_lookups == 0 {
            return Err(ConfigError::TenantsInvalid {
                why: "no tenant could be looked up; allow at least one concurrent lookup",
            });
        }
        Ok(Tenants(Arc::new(Shared {
            config,
            known: Cache::new(self.capacity),
            unknown: Cache::new(self.unknown_capacity),
            flights: Arc::new(SingleFlight::new()),
            gate: Arc::new(Gate::new(self.max_concurrent_lookups)),
        })))
    }
}

impl<V> TenantsBuilder<V> {
    /// Makes the decoy reject from the head the requests that every tenant's verifier rejects.
    pub(crate) fn with_decoy_for_all(self) -> Self {
        self.update(|config| config.decoy_stands_for_all = true)
    }

    fn update(mut self, set: impl FnOnce(&mut Config<V>)) -> Self {
        self.config = self.config.map(|mut config| {
            set(&mut config);
            config
        });
        self
    }

    /// Sets the time for which a known tenant is cached, 60 seconds by default and at most.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.update(|config| config.ttl = ttl)
    }

    /// Sets the time for which an unknown ID is cached, 10 seconds by default and at most 60
    /// seconds.
    ///
    /// A new tenant that was looked up before it existed waits that long.
    pub fn unknown_ttl(self, ttl: Duration) -> Self {
        self.update(|config| config.unknown_ttl = ttl)
    }

    /// Sets the maximum number of known tenants in the cache, 10,000 by default. With 0, none is
    /// cached.
    pub const fn capacity(mut self, tenants: usize) -> Self {
        self.capacity = tenants;
        self
    }

    /// Sets the maximum number of unknown IDs in the cache, 1,000 by default. With 0, none is
    /// cached.
    pub const fn unknown_capacity(mut self, ids: usize) -> Self {
        self.unknown_capacity = ids;
        self
    }

    /// Sets the maximum number of concurrent calls to the store, 64 by default and at least 1.
    ///
    /// Further lookups wait for a slot, in one queue for each network that requests come from (24
    /// bits of an IPv4 address, 48 bits of an IPv6 address), and in one queue for all tenants that
    /// the store has found before and that are still in the cache. The queues take turns. If there
    /// are 4 or more slots, a queue that holds one leaves a quarter of them to the others.
    ///
    /// Networks are distinguished by the layer's [`client_ip`](crate::SignatureLayer::client_ip).
    /// Without it, lookups of unknown IDs share one queue.
    pub const fn max_concurrent_lookups(mut self, lookups: usize) -> Self {
        self.max_concurrent_lookups = lookups;
        self
    }

    /// Sets the time limit for one call to the store, 2 seconds by default. It needs Tokio's timer.
    ///
    /// A request waits at most this long for a slot or for another request's call, and at most this
    /// long for its own call.
    pub fn time_limit(self, limit: Duration) -> Self {
        self.update(|config| config.time_limit = limit)
    }

    /// Sets the check of IDs. By default, an ID has 1 to 64 ASCII letters, digits and `-_.`, and
    /// does not begin with a dot.
    ///
    /// IDs that fail the check are treated as unknown tenants, without a call to the store.
    ///
    /// Whatever the check, an ID is not empty and has at most 256 bytes. Allow the characters that
    /// your IDs use and no others, and pass the ID as a bound parameter to every query.
    pub fn check_id(self, is_in_form: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.update(|config| config.is_in_form = Arc::new(is_in_form))
    }

    /// Overrides the system clock, for tests.
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        self.update(|config| config.clock = clock.into())
    }
}

impl<V> fmt::Debug for TenantsBuilder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantsBuilder")
            .field("capacity", &self.capacity)
            .field("unknown_capacity", &self.unknown_capacity)
            .field("max_concurrent_lookups", &self.max_concurrent_lookups)
            .finish_non_exhaustive()
    }
}

impl<V: Verifier + Clone> Tenants<V> {
    /// Creates a lookup that gets secrets from the store and turns them into verifiers with `make`.
    ///
    /// The store returns the tenant's [`Secrets`], or a value that converts into them, or `None` if
    /// there is no such tenant. A tenant without secrets gets the same response as a tenant that
    /// does not exist. A store that may find a tenant by other spellings of its ID returns
    /// [`TenantSecrets`]. `make` also makes the decoy, so everything else that it uses, such as a
    /// [`PublicUrl`](crate::PublicUrl), applies to both.
    ///
    /// # Unsigned requests
    ///
    /// Tenants differ only in their secrets, so the decoy rejects from the head the requests that
    /// every tenant's verifier would reject. A request whose signature is missing, malformed or
    /// repeated costs no call to the store, unless it is a challenge or its ID is cached.
    ///
    /// The [`begin`](Verifier::begin) of a custom verifier must therefore not return
    /// [`Missing`](crate::RejectionKind::Missing), [`Malformed`](crate::RejectionKind::Malformed)
    /// or [`Repeated`](crate::RejectionKind::Repeated) for a reason that depends on the secret:
    /// authentic requests would be rejected with it. Return [`Rejection::mismatch`] in these cases.
    /// If `make` chooses between providers, use [`builder_with_decoy`](Self::builder_with_decoy).
    ///
    /// # Errors
    ///
    /// Returns an error if `make` fails for the decoy. It would then fail for every tenant.
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

    /// Creates a [`TenantsBuilder`], to set other times and bounds. The arguments are those of
    /// [`new`](Self::new).
    pub fn builder<F, Fut, S, E, M>(store: F, make: M) -> TenantsBuilder<V>
    where
        F: Fn(TenantId) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<S>, E>> + Send + 'static,
        S: Into<TenantSecrets>,
        E: Into<Box<dyn Error + Send + Sync>>,
        M: Fn(Secrets) -> Result<V, ConfigError> + Send + Sync + 'static,
    {
        // If `decoy_secret` failed, which does not happen, `make` would fail without a secret, and
        // `build` with it.
        let decoy = make(decoy_secret().into_iter().collect());
        let make = Arc::new(make);
        let builder = TenantsBuilder::new(decoy, move |tenant| {
            let (asking, make) = (store(tenant.clone()), Arc::clone(&make));
            async move {
                let row = asking.await.map_err(Rejection::unavailable)?;
                // A tenant without a secret is treated as an unknown tenant.
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

    /// Creates a [`TenantsBuilder`] for a store that returns more than secrets: the provider, if
    /// tenants use different ones, or a verify token for each.
    ///
    /// `decoy` is the store's answer for a tenant that does not exist. Its secrets, and everything
    /// else in it that is secret, come from [`decoy_secret`].
    ///
    /// If tenants use different providers, the decoy uses one of them. A request in the form of
    /// another provider is then rejected from the head for an unknown tenant, and after the body
    /// for a known one. Where that matters, put the provider into the path, and use a `Tenants` for
    /// each provider.
    ///
    /// If the store may find a tenant by other spellings of its ID, let `make` name the tenant with
    /// [`for_tenant`](Verifier::for_tenant) and the ID of its row, for the reason given in
    /// [`TenantSecrets`].
    ///
    /// Because tenants can have different providers, this decoy does not decide which requests are
    /// looked up, unlike that of [`new`](Self::new). Name the headers in which the providers send
    /// their signatures, with [`ByHead::requires`](super::ByHead::requires) or as an argument of
    /// [`by_body`](Self::by_body). Requests that the decoy takes for a challenge need no header.
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
    /// async fn load(
    ///     tenant: TenantId,
    /// ) -> Result<Option<Row>, Box<dyn std::error::Error + Send + Sync>> {
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
}
