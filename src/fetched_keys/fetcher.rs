//! The function that fetches keys, and its limits.

use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

#[cfg(feature = "certificates")]
use crate::crypto::x509::Roots;
use crate::{
    error::ConfigError,
    fetched_keys::{document::KeyDocument, request::KeyRequest},
    parse::clock::Clock,
};

/// Maximum time for which fetched keys are used, because a revoked key is accepted that long.
const LONGEST_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Time after a failure in which the source is not called again for the same key.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// A function that fetches a provider's public keys, with the limits on its calls; see the
/// [module](super).
///
/// Pass it to a provider, such as
/// [`GitHubSecretScanning::with_fetched_keys`](crate::providers::GitHubSecretScanning::with_fetched_keys).
/// Clones share the function. Each provider has a cache of its own, and each limit applies to it
/// alone.
#[derive(Clone)]
#[must_use]
pub struct KeyFetcher(Arc<Settings>);

type BoxError = Box<dyn Error + Send + Sync>;
type Fetch = dyn Fn(KeyRequest) -> Fetching + Send + Sync;

/// A call of the user's function.
pub(crate) type Fetching =
    Pin<Box<dyn Future<Output = Result<Option<KeyDocument>, BoxError>> + Send>>;

#[derive(Clone)]
pub(crate) struct Settings {
    fetch: Arc<Fetch>,
    pub(crate) time_limit: Duration,
    pub(crate) max_age: Duration,
    pub(crate) refresh_interval: Duration,
    pub(crate) stale_for: Duration,
    pub(crate) max_unknown_ids: usize,
    pub(crate) clock: Clock,
    #[cfg(feature = "certificates")]
    pub(crate) roots: Option<Roots>,
}

