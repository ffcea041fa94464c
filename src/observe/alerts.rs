//! Alerts about many rejections, and about secrets that stopped working or never worked.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::Hash,
    mem,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    observe::{
        event::Event,
        kind::EventKind,
        observer::Observer,
        unproven::{IN_A_ROW, Unproven},
        window::is_within,
    },
    outcome::kind::RejectionKind,
};

/// Observer that counts rejections and raises an [`Alert`] when there are many.
///
/// | alert | raised when | default |
/// |---|---|---|
/// | [`ManyRefusals`](Alert::ManyRefusals) | one address sends, or one tenant receives, this many invalid signatures within the window | 10 in one hour |
/// | [`SecretStoppedWorking`](Alert::SecretStoppedWorking) | a tenant with verified requests gets this many rejections in a row: the secret was changed on one side only | 5 |
/// | [`SecretNeverWorked`](Alert::SecretNeverWorked) | a tenant without any verified request gets this many well-formed signatures that do not match: the secret probably belongs to another endpoint | 5 |
///
/// Without tenants, the two alerts about secrets count the requests of a provider together, over
/// all layers that share this observer, and their `tenant` is `None`. `ManyRefusals` then counts
/// only by address, which requires a [`client_ip`](crate::SignatureLayer::client_ip).
///
/// `ManyRefusals` is raised at most once within its window, `SecretStoppedWorking` again only after
/// a request of the tenant has been verified, and `SecretNeverWorked` again after an hour. At most
/// [`max_suspects`](Self::max_suspects) addresses, and as many tenants, are tracked.
///
/// An IPv6 address counts as its network of 64 bits. This is the smallest network that a sender is
/// assigned, and the sender can use a new address of it for each request.
///
/// ```
/// use tower_webhook::observe::{Alert, Alerts};
///
/// let alerts = Alerts::new(|alert: &Alert| eprintln!("{alert}"));
/// # let _ = alerts;
/// ```
pub struct Alerts {
    raise: Box<dyn Fn(&Alert) + Send + Sync>,
    threshold: usize,
    window: Duration,
    in_a_row: u32,
    state: Mutex<State>,
}

/// Condition that an operator should investigate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alert {
    /// Many invalid signatures within the window.
    ManyRefusals {
        /// Address or tenant of the rejected requests.
        suspect: RefusalSource,
        /// Number of invalid signatures when the alert was raised.
        count: usize,
        /// Provider of the last rejected request.
        provider: &'static str,
    },
    /// All requests fail for a tenant that had verified requests before; without tenants, for a
    /// provider.
    ///
    /// The secret was probably changed. An attack looks the same only if no authentic request
    /// arrives in between.
    SecretStoppedWorking {
        /// Provider of the tenant.
        provider: &'static str,
        /// Tenant that the lookup named, if any.
        tenant: Option<Arc<str>>,
        /// Number of consecutive rejections.
        count: u32,
        /// Name of the cause, if it has been [proven](EventKind::Explained) for one of them.
        cause: Option<&'static str>,
    },
    /// No request of a tenant has been verified since the server started; without tenants, none of
    /// a provider.
    ///
    /// The secret is probably wrong. Only well-formed signatures count, because a request without
    /// one says nothing about the secret.
    SecretNeverWorked {
        /// Provider of the tenant.
        provider: &'static str,
        /// Tenant that the lookup named, if any.
        tenant: Option<Arc<str>>,
        /// Number of signatures that were rejected.
        count: u32,
        /// Name of the cause, if it has been [proven](EventKind::Explained) for one of them.
        cause: Option<&'static str>,
    },
}

/// Source whose rejections are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalSource {
    /// Client address, or the first address of an IPv6 network of 64 bits; see
    /// [`ClientIp`](super::ClientIp).
    Address(IpAddr),
    /// Tenant of a provider, regardless of the client address.
    Tenant(&'static str, Arc<str>),
}

