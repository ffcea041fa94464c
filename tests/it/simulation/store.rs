//! A replay store as `RedisStore` is: time limits, connections that are replaced, and settlements
//! in the background.

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::timeout;
use tower_webhook::replay::{Claim, ClaimToken, ReplayKey, ReplayStore, Settled, StoreError};

use super::{
    chance::{Random, Stream},
    cluster::{Action, Before, Command, Refused},
    shared::{ATTEMPT, Shared},
};

/// The limits of `src/replay/redis/ask.rs` and `src/replay/redis/connection.rs`, in milliseconds.
const LIMIT: u64 = 250;
const BACKGROUND_LIMIT: u64 = 1_000;
const RELEASE_LIMIT: u64 = 10_000;
const COMMIT_LIMIT: u64 = 60_000;
const FIRST_PAUSE: u64 = 100;
const LONGEST_PAUSE: u64 = 500;

/// A node's network. Processes come and go, and the network stays.
#[derive(Default)]
pub(super) struct Network {
    /// Number of faults that lose commands now.
    pub(super) loses_commands: AtomicU32,
    /// Number of faults that lose replies now.
    pub(super) loses_replies: AtomicU32,
    /// Number of faults that delay packets now.
    pub(super) is_slow: AtomicU32,
    /// End of the last fault.
    pub(super) well_since: AtomicU64,
}

/// Connection of a process to one shard.
#[derive(Clone, Copy, Default)]
struct Link {
    failures: u32,
    /// Time of the first of these failures.
    failed_at: u64,
    not_before: u64,
    answers: u64,
}

/// One process's store.
#[derive(Clone)]
pub(super) struct Store(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    network: Arc<Network>,
    process: u32,
    /// Cleared when the process ends. Destructors that run afterwards send nothing.
    is_alive: AtomicBool,
    links: Vec<Mutex<Link>>,
    packets: AtomicU32,
}

impl Store {
    pub(super) fn new(shared: &Arc<Shared>, network: &Arc<Network>, process: u32) -> Self {
        let links = (0..shared.cluster.len()).map(|_| Mutex::default()).collect();
        Self(Arc::new(Inner {
            shared: Arc::clone(shared),
            network: Arc::clone(network),
            process,
            is_alive: AtomicBool::new(true),
            links,
            packets: AtomicU32::new(0),
        }))
    }

    /// Cuts the process off, because it has ended.
    pub(super) fn end(&self) {
        self.0.is_alive.store(false, Ordering::SeqCst);
    }

    pub(super) fn is_alive(&self) -> bool {
        self.0.is_alive.load(Ordering::SeqCst)
    }

    fn command(&self, key: &ReplayKey, token: ClaimToken, action: Action) -> Command {
        let [key, _] = key.as_ref().as_chunks().0 else { panic!("a key has 32 bytes") };
        let token = number(token);
        let delivery = ATTEMPT.with(|attempt| {
            if matches!(action, Action::Claim { .. }) {
                attempt.token.store(token, Ordering::Relaxed);
            }
            attempt.delivery
        });
        let key = u128::from_be_bytes(*key);
        Command { key, token, action, delivery, process: self.0.process }
    }

    /// Returns the time that a packet takes.
    fn delay(&self) -> u64 {
        let nth = self.0.packets.fetch_add(1, Ordering::Relaxed);
        let seed = self.0.shared.settings.seed;
        let mut random = Random::new(seed, Stream::Network, self.0.process, nth);
        if self.0.network.is_slow.load(Ordering::Relaxed) > 0 {
            return random.between(20, 200);
        }
        // One of a thousand is sent again.
        if random.is_one_in(1_000) { 40 } else { random.below(2) }
    }

    fn link(&self, command: &Command) -> &Mutex<Link> {
        &self.0.links[self.0.shared.cluster.shard_of(command.key)]
    }

    /// Returns the time until which the connection is not made anew.
    fn paused_until(&self, command: &Command) -> u64 {
        self.link(command).lock().unwrap().not_before
    }

    async fn ask(&self, command: Command, limit: u64) -> Result<Before, StoreError> {
        let answers_before = self.link(&command).lock().unwrap().answers;
        let mut sent = Sent::new(self, command);
        let answer = timeout(Duration::from_millis(limit), sent.answer()).await;
        let now = self.0.shared.now();
        let mut link = self.link(&command).lock().unwrap();
        if let Ok(Ok(before)) = answer {
            if link.failures > 0 {
                self.recovered(&command, link.failed_at, now);
            }
            *link = Link { answers: link.answers + 1, ..Link::default() };
            return Ok(before);
        }
        // A connection that has answered another command meanwhile is only slow.
        if answer.is_ok() || link.answers == answers_before {
            let pause = LONGEST_PAUSE.min(FIRST_PAUSE << link.failures.min(8));
            link.failed_at = if link.failures == 0 { now } else { link.failed_at };
            link.failures += 1;
            link.not_before = now + pause;
        }
        Err(StoreError::new("the shard did not respond"))
    }

    /// Records how long after the end of all faults this process is answered again.
    fn recovered(&self, command: &Command, failed_at: u64, now: u64) {
        let (shared, network) = (&self.0.shared, &self.0.network);
        let shard_well_since = shared.cluster.well_since(shared.cluster.shard_of(command.key));
        let well_since = shard_well_since.max(network.well_since.load(Ordering::Relaxed));
        // A command can get through while the network still fails.
        let is_failing = [&network.loses_commands, &network.loses_replies, &network.is_slow]
            .iter()
            .any(|fault| fault.load(Ordering::Relaxed) > 0);
        if !is_failing && well_since >= failed_at && now < shared.settings.arrivals {
            shared.counts().recovery.add(now - well_since);
        }
    }

