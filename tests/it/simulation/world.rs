//! Senders, and the balancer in front of the nodes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::{sync::Notify, time::timeout};

use super::{
    chance::{Random, Stream},
    ledger::FORGED,
    node::Node,
    provider::{Provider, Signers, with_body},
    shared::{ATTEMPT, Attempt, Shared},
};

/// One attempt of so many, of each kind, has this fault.
const RESPONSE_LOST: u64 = 200;
const SENT_TWICE: u64 = 200;

/// One request of so many is followed by a forged one.
const FORGERIES: u64 = 20;

/// Longest time after which a sender sends an accepted delivery once more, in milliseconds.
const REPEATED_WITHIN: u64 = 600_000;

pub(super) struct World {
    pub(super) shared: Arc<Shared>,
    pub(super) nodes: Vec<Node>,
    signers: Signers,
    processes: AtomicU32,
    open: AtomicU64,
    has_all: AtomicBool,
    settled: Notify,
}

/// Result of one attempt for its sender.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Status(StatusCode),
    Unreachable,
    TimedOut,
}

impl Seen {
    fn is_success(self) -> bool {
        matches!(self, Self::Status(status) if status.is_success())
    }
}

impl World {
    pub(super) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        let nodes = shared.settings.nodes;
        Arc::new(Self {
            shared: Arc::clone(shared),
            nodes: (0..nodes).map(|index| Node::new(shared, index, index)).collect(),
            signers: Signers::new(),
            processes: AtomicU32::new(nodes),
            open: AtomicU64::new(0),
            has_all: AtomicBool::new(false),
            settled: Notify::new(),
        })
    }

    /// Returns the number of a new process.
    pub(super) fn next_process(&self) -> u32 {
        self.processes.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends deliveries at random times, until all have been settled.
    pub(super) async fn send_all(self: &Arc<Self>) {
        let settings = &self.shared.settings;
        let mut random = Random::new(settings.seed, Stream::Arrivals, 0, 0);
        let (mut at, mut forged) = (0.0, 0);
        loop {
            at += random.exponential(1_000.0 / settings.rate as f64);
            if at >= settings.arrivals as f64 {
                break;
            }
            self.shared.until(at as u64).await;
            let delivery = self.shared.ledger().open();
            self.open.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(Arc::clone(self).deliver(delivery));
            if random.is_one_in(FORGERIES) {
                self.open.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(Arc::clone(self).forge(forged));
                forged += 1;
            }
        }
        self.has_all.store(true, Ordering::Relaxed);
        while self.open.load(Ordering::Relaxed) > 0 {
            self.settled.notified().await;
        }
    }

    fn close(&self) {
        if self.open.fetch_sub(1, Ordering::Relaxed) == 1 && self.has_all.load(Ordering::Relaxed) {
            self.settled.notify_one();
        }
    }

    /// Sends one delivery until it is accepted, or until its schedule ends.
    async fn deliver(self: Arc<Self>, delivery: u32) {
        let (provider, shared) = (Provider::of(delivery), &self.shared);
        let mut random = Random::new(shared.settings.seed, Stream::Delivery, delivery, 0);
        let first = shared.now();
        let mut number = 0;
        loop {
            let is_accepted = Box::pin(self.attempt(delivery, number, first)).await;
            number += 1;
            if is_accepted {
                shared.ledger().acknowledged(delivery);
                shared.counts().acceptance.add(shared.now() - first);
                break;
            }
            let Some(pause) = provider.pause(number) else {
                shared.ledger().gave_up += 1;
                break;
            };
            // Senders spread their retries.
            shared.until(shared.now() + pause + random.below(pause / 10)).await;
        }
        if random.is_one_in(shared.settings.repeats) {
            shared.until(shared.now() + random.below(REPEATED_WITHIN)).await;
            shared.counts().repeated += 1;
            Box::pin(self.attempt(delivery, number, first)).await;
        }
        self.close();
    }

    /// Returns whether the sender sees a 2xx response.
    async fn attempt(&self, delivery: u32, number: u32, first: u64) -> bool {
        let (shared, provider) = (&self.shared, Provider::of(delivery));
        if shared.settings.swallows(delivery) {
            return true;
        }
        let mut random = Random::new(shared.settings.seed, Stream::Attempt, delivery, number);
        let signed_at = if provider.signs_anew() { shared.now() } else { first };
        let time =
            shared.time(i64::try_from(signed_at).unwrap() - i64::try_from(shared.now()).unwrap());
        let request = self.signers.genuine(delivery, time);
        shared.until(shared.now() + random.between(1, 5)).await;
        let started = shared.now();
        let call = |random: &mut Random, which| {
            self.call(delivery, 2 * number + which, random.next(), provider, &request)
        };
        let seen = if random.is_one_in(SENT_TWICE) {
            shared.counts().sent_twice += 1;
            let (one, other) = (call(&mut random, 0), call(&mut random, 1));
            let (one, other) = tokio::join!(biased; one, other);
            if one.is_success() { one } else { other }
        } else {
            call(&mut random, 0).await
        };
        if seen.is_success() {
            shared.counts().response.add(shared.now() - started);
            if random.is_one_in(RESPONSE_LOST) {
                shared.counts().responses_lost += 1;
                return false;
            }
        }
        seen.is_success()
    }

    /// Calls one node, within the sender's time limit.
    async fn call(
        &self,
        delivery: u32,
        number: u32,
        chance: u64,
        provider: Provider,
        request: &Request<Bytes>,
    ) -> Seen {
        let attempt = Attempt { delivery, number, token: AtomicU64::new(0) };
        let listed: Vec<_> =
            self.nodes.iter().filter(|node| node.is_listed.load(Ordering::Relaxed)).collect();
        self.shared.counts().attempts += 1;
        let mut random = Random::new(chance, Stream::Attempt, delivery, number);
        let process = listed.get(random.index(listed.len().max(1)));
        let Some(process) = process.map(|node| node.process()) else { return Seen::Unreachable };
        let served = ATTEMPT.scope(attempt, process.serve(provider, with_body(request)));
        let hangs_up = random.is_one_in(self.shared.settings.hang_ups);
        let limit = if hangs_up { random.between(1, 25) } else { provider.time_limit() };
        let seen = match timeout(Duration::from_millis(limit), served).await {
            Ok(Some(status)) => Seen::Status(status),
            Ok(None) => Seen::Unreachable,
            Err(_) => Seen::TimedOut,
        };
        let mut counts = self.shared.counts();
        match seen {
            Seen::Status(StatusCode::SERVICE_UNAVAILABLE) => counts.unavailable += 1,
            Seen::Status(_) => {}
            Seen::Unreachable => counts.unreachable += 1,
            Seen::TimedOut if hangs_up => counts.hung_up += 1,
            Seen::TimedOut => counts.timed_out += 1,
        }
        seen
    }

    /// Sends one forged request.
    async fn forge(self: Arc<Self>, number: u32) {
        let shared = &self.shared;
        let mut random = Random::new(shared.settings.seed, Stream::Attempt, FORGED, number);
        let request = self.signers.forged(number, shared.time(0), shared.settings.knows_secret());
        shared.counts().forged += 1;
        let provider = Provider::of(number);
        let seen = self.call(FORGED, number, random.next(), provider, &request).await;
        shared.counts().forged_accepted += u64::from(seen.is_success());
        self.close();
    }
}