type Endpoint = (&'static str, Option<Arc<str>>);

struct State {
    addresses: LruMap<RefusalSource, Refusals>,
    /// Separate from the addresses: one sender may have many of them, and they must not evict
    /// tenants.
    tenants: LruMap<RefusalSource, Refusals>,
    endpoints: LruMap<Endpoint, Failures>,
    /// Endpoints without a verified request.
    ///
    /// Separate from `endpoints`, so that rejections cannot evict endpoints that have verified
    /// requests.
    unproven: LruMap<Endpoint, Unproven>,
}

/// Rejections since the last verified request.
#[derive(Default)]
struct Failures {
    in_a_row: u32,
    cause: Option<&'static str>,
}

#[derive(Default)]
struct Refusals {
    times: VecDeque<SystemTime>,
    raised_at: Option<SystemTime>,
}

/// Bounded map that evicts the least recently used entries, approximately.
///
/// It holds two generations of half the capacity each, and drops the older one when the younger one
/// is full.
struct LruMap<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    capacity: usize,
}

impl<K: Eq + Hash, V> LruMap<K, V> {
    fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity: (capacity / 2).max(1) }
    }

    fn get(&mut self, key: K, new: impl FnOnce() -> Option<V>) -> Option<&mut V> {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key).or_else(new)?;
            if self.young.len() == self.capacity {
                self.old = mem::take(&mut self.young);
            }
            return Some(self.young.entry(key).or_insert(value));
        }
        self.young.get_mut(&key)
    }

    fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

impl Alerts {
    /// Creates an observer that passes each alert to `raise`.
    ///
    /// Like an observer, `raise` must not block.
    #[must_use]
    pub fn new(raise: impl Fn(&Alert) + Send + Sync + 'static) -> Self {
        Self {
            raise: Box::new(raise),
            threshold: 10,
            window: Duration::from_secs(3600),
            in_a_row: IN_A_ROW,
            state: Mutex::new(State::new(10_000)),
        }
    }

    /// Sets the number of invalid signatures, and the window, that raise
    /// [`ManyRefusals`](Alert::ManyRefusals).
    ///
    /// Defaults to 10 in one hour. A `count` of 0 counts as 1.
    #[must_use]
    pub fn threshold(mut self, count: usize, window: Duration) -> Self {
        self.threshold = count.max(1);
        self.window = window;
        self
    }

    /// Sets the number of consecutive rejections that raises
    /// [`SecretStoppedWorking`](Alert::SecretStoppedWorking), and the number of signatures that
    /// raises [`SecretNeverWorked`](Alert::SecretNeverWorked).
    ///
    /// Defaults to 5. A `count` of 0 counts as 1.
    #[must_use]
    pub fn refusals_in_a_row(mut self, count: u32) -> Self {
        self.in_a_row = count.max(1);
        self
    }

    /// Sets the maximum number of addresses, and of tenants, that are tracked.
    ///
    /// Defaults to 10,000 each. Each takes at most 16 bytes for each rejection up to the threshold.
    #[must_use]
    pub fn max_suspects(mut self, count: usize) -> Self {
        self.state = Mutex::new(State::new(count));
        self
    }

    fn record(&self, event: &Event<'_>, endpoint: Endpoint) -> Vec<Alert> {
        let now = event.told_at();
        let (provider, tenant) = endpoint.clone();
        let mut alerts = Vec::new();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { addresses, tenants, endpoints, unproven } = &mut *state;
        let address = event.client_ip().map(|address| RefusalSource::Address(network(address)));
        let of_tenant = tenant.clone().map(|tenant| RefusalSource::Tenant(provider, tenant));
        for (suspect, known) in [(address, addresses), (of_tenant, tenants)] {
            let Some(suspect) = suspect else { continue };
            let refusals = known.get(suspect.clone(), || Some(Refusals::default()));
            if let Some(count) = refusals.and_then(|refusals| self.count(refusals, now)) {
                alerts.push(Alert::ManyRefusals { suspect, count, provider });
            }
        }
        // `endpoints` holds only endpoints with a verified request.
        if let Some(failures) = endpoints.get(endpoint.clone(), || None) {
            failures.in_a_row = failures.in_a_row.saturating_add(1);
            if failures.in_a_row == self.in_a_row {
                let (count, cause) = (self.in_a_row, failures.cause);
                alerts.push(Alert::SecretStoppedWorking { provider, tenant, count, cause });
            }
        } else if event
            .rejection()
            .is_some_and(|why| why.kind() == RejectionKind::SignatureMismatch)
            && let Some(unproven) = unproven.get(endpoint, || Some(Unproven::default()))
            && let Some(count) = unproven.mismatch(self.in_a_row, now)
        {
            let cause = unproven.cause;
            alerts.push(Alert::SecretNeverWorked { provider, tenant, count, cause });
        }
        alerts
    }