impl KeyFetcher {
    /// Creates a fetcher that calls this function.
    ///
    /// The function requests [`KeyRequest::url`] and returns the body of a `200` response as it was
    /// received, or `None` for a `404`. Return an error for every other status, and follow no
    /// redirect: requests then get `503 Service Unavailable`, so that the provider retries them.
    ///
    /// Limit the length of the response to [`KeyDocument::MAX_LEN`] while you read it. The call is
    /// dropped after the [time limit](Self::time_limit).
    pub fn new<F, Fut, D, E>(fetch: F) -> Self
    where
        F: Fn(KeyRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<D>, E>> + Send + 'static,
        D: Into<KeyDocument>,
        E: Into<BoxError>,
    {
        Self(Arc::new(Settings {
            fetch: Arc::new(move |request| {
                let fetching = fetch(request);
                Box::pin(async move {
                    fetching.await.map(|document| document.map(Into::into)).map_err(Into::into)
                })
            }),
            time_limit: Duration::from_secs(5),
            max_age: Duration::from_secs(60 * 60),
            refresh_interval: Duration::from_secs(60),
            stale_for: LONGEST_MAX_AGE,
            max_unknown_ids: 100,
            clock: Clock::default(),
            #[cfg(feature = "certificates")]
            roots: None,
        }))
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.0));
        self
    }

    /// Sets the time limit for one fetch, 5 seconds by default and at most the
    /// [`refresh_interval`](Self::refresh_interval). It needs Tokio's timer.
    pub fn time_limit(self, limit: Duration) -> Self {
        self.with(|settings| settings.time_limit = limit)
    }

    /// Sets the time after which keys are fetched again, 1 hour by default and at most 24 hours.
    ///
    /// A key that the provider revokes is accepted at most that long, unless the source is down;
    /// see [`stale_for`](Self::stale_for). A shorter [`KeyDocument::max_age`] applies instead.
    pub fn max_age(self, age: Duration) -> Self {
        self.with(|settings| settings.max_age = age)
    }

    /// Sets the minimum time between two fetches of the same document for unknown keys, 1 minute by
    /// default.
    ///
    /// A request that names an unknown key causes a fetch only if the last one is older than that.
    /// Known keys are fetched again after three quarters of their maximum age, which is at least this
    /// time.
    /// After a failure, the next fetch is possible after 10 seconds or this time, if it is shorter.
    pub fn refresh_interval(self, interval: Duration) -> Self {
        self.with(|settings| settings.refresh_interval = interval)
    }

    /// Sets the time for which expired keys are used while the source is down, 24 hours by default.
    ///
    /// With [`Duration::ZERO`], requests get `503 Service Unavailable` as soon as the keys expire.
    pub fn stale_for(self, time: Duration) -> Self {
        self.with(|settings| settings.stale_for = time)
    }

    /// Sets the maximum number of unknown key IDs for which the source is called within one
    /// [`refresh_interval`](Self::refresh_interval), 100 by default.
    ///
    /// It applies to providers with a URL for each key. Requests with further unknown IDs get
    /// `503 Service Unavailable`. One network (24 bits of an IPv4 address, 48 bits of an IPv6
    /// address) can use up a quarter of the number, if the layer has a
    /// [`client_ip`](crate::SignatureLayer::client_ip).
    pub fn max_unknown_ids(self, ids: usize) -> Self {
        self.with(|settings| settings.max_unknown_ids = ids)
    }

    /// Sets the certificates that a fetched certificate must lead to, in PEM, instead of Mozilla's
    /// list of certificate authorities: for tests, or to trust fewer authorities.
    ///
    /// They need not be root certificates, and are trusted after their own dates, too. `PayPal` and
    /// `Alexa` use them.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no certificate, or if one is malformed.
    #[cfg(feature = "certificates")]
    #[cfg_attr(docsrs, doc(cfg(feature = "certificates")))]
    pub fn root_certificates(self, pem: &str) -> Result<Self, ConfigError> {
        let roots = Roots::from_pem(pem).ok_or(ConfigError::KeyFetcherInvalid {
            why: "there is no root certificate, or one is malformed; \
                  pass blocks that begin with `-----BEGIN CERTIFICATE-----`",
        })?;
        Ok(self.with(|settings| settings.roots = Some(roots)))
    }

    /// Overrides the system clock by which keys expire, for tests.
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        self.with(|settings| settings.clock = clock.into())
    }

    /// Returns the settings, if a provider can use them.
    pub(crate) fn checked(&self) -> Result<Arc<Settings>, ConfigError> {
        let Settings { time_limit, max_age, refresh_interval, max_unknown_ids, .. } = &*self.0;
        let invalid = |why| Err(ConfigError::KeyFetcherInvalid { why });
        if time_limit.is_zero() || time_limit > refresh_interval {
            invalid(
                "every fetch would fail, or its result would be outdated; \
                 set a time limit over zero and up to the refresh interval",
            )
        } else if max_age.is_zero() || *max_age > LONGEST_MAX_AGE {
            invalid(
                "a revoked key would be accepted for too long, or none at all; \
                 set a maximum age over zero and up to 24 hours",
            )
        } else if refresh_interval.is_zero() || refresh_interval > max_age {
            invalid(
                "strangers could cause any number of fetches, or keys would not be refreshed; \
                 set a refresh interval over zero and up to the maximum age",
            )
        } else if *max_unknown_ids == 0 {
            invalid("no key could be fetched; allow at least one unknown ID")
        } else {
            Ok(Arc::clone(&self.0))
        }
    }
}

impl Settings {
    /// Calls the user's function, which may panic.
    pub(crate) fn call(&self, request: KeyRequest) -> Fetching {
        (self.fetch)(request)
    }

    /// Returns the time after a failure in which the source is not called again.
    pub(crate) fn retry_after(&self) -> Duration {
        RETRY_AFTER.min(self.refresh_interval)
    }
}

impl fmt::Debug for KeyFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFetcher")
            .field("time_limit", &self.time_limit)
            .field("max_age", &self.max_age)
            .field("refresh_interval", &self.refresh_interval)
            .field("stale_for", &self.stale_for)
            .field("max_unknown_ids", &self.max_unknown_ids)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
