//! Alerts: many refusals from one address or for one tenant, a secret that stopped working, and one that never worked.

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

/// Counts refusals, and raises an [`Alert`] when there are many.
///
/// | alert | when | default |
/// |---|---|---|
/// | [`ManyRefusals`](Alert::ManyRefusals) | so many invalid signatures from one address, or for one tenant, within the window | 10 in one hour |
/// | [`SecretStoppedWorking`](Alert::SecretStoppedWorking) | a tenant whose requests verified before fails so many times in a row: a secret was changed on one side only | 5 |
/// | [`SecretNeverWorked`](Alert::SecretNeverWorked) | a tenant none of whose requests has verified yet sends so many well-formed signatures: the secret is probably another endpoint's | 5 |
///
/// `ManyRefusals` is raised again when its window has passed without one, `SecretStoppedWorking` when a request of
/// the tenant's has verified in between, `SecretNeverWorked` after an hour. At most
/// [`max_suspects`](Self::max_suspects) addresses, and as many tenants, are remembered.
///
/// An IPv6 address counts as its network of 64 bits: that is what one sender is given at the least,
/// and each address of it could be new.
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

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alert {
    /// Many invalid signatures within the window.
    ManyRefusals {
        /// Whose they are.
        suspect: RefusalSource,
        /// How many there were when the alert was raised.
        count: usize,
        /// The provider of the last of them.
        provider: &'static str,
    },
    /// A tenant that verified before fails every time. Its secret was probably changed: an attack
    /// looks so only where no genuine request comes in between.
    SecretStoppedWorking {
        /// The provider.
        provider: &'static str,
        /// The tenant that the look-up named, if any.
        tenant: Option<Arc<str>>,
        /// How many requests in a row were refused.
        count: u32,
    },
    /// A tenant none of whose requests has verified yet, since the server started. Its secret is probably the wrong
    /// one. Only signatures of the right form count: requests without one say nothing about a secret.
    SecretNeverWorked {
        /// The provider.
        provider: &'static str,
        /// The tenant that the look-up named, if any.
        tenant: Option<Arc<str>>,
        /// The number of signatures that were refused.
        count: u32,
    },
}

/// Whose refusals are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalSource {
    /// An address, or the first one of an IPv6 network of 64 bits; see
    /// [`ClientIp`](super::ClientIp).
    Address(IpAddr),
    /// A tenant of a provider, whatever the address.
    Tenant(&'static str, Arc<str>),
}

type Endpoint = (&'static str, Option<Arc<str>>);

struct State {
    addresses: LruMap<RefusalSource, Refusals>,
    /// Apart from the addresses, which a stranger may have many of: they must not drive tenants out.
    tenants: LruMap<RefusalSource, Refusals>,
    endpoints: LruMap<Endpoint, u32>,
    /// Those that have not verified yet. Apart from the others, which refusals must not drive out.
    unproven: LruMap<Endpoint, Unproven>,
}

#[derive(Default)]
struct Refusals {
    times: VecDeque<SystemTime>,
    raised_at: Option<SystemTime>,
}

/// A map that forgets what was not used for the longest time, give or take half of its size: two
/// generations, of which the older goes when the younger is full.
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
    /// `raise` is told of each alert. Like an observer it must not block.
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

    /// How many refusals within which time raise an alert. Fewer than one counts as one.
    #[must_use]
    pub fn threshold(mut self, count: usize, window: Duration) -> Self {
        self.threshold = count.max(1);
        self.window = window;
        self
    }

    /// Sets after how many refusals in a row [`SecretStoppedWorking`](Alert::SecretStoppedWorking) is raised, and after
    /// how many signatures [`SecretNeverWorked`](Alert::SecretNeverWorked): 5 unless set. Fewer than one counts as one.
    #[must_use]
    pub fn refusals_in_a_row(mut self, count: u32) -> Self {
        self.in_a_row = count.max(1);
        self
    }

    /// How many addresses, and how many tenants, are remembered: 10,000 each unless set. Each takes
    /// at most 16 bytes for each refusal up to the threshold.
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
        // Only where a request has verified before has a secret worked.
        if let Some(failures) = endpoints.get(endpoint.clone(), || None) {
            *failures = failures.saturating_add(1);
            if *failures == self.in_a_row {
                let count = self.in_a_row;
                alerts.push(Alert::SecretStoppedWorking { provider, tenant, count });
            }
        } else if event
            .rejection()
            .is_some_and(|why| why.kind() == RejectionKind::SignatureMismatch)
            && let Some(unproven) = unproven.get(endpoint, || Some(Unproven::default()))
            && let Some(count) = unproven.mismatch(self.in_a_row, now)
        {
            alerts.push(Alert::SecretNeverWorked { provider, tenant, count });
        }
        alerts
    }

    /// The number of refusals in the window, when it is time to say so.
    fn count(&self, refusals: &mut Refusals, now: SystemTime) -> Option<usize> {
        let is_recent = |time: &SystemTime| is_within(self.window, *time, now);
        while refusals.times.front().is_some_and(|time| !is_recent(time)) {
            refusals.times.pop_front();
        }
        // The oldest is not needed any more once there are enough.
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
}

/// What one sender has at the least.
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
        // The layer's own name: a verifier of a user's own may be named in acceptances alone.
        let provider = event.attempt().provider();
        let endpoint = || (provider, event.tenant().map(Arc::from));
        match event.kind() {
            EventKind::Accepted => {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                let endpoint = endpoint();
                state.unproven.remove(&endpoint);
                if let Some(failures) = state.endpoints.get(endpoint, || Some(0)) {
                    *failures = 0;
                }
            }
            EventKind::Rejected { .. } | EventKind::Unverified
                if event.name() == "invalid_webhook_signature" =>
            {
                // The lock is free again when others hear of it.
                for alert in self.record(event, endpoint()) {
                    (self.raise)(&alert);
                }
            }
            _ => {}
        }
    }
}

impl Alert {
    /// Returns a stable name: `many_invalid_signatures`, `verification_cliff` or `secret_never_worked`.
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
            Self::SecretStoppedWorking { provider, tenant, count } => {
                write!(f, "{provider}: {count} refusals in a row")?;
                for_tenant(f, tenant.as_deref())?;
                f.write_str(", which verified before; was its secret changed?")
            }
            Self::SecretNeverWorked { provider, tenant, count } => {
                write!(f, "{provider}: {count} signatures do not match")?;
                for_tenant(f, tenant.as_deref())?;
                f.write_str(", and nothing has verified yet; is its secret the right one?")
            }
        }
    }
}

fn for_tenant(f: &mut fmt::Formatter<'_>, tenant: Option<&str>) -> fmt::Result {
    tenant.map_or(Ok(()), |tenant| write!(f, " for tenant {tenant:?}"))
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