    /// Counts a rejection.
    ///
    /// Returns the number of rejections in the window if an alert is due.
    fn count(&self, refusals: &mut Refusals, now: SystemTime) -> Option<usize> {
        let is_recent = |time: &SystemTime| is_within(self.window, *time, now);
        while refusals.times.front().is_some_and(|time| !is_recent(time)) {
            refusals.times.pop_front();
        }
        // Once there are enough, the oldest is no longer needed.
        if refusals.times.len() == self.threshold {
            refusals.times.pop_front();
        }
        refusals.times.push_back(now);
        let is_raised = refusals.raised_at.as_ref().is_some_and(is_recent);
        if refusals.times.len() < self.threshold || is_raised {
            return None;
        }
        refusals.raised_at = Some(now);
        Some(self.threshold)
    }
}

impl State {
    fn new(capacity: usize) -> Self {
        Self {
            addresses: LruMap::new(capacity),
            tenants: LruMap::new(capacity),
            endpoints: LruMap::new(capacity),
            unproven: LruMap::new(capacity),
        }
    }

    /// Keeps a proven cause for the alert about this endpoint.
    fn explain(&mut self, endpoint: Endpoint, cause: Option<&'static str>) {
        if let Some(failures) = self.endpoints.get(endpoint.clone(), || None) {
            failures.cause = cause.or(failures.cause);
        } else if let Some(unproven) = self.unproven.get(endpoint, || None) {
            unproven.cause = cause.or(unproven.cause);
        }
    }
}

/// Returns the IPv4 address, or the 64-bit network of the IPv6 address, the least that one sender
/// has.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    }
}

impl Observer for Alerts {
    fn observe(&self, event: &Event<'_>) {
        // Use the name of the layer: a custom verifier may report its own name only in acceptances.
        let provider = event.attempt().provider();
        let endpoint = || (provider, event.tenant().map(Arc::from));
        match event.kind() {
            EventKind::Accepted => {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                let endpoint = endpoint();
                state.unproven.remove(&endpoint);
                if let Some(failures) = state.endpoints.get(endpoint, || Some(Failures::default()))
                {
                    *failures = Failures::default();
                }
            }
            EventKind::Rejected { .. } | EventKind::Unverified
                if event.name() == "invalid_webhook_signature" =>
            {
                // `record` has released the lock.
                for alert in self.record(event, endpoint()) {
                    (self.raise)(&alert);
                }
            }
            EventKind::Explained => {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.explain(endpoint(), event.attempt().explained.proven());
            }
            _ => {}
        }
    }
}

impl Alert {
    /// Returns a stable name: `many_invalid_signatures`, `verification_cliff` or
    /// `secret_never_worked`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ManyRefusals { .. } => "many_invalid_signatures",
            Self::SecretStoppedWorking { .. } => "verification_cliff",
            Self::SecretNeverWorked { .. } => "secret_never_worked",
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManyRefusals { suspect: RefusalSource::Address(address), count, provider } => {
                write!(f, "{provider}: {count} invalid signatures from {address}")
            }
            Self::ManyRefusals { suspect: RefusalSource::Tenant(_, tenant), count, provider } => {
                write!(f, "{provider}: {count} invalid signatures for tenant {tenant:?}")
            }
            Self::SecretStoppedWorking { provider, tenant, count, cause } => {
                write!(f, "{provider}: {count} consecutive rejections")?;
                for_tenant(f, tenant.as_deref())?;
                f.write_str(" after verified requests; was the secret changed?")?;
                with_cause(f, *cause)
            }
            Self::SecretNeverWorked { provider, tenant, count, cause } => {
                write!(f, "{provider}: {count} signature mismatches")?;
                for_tenant(f, tenant.as_deref())?;
                f.write_str(" and no verified request yet; is the secret correct?")?;
                with_cause(f, *cause)
            }
        }
    }
}

fn for_tenant(f: &mut fmt::Formatter<'_>, tenant: Option<&str>) -> fmt::Result {
    tenant.map_or(Ok(()), |tenant| write!(f, " for tenant {tenant:?}"))
}

fn with_cause(f: &mut fmt::Formatter<'_>, cause: Option<&str>) -> fmt::Result {
    cause.map_or(Ok(()), |cause| write!(f, " (cause: {cause})"))
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts")
            .field("threshold", &self.threshold)
            .field("window", &self.window)
            .field("refusals_in_a_row", &self.in_a_row)
            .finish_non_exhaustive()
    }
}