    /// Sends a command for a request, once.
    async fn ask_once(self, command: Command) -> Result<Before, StoreError> {
        if self.paused_until(&command) > self.0.shared.now() {
            return Err(StoreError::new("the connection is made anew"));
        }
        self.ask(command, LIMIT).await
    }

    /// Repeats a command until it is answered.
    async fn settle(self, command: Command) {
        let limit = if command.action == Action::Release { RELEASE_LIMIT } else { COMMIT_LIMIT };
        let shared = &self.0.shared;
        let deadline = shared.now() + limit;
        while self.is_alive() && shared.now() < deadline {
            shared.until(self.paused_until(&command)).await;
            if self.is_alive() && self.ask(command, BACKGROUND_LIMIT).await.is_ok() {
                return;
            }
        }
        if self.is_alive() && command.action != Action::Release {
            shared.counts().commits_given_up += 1;
        }
    }

    fn settling(
        &self,
        command: Command,
        read: impl FnOnce(Before) -> Settled + Send + 'static,
    ) -> Settling {
        let answer = self.clone().ask_once(command);
        Settling { answer: Box::pin(async move { answer.await.map(read) }), command }
    }
}

fn number(token: ClaimToken) -> u64 {
    // The first half distinguishes processes, which are one here.
    u64::from_be_bytes(token.to_bytes().as_chunks().0[1])
}

impl ReplayStore for Store {
    type Claim = Answer<Claim>;
    type Settle = Settling;

    fn claim(&self, key: &ReplayKey, token: ClaimToken, lease: Duration) -> Answer<Claim> {
        let lease = u64::try_from(lease.as_millis()).unwrap();
        let answer = self.clone().ask_once(self.command(key, token, Action::Claim { lease }));
        Box::pin(async move {
            Ok(match answer.await? {
                Before::Nothing => Claim::Granted { evicted: 0 },
                Before::Handled => Claim::Completed,
                Before::Claimed(_) => Claim::InFlight,
            })
        })
    }

    fn commit(&self, key: &ReplayKey, token: ClaimToken, retention: Duration) -> Settling {
        let retention = u64::try_from(retention.as_millis()).unwrap();
        let owner = number(token);
        self.settling(self.command(key, token, Action::Commit { retention }), move |before| {
            if before == Before::Claimed(owner) { Settled::Held } else { Settled::Lost }
        })
    }

    fn release(&self, key: &ReplayKey, token: ClaimToken) -> Settling {
        let owner = number(token);
        self.settling(self.command(key, token, Action::Release), move |before| {
            if before == Before::Claimed(owner) { Settled::Held } else { Settled::Lost }
        })
    }

    fn settle_in_background(&self, settle: Settling) {
        if !self.is_alive() {
            return;
        }
        let command = settle.command;
        if command.action != Action::Release {
            self.0.shared.ledger().commit_is_late(command.delivery, command.token);
        }
        tokio::spawn(self.clone().settle(command));
    }
}

pub(super) type Answer<A> = Pin<Box<dyn Future<Output = Result<A, StoreError>> + Send>>;

/// A commit or a release. Nothing is sent before it is polled.
pub(super) struct Settling {
    answer: Answer<Settled>,
    command: Command,
}

impl Future for Settling {
    type Output = Result<Settled, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx)
    }
}

/// A command that was sent, and arrives also if nobody waits for its reply any more.
struct Sent<'a> {
    store: &'a Store,
    command: Command,
    arrives: u64,
    has_arrived: bool,
    is_answered: bool,
}

impl<'a> Sent<'a> {
    fn new(store: &'a Store, command: Command) -> Self {
        let arrives = store.0.shared.now() + store.delay();
        Self { store, command, arrives, has_arrived: false, is_answered: false }
    }

    async fn answer(&mut self) -> Result<Before, Refused> {
        let (shared, network) = (&self.store.0.shared, &self.store.0.network);
        shared.until(self.arrives).await;
        if network.loses_commands.load(Ordering::Relaxed) > 0 {
            self.has_arrived = true;
            pending::<()>().await;
        }
        let answer = shared.cluster.arrive(&self.command, shared).await;
        self.has_arrived = true;
        if answer.is_ok() {
            shared.until(shared.now() + self.store.delay()).await;
            if network.loses_replies.load(Ordering::Relaxed) > 0 {
                pending::<()>().await;
            }
        }
        self.is_answered = true;
        answer
    }
}

impl Drop for Sent<'_> {
    /// Lets the command arrive, and then undoes a claim on the same connection.
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let (store, command) = (self.store.clone(), self.command);
        let (arrives, has_arrived) = (self.arrives, self.has_arrived);
        tokio::spawn(async move {
            let (shared, network) = (&store.0.shared, &store.0.network);
            let is_cut = || network.loses_commands.load(Ordering::Relaxed) > 0;
            if !has_arrived {
                shared.until(arrives).await;
                if !is_cut() {
                    _ = shared.cluster.arrive(&command, shared).await;
                }
            }
            if matches!(command.action, Action::Claim { .. }) && store.is_alive() {
                shared.until(shared.now() + store.delay()).await;
                if !is_cut() {
                    let undo = Command { action: Action::Release, ..command };
                    _ = shared.cluster.arrive(&undo, shared).await;
                }
            }
        });
    }
}
