//! The knobs of a look-up.

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

/// A secret that was taken back must not be good for longer (the store is asked again).
const LONGEST_TTL: Duration = Duration::from_secs(60);

/// Sets times and bounds of [`Tenants`].
#[must_use]
pub struct TenantsBuilder<V> {
    config: Result<Config<V>, ConfigError>,
    capacity: usize,
    unknown_capacity: usize,
    max_concurrent_lookups: usize,
}

impl<V: Verifier + Clone + Send + Sync + 'static> TenantsBuilder<V> {
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

    /// The look-up.
    ///
    /// # Errors
    ///
    /// When the decoy cannot be made, a time is over the 60 seconds, or there may be no look-up at
    /// all.
    pub fn build(self) -> Result<Tenants<V>, ConfigError> {
        let config = self.config?;
        if config.ttl.max(config.unknown_ttl) > LONGEST_TTL {
            return Err(ConfigError::TenantsInvalid {
                why: "a secret that was taken back would be good for too long; \
                      cache for at most 60 seconds",
            });
        }
        if self.max_concurrent_lookups == 0 {
            return Err(ConfigError::TenantsInvalid {
                why: "no tenant could be looked up; allow at least one look-up at once",
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
    /// The decoy refuses from the head what every tenant's verifier does.
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

    /// For how long a known tenant is cached, 60 seconds unless set, which is also the longest.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.update(|config| config.ttl = ttl)
    }

    /// For how long it is cached that an id is unknown, 10 seconds unless set and at most 60: a new
    /// tenant that was asked for too early waits that long.
    pub fn unknown_ttl(self, ttl: Duration) -> Self {
        self.update(|config| config.unknown_ttl = ttl)
    }

    /// How many known tenants are cached, 10,000 unless set. With 0 there are none.
    pub const fn capacity(mut self, tenants: usize) -> Self {
        self.capacity = tenants;
        self
    }

    /// How many unknown ids are cached, 1,000 unless set. With 0 there are none.
    pub const fn unknown_capacity(mut self, ids: usize) -> Self {
        self.unknown_capacity = ids;
        self
    }

    /// Sets how many calls of the store may be under way at once, 64 by default and at least 1.
    ///
    /// Further look-ups wait for a slot. Slots go round between the networks that requests come from
    /// (24 bits of an IPv4 address, 48 of an IPv6 one), and all tenants that the store has named
    /// before share one further turn. A network that holds a slot leaves a quarter of them to the
    /// others, if there are 4 or more. Networks are told apart by the layer's
    /// [`client_ip`](crate::SignatureLayer::client_ip); without it, every id that is not known yet
    /// comes from one network.
    pub const fn max_concurrent_lookups(mut self, lookups: usize) -> Self {
        self.max_concurrent_lookups = lookups;
        self
    }

    /// How long the store may take for one answer, 2 seconds unless set. It is kept by tokio's
    /// timer. A request waits no longer than that for a slot or for another one's call, and no
    /// longer than that for its own.
    pub fn time_limit(self, limit: Duration) -> Self {
        self.update(|config| config.time_limit = limit)
    }

    /// Which ids are in form, in place of 1 to 64 ASCII letters, digits and `-_.`, not beginning
    /// with a dot. Others are answered like unknown tenants, and the store is not asked for them.
    ///
    /// Whatever this says, an id is not empty and has at most 256 bytes. Allow what your ids are
    /// made of and nothing more, and bind the id as a parameter wherever it goes.
    pub fn check_id(self, is_in_form: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.update(|config| config.is_in_form = Arc::new(is_in_form))
    }

    /// Sets the clock, in place of the system's: for tests.
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
    /// [`Missing`](crate::RejectionKind::Missing), [`Malformed`](crate::RejectionKind::Malformed) or
    /// [`Repeated`](crate::RejectionKind::Repeated) for a reason that depends on the secret: genuine
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
    /// [`ByHead::requires`](crate::layer::ByHead::requires) or for [`by_body`](Self::by_body). Requests that the decoy takes for a challenge
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
}
