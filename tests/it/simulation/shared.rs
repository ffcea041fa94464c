//! Settings, time and accounts, which all parts of a simulation share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::{Instant, sleep_until};

use super::{cluster::Cluster, ledger::Ledger, report::Counts, rows::Rows};

/// Start of the simulation, in seconds since 1970.
const START: u64 = 1_700_000_000;

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) seed: u64,
    /// Time for which deliveries arrive, in milliseconds.
    pub(super) arrivals: u64,
    /// Deliveries a second.
    pub(super) rate: u64,
    pub(super) nodes: u32,
    pub(super) shards: usize,
    pub(super) faults: u32,
    /// One fault of so many is a shard that is down for longer than a commit is retried.
    pub(super) long_one_in: u32,
    /// A sender sends one delivery of so many once more, although it was accepted.
    pub(super) repeats: u64,
    /// The sender of one call of so many closes the connection after some milliseconds.
    pub(super) hang_ups: u64,
    pub(super) has_log: bool,
    pub(super) sabotage: Option<Sabotage>,
}

/// A defect that the accounts must find.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sabotage {
    /// The store acknowledges one commit of so many without storing it.
    ForgetsCommits(u64),
    /// The store grants a claim that another owner holds.
    IgnoresClaims,
    /// A release deletes whatever the key holds.
    ReleasesOthers,
    /// The balancer responds with 200 to one delivery of so many, and passes it to no node.
    Swallows(u64),
    /// Forged deliveries are signed with the right secret.
    SecretKnown,
}

impl Settings {
    pub(super) fn forgets(&self, token: u64) -> bool {
        match self.sabotage {
            Some(Sabotage::ForgetsCommits(one_in)) => token.is_multiple_of(one_in),
            _ => false,
        }
    }

    pub(super) fn knows_secret(&self) -> bool {
        self.sabotage == Some(Sabotage::SecretKnown)
    }

    pub(super) fn swallows(&self, delivery: u32) -> bool {
        match self.sabotage {
            Some(Sabotage::Swallows(one_in)) => u64::from(delivery).is_multiple_of(one_in),
            _ => false,
        }
    }
}

pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) cluster: Cluster,
    pub(super) rows: Rows,
    pub(super) in_flight: AtomicU64,
    start: Instant,
    ledger: Mutex<Ledger>,
    counts: Mutex<Counts>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            cluster: Cluster::new(settings.shards),
            rows: Rows::default(),
            in_flight: AtomicU64::new(0),
            start: Instant::now(),
            ledger: Mutex::default(),
            counts: Mutex::default(),
            settings,
        })
    }

    /// Returns the virtual time in milliseconds since the start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    pub(super) fn instant(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    pub(super) async fn until(&self, millis: u64) {
        if millis > self.now() {
            sleep_until(self.instant(millis)).await;
        }
    }

    /// Returns the time by a clock that is off by so many milliseconds.
    pub(super) fn time(&self, off: i64) -> SystemTime {
        let now = START * 1000 + self.now();
        UNIX_EPOCH + Duration::from_millis(now.saturating_add_signed(off))
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap()
    }

    /// Counts a request in flight until the guard is dropped.
    pub(super) fn in_flight(self: &Arc<Self>) -> InFlight {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let mut counts = self.counts();
        counts.max_in_flight = counts.max_in_flight.max(now);
        drop(counts);
        InFlight(Arc::clone(self))
    }
}

pub(super) struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One call of one node.
pub(super) struct Attempt {
    pub(super) delivery: u32,
    pub(super) number: u32,
    /// Token of its claim.
    pub(super) token: AtomicU64,
}

tokio::task_local! {
    /// The call that is polled or dropped now.
    ///
    /// The replay guard gives its store a key and a token. The accounts need the delivery.
    pub(super) static ATTEMPT: Attempt;
}

/// Returns the delivery and the token of the call that is polled or dropped now.
pub(super) fn current() -> (u32, u64) {
    ATTEMPT.with(|attempt| (attempt.delivery, attempt.token.load(Ordering::Relaxed)))
}
